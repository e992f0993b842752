//! Receiving.

use core::ffi::{c_int, c_uint};
use core::mem::{self, MaybeUninit};
use core::ptr;

use libc::{iovec, mmsghdr, msghdr, sockaddr, sockaddr_storage, socklen_t};
use uvring_core::driver::ready::IN;

use super::{
    NOT_UDP, RECV_INFO, RECVMMSG, bind_any, fd_of, is_open_udp, is_receiving, stop_if_idle, sys,
};
use crate::abi::*;
use crate::handle::Handle;
use crate::loop_::{call, watch};

/// The largest datagram, and what alloc_cb is asked for.
const DATAGRAM_SIZE: usize = 64 * 1024;

/// Datagrams of one socket in one turn: others want their turn too.
const TURN_LIMIT: usize = 32;

/// `int uv_udp_recv_start(uv_udp_t*, uv_alloc_cb, uv_udp_recv_cb)`: from now on datagrams are
/// received. A handle without a socket is bound to any IPv4 address first.
///
/// # Returns
/// 0; `UV_EINVAL` for a NULL callback or a closing handle; `UV_EALREADY`; what binding says.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_recv_start(
    handle: *mut uv_udp_t,
    alloc_cb: uv_alloc_cb,
    recv_cb: uv_udp_recv_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if !is_open_udp(udp) || alloc_cb.is_none() || recv_cb.is_none() {
        return UV_EINVAL;
    }
    if is_receiving(udp) {
        return UV_EALREADY;
    }
    let code = bind_any(udp, libc::AF_INET, 0);
    if code != 0 {
        return code;
    }
    if let Err(code) = watch::start(udp.owner(), &udp.io_watcher, IN) {
        return code;
    }
    udp.alloc_cb.set(alloc_cb);
    udp.recv_cb.set(recv_cb);
    udp.start();
    0
}

/// `int uv_udp_recv_stop(uv_udp_t*)`: no more datagrams are received. Idempotent.
///
/// # Returns
/// 0; `UV_EINVAL`: not a UDP handle.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_recv_stop(handle: *mut uv_udp_t) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    if udp.r#type.get() != UV_UDP {
        return UV_EINVAL;
    }
    watch::stop(udp.owner(), &udp.io_watcher, IN);
    stop_if_idle(udp);
    udp.alloc_cb.set(None);
    udp.recv_cb.set(None);
    0
}

/// `int uv_udp_using_recvmmsg(const uv_udp_t*)`: 1 when several datagrams are received per call,
/// so that alloc_cb should lend a multiple of 64 KiB.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_using_recvmmsg(handle: *const uv_udp_t) -> c_int {
    // SAFETY: the caller's promise.
    let udp = unsafe { &*handle };
    c_int::from(udp.r#type.get() == UV_UDP && udp.has(RECVMMSG))
}

/// Hands out a result. False when the callback has stopped or closed the handle.
fn report(
    udp: &uv_udp_t,
    nread: isize,
    buf: &uv_buf_t,
    addr: *const sockaddr,
    flags: c_uint,
) -> bool {
    if let Some(callback) = udp.recv_cb.get() {
        let handle = udp.as_ptr();
        // SAFETY: the program's function; buffer and address outlive the call.
        call::out(udp.owner(), || unsafe { callback(handle, nread, buf, addr, flags) });
    }
    udp.recv_cb.get().is_some() && fd_of(udp) != -1
}

/// Hands out a datagram, of which uvring_udp_recv_info may tell more while the callback runs.
fn hand_out(udp: &uv_udp_t, nread: isize, buf: &uv_buf_t, header: &msghdr, flags: c_uint) -> bool {
    if !udp.has(RECV_INFO) {
        return report(udp, nread, buf, sender(header), flags);
    }
    let datagram = &udp.inner().datagram;
    let outer = datagram.replace((udp, header));
    let goes_on = report(udp, nread, buf, sender(header), flags);
    // The loop, and so this cell, outlives the callback.
    datagram.set(outer);
    goes_on
}

