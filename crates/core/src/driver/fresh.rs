//! Watches that the kernel does not know yet.
//!
//! A connection that was just accepted often has its first message with it, and one that lives for
//! one exchange ends soon after. So a watch that is started while events are handed out is first
//! looked at, together with all others of that round, by one poll(2); only when nothing is there it
//! goes into the epoll set, or gets a poll in the ring. That saves both for a short-lived connection,
//! and its first message is read in the turn in which it would have been anyway.

use super::glance::{glance, wanted};
use super::queue::Queue;
use super::watch::{Watch, ready};
use crate::Result;

/// Bits of `Watch::state`, beside those of the backends: what there is to report; the watch waits
/// for a look; it has something to report; the kernel refused it; how often it was looked at.
const MASK_SHIFT: u32 = 8;
const QUEUED: u32 = 1 << 24;
const FOUND: u32 = 1 << 25;
const REFUSED: u32 = 1 << 26;
const LOOK: u32 = 1 << 28;
const LOOKS: u32 = 0xf << 28;

/// After this many looks the kernel gets a watch even if it is ready each time.
const ENOUGH: u32 = 4 * LOOK;

#[derive(Debug)]
pub(super) struct Fresh {
    waiting: Queue,
    found: Queue,
}

impl Fresh {
    pub(super) const fn new() -> Self {
        Fresh { waiting: Queue::new(), found: Queue::new() }
    }

    /// Whether there is nothing to look at and nothing to report.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.found.is_empty()
    }

    /// Whether [`next`](Self::next) has something.
    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether the kernel does not know the watch, because it is here.
    pub(super) fn holds(watch: &Watch) -> bool {
        watch.state.get() & (QUEUED | FOUND) != 0
    }

    /// Takes a watch that is being started.
    pub(super) fn push(&self, watch: &Watch) {
        watch.state.set(QUEUED);
        // SAFETY: on no queue; the driver calls `forget` before its memory goes.
        unsafe { self.waiting.push(watch) };
    }

    /// Lets go of the watch.
    pub(super) fn forget(&self, watch: &Watch) {
        // SAFETY: the bits say on which queue the watch is.
        unsafe {
            if watch.state.get() & QUEUED != 0 {
                self.waiting.remove(watch);
            }
            if watch.state.get() & FOUND != 0 {
                self.found.remove(watch);
            }
        }
        watch.state.set(0);
    }

    /// Looks at all that wait. What is ready is there for [`next`](Self::next). If nothing is, all of
    /// it goes to `add`, for a sleep may follow; else only what was looked at often enough, and the
    /// rest waits for the next look. What `add` refuses is reported as an error.
    #[inline]
    pub(super) fn look(&self, add: &dyn Fn(&Watch) -> Result<()>) {
        if !self.waiting.is_empty() {
            self.look_at_all(add);
        }
    }

    fn look_at_all(&self, add: &dyn Fn(&Watch) -> Result<()>) {
        let missed = Queue::new();
        glance(&self.waiting, |watch, mask| {
            let looks = watch.state.get() & LOOKS;
            let mask = mask.unwrap_or(0);
            if looks == ENOUGH {
                self.give(watch, add);
            } else if mask != 0 {
                self.report(watch, mask, looks + LOOK);
            } else {
                watch.state.set(QUEUED | (looks + LOOK));
                // SAFETY: just taken off the only queue it was on.
                unsafe { missed.push(watch) };
            }
        });
        while let Some(watch) = missed.take() {
            if self.has_found() {
                // SAFETY: just taken off the only queue it was on.
                unsafe { self.waiting.push(watch) };
            } else {
                self.give(watch, add);
            }
        }
    }

    /// Gives all that wait to `add` without a look.
    pub(super) fn give_all(&self, add: &dyn Fn(&Watch) -> Result<()>) {
        while let Some(watch) = self.waiting.take() {
            self.give(watch, add);
        }
    }

    fn give(&self, watch: &Watch, add: &dyn Fn(&Watch) -> Result<()>) {
        watch.state.set(0);
        if add(watch).is_err() {
            self.report(watch, ready::ERR, REFUSED);
        }
    }

    fn report(&self, watch: &Watch, mask: u32, state: u32) {
        watch.state.set(mask << MASK_SHIFT | state | FOUND);
        // SAFETY: just taken off the only queue it was on.
        unsafe { self.found.push(watch) };
    }

    /// The next watch that was found ready, and how. It waits for another look after that.
    #[inline]
    pub(super) fn next(&self) -> Option<(&Watch, u32)> {
        while let Some(watch) = self.found.take() {
            let state = watch.state.get();
            // The interest may have been narrowed since.
            let mask = state >> MASK_SHIFT & wanted(watch);
            if state & REFUSED != 0 {
                watch.state.set(REFUSED);
            } else {
                watch.state.set(QUEUED | state & LOOKS);
                // SAFETY: just taken off the only queue it was on.
                unsafe { self.waiting.push(watch) };
            }
            if mask != 0 {
                return Some((watch, mask));
            }
        }
        None
    }
}
