//! The submission queue: entries written here, indices shared with the kernel.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use rustix::io_uring::{IoringSetupFlags, IoringSqFlags, io_uring_params};

use super::map::Map;
use super::sqe::Sqe;
use crate::Result;

#[derive(Debug)]
pub(super) struct Sq {
    /// The kernel's: how many entries it has taken, ever.
    head: NonNull<AtomicU32>,
    /// Ours: how many entries the kernel may take, ever.
    tail: NonNull<AtomicU32>,
    /// The kernel's `IORING_SQ_*` bits.
    flags: NonNull<AtomicU32>,
    sqes: NonNull<Sqe>,
    entries: u32,
    /// Entries written, ever; `tail` follows with `publish`.
    written: Cell<u32>,
    /// `head` as last seen: it only grows, so an old value is a safe one.
    seen: Cell<u32>,
}

impl Sq {
    pub(super) fn new(params: &io_uring_params, rings: &Map, sqes: &Map) -> Result<Self> {
        let offsets = &params.sq_off;
        let entries = params.sq_entries;
        if !params.flags.contains(IoringSetupFlags::NO_SQARRAY) {
            // Entry n always stands at place n: the table is filled once and left alone.
            let table: NonNull<u32> = rings.at(offsets.array, entries)?;
            for place in 0..entries {
                // SAFETY: `at` checked that `entries` places are inside the mapping.
                unsafe { table.add(place as usize).write(place) };
            }
        }
        let sq = Sq {
            head: rings.at(offsets.head, 1)?,
            tail: rings.at(offsets.tail, 1)?,
            flags: rings.at(offsets.flags, 1)?,
            sqes: sqes.at(0, entries)?,
            entries,
            written: Cell::new(0),
            seen: Cell::new(0),
        };
        // Relaxed: nobody has submitted yet.
        let tail = sq.shared(sq.tail).load(Ordering::Relaxed);
        sq.written.set(tail);
        sq.seen.set(tail);
        Ok(sq)
    }

    fn shared(&self, word: NonNull<AtomicU32>) -> &AtomicU32 {
        // SAFETY: inside the mapping, which the ring keeps as long as this queue.
        unsafe { word.as_ref() }
    }

    /// Writes one entry; false when there is no room.
    pub(super) fn push(&self, sqe: Sqe) -> bool {
        let written = self.written.get();
        if written.wrapping_sub(self.seen.get()) == self.entries {
            // Acquire: the kernel has read the entry before it says so; only then is the place
            // written again.
            self.seen.set(self.shared(self.head).load(Ordering::Acquire));
            if written.wrapping_sub(self.seen.get()) == self.entries {
                return false;
            }
        }
        let place = (written & (self.entries - 1)) as usize;
        // SAFETY: `entries` is a power of two, so the place is inside the mapping; the kernel has
        // taken what stood there and does not look beyond `tail`.
        unsafe { self.sqes.add(place).write(sqe) };
        self.written.set(written.wrapping_add(1));
        true
    }

    /// Lets the kernel see all entries written, and says how many it has not taken.
    pub(super) fn publish(&self) -> u32 {
        // Release: the entries are written before the kernel, which reads `tail` with acquire,
        // can see that they are there.
        self.shared(self.tail).store(self.written.get(), Ordering::Release);
        self.pending()
    }

    /// Entries that the kernel has not taken.
    pub(super) fn pending(&self) -> u32 {
        // Relaxed: a count, nothing is read or written on the strength of it.
        self.written.get().wrapping_sub(self.shared(self.head).load(Ordering::Relaxed))
    }

    /// Copies out the entries that the kernel has not taken, oldest first.
    pub(super) fn untaken(&self) -> impl Iterator<Item = Sqe> {
        let written = self.written.get();
        (0..self.pending()).rev().map(move |back| {
            let place = written.wrapping_sub(1).wrapping_sub(back) & (self.entries - 1);
            // SAFETY: as in `push`; entries between head and tail were written by us.
            unsafe { self.sqes.add(place as usize).read() }
        })
    }

    /// Puts `sqe` in the place of the untaken entry that carries `user_data`, if there is one.
    pub(super) fn replace(&self, user_data: u64, sqe: Sqe) -> bool {
        let written = self.written.get();
        for back in 0..self.pending() {
            let place = written.wrapping_sub(1).wrapping_sub(back) & (self.entries - 1);
            // SAFETY: as in `untaken`; the kernel reads entries during an enter only, unless a
            // thread of its polls them, which the caller rules out.
            unsafe {
                let entry = self.sqes.add(place as usize);
                if entry.read().get_user_data() == user_data {
                    entry.write(sqe);
                    return true;
                }
            }
        }
        false
    }

    /// What the kernel says about the queue.
    pub(super) fn flags(&self) -> IoringSqFlags {
        // Relaxed: the bits only say that an enter is worth while. The enter orders everything
        // that follows from it.
        IoringSqFlags::from_bits_retain(self.shared(self.flags).load(Ordering::Relaxed))
    }
}
