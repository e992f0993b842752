//! `uv_tcp_t`: TCP streams and listeners.

use core::ffi::{c_int, c_uint, c_void};

use libc::{AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_TCP, SOL_SOCKET, sockaddr, socklen_t};
use uvring_core::driver::ready::OUT;
use uvring_core::{Errno, socket};

use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::watch;
use crate::{req, status, stream};

/// Seconds between keep-alive probes, and how many, when only the idle time is given.
const KEEPALIVE_INTERVAL: c_uint = 1;
const KEEPALIVE_COUNT: c_uint = 10;

/// The stream part of a TCP handle.
fn stream_of(tcp: &uv_tcp_t) -> &uv_stream_t {
    // SAFETY: a uv_tcp_t begins with the fields of a uv_stream_t, as abi/layout.rs asserts.
    unsafe { &*core::ptr::from_ref(tcp).cast() }
}

/// `int uv_tcp_init(uv_loop_t*, uv_tcp_t*)`: makes the handle; the socket comes with its first use.
/// Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `tcp` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_init(owner: *mut uv_loop_t, tcp: *mut uv_tcp_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_tcp_init_ex(owner, tcp, AF_UNSPEC as c_uint) }
}

/// `int uv_tcp_init_ex(uv_loop_t*, uv_tcp_t*, unsigned flags)`: the low 8 bits of `flags` are the
/// domain: `AF_INET` and `AF_INET6` make the socket now.
///
/// # Returns
/// 0; `UV_EINVAL` for another domain or other bits; what socket(2) says.
///
/// # Safety
/// As for [`uv_tcp_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_init_ex(
    owner: *mut uv_loop_t,
    tcp: *mut uv_tcp_t,
    flags: c_uint,
) -> c_int {
    let domain = (flags & 0xff) as c_int;
    if flags & !0xff != 0 || ![AF_UNSPEC, AF_INET, AF_INET6].contains(&domain) {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    unsafe {
        stream::init(owner, tcp.cast(), UV_TCP);
        if domain != AF_UNSPEC
            && let Err(code) = want_socket(stream_of(&*tcp), domain, 0)
        {
            uvring_core::list::remove(&raw const (*tcp).handle_queue);
            return code;
        }
    }
    0
}

/// Makes the socket if there is none, and sets `flags`.
fn want_socket(stream: &uv_stream_t, domain: c_int, flags: u32) -> Result<(), c_int> {
    if stream.io_watcher.fd.get() != -1 {
        stream.set(flags);
        return Ok(());
    }
    let fd = socket::socket(domain, libc::SOCK_STREAM, 0).map_err(status::from_errno)?;
    open(stream, fd, flags).inspect_err(|_| {
        let _ = socket::close(fd);
    })
}

/// `int uv_tcp_open(uv_tcp_t*, uv_os_sock_t)`: takes a socket over and makes it non-blocking. It may
/// be bound, listening or connected; nobody checks what it is.
///
/// # Returns
/// 0; `UV_EEXIST` when the loop watches the descriptor already; `UV_EBUSY` when the handle has
/// another; `UV_EBADF`.
///
/// # Safety
/// `tcp` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_open(tcp: *mut uv_tcp_t, sock: uv_os_sock_t) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { stream_of(&*tcp) };
    if watch::is_taken(stream.owner(), sock) {
        return UV_EEXIST;
    }
    if let Err(error) = socket::set_nonblocking(sock, true) {
        return status::from_errno(error);
    }
    match open(stream, sock, flag::READABLE | flag::WRITABLE) {
        Ok(()) => 0,
        Err(code) => code,
    }
}

/// `int uv_tcp_bind(uv_tcp_t*, const struct sockaddr*, unsigned flags)`: `UV_TCP_IPV6ONLY`,
/// `UV_TCP_REUSEPORT`; other flags are ignored. An address in use is reported by uv_listen or uv_tcp_connect.
///
/// # Returns
/// 0; `UV_EINVAL` for a closing handle or one that is not TCP, an unknown family, or IPV6ONLY without IPv6; what
/// bind(2) says.
///
/// # Safety
/// `tcp` is initialised, `addr` an address of its family's size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_bind(
    tcp: *mut uv_tcp_t,
    addr: *const sockaddr,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let stream = stream_of(&*tcp);
        if stream.is_closing() || stream.r#type.get() != UV_TCP {
            return UV_EINVAL;
        }
        match bind(stream, addr, flags) {
            Ok(()) => 0,
            Err(code) => code,
        }
    }
}

