//! System calls on datagram sockets. Results are libuv's codes.

use core::ffi::{c_int, c_uint, c_void};
use core::mem::{self, MaybeUninit};

use libc::{iovec, mmsghdr, msghdr, sockaddr, sockaddr_storage, socklen_t};

use crate::abi::*;
use crate::status;

/// Datagrams of one sendmmsg or recvmmsg.
pub(super) const BATCH: usize = 20;

/// A new non-blocking, close-on-exec socket.
pub(super) fn socket(family: c_int) -> Result<c_int, c_int> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket may be called with any numbers.
    match unsafe { libc::socket(family, kind, 0) } {
        -1 => Err(status::last()),
        fd => Ok(fd),
    }
}

pub(super) fn close(fd: c_int) {
    // SAFETY: the descriptor is its handle's alone. Linux closes it whatever close says.
    unsafe { libc::close(fd) };
}

pub(super) fn set_nonblocking(fd: c_int) -> Result<(), c_int> {
    let mut on: c_int = 1;
    // SAFETY: FIONBIO reads one int.
    match unsafe { libc::ioctl(fd, libc::FIONBIO, &raw mut on) } {
        -1 => Err(status::last()),
        _ => Ok(()),
    }
}

/// Sets a socket option.
pub(super) fn set<T>(fd: c_int, level: c_int, name: c_int, value: &T) -> Result<(), c_int> {
    let len = size_of::<T>() as socklen_t;
    // SAFETY: `value` has `len` bytes.
    match unsafe { libc::setsockopt(fd, level, name, core::ptr::from_ref(value).cast(), len) } {
        -1 => Err(status::last()),
        _ => Ok(()),
    }
}

/// Reads a socket option that is an int.
pub(super) fn get(fd: c_int, level: c_int, name: c_int) -> Result<c_int, c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as socklen_t;
    // SAFETY: `value` has `len` bytes.
    match unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut len) } {
        -1 => Err(status::last()),
        _ => Ok(value),
    }
}

/// Sets SO_REUSEADDR and SO_REUSEPORT as the flags say.
pub(super) fn reuse(fd: c_int, flags: c_uint) -> Result<(), c_int> {
    const ON: c_int = 1;
    if flags & UV_UDP_REUSEADDR != 0 {
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, &ON)?;
    }
    if flags & UV_UDP_REUSEPORT != 0 {
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, &ON)?;
    }
    Ok(())
}

/// Sets what uv_udp_bind's flags ask for.
pub(super) fn prepare(fd: c_int, ipv6: bool, flags: c_uint) -> Result<(), c_int> {
    const ON: c_int = 1;
    if flags & UV_UDP_LINUX_RECVERR != 0 {
        if ipv6 {
            set(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &ON)?;
        } else {
            set(fd, libc::IPPROTO_IP, libc::IP_RECVERR, &ON)?;
        }
    }
    reuse(fd, flags)?;
    if flags & UV_UDP_IPV6ONLY != 0 {
        set(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &ON)?;
    }
    Ok(())
}

/// # Safety
/// `addr` has `len` bytes.
pub(super) unsafe fn bind(fd: c_int, addr: *const sockaddr, len: socklen_t) -> Result<(), c_int> {
    // SAFETY: the caller's promise.
    if unsafe { libc::bind(fd, addr, len) } == 0 {
        return Ok(());
    }
    // An address of the other family is the program's mistake, not the system's lack.
    match status::last() {
        UV_EAFNOSUPPORT => Err(UV_EINVAL),
        code => Err(code),
    }
}

/// # Safety
/// `addr` has `len` bytes.
pub(super) unsafe fn connect(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    loop {
        // SAFETY: the caller's promise.
        match status::check(unsafe { libc::connect(fd, addr, len) }) {
            UV_EINTR => {}
            code => return code,
        }
    }
}

/// Takes the peer away.
pub(super) fn disconnect(fd: c_int) -> c_int {
    // SAFETY: a zeroed address of the right size; AF_UNSPEC is 0.
    unsafe {
        let none = mem::zeroed::<sockaddr>();
        connect(fd, &none, size_of::<sockaddr>() as socklen_t)
    }
}

