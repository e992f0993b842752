//! Streams: what TCP, pipes and terminals have in common.
//!
//! ```text
//!   mod       the handle: made, opened, ready, closed
//!   read      uv_read_start and the reading itself
//!   write     uv_write and its kin: queue, gather, account
//!   send      one attempt to get the queue's front into the kernel
//!   connect   the end of a connection attempt
//!   rights    descriptors passed along on an ipc pipe
//!   shutdown  uv_shutdown
//! ```

mod connect;
pub mod read;
pub(crate) mod rights;
mod send;
pub mod shutdown;
pub mod write;

use core::ffi::c_int;
use core::ptr;

use uvring_core::driver::ready::{ERR, HUP, IN, OUT, RDHUP};
use uvring_core::{list, socket};

pub(crate) use self::send::{send, send_deferred};
pub(crate) use self::shutdown::is_due as shutdown_is_due;
pub(crate) use self::write::cancel as cancel_write;
use crate::abi::*;
use crate::handle::{self, Handle, flag};
use crate::loop_::{call, watch};
use crate::{req, status};

/// Makes the stream part of a handle.
///
/// # Safety
/// `owner` is an initialised loop, `stream` valid for writes.
pub(crate) unsafe fn init(owner: *mut uv_loop_t, stream: *mut uv_stream_t, kind: uv_handle_type) {
    // SAFETY: the caller's promise.
    unsafe {
        handle::init(owner, stream.cast(), kind);
        let this = &*stream;
        this.write_queue_size.set(0);
        this.alloc_cb.set(None);
        this.read_cb.set(None);
        this.connect_req.set(ptr::null_mut());
        this.shutdown_req.set(ptr::null_mut());
        this.connection_cb.set(None);
        this.delayed_error.set(0);
        this.accepted_fd.set(-1);
        this.queued_fds.set(ptr::null_mut());
        list::init(&raw const this.write_queue);
        list::init(&raw const this.write_completed_queue);
        watch::init(&raw mut (*stream).io_watcher, watch::tag::STREAM, -1);
    }
}

/// Gives the stream its descriptor, which is its own from then on, and sets `flags`.
///
/// # Errors
/// `UV_EBUSY` when it has another one.
pub(crate) fn open(stream: &uv_stream_t, fd: c_int, flags: u32) -> Result<(), c_int> {
    let has = stream.io_watcher.fd.get();
    if has != -1 && has != fd {
        return Err(UV_EBUSY);
    }
    stream.set(flags);
    if stream.r#type.get() == UV_NAMED_PIPE && !stream.has(flag::SOCKET) {
        // FIFOs and other files are pipes too, and know nothing of sendmsg(2) and recv(2).
        let kind = socket::getsockopt_int(fd, libc::SOL_SOCKET, libc::SO_TYPE);
        if kind == Ok(libc::SOCK_STREAM) {
            stream.set(flag::SOCKET);
        }
    }
    stream.io_watcher.fd.set(fd);
    Ok(())
}

/// Whether the descriptor is a stream socket.
fn is_socket(stream: &uv_stream_t) -> bool {
    stream.r#type.get() == UV_TCP || stream.has(flag::SOCKET)
}

/// Whether handles can be passed along on this stream.
pub(crate) fn is_ipc(stream: &uv_stream_t) -> bool {
    stream.r#type.get() == UV_NAMED_PIPE
        // SAFETY: the type says what the handle really is.
        && unsafe { (*stream.as_ptr().cast::<uv_pipe_t>()).ipc.get() != 0 }
}

/// The descriptor is ready, or the stream was fed (`mask` is `OUT` then).
pub(crate) fn ready(stream: &uv_stream_t, mask: u32) {
    // What the kernel gives back of a closing stream feeds it; its callbacks come with its end.
    if stream.is_closing() {
        return;
    }
    if !stream.connect_req.get().is_null() {
        connect::finish(stream);
        return;
    }
    if mask & (IN | ERR | HUP | RDHUP) != 0 {
        read::ready(stream, mask);
        if stream.io_watcher.fd.get() == -1 {
            return;
        }
    }
    if mask & (OUT | ERR | HUP) != 0 {
        advance(stream);
    }
}

