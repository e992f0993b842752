//! uv_read_start, uv_read_stop, and the reading itself.

use core::ffi::c_int;
use core::ptr;

use uvring_core::driver::ready::{HUP, IN, RDHUP};
use uvring_core::{Errno, socket};

use super::rights::{self, Received};
use super::{is_ipc, is_reading, is_socket};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::status;

/// Reads of one stream in a row, so that a busy peer does not starve the others.
const READS: u32 = 32;

/// What uv_alloc_cb is told to aim for, in bytes.
const SUGGESTED: usize = 64 * 1024;

/// `int uv_read_start(uv_stream_t*, uv_alloc_cb, uv_read_cb)`: reads until told to stop. For each
/// read `alloc` lends a buffer and `callback` gets it back.
///
/// # Returns
/// 0; `UV_EINVAL` for a NULL argument or a closing stream; `UV_EALREADY` when it reads already;
/// `UV_ENOTCONN` when it cannot be read.
///
/// # Safety
/// `stream` is NULL or initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_read_start(
    stream: *mut uv_stream_t,
    alloc: uv_alloc_cb,
    callback: uv_read_cb,
) -> c_int {
    if stream.is_null() || alloc.is_none() || callback.is_none() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    let this = unsafe { &*stream };
    if this.is_closing() {
        return UV_EINVAL;
    }
    if is_reading(this) {
        return UV_EALREADY;
    }
    if !this.has(flag::READABLE) {
        return UV_ENOTCONN;
    }
    if let Err(code) = watch::start(this.owner(), &this.io_watcher, IN) {
        return code;
    }
    this.alloc_cb.set(alloc);
    this.read_cb.set(callback);
    this.start();
    0
}

/// `int uv_read_stop(uv_stream_t*)`: no more reading until uv_read_start. Always 0.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_read_stop(stream: *mut uv_stream_t) -> c_int {
    // SAFETY: the caller's promise.
    let this = unsafe { &*stream };
    if is_reading(this) {
        stop(this);
    }
    0
}

/// Reads no more, which ends the stream's activity: what is still to be written keeps the loop alive
/// by its request.
fn stop(stream: &uv_stream_t) {
    stream.read_cb.set(None);
    stream.alloc_cb.set(None);
    watch::stop(stream.owner(), &stream.io_watcher, IN);
    stream.stop();
}

/// There is something to read, or the connection hung up.
pub(super) fn ready(stream: &uv_stream_t, mask: u32) {
    let again = read(stream);
    if !is_reading(stream) {
        return;
    }
    // The peer is done and the last read took all there was: no need to ask for the 0 bytes.
    if mask & (HUP | RDHUP) != 0 && stream.has(flag::READ_PARTIAL) && !was_cut(stream) {
        end_of_file(stream);
    } else if again {
        stream.inner().driver().again(&stream.io_watcher, IN | mask & RDHUP);
    }
}

/// Reads until there is no more, or it is the others' turn. True when data may be left.
fn read(stream: &uv_stream_t) -> bool {
    stream.clear(flag::READ_PARTIAL);
    for _ in 0..READS {
        let Some(alloc) = stream.alloc_cb.get() else { return false };
        let mut buf = uv_buf_t { base: ptr::null_mut(), len: 0 };
        // SAFETY: the program's function, called with its own handle.
        unsafe { alloc(stream.as_ptr().cast(), SUGGESTED, &raw mut buf) };
        if buf.base.is_null() || buf.len == 0 {
            // Whoever has no memory now may have some later.
            deliver(stream, UV_ENOBUFS as isize, &buf);
            return true;
        }
        // alloc may have closed or stopped the stream; the buffer goes back all the same.
        let fd = stream.io_watcher.fd.get();
        if fd == -1 {
            return false;
        }
        // SAFETY: the program lent `len` bytes at `base` until its read callback.
        match unsafe { receive(stream, fd, &buf) } {
            Ok(Received { kept: Err(code), .. }) => {
                deliver(stream, code as isize, &buf);
                return true;
            }
            Ok(Received { nread: 0, .. }) => {
                end_of_file_with(stream, &buf);
                return false;
            }
            Ok(Received { nread, cut, .. }) => {
                deliver(stream, nread as isize, &buf);
                if nread < buf.len {
                    if cut {
                        stream.inner().driver().unsure(&stream.io_watcher);
                    }
                    stream.set(flag::READ_PARTIAL);
                    return false;
                }
                if stream.has(flag::BLOCKING_WRITES) && !has_input(stream) {
                    // A descriptor that blocks is not asked in vain.
                    return false;
                }
            }
            Err(Errno::AGAIN) => {
                deliver(stream, 0, &buf);
                return false;
            }
            Err(error) => {
                fail(stream, status::from_errno(error), &buf);
                return false;
            }
        }
    }
    true
}

