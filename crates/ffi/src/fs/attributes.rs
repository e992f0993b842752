//! Who may do what with a file, and whose it is.

use core::ffi::{c_char, c_int};

use super::request::{self, Operation};
use super::sys;
use crate::abi::*;

struct Access;

impl Operation for Access {
    const KIND: uv_fs_type = UV_FS_ACCESS;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::access(req.path.get(), req.flags.get()) })
    }
}

struct Chmod;

impl Operation for Chmod {
    const KIND: uv_fs_type = UV_FS_CHMOD;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::chmod(req.path.get(), req.mode.get()) })
    }
}

struct Fchmod;

impl Operation for Fchmod {
    const KIND: uv_fs_type = UV_FS_FCHMOD;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: any number may be asked for.
        sys::int(unsafe { libc::fchmod(req.file.get(), req.mode.get()) })
    }
}

struct Chown;

impl Operation for Chown {
    const KIND: uv_fs_type = UV_FS_CHOWN;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::chown(req.path.get(), req.uid.get(), req.gid.get()) })
    }
}

struct Fchown;

impl Operation for Fchown {
    const KIND: uv_fs_type = UV_FS_FCHOWN;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: any number may be asked for.
        sys::int(unsafe { libc::fchown(req.file.get(), req.uid.get(), req.gid.get()) })
    }
}

struct Lchown;

impl Operation for Lchown {
    const KIND: uv_fs_type = UV_FS_LCHOWN;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        sys::int(unsafe { libc::lchown(req.path.get(), req.uid.get(), req.gid.get()) })
    }
}

/// `int uv_fs_access(uv_loop_t*, uv_fs_t*, const char* path, int mode, uv_fs_cb)`: access(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_access(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Access>(r#loop, req, path, cb, |req| {
            req.flags.set(mode);
        })
    }
}

/// `int uv_fs_chmod(uv_loop_t*, uv_fs_t*, const char* path, int mode, uv_fs_cb)`: chmod(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_chmod(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Chmod>(r#loop, req, path, cb, |req| {
            req.mode.set(mode as libc::mode_t);
        })
    }
}

/// `int uv_fs_fchmod(uv_loop_t*, uv_fs_t*, uv_file, int mode, uv_fs_cb)`: fchmod(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fchmod(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Fchmod>(r#loop, req, cb, |req| {
            req.file.set(file);
            req.mode.set(mode as libc::mode_t);
            0
        })
    }
}

/// `int uv_fs_chown(uv_loop_t*, uv_fs_t*, const char* path, uv_uid_t, uv_gid_t, uv_fs_cb)`:
/// chown(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_chown(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Chown>(r#loop, req, path, cb, |req| {
            req.uid.set(uid);
            req.gid.set(gid);
        })
    }
}

/// `int uv_fs_fchown(uv_loop_t*, uv_fs_t*, uv_file, uv_uid_t, uv_gid_t, uv_fs_cb)`: fchown(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fchown(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Fchown>(r#loop, req, cb, |req| {
            req.file.set(file);
            req.uid.set(uid);
            req.gid.set(gid);
            0
        })
    }
}

/// `int uv_fs_lchown(uv_loop_t*, uv_fs_t*, const char* path, uv_uid_t, uv_gid_t, uv_fs_cb)`:
/// lchown(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_lchown(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Lchown>(r#loop, req, path, cb, |req| {
            req.uid.set(uid);
            req.gid.set(gid);
        })
    }
}
