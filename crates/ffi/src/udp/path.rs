//! How the network treats a socket's datagrams: type of service, fragments, and the processor that
//! receives them.

use core::ffi::c_int;

use super::option::code_of;
use super::{CONNECTED, fd_of, is_open_udp, send_gathered, sys};
use crate::abi::*;
use crate::handle::{Handle, flag};

/// `int uvring_udp_set_tos(uv_udp_t*, int)`: the type of service (IPv4) or traffic class (IPv6) of
/// what is sent from now on, 0 to 255. The lower two bits are the ECN codepoint.
///
/// # Returns
/// 0; `UV_EINVAL` outside 0 to 255 and for a closing handle; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_set_tos(handle: *mut uv_udp_t, tos: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) || !(0..=255).contains(&tos) {
        return UV_EINVAL;
    }
    set_both(udp, (libc::IP_TOS, tos), (libc::IPV6_TCLASS, tos))
}

/// `int uvring_udp_set_dontfrag(uv_udp_t*, int)`: not 0: what is sent from now on is not cut into
/// fragments anywhere on its way, and the path's known MTU is not heeded, as a program that looks
/// for the MTU wants it; longer than the interface allows is `UV_EMSGSIZE`. 0: fragments are allowed.
///
/// # Returns
/// 0; `UV_EINVAL` for a closing handle; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_set_dontfrag(handle: *mut uv_udp_t, on: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) {
        return UV_EINVAL;
    }
    let (v4, v6) = if on != 0 {
        (libc::IP_PMTUDISC_PROBE, libc::IPV6_PMTUDISC_PROBE)
    } else {
        (libc::IP_PMTUDISC_DONT, libc::IPV6_PMTUDISC_DONT)
    };
    set_both(udp, (libc::IP_MTU_DISCOVER, v4), (libc::IPV6_MTU_DISCOVER, v6))
}

/// `int uvring_udp_get_mtu(const uv_udp_t*, int*)`: the MTU of the path to the peer, in bytes, as far
/// as it is known.
///
/// # Returns
/// 0; `UV_EINVAL` for NULL and a closing handle; `UV_ENOTCONN`: the handle has no peer.
///
/// # Safety
/// `handle` is an initialised handle; `mtu` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_get_mtu(handle: *const uv_udp_t, mtu: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) || mtu.is_null() {
        return UV_EINVAL;
    }
    if !udp.has(CONNECTED) {
        return UV_ENOTCONN;
    }
    let known = if udp.has(flag::IPV6) {
        sys::get(fd_of(udp), libc::IPPROTO_IPV6, libc::IPV6_MTU)
    } else {
        sys::get(fd_of(udp), libc::IPPROTO_IP, libc::IP_MTU)
    };
    match known {
        Ok(bytes) => {
            // SAFETY: not NULL, so valid by the caller's promise.
            unsafe { *mtu = bytes };
            0
        }
        Err(code) => code,
    }
}

/// `int uvring_udp_set_incoming_cpu(uv_udp_t*, int)`: of sockets that share a port
/// (`UV_UDP_REUSEPORT`), this one is preferred for datagrams that `cpu` handles.
///
/// # Returns
/// 0; `UV_EINVAL` for a negative `cpu` and a closing handle; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_set_incoming_cpu(handle: *mut uv_udp_t, cpu: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) || cpu < 0 {
        return UV_EINVAL;
    }
    code_of(sys::set(fd_of(udp), libc::SOL_SOCKET, libc::SO_INCOMING_CPU, &cpu))
}

/// Sets an option under its IPv4 name, and on an IPv6 socket, which may send over IPv4, under both.
fn set_both(udp: &uv_udp_t, v4: (c_int, c_int), v6: (c_int, c_int)) -> c_int {
    // What was sent before goes out as it was.
    send_gathered(udp);
    let fd = fd_of(udp);
    let mut done = Ok(());
    if udp.has(flag::IPV6) {
        done = sys::set(fd, libc::IPPROTO_IPV6, v6.0, &v6.1);
    }
    code_of(done.and_then(|()| sys::set(fd, libc::IPPROTO_IP, v4.0, &v4.1)))
}
