//! Watches whose last read may have left something.
//!
//! A multishot poll reports each arrival once. A read that did not fill its buffer has mostly taken
//! all there was, but a unix socket also ends a read where descriptors come along, and only
//! recvmsg(2), which costs more, says so. So these watches are looked at before the next wait, all by
//! one poll(2). What the ring reports to read first is as good as a look.

use super::poll::{AGAIN, ARMED, MASK_SHIFT, QUEUED, has};
use crate::driver::glance::{glance, wanted};
use crate::driver::queue::Queue;
use crate::driver::watch::{Watch, ready};

/// Bits of `Watch::state`: the watch waits for a look; it has something to report, kept above
/// `MASK_SHIFT`.
const WAITS: u32 = 1 << 4;
const FOUND: u32 = 1 << 5;

#[derive(Debug)]
pub(super) struct Unsure {
    waiting: Queue,
    found: Queue,
}

impl Unsure {
    pub(super) const fn new() -> Self {
        Unsure { waiting: Queue::new(), found: Queue::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.found.is_empty()
    }

    /// Whether [`next`](Self::next) has something.
    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// Takes a watch, if it is not about to be looked at in any case.
    pub(super) fn push(&self, watch: &Watch) {
        if has(watch, ARMED) && !has(watch, QUEUED | AGAIN | WAITS | FOUND) {
            watch.state.set(watch.state.get() | WAITS);
            // SAFETY: on no queue; the driver calls `forget` before its memory goes.
            unsafe { self.waiting.push(watch) };
        }
    }

    /// Lets go of the watch, if it is here.
    #[inline]
    pub(super) fn forget(&self, watch: &Watch) {
        if has(watch, WAITS | FOUND) {
            let queue = if has(watch, WAITS) { &self.waiting } else { &self.found };
            // SAFETY: the bits say on which queue the watch is.
            unsafe { queue.remove(watch) };
            settle(watch);
        }
    }

    /// The ring reports `mask` of the watch. It may be that there is room to write, and nothing else
    /// of what there is.
    #[inline]
    pub(super) fn told(&self, watch: &Watch, mask: u32) {
        if mask & ready::IN != 0 {
            self.forget(watch);
        }
    }

    /// Looks at all that wait. What is ready is there for [`next`](Self::next).
    #[inline]
    pub(super) fn look(&self) {
        if !self.waiting.is_empty() {
            self.look_at_all();
        }
    }

    fn look_at_all(&self) {
        glance(&self.waiting, |watch, mask| {
            settle(watch);
            // Whoever is asked in vain reads nothing; whoever is forgotten waits for ever.
            let mask = mask.unwrap_or(ready::IN);
            if mask != 0 {
                watch.state.set(watch.state.get() | FOUND | mask << MASK_SHIFT);
                // SAFETY: just taken off the only queue it was on.
                unsafe { self.found.push(watch) };
            }
        });
    }

    /// The next watch that has something, and what.
    pub(super) fn next(&self) -> Option<(&Watch, u32)> {
        while let Some(watch) = self.found.take() {
            let mask = watch.state.get() >> MASK_SHIFT & wanted(watch);
            settle(watch);
            if mask != 0 {
                return Some((watch, mask));
            }
        }
        None
    }
}

/// The watch is on none of the queues.
fn settle(watch: &Watch) {
    watch.state.set(watch.state.get() & ((1 << MASK_SHIFT) - 1) & !(WAITS | FOUND));
}
