//! One attempt to get the front of a stream's write queue into the kernel.
//!
//! Whatever is queued goes out in one system call, up to [`GATHER`] buffers. On a ring, a lone small
//! buffer becomes an operation instead, which shares its system call with those of other streams.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

use uvring_core::driver::ready::OUT;
use uvring_core::driver::{Kind, Request};
use uvring_core::socket::{self, IoVec};
use uvring_core::{Errno, list};

use super::is_socket;
use super::rights;
use super::write::{self, book, finish, handed, of_link, op_of, rest};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::status;

/// Buffers in one system call: IOV_MAX.
const GATHER: usize = 1024;

/// Attempts in a row on one stream.
const ATTEMPTS: u32 = 32;

/// If it holds up to this many bytes of memory, handing a buffer to the ring beats a system call of
/// its own; beyond that the program had better have its memory back at once.
const RING_BYTES: usize = 2 * 1024;

const _: () = assert!(size_of::<IoVec>() == size_of::<uv_buf_t>());

/// A request was put on the queue, which was `idle` before: sends it now, or leaves it for later.
///
/// On epoll the first write of a callback goes out at once and the rest are gathered. On a ring all
/// are gathered: if it stays at one small buffer, that shares a system call with other streams'.
pub(super) fn queued(stream: &uv_stream_t, write: &uv_write_t, idle: bool) {
    let second = counts_as_second(stream);
    let gathers = may_gather(stream);
    if !stream.connect_req.get().is_null() {
        // Goes out when the connection stands.
    } else if !write.send_handle.get().is_null() && (idle || stream.has(flag::FLUSH_DUE)) {
        // At once: the program may close the handle as soon as uv_write2 has returned.
        call::send_no_more(stream);
        if settle(stream) {
            send_directly(stream);
        }
    } else if stream.has(flag::FLUSH_DUE) {
        // Goes out with the rest.
    } else if idle && gathers && (second || fits_ring(stream, write)) {
        call::send_later(stream);
        if !second {
            // A write that the kernel is about to take is not queued: programs look at the size.
            hand(stream, write);
        }
    } else if stream.has(flag::IN_FLIGHT) && gathers {
        call::send_later(stream);
    } else if idle || stream.has(flag::IN_FLIGHT) {
        if settle(stream) {
            send(stream);
        }
    } else if let Err(code) = watch::start(stream.owner(), &stream.io_watcher, OUT) {
        write::fail_queued(stream, code);
    }
}

/// Whether there is an end of the callback to wait for, and the stream may wait for it.
fn may_gather(stream: &uv_stream_t) -> bool {
    let inner = stream.inner();
    inner.coalesce.get()
        && inner.depth.get() != 0
        && !stream.has(flag::NO_COALESCE | flag::BLOCKING_WRITES)
}

/// Counts the stream's writes in the running callback. True for any but the first, and for the
/// first if the stream wrote more than once in the last callback in which it wrote.
fn counts_as_second(stream: &uv_stream_t) -> bool {
    let serial = stream.inner().serial.get() as usize;
    // SAFETY: the second half of `u` holds plain words of a stream.
    let (last, count) = unsafe { (&stream.u.words[2], &stream.u.words[3]) };
    if last.replace(serial) != serial {
        return count.replace(1) >= 2;
    }
    count.set(count.get() + 1);
    true
}

/// Gives out what waits for the end of the callback, because somebody wants it out now.
pub(crate) fn send_deferred(stream: &uv_stream_t) {
    if stream.has(flag::FLUSH_DUE) {
        call::send_no_more(stream);
        if settle(stream) {
            send_directly(stream);
        }
    } else if stream.has(flag::IN_FLIGHT) && settle(stream) {
        send_directly(stream);
    }
}

/// Waits no longer for the operation in flight than its system call takes. True when the queue's
/// front is the library's again.
fn settle(stream: &uv_stream_t) -> bool {
    if !stream.has(flag::IN_FLIGHT) {
        return true;
    }
    // SAFETY: the queue holds live requests, and what is in flight is its front.
    unsafe {
        let Some(link) = list::first(&raw const stream.write_queue) else { return false };
        let write = of_link(link);
        match stream.inner().driver().reap(op_of(write)) {
            Some(result) => {
                settled(stream, write, result);
                true
            }
            None => false,
        }
    }
}

/// Sends as much of the queue as the kernel takes, or hands it to the ring. Calls nobody back: what
/// ends is fed.
pub(crate) fn send(stream: &uv_stream_t) {
    call::send_no_more(stream);
    if !settle(stream) {
        return;
    }
    // SAFETY: the queue holds live requests.
    let Some(first) = (unsafe { list::first(&raw const stream.write_queue) }) else { return };
    // SAFETY: as above.
    let first = unsafe { of_link(first) };
    if !may_gather(stream) || !hand_over(stream, first) {
        send_directly(stream);
    }
}

