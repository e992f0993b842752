//! uv_shutdown: ends the writing half once everything queued has gone out.

use core::ffi::c_int;
use core::ptr;

use uvring_core::{list, socket};

use super::send;
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::{call, watch};
use crate::{req, status};

/// `int uv_shutdown(uv_shutdown_t*, uv_stream_t*, uv_shutdown_cb)`: shuts the writing half after
/// what is queued. From now on the stream is not writable.
///
/// # Returns
/// 0; `UV_ENOTCONN` when the stream is not writable, was shut already or is closing.
///
/// # Safety
/// `req` is valid for writes until its callback, `stream` initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_shutdown(
    req: *mut uv_shutdown_t,
    stream: *mut uv_stream_t,
    callback: uv_shutdown_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let this = &*stream;
        if !this.has(flag::WRITABLE) || this.has(flag::SHUT) || is_due(this) || this.is_closing() {
            return UV_ENOTCONN;
        }
        send::send_deferred(this);
        req::start(this.owner(), req.cast(), UV_SHUTDOWN);
        (*req).handle.set(stream);
        (*req).cb.set(callback);
        this.shutdown_req.set(req);
        this.clear(flag::WRITABLE);
        if list::is_empty(&raw const this.write_queue) {
            watch::feed(this.owner(), &this.io_watcher);
        }
    }
    0
}

/// Whether a shutdown waits.
pub(crate) fn is_due(stream: &uv_stream_t) -> bool {
    !stream.shutdown_req.get().is_null()
}

/// Nothing is queued any more: does the shutdown that waits, if one does.
pub(super) fn finish(stream: &uv_stream_t) {
    if !is_due(stream) {
        return;
    }
    let owner = stream.owner();
    let waiting = stream.shutdown_req.replace(ptr::null_mut());
    req::done(owner);
    let code = if stream.is_closing() {
        UV_ECANCELED
    } else {
        let code = status::from_result(socket::shutdown(stream.io_watcher.fd.get(), libc::SHUT_WR));
        if code == 0 {
            stream.set(flag::SHUT);
        }
        code
    };
    // SAFETY: the request is live until its callback, which is the last use of it.
    unsafe {
        if let Some(callback) = (*waiting).cb.get() {
            call::out(owner, || callback(waiting, code));
        }
    }
}
