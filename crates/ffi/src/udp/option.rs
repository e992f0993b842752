//! Multicast, time to live, broadcast.

use core::ffi::{c_char, c_int, c_uint};
use core::mem;

use libc::{in_addr, sockaddr_in, sockaddr_in6};

use super::{bind_any, fd_of, is_open_udp, send_gathered, sys};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::inet::{uv_ip4_addr, uv_ip6_addr};

/// A numeric address of either family.
enum Address {
    V4(sockaddr_in),
    V6(sockaddr_in6),
}

/// # Safety
/// `text` is NULL or a C string.
unsafe fn parse_v4(text: *const c_char) -> Option<sockaddr_in> {
    // SAFETY: zero bytes are valid for the record; the caller's promise on `text`.
    unsafe {
        let mut addr = mem::zeroed();
        (uv_ip4_addr(text, 0, &mut addr) == 0).then_some(addr)
    }
}

/// # Safety
/// `text` is NULL or a C string.
unsafe fn parse_v6(text: *const c_char) -> Option<sockaddr_in6> {
    // SAFETY: as in `parse_v4`.
    unsafe {
        let mut addr = mem::zeroed();
        (uv_ip6_addr(text, 0, &mut addr) == 0).then_some(addr)
    }
}

/// # Safety
/// `text` is NULL or a C string.
unsafe fn parse(text: *const c_char) -> Option<Address> {
    // SAFETY: the caller's promise.
    unsafe { parse_v4(text).map(Address::V4).or_else(|| parse_v6(text).map(Address::V6)) }
}

/// The interface with this IPv4 address; NULL is any.
///
/// # Safety
/// `text` is NULL or a C string.
unsafe fn interface_v4(text: *const c_char) -> Result<in_addr, c_int> {
    if text.is_null() {
        return Ok(in_addr { s_addr: libc::INADDR_ANY });
    }
    // SAFETY: the caller's promise.
    unsafe { parse_v4(text) }.map(|addr| addr.sin_addr).ok_or(UV_EINVAL)
}

/// The index of the interface in an IPv6 address's zone; NULL is any, 0.
///
/// # Safety
/// `text` is NULL or a C string.
unsafe fn interface_v6(text: *const c_char) -> Result<c_uint, c_int> {
    if text.is_null() {
        return Ok(0);
    }
    // SAFETY: the caller's promise.
    unsafe { parse_v6(text) }.map(|addr| addr.sin6_scope_id).ok_or(UV_EINVAL)
}

/// Sets a socket option. What was sent before goes out as it was.
fn set<T>(udp: &uv_udp_t, level: c_int, name: c_int, value: &T) -> Result<(), c_int> {
    send_gathered(udp);
    sys::set(fd_of(udp), level, name, value)
}

pub(super) fn code_of(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(0)
}

/// `int uv_udp_set_membership(uv_udp_t*, const char*, const char*, uv_membership)`: joins or leaves
/// a multicast group. `interface_addr` is an interface's IPv4 address, or an IPv6 address with its
/// zone; NULL leaves the choice to the system. A handle without a socket is bound to any address.
///
/// # Returns
/// 0; `UV_EINVAL` for what is no address and an unknown `membership`; what setsockopt(2) says.
///
/// # Safety
/// `handle` is an initialised handle; the texts are NULL or C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_membership(
    handle: *mut uv_udp_t,
    multicast_addr: *const c_char,
    interface_addr: *const c_char,
    membership: uv_membership,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        match parse(multicast_addr) {
            Some(Address::V4(group)) => {
                join_v4(&*handle, group.sin_addr, interface_addr, membership)
            }
            Some(Address::V6(group)) => {
                join_v6(&*handle, group.sin6_addr, interface_addr, membership)
            }
            None => UV_EINVAL,
        }
    }
}

