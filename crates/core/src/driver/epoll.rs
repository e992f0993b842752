//! The epoll backend: watches are level-triggered entries; operations on files go to a ring beside
//! it, others are not offered. A watch that drains and is started while events are handed out is
//! looked at before it becomes an entry.

use core::cell::{Cell, OnceCell, UnsafeCell};
use core::mem::MaybeUninit;
use core::time::Duration;

use super::beside::{Beside, MARK};
use super::fresh::Fresh;
use super::{Event, Op, Request, Table, Watch, ready};
use crate::epoll::{self, Epoll};
use crate::{Errno, Result};

/// Events taken from the kernel in one wait.
const BATCH: usize = 256;

#[derive(Debug)]
pub(super) struct Driver {
    epoll: Epoll,
    batch: UnsafeCell<[MaybeUninit<epoll::Event>; BATCH]>,
    /// How many of `batch` the last wait filled, and how many of those `next` has handed out.
    filled: Cell<usize>,
    taken: Cell<usize>,
    generation: Cell<u32>,
    /// Between a wait, or the word that one follows, and the `None` that ends its events.
    in_round: Cell<bool>,
    fresh: Fresh,
    beside: OnceCell<Beside>,
    /// The ring is to be polled by the kernel.
    polled: Cell<bool>,
}

impl Driver {
    pub(super) fn new() -> Result<Self> {
        Ok(Driver {
            epoll: Epoll::new()?,
            batch: UnsafeCell::new([const { MaybeUninit::uninit() }; BATCH]),
            filled: Cell::new(0),
            taken: Cell::new(0),
            generation: Cell::new(0),
            in_round: Cell::new(false),
            fresh: Fresh::new(),
            beside: OnceCell::new(),
            polled: Cell::new(false),
        })
    }

    pub(super) fn watch(&self, watch: &Watch, interest: u32) -> Result<()> {
        if watch.interest.get() != 0 {
            return if Fresh::holds(watch) { Ok(()) } else { self.modify(watch, interest) };
        }
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        watch.generation.set(generation);
        if self.in_round.get() && interest & ready::DRAINS != 0 {
            self.fresh.push(watch);
            return Ok(());
        }
        watch.state.set(0);
        self.add(watch, interest)
    }

    fn add(&self, watch: &Watch, interest: u32) -> Result<()> {
        let (fd, flags, data) = entry_of(watch, interest);
        match self.epoll.add(fd, flags, data) {
            // Left behind by a descriptor that was closed while a copy of it lives on.
            Err(Errno::EXIST) => self.epoll.modify(fd, flags, data),
            other => other,
        }
    }

    fn modify(&self, watch: &Watch, interest: u32) -> Result<()> {
        let (fd, flags, data) = entry_of(watch, interest);
        match self.epoll.modify(fd, flags, data) {
            // Taken out behind our back, as some programs do after stopping a poll handle.
            Err(Errno::NOENT) => self.epoll.add(fd, flags, data),
            other => other,
        }
    }

    pub(super) fn unwatch(&self, watch: &Watch) {
        if Fresh::holds(watch) {
            self.fresh.forget(watch);
            return;
        }
        // An error means that the kernel has forgotten it already: the descriptor was closed.
        let _ = self.epoll.remove(watch.fd.get());
    }

    pub(super) fn unwatch_and_close(&self, watch: &Watch) {
        let fd = watch.fd.get();
        if watch.interest.get() != 0 {
            self.unwatch(watch);
        }
        if fd >= 0 {
            // SAFETY: the caller gives the descriptor away.
            unsafe { rustix::io::close(fd) };
        }
    }

    /// Entries of watchers that drain are level-triggered here and come again by themselves.
    pub(super) fn again(&self, _watch: &Watch, _mask: u32) {}

    pub(super) fn unsure(&self, _watch: &Watch) {}

    pub(super) fn poll_files(&self) {
        self.polled.set(true);
    }

    pub(super) unsafe fn submit(&self, op: &Op, request: &Request) -> Result<()> {
        if !request.is_file() {
            return Err(Errno::NOSYS);
        }
        let beside = match self.beside.get() {
            Some(beside) => beside,
            None => {
                let fresh = Beside::new(&self.epoll, self.polled.get())?;
                self.beside.get_or_init(|| fresh)
            }
        };
        // SAFETY: the caller's promise.
        unsafe { beside.submit(op, request) }
    }

