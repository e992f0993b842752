//! `uv_udp_t`: datagrams. Source: the manual's page on UDP.
//!
//! ```text
//!   mod     making a handle, its socket, its addresses, its end; what the loop calls
//!   send     requests, in the order they came       try_send   what goes out at once or not at all
//!   recv     datagrams and error reports            info       what came with a datagram
//!   option   multicast, TTL, broadcast              path       how the network treats datagrams
//!   control  per-send options                       sys        the system calls on datagrams
//! ```

mod control;
mod info;
mod option;
mod path;
mod recv;
mod send;
mod sys;
mod try_send;

use core::ffi::{c_int, c_uint};

use libc::{sockaddr, sockaddr_in, sockaddr_in6};
use uvring_core::driver::ready::{ERR, IN, OUT};
use uvring_core::list;

pub use self::info::*;
pub use self::option::*;
pub use self::path::*;
pub use self::recv::*;
pub(crate) use self::send::send_gathered;
pub use self::send::*;
pub use self::try_send::*;
use crate::abi::*;
use crate::handle::{self, Handle, flag};
use crate::loop_::call;
use crate::loop_::watch::{self, tag};
use crate::status;

/// The socket has a peer.
const CONNECTED: u32 = 0x0200_0000;
/// The program lends buffers for several datagrams.
const RECVMMSG: u32 = 0x0400_0000;
/// The program wants to know more of each datagram than the sender.
const RECV_INFO: u32 = 0x0800_0000;
/// The socket is the program's and of another protocol.
const NOT_UDP: u32 = 0x1000_0000;

const BIND_FLAGS: c_uint =
    UV_UDP_IPV6ONLY | UV_UDP_REUSEADDR | UV_UDP_REUSEPORT | UV_UDP_LINUX_RECVERR;

/// `int uv_udp_init(uv_loop_t*, uv_udp_t*)`: a handle without a socket yet. 0.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes of a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_init(owner: *mut uv_loop_t, handle: *mut uv_udp_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_udp_init_ex(owner, handle, libc::AF_UNSPEC as c_uint) }
}

/// `int uv_udp_init_ex(uv_loop_t*, uv_udp_t*, unsigned)`: as [`uv_udp_init`]. The low 8 bits of
/// `flags` are the family of a socket that is made at once (`AF_INET`, `AF_INET6`; `AF_UNSPEC`:
/// none yet); `UV_UDP_RECVMMSG` asks for several datagrams per system call.
///
/// # Returns
/// 0; `UV_EINVAL` for another family or flag; what socket(2) says.
///
/// # Safety
/// As for [`uv_udp_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_init_ex(
    owner: *mut uv_loop_t,
    handle: *mut uv_udp_t,
    flags: c_uint,
) -> c_int {
    let family = (flags & 0xff) as c_int;
    if !matches!(family, libc::AF_INET | libc::AF_INET6 | libc::AF_UNSPEC)
        || flags & !0xff & !UV_UDP_RECVMMSG != 0
    {
        return UV_EINVAL;
    }
    let mut fd = -1;
    if family != libc::AF_UNSPEC {
        fd = match sys::socket(family) {
            Ok(fd) => fd,
            Err(code) => return code,
        };
    }
    // SAFETY: the caller's promise; every field is set before it is read.
    unsafe {
        handle::init(owner, handle.cast(), UV_UDP);
        let udp = &*handle;
        udp.send_queue_size.set(0);
        udp.send_queue_count.set(0);
        udp.alloc_cb.set(None);
        udp.recv_cb.set(None);
        watch::init((&raw mut (*handle).io_watcher).cast(), tag::UDP, fd);
        list::init(&raw const udp.write_queue);
        list::init(&raw const udp.write_completed_queue);
        if family == libc::AF_INET6 {
            udp.set(flag::IPV6);
        }
        if flags & UV_UDP_RECVMMSG != 0 {
            udp.set(RECVMMSG);
        }
    }
    0
}

/// `int uv_udp_open(uv_udp_t*, uv_os_sock_t)`: [`uv_udp_open_ex`] with `UV_UDP_REUSEADDR`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_open(handle: *mut uv_udp_t, sock: uv_os_sock_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_udp_open_ex(handle, sock, UV_UDP_REUSEADDR) }
}