/// The ring is done with the front of the queue.
pub(crate) fn write_done(write: &uv_write_t, result: c_int) {
    // SAFETY: a stream is not finished while one of its writes is with the kernel.
    let stream = unsafe { &*write.handle.get() };
    send::settled(stream, write, result);
    // What the kernel gives back of a closing stream waits for the callbacks at its end.
    if !stream.is_closing() {
        watch::unfeed(&stream.io_watcher);
        advance(stream);
    }
}

/// Sends what is queued, calls the callbacks of what went out, and when nothing is left does the
/// shutdown that waited for it.
fn advance(stream: &uv_stream_t) {
    if !stream.has(flag::IN_FLIGHT) {
        send::send(stream);
    }
    write::call_back(stream);
    // SAFETY: the list head of an initialised stream.
    if unsafe { list::is_empty(&raw const stream.write_queue) } {
        drained(stream);
    }
}

/// Nothing is queued: no need to know when the stream is writable; the shutdown's turn.
fn drained(stream: &uv_stream_t) {
    if !stream.is_closing() {
        watch::stop(stream.owner(), &stream.io_watcher, OUT);
    }
    shutdown::finish(stream);
}

/// The stream's part of uv_close: nothing is read or written any more, and the descriptor is closed.
pub(crate) fn close(stream: &uv_stream_t) {
    send::send_deferred(stream);
    call::send_no_more(stream);
    let owner = stream.owner();
    let in_flight = stream.has(flag::IN_FLIGHT);
    if in_flight {
        // What was handed over goes out as it would have in uv_write; only what the socket
        // does not take is cancelled.
        owner.inner().driver().flush();
        send::cancel_in_flight(stream);
    }
    let fd = stream.io_watcher.fd.get();
    let listening = stream.has(flag::LISTENING);
    if fd != -1 {
        // The three standard descriptors stay open, or the next file opened would take their place.
        if fd > 2 && !listening && !in_flight {
            watch::close_descriptor(owner, &stream.io_watcher);
        } else {
            watch::close(owner, &stream.io_watcher);
            if fd > 2 {
                let _ = socket::close(fd);
            }
        }
    } else {
        watch::close(owner, &stream.io_watcher);
    }
    stream.read_cb.set(None);
    stream.alloc_cb.set(None);
    stream.clear(flag::READABLE | flag::WRITABLE);
    stream.stop();
    stream.io_watcher.fd.set(-1);
    rights::drop_all(stream);
}

/// Right before the close callback: requests in flight end with `UV_ECANCELED`.
pub(crate) fn destroy(stream: &uv_stream_t) {
    let connecting = stream.connect_req.replace(ptr::null_mut());
    if !connecting.is_null() {
        req::done(stream.owner());
        // SAFETY: a connect request is live until its callback, which is the last use of it.
        unsafe {
            if let Some(callback) = (*connecting).cb.get() {
                call::out(stream.owner(), || callback(connecting, UV_ECANCELED));
            }
        }
    }
    write::fail_queued(stream, UV_ECANCELED);
    write::call_back(stream);
    shutdown::finish(stream);
    // Ending the writes fed the stream, whose memory is about to go.
    watch::unfeed(&stream.io_watcher);
}

/// `int uv_is_readable(const uv_stream_t*)`: 1 or 0.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_readable(stream: *const uv_stream_t) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*stream).has(flag::READABLE) })
}

/// `int uv_is_writable(const uv_stream_t*)`: 1 or 0.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_writable(stream: *const uv_stream_t) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*stream).has(flag::WRITABLE) })
}

/// `int uv_stream_set_blocking(uv_stream_t*, int)`: makes the descriptor blocking or not. Writes on
/// a blocking stream are done when uv_write returns.
///
/// # Returns
/// 0; `UV_EBADF`.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stream_set_blocking(
    stream: *mut uv_stream_t,
    blocking: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { &*stream };
    send::send_deferred(stream);
    status::from_result(socket::set_nonblocking(stream.io_watcher.fd.get(), blocking == 0))
}

/// `size_t uv_stream_get_write_queue_size(const uv_stream_t*)`: bytes not handed to the kernel yet.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stream_get_write_queue_size(stream: *const uv_stream_t) -> usize {
    // SAFETY: the caller's promise.
    unsafe { (*stream).write_queue_size.get() }
}

/// Whether the descriptor is watched for input.
fn is_reading(stream: &uv_stream_t) -> bool {
    stream.read_cb.get().is_some()
}
