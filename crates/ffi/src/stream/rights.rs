//! Descriptors passed along on an ipc pipe: sent with a write, received with a read, and kept for
//! uv_accept.
//!
//! The first that waits stands in `accepted_fd`, where uv_accept looks; the others in a heap array,
//! which is there only while it is needed.

use core::ffi::c_int;
use core::ptr;
use core::slice;

use uvring_core::socket::{self, IoVec};

use super::is_socket;
use crate::abi::*;
use crate::handle::{Handle, watch_of};
use crate::{mem, status};

/// Descriptors taken of one message. libuv sends one and takes no more than these either; what
/// exceeds them is closed.
const MAX: usize = 60;

/// The head of the array; the descriptors follow.
struct Queue {
    capacity: usize,
    /// Where the first that waits stands, and how many wait.
    first: usize,
    count: usize,
}

/// The descriptors behind the head.
///
/// # Safety
/// `queue` was made by [`reserve`].
unsafe fn fds(queue: *mut Queue) -> *mut c_int {
    // SAFETY: the block goes on behind the head, which is aligned for more than an int.
    unsafe { queue.add(1).cast() }
}

fn queue(stream: &uv_stream_t) -> *mut Queue {
    stream.queued_fds.get().cast()
}

/// Descriptors that wait for uv_accept.
pub(crate) fn count(stream: &uv_stream_t) -> c_int {
    let queue = queue(stream);
    // SAFETY: not null, so made by `reserve`.
    let queued = if queue.is_null() { 0 } else { unsafe { (*queue).count } };
    c_int::try_from(queued).unwrap_or(c_int::MAX - 1) + c_int::from(stream.accepted_fd.get() != -1)
}

/// Makes room for `more` descriptors.
fn reserve(stream: &uv_stream_t, more: usize) -> Result<*mut Queue, c_int> {
    let old = queue(stream);
    // SAFETY: not null, so made by this function; the ranges lie inside the array.
    unsafe {
        let (capacity, count) =
            if old.is_null() { (0, 0) } else { ((*old).capacity, (*old).count) };
        if !old.is_null() {
            // Those that wait move to the front, so that the room is all behind them.
            ptr::copy(fds(old).add((*old).first), fds(old), count);
            (*old).first = 0;
        }
        let needed = count + more;
        if needed <= capacity {
            return Ok(old);
        }
        let capacity = needed.next_power_of_two().max(8);
        let bytes = size_of::<Queue>() + capacity * size_of::<c_int>();
        let new = mem::realloc(old.cast(), bytes).cast::<Queue>();
        if new.is_null() {
            return Err(UV_ENOMEM);
        }
        new.write(Queue { capacity, first: 0, count });
        stream.queued_fds.set(new.cast());
        Ok(new)
    }
}

/// Keeps what arrived for uv_accept, in order. Without memory that is the first one at most; the
/// others are closed.
///
/// # Errors
/// `UV_ENOMEM`.
fn keep(stream: &uv_stream_t, arrived: &[c_int]) -> Result<(), c_int> {
    let mut waiting = arrived;
    if stream.accepted_fd.get() == -1
        && let Some((&first, others)) = arrived.split_first()
    {
        stream.accepted_fd.set(first);
        waiting = others;
    }
    if waiting.is_empty() {
        return Ok(());
    }
    let queue = reserve(stream, waiting.len()).inspect_err(|_| close_all(waiting))?;
    // SAFETY: `reserve` made room behind those that wait.
    unsafe {
        let end = fds(queue).add((*queue).count);
        ptr::copy_nonoverlapping(waiting.as_ptr(), end, waiting.len());
        (*queue).count += waiting.len();
    }
    Ok(())
}

/// uv_accept took the descriptor in `accepted_fd`: puts the next one there, if there is one.
pub(crate) fn advance(stream: &uv_stream_t) {
    let queue = queue(stream);
    if queue.is_null() {
        stream.accepted_fd.set(-1);
        return;
    }
    // SAFETY: the array is there only while at least one descriptor is in it.
    unsafe {
        stream.accepted_fd.set(fds(queue).add((*queue).first).read());
        (*queue).first += 1;
        (*queue).count -= 1;
        if (*queue).count == 0 {
            stream.queued_fds.set(ptr::null_mut());
            mem::free(queue.cast());
        }
    }
}