pub(super) fn has_peer(fd: c_int) -> bool {
    let mut name = MaybeUninit::<sockaddr_storage>::uninit();
    let mut len = size_of::<sockaddr_storage>() as socklen_t;
    // SAFETY: `name` has `len` bytes.
    unsafe { libc::getpeername(fd, name.as_mut_ptr().cast(), &mut len) == 0 }
}

pub(super) fn family(fd: c_int) -> Option<c_int> {
    get(fd, libc::SOL_SOCKET, libc::SO_DOMAIN).ok()
}

/// A message header for `bufs`, to `addr` (null: the peer).
///
/// # Safety
/// `addr` is null or a valid address.
pub(super) unsafe fn header(bufs: *const uv_buf_t, nbufs: usize, addr: *const sockaddr) -> msghdr {
    // SAFETY: zero bytes are an empty header; the caller's promise on `addr`.
    unsafe {
        let mut header = mem::zeroed::<msghdr>();
        if !addr.is_null() {
            header.msg_name = addr.cast_mut().cast();
            header.msg_namelen = address_len(addr);
        }
        // uv_buf_t is laid out as iovec.
        header.msg_iov = bufs.cast_mut().cast::<iovec>();
        header.msg_iovlen = nbufs as _;
        header
    }
}

const _: () = {
    assert!(size_of::<uv_buf_t>() == size_of::<iovec>());
    assert!(mem::offset_of!(uv_buf_t, base) == mem::offset_of!(iovec, iov_base));
    assert!(mem::offset_of!(uv_buf_t, len) == mem::offset_of!(iovec, iov_len));
};

/// The length of an address of a family that can be sent to.
///
/// # Safety
/// `addr` is a valid address.
pub(super) unsafe fn address_len(addr: *const sockaddr) -> socklen_t {
    // SAFETY: the caller's promise.
    let len = match c_int::from(unsafe { (*addr).sa_family }) {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
        libc::AF_UNIX => size_of::<libc::sockaddr_un>(),
        _ => 0,
    };
    len as socklen_t
}

/// Sends one datagram: bytes sent, or a code. "Not now" is `UV_EAGAIN` in every form.
///
/// One buffer without control messages goes by sendto(2), for which the kernel has no header and
/// no vector to copy and to check.
///
/// # Safety
/// What the header names is valid.
pub(super) unsafe fn send(fd: c_int, header: &msghdr) -> isize {
    let plain = header.msg_iovlen == 1 && header.msg_controllen == 0;
    let (name, namelen) = (header.msg_name.cast_const().cast(), header.msg_namelen);
    loop {
        // SAFETY: the caller's promise.
        let sent = unsafe {
            if plain {
                let part = &*header.msg_iov;
                libc::sendto(fd, part.iov_base, part.iov_len, 0, name, namelen)
            } else {
                libc::sendmsg(fd, header, 0)
            }
        };
        if sent != -1 {
            return sent;
        }
        match status::last() {
            UV_EINTR => {}
            UV_ENOBUFS => return UV_EAGAIN as isize,
            code => return code as isize,
        }
    }
}

/// Sends several datagrams: how many went out, or a code when the first did not.
///
/// # Safety
/// What the headers name is valid.
pub(super) unsafe fn sendmmsg(fd: c_int, headers: &mut [mmsghdr]) -> c_int {
    loop {
        // SAFETY: the caller's promise.
        let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), headers.len() as c_uint, 0) };
        if sent != -1 {
            return sent;
        }
        match status::last() {
            UV_EINTR => {}
            UV_ENOBUFS => return UV_EAGAIN,
            code => return code,
        }
    }
}

