//! uv_close, and the phase of a turn that calls the close callbacks, last closed first.

use core::ffi::c_int;
use core::ptr;

use uvring_core::list;

use crate::abi::*;
use crate::handle::{Handle, finish_later, flag};
use crate::loop_::call;
use crate::{
    r#async, fs_event, fs_poll, phase, pipe, poll, process, signal, status, stream, threadpool,
    timer, tty, udp,
};

/// `void uv_close(uv_handle_t*, uv_close_cb)`: stops the handle now and calls `callback` (may be
/// NULL) in a later turn; only then is the memory the program's again. Requests in flight end with
/// `UV_ECANCELED` before that. Closing twice does nothing.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_close(handle: *mut uv_handle_t, callback: uv_close_cb) {
    // SAFETY: the type says what the handle really is.
    unsafe {
        let base = &*handle;
        if base.is_closing() {
            return;
        }
        base.set(flag::CLOSING);
        base.close_cb.set(callback);
        match base.r#type.get() {
            UV_TCP => stream::close(&*handle.cast()),
            UV_TTY => tty::close(&*handle.cast()),
            UV_NAMED_PIPE => pipe::close(&*handle.cast()),
            UV_UDP => udp::close(&*handle.cast()),
            UV_POLL => poll::stop(&*handle.cast()),
            UV_PROCESS => process::close(&*handle.cast()),
            UV_SIGNAL => signal::stop(&*handle.cast()),
            UV_FS_EVENT => fs_event::stop(&*handle.cast()),
            UV_FS_POLL => {
                // A look that is under way ends first, and then queues the handle itself.
                let is_idle = fs_poll::close(&*handle.cast());
                if !is_idle {
                    return;
                }
            }
            UV_TIMER => timer::stop(&*handle.cast()),
            UV_ASYNC => r#async::close(&*handle.cast()),
            UV_IDLE | UV_PREPARE | UV_CHECK => {
                phase::stop(handle.cast());
            }
            _ => {}
        }
        finish_later(base);
    }
}

/// `int uv_tcp_close_reset(uv_tcp_t*, uv_close_cb)`: closes with an RST instead of a FIN.
///
/// # Returns
/// 0; `UV_EINVAL` while uv_shutdown is under way; what setsockopt(2) says. The handle stays open then.
///
/// # Safety
/// `tcp` is initialised and not closing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tcp_close_reset(tcp: *mut uv_tcp_t, callback: uv_close_cb) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let stream = &*tcp.cast::<uv_stream_t>();
        if stream::shutdown_is_due(stream) {
            return UV_EINVAL;
        }
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        let done = libc::setsockopt(
            stream.io_watcher.fd.get(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        );
        if done != 0 {
            return status::last();
        }
        uv_close(tcp.cast(), callback);
    }
    0
}

/// Finishes every closing handle. One whose last operation is still with the kernel stays for the
/// next turn, which comes at once.
pub(crate) fn run(owner: &uv_loop_t) {
    let mut next = owner.closing_handles.replace(ptr::null_mut());
    while !next.is_null() {
        // SAFETY: the stack holds live handles; the link is read before the callback may free it.
        unsafe {
            let handle = &*next;
            next = handle.next_closing.get();
            if is_finished(handle) {
                finish(owner, handle.as_ptr());
            } else {
                finish_later(handle);
            }
        }
    }
}

fn is_finished(handle: &uv_handle_t) -> bool {
    match handle.r#type.get() {
        UV_TCP | UV_NAMED_PIPE | UV_TTY => !handle.has(flag::IN_FLIGHT),
        _ => true,
    }
}

/// # Safety
/// `handle` is closing and nothing of it is with the kernel.
unsafe fn finish(owner: &uv_loop_t, handle: *mut uv_handle_t) {
    // SAFETY: the caller's promise; after the callback the handle is not touched.
    unsafe {
        let base = &*handle;
        base.set(flag::CLOSED);
        match base.r#type.get() {
            UV_TCP | UV_NAMED_PIPE | UV_TTY => stream::destroy(&*handle.cast()),
            UV_UDP => udp::destroy(&*handle.cast()),
            _ => {}
        }
        base.unreference();
        list::remove(&raw const base.handle_queue);
        if let Some(callback) = base.close_cb.get() {
            call::out(owner, || callback(handle));
        }
    }
}

/// `void uv_library_shutdown(void)`: gives back what the library holds for the whole process: the
/// worker threads, the copy of the arguments. Call it when no loop runs.
/// Calling it twice does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn uv_library_shutdown() {
    threadpool::shutdown();
    crate::os::title::shutdown();
    // SAFETY: the program makes no other call at this time, by this function's contract.
    unsafe { crate::errors::free_texts() };
}