/// # Safety
/// `interface` is NULL or a C string.
unsafe fn join_v4(
    udp: &uv_udp_t,
    group: in_addr,
    interface: *const c_char,
    membership: uv_membership,
) -> c_int {
    if !is_open_udp(udp) {
        return UV_EINVAL;
    }
    let code = bind_any(udp, libc::AF_INET, UV_UDP_REUSEADDR);
    if code != 0 {
        return code;
    }
    let name = match membership {
        UV_JOIN_GROUP => libc::IP_ADD_MEMBERSHIP,
        UV_LEAVE_GROUP => libc::IP_DROP_MEMBERSHIP,
        _ => return UV_EINVAL,
    };
    // SAFETY: the caller's promise.
    code_of(unsafe { interface_v4(interface) }.and_then(|imr_interface| {
        let mreq = libc::ip_mreq { imr_multiaddr: group, imr_interface };
        set(udp, libc::IPPROTO_IP, name, &mreq)
    }))
}

/// # Safety
/// `interface` is NULL or a C string.
unsafe fn join_v6(
    udp: &uv_udp_t,
    group: libc::in6_addr,
    interface: *const c_char,
    membership: uv_membership,
) -> c_int {
    if !is_open_udp(udp) {
        return UV_EINVAL;
    }
    let code = bind_any(udp, libc::AF_INET6, UV_UDP_REUSEADDR);
    if code != 0 {
        return code;
    }
    let name = match membership {
        UV_JOIN_GROUP => libc::IPV6_ADD_MEMBERSHIP,
        UV_LEAVE_GROUP => libc::IPV6_DROP_MEMBERSHIP,
        _ => return UV_EINVAL,
    };
    // SAFETY: the caller's promise.
    code_of(unsafe { interface_v6(interface) }.and_then(|ipv6mr_interface| {
        let mreq = libc::ipv6_mreq { ipv6mr_multiaddr: group, ipv6mr_interface };
        set(udp, libc::IPPROTO_IPV6, name, &mreq)
    }))
}

/// `int uv_udp_set_source_membership(uv_udp_t*, const char*, const char*, const char*,
/// uv_membership)`: as [`uv_udp_set_membership`], for datagrams of one sender only.
///
/// # Returns
/// As there; `UV_EINVAL` too when group and sender are of different families.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_source_membership(
    handle: *mut uv_udp_t,
    multicast_addr: *const c_char,
    interface_addr: *const c_char,
    source_addr: *const c_char,
    membership: uv_membership,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        match (parse(multicast_addr), parse(source_addr)) {
            (Some(Address::V4(group)), Some(Address::V4(source))) => {
                join_source_v4(&*handle, group, source, interface_addr, membership)
            }
            (Some(Address::V6(group)), Some(Address::V6(source))) => {
                join_source_v6(&*handle, group, source, interface_addr, membership)
            }
            _ => UV_EINVAL,
        }
    }
}

/// # Safety
/// `interface` is NULL or a C string.
unsafe fn join_source_v4(
    udp: &uv_udp_t,
    group: sockaddr_in,
    source: sockaddr_in,
    interface: *const c_char,
    membership: uv_membership,
) -> c_int {
    if !is_open_udp(udp) {
        return UV_EINVAL;
    }
    let code = bind_any(udp, libc::AF_INET, UV_UDP_REUSEADDR);
    if code != 0 {
        return code;
    }
    let name = match membership {
        UV_JOIN_GROUP => libc::IP_ADD_SOURCE_MEMBERSHIP,
        UV_LEAVE_GROUP => libc::IP_DROP_SOURCE_MEMBERSHIP,
        _ => return UV_EINVAL,
    };
    // SAFETY: the caller's promise.
    code_of(unsafe { interface_v4(interface) }.and_then(|imr_interface| {
        let mreq = libc::ip_mreq_source {
            imr_multiaddr: group.sin_addr,
            imr_interface,
            imr_sourceaddr: source.sin_addr,
        };
        set(udp, libc::IPPROTO_IP, name, &mreq)
    }))
}

