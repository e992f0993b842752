//! Send requests.
//!
//! A request goes out at once when nothing stands before it and it is the handle's first in the
//! running callback, or in a row of the handle's callbacks; what follows is gathered and goes out
//! together. Otherwise it waits for room. Its callback comes from the loop in any case, never from
//! inside uv_udp_send. The counters drop when the callback is about to run, as in libuv.

use core::ffi::{c_int, c_uint};
use core::mem::MaybeUninit;
use core::ptr;

use libc::{mmsghdr, sockaddr};
use uvring_core::driver::ready::OUT;
use uvring_core::list::{self, Link};

use super::control::{Options, Room};
use super::{CONNECTED, bind_any, fd_of, is_open_udp, stop_if_idle, sys};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::{mem, misc, req};

/// More buffers than this are taken for a negative number.
const MAX_BUFS: c_uint = 1 << 20;

/// Whether this many buffers may be sent to `addr` from the handle now.
///
/// # Safety
/// `bufs` has `nbufs` entries; `addr` is NULL or a valid address.
pub(super) unsafe fn check(
    udp: &uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const sockaddr,
) -> c_int {
    if !is_open_udp(udp) || !(1..=MAX_BUFS).contains(&nbufs) {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    if unsafe { !misc::is_sendable(bufs, nbufs) } {
        return UV_EINVAL;
    }
    if addr.is_null() {
        return if udp.has(CONNECTED) { 0 } else { UV_EDESTADDRREQ };
    }
    if udp.has(CONNECTED) {
        return UV_EISCONN;
    }
    // SAFETY: the caller's promise.
    if unsafe { sys::address_len(addr) } == 0 { UV_EINVAL } else { 0 }
}

/// `int uv_udp_send(uv_udp_send_t*, uv_udp_t*, const uv_buf_t[], unsigned, const struct sockaddr*,
/// uv_udp_send_cb)`: sends one datagram made of `nbufs` buffers, whose memory stays untouched until
/// `send_cb` (which may be NULL). A handle without a socket is bound to any address first.
///
/// # Returns
/// 0; `UV_EINVAL` for no or too many buffers, an unknown family, a closing handle; `UV_EISCONN`:
/// `addr` given though there is a peer; `UV_EDESTADDRREQ`: neither; `UV_ENOMEM`; what binding says.
///
/// # Safety
/// `req` is valid until the callback, `handle` is an initialised handle, `bufs` has `nbufs`
/// entries, `addr` is NULL or a valid address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_send(
    req: *mut uv_udp_send_t,
    handle: *mut uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const sockaddr,
    send_cb: uv_udp_send_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { submit(req, &*handle, (bufs, nbufs), addr, Options::NONE, send_cb) }
}

/// `int uvring_udp_send2(uv_udp_send_t*, uv_udp_t*, const uv_buf_t[], unsigned, const struct
/// sockaddr*, const uvring_udp_send_opts_t*, uv_udp_send_cb)`: uv_udp_send with options, which need
/// not outlive the call; NULL: none.
///
/// # Returns
/// As uv_udp_send; `UV_EINVAL` too for an unknown flag, a value out of range and an IPv6 source of
/// an IPv4 socket; `UV_ENOTSUP`: the kernel cuts no segments (before Linux 4.18).
///
/// # Safety
/// As for uv_udp_send; `opts` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_send2(
    req: *mut uv_udp_send_t,
    handle: *mut uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const sockaddr,
    opts: *const uvring_udp_send_opts_t,
    send_cb: uv_udp_send_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        match Options::of(opts) {
            Ok(options) => submit(req, &*handle, (bufs, nbufs), addr, options, send_cb),
            Err(code) => code,
        }
    }
}

/// # Safety
/// As for [`uv_udp_send`].
unsafe fn submit(
    req: *mut uv_udp_send_t,
    udp: &uv_udp_t,
    (bufs, nbufs): (*const uv_buf_t, c_uint),
    addr: *const sockaddr,
    options: Options,
    send_cb: uv_udp_send_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let mut code = check(udp, bufs, nbufs, addr);
        if code == 0 && !addr.is_null() {
            code = bind_any(udp, c_int::from((*addr).sa_family), 0);
        }
        if code == 0 {
            code = options.fit(udp);
        }
        if code == 0 {
            code = fill(&*req, udp, bufs, nbufs, addr);
        }
        if code != 0 {
            return code;
        }
        let req = &*req;
        options.store(req);
        req.send_cb.set(send_cb);
        req::start(udp.owner(), ptr::from_ref(req).cast_mut().cast(), UV_UDP_SEND);
        udp.send_queue_size.set(udp.send_queue_size.get() + size_of_bufs(req));
        udp.send_queue_count.set(udp.send_queue_count.get() + 1);
        udp.start();
        let alone = list::is_empty(&raw const udp.write_queue);
        list::push_back(&raw const udp.write_queue, &raw const req.queue);
        if alone && may_gather(udp) {
            call::send_later(udp);
        } else if alone {
            flush(udp);
        }
    }
    0
}

