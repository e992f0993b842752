//! The only file that names an allocator.
//!
//! Every heap byte of the library comes from the four functions of [`uv_replace_allocator`], by
//! default the C library's. Running out of memory is an answer (a null pointer), never an abort.
//! Source: the manual's page on miscellaneous utilities.

use core::ffi::{c_int, c_void};
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::abi::*;
use crate::status;

type Malloc = unsafe extern "C" fn(usize) -> *mut c_void;
type Realloc = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type Calloc = unsafe extern "C" fn(usize, usize) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);

// Relaxed is enough: the manual allows a change only while no other libuv call runs.
static MALLOC: AtomicPtr<c_void> = AtomicPtr::new(libc::malloc as *mut c_void);
static REALLOC: AtomicPtr<c_void> = AtomicPtr::new(libc::realloc as *mut c_void);
static CALLOC: AtomicPtr<c_void> = AtomicPtr::new(libc::calloc as *mut c_void);
static FREE: AtomicPtr<c_void> = AtomicPtr::new(libc::free as *mut c_void);

/// Replaces malloc(3), realloc(3), calloc(3) and free(3) for everything the library allocates.
///
/// Call it before any other function of the library, or after all memory has come back. The
/// functions must be safe to call from several threads at once.
///
/// Returns 0, or `UV_EINVAL` when one of the four is NULL (nothing is changed then).
/// Source: manual, misc, `uv_replace_allocator`.
///
/// # Safety
/// The four functions behave as those they replace, and no other thread is inside the library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_replace_allocator(
    malloc_func: uv_malloc_func,
    realloc_func: uv_realloc_func,
    calloc_func: uv_calloc_func,
    free_func: uv_free_func,
) -> c_int {
    let (Some(malloc), Some(realloc), Some(calloc), Some(free)) =
        (malloc_func, realloc_func, calloc_func, free_func)
    else {
        return UV_EINVAL;
    };
    MALLOC.store(malloc as *mut c_void, Ordering::Relaxed);
    REALLOC.store(realloc as *mut c_void, Ordering::Relaxed);
    CALLOC.store(calloc as *mut c_void, Ordering::Relaxed);
    FREE.store(free as *mut c_void, Ordering::Relaxed);
    0
}

/// `size` bytes, aligned as malloc(3) aligns. Null when there is no memory or `size` is 0.
pub(crate) fn alloc(size: usize) -> *mut c_void {
    if size == 0 {
        return ptr::null_mut();
    }
    let f = MALLOC.load(Ordering::Relaxed);
    // SAFETY: only functions of this type are ever stored in MALLOC.
    let f = unsafe { mem::transmute::<*mut c_void, Malloc>(f) };
    // SAFETY: malloc may be called with any size.
    unsafe { f(size) }
}

/// `count * size` zeroed bytes. Null when there is no memory, the product overflows or is 0.
pub(crate) fn calloc(count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        None | Some(0) => return ptr::null_mut(),
        Some(_) => {}
    }
    let f = CALLOC.load(Ordering::Relaxed);
    // SAFETY: only functions of this type are ever stored in CALLOC.
    let f = unsafe { mem::transmute::<*mut c_void, Calloc>(f) };
    // SAFETY: calloc may be called with any numbers.
    unsafe { f(count, size) }
}

/// Resizes `block`; null leaves the old block as it was. A `size` of 0 frees it and yields null.
///
/// # Safety
/// `block` is null or came from this file and was not freed since.
pub(crate) unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if size == 0 {
        // SAFETY: the caller's word on `block`.
        unsafe { free(block) };
        return ptr::null_mut();
    }
    let f = REALLOC.load(Ordering::Relaxed);
    // SAFETY: only functions of this type are ever stored in REALLOC.
    let f = unsafe { mem::transmute::<*mut c_void, Realloc>(f) };
    // SAFETY: the caller's word on `block`.
    unsafe { f(block, size) }
}

/// Gives `block` back. errno is what it was before, so it can be called on error paths.
///
/// # Safety
/// `block` is null or came from this file and was not freed since.
pub(crate) unsafe fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    let f = FREE.load(Ordering::Relaxed);
    // SAFETY: only functions of this type are ever stored in FREE.
    let f = unsafe { mem::transmute::<*mut c_void, Free>(f) };
    let saved = status::errno();
    // SAFETY: the caller's word on `block`.
    unsafe { f(block) };
    status::set_errno(saved);
}

/// Room for one `T`, not initialised. Null when there is no memory.
pub(crate) fn alloc_one<T>() -> *mut T {
    const { assert!(mem::align_of::<T>() <= mem::align_of::<libc::max_align_t>()) };
    alloc(mem::size_of::<T>()).cast()
}

/// Room for `count` `T`s, not initialised. Null when there is no memory, the size overflows or is 0.
pub(crate) fn alloc_array<T>(count: usize) -> *mut T {
    const { assert!(mem::align_of::<T>() <= mem::align_of::<libc::max_align_t>()) };
    match count.checked_mul(mem::size_of::<T>()) {
        Some(size) => alloc(size).cast(),
        None => ptr::null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_function_changes_nothing() {
        // SAFETY: NULL functions are answered, not called.
        let r = unsafe {
            uv_replace_allocator(Some(libc::malloc), Some(libc::realloc), None, Some(libc::free))
        };
        assert_eq!(r, UV_EINVAL);
        let block = alloc(16);
        assert!(!block.is_null());
        // SAFETY: fresh from `alloc`.
        unsafe { free(block) };
    }

    #[test]
    fn sizes_that_make_no_sense_give_null() {
        assert!(alloc(0).is_null());
        assert!(calloc(usize::MAX, 2).is_null());
        assert!(calloc(0, 8).is_null());
        assert!(alloc_array::<u64>(usize::MAX / 4).is_null());
        assert!(alloc(usize::MAX / 2).is_null());
    }

    #[test]
    fn realloc_keeps_bytes_and_frees_at_zero() {
        let block = alloc_array::<u8>(4);
        // SAFETY: `block` has four bytes, then eight, and is freed once.
        unsafe {
            block.copy_from(b"abcd".as_ptr(), 4);
            let block = realloc(block.cast(), 8).cast::<u8>();
            assert_eq!(core::slice::from_raw_parts(block, 4), b"abcd");
            assert!(realloc(block.cast(), 0).is_null());
        }
    }

    #[test]
    fn free_keeps_errno() {
        status::set_errno(libc::EXDEV);
        // SAFETY: fresh from `calloc`, of a size that free gives back to the system.
        unsafe { free(calloc(1 << 20, 4)) };
        assert_eq!(status::errno(), libc::EXDEV);
    }
}
