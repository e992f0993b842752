//! uv_write and its kin: what is queued, in which order, and who is told.

use core::ffi::{c_int, c_uint};
use core::mem::ManuallyDrop;
use core::ptr;

use uvring_core::driver::Op;
use uvring_core::list::{self, Link};

use super::{is_ipc, rights, send};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::{mem, misc, req};

/// More buffers than this are taken for a negative number.
const MAX_BUFS: c_uint = 1 << 20;

/// Words of a write request's operation that count while it is queued.
mod word {
    /// Bytes the kernel took.
    pub(super) const WRITTEN: usize = 0;
    /// Bytes it was asked to take with the operation in flight.
    pub(super) const HANDED: usize = 1;
    /// Not 0: the request is on its stream's queue.
    pub(super) const QUEUED: usize = 2;
}

/// The operation of a write request.
fn op(write: &uv_write_t) -> &Op {
    // SAFETY: `init` made it one; a request's private bytes hold nothing else while it is queued.
    unsafe { &write.reserved.op }
}

pub(super) fn op_of(write: &uv_write_t) -> &Op {
    op(write)
}

/// Bytes with the kernel, to be settled when its answer comes.
pub(super) fn handed(write: &uv_write_t) -> &core::cell::Cell<usize> {
    &op(write).user[word::HANDED]
}

/// The write request that a queue link belongs to.
///
/// # Safety
/// `link` is the `queue` link of a live write request.
pub(super) unsafe fn of_link<'w>(link: *const Link) -> &'w uv_write_t {
    // SAFETY: by the caller's word it stands at this offset.
    unsafe { &*link.byte_sub(core::mem::offset_of!(uv_write_t, queue)).cast() }
}

/// The buffers of a request that are not written yet. The first may have been cut.
pub(super) fn rest(write: &uv_write_t) -> &[uv_buf_t] {
    let index = write.write_index.get();
    // SAFETY: `bufs` has `nbufs` entries from uv_write until the callback; `write_index` counts
    // those that are done.
    unsafe {
        let bufs = write.bufs.get().add(index as usize);
        core::slice::from_raw_parts(bufs, (write.nbufs.get() - index) as usize)
    }
}

fn remaining(write: &uv_write_t) -> usize {
    rest(write).iter().map(|buf| buf.len).sum()
}

/// `int uv_write(uv_write_t*, uv_stream_t*, const uv_buf_t bufs[], unsigned nbufs, uv_write_cb)`:
/// writes in order. The array is copied; what the buffers point at stays valid until the callback.
///
/// # Returns
/// 0; `UV_EBADF` without a descriptor, `UV_EPIPE` when the stream cannot be written, `UV_EINVAL` for
/// no or too many buffers, or more bytes than one call can move, `UV_ENOMEM`. Errors of the write itself come with the callback.
///
/// # Safety
/// `req` is valid for writes until its callback, `stream` initialised, `bufs` has `nbufs` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_write(
    req: *mut uv_write_t,
    stream: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    callback: uv_write_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_write2(req, stream, bufs, nbufs, ptr::null_mut(), callback) }
}

/// `int uv_write2(..., uv_stream_t* send_handle, uv_write_cb)`: as [`uv_write`], and passes a handle
/// along on an ipc pipe.
///
/// # Returns
/// As there; `UV_EINVAL` for a handle on anything but an ipc pipe, `UV_EBADF` for a handle that is
/// closing, without a descriptor, or neither TCP, pipe nor UDP.
///
/// # Safety
/// As there; `send_handle` is NULL or initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_write2(
    req: *mut uv_write_t,
    stream: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    send_handle: *mut uv_stream_t,
    callback: uv_write_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let this = &*stream;
        if let Err(code) = may_write(this, bufs, nbufs, send_handle) {
            return code;
        }
        let write = &*req;
        if let Err(code) = init(req, this, bufs, nbufs, callback) {
            return code;
        }
        write.send_handle.set(send_handle);
        let idle = list::is_empty(&raw const this.write_queue);
        op(write).user[word::QUEUED].set(1);
        this.write_queue_size.set(this.write_queue_size.get() + remaining(write));
        list::push_back(&raw const this.write_queue, &raw const write.queue);
        send::queued(this, write, idle);
    }
    0
}

