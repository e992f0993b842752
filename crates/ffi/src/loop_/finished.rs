//! Requests that finished within the call that started them: their callbacks come from the loop.
//!
//! They wait on a list of the loop's and wake nobody: a loop that runs looks at the list before it
//! sleeps. What the callbacks finish in their turn is handed out in the same turn, so that a chain
//! of short calls costs one look at the kernel and not one for each step; but no more than
//! [`A_TURN`], and only while nothing else waits for its part of the turn.

use core::cell::Cell;
use core::ptr;

use uvring_core::list::{self, Link};

use crate::abi::*;
use crate::linger;

/// Callbacks of a turn; what is left keeps the next turn from sleeping.
const A_TURN: u32 = 128;

/// Small calls that may be made on the loop's thread in one turn. Beyond that the work is shared
/// among threads, and the loop sees to its descriptors in time.
const CALLS: u32 = 256;

/// So often the answer to "how many CPUs" is used before it is asked for again.
const ASK_EACH: u32 = 1024;

/// A loop's list of finished requests.
pub(crate) struct Finished {
    list: Link,
    /// How many are on it.
    waiting: Cell<u32>,
    /// Look-ups of names that are under way elsewhere, and opens.
    pub(crate) looking: Cell<u32>,
    pub(crate) opening: Cell<u32>,
    /// Small calls that may still be made before the turn ends.
    left: Cell<u32>,
    /// Whether there is one CPU only, and how often this is still good for an answer.
    alone: Cell<(bool, u32)>,
    /// The program asked for the descriptor to poll: it may wait there instead of in uv_run.
    pub(crate) polled: Cell<bool>,
}

impl Finished {
    /// One that is to be put into place with [`init`](Self::init).
    pub(super) const fn new() -> Self {
        Finished {
            list: Link::new(),
            waiting: Cell::new(0),
            looking: Cell::new(0),
            opening: Cell::new(0),
            left: Cell::new(CALLS),
            alone: Cell::new((false, 0)),
            polled: Cell::new(false),
        }
    }

    /// # Safety
    /// It stays where it is from now on.
    pub(super) unsafe fn init(&self) {
        // SAFETY: the caller's promise.
        unsafe { list::init(&raw const self.list) };
    }

    /// Whether `cost` more small calls may be made in this turn; if so they count as made.
    pub(crate) fn take_calls(&self, cost: u32) -> bool {
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or(self.left.get()));
        left.is_some()
    }

    /// Whether the loop's thread shares its CPU with all others of the process.
    pub(crate) fn is_alone(&self) -> bool {
        let (alone, left) = match self.alone.get() {
            (_, 0) => (linger::is_alone(), ASK_EACH),
            (alone, left) => (alone, left - 1),
        };
        self.alone.set((alone, left));
        alone
    }

    /// How many are waiting for their callback.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.get()
    }

    /// Nothing is waiting.
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: in place since `init`.
        unsafe { list::is_empty(&raw const self.list) }
    }
}

/// Puts a finished request on the list. True when somebody may be asleep on the loop's descriptor,
/// outside uv_run, and has to be told.
///
/// # Safety
/// `job` is part of a request of this loop that was started; its link is on no list, and it stays
/// valid until [`run`] hands it out.
#[must_use]
pub(crate) unsafe fn push(owner: &uv_loop_t, job: *const uv__work) -> bool {
    let finished = &owner.inner().finished;
    // SAFETY: the caller's promise; the list is the loop's.
    unsafe {
        let link = &raw const (*job).wq;
        list::init(link);
        list::push_back(&raw const finished.list, link);
    }
    finished.waiting.set(finished.waiting.get() + 1);
    finished.polled.get() && owner.inner().thread.get() == 0
}

/// Hands out what has finished. `deliver` counts the request as done and calls back; `others` says
/// whether another part of the turn is waiting.
pub(super) fn run(
    owner: &uv_loop_t,
    deliver: impl Fn(*const uv__work),
    others: impl Fn(&uv_loop_t) -> bool,
) -> u64 {
    let finished = &owner.inner().finished;
    finished.left.set(CALLS);
    let mut count = 0;
    // SAFETY: the list holds links of started requests, which stay valid until they are handed out;
    // each is off the list by then.
    unsafe {
        while !finished.is_empty() {
            let last = list::last(&raw const finished.list).unwrap_or(ptr::null());
            while let Some(link) = list::pop_front(&raw const finished.list) {
                count += 1;
                finished.waiting.set(finished.waiting.get().saturating_sub(1));
                deliver(link.byte_sub(core::mem::offset_of!(uv__work, wq)).cast());
                if ptr::eq(link, last) || count >= A_TURN {
                    break;
                }
            }
            if count >= A_TURN || owner.stop_flag.get() != 0 || others(owner) {
                break;
            }
        }
    }
    u64::from(count)
}
