//! A ring beside epoll, for operations on files: made with the first one.
//!
//! Its completions are seen in memory; its descriptor is in the epoll set, so that a sleep ends when
//! one comes. They may be delivered to whatever thread waits, which a ring that defers them to its
//! own thread could not.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};

use super::entry;
use super::op::{Op, Request, SUBMITTED};
use crate::epoll::Epoll;
use crate::uring::sqe::{CancelFlags, SqeFlags};
use crate::uring::{Config, Ring, SetupFlags};
use crate::{Errno, Result};

/// Places in the submission queue; four times as many completions.
const ENTRIES: u32 = 256;
/// How long the kernel's polling thread looks for work before it sleeps.
const POLL_IDLE_MS: u32 = 10;
/// What the epoll set says when the ring has something: of no watch, for descriptors are not
/// negative.
pub(super) const MARK: u64 = u64::MAX;

/// Set when the kernel refused a ring: it is not asked again.
static REFUSED: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
pub(super) struct Beside {
    ring: Ring,
    in_flight: Cell<u32>,
    /// A thread of the kernel's takes the entries.
    polled: bool,
}

impl Beside {
    /// Makes the ring and enters it into the set.
    pub(super) fn new(epoll: &Epoll, polled: bool) -> Result<Self> {
        // Relaxed: a hint that saves a system call, nothing depends on it.
        if REFUSED.load(Ordering::Relaxed) {
            return Err(Errno::NOSYS);
        }
        let ring = match Ring::new(&config(polled)) {
            Ok(ring) => ring,
            // Running out of descriptors says nothing about the kernel.
            Err(error @ (Errno::MFILE | Errno::NFILE)) => return Err(error),
            Err(_) if polled => return Self::new(epoll, false),
            Err(error) => {
                REFUSED.store(true, Ordering::Relaxed);
                return Err(error);
            }
        };
        epoll.add(ring.fd(), super::ready::IN, MARK)?;
        Ok(Beside { ring, in_flight: Cell::new(0), polled })
    }

    /// Queues an op; [`hand_over`](Self::hand_over) gives it to the kernel.
    ///
    /// # Safety
    /// As [`Driver::submit`](super::Driver::submit).
    pub(super) unsafe fn submit(&self, op: &Op, request: &Request) -> Result<()> {
        if op.in_flight() {
            return Err(Errno::ALREADY);
        }
        if self.in_flight.get() >= self.ring.capacity() / 2 {
            return Err(Errno::BUSY);
        }
        let address = (&raw const *op).expose_provenance() as u64;
        // SAFETY: the caller's promise.
        let sqe = unsafe { entry::encode(request) }.user_data(address);
        if self.ring.push(sqe) == Err(Errno::BUSY) {
            self.hand_over();
            self.ring.push(sqe)?;
        }
        op.state.set(SUBMITTED);
        self.in_flight.set(self.in_flight.get() + 1);
        if self.polled {
            self.hand_over();
        }
        Ok(())
    }

    pub(super) fn cancel(&self, op: &Op) {
        let target = (&raw const *op).addr() as u64;
        let sqe = crate::uring::Sqe::cancel(target, CancelFlags::empty());
        // What finds no room asks for nothing: the op ends by itself.
        if op.in_flight() && self.ring.push(sqe.flags(SqeFlags::CQE_SKIP_SUCCESS)).is_ok() {
            self.hand_over();
        }
    }

    /// Ends an op that has not begun.
    pub(super) fn cancel_now(&self, op: &Op) -> bool {
        entry::cancel_now(&self.ring, op, (&raw const *op).addr() as u64)
    }

    /// Gives the kernel what is queued. What it does not take goes with the next call.
    pub(super) fn hand_over(&self) {
        let _ = if self.polled { self.ring.submit_polled() } else { self.ring.submit().map(drop) };
    }

    /// Whether something is queued that nobody takes by himself.
    pub(super) fn is_queued(&self) -> bool {
        !self.polled && self.ring.pending() > 0
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ring.ready() > 0
    }

    /// The next op that is done.
    pub(super) fn next(&self) -> Option<(*const Op, i32)> {
        while let Some(cqe) = self.ring.pop() {
            // A cancellation's own completion.
            if cqe.user_data == 0 {
                continue;
            }
            let op: *const Op = core::ptr::with_exposed_provenance(cqe.user_data as usize);
            self.in_flight.set(self.in_flight.get().saturating_sub(1));
            // SAFETY: an op stays in place until this completion, by `submit`'s promise.
            return Some((op, entry::settle(unsafe { &*op }, cqe.raw())));
        }
        None
    }
}

fn config(polled: bool) -> Config {
    let base = Config::new(ENTRIES);
    if polled {
        let required = SetupFlags::SQPOLL;
        let wanted = SetupFlags::CQSIZE | SetupFlags::CLAMP | SetupFlags::NO_SQARRAY;
        Config { wanted, required, idle_ms: POLL_IDLE_MS, ..base }
    } else {
        // No interrupting of the thread for a completion: it looks when it waits.
        let required = SetupFlags::COOP_TASKRUN;
        let wanted = SetupFlags::CQSIZE
            | SetupFlags::CLAMP
            | SetupFlags::NO_SQARRAY
            | SetupFlags::SUBMIT_ALL;
        Config { wanted, required, ..base }
    }
}
