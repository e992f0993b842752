//! The epoll backend: watches are level-triggered entries, ops are not offered.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::time::Duration;

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
}

impl Driver {
    pub(super) fn new() -> Result<Self> {
        Ok(Driver {
            epoll: Epoll::new()?,
            batch: UnsafeCell::new([const { MaybeUninit::uninit() }; BATCH]),
            filled: Cell::new(0),
            taken: Cell::new(0),
            generation: Cell::new(0),
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

    pub(super) unsafe fn submit(&self, _op: &Op, _request: &Request) -> Result<()> {
        Err(Errno::NOSYS)
    }

    pub(super) fn cancel(&self, _op: &Op) {}

    pub(super) fn reap(&self, _op: &Op) -> Option<i32> {
        None
    }

    pub(super) fn flush(&self) {}

    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        debug_assert_eq!(self.taken.get(), self.filled.get(), "events left from the last wait");
        self.filled.set(0);
        self.taken.set(0);
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
                return None;
            }
            self.taken.set(index + 1);
            // SAFETY: the last wait filled this entry, and nothing writes the batch meanwhile.
            let event = unsafe { (*self.batch.get())[index].assume_init() };
            let (fd, generation) = unpack(event.data.u64());
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