/// # Safety
/// `interface` is NULL or a C string.
unsafe fn join_source_v6(
    udp: &uv_udp_t,
    group: sockaddr_in6,
    source: sockaddr_in6,
    interface: *const c_char,
    membership: uv_membership,
) -> c_int {
    if !is_open_udp(udp) {
        return UV_EINVAL;
    }
    let code = bind_any(udp, libc::AF_INET6, UV_UDP_REUSEADDR);
    if code != 0 {
        return code;
    }
    let name = match membership {
        UV_JOIN_GROUP => libc::MCAST_JOIN_SOURCE_GROUP,
        UV_LEAVE_GROUP => libc::MCAST_LEAVE_SOURCE_GROUP,
        _ => return UV_EINVAL,
    };
    // SAFETY: the caller's promise; zero bytes are valid for the record, and each of its two
    // addresses has room for an IPv6 one.
    code_of(unsafe {
        interface_v6(interface).and_then(|index| {
            let mut req = mem::zeroed::<libc::group_source_req>();
            req.gsr_interface = index;
            (&raw mut req.gsr_group).cast::<sockaddr_in6>().write(group);
            (&raw mut req.gsr_source).cast::<sockaddr_in6>().write(source);
            set(udp, libc::IPPROTO_IPV6, name, &req)
        })
    })
}

/// `int uv_udp_set_multicast_interface(uv_udp_t*, const char*)`: where multicast datagrams go out,
/// named as in [`uv_udp_set_membership`]; NULL leaves the choice to the system.
///
/// # Returns
/// 0; `UV_EINVAL` for what is no address; `UV_EBADF`: no socket yet; what setsockopt(2) says.
///
/// # Safety
/// `handle` is an initialised handle; the text is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_multicast_interface(
    handle: *mut uv_udp_t,
    interface_addr: *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    let v4 = |addr: in_addr| set(udp, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &addr);
    let v6 = |index: c_uint| set(udp, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, &index);
    if interface_addr.is_null() {
        let any = in_addr { s_addr: libc::INADDR_ANY };
        return code_of(if udp.has(flag::IPV6) { v6(0) } else { v4(any) });
    }
    // SAFETY: the caller's promise.
    match unsafe { parse(interface_addr) } {
        Some(Address::V4(addr)) => code_of(v4(addr.sin_addr)),
        Some(Address::V6(addr)) => code_of(v6(addr.sin6_scope_id)),
        None => UV_EINVAL,
    }
}

/// Sets an option that fits into a byte, under its IPv4 or IPv6 name.
fn set_byte(udp: &uv_udp_t, name_v4: c_int, name_v6: c_int, value: c_int) -> c_int {
    if !(0..=255).contains(&value) {
        return UV_EINVAL;
    }
    code_of(if udp.has(flag::IPV6) {
        set(udp, libc::IPPROTO_IPV6, name_v6, &value)
    } else {
        set(udp, libc::IPPROTO_IP, name_v4, &value)
    })
}

/// `int uv_udp_set_multicast_loop(uv_udp_t*, int)`: whether sockets of this host receive what this
/// one multicasts.
///
/// # Returns
/// 0; `UV_EINVAL` outside 0 to 255; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_multicast_loop(handle: *mut uv_udp_t, on: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    set_byte(udp, libc::IP_MULTICAST_LOOP, libc::IPV6_MULTICAST_LOOP, on)
}

/// `int uv_udp_set_multicast_ttl(uv_udp_t*, int)`: hops that multicast datagrams live.
///
/// # Returns
/// 0; `UV_EINVAL` outside 0 to 255; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_multicast_ttl(handle: *mut uv_udp_t, ttl: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    set_byte(udp, libc::IP_MULTICAST_TTL, libc::IPV6_MULTICAST_HOPS, ttl)
}

/// `int uv_udp_set_ttl(uv_udp_t*, int)`: hops that datagrams live.
///
/// # Returns
/// 0; `UV_EINVAL` outside 1 to 255; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_ttl(handle: *mut uv_udp_t, ttl: c_int) -> c_int {
    if ttl < 1 {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    set_byte(unsafe { &*handle }, libc::IP_TTL, libc::IPV6_UNICAST_HOPS, ttl)
}

/// `int uv_udp_set_broadcast(uv_udp_t*, int)`: whether datagrams may go to broadcast addresses.
///
/// # Returns
/// 0; `UV_EBADF`: no socket yet.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_set_broadcast(handle: *mut uv_udp_t, on: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    code_of(set(udp, libc::SOL_SOCKET, libc::SO_BROADCAST, &on))
}
