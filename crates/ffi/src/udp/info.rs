//! What came with a datagram: type of service, hops, the address it was sent to, segments.

use core::ffi::{c_int, c_uint};
use core::ptr;

use libc::{cmsghdr, msghdr, sockaddr_in, sockaddr_in6};

use super::{RECV_INFO, fd_of, is_open_udp, sys};
use crate::abi::*;
use crate::handle::{Handle, flag};

const KNOWN: c_uint =
    UVRING_UDP_RECV_TOS | UVRING_UDP_RECV_TTL | UVRING_UDP_RECV_PKTINFO | UVRING_UDP_RECV_GRO;

/// `int uvring_udp_set_recv_info(uv_udp_t*, unsigned)`: what is to be known of each datagram, one or
/// more `UVRING_UDP_RECV_*`; replaces what was asked for before. With `UVRING_UDP_RECV_GRO` one
/// callback may get several datagrams of one sender, put together: see `segment_size`.
///
/// # Returns
/// 0; `UV_EINVAL` for an unknown bit, a closing handle; `UV_EBADF`: no socket yet; `UV_ENOPROTOOPT`:
/// the kernel knows no GRO (before Linux 5.0), and nothing has changed.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_set_recv_info(handle: *mut uv_udp_t, mask: c_uint) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) || mask & !KNOWN != 0 {
        return UV_EINVAL;
    }
    if fd_of(udp) == -1 {
        return UV_EBADF;
    }
    if let Err(code) = ask(udp, mask) {
        return code;
    }
    if mask == 0 {
        udp.clear(RECV_INFO);
    } else {
        udp.set(RECV_INFO);
    }
    0
}

/// Sets the socket's options as the mask says.
fn ask(udp: &uv_udp_t, mask: c_uint) -> Result<(), c_int> {
    use libc::{IPPROTO_IP, IPPROTO_IPV6};
    let fd = fd_of(udp);
    let on = |bit: c_uint| c_int::from(mask & bit != 0);
    // First what a kernel may not know.
    match sys::set(fd, libc::SOL_UDP, libc::UDP_GRO, &on(UVRING_UDP_RECV_GRO)) {
        Err(UV_ENOPROTOOPT) if mask & UVRING_UDP_RECV_GRO == 0 => {}
        other => other?,
    }
    let (tos, ttl) = (on(UVRING_UDP_RECV_TOS), on(UVRING_UDP_RECV_TTL));
    let way = on(UVRING_UDP_RECV_PKTINFO);
    if !udp.has(flag::IPV6) {
        sys::set(fd, IPPROTO_IP, libc::IP_RECVTOS, &tos)?;
        sys::set(fd, IPPROTO_IP, libc::IP_RECVTTL, &ttl)?;
        return sys::set(fd, IPPROTO_IP, libc::IP_PKTINFO, &way);
    }
    sys::set(fd, IPPROTO_IPV6, libc::IPV6_RECVTCLASS, &tos)?;
    sys::set(fd, IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, &ttl)?;
    sys::set(fd, IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &way)?;
    // An IPv6 socket may receive over IPv4; its way is told as an IPv6 one even then.
    sys::set(fd, IPPROTO_IP, libc::IP_RECVTOS, &tos)?;
    sys::set(fd, IPPROTO_IP, libc::IP_RECVTTL, &ttl)
}