/// `int uv_udp_open_ex(uv_udp_t*, uv_os_sock_t, unsigned)`: the handle takes over a datagram
/// socket, which becomes non-blocking. `flags`: `UV_UDP_REUSEADDR`, `UV_UDP_REUSEPORT`.
///
/// # Returns
/// 0; `UV_EINVAL` for another flag or a closing handle; `UV_EBUSY`: the handle has a socket;
/// `UV_EEXIST`: the loop watches the descriptor already; `UV_EBADF`, `UV_ENOTSOCK`.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_open_ex(
    handle: *mut uv_udp_t,
    sock: uv_os_sock_t,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) || flags & !(UV_UDP_REUSEADDR | UV_UDP_REUSEPORT) != 0 {
        return UV_EINVAL;
    }
    if fd_of(udp) != -1 {
        return UV_EBUSY;
    }
    if watch::is_taken(udp.owner(), sock) {
        return UV_EEXIST;
    }
    let prepared = sys::set_nonblocking(sock).and_then(|()| sys::reuse(sock, flags));
    if let Err(code) = prepared {
        return code;
    }
    udp.io_watcher.fd.set(sock);
    if sys::has_peer(sock) {
        udp.set(CONNECTED);
    }
    if sys::family(sock) == Some(libc::AF_INET6) {
        udp.set(flag::IPV6);
    }
    if sys::get(sock, libc::SOL_SOCKET, libc::SO_PROTOCOL) != Ok(libc::IPPROTO_UDP) {
        udp.set(NOT_UDP);
    }
    0
}

/// `int uv_udp_bind(uv_udp_t*, const struct sockaddr*, unsigned)`: gives the socket an address,
/// making it if need be. `flags`: `UV_UDP_IPV6ONLY`, `UV_UDP_REUSEADDR`, `UV_UDP_REUSEPORT`,
/// `UV_UDP_LINUX_RECVERR`.
///
/// # Returns
/// 0; `UV_EINVAL` for a family that is not IPv4 or IPv6, another flag, a bound or a closing
/// handle; what socket(2), setsockopt(2), bind(2) say.
///
/// # Safety
/// `handle` is an initialised handle, `addr` is NULL (`UV_EINVAL`) or a valid address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_bind(
    handle: *mut uv_udp_t,
    addr: *const sockaddr,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let udp = &*handle;
        match inet_len(addr) {
            Some(len) if is_open_udp(udp) => bind(udp, addr, len, flags),
            _ => UV_EINVAL,
        }
    }
}

/// `int uv_udp_connect(uv_udp_t*, const struct sockaddr*)`: gives the socket a peer, or takes it
/// away when `addr` is NULL.
///
/// # Returns
/// 0; `UV_EISCONN`: there is a peer already; `UV_ENOTCONN`: there is none to take away;
/// `UV_EINVAL` for a family that is not IPv4 or IPv6 and a closing handle; what connect(2) says.
///
/// # Safety
/// `handle` is an initialised handle, `addr` is NULL or a valid address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_connect(handle: *mut uv_udp_t, addr: *const sockaddr) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) {
        return UV_EINVAL;
    }
    if addr.is_null() {
        if !udp.has(CONNECTED) {
            return UV_ENOTCONN;
        }
        send_gathered(udp);
        let code = sys::disconnect(fd_of(udp));
        if code == 0 {
            udp.clear(CONNECTED);
        }
        return code;
    }
    // SAFETY: not NULL, so valid by the caller's promise.
    unsafe {
        let Some(len) = inet_len(addr) else { return UV_EINVAL };
        if udp.has(CONNECTED) {
            return UV_EISCONN;
        }
        send_gathered(udp);
        let mut code = bind_any(udp, c_int::from((*addr).sa_family), 0);
        if code == 0 {
            code = sys::connect(fd_of(udp), addr, len);
        }
        if code == 0 {
            udp.set(CONNECTED);
        }
        code
    }
}

/// `int uv_udp_getsockname(const uv_udp_t*, struct sockaddr*, int*)`: the socket's own address.
/// `*namelen`: room in, length out.
///
/// # Returns
/// 0; `UV_EBADF`: no socket yet; what getsockname(2) says.
///
/// # Safety
/// `handle` is an initialised handle; `name` has `*namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_getsockname(
    handle: *const uv_udp_t,
    name: *mut sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise; socklen_t and int are both four bytes.
    status::check(unsafe { libc::getsockname(fd_of(&*handle), name, namelen.cast()) })
}

/// `int uv_udp_getpeername(const uv_udp_t*, struct sockaddr*, int*)`: the peer's address.
///
/// # Returns
/// 0; `UV_EBADF`: no socket yet; `UV_ENOTCONN`: no peer.
///
/// # Safety
/// As for [`uv_udp_getsockname`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_getpeername(
    handle: *const uv_udp_t,
    name: *mut sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise; socklen_t and int are both four bytes.
    status::check(unsafe { libc::getpeername(fd_of(&*handle), name, namelen.cast()) })
}

