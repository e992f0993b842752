//! Links, and what paths stand for.

use core::ffi::{c_char, c_int};
use core::ptr;

use uvring_core::driver::Request;

use super::request::{self, Operation};
use super::sys;
use crate::abi::*;
use crate::{mem, status};

/// Room for a link's target: at first, and the most that is tried.
const FIRST_TARGET: usize = 256;
const LONGEST_TARGET: usize = 1 << 20;

struct Link;

impl Operation for Link {
    const KIND: uv_fs_type = UV_FS_LINK;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: both paths are C strings.
        sys::int(unsafe { libc::link(req.path.get(), req.new_path.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Link { path: req.path.get(), new_path: req.new_path.get() })
    }
}

struct Symlink;

impl Operation for Symlink {
    const KIND: uv_fs_type = UV_FS_SYMLINK;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: both paths are C strings.
        sys::int(unsafe { libc::symlink(req.path.get(), req.new_path.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Symlink { target: req.path.get(), path: req.new_path.get() })
    }
}

struct Readlink;

impl Operation for Readlink {
    const KIND: uv_fs_type = UV_FS_READLINK;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let mut room = FIRST_TARGET;
        while room <= LONGEST_TARGET {
            let target: *mut c_char = mem::alloc(room).cast();
            if target.is_null() {
                return UV_ENOMEM as isize;
            }
            // SAFETY: the path is a C string, `target` has `room` bytes and is freed or handed
            // over once.
            unsafe {
                let len = sys::result(libc::readlink(req.path.get(), target, room));
                match usize::try_from(len) {
                    Ok(len) if len < room => {
                        target.add(len).write(0);
                        req.ptr.set(target.cast());
                        return 0;
                    }
                    // It may have been cut.
                    Ok(_) => mem::free(target.cast()),
                    Err(_) => {
                        mem::free(target.cast());
                        return len;
                    }
                }
            }
            room *= 2;
        }
        UV_ENAMETOOLONG as isize
    }
}

struct Realpath;

impl Operation for Realpath {
    const KIND: uv_fs_type = UV_FS_REALPATH;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string; the C library's block, as long as it takes, goes back to
        // the C library.
        unsafe {
            let found = libc::realpath(req.path.get(), ptr::null_mut());
            if found.is_null() {
                return status::last() as isize;
            }
            let size = libc::strlen(found) + 1;
            let copy: *mut c_char = mem::alloc(size).cast();
            if !copy.is_null() {
                copy.copy_from_nonoverlapping(found, size);
            }
            libc::free(found.cast());
            req.ptr.set(copy.cast());
            if copy.is_null() { UV_ENOMEM as isize } else { 0 }
        }
    }
}

/// `int uv_fs_link(uv_loop_t*, uv_fs_t*, const char* path, const char* new_path, uv_fs_cb)`:
/// link(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_link(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_paths::<Link>(r#loop, req, path, new_path, cb, 0) }
}

/// `int uv_fs_symlink(uv_loop_t*, uv_fs_t*, const char* path, const char* new_path, int flags,
/// uv_fs_cb)`: symlink(2). The flags mean something elsewhere only.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_symlink(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    flags: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_paths::<Symlink>(r#loop, req, path, new_path, cb, flags) }
}

/// `int uv_fs_readlink(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: readlink(2). On success
/// the result is 0 and `ptr` the target, a C string that cleanup frees.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_readlink(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Readlink>(r#loop, req, path, cb, |_| {}) }
}

/// `int uv_fs_realpath(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: realpath(3), of any
/// length. On success the result is 0 and `ptr` the path, a C string that cleanup frees.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_realpath(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Realpath>(r#loop, req, path, cb, |_| {}) }
}
