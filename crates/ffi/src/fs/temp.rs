//! Files and folders with names that nobody else has.

use core::ffi::{c_char, c_int};

use super::request::{self, Operation};
use super::sys;
use crate::abi::*;

struct Mkdtemp;

impl Operation for Mkdtemp {
    const KIND: uv_fs_type = UV_FS_MKDTEMP;
    // The template is used up.
    const RETRY: bool = false;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is the request's own copy of the template.
        let made = unsafe { libc::mkdtemp(req.path.get().cast_mut()) };
        sys::int(if made.is_null() { -1 } else { 0 })
    }
}

struct Mkstemp;

impl Operation for Mkstemp {
    const KIND: uv_fs_type = UV_FS_MKSTEMP;
    const RETRY: bool = false;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let path = req.path.get().cast_mut();
        // SAFETY: the path is the request's own copy of the template.
        let fd = sys::int(unsafe { libc::mkostemp(path, libc::O_CLOEXEC) });
        if fd < 0 {
            // There is no such file.
            // SAFETY: as above; a C string has at least its NUL.
            unsafe { path.write(0) };
        }
        fd
    }
}

/// As [`request::with_path`], but the request has a copy of its own in any case.
///
/// # Safety
/// As the `uv_fs_*` function asks.
unsafe fn from_template<O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    tpl: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<O>(owner, req, cb, |req| {
            if tpl.is_null() { UV_EINVAL } else { request::copy_path(req, tpl, 0) }
        })
    }
}

/// `int uv_fs_mkdtemp(uv_loop_t*, uv_fs_t*, const char* tpl, uv_fs_cb)`: mkdtemp(3). `path` is the
/// folder made; cleanup frees it. `UV_EINVAL` when `tpl` does not end in `XXXXXX`.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_mkdtemp(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    tpl: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { from_template::<Mkdtemp>(r#loop, req, tpl, cb) }
}

/// `int uv_fs_mkstemp(uv_loop_t*, uv_fs_t*, const char* tpl, uv_fs_cb)`: mkstemp(3),
/// close-on-exec. The result is the descriptor, `path` the file made (empty when none was);
/// cleanup frees it. `UV_EINVAL` when `tpl` does not end in `XXXXXX`.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_mkstemp(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    tpl: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { from_template::<Mkstemp>(r#loop, req, tpl, cb) }
}
