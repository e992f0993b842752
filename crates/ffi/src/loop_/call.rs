//! Going out into C and coming back.
//!
//! Every callback that is not part of a call the program itself made goes through [`out`]. When it
//! returns, what it wrote on streams and was told to gather goes out; nothing written in a callback
//! waits longer than that callback. Datagrams of a handle whose callbacks come one after the other
//! wait for the last of them: see [`batch`].

use uvring_core::list;

use crate::abi::*;
use crate::handle::{Handle, flag};

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

/// Runs `callbacks`, a loop that hands out what one handle has: what it sends with [`send_later`]
/// goes out behind the last of them. The loop outlives the call.
pub(crate) fn batch(owner: &uv_loop_t, callbacks: impl FnOnce()) {
    let inner = owner.inner();
    let outer = inner.batch.replace(inner.serial.get() + 1);
    callbacks();
    inner.batch.set(outer);
    send_all(owner, &raw const inner.held);
}

/// Tells the sends of one callback, or of one [`batch`], from those of others; 0 outside of both.
pub(crate) fn epoch(owner: &uv_loop_t) -> u64 {
    let inner = owner.inner();
    match (inner.batch.get(), inner.depth.get()) {
        (0, 0) => 0,
        (0, _) => inner.serial.get(),
        (batch, _) => batch,
    }
}

/// Sends what handles have gathered.
#[cold]
pub(crate) fn send_deferred(owner: &uv_loop_t) {
    send_all(owner, &raw const owner.watcher_queue);
    send_all(owner, &raw const owner.inner().held);
}

/// Sends for every handle on one of the two lists.
fn send_all(owner: &uv_loop_t, due: *const uv__queue) {
    // SAFETY: the lists hold the flush links of handles of this loop; a handle that closes takes
    // itself off. Sending calls nobody back, so the list only shrinks.
    unsafe {
        while let Some(link) = list::pop_front(due) {
            (owner.inner().send)(&*handle_of(link));
        }
    }
}

/// The handle that a flush link belongs to.
///
/// # Safety
/// `link` is the first of the two links in a handle's `u`.
unsafe fn handle_of(link: *const uv__queue) -> *const uv_handle_t {
    // SAFETY: by the caller's word the link is at this offset of a handle.
    unsafe { link.byte_sub(core::mem::offset_of!(uv_handle_t, u)).cast() }
}

/// Puts a stream or a UDP handle on the list of those to send when the callback returns, or when
/// the [`batch`] ends if it is a UDP handle.
pub(crate) fn send_later(handle: &impl Handle) {
    let handle = handle.base();
    if handle.has(flag::FLUSH_DUE) {
        return;
    }
    handle.set(flag::FLUSH_DUE);
    let owner = handle.owner();
    let holds = handle.r#type.get() == UV_UDP && owner.inner().batch.get() != 0;
    let due = if holds { &raw const owner.inner().held } else { &raw const owner.watcher_queue };
    // SAFETY: FLUSH_DUE was clear, so the link is on no list; it overlays plain words, and is
    // initialised here. The handle takes itself off before its memory goes.
    unsafe {
        let link = &raw const handle.u.links[0];
        list::init(link);
        list::push_back(due, link);
    }
}

/// Takes a handle off that list.
pub(crate) fn send_no_more(handle: &impl Handle) {
    let handle = handle.base();
    if handle.has(flag::FLUSH_DUE) {
        handle.clear(flag::FLUSH_DUE);
        // SAFETY: FLUSH_DUE says that the link is initialised.
        unsafe { list::remove(&raw const handle.u.links[0]) };
    }
}