/// What has to hold before anything is queued or written.
///
/// # Safety
/// `send_handle` is NULL or initialised.
unsafe fn may_write(
    stream: &uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    send_handle: *mut uv_stream_t,
) -> Result<(), c_int> {
    // SAFETY: the caller's promise.
    if nbufs == 0 || nbufs > MAX_BUFS || !unsafe { misc::is_sendable(bufs, nbufs) } {
        return Err(UV_EINVAL);
    }
    if stream.io_watcher.fd.get() < 0 {
        return Err(UV_EBADF);
    }
    if !stream.has(flag::WRITABLE) {
        return Err(UV_EPIPE);
    }
    if send_handle.is_null() {
        return Ok(());
    }
    if !is_ipc(stream) {
        return Err(UV_EINVAL);
    }
    // SAFETY: the caller's promise.
    unsafe { rights::fd_of(send_handle) }.map(|_| ())
}

/// Makes a write request of the program's memory and copies the array of buffers.
///
/// # Safety
/// As for [`uv_write`].
unsafe fn init(
    req: *mut uv_write_t,
    stream: &uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    callback: uv_write_cb,
) -> Result<(), c_int> {
    // SAFETY: the caller's promise.
    unsafe {
        let write = &*req;
        let count = nbufs as usize;
        let mut copy = write.bufsml.as_ptr().cast::<uv_buf_t>();
        if count > 4 {
            copy = mem::alloc(count * size_of::<uv_buf_t>()).cast();
            if copy.is_null() {
                return Err(UV_ENOMEM);
            }
        }
        if count != 0 {
            ptr::copy_nonoverlapping(bufs, copy, count);
        }
        (&raw mut (*req).reserved).write(uv__req_scratch { op: ManuallyDrop::new(Op::new()) });
        write.cb.set(callback);
        write.handle.set(stream.as_ptr());
        write.send_handle.set(ptr::null_mut());
        write.error.set(0);
        write.bufs.set(copy);
        write.nbufs.set(nbufs);
        write.write_index.set(0);
        list::init(&raw const write.queue);
        req::start(stream.owner(), req.cast(), UV_WRITE);
    }
    Ok(())
}

/// `int uv_try_write(uv_stream_t*, const uv_buf_t bufs[], unsigned nbufs)`: writes what fits now,
/// without queueing. What uv_write gathered goes out first.
///
/// # Returns
/// Bytes written; `UV_EAGAIN` when nothing can be written now or writes are queued; as for uv_write.
///
/// # Safety
/// `stream` is initialised, `bufs` has `nbufs` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_try_write(
    stream: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { uv_try_write2(stream, bufs, nbufs, ptr::null_mut()) }
}

/// `int uv_try_write2(..., uv_stream_t* send_handle)`: as [`uv_try_write`], and passes a handle along.
///
/// # Safety
/// As there; `send_handle` is NULL or initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_try_write2(
    stream: *mut uv_stream_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    send_handle: *mut uv_stream_t,
) -> c_int {
    // SAFETY: the caller's promise.
    let this = unsafe { &*stream };
    if !this.connect_req.get().is_null() {
        return UV_EAGAIN;
    }
    send::send_deferred(this);
    if this.write_queue_size.get() != 0 || this.has(flag::IN_FLIGHT) {
        return UV_EAGAIN;
    }
    // SAFETY: the caller's promise.
    let result = unsafe {
        may_write(this, bufs, nbufs, send_handle).and_then(|()| {
            if send_handle.is_null() {
                return send::write_now(this, bufs.cast(), nbufs as usize);
            }
            let right = rights::fd_to_pass(send_handle)?;
            send::write_right(this, bufs.cast(), nbufs as usize, right)
        })
    };
    match result {
        Ok(written) => c_int::try_from(written).unwrap_or(c_int::MAX),
        Err(code) => code,
    }
}