/// A buffer of the program's. `None` when it has none to lend, which is reported.
fn lend(udp: &uv_udp_t) -> Option<uv_buf_t> {
    let mut buf = uv_buf_t { base: ptr::null_mut(), len: 0 };
    if let Some(callback) = udp.alloc_cb.get() {
        // SAFETY: the program's function; `buf` outlives the call.
        unsafe { callback(udp.as_ptr().cast(), DATAGRAM_SIZE, &mut buf) };
    }
    if buf.base.is_null() || buf.len == 0 {
        report(udp, UV_ENOBUFS as isize, &buf, ptr::null(), 0);
        return None;
    }
    Some(buf)
}

/// The kernel has datagrams, or error reports.
pub(super) fn on_readable(udp: &uv_udp_t, errors: bool) {
    if udp.recv_cb.get().is_none() {
        return;
    }
    let mut drained = receive(udp, false);
    if errors && udp.recv_cb.get().is_some() && fd_of(udp) != -1 {
        drained &= receive(udp, true);
    }
    // A watch may say only once what is there, so what was left is asked for again; but only if
    // something was left, or a report of nothing would follow that epoll's users never see.
    if !drained && is_receiving(udp) {
        let mask = sys::pending(fd_of(udp));
        if mask != 0 {
            udp.inner().driver().again(&udp.io_watcher, mask);
        }
    }
}

/// Receives until there is nothing, the callback stops it, or the turn is over. True when there is
/// nothing left.
fn receive(udp: &uv_udp_t, errors: bool) -> bool {
    let mut count = 0;
    while count < TURN_LIMIT {
        let Some(buf) = lend(udp) else { return false };
        // alloc_cb may have closed the handle: the buffer goes back with nothing in it.
        if udp.recv_cb.get().is_none() || fd_of(udp) == -1 {
            report(udp, 0, &buf, ptr::null(), 0);
            return false;
        }
        let step = if errors {
            receive_error(udp, &buf)
        } else if udp.has(RECVMMSG) {
            receive_several(udp, &buf)
        } else {
            receive_one(udp, &buf)
        };
        match step {
            Step::Drained => return true,
            Step::Stop => return false,
            Step::Took(n) => count += n,
        }
    }
    false
}

/// What came of one attempt.
enum Step {
    /// This many datagrams were handed out.
    Took(usize),
    /// There is nothing.
    Drained,
    /// An error, or the callback wants no more.
    Stop,
}

/// What a failed attempt means, after reporting it.
fn failed(udp: &uv_udp_t, code: c_int, buf: &uv_buf_t) -> Step {
    if code == UV_EAGAIN {
        report(udp, 0, buf, ptr::null(), 0);
        return Step::Drained;
    }
    report(udp, code as isize, buf, ptr::null(), 0);
    Step::Stop
}

/// A header for receiving into `part`, with the sender's address in `name`.
fn header(part: &mut iovec, name: &mut MaybeUninit<sockaddr_storage>) -> msghdr {
    // SAFETY: zero bytes are an empty header.
    let mut header = unsafe { mem::zeroed::<msghdr>() };
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = size_of::<sockaddr_storage>() as socklen_t;
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header
}

/// The sender's address, or null when there is none.
fn sender(header: &msghdr) -> *const sockaddr {
    if header.msg_namelen == 0 { ptr::null() } else { header.msg_name.cast_const().cast() }
}

fn partial(header: &msghdr) -> c_uint {
    if header.msg_flags & libc::MSG_TRUNC != 0 { UV_UDP_PARTIAL } else { 0 }
}

fn receive_one(udp: &uv_udp_t, buf: &uv_buf_t) -> Step {
    let mut name = MaybeUninit::uninit();
    let mut part = iovec { iov_base: buf.base.cast(), iov_len: buf.len };
    let mut header = header(&mut part, &mut name);
    let mut control = sys::Control::new();
    if udp.has(RECV_INFO) {
        control.lend(&mut header);
    }
    let plain = !udp.has(RECV_INFO | NOT_UDP);
    // SAFETY: the header names the program's buffer, our address and our control room.
    let nread = unsafe {
        if plain {
            sys::recvfrom(fd_of(udp), &mut header)
        } else {
            sys::recvmsg(fd_of(udp), &mut header, 0)
        }
    };
    if nread < 0 {
        return failed(udp, nread as c_int, buf);
    }
    if header.msg_namelen == 0 {
        // A sender without a name, as on a unix socket: an address of no family, for programs that
        // look at it without asking whether there is one.
        // SAFETY: `header` points it at `name`, and zero bytes are an address.
        unsafe { header.msg_name.cast::<sockaddr_storage>().write_bytes(0, 1) };
        header.msg_namelen = size_of::<sockaddr_storage>() as socklen_t;
    }
    if hand_out(udp, nread, buf, &header, partial(&header)) { Step::Took(1) } else { Step::Stop }
}