/// The descriptor, or -1.
fn fd_of(udp: &uv_udp_t) -> c_int {
    udp.io_watcher.fd.get()
}

/// Whether this is a UDP handle, which programs get wrong, that has not been closed.
fn is_open_udp(udp: &uv_udp_t) -> bool {
    udp.r#type.get() == UV_UDP && !udp.is_closing()
}

/// The length of an IPv4 or IPv6 address; `None` for NULL and other families.
///
/// # Safety
/// `addr` is NULL or a valid address.
unsafe fn inet_len(addr: *const sockaddr) -> Option<libc::socklen_t> {
    // SAFETY: the caller's promise.
    match c_int::from(unsafe { addr.as_ref()?.sa_family }) {
        libc::AF_INET => Some(size_of::<sockaddr_in>() as libc::socklen_t),
        libc::AF_INET6 => Some(size_of::<sockaddr_in6>() as libc::socklen_t),
        _ => None,
    }
}

/// # Safety
/// `addr` is a valid IPv4 or IPv6 address of `len` bytes.
unsafe fn bind(
    udp: &uv_udp_t,
    addr: *const sockaddr,
    len: libc::socklen_t,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    let family = c_int::from(unsafe { (*addr).sa_family });
    let ipv6 = family == libc::AF_INET6;
    if flags & !BIND_FLAGS != 0 || (flags & UV_UDP_IPV6ONLY != 0 && !ipv6) {
        return UV_EINVAL;
    }
    if fd_of(udp) == -1 {
        match sys::socket(family) {
            Ok(fd) => udp.io_watcher.fd.set(fd),
            Err(code) => return code,
        }
    }
    let fd = fd_of(udp);
    // SAFETY: the caller's promise.
    let done = sys::prepare(fd, ipv6, flags).and_then(|()| unsafe { sys::bind(fd, addr, len) });
    if let Err(code) = done {
        return code;
    }
    if ipv6 {
        udp.set(flag::IPV6);
    }
    udp.set(flag::BOUND);
    0
}

/// Binds a handle that has no socket yet to any address and port of `family`.
fn bind_any(udp: &uv_udp_t, family: c_int, flags: c_uint) -> c_int {
    if fd_of(udp) != -1 {
        return 0;
    }
    // SAFETY: zero bytes are an address of any host and port; the family completes it.
    unsafe {
        let mut any = core::mem::zeroed::<libc::sockaddr_storage>();
        any.ss_family = family as libc::sa_family_t;
        let any = (&raw const any).cast();
        match inet_len(any) {
            Some(len) => bind(udp, any, len, flags),
            None => UV_EINVAL,
        }
    }
}

/// Whether datagrams are being waited for.
fn is_receiving(udp: &uv_udp_t) -> bool {
    udp.io_watcher.interest() & IN != 0
}

/// Marks the handle stopped when it neither receives nor has requests.
fn stop_if_idle(udp: &uv_udp_t) {
    if !is_receiving(udp) && udp.send_queue_count.get() == 0 {
        udp.stop();
    }
}

/// The kernel has something to say about the socket, bits of [`uvring_core::driver::ready`]; or
/// requests are done without its saying so, which comes as `OUT`.
pub(crate) fn ready(udp: &uv_udp_t, mask: u32) {
    if mask & (IN | ERR) != 0 {
        call::batch(udp.owner(), || recv::on_readable(udp, mask & ERR != 0));
    }
    // The callback may have closed the handle.
    if mask & (OUT | ERR) != 0 && !udp.is_closing() {
        send::on_writable(udp);
    }
}

/// First part of uv_close: nothing comes in or goes out any more.
pub(crate) fn close(udp: &uv_udp_t) {
    send_gathered(udp);
    watch::close(udp.owner(), &udp.io_watcher);
    udp.stop();
    let fd = udp.io_watcher.fd.replace(-1);
    if fd != -1 {
        sys::close(fd);
    }
}

/// Second part, before the close callback: requests that are left get `UV_ECANCELED`.
pub(crate) fn destroy(udp: &uv_udp_t) {
    send::cancel_all(udp);
    // Ending the sends may have fed the handle, whose memory is about to go.
    watch::unfeed(&udp.io_watcher);
    udp.recv_cb.set(None);
    udp.alloc_cb.set(None);
}
