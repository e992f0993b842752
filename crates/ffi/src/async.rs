//! `uv_async_t`: wakes a loop from any thread.
//!
//! A send pushes the handle onto its loop's inbox and, if the loop sleeps, rings. The loop takes
//! the whole inbox at once and calls what is in it, so a wake-up costs the handles that were sent
//! to and not the handles there are. What is taken together is called in the order of
//! initialisation, as libuv's walk over all handles would call it.
//!
//! `pending` counts three things in one word, so that a send that changes nothing is one atomic
//! operation: whether the handle is in the inbox, whether it was closed, and how many senders are
//! between their push and the end of their ring. uv_close waits for those, after which nothing
//! touches the handle, or the loop on its behalf.

use core::cell::Cell;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

use uvring_core::driver::ready::{EDGE, IN};
use uvring_core::list::{self, Link};
use uvring_core::mpsc::{Chain, Node};
use uvring_core::wake::Doorbell;

use crate::abi::*;
use crate::handle::{self, Handle};
use crate::loop_::{call, watch};
use crate::status;

/// In the inbox, or about to be.
const QUEUED: u32 = 1;
/// Closed: sending does nothing.
const CLOSED: u32 = 2;
/// One sender at work.
const SENDER: u32 = 4;

/// What `uv_async_t.queue` and `u` hold: a place in the inbox, then one on the loop's own list.
#[repr(C)]
struct Place {
    node: Node,
    /// Order of initialisation.
    order: Cell<u64>,
}

const _: () = assert!(size_of::<Place>() == size_of::<uv__queue>());

/// # Safety
/// `handle` is an async handle, initialised as far as `place` is concerned.
unsafe fn place(handle: *const uv_async_t) -> *const Place {
    // SAFETY: the field is ours and as large, as asserted above.
    unsafe { (&raw const (*handle).queue).cast() }
}

/// The handle's link on the loop's list of those to call.
fn link(handle: &uv_async_t) -> *const Link {
    // SAFETY: only the address is taken; `init` makes it a link.
    unsafe { &raw const handle.u.links[0] }
}

/// `int uv_async_init(uv_loop_t*, uv_async_t*, uv_async_cb)`: makes the handle and starts it. A NULL
/// callback is allowed: the loop only wakes up.
///
/// # Returns
/// 0; `UV_EMFILE`, `UV_ENFILE`, `UV_ENOMEM` when the loop's eventfd cannot be made.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_async_init(
    owner: *mut uv_loop_t,
    handle: *mut uv_async_t,
    callback: uv_async_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if let Err(code) = want_doorbell(&*owner) {
            return code;
        }
        handle::init(owner, handle.cast(), UV_ASYNC);
        (*handle).async_cb.set(callback);
        (&raw mut (*handle).pending).write(AtomicU32::new(0));
        let counter = &(*owner).inner().async_counter;
        let order = counter.get();
        counter.set(order + 1);
        place(handle).cast_mut().write(Place { node: Node::new(), order: Cell::new(order) });
        list::init(link(&*handle));
        (*handle).start();
    }
    0
}

/// `int uv_async_send(uv_async_t*)`: has the callback called on the loop's thread. Thread-safe and
/// async-signal-safe. Sends before the callback runs are one.
///
/// # Returns
/// 0.
///
/// # Safety
/// `handle` is an initialised async handle whose close callback has not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_async_send(handle: *mut uv_async_t) -> c_int {
    // SAFETY: the caller's promise, handed on.
    unsafe {
        if post(handle) {
            ring(handle);
        }
    }
    0
}

/// The first half of a send: from here on a loop that is awake finds the handle. True when the
/// other half, [`ring`], must follow; until then the handle and its loop cannot go away.
///
/// # Safety
/// As for [`uv_async_send`].
pub(crate) unsafe fn post(handle: *mut uv_async_t) -> bool {
    // SAFETY: the caller's promise.
    let this = unsafe { &*handle };
    let mut seen = this.pending.load(Ordering::Relaxed);
    loop {
        let idle = seen & (QUEUED | CLOSED) == 0;
        let next = if idle { (seen | QUEUED) + SENDER } else { seen };
        // Release, also where nothing changes: what the sender wrote before is visible to the
        // callback whose QUEUED it found, because clearing QUEUED acquires.
        match this.pending.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) if idle => break,
            Ok(_) => return false,
            Err(now) => seen = now,
        }
    }
    // SAFETY: QUEUED was clear, so the node is on no list; SENDER keeps uv_close from finishing,
    // and with it the handle and its loop, until `ring` gives it back.
    unsafe { this.inner().inbox.push(&raw const (*place(handle)).node) };
    true
}

/// Whether the handle was sent to and has not been called yet.
pub(crate) fn is_posted(handle: &uv_async_t) -> bool {
    // Relaxed: a send of another thread may come right after.
    handle.pending.load(Ordering::Relaxed) & QUEUED != 0
}

/// The other half of a send: wakes the loop if it sleeps.
///
/// # Safety
/// [`post`] has said true for `handle`, once for each call.
pub(crate) unsafe fn ring(handle: *mut uv_async_t) {
    // SAFETY: the sender that `post` counted keeps both in place.
    let this = unsafe { &*handle };
    if let Some(bell) = this.inner().doorbell.get() {
        bell.ring();
    }
    // Release: the loop's memory is not touched after this.
    this.pending.fetch_sub(SENDER, Ordering::Release);
}