/// Whether this is not the handle's first request in the running callback or row of callbacks.
fn may_gather(udp: &uv_udp_t) -> bool {
    let epoch = call::epoch(udp.owner()) as usize;
    // SAFETY: the second half of `u` holds plain words of a UDP handle.
    let last = unsafe { udp.u.words[2].replace(epoch) };
    epoch != 0 && last == epoch && udp.inner().coalesce.get()
}

/// Gives out what was gathered.
pub(crate) fn send_gathered(udp: &uv_udp_t) {
    if udp.has(flag::FLUSH_DUE) {
        flush(udp);
    }
}

/// Copies what the request has to remember.
///
/// # Safety
/// As for [`uv_udp_send`].
unsafe fn fill(
    req: &uv_udp_send_t,
    udp: &uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const sockaddr,
) -> c_int {
    let count = nbufs as usize;
    let small: *mut uv_buf_t = req.bufsml.as_ptr().cast();
    let copy = if count <= 4 { small } else { mem::alloc_array::<uv_buf_t>(count) };
    if copy.is_null() {
        return UV_ENOMEM;
    }
    // SAFETY: `copy` has room for `count` buffers, `u` for the longest address.
    unsafe {
        ptr::copy_nonoverlapping(bufs, copy, count);
        let storage: *mut u8 = req.u.as_ptr().cast();
        if addr.is_null() {
            // No address is family 0.
            storage.cast::<libc::sa_family_t>().write(libc::AF_UNSPEC as libc::sa_family_t);
        } else {
            let len = sys::address_len(addr) as usize;
            ptr::copy_nonoverlapping(addr.cast(), storage, len.min(size_of_val(&req.u)));
        }
        list::init(&raw const req.queue);
    }
    req.bufs.set(copy);
    req.nbufs.set(nbufs);
    req.handle.set(udp.as_ptr());
    req.status.set(0);
    0
}

/// Where the request goes; null for the peer.
fn address(req: &uv_udp_send_t) -> *const sockaddr {
    let addr: *const sockaddr = req.u.as_ptr().cast();
    // SAFETY: `fill` wrote at least the family.
    let family = c_int::from(unsafe { (*addr).sa_family });
    if family == libc::AF_UNSPEC { ptr::null() } else { addr }
}

fn size_of_bufs(req: &uv_udp_send_t) -> usize {
    // SAFETY: `fill` put `nbufs` buffers there.
    let bufs = unsafe { core::slice::from_raw_parts(req.bufs.get(), req.nbufs.get() as usize) };
    bufs.iter().fold(0, |sum: usize, buf| sum.wrapping_add(buf.len))
}

/// The request of a queue's link.
///
/// # Safety
/// `link` is the link of a live request.
unsafe fn of_link<'r>(link: *const Link) -> &'r uv_udp_send_t {
    // SAFETY: by the caller's word the link is at this offset of a request.
    unsafe { &*link.byte_sub(core::mem::offset_of!(uv_udp_send_t, queue)).cast() }
}

/// Moves the first request that waits to those that are done.
fn complete_first(udp: &uv_udp_t, result: isize) {
    // SAFETY: the queue holds live requests of this handle.
    unsafe {
        if let Some(link) = list::pop_front(&raw const udp.write_queue) {
            of_link(link).status.set(result);
            list::push_back(&raw const udp.write_completed_queue, link);
        }
    }
}

/// Sends what waits until the socket has no room, or nothing is left. Calls nobody back.
fn flush(udp: &uv_udp_t) {
    call::send_no_more(udp);
    let mut blocked = false;
    // SAFETY: the queue holds live requests, whose headers name live memory.
    unsafe {
        while !blocked {
            let Some(first) = list::first(&raw const udp.write_queue) else { break };
            blocked = match list::after(&raw const udp.write_queue, first) {
                None => !flush_one(udp, of_link(first)),
                Some(_) => !flush_batch(udp, first),
            };
        }
        let owner = udp.owner();
        if blocked {
            // A failure to watch is the first request's failure: it would wait for ever.
            if let Err(code) = watch::start(owner, &udp.io_watcher, OUT) {
                while !list::is_empty(&raw const udp.write_queue) {
                    complete_first(udp, code as isize);
                }
            }
        } else {
            watch::stop(owner, &udp.io_watcher, OUT);
        }
        if !list::is_empty(&raw const udp.write_completed_queue) {
            watch::feed_once_a_round(owner, &udp.io_watcher);
        }
    }
}

