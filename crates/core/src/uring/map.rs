//! Memory shared with the kernel, unmapped on drop and not inherited by a fork.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use rustix::fd::BorrowedFd;
use rustix::mm::{self, Advice, MapFlags, ProtFlags};

use super::process;
use crate::{Errno, Result};

const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

#[derive(Debug)]
pub(super) struct Map {
    base: NonNull<c_void>,
    len: usize,
    process: u64,
}

impl Map {
    /// Maps `len` bytes of a ring, at one of its `IORING_OFF_*` places.
    pub(super) fn of_ring(ring: BorrowedFd<'_>, place: u64, len: usize) -> Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a new mapping at a place of the kernel's choice, nothing of ours is replaced.
        let base = unsafe { mm::mmap(ptr::null_mut(), len, READ_WRITE, flags, ring, place) }?;
        Self::new(base, len)
    }

    /// Maps `len` zero bytes.
    pub(super) fn anonymous(len: usize) -> Result<Self> {
        // SAFETY: as above.
        let base =
            unsafe { mm::mmap_anonymous(ptr::null_mut(), len, READ_WRITE, MapFlags::PRIVATE) }?;
        Self::new(base, len)
    }

    fn new(base: *mut c_void, len: usize) -> Result<Self> {
        let base = NonNull::new(base).ok_or(Errno::NOMEM)?;
        // From here on drop unmaps.
        let map = Map { base, len, process: process::token()? };
        // A child must not share the ring's indices, and a page the kernel writes must not become
        // the parent's copy-on-write.
        // SAFETY: the range is the mapping just made.
        unsafe { mm::madvise(map.base.as_ptr(), len, Advice::LinuxDontFork) }?;
        Ok(map)
    }

    /// Whether the memory is here: not in a child of the process that mapped it.
    pub(super) fn is_here(&self) -> bool {
        process::is_current(self.process)
    }

    pub(super) fn base(&self) -> NonNull<c_void> {
        self.base
    }

    /// The address of `count` values of type `T` at `offset`, if they lie inside the mapping and
    /// are aligned.
    pub(super) fn at<T>(&self, offset: u32, count: u32) -> Result<NonNull<T>> {
        let offset = offset as usize;
        let bytes = (count as usize).checked_mul(size_of::<T>()).ok_or(Errno::INVAL)?;
        let end = offset.checked_add(bytes).ok_or(Errno::INVAL)?;
        if end > self.len || !offset.is_multiple_of(align_of::<T>()) {
            return Err(Errno::INVAL);
        }
        // SAFETY: inside the mapping, as just checked; mappings are page-aligned.
        Ok(unsafe { self.base.byte_add(offset) }.cast())
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // In a child the range may hold something of the child's own by now.
        if self.is_here() {
            // SAFETY: our own mapping; whoever holds addresses into it goes with it.
            let _ = unsafe { mm::munmap(self.base.as_ptr(), self.len) };
        }
    }
}
