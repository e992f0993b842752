//! Names in a folder: making, moving and removing them.

use core::ffi::{c_char, c_int};

use uvring_core::driver::Request;

use super::request::{self, Operation};
use super::sys;
use crate::abi::*;

struct Unlink;

impl Operation for Unlink {
    const KIND: uv_fs_type = UV_FS_UNLINK;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::unlink(req.path.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Unlink { path: req.path.get(), flags: 0 })
    }
}

struct Mkdir;

impl Operation for Mkdir {
    const KIND: uv_fs_type = UV_FS_MKDIR;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::mkdir(req.path.get(), req.mode.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Mkdir { path: req.path.get(), mode: req.mode.get() })
    }
}

struct Rmdir;

impl Operation for Rmdir {
    const KIND: uv_fs_type = UV_FS_RMDIR;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::rmdir(req.path.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Unlink { path: req.path.get(), flags: libc::AT_REMOVEDIR })
    }
}

struct Rename;

impl Operation for Rename {
    const KIND: uv_fs_type = UV_FS_RENAME;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: both paths are C strings.
        sys::int(unsafe { libc::rename(req.path.get(), req.new_path.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Rename { path: req.path.get(), new_path: req.new_path.get() })
    }
}

/// `int uv_fs_unlink(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: unlink(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_unlink(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Unlink>(r#loop, req, path, cb, |_| {}) }
}

/// `int uv_fs_mkdir(uv_loop_t*, uv_fs_t*, const char* path, int mode, uv_fs_cb)`: mkdir(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_mkdir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Mkdir>(r#loop, req, path, cb, |req| {
            req.mode.set(mode as libc::mode_t);
        })
    }
}

/// `int uv_fs_rmdir(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: rmdir(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_rmdir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Rmdir>(r#loop, req, path, cb, |_| {}) }
}

/// `int uv_fs_rename(uv_loop_t*, uv_fs_t*, const char* path, const char* new_path, uv_fs_cb)`:
/// rename(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_rename(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_paths::<Rename>(r#loop, req, path, new_path, cb, 0) }
}