/// Receives one datagram: its length, or a code.
///
/// # Safety
/// What the header names is valid for writes.
pub(super) unsafe fn recvmsg(fd: c_int, header: &mut msghdr, flags: c_int) -> isize {
    loop {
        // SAFETY: the caller's promise.
        let received = unsafe { libc::recvmsg(fd, header, flags) };
        if received != -1 {
            return received;
        }
        match status::last() {
            UV_EINTR => {}
            code => return code as isize,
        }
    }
}

/// Receives one datagram as `recvmsg` does, but for control messages, at a lower price. The socket
/// is one of UDP: others take MSG_TRUNC for something else (TCP), or do not know it (ICMP).
///
/// # Safety
/// What the header names is valid for writes, and it names one buffer.
pub(super) unsafe fn recvfrom(fd: c_int, header: &mut msghdr) -> isize {
    loop {
        // SAFETY: the caller's promise.
        let (len, received) = unsafe {
            let part = &*header.msg_iov;
            let (base, name) = (part.iov_base, header.msg_name.cast());
            let len = &mut header.msg_namelen;
            (part.iov_len, libc::recvfrom(fd, base, part.iov_len, libc::MSG_TRUNC, name, len))
        };
        // What comes back is the datagram's length, however much of it there was room for.
        if let Ok(length) = usize::try_from(received) {
            header.msg_flags = if length > len { libc::MSG_TRUNC } else { 0 };
            return length.min(len) as isize;
        }
        match status::last() {
            UV_EINTR => {}
            code => return code as isize,
        }
    }
}

/// Receives several datagrams: how many, or a code.
///
/// # Safety
/// What the headers name is valid for writes.
pub(super) unsafe fn recvmmsg(fd: c_int, headers: &mut [mmsghdr]) -> c_int {
    loop {
        let (first, count) = (headers.as_mut_ptr(), headers.len() as c_uint);
        // SAFETY: the caller's promise. Without a timeout the call takes what is there.
        let received = unsafe { libc::recvmmsg(fd, first, count, 0, core::ptr::null_mut()) };
        if received != -1 {
            return received;
        }
        match status::last() {
            UV_EINTR => {}
            code => return code,
        }
    }
}

/// What there is to receive right now: bits of [`uvring_core::driver::ready`], which are poll's.
pub(super) fn pending(fd: c_int) -> u32 {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, and no waiting.
    match unsafe { libc::poll(&mut entry, 1, 0) } {
        1 => entry.revents as u32 & (libc::POLLIN | libc::POLLERR) as u32,
        _ => 0,
    }
}

/// Room for the control messages of a datagram or an error report.
#[repr(C, align(8))]
pub(super) struct Control([MaybeUninit<u8>; 256]);

impl Control {
    pub(super) const fn new() -> Self {
        Self([MaybeUninit::uninit(); 256])
    }

    /// Names this room in a header, which the kernel then fills.
    pub(super) fn lend(&mut self, header: &mut msghdr) {
        header.msg_control = core::ptr::from_mut(self).cast();
        header.msg_controllen = size_of::<Self>() as _;
    }
}

/// The error and the offender's address in an error report's control messages.
///
/// # Safety
/// `header` was filled by recvmsg with its control messages.
pub(super) unsafe fn reported(header: &msghdr) -> Option<(c_int, *const sockaddr)> {
    // SAFETY: the CMSG functions stay inside the control buffer that recvmsg filled.
    unsafe {
        let mut cmsg = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = cmsg.as_ref() {
            let ours = matches!(
                (message.cmsg_level, message.cmsg_type),
                (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)
            );
            let room: usize = message.cmsg_len as _;
            let least = libc::CMSG_LEN(size_of::<libc::sock_extended_err>() as c_uint) as usize;
            if ours && room >= least {
                let error = libc::CMSG_DATA(cmsg).cast::<libc::sock_extended_err>();
                let offender = error.add(1).cast::<c_void>();
                let has_address = room >= least + size_of::<libc::sockaddr_in>();
                let addr = if has_address { offender.cast() } else { core::ptr::null() };
                return Some(((*error).ee_errno as c_int, addr));
            }
            cmsg = libc::CMSG_NXTHDR(header, cmsg);
        }
    }
    None
}