/// `size_t uv_write_nwritten(const uv_write_t*)`: bytes the kernel took of the request. For use in
/// its callback, above all after uv_cancel.
///
/// # Safety
/// `req` is a write request whose callback is running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_write_nwritten(req: *const uv_write_t) -> usize {
    // SAFETY: the caller's promise.
    unsafe { op(&*req).user[word::WRITTEN].get() }
}

/// uv_cancel of a write: a queued one ends with `UV_ECANCELED`, one that is with the kernel is asked
/// to end, one that is done stays done.
///
/// # Safety
/// `req` is a write request whose callback has not returned.
pub(crate) unsafe fn cancel(req: *mut uv_write_t) -> c_int {
    // SAFETY: the caller's promise.
    let write = unsafe { &*req };
    // SAFETY: a request's stream is live until its callback has returned.
    let stream = unsafe { &*write.handle.get() };
    if stream.is_closing() {
        return UV_EBUSY;
    }
    if op(write).user[word::QUEUED].get() == 0 {
        return 0;
    }
    if op(write).in_flight() {
        stream.inner().driver().cancel(op(write));
        return 0;
    }
    write.error.set(UV_ECANCELED);
    finish(stream, write);
    0
}

/// Books `written` bytes on the front of the queue, which may end several requests.
pub(super) fn book(stream: &uv_stream_t, written: usize) {
    let mut left = written;
    stream.write_queue_size.set(stream.write_queue_size.get() - written);
    // SAFETY: the queue holds live requests.
    unsafe {
        while let Some(link) = list::first(&raw const stream.write_queue) {
            let write = of_link(link);
            let total = &op(write).user[word::WRITTEN];
            let mut index = write.write_index.get();
            while index < write.nbufs.get() {
                let buf = &mut *write.bufs.get().add(index as usize);
                let part = buf.len.min(left);
                buf.base = buf.base.wrapping_add(part);
                buf.len -= part;
                left -= part;
                total.set(total.get() + part);
                if buf.len != 0 {
                    break;
                }
                index += 1;
            }
            write.write_index.set(index);
            if index < write.nbufs.get() {
                return;
            }
            finish(stream, write);
            if left == 0 {
                return;
            }
        }
    }
}

/// Takes a request off the queue; its callback is due.
pub(super) fn finish(stream: &uv_stream_t, write: &uv_write_t) {
    op(write).user[word::QUEUED].set(0);
    stream.set(flag::HAS_WRITTEN);
    send::take_back(stream, write);
    // SAFETY: the request is on the stream's queue and live until its callback.
    unsafe {
        list::remove(&raw const write.queue);
        list::push_back(&raw const stream.write_completed_queue, &raw const write.queue);
    }
    watch::feed(stream.owner(), &stream.io_watcher);
}

/// Ends everything that is queued with `code`.
pub(super) fn fail_queued(stream: &uv_stream_t, code: c_int) {
    // SAFETY: the queue holds live requests.
    unsafe {
        while let Some(link) = list::first(&raw const stream.write_queue) {
            let write = of_link(link);
            write.error.set(code);
            finish(stream, write);
        }
    }
}

/// Calls the callbacks of the requests that are done. The buffers' array lives until the callback
/// has returned; the request itself may not.
pub(super) fn call_back(stream: &uv_stream_t) {
    let done = Link::new();
    let owner = stream.owner();
    // SAFETY: the list holds live requests, each touched for the last time by its callback.
    unsafe {
        if list::is_empty(&raw const stream.write_completed_queue) {
            return;
        }
        list::take(&raw const stream.write_completed_queue, &raw const done);
        while let Some(link) = list::pop_front(&raw const done) {
            let write = of_link(link);
            req::done(owner);
            let left = if write.error.get() == 0 { 0 } else { remaining(write) };
            stream.write_queue_size.set(stream.write_queue_size.get() - left);
            let bufs = write.bufs.get();
            let on_heap = !ptr::eq(bufs, write.bufsml.as_ptr().cast());
            if let Some(callback) = write.cb.get() {
                let (req, status) = (ptr::from_ref(write).cast_mut(), write.error.get());
                call::out(owner, || callback(req, status));
            }
            if on_heap {
                mem::free(bufs.cast());
            }
        }
    }
}