/// # Safety
/// `addr` is an address of its family's size.
unsafe fn bind(stream: &uv_stream_t, addr: *const sockaddr, flags: c_uint) -> Result<(), c_int> {
    // SAFETY: the caller's promise.
    let (family, len) = unsafe { (family(addr), address_len(addr)?) };
    let v6only = flags & UV_TCP_IPV6ONLY as c_uint != 0;
    if v6only && family != AF_INET6 {
        return Err(UV_EINVAL);
    }
    want_socket(stream, family, 0)?;
    let fd = stream.io_watcher.fd.get();
    let set = |level, name, value| {
        socket::setsockopt_int(fd, level, name, value).map_err(status::from_errno)
    };
    set(SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if flags & UV_TCP_REUSEPORT as c_uint != 0 {
        set(SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    if family == AF_INET6 {
        set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, c_int::from(v6only))?;
    }
    // SAFETY: the caller's promise.
    let bound = unsafe { socket::bind(fd, addr.cast(), len) };
    stream.delayed_error.set(0);
    match bound {
        Ok(()) => {}
        Err(Errno::ADDRINUSE) => stream.delayed_error.set(UV_EADDRINUSE),
        // The socket was made for the other family.
        Err(Errno::AFNOSUPPORT) => return Err(UV_EINVAL),
        Err(error) => return Err(status::from_errno(error)),
    }
    stream.set(flag::BOUND | if family == AF_INET6 { flag::IPV6 } else { 0 });
    Ok(())
}

/// # Safety
/// `addr` is a valid address.
unsafe fn family(addr: *const sockaddr) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*addr).sa_family })
}

/// # Safety
/// `addr` is a valid address.
unsafe fn address_len(addr: *const sockaddr) -> Result<socklen_t, c_int> {
    // SAFETY: the caller's promise.
    match unsafe { family(addr) } {
        AF_INET => Ok(size_of::<libc::sockaddr_in>() as socklen_t),
        AF_INET6 => Ok(size_of::<libc::sockaddr_in6>() as socklen_t),
        _ => Err(UV_EINVAL),
    }
}

/// The TCP part of uv_listen.
pub(crate) fn listen(stream: &uv_stream_t, backlog: c_int) -> Result<(), c_int> {
    match stream.delayed_error.get() {
        0 => {}
        code => return Err(code),
    }
    want_socket(stream, AF_INET, 0)?;
    socket::listen(stream.io_watcher.fd.get(), backlog).map_err(status::from_errno)
}

/// `int uv_tcp_connect(uv_connect_t*, uv_tcp_t*, const struct sockaddr*, uv_connect_cb)`: the callback
/// comes when the connection stands or has failed.
///
/// # Returns
/// 0; `UV_EINVAL` for a closing handle or an unknown family; `UV_EALREADY` while another attempt is
/// under way; what connect(2) says at once, but for a refusal, which the callback gets.
///
/// # Safety
/// `req` is valid for writes until its callback, `tcp` initialised, `addr` an address of its
/// family's size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_connect(
    req: *mut uv_connect_t,
    tcp: *mut uv_tcp_t,
    addr: *const sockaddr,
    callback: uv_connect_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let stream = stream_of(&*tcp);
        if stream.is_closing() || stream.r#type.get() != UV_TCP {
            return UV_EINVAL;
        }
        if let Err(code) = connect(stream, addr) {
            return code;
        }
        if let Err(code) = watch::start(stream.owner(), &stream.io_watcher, OUT) {
            return code;
        }
        req::start(stream.owner(), req.cast(), UV_CONNECT);
        (*req).cb.set(callback);
        (*req).handle.set(tcp.cast());
        uvring_core::list::init(&raw const (*req).queue);
        stream.connect_req.set(req);
        if stream.delayed_error.get() != 0 {
            watch::feed(stream.owner(), &stream.io_watcher);
        }
    }
    0
}

/// # Safety
/// `addr` is an address of its family's size.
unsafe fn connect(stream: &uv_stream_t, addr: *const sockaddr) -> Result<(), c_int> {
    // SAFETY: the caller's promise.
    let (family, len) = unsafe { (family(addr), address_len(addr)?) };
    if !stream.connect_req.get().is_null() {
        return Err(UV_EALREADY);
    }
    if stream.delayed_error.get() != 0 {
        return Ok(());
    }
    want_socket(stream, family, flag::READABLE | flag::WRITABLE)?;
    // A connection once asked for cannot be asked for again.
    watch::reserve(stream.owner(), stream.io_watcher.fd.get())?;
    // SAFETY: the caller's promise.
    match unsafe { socket::connect(stream.io_watcher.fd.get(), addr.cast(), len) } {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(Errno::CONNREFUSED) => stream.delayed_error.set(UV_ECONNREFUSED),
        Err(error) => return Err(status::from_errno(error)),
    }
    Ok(())
}

/// Gives the stream its socket, with the options that were set before there was one.
///
/// # Errors
/// `UV_EBUSY` when it has another one; what setsockopt(2) says.
pub(crate) fn open(stream: &uv_stream_t, fd: c_int, flags: u32) -> Result<(), c_int> {
    if stream.has(flag::TCP_NODELAY) {
        nodelay(fd, 1)?;
    }
    if stream.has(flag::TCP_KEEPALIVE) {
        keepalive(fd, true, 60, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)?;
    }
    stream::open(stream, fd, flags)
}

fn nodelay(fd: c_int, enable: c_int) -> Result<(), c_int> {
    socket::setsockopt_int(fd, IPPROTO_TCP, libc::TCP_NODELAY, enable).map_err(status::from_errno)
}