    /// Operations on files only.
    pub(super) fn has_company(&self) -> bool {
        self.beside.get().is_some_and(Beside::is_queued)
    }

    pub(super) fn cancel(&self, op: &Op) {
        if let Some(beside) = self.beside.get() {
            beside.cancel(op);
        }
    }

    pub(super) fn cancel_now(&self, op: &Op) -> bool {
        self.beside.get().is_some_and(|beside| beside.cancel_now(op))
    }

    pub(super) fn reap(&self, _op: &Op) -> Option<i32> {
        None
    }

    /// A batch is what one wait brought, and nothing joins it.
    pub(super) fn no_news(&self) {}

    pub(super) fn flush(&self) {
        self.fresh.give_all(&|watch| self.add(watch, watch.interest.get()));
        self.hand_over_files();
    }

    pub(super) fn begin_round(&self) {
        self.in_round.set(true);
    }

    fn hand_over_files(&self) {
        if let Some(beside) = self.beside.get()
            && beside.is_queued()
        {
            beside.hand_over();
        }
    }

    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        debug_assert_eq!(self.taken.get(), self.filled.get(), "events left from the last wait");
        self.filled.set(0);
        self.taken.set(0);
        self.hand_over_files();
        self.fresh.look(&|watch| self.add(watch, watch.interest.get()));
        let at_hand = self.fresh.has_found() || self.beside.get().is_some_and(Beside::is_ready);
        let timeout = if at_hand { Some(Duration::ZERO) } else { timeout };
        // SAFETY: no reference into the batch lives across calls; `next` copies events out.
        let batch = unsafe { &mut *self.batch.get() };
        let filled = self.epoll.wait(batch, timeout)?.len();
        self.filled.set(filled);
        self.in_round.set(true);
        Ok(filled == BATCH)
    }

    pub(super) fn next(&self, table: &Table) -> Option<Event> {
        loop {
            let index = self.taken.get();
            if index == self.filled.get() {
                return self.next_found();
            }
            self.taken.set(index + 1);
            let event = self.event(index);
            let data = event.data.u64();
            if data == MARK {
                continue;
            }
            if index + 1 < self.filled.get() {
                table.fetch(unpack(self.event(index + 1).data.u64()).0);
            }
            let (fd, generation) = unpack(data);
            match table.find(fd, generation) {
                // A change earlier in the batch may have narrowed the interest since.
                Some(watch) => {
                    let flags = { event.flags }.bits();
                    let mask = flags & (watch.interest.get() | ready::ERR | ready::HUP);
                    if mask != 0 {
                        return Some(Event::Ready(watch, mask));
                    }
                }
                // Of a watch that has ended. If nobody has the number now, the entry is an orphan
                // (its descriptor was closed, a copy lives on) and would be reported for ever.
                None if table.slot(fd).is_none_or(|slot| slot.get().is_null()) => {
                    let _ = self.epoll.remove(fd);
                }
                None => {}
            }
        }
    }

    /// The event with this index, of those that the last wait filled.
    fn event(&self, index: usize) -> epoll::Event {
        // SAFETY: the last wait filled this entry, and nothing writes the batch meanwhile.
        unsafe { (*self.batch.get())[index].assume_init() }
    }

    /// What did not come from the set.
    fn next_found(&self) -> Option<Event> {
        if let Some((watch, mask)) = self.fresh.next() {
            return Some(Event::Ready(watch, mask));
        }
        let done = self.beside.get().and_then(Beside::next);
        self.in_round.set(done.is_some());
        done.map(|(op, result)| Event::Done(op, result))
    }

    pub(super) fn has_work(&self) -> bool {
        self.taken.get() != self.filled.get()
            || !self.fresh.is_empty()
            || self.beside.get().is_some_and(|beside| beside.is_queued() || beside.is_ready())
    }

    pub(super) fn pollable_fd(&self) -> Result<i32> {
        Ok(self.epoll.fd())
    }
}

/// What the set is told: level-triggered suits a watcher that drains too, for a short read then
/// needs no second look.
fn entry_of(watch: &Watch, interest: u32) -> (i32, u32, u64) {
    let fd = watch.fd.get();
    (fd, interest & !ready::DRAINS, pack(fd, watch.generation.get()))
}

fn pack(fd: i32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(fd as u32)
}

fn unpack(data: u64) -> (i32, u32) {
    (data as u32 as i32, (data >> 32) as u32)
}
