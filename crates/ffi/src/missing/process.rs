//! Child processes: not there yet.

use core::ffi::c_int;

use crate::abi::*;

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_spawn(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_process_t,
    options: *const uv_process_options_t,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_process_kill(handle: *mut uv_process_t, signum: c_int) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_kill(pid: c_int, signum: c_int) -> c_int {
    UV_ENOSYS
}

/// Not there yet: nothing is done.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_disable_stdio_inheritance() {}