/// Makes the loop's doorbell and watches it, if that has not been done.
///
/// # Errors
/// `UV_EMFILE`, `UV_ENFILE`, `UV_ENOMEM`.
pub(crate) fn want_doorbell(owner: &uv_loop_t) -> Result<(), c_int> {
    let inner = owner.inner();
    if inner.doorbell.get().is_some() {
        return Ok(());
    }
    let bell = Doorbell::new().map_err(status::from_errno)?;
    let ear = &owner.async_io_watcher;
    ear.fd.set(bell.fd());
    watch::exactly(owner, ear, IN | EDGE)?;
    owner.async_wfd.set(bell.fd());
    if inner.depth.get() != 0 || inner.thread.get() != 0 {
        // The loop runs and will look at the inbox before it sleeps.
        bell.awake();
    }
    let _ = inner.doorbell.set(bell);
    Ok(())
}

/// Makes the loop's descriptor readable for whoever polls it outside uv_run.
pub(crate) fn wake_poller(owner: &uv_loop_t) {
    // Without a doorbell there is still uv_backend_timeout, which says 0.
    if want_doorbell(owner).is_ok()
        && let Some(bell) = owner.inner().doorbell.get()
    {
        bell.ring();
    }
}

/// The doorbell rang: calls the handles that were sent to. Returns how many.
pub(crate) fn run(owner: &uv_loop_t) -> u64 {
    collect(owner);
    run_collected(owner)
}

/// Calls the handles that were collected. What is sent from now on waits for the next turn, as it
/// would if each send rang.
pub(crate) fn run_collected(owner: &uv_loop_t) -> u64 {
    let inner = owner.inner();
    let round = Link::new();
    let mut count = 0;
    // SAFETY: the list holds links of live handles; one that closes takes itself off.
    unsafe {
        if list::is_empty(&raw const inner.woken) {
            return 0;
        }
        list::take(&raw const inner.woken, &raw const round);
        while let Some(link) = list::pop_front(&raw const round) {
            let handle = of_link(link);
            count += 1;
            // Acquire: what senders wrote before is visible from here on. Cleared first, so that a
            // send during the callback is a new one.
            (*handle).pending.fetch_and(!QUEUED, Ordering::AcqRel);
            if let Some(callback) = (*handle).async_cb.get() {
                call::out(owner, || callback(handle));
            }
        }
    }
    count
}

/// Takes what is in the inbox over to the loop's own list, by order of initialisation.
pub(crate) fn collect(owner: &uv_loop_t) {
    let inner = owner.inner();
    if inner.inbox.is_empty() {
        return;
    }
    let woken = &raw const inner.woken;
    let mut chain = inner.inbox.take_newest_first();
    // SAFETY: nodes in the inbox are those of live handles, because uv_close collects too; a handle
    // is QUEUED until it is called, so it is on one list at most.
    unsafe {
        for node in chain.by_ref().take(FEW) {
            list::push_back(woken, link_of(node));
        }
        if !chain.is_empty() {
            spread(woken, chain, inner.async_counter.get());
        }
        list::sort(woken, |a, b| order_of(a) < order_of(b));
    }
}

/// More handles than this are spread over [`HEAPS`] before they are sorted: merging long lists that
/// lie all over the memory waits for it at each step.
const FEW: usize = 1024;
const HEAPS: usize = 1024;

/// Brings what is on `woken` and in `chain` into the order of initialisation. One pass that goes all
/// over the memory, and then one heap after the other, each of neighbours.
///
/// # Safety
/// `woken` holds links of live handles, `chain` their nodes; `orders` is beyond the order of each.
unsafe fn spread(woken: *const Link, chain: Chain, orders: u64) {
    let heaps = [const { Link::new() }; HEAPS];
    let shift = (u64::BITS - orders.leading_zeros()).saturating_sub(HEAPS.ilog2());
    // SAFETY: each element is on one list at a time; the heads stay in place, and are left empty.
    unsafe {
        heaps.iter().for_each(|heap| list::init(heap));
        let heap_of = |link| &raw const heaps[(order_of(link) >> shift) as usize % HEAPS];
        while let Some(link) = list::pop_front(woken) {
            list::push_back(heap_of(link), link);
        }
        for node in chain {
            let link = link_of(node);
            list::push_back(heap_of(link), link);
        }
        for heap in &heaps {
            list::sort(heap, |a, b| order_of(a) < order_of(b));
            list::append(heap, woken);
        }
    }
}

/// # Safety
/// `node` is that of an async handle.
unsafe fn link_of(node: *const Node) -> *const Link {
    // SAFETY: by the caller's word it stands at this offset of a live handle.
    unsafe { link(&*node.byte_sub(core::mem::offset_of!(uv_async_t, queue)).cast::<uv_async_t>()) }
}

/// # Safety
/// `link` is the link of an async handle.
unsafe fn order_of(link: *const Link) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { (*place(of_link(link))).order.get() }
}

/// # Safety
/// `link` is the link of an async handle.
unsafe fn of_link(link: *const Link) -> *mut uv_async_t {
    // SAFETY: by the caller's word it stands at this offset.
    unsafe { link.byte_sub(core::mem::offset_of!(uv_async_t, u)).cast_mut().cast() }
}

/// The handle's part of uv_close: after it no sender touches the handle or the loop for it.
pub(crate) fn close(handle: &uv_async_t) {
    // AcqRel: sees the pushes of senders that came first; later ones see CLOSED.
    let mut seen = handle.pending.fetch_or(CLOSED, Ordering::AcqRel) | CLOSED;
    while seen >= SENDER {
        core::hint::spin_loop();
        // Acquire: pairs with the senders' last decrement.
        seen = handle.pending.load(Ordering::Acquire);
    }
    if seen & QUEUED != 0 {
        collect(handle.owner());
        // SAFETY: initialised with the handle.
        unsafe { list::remove(link(handle)) };
    }
    handle.stop();
}
