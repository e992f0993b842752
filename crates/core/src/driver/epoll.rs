//! The epoll backend: watches are level-triggered entries; operations on files go to a ring beside
//! it, others are not offered.

use core::cell::{Cell, OnceCell, UnsafeCell};
use core::mem::MaybeUninit;
use core::time::Duration;

use super::beside::{Beside, MARK};
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
            beside: OnceCell::new(),
            polled: Cell::new(false),
        })
    }

    pub(super) fn watch(&self, watch: &Watch, interest: u32) -> Result<()> {
        // Level-triggered suits a watcher that drains too: a short read needs no second look.
        let flags = interest & !ready::DRAINS;
        let fd = watch.fd.get();
        if watch.interest.get() == 0 {
            let generation = self.generation.get().wrapping_add(1);
            self.generation.set(generation);
            watch.generation.set(generation);
        }
        let data = pack(fd, watch.generation.get());
        let first = if watch.interest.get() == 0 {
            self.epoll.add(fd, flags, data)
        } else {
            self.epoll.modify(fd, flags, data)
        };
        match first {
            // Left behind by a descriptor that was closed while a copy of it lives on.
            Err(Errno::EXIST) => self.epoll.modify(fd, flags, data),
            // Taken out behind our back, as some programs do after stopping a poll handle.
            Err(Errno::NOENT) => self.epoll.add(fd, flags, data),
            other => other,
        }
    }

    pub(super) fn unwatch(&self, watch: &Watch) {
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
        self.flush();
        let at_hand = self.beside.get().is_some_and(Beside::is_ready);
        let timeout = if at_hand { Some(Duration::ZERO) } else { timeout };
        // SAFETY: no reference into the batch lives across calls; `next` copies events out.
        let batch = unsafe { &mut *self.batch.get() };
        let filled = self.epoll.wait(batch, timeout)?.len();
        self.filled.set(filled);
        Ok(filled == BATCH)
    }

    pub(super) fn next(&self, table: &Table) -> Option<Event> {
        loop {
            let index = self.taken.get();
            if index == self.filled.get() {
                let (op, result) = self.beside.get()?.next()?;
                return Some(Event::Done(op, result));
            }
            self.taken.set(index + 1);
            // SAFETY: the last wait filled this entry, and nothing writes the batch meanwhile.
            let event = unsafe { (*self.batch.get())[index].assume_init() };
            let data = event.data.u64();
            if data == MARK {
                continue;
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

    pub(super) fn has_work(&self) -> bool {
        self.taken.get() != self.filled.get()
            || self.beside.get().is_some_and(|beside| beside.is_queued() || beside.is_ready())
    }

    pub(super) fn pollable_fd(&self) -> Result<i32> {
        Ok(self.epoll.fd())
    }
}

fn pack(fd: i32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(fd as u32)
}

fn unpack(data: u64) -> (i32, u32) {
    (data as u32 as i32, (data >> 32) as u32)
}