/// One system call for input.
///
/// # Errors
/// As read(2), recv(2), recvmsg(2).
///
/// # Safety
/// `buf` is valid for writes.
unsafe fn receive(
    stream: &uv_stream_t,
    fd: c_int,
    buf: &uv_buf_t,
) -> uvring_core::Result<Received> {
    // SAFETY: the caller's promise.
    let nread = unsafe {
        if is_ipc(stream) {
            return rights::receive(stream, fd, buf);
        }
        if is_socket(stream) {
            socket::recv(fd, buf.base.cast(), buf.len)?
        } else {
            socket::read(fd, buf.base.cast(), buf.len)?
        }
    };
    // A TCP socket gives all it has. Terminals give a line at a time, a unix socket stops where
    // descriptors come along, and there are pipes and sockets that keep messages apart.
    Ok(Received { nread, kept: Ok(()), cut: stream.r#type.get() != UV_TCP })
}

/// Whether a read, or an accept, would return at once.
pub(crate) fn has_input(stream: &uv_stream_t) -> bool {
    let fd = stream.io_watcher.fd.get();
    let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry. A failure (a signal) counts as "maybe".
    unsafe { libc::poll(&raw mut asked, 1, 0) != 0 }
}

/// Whether bytes wait although the last read did not fill its buffer: a unix socket ends a read
/// where descriptors come along, wanted or not, and others after each message. What the kernel still
/// moves through a terminal is not in its count: the read that fails ends that.
fn was_cut(stream: &uv_stream_t) -> bool {
    match stream.r#type.get() {
        UV_TTY => true,
        UV_TCP => false,
        _ => has_bytes(stream.io_watcher.fd.get()),
    }
}

/// Whether bytes are known to wait.
fn has_bytes(fd: c_int) -> bool {
    let mut bytes: c_int = 0;
    // SAFETY: FIONREAD writes an int.
    unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) == 0 && bytes != 0 }
}

/// Reports the end of file and stops reading.
fn end_of_file(stream: &uv_stream_t) {
    end_of_file_with(stream, &uv_buf_t { base: ptr::null_mut(), len: 0 });
}

fn end_of_file_with(stream: &uv_stream_t, buf: &uv_buf_t) {
    let callback = stream.read_cb.get();
    stream.set(flag::READ_EOF);
    stop(stream);
    report(stream, callback, UV_EOF as isize, buf);
}

/// Reports an error: the stream is of no use any more.
fn fail(stream: &uv_stream_t, code: c_int, buf: &uv_buf_t) {
    let callback = stream.read_cb.get();
    stream.clear(flag::READABLE | flag::WRITABLE);
    report(stream, callback, code as isize, buf);
    if is_reading(stream) {
        stop(stream);
    }
}

fn deliver(stream: &uv_stream_t, nread: isize, buf: &uv_buf_t) {
    let lent = &stream.inner().lent;
    let outer = lent.replace((buf.base.addr(), buf.len));
    report(stream, stream.read_cb.get(), nread, buf);
    // The loop, and so this cell, outlives the callback.
    lent.set(outer);
}

fn report(stream: &uv_stream_t, callback: uv_read_cb, nread: isize, buf: &uv_buf_t) {
    if let Some(callback) = callback {
        // SAFETY: the program's function, called with its own handle and buffer.
        call::out(stream.owner(), || unsafe { callback(stream.as_ptr(), nread, buf) });
    }
}
