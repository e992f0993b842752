//! One attempt to get the front of a stream's write queue into the kernel.
//!
//! Whatever is queued goes out in one system call, up to [`GATHER`] buffers. On a ring, a lone small
//! buffer becomes an operation instead, which shares its system call with those of other streams.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use uvring_core::driver::ready::OUT;
use uvring_core::driver::{Kind, Request};
use uvring_core::socket::{self, IoVec};
use uvring_core::{Errno, list};

use super::write::{self, book, finish, handed, of_link, op_of, rest};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::status;

/// Buffers in one system call: IOV_MAX.
const GATHER: usize = 1024;

/// Attempts in a row on one stream.
const ATTEMPTS: u32 = 32;

/// Up to this many bytes, handing the buffer to the ring beats a system call of its own; beyond
/// it the copy dominates and the program wants its memory back at once.
const RING_BYTES: usize = 8 * 1024;

const _: () = assert!(size_of::<IoVec>() == size_of::<uv_buf_t>());

/// Sends what was gathered for the end of the callback, because somebody wants it out now.
pub(crate) fn send_deferred(stream: &uv_stream_t) {
    if stream.has(flag::FLUSH_DUE) {
        call::send_no_more(stream);
        send(stream);
    }
}

/// Sends as much of the queue as the kernel takes. Calls nobody back: what ends is fed.
pub(crate) fn send(stream: &uv_stream_t) {
    stream.clear(flag::FLUSH_DUE);
    if stream.has(flag::IN_FLIGHT) {
        return;
    }
    for _ in 0..ATTEMPTS {
        // SAFETY: the queue holds live requests.
        let Some(first) = (unsafe { list::first(&raw const stream.write_queue) }) else { return };
        // SAFETY: as above.
        let first = unsafe { of_link(first) };
        if hand_over(stream, first) {
            return;
        }
        match gathered(stream, first) {
            Ok((written, all)) => {
                book(stream, written);
                if all {
                    continue;
                }
            }
            Err(UV_EAGAIN | UV_ENOBUFS) => {}
            Err(code) => {
                // The next one is tried when this one's callback is due, and learns for itself.
                first.error.set(code);
                finish(stream, first);
                watch::stop(stream.owner(), &stream.io_watcher, OUT);
                return;
            }
        }
        if stream.has(flag::BLOCKING_WRITES) {
            continue;
        }
        break;
    }
    // SAFETY: the list head of an initialised stream.
    if unsafe { list::is_empty(&raw const stream.write_queue) } {
        return;
    }
    if let Err(code) = watch::start(stream.owner(), &stream.io_watcher, OUT) {
        write::fail_queued(stream, code);
    }
}

/// One system call for the front of the queue: bytes taken, and whether that was all of it.
fn gathered(stream: &uv_stream_t, first: &uv_write_t) -> Result<(usize, bool), c_int> {
    let only = {
        // SAFETY: `first` is on the queue.
        let second = unsafe { list::after(&raw const stream.write_queue, &raw const first.queue) };
        second.is_none()
    };
    let bufs = rest(first);
    if only && bufs.len() <= GATHER {
        let wanted: usize = bufs.iter().map(|buf| buf.len).sum();
        // SAFETY: the program vouches for its buffers until the callback.
        let written = unsafe { write_now(stream, bufs.as_ptr().cast(), bufs.len()) }?;
        return Ok((written, written == wanted));
    }
    let mut vector = [const { MaybeUninit::<uv_buf_t>::uninit() }; GATHER];
    let mut count = 0;
    let mut wanted = 0;
    let mut next = Some(&raw const first.queue);
    while let Some(link) = next {
        // SAFETY: the queue holds live requests.
        let write = unsafe { of_link(link) };
        for buf in rest(write) {
            if count == GATHER {
                break;
            }
            if buf.len != 0 {
                vector[count].write(*buf);
                count += 1;
                wanted += buf.len;
            }
        }
        // SAFETY: as above.
        next = unsafe { list::after(&raw const stream.write_queue, link) };
    }
    // SAFETY: `count` entries were written; the program vouches for what they point at.
    let written = unsafe { write_now(stream, vector.as_ptr().cast(), count) }?;
    Ok((written, written == wanted))
}

/// sendmsg(2) or writev(2), once.
///
/// # Safety
/// `bufs` has `count` entries that point at readable memory.
pub(super) unsafe fn write_now(
    stream: &uv_stream_t,
    bufs: *const IoVec,
    count: usize,
) -> Result<usize, c_int> {
    let fd = stream.io_watcher.fd.get();
    // SAFETY: the caller's promise.
    let result = unsafe {
        if stream.r#type.get() == UV_TCP {
            socket::sendmsg(fd, bufs, count, 0)
        } else {
            socket::writev(fd, bufs, count)
        }
    };
    match result {
        Err(Errno::NOBUFS) => Err(UV_EAGAIN),
        other => other.map_err(status::from_errno),
    }
}

/// Gives the front of the queue to the ring, if the loop has one and it is worth it.
fn hand_over(stream: &uv_stream_t, first: &uv_write_t) -> bool {
    let driver = stream.inner().driver();
    if driver.kind() != Kind::Uring
        || stream.has(flag::BLOCKING_WRITES)
        || stream.r#type.get() != UV_TCP
        || !call::inside(stream.owner())
    {
        return false;
    }
    let [buf] = rest(first) else { return false };
    // SAFETY: `first` is on the queue.
    let more = unsafe { list::after(&raw const stream.write_queue, &raw const first.queue) };
    if more.is_some() || buf.len == 0 || buf.len > RING_BYTES {
        return false;
    }
    let request = Request::Send {
        fd: stream.io_watcher.fd.get(),
        buf: buf.base.cast_const().cast(),
        len: buf.len as u32,
        flags: 0,
    };
    // SAFETY: the request and its buffer stay until its callback, which comes after `Done`.
    if unsafe { driver.submit(op_of(first), &request) }.is_err() {
        return false;
    }
    handed(first).set(buf.len);
    stream.write_queue_size.set(stream.write_queue_size.get() - buf.len);
    stream.set(flag::IN_FLIGHT);
    true
}

/// The ring is done with the front of the queue.
pub(crate) fn write_done(write: &uv_write_t, result: i32) {
    // SAFETY: a stream is not finished while one of its writes is with the kernel.
    let stream = unsafe { &*write.handle.get() };
    stream.clear(flag::IN_FLIGHT);
    stream.write_queue_size.set(stream.write_queue_size.get() + handed(write).replace(0));
    match usize::try_from(result) {
        Ok(written) => book(stream, written),
        Err(_) if result == UV_EAGAIN || result == -libc::EINTR || result == UV_ENOBUFS => {}
        Err(_) => {
            write.error.set(result);
            finish(stream, write);
        }
    }
    if stream.is_closing() {
        return;
    }
    super::advance(stream);
}

/// Asks the ring to give back what it has of a stream that closes.
pub(super) fn cancel_in_flight(stream: &uv_stream_t) {
    // SAFETY: the queue holds live requests, and what is in flight is its front.
    unsafe {
        if let Some(link) = list::first(&raw const stream.write_queue) {
            stream.inner().driver().cancel(op_of(of_link(link)));
        }
    }
}
