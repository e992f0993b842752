//! The end of a connection attempt.

use core::ffi::c_int;
use core::ptr;

use uvring_core::driver::ready::OUT;
use uvring_core::{Errno, list, socket};

use super::write;
use crate::abi::*;
use crate::handle::Handle;
use crate::loop_::{call, watch};
use crate::{req, status};

/// The socket became writable, or the attempt failed at once and the stream was fed.
pub(super) fn finish(stream: &uv_stream_t) {
    let code = match stream.delayed_error.replace(0) {
        // Also for a unix socket: its listener may have been closed meanwhile.
        0 => outcome(stream.io_watcher.fd.get()),
        // uv_connect had the answer and kept it for here.
        code => code,
    };
    if code == -libc::EINPROGRESS {
        return;
    }
    let connecting = stream.connect_req.replace(ptr::null_mut());
    req::done(stream.owner());
    // SAFETY: the list head of an initialised stream.
    let idle = unsafe { list::is_empty(&raw const stream.write_queue) };
    if code < 0 || idle {
        watch::stop(stream.owner(), &stream.io_watcher, OUT);
    }
    // SAFETY: the request is live until its callback, which is the last use of it.
    unsafe {
        if let Some(callback) = (*connecting).cb.get() {
            call::out(stream.owner(), || callback(connecting, code));
        }
    }
    if stream.io_watcher.fd.get() == -1 {
        return;
    }
    if code < 0 {
        write::fail_queued(stream, UV_ECANCELED);
        write::call_back(stream);
    } else if !idle {
        super::advance(stream);
    }
}

fn outcome(fd: c_int) -> c_int {
    match socket::error(fd) {
        Ok(None) => 0,
        Ok(Some(Errno::INPROGRESS)) => -libc::EINPROGRESS,
        Ok(Some(error)) | Err(error) => status::from_errno(error),
    }
}