fn send_directly(stream: &uv_stream_t) {
    for _ in 0..ATTEMPTS {
        // SAFETY: the queue holds live requests.
        let Some(first) = (unsafe { list::first(&raw const stream.write_queue) }) else { return };
        // SAFETY: as above.
        let first = unsafe { of_link(first) };
        take_back(stream, first);
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
    if !first.send_handle.get().is_null() {
        return with_handle(stream, first);
    }
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
    'queue: while let Some(link) = next {
        // SAFETY: the queue holds live requests.
        let write = unsafe { of_link(link) };
        if !write.send_handle.get().is_null() {
            // A handle belongs to the first byte of its own message.
            break;
        }
        for buf in rest(write) {
            if count == GATHER {
                break 'queue;
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

/// One system call for a write that passes a handle along, which travels with its first byte.
fn with_handle(stream: &uv_stream_t, write: &uv_write_t) -> Result<(usize, bool), c_int> {
    let bufs = rest(write);
    let count = bufs.len().min(GATHER);
    let wanted: usize = bufs.iter().map(|buf| buf.len).sum();
    // SAFETY: the program keeps the handle until it has travelled, and vouches for its buffers.
    let written = unsafe {
        let right = rights::fd_to_pass(write.send_handle.get())?;
        write_right(stream, bufs.as_ptr().cast(), count, right)
    }?;
    write.send_handle.set(ptr::null_mut());
    Ok((written, written == wanted))
}

/// sendmsg(2) with a descriptor, once.
///
/// # Safety
/// As for [`write_now`].
pub(super) unsafe fn write_right(
    stream: &uv_stream_t,
    bufs: *const IoVec,
    count: usize,
    right: c_int,
) -> Result<usize, c_int> {
    // SAFETY: the caller's promise.
    match unsafe { rights::send(stream.io_watcher.fd.get(), bufs, count, right) } {
        Err(UV_ENOBUFS) => Err(UV_EAGAIN),
        other => other,
    }
}

/// send(2), sendmsg(2) or writev(2), once.
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
        if is_socket(stream) && count == 1 {
            socket::send(fd, (*bufs).base, (*bufs).len, 0)
        } else if is_socket(stream) {
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

/// Whether the ring is the better way for this write. Not for a stream's first: many a connection
/// answers once, and its buffer and its end then need not wait for the ring.
fn fits_ring(stream: &uv_stream_t, write: &uv_write_t) -> bool {
    let [buf] = rest(write) else { return false };
    buf.len != 0
        && held(stream, buf) <= RING_BYTES
        && stream.has(flag::HAS_WRITTEN)
        && stream.inner().driver().kind() == Kind::Uring
        && is_socket(stream)
        && !stream.has(flag::BLOCKING_WRITES)
        && write.send_handle.get().is_null()
}

/// How much of the program's memory waits until `buf` is written. Who echoes 64 bytes out of the
/// 64 KiB that alloc_cb lent holds all of them, and with many connections that is more than caches
/// and the allocator like: up to twice the time for a message.
fn held(stream: &uv_stream_t, buf: &uv_buf_t) -> usize {
    let (base, len) = stream.inner().lent.get();
    if buf.base.addr().wrapping_sub(base) < len { len } else { buf.len }
}

/// Counts a write of one buffer as gone.
fn hand(stream: &uv_stream_t, write: &uv_write_t) {
    let bytes = rest(write).iter().map(|buf| buf.len).sum();
    handed(write).set(bytes);
    stream.write_queue_size.set(stream.write_queue_size.get() - bytes);
}

/// Counts it as queued again.
pub(super) fn take_back(stream: &uv_stream_t, write: &uv_write_t) {
    stream.write_queue_size.set(stream.write_queue_size.get() + handed(write).replace(0));
}

/// Gives the front of the queue to the ring, if the loop has one and it is worth it.
fn hand_over(stream: &uv_stream_t, first: &uv_write_t) -> bool {
    // SAFETY: `first` is on the queue.
    let more = unsafe { list::after(&raw const stream.write_queue, &raw const first.queue) };
    if more.is_some() || !fits_ring(stream, first) || is_alone(stream) {
        return false;
    }
    let [buf] = rest(first) else { return false };
    let request = Request::Send {
        fd: stream.io_watcher.fd.get(),
        buf: buf.base.cast_const().cast(),
        len: buf.len as u32,
        flags: libc::MSG_DONTWAIT as u32,
    };
    // SAFETY: the request and its buffer stay until its callback, which comes after `Done`.
    if unsafe { stream.inner().driver().submit(op_of(first), &request) }.is_err() {
        return false;
    }
    if handed(first).get() == 0 {
        hand(stream, first);
    }
    stream.set(flag::IN_FLIGHT);
    true
}

/// Whether nobody else sends in this round, as far as one can see: no stream waits for the end of the
/// callback, and the ring has nothing to do and nothing to tell.
fn is_alone(stream: &uv_stream_t) -> bool {
    let owner = stream.owner();
    // SAFETY: the list head of an initialised loop.
    let last = unsafe { list::is_empty(&raw const owner.watcher_queue) };
    last && !owner.inner().driver().has_company()
}

/// Books the ring's answer.
pub(super) fn settled(stream: &uv_stream_t, write: &uv_write_t, result: i32) {
    stream.clear(flag::IN_FLIGHT);
    take_back(stream, write);
    match usize::try_from(result) {
        Ok(written) => book(stream, written),
        Err(_) if result == UV_EAGAIN || result == UV_EINTR || result == UV_ENOBUFS => {}
        Err(_) => {
            write.error.set(result);
            finish(stream, write);
        }
    }
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
