//! A buffer ring: buffers lent to the kernel, which picks one for each receive.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering};

use rustix::io_uring::{IoringRegisterOp, io_uring_buf, io_uring_buf_reg, io_uring_ptr};

use super::Ring;
use super::map::Map;
use crate::{Errno, Result};

/// The tail lies over the reserved field of the first entry.
const TAIL_OFFSET: u32 = 14;
const MAX_ENTRIES: u16 = 1 << 15;

/// A registered ring of buffers. Dropping it takes it back from the kernel.
#[derive(Debug)]
pub struct BufRing<'r> {
    ring: &'r Ring,
    map: Map,
    group: u16,
    entries: u16,
    /// Buffers written, ever; the shared tail follows with `publish`.
    written: Cell<u16>,
}

impl<'r> BufRing<'r> {
    /// Registers room for `entries` buffers (a power of two up to 32768) as buffer group `group`.
    ///
    /// # Errors
    /// `INVAL` for a bad count or before Linux 5.19, `EXIST` when the group is taken, `NOMEM`.
    pub fn new(ring: &'r Ring, entries: u16, group: u16) -> Result<Self> {
        if !entries.is_power_of_two() || entries > MAX_ENTRIES {
            return Err(Errno::INVAL);
        }
        let map = Map::anonymous(usize::from(entries) * size_of::<io_uring_buf>())?;
        let mut registration = io_uring_buf_reg::default();
        registration.ring_addr = io_uring_ptr::new(map.base().as_ptr());
        registration.ring_entries = entries.into();
        registration.bgid = group;
        // SAFETY: the memory named is the mapping, which stays until it is unregistered in drop.
        unsafe {
            ring.register(IoringRegisterOp::RegisterPbufRing, (&raw const registration).cast(), 1)
        }?;
        Ok(BufRing { ring, map, group, entries, written: Cell::new(0) })
    }

    /// The buffer group that receives name.
    pub fn group(&self) -> u16 {
        self.group
    }

    /// Lends the `len` bytes at `addr` to the kernel as buffer `id`, from the next
    /// [`publish`](Self::publish) on.
    ///
    /// # Safety
    /// The memory stays valid, and nobody else touches it, until a completion hands the buffer
    /// back or the buffer ring is dropped. No more than `entries` buffers are lent at once.
    pub unsafe fn lend(&self, addr: *mut u8, len: u32, id: u16) {
        if !self.map.is_here() {
            return;
        }
        let place = u32::from(self.written.get() & (self.entries - 1));
        let Ok(entry) = self.map.at::<io_uring_buf>(place * size_of::<io_uring_buf>() as u32, 1)
        else {
            return;
        };
        // Field by field: the first entry's reserved field is the shared tail.
        // SAFETY: `at` checked the place, and the kernel has taken what stood there.
        unsafe {
            (&raw mut (*entry.as_ptr()).addr).write(io_uring_ptr::new(addr.cast()));
            (&raw mut (*entry.as_ptr()).len).write(len);
            (&raw mut (*entry.as_ptr()).bid).write(id);
        }
        self.written.set(self.written.get().wrapping_add(1));
    }

    /// Lets the kernel see the buffers lent since the last time.
    pub fn publish(&self) {
        let tail: Result<NonNull<AtomicU16>> = self.map.at(TAIL_OFFSET, 1);
        if let Ok(tail) = tail
            && self.map.is_here()
        {
            // Release: the entries are written before the kernel, which reads the tail with
            // acquire, can see that they are there.
            // SAFETY: inside the mapping, aligned, and only ever accessed atomically.
            unsafe { tail.as_ref() }.store(self.written.get(), Ordering::Release);
        }
    }
}

impl Drop for BufRing<'_> {
    fn drop(&mut self) {
        let mut registration = io_uring_buf_reg::default();
        registration.bgid = self.group;
        // SAFETY: names no memory but the registration itself. In a child of a fork it is refused.
        let _ = unsafe {
            self.ring.register(
                IoringRegisterOp::UnregisterPbufRing,
                (&raw const registration).cast(),
                1,
            )
        };
    }
}