/// `int uvring_udp_recv_info(const uv_udp_t*, uvring_udp_recv_info_t*)`: what is known of the
/// datagram that the running receive callback was called for. `info->valid` tells which members
/// were filled in; the others are 0.
///
/// # Returns
/// 0; `UV_EINVAL` for a NULL `info`, and outside of this handle's receive callback or when that was
/// called without a datagram.
///
/// # Safety
/// `handle` is an initialised handle; `info` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_recv_info(
    handle: *const uv_udp_t,
    info: *mut uvring_udp_recv_info_t,
) -> c_int {
    // SAFETY: the caller's promise; a header that is not null is the receive loop's, which waits
    // for this callback to return. Zero bytes are an empty record.
    unsafe {
        let (receiver, header) = (*handle).inner().datagram.get();
        if info.is_null() || header.is_null() || receiver != handle {
            return UV_EINVAL;
        }
        ptr::write_bytes(info, 0, 1);
        let mut cmsg = libc::CMSG_FIRSTHDR(header);
        while !cmsg.is_null() {
            take(&mut *info, cmsg);
            cmsg = next(header, cmsg);
        }
    }
    0
}

/// # Safety
/// `header` was filled by recvmsg, `cmsg` is one of its messages.
unsafe fn next(header: *const msghdr, cmsg: *const cmsghdr) -> *mut cmsghdr {
    // SAFETY: the caller's promise.
    unsafe { libc::CMSG_NXTHDR(header, cmsg) }
}

/// Reads one control message.
///
/// # Safety
/// `cmsg` is a control message that recvmsg wrote.
unsafe fn take(info: &mut uvring_udp_recv_info_t, cmsg: *const cmsghdr) {
    // SAFETY: the caller's promise; `data` checks the length.
    unsafe {
        match ((*cmsg).cmsg_level, (*cmsg).cmsg_type) {
            (libc::SOL_IP, libc::IP_TOS) => {
                if let Some(tos) = data::<u8>(cmsg) {
                    info.tos = c_int::from(tos);
                    info.valid |= UVRING_UDP_RECV_TOS;
                }
            }
            (libc::SOL_IPV6, libc::IPV6_TCLASS) => {
                if let Some(tos) = data::<c_int>(cmsg) {
                    info.tos = tos;
                    info.valid |= UVRING_UDP_RECV_TOS;
                }
            }
            (libc::SOL_IP, libc::IP_TTL) | (libc::SOL_IPV6, libc::IPV6_HOPLIMIT) => {
                if let Some(ttl) = data::<c_int>(cmsg) {
                    info.ttl = ttl;
                    info.valid |= UVRING_UDP_RECV_TTL;
                }
            }
            (libc::SOL_IP, libc::IP_PKTINFO) => {
                if let Some(way) = data::<libc::in_pktinfo>(cmsg) {
                    let dst = (&raw mut info.dst).cast::<sockaddr_in>();
                    (*dst).sin_family = libc::AF_INET as _;
                    (*dst).sin_addr = way.ipi_addr;
                    info.ifindex = way.ipi_ifindex as c_uint;
                    info.valid |= UVRING_UDP_RECV_PKTINFO;
                }
            }
            (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                if let Some(way) = data::<libc::in6_pktinfo>(cmsg) {
                    let dst = (&raw mut info.dst).cast::<sockaddr_in6>();
                    (*dst).sin6_family = libc::AF_INET6 as _;
                    (*dst).sin6_addr = way.ipi6_addr;
                    info.ifindex = way.ipi6_ifindex as c_uint;
                    info.valid |= UVRING_UDP_RECV_PKTINFO;
                }
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                if let Some(size) = data::<c_int>(cmsg) {
                    info.segment_size = size as c_uint;
                    info.valid |= UVRING_UDP_RECV_GRO;
                }
            }
            _ => {}
        }
    }
}

/// A control message's data, unless it is shorter than `T`.
///
/// # Safety
/// `cmsg` is a control message that recvmsg wrote; any bits are a `T`.
unsafe fn data<T>(cmsg: *const cmsghdr) -> Option<T> {
    // SAFETY: the caller's promise; the length was checked.
    unsafe {
        let least = libc::CMSG_LEN(size_of::<T>() as c_uint) as usize;
        let len: usize = (*cmsg).cmsg_len as _;
        (len >= least).then(|| libc::CMSG_DATA(cmsg).cast::<T>().read_unaligned())
    }
}