/// Closes what nobody accepted.
pub(super) fn drop_all(stream: &uv_stream_t) {
    let accepted = stream.accepted_fd.replace(-1);
    if accepted != -1 {
        let _ = socket::close(accepted);
    }
    let queue = queue(stream);
    if !queue.is_null() {
        stream.queued_fds.set(ptr::null_mut());
        // SAFETY: the array is this stream's own, and nobody looks at it any more.
        unsafe {
            close_all(slice::from_raw_parts(fds(queue).add((*queue).first), (*queue).count));
            mem::free(queue.cast());
        }
    }
}

fn close_all(fds: &[c_int]) {
    for &fd in fds {
        let _ = socket::close(fd);
    }
}

/// One read of an ipc pipe.
pub(super) struct Received {
    pub(super) nread: usize,
    /// `UV_ENOMEM`: descriptors came that could not be kept, and are closed.
    pub(super) kept: Result<(), c_int>,
    /// The kernel may have ended the read before the data ended: where descriptors came, or a
    /// message was over.
    pub(super) cut: bool,
}

/// Reads into `buf` and keeps the descriptors that came along.
///
/// # Errors
/// As recvmsg(2).
///
/// # Safety
/// `buf` is valid for writes.
pub(super) unsafe fn receive(
    stream: &uv_stream_t,
    fd: c_int,
    buf: &uv_buf_t,
) -> uvring_core::Result<Received> {
    let mut arrived = [-1; MAX];
    // SAFETY: the caller's promise; a uv_buf_t is an IoVec.
    let (nread, count) =
        unsafe { socket::recvmsg_rights(fd, ptr::from_ref(buf).cast::<IoVec>(), 1, &mut arrived) }?;
    let kept = keep(stream, &arrived[..count]);
    Ok(Received { nread, kept, cut: count != 0 || !is_socket(stream) })
}

/// The descriptor of a handle to pass along.
///
/// # Errors
/// `UV_EBADF` for a handle that has none, that is closing, or that is of a kind that does not travel.
///
/// # Safety
/// `handle` is an initialised handle.
pub(super) unsafe fn fd_of(handle: *const uv_stream_t) -> Result<c_int, c_int> {
    // SAFETY: the caller's promise.
    unsafe {
        if !matches!((*handle).r#type.get(), UV_TCP | UV_NAMED_PIPE | UV_UDP)
            || (*handle).is_closing()
        {
            return Err(UV_EBADF);
        }
        match watch_of(handle.cast()) {
            Some(watch) if (*watch).fd.get() >= 0 => Ok((*watch).fd.get()),
            _ => Err(UV_EBADF),
        }
    }
}

/// The same, with nothing left to send: who gets the descriptor may write on it at once.
///
/// # Errors
/// As for [`fd_of`].
///
/// # Safety
/// As for [`fd_of`].
pub(super) unsafe fn fd_to_pass(handle: *const uv_stream_t) -> Result<c_int, c_int> {
    // SAFETY: the caller's promise; a TCP or pipe handle is a stream.
    unsafe {
        let fd = fd_of(handle)?;
        if (*handle).r#type.get() != UV_UDP {
            super::send_deferred(&*handle);
        }
        Ok(fd)
    }
}

/// sendmsg(2) of `count` buffers and one descriptor.
///
/// # Errors
/// As sendmsg(2), as a code.
///
/// # Safety
/// `bufs` has `count` entries that point at readable memory.
pub(super) unsafe fn send(
    fd: c_int,
    bufs: *const IoVec,
    count: usize,
    right: c_int,
) -> Result<usize, c_int> {
    // SAFETY: the caller's promise.
    unsafe { socket::sendmsg_rights(fd, bufs, count, 0, &[right]) }.map_err(status::from_errno)
}