/// `int uv_tcp_nodelay(uv_tcp_t*, int)`: turns Nagle's algorithm off or on, also for a socket that is
/// still to come.
///
/// # Returns
/// 0; what setsockopt(2) says.
///
/// # Safety
/// `tcp` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_nodelay(tcp: *mut uv_tcp_t, enable: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { stream_of(&*tcp) };
    let fd = stream.io_watcher.fd.get();
    if fd != -1
        && let Err(code) = nodelay(fd, enable)
    {
        return code;
    }
    remember(stream, flag::TCP_NODELAY, enable);
    0
}

fn remember(stream: &uv_stream_t, bit: u32, enable: c_int) {
    if enable != 0 {
        stream.set(bit);
    } else {
        stream.clear(bit);
    }
}

/// `int uv_tcp_keepalive(uv_tcp_t*, int on, unsigned idle)`: probes after `idle` seconds of silence,
/// then every second, ten times.
///
/// # Returns
/// 0; `UV_EINVAL` for an `idle` of 0; what setsockopt(2) says.
///
/// # Safety
/// `tcp` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_keepalive(tcp: *mut uv_tcp_t, on: c_int, idle: c_uint) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_tcp_keepalive_ex(tcp, on, idle, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT) }
}

/// `int uv_tcp_keepalive_ex(uv_tcp_t*, int on, unsigned idle, unsigned intvl, unsigned cnt)`: as
/// [`uv_tcp_keepalive`], then every `intvl` seconds, `cnt` times.
///
/// # Returns
/// 0; `UV_EINVAL` when it is turned on with a 0; what setsockopt(2) says.
///
/// # Safety
/// `tcp` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_keepalive_ex(
    tcp: *mut uv_tcp_t,
    on: c_int,
    idle: c_uint,
    intvl: c_uint,
    cnt: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { stream_of(&*tcp) };
    let fd = stream.io_watcher.fd.get();
    if fd != -1
        && let Err(code) = keepalive(fd, on != 0, idle, intvl, cnt)
    {
        return code;
    }
    remember(stream, flag::TCP_KEEPALIVE, on);
    0
}

fn keepalive(fd: c_int, on: bool, idle: c_uint, intvl: c_uint, cnt: c_uint) -> Result<(), c_int> {
    let set = |level, name, value: c_uint| {
        socket::setsockopt_int(fd, level, name, value as c_int).map_err(status::from_errno)
    };
    if !on {
        return set(SOL_SOCKET, libc::SO_KEEPALIVE, 0);
    }
    if idle == 0 || intvl == 0 || cnt == 0 {
        return Err(UV_EINVAL);
    }
    set(SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    set(IPPROTO_TCP, libc::TCP_KEEPIDLE, idle)?;
    set(IPPROTO_TCP, libc::TCP_KEEPINTVL, intvl)?;
    set(IPPROTO_TCP, libc::TCP_KEEPCNT, cnt)
}

/// `int uv_tcp_simultaneous_accepts(uv_tcp_t*, int)`: means something on Windows only. Always 0.
///
/// # Safety
/// None of the arguments is looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_simultaneous_accepts(_tcp: *mut uv_tcp_t, _enable: c_int) -> c_int {
    0
}

/// `int uv_tcp_getsockname(const uv_tcp_t*, struct sockaddr*, int* namelen)`: the local address.
///
/// # Returns
/// 0; what uv_tcp_bind kept for later; `UV_EBADF` without a socket; what getsockname(2) says.
///
/// # Safety
/// `tcp` is initialised, `name` has `*namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_getsockname(
    tcp: *const uv_tcp_t,
    name: *mut sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { address(tcp, name, namelen, |fd, name, len| socket::getsockname(fd, name, len)) }
}

/// `int uv_tcp_getpeername(const uv_tcp_t*, struct sockaddr*, int* namelen)`: the peer's address.
///
/// # Returns
/// As for [`uv_tcp_getsockname`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_getpeername(
    tcp: *const uv_tcp_t,
    name: *mut sockaddr,
    namelen: *mut c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { address(tcp, name, namelen, |fd, name, len| socket::getpeername(fd, name, len)) }
}

/// # Safety
/// As for [`uv_tcp_getsockname`]; `get` writes at most `*len` bytes.
unsafe fn address(
    tcp: *const uv_tcp_t,
    name: *mut sockaddr,
    namelen: *mut c_int,
    get: impl FnOnce(c_int, *mut u8, *mut u32) -> uvring_core::Result<()>,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let stream = stream_of(&*tcp);
        if stream.delayed_error.get() != 0 {
            return stream.delayed_error.get();
        }
        let fd = stream.io_watcher.fd.get();
        if stream.is_closing() || fd < 0 {
            return UV_EBADF;
        }
        // A negative length gets the kernel's answer, which looks at the socket first.
        let mut len = u32::try_from(*namelen).unwrap_or(0);
        match get(fd, name.cast::<c_void>().cast(), &raw mut len) {
            Ok(()) if *namelen < 0 => UV_EINVAL,
            Ok(()) => {
                *namelen = len as c_int;
                0
            }
            Err(error) => status::from_errno(error),
        }
    }
}