/// Sends the only request that waits. False when there is no room.
///
/// # Safety
/// `req` is the first of the queue.
unsafe fn flush_one(udp: &uv_udp_t, req: &uv_udp_send_t) -> bool {
    // SAFETY: the request's buffers and address are valid until its callback.
    let sent = unsafe {
        let mut room = Room::new();
        let mut header = sys::header(req.bufs.get(), req.nbufs.get() as usize, address(req));
        Options::load(req).attach(udp, &mut header, &mut room);
        sys::send(fd_of(udp), &header)
    };
    if sent == UV_EAGAIN as isize {
        return false;
    }
    complete_first(udp, sent);
    true
}

/// Sends the first requests of the queue in one call. False when there is no room.
///
/// # Safety
/// `first` is the first of the queue.
unsafe fn flush_batch(udp: &uv_udp_t, first: *const Link) -> bool {
    let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; sys::BATCH];
    let mut rooms = [const { Room::new() }; sys::BATCH];
    let mut count = 0;
    // SAFETY: the requests' buffers and addresses are valid until their callbacks; the first
    // `count` headers are written before they are used.
    let sent = unsafe {
        let mut next = Some(first);
        while let Some(link) = next
            && count < headers.len()
        {
            let req = of_link(link);
            let mut msg_hdr = sys::header(req.bufs.get(), req.nbufs.get() as usize, address(req));
            Options::load(req).attach(udp, &mut msg_hdr, &mut rooms[count]);
            headers[count].write(mmsghdr { msg_hdr, msg_len: 0 });
            count += 1;
            next = list::after(&raw const udp.write_queue, link);
        }
        let headers = core::slice::from_raw_parts_mut(headers.as_mut_ptr().cast(), count);
        sys::sendmmsg(fd_of(udp), headers)
    };
    if sent == UV_EAGAIN {
        return false;
    }
    if sent < 0 {
        complete_first(udp, sent as isize);
        return true;
    }
    for header in headers.iter().take((sent as usize).min(count)) {
        // SAFETY: written above, and its length by the kernel.
        complete_first(udp, unsafe { header.assume_init_ref().msg_len } as isize);
    }
    true
}

/// The socket has room, or requests are done.
pub(super) fn on_writable(udp: &uv_udp_t) {
    // SAFETY: the list head of an initialised handle.
    if unsafe { !list::is_empty(&raw const udp.write_queue) } {
        flush(udp);
    }
    finish(udp);
}

/// Runs the callbacks of requests that are done. What they send is for the next time.
fn finish(udp: &uv_udp_t) {
    call::batch(udp.owner(), || call_back(udp));
}

fn call_back(udp: &uv_udp_t) {
    let owner = udp.owner();
    let done = Link::new();
    // SAFETY: `done` stays in place while it is used as a head; the requests on it are live until
    // their callback, and are taken off before it. The handle outlives its close callback, which
    // never runs inside another callback of the loop.
    unsafe {
        list::take(&raw const udp.write_completed_queue, &raw const done);
        while let Some(link) = list::pop_front(&raw const done) {
            let req = of_link(link);
            req::done(owner);
            udp.send_queue_size.set(udp.send_queue_size.get().wrapping_sub(size_of_bufs(req)));
            udp.send_queue_count.set(udp.send_queue_count.get().wrapping_sub(1));
            let bufs = req.bufs.replace(ptr::null_mut());
            if bufs != req.bufsml.as_ptr().cast() {
                mem::free(bufs.cast());
            }
            stop_if_idle(udp);
            if let Some(callback) = req.send_cb.get() {
                let status = (req.status.get() as c_int).min(0);
                let req = ptr::from_ref(req).cast_mut();
                call::out(owner, || callback(req, status));
            }
        }
    }
}

/// Ends every request of a handle that is closed.
pub(super) fn cancel_all(udp: &uv_udp_t) {
    // SAFETY: the list head of an initialised handle.
    while unsafe { !list::is_empty(&raw const udp.write_queue) } {
        complete_first(udp, UV_ECANCELED as isize);
    }
    finish(udp);
}