/// Takes one error report: the code, with the offender's address.
fn receive_error(udp: &uv_udp_t, buf: &uv_buf_t) -> Step {
    let mut name = MaybeUninit::uninit();
    let mut control = sys::Control::new();
    let mut part = iovec { iov_base: buf.base.cast(), iov_len: buf.len };
    let mut header = header(&mut part, &mut name);
    control.lend(&mut header);
    // SAFETY: the header names the program's buffer, our address and our control room.
    let nread = unsafe { sys::recvmsg(fd_of(udp), &mut header, libc::MSG_ERRQUEUE) };
    if nread < 0 {
        return failed(udp, nread as c_int, buf);
    }
    // SAFETY: just filled by recvmsg.
    let (nread, addr) = match unsafe { sys::reported(&header) } {
        Some((errno, addr)) => (-(errno as isize), addr),
        None => (nread, sender(&header)),
    };
    let flags = partial(&header) | UV_UDP_LINUX_RECVERR;
    if report(udp, nread, buf, addr, flags) { Step::Took(1) } else { Step::Stop }
}

/// Takes as many datagrams as fit into the buffer, 64 KiB for each, in one call. The buffer itself
/// goes back in a last report.
fn receive_several(udp: &uv_udp_t, buf: &uv_buf_t) -> Step {
    let mut names = [const { MaybeUninit::<sockaddr_storage>::uninit() }; sys::BATCH];
    let mut parts = [iovec { iov_base: ptr::null_mut(), iov_len: 0 }; sys::BATCH];
    let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; sys::BATCH];
    let mut controls = [const { sys::Control::new() }; sys::BATCH];
    let chunks = (buf.len / DATAGRAM_SIZE).min(sys::BATCH);
    if chunks == 0 {
        return failed(udp, UV_EINVAL, buf);
    }
    for index in 0..chunks {
        parts[index] = iovec {
            iov_base: buf.base.wrapping_add(index * DATAGRAM_SIZE).cast(),
            iov_len: DATAGRAM_SIZE,
        };
        let mut msg_hdr = header(&mut parts[index], &mut names[index]);
        if udp.has(RECV_INFO) {
            controls[index].lend(&mut msg_hdr);
        }
        headers[index].write(mmsghdr { msg_hdr, msg_len: 0 });
    }
    // SAFETY: the first `chunks` headers were written above, and name the program's buffer, our
    // addresses and our control rooms.
    let (answer, headers) = unsafe {
        let headers = core::slice::from_raw_parts_mut(headers.as_mut_ptr().cast(), chunks);
        (sys::recvmmsg(fd_of(udp), headers), headers)
    };
    let count = match usize::try_from(answer) {
        Err(_) => return failed(udp, answer, buf),
        Ok(0) => return failed(udp, UV_EAGAIN, buf),
        Ok(count) => count.min(chunks),
    };
    for (message, part) in headers.iter().zip(&parts).take(count) {
        let chunk = uv_buf_t { base: part.iov_base.cast(), len: part.iov_len };
        let flags = UV_UDP_MMSG_CHUNK | partial(&message.msg_hdr);
        let nread = message.msg_len as isize;
        hand_out(udp, nread, &chunk, &message.msg_hdr, flags);
        // Who closes the handle still gets the rest, and with it the buffer.
        if udp.recv_cb.get().is_none() {
            return Step::Stop;
        }
    }
    if report(udp, 0, buf, ptr::null(), UV_UDP_MMSG_FREE) { Step::Took(count) } else { Step::Stop }
}
