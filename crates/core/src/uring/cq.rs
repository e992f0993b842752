//! The completion queue: entries written by the kernel, taken here.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use rustix::io_uring::{IORING_CQE_BUFFER_SHIFT, IoringCqeFlags, io_uring_params};

use super::map::Map;
use crate::{Errno, Result};

/// One completion.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cqe {
    /// What the submission carried.
    pub user_data: u64,
    res: i32,
    flags: u32,
}

const _: () = assert!(size_of::<Cqe>() == 16);

impl Cqe {
    /// The kernel's result: a count or descriptor, or an error number negated.
    pub fn raw(&self) -> i32 {
        self.res
    }

    /// The kernel's result.
    ///
    /// # Errors
    /// What the operation failed with.
    pub fn result(&self) -> Result<u32> {
        u32::try_from(self.res).map_err(|_| Errno::from_raw_os_error(self.res.wrapping_neg()))
    }

    /// Whether the same submission yields more completions (`IORING_CQE_F_MORE`).
    pub fn more(&self) -> bool {
        self.flags & IoringCqeFlags::MORE.bits() != 0
    }

    /// Whether this is the notification that a zero-copy send let go of its buffer.
    pub fn is_notification(&self) -> bool {
        self.flags & IoringCqeFlags::NOTIF.bits() != 0
    }

    /// The buffer that the kernel picked from a buffer ring.
    pub fn buffer(&self) -> Option<u16> {
        (self.flags & IoringCqeFlags::BUFFER.bits() != 0)
            .then_some((self.flags >> IORING_CQE_BUFFER_SHIFT) as u16)
    }

    /// All `IORING_CQE_F_*` bits.
    pub fn flags(&self) -> IoringCqeFlags {
        IoringCqeFlags::from_bits_retain(self.flags)
    }
}

#[derive(Debug)]
pub(super) struct Cq {
    /// Ours: how many entries were taken, ever. Only this queue writes it.
    head: NonNull<AtomicU32>,
    /// The kernel's: how many entries there are, ever.
    tail: NonNull<AtomicU32>,
    /// The kernel's: how many completions it had to drop for want of memory.
    overflow: NonNull<AtomicU32>,
    cqes: NonNull<Cqe>,
    entries: u32,
}

impl Cq {
    pub(super) fn new(params: &io_uring_params, rings: &Map) -> Result<Self> {
        let offsets = &params.cq_off;
        Ok(Cq {
            head: rings.at(offsets.head, 1)?,
            tail: rings.at(offsets.tail, 1)?,
            overflow: rings.at(offsets.overflow, 1)?,
            cqes: rings.at(offsets.cqes, params.cq_entries)?,
            entries: params.cq_entries,
        })
    }

    fn shared(&self, word: NonNull<AtomicU32>) -> &AtomicU32 {
        // SAFETY: inside the mapping, which the ring keeps as long as this queue.
        unsafe { word.as_ref() }
    }

    pub(super) fn entries(&self) -> u32 {
        self.entries
    }

    pub(super) fn head(&self) -> u32 {
        // Relaxed: nobody else writes it.
        self.shared(self.head).load(Ordering::Relaxed)
    }

    pub(super) fn tail(&self) -> u32 {
        // Acquire: entries before `tail` were written before the kernel moved it.
        self.shared(self.tail).load(Ordering::Acquire)
    }

    /// How many completions the kernel dropped, ever.
    pub(super) fn overflow(&self) -> u32 {
        // Relaxed: a count, nothing else is read on the strength of it.
        self.shared(self.overflow).load(Ordering::Relaxed)
    }

    /// The entry with this number, which must lie between head and tail.
    pub(super) fn get(&self, index: u32) -> Cqe {
        let place = (index & (self.entries - 1)) as usize;
        // SAFETY: `entries` is a power of two, so the place is inside the mapping. Any bytes are
        // a valid entry.
        unsafe { self.cqes.add(place).read() }
    }

    /// Takes the completion that carries `user_data` out of turn: what is left in its place carries 0.
    pub(super) fn take(&self, user_data: u64) -> Option<Cqe> {
        let (mut index, tail) = (self.head(), self.tail());
        while index != tail {
            let place = (index & (self.entries - 1)) as usize;
            let cqe = self.get(index);
            if cqe.user_data == user_data {
                // SAFETY: between head and tail the place is ours; as in `get`.
                unsafe { (&raw mut (*self.cqes.add(place).as_ptr()).user_data).write(0) };
                self.skip_taken(tail);
                return Some(cqe);
            }
            index = index.wrapping_add(1);
        }
        None
    }

    /// Gives back the places at the head whose completions were taken out of turn, so that they do
    /// not look like something to take.
    fn skip_taken(&self, tail: u32) {
        let mut head = self.head();
        while head != tail && self.get(head).user_data == 0 {
            head = head.wrapping_add(1);
        }
        // Release: as in `pop`.
        self.shared(self.head).store(head, Ordering::Release);
    }

    pub(super) fn pop(&self) -> Option<Cqe> {
        let head = self.head();
        if head == self.tail() {
            return None;
        }
        let cqe = self.get(head);
        // Release: the entry is read before the kernel may write the place again.
        self.shared(self.head).store(head.wrapping_add(1), Ordering::Release);
        Some(cqe)
    }
}
