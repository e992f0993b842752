//! Names and addresses: not there yet.

use core::ffi::{c_char, c_int};

use libc::{addrinfo, sockaddr};

use crate::abi::*;

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getaddrinfo(
    r#loop: *mut uv_loop_t,
    req: *mut uv_getaddrinfo_t,
    getaddrinfo_cb: uv_getaddrinfo_cb,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: nothing is done.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_freeaddrinfo(ai: *mut addrinfo) {}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getnameinfo(
    r#loop: *mut uv_loop_t,
    req: *mut uv_getnameinfo_t,
    getnameinfo_cb: uv_getnameinfo_cb,
    addr: *const sockaddr,
    flags: c_int,
) -> c_int {
    UV_ENOSYS
}
