//! uv_close, and the phase of a turn that calls the close callbacks, last closed first.

use core::ptr;

use uvring_core::list;

use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::call;
use crate::{r#async, phase, pipe, poll, stream, threadpool, timer, udp};

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
            UV_TCP | UV_TTY => stream::close(&*handle.cast()),
            UV_NAMED_PIPE => pipe::close(&*handle.cast()),
            UV_UDP => udp::close(&*handle.cast()),
            UV_POLL => poll::stop(&*handle.cast()),
            UV_TIMER => timer::stop(&*handle.cast()),
            UV_ASYNC => r#async::close(&*handle.cast()),
            UV_IDLE | UV_PREPARE | UV_CHECK => {
                phase::stop(handle.cast());
            }
            _ => {}
        }
        queue(base);
    }
}

/// Puts a handle on the loop's stack of those to finish.
fn queue(base: &uv_handle_t) {
    let owner = base.owner();
    base.next_closing.set(owner.closing_handles.get());
    owner.closing_handles.set(base.as_ptr());
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
                queue(handle);
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
/// worker threads. Call it when no loop runs.
/// Calling it twice does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn uv_library_shutdown() {
    threadpool::shutdown();
    // SAFETY: the program makes no other call at this time, by this function's contract.
    unsafe { crate::errors::free_texts() };
}
