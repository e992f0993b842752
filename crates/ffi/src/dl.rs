//! Shared libraries, on top of dlopen(3). Source: the manual's page on shared library handling.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use crate::abi::*;
use crate::mem;

/// The message of a failure whose own message found no memory.
const NO_MEMORY: &CStr = c"not enough memory for the error message";
/// What libuv says when nothing failed.
const NO_ERROR: &CStr = c"no error";

/// Makes what dlerror(3) says the library's message: -1. When it says nothing, the message stays
/// that of the last failure: 0.
///
/// # Safety
/// `lib` is valid, and its message NULL or made here.
unsafe fn take_error(lib: *mut uv_lib_t) -> c_int {
    // SAFETY: the caller's word; the text is valid until the next call of this family.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            return 0;
        }
        forget_error(lib);
        let size = CStr::from_ptr(text).count_bytes() + 1;
        let copy: *mut c_char = mem::alloc(size).cast();
        (*lib).errmsg = if copy.is_null() {
            NO_MEMORY.as_ptr().cast_mut()
        } else {
            ptr::copy_nonoverlapping(text, copy, size);
            copy
        };
        -1
    }
}

/// # Safety
/// As for [`take_error`].
unsafe fn forget_error(lib: *mut uv_lib_t) {
    // SAFETY: the caller's word.
    unsafe {
        let text = (*lib).errmsg;
        (*lib).errmsg = ptr::null_mut();
        if !ptr::eq(text, NO_MEMORY.as_ptr()) {
            mem::free(text.cast());
        }
    }
}

/// Opens shared library `filename`; NULL is the program itself. 0, or -1 and
/// [`uv_dlerror`] says why; [`uv_dlclose`] is due either way.
/// Source: manual, dll, `uv_dlopen`.
///
/// # Safety
/// `lib` is valid for writes and holds nothing, `filename` is NULL or a C string. The library's
/// constructors run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlopen(filename: *const c_char, lib: *mut uv_lib_t) -> c_int {
    // SAFETY: the caller's word.
    unsafe {
        (*lib).errmsg = ptr::null_mut();
        // What failed before is not ours.
        libc::dlerror();
        (*lib).handle = libc::dlopen(filename, libc::RTLD_LAZY);
        if (*lib).handle.is_null() { take_error(lib) } else { 0 }
    }
}

/// Closes the library and frees its message. Fine after a failure, and a second time.
/// Source: manual, dll, `uv_dlclose`.
///
/// # Safety
/// `lib` was given to [`uv_dlopen`], and nothing of the library is used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlclose(lib: *mut uv_lib_t) {
    // SAFETY: the caller's word.
    unsafe {
        forget_error(lib);
        let handle = (*lib).handle;
        (*lib).handle = ptr::null_mut();
        if !handle.is_null() {
            libc::dlclose(handle);
        }
    }
}

/// Puts the address of `name` into `*ptr`, which may be NULL for a symbol that is. 0, or -1 when
/// there is no such symbol, and [`uv_dlerror`] says so.
/// Source: manual, dll, `uv_dlsym`.
///
/// # Safety
/// `lib` was opened by [`uv_dlopen`], `name` is a C string, `ptr` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlsym(
    lib: *mut uv_lib_t,
    name: *const c_char,
    ptr: *mut *mut c_void,
) -> c_int {
    // SAFETY: the caller's word.
    unsafe {
        // NULL is an address too, so only the message tells; an old one must not.
        libc::dlerror();
        ptr.write(libc::dlsym((*lib).handle, name));
        take_error(lib)
    }
}

/// The message of the last call of [`uv_dlopen`] or [`uv_dlsym`] that failed, "no error" if none
/// did. Valid until the next call with this `lib`.
/// Source: manual, dll, `uv_dlerror`.
///
/// # Safety
/// `lib` was given to [`uv_dlopen`], or its message is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_dlerror(lib: *const uv_lib_t) -> *const c_char {
    // SAFETY: the caller's word.
    match unsafe { (*lib).errmsg } {
        text if text.is_null() => NO_ERROR.as_ptr(),
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::MaybeUninit;

    #[test]
    fn symbols_of_the_program_and_what_is_missing() {
        let mut lib = MaybeUninit::uninit();
        let lib = lib.as_mut_ptr();
        let mut found = ptr::null_mut();
        // SAFETY: opened before it is used, closed at the end.
        unsafe {
            assert_eq!(uv_dlopen(ptr::null(), lib), 0);
            assert_eq!(uv_dlsym(lib, c"printf".as_ptr(), &mut found), 0);
            assert_eq!(found, libc::printf as *mut c_void);
            assert_eq!(CStr::from_ptr(uv_dlerror(lib)), NO_ERROR);
            assert_eq!(uv_dlsym(lib, c"uvring_no_such".as_ptr(), &mut found), -1);
            assert!(found.is_null());
            let text = CStr::from_ptr(uv_dlerror(lib)).to_string_lossy().into_owned();
            assert!(text.contains("uvring_no_such"), "{text}");
            // It stays what it was until something else fails.
            assert_eq!(uv_dlsym(lib, c"puts".as_ptr(), &mut found), 0);
            assert!(!found.is_null());
            assert_eq!(CStr::from_ptr(uv_dlerror(lib)).to_string_lossy(), text);
            uv_dlclose(lib);
            uv_dlclose(lib);
            assert_eq!(CStr::from_ptr(uv_dlerror(lib)), NO_ERROR);
        }
    }

    #[test]
    fn a_file_that_is_not_there() {
        let mut lib = MaybeUninit::uninit();
        // SAFETY: closed after the failure.
        unsafe {
            assert_eq!(uv_dlopen(c"/no/such/file.so".as_ptr(), lib.as_mut_ptr()), -1);
            let mut lib = lib.assume_init();
            let text = CStr::from_ptr(uv_dlerror(&lib)).to_string_lossy();
            assert!(text.contains("/no/such/file.so"), "{text}");
            uv_dlclose(&mut lib);
        }
    }
}
