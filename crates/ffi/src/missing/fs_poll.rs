//! Watching a path by stat: not there yet.

use core::ffi::{c_char, c_int, c_uint};

use crate::abi::*;

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_fs_poll_t,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_start(
    handle: *mut uv_fs_poll_t,
    poll_cb: uv_fs_poll_cb,
    path: *const c_char,
    interval: c_uint,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_stop(handle: *mut uv_fs_poll_t) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_getpath(
    handle: *mut uv_fs_poll_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    UV_ENOSYS
}
