//! `uv_poll_t`: readiness of a descriptor that the program owns.

use core::ffi::c_int;

use uvring_core::driver::ready::{ERR, HUP, IN, OUT, PRI, RDHUP};
use uvring_core::socket;

use crate::abi::*;
use crate::handle::{self, Handle};
use crate::loop_::{call, watch};
use crate::status;

/// All that a program can ask for.
const EVENTS: c_int = (UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED) as c_int;

/// `int uv_poll_init(uv_loop_t*, uv_poll_t*, int fd)`: makes the handle and the descriptor
/// non-blocking. The descriptor stays the program's.
///
/// # Returns
/// 0; `UV_EEXIST` when the loop watches the descriptor already; `UV_EPERM` for a kind that cannot
/// be polled, such as a file; `UV_EBADF`.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_init(
    owner: *mut uv_loop_t,
    handle: *mut uv_poll_t,
    fd: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if watch::is_taken(&*owner, fd) {
            return UV_EEXIST;
        }
        if let Err(error) = (*owner).inner().driver().check(fd) {
            return status::from_errno(error);
        }
        if let Err(error) = socket::set_nonblocking(fd, true) {
            return status::from_errno(error);
        }
        handle::init(owner, handle.cast(), UV_POLL);
        watch::init(&raw mut (*handle).io_watcher, watch::tag::POLL, fd);
        (*handle).poll_cb.set(None);
    }
    0
}

/// `int uv_poll_init_socket(uv_loop_t*, uv_poll_t*, uv_os_sock_t)`: as [`uv_poll_init`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_init_socket(
    owner: *mut uv_loop_t,
    handle: *mut uv_poll_t,
    socket: uv_os_sock_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_poll_init(owner, handle, socket) }
}

/// `int uv_poll_start(uv_poll_t*, int events, uv_poll_cb)`: calls whenever one of `events`
/// (`UV_READABLE`, `UV_WRITABLE`, `UV_DISCONNECT`, `UV_PRIORITIZED`) holds, as long as it holds. On
/// a started handle changes the events; 0 stops it.
///
/// # Returns
/// 0; `UV_EINVAL` for unknown events or a closing handle; `UV_EEXIST` when another handle of the
/// loop has the descriptor; what epoll_ctl(2) says.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_start(
    handle: *mut uv_poll_t,
    events: c_int,
    callback: uv_poll_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    let this = unsafe { &*handle };
    if events & !EVENTS != 0 || this.is_closing() {
        return UV_EINVAL;
    }
    let watch = &this.io_watcher;
    let owner = this.owner();
    if watch.interest() == 0 && watch::is_taken(owner, watch.fd.get()) {
        return UV_EEXIST;
    }
    if events == 0 {
        stop(this);
        return 0;
    }
    if let Err(code) = watch::exactly(owner, watch, to_interest(events)) {
        stop(this);
        return code;
    }
    this.start();
    this.poll_cb.set(callback);
    0
}

fn to_interest(events: c_int) -> u32 {
    let events = events as u32;
    let mut interest = 0;
    for (event, bit) in
        [(UV_READABLE, IN), (UV_WRITABLE, OUT), (UV_DISCONNECT, RDHUP), (UV_PRIORITIZED, PRI)]
    {
        if events & event as u32 != 0 {
            interest |= bit;
        }
    }
    interest
}

/// `int uv_poll_stop(uv_poll_t*)`: the callback is not called any more, not even for events that
/// are already known. Always 0.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_stop(handle: *mut uv_poll_t) -> c_int {
    // SAFETY: the caller's promise.
    stop(unsafe { &*handle });
    0
}

/// Stops the handle; also its part of uv_close.
pub(crate) fn stop(this: &uv_poll_t) {
    watch::close(this.owner(), &this.io_watcher);
    this.stop();
}

/// The descriptor is ready.
pub(crate) fn ready(this: &uv_poll_t, mask: u32) {
    let owner = this.owner();
    let callback = this.poll_cb.get();
    let (status, events) = if mask & ERR != 0 && mask & PRI == 0 {
        stop(this);
        (UV_EBADF, 0)
    } else {
        (0, to_events(mask, this.io_watcher.interest()))
    };
    if status == 0 && events == 0 {
        return;
    }
    if let Some(callback) = callback {
        // SAFETY: the program's function, called with its own handle.
        call::out(owner, || unsafe { callback(this.as_ptr(), status, events) });
    }
}

/// What of `mask` the program wants to know. A hang-up counts as whatever it waits for.
fn to_events(mask: u32, interest: u32) -> c_int {
    let hangup = if mask & HUP != 0 { interest & (IN | OUT | RDHUP) } else { 0 };
    let mask = mask | hangup;
    let mut events = 0;
    for (bit, event) in
        [(IN, UV_READABLE), (OUT, UV_WRITABLE), (RDHUP, UV_DISCONNECT), (PRI, UV_PRIORITIZED)]
    {
        if mask & bit != 0 {
            events |= event as c_int;
        }
    }
    events
}
