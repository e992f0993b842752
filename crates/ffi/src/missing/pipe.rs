//! Pipes and unix sockets: not there yet.

use core::ffi::{c_char, c_int, c_uint};

use crate::abi::*;

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_pipe_t,
    ipc: c_int,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_open(handle: *mut uv_pipe_t, file: uv_file) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_bind(handle: *mut uv_pipe_t, name: *const c_char) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_bind2(
    handle: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: nothing is done.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_connect(
    req: *mut uv_connect_t,
    handle: *mut uv_pipe_t,
    name: *const c_char,
    cb: uv_connect_cb,
) {
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_connect2(
    req: *mut uv_connect_t,
    handle: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
    cb: uv_connect_cb,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_getsockname(
    handle: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_getpeername(
    handle: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: nothing is done.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_instances(handle: *mut uv_pipe_t, count: c_int) {}

/// Not there yet: 0.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_count(handle: *mut uv_pipe_t) -> c_int {
    0
}

/// Not there yet: `UV_UNKNOWN_HANDLE`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_type(handle: *mut uv_pipe_t) -> uv_handle_type {
    UV_UNKNOWN_HANDLE
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_chmod(handle: *mut uv_pipe_t, flags: c_int) -> c_int {
    UV_ENOSYS
}
