//! Sockets, and reads and writes on any descriptor: one attempt at each call.
//!
//! Nothing here waits: descriptors made here are non-blocking, and one that would block answers
//! `AGAIN`. `INTR` is never returned, a call that a signal broke off is made again. A negative
//! descriptor is `BADF`, and lengths are clamped to what one call of the kernel moves anyway.
//!
//! Descriptors are plain numbers, as the C caller's are; nothing here owns one. Functions that
//! name the caller's memory are unsafe. Without the crate feature `libc`, [`setsockopt_int`] and
//! [`getsockopt_int`] are missing: no typed interface covers every option.

#[cfg(feature = "libc")]
mod option;
mod rights;

use core::{ptr, slice};

use rustix::fd::{IntoRawFd, OwnedFd};
use rustix::io::retry_on_intr;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{self, AddressFamily, Protocol, SendFlags, SocketFlags, SocketType};

#[cfg(feature = "libc")]
pub use self::option::{getsockopt_int, setsockopt_int};
pub use self::rights::{recvmsg_rights, sendmsg_rights};
pub use crate::fd::{IoVec, MAX_IOV, MAX_LEN, close, set_nonblocking};
use crate::fd::{borrow, filling, gathered};
use crate::{Errno, Result};

/// recv(2) without flags: bytes received, 0 at the end of the stream.
///
/// # Errors
/// As recv(2): `AGAIN` when there is nothing now.
///
/// # Safety
/// `buf` is valid for writes of `len` bytes.
pub unsafe fn recv(fd: i32, buf: *mut u8, len: usize) -> Result<usize> {
    let fd = borrow(fd)?;
    loop {
        // SAFETY: the caller's promise.
        let buf = unsafe { filling(buf, len) }?;
        match net::recv(fd, buf, net::RecvFlags::empty()) {
            Ok(((filled, _), _)) => return Ok(filled.len()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// read(2), for what is not a socket: bytes read, 0 at the end.
///
/// # Errors
/// As read(2): `AGAIN` when there is nothing now and the descriptor is non-blocking.
///
/// # Safety
/// `buf` is valid for writes of `len` bytes.
pub unsafe fn read(fd: i32, buf: *mut u8, len: usize) -> Result<usize> {
    let fd = borrow(fd)?;
    loop {
        // SAFETY: the caller's promise.
        let buf = unsafe { filling(buf, len) }?;
        match rustix::io::read(fd, buf) {
            Ok((filled, _)) => return Ok(filled.len()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// send(2) with `flags` (bits of `MSG_*`; `MSG_NOSIGNAL` is not implied): bytes sent.
///
/// # Errors
/// As send(2): `AGAIN` when the socket's buffer is full.
///
/// # Safety
/// `buf` is valid for reads of `len` bytes.
pub unsafe fn send(fd: i32, buf: *const u8, len: usize, flags: u32) -> Result<usize> {
    let fd = borrow(fd)?;
    let bytes: &[u8] = match len {
        0 => &[],
        _ if buf.is_null() => return Err(Errno::FAULT),
        // SAFETY: not null, and valid by the caller's word; clamping only shortens it.
        _ => unsafe { slice::from_raw_parts(buf, len.min(MAX_LEN)) },
    };
    let flags = SendFlags::from_bits_retain(flags);
    retry_on_intr(|| net::send(fd, bytes, flags))
}

/// sendmsg(2) of up to [`MAX_IOV`] buffers with `flags` (bits of `MSG_*`; `MSG_NOSIGNAL` is not
/// implied): bytes sent, possibly fewer than given.
///
/// # Errors
/// As sendmsg(2): `AGAIN` when the socket's buffer is full, `INVAL` when the lengths add up to
/// more than `isize::MAX`.
///
/// # Safety
/// `iov` is valid for reads of `iovcnt` entries, and each entry names memory valid for reads.
pub unsafe fn sendmsg(fd: i32, iov: *const IoVec, iovcnt: usize, flags: u32) -> Result<usize> {
    let fd = borrow(fd)?;
    // SAFETY: the caller's promise.
    let iov = unsafe { gathered(iov, iovcnt) }?;
    let flags = SendFlags::from_bits_retain(flags);
    retry_on_intr(|| net::sendmsg(fd, iov, &mut net::SendAncillaryBuffer::default(), flags))
}

/// writev(2) of up to [`MAX_IOV`] buffers, for what is not a socket: bytes written.
///
/// # Errors
/// As writev(2): `AGAIN` when there is no room now and the descriptor is non-blocking.
///
/// # Safety
/// `iov` is valid for reads of `iovcnt` entries, and each entry names memory valid for reads.
pub unsafe fn writev(fd: i32, iov: *const IoVec, iovcnt: usize) -> Result<usize> {
    let fd = borrow(fd)?;
    // SAFETY: the caller's promise.
    let iov = unsafe { gathered(iov, iovcnt) }?;
    retry_on_intr(|| rustix::io::writev(fd, iov))
}

/// socket(2), non-blocking and close-on-exec: the new descriptor, the caller's to close.
///
/// # Errors
/// As socket(2): `AFNOSUPPORT`, `PROTONOSUPPORT`, `MFILE`, `INVAL`.
pub fn socket(domain: i32, kind: i32, protocol: i32) -> Result<i32> {
    let (domain, kind, protocol) = typed(domain, kind, protocol)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    net::socket_with(domain, kind, flags, protocol).map(OwnedFd::into_raw_fd)
}

/// socketpair(2), both ends close-on-exec, and non-blocking where `nonblocking` says so.
///
/// # Errors
/// As socketpair(2): `AFNOSUPPORT`, `OPNOTSUPP`, `MFILE`, `INVAL`.
pub fn socketpair(
    domain: i32,
    kind: i32,
    protocol: i32,
    nonblocking: [bool; 2],
) -> Result<[i32; 2]> {
    let (domain, kind, protocol) = typed(domain, kind, protocol)?;
    let mut flags = SocketFlags::CLOEXEC;
    flags.set(SocketFlags::NONBLOCK, nonblocking[0] && nonblocking[1]);
    let (one, other) = net::socketpair(domain, kind, flags, protocol)?;
    if nonblocking[0] != nonblocking[1] {
        rustix::io::ioctl_fionbio(if nonblocking[0] { &one } else { &other }, true)?;
    }
    Ok([one.into_raw_fd(), other.into_raw_fd()])
}

fn typed(
    domain: i32,
    kind: i32,
    protocol: i32,
) -> Result<(AddressFamily, SocketType, Option<Protocol>)> {
    // A family that does not fit 16 bits is one that no kernel knows.
    let family = u16::try_from(domain).map_err(|_| Errno::AFNOSUPPORT)?;
    let kind = u32::try_from(kind).map_err(|_| Errno::INVAL)?;
    let protocol = u32::try_from(protocol).map_err(|_| Errno::INVAL)?;
    let protocol = core::num::NonZeroU32::new(protocol).map(Protocol::from_raw);
    Ok((AddressFamily::from_raw(family), SocketType::from_raw(kind), protocol))
}

/// A `struct sockaddr` of the caller's.
struct Address {
    addr: *const u8,
    len: u32,
}

// SAFETY: made only where the caller vouches for `len` readable bytes at `addr`; the kernel
// answers an address that is none with an error.
unsafe impl SocketAddrArg for Address {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        f(self.addr.cast(), self.len)
    }
}

/// bind(2) to the `struct sockaddr` of `len` bytes at `addr`.
///
/// # Errors
/// As bind(2): `ADDRINUSE`, `ADDRNOTAVAIL`, `INVAL` when bound already or when `len` is wrong.
///
/// # Safety
/// `addr` is valid for reads of `len` bytes.
pub unsafe fn bind(fd: i32, addr: *const u8, len: u32) -> Result<()> {
    net::bind(borrow(fd)?, &Address { addr, len })
}

/// connect(2) to the `struct sockaddr` of `len` bytes at `addr`.
///
/// A connect that a signal broke off goes on in the kernel, and repeating the call reports how it
/// stands: `INPROGRESS` then comes as `ALREADY`, which is turned back.
///
/// # Errors
/// As connect(2): `INPROGRESS` when the outcome comes later.
///
/// # Safety
/// `addr` is valid for reads of `len` bytes.
pub unsafe fn connect(fd: i32, addr: *const u8, len: u32) -> Result<()> {
    let fd = borrow(fd)?;
    match net::connect(fd, &Address { addr, len }) {
        Err(Errno::INTR) => {}
        other => return other,
    }
    match retry_on_intr(|| net::connect(fd, &Address { addr, len })) {
        Err(Errno::ISCONN) => Ok(()),
        Err(Errno::ALREADY) => Err(Errno::INPROGRESS),
        other => other,
    }
}

/// listen(2). `backlog` is clamped by the kernel, a negative one to the system's maximum.
///
/// # Errors
/// As listen(2): `ADDRINUSE`, `OPNOTSUPP`.
pub fn listen(fd: i32, backlog: i32) -> Result<()> {
    net::listen(borrow(fd)?, backlog)
}

/// accept4(2), non-blocking and close-on-exec: the new descriptor, the caller's to close.
///
/// # Errors
/// As accept(2): `AGAIN` when nobody waits, `CONNABORTED`, `MFILE`.
pub fn accept(fd: i32) -> Result<i32> {
    let fd = borrow(fd)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    retry_on_intr(|| net::accept_with(fd, flags)).map(OwnedFd::into_raw_fd)
}

/// shutdown(2); `how` is 0 for reading, 1 for writing, 2 for both.
///
/// # Errors
/// As shutdown(2): `NOTCONN`, `INVAL` for another `how`.
pub fn shutdown(fd: i32, how: i32) -> Result<()> {
    let how = match how {
        0 => net::Shutdown::Read,
        1 => net::Shutdown::Write,
        2 => net::Shutdown::Both,
        _ => return Err(Errno::INVAL),
    };
    net::shutdown(borrow(fd)?, how)
}

/// getsockname(2): copies as much of the address as `*len` allows to `addr` and stores its whole
/// length, in bytes, in `*len`.
///
/// # Errors
/// As getsockname(2): `NOTSOCK`; `INVAL` when `*len` is negative as an `int`.
///
/// # Safety
/// `addr` is valid for writes of `*len` bytes, `len` for reads and writes.
pub unsafe fn getsockname(fd: i32, addr: *mut u8, len: *mut u32) -> Result<()> {
    let found = net::getsockname(borrow(fd)?)?;
    // SAFETY: the caller's promise; `found` is readable for its own length.
    unsafe { copy_out(found.as_ptr().cast(), found.addr_len(), addr, len) }
}

/// getpeername(2), with `addr` and `len` as for [`getsockname`].
///
/// # Errors
/// As getpeername(2): `NOTCONN`.
///
/// # Safety
/// As for [`getsockname`].
pub unsafe fn getpeername(fd: i32, addr: *mut u8, len: *mut u32) -> Result<()> {
    let found = net::getpeername(borrow(fd)?)?;
    let (from, size) = match &found {
        Some(found) => (found.as_ptr().cast(), found.addr_len()),
        None => (ptr::null(), 0),
    };
    // SAFETY: the caller's promise; `found` is readable for its own length.
    unsafe { copy_out(from, size, addr, len) }
}

/// # Safety
/// `from` is readable for `size` bytes, `addr` writable for `*len`.
unsafe fn copy_out(from: *const u8, size: u32, addr: *mut u8, len: *mut u32) -> Result<()> {
    if len.is_null() || addr.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: the caller's promise, and both are not null.
    unsafe {
        let room = *len;
        if i32::try_from(room).is_err() {
            return Err(Errno::INVAL);
        }
        let copied = size.min(room) as usize;
        if copied > 0 {
            ptr::copy_nonoverlapping(from, addr, copied);
        }
        *len = size;
    }
    Ok(())
}

/// The socket's pending error (`SO_ERROR`), cleared by asking; `None` when there is none.
///
/// # Errors
/// As getsockopt(2): `NOTSOCK`, `BADF`.
pub fn error(fd: i32) -> Result<Option<Errno>> {
    Ok(net::sockopt::socket_error(borrow(fd)?)?.err())
}
