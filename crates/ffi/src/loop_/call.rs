//! Going out into C and coming back.
//!
//! Every callback that is not part of a call the program itself made goes through [`out`]. When it
//! returns, what it wrote and was told to gather goes out; nothing written in a callback waits
//! longer than that callback.

use uvring_core::list;

use crate::abi::*;
use crate::handle::flag;

/// Calls `callback`, then sends what it wrote. The loop outlives the call; nothing else may.
pub(crate) fn out(owner: &uv_loop_t, callback: impl FnOnce()) {
    let inner = owner.inner();
    inner.serial.set(inner.serial.get() + 1);
    inner.depth.set(inner.depth.get() + 1);
    callback();
    // SAFETY: the list head of an initialised loop.
    if unsafe { !list::is_empty(&raw const owner.watcher_queue) } {
        send_deferred(owner);
    }
    inner.depth.set(inner.depth.get() - 1);
}

/// Sends what streams have gathered.
#[cold]
pub(crate) fn send_deferred(owner: &uv_loop_t) {
    // SAFETY: the list holds the flush links of streams of this loop; a stream that closes takes
    // itself off. Sending calls nobody back, so the list only shrinks.
    unsafe {
        while let Some(link) = list::pop_front(&raw const owner.watcher_queue) {
            (owner.inner().send)(&*stream_of(link));
        }
    }
}

/// The stream that a flush link belongs to.
///
/// # Safety
/// `link` is the first of the two links in a stream's `u`.
unsafe fn stream_of(link: *const uv__queue) -> *const uv_stream_t {
    // SAFETY: by the caller's word the link is at this offset of a stream.
    unsafe { link.byte_sub(core::mem::offset_of!(uv_stream_t, u)).cast() }
}

/// Puts a stream on the list of those to send when the callback returns.
pub(crate) fn send_later(stream: &uv_stream_t) {
    use crate::handle::Handle;
    if stream.has(flag::FLUSH_DUE) {
        return;
    }
    stream.set(flag::FLUSH_DUE);
    // SAFETY: FLUSH_DUE was clear, so the link is on no list; it overlays plain words, and is
    // initialised here. The stream takes itself off before its memory goes.
    unsafe {
        let link = &raw const stream.u.links[0];
        list::init(link);
        list::push_back(&raw const stream.owner().watcher_queue, link);
    }
}

/// Takes a stream off that list.
pub(crate) fn send_no_more(stream: &uv_stream_t) {
    use crate::handle::Handle;
    if stream.has(flag::FLUSH_DUE) {
        stream.clear(flag::FLUSH_DUE);
        // SAFETY: FLUSH_DUE says that the link is initialised.
        unsafe { list::remove(&raw const stream.u.links[0]) };
    }
}
