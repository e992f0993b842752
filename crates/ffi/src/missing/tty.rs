//! Terminals: not there yet.

use core::ffi::c_int;

use crate::abi::*;

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_tty_t,
    fd: uv_file,
    readable: c_int,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_set_mode(handle: *mut uv_tty_t, mode: uv_tty_mode_t) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_reset_mode() -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_get_winsize(
    handle: *mut uv_tty_t,
    width: *mut c_int,
    height: *mut c_int,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: nothing is done.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_set_vterm_state(state: uv_tty_vtermstate_t) {}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_get_vterm_state(state: *mut uv_tty_vtermstate_t) -> c_int {
    UV_ENOSYS
}
