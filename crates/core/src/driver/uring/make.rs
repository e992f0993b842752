//! The ring of a loop: how it is set up.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::uring::{Config, Ring, SetupFlags};
use crate::{Errno, Result};

/// Places in the submission queue.
const ENTRIES: u32 = 256;
/// Places for completions. Twice as many would be 64 KiB for the kernel to clear with each loop.
const COMPLETIONS: u32 = 1024;
/// Of these, places that operations leave to the watches. So a message to a thousand peers is
/// one batch. What finds no place the kernel keeps until there is one.
pub(super) const RESERVED: u32 = 16;

/// Set when the kernel refused a ring: it is not asked again.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// A ring like one that was had before.
///
/// # Errors
/// As io_uring_setup(2).
pub(super) fn another_ring() -> Result<Ring> {
    Ring::new(&config())
}

fn config() -> Config {
    // Without deferred completions a ring is slower than epoll: then epoll it is.
    let required = SetupFlags::SINGLE_ISSUER
        .union(SetupFlags::DEFER_TASKRUN)
        .union(SetupFlags::TASKRUN_FLAG)
        .union(SetupFlags::R_DISABLED);
    Config { required, cq_entries: COMPLETIONS, ..Config::new(ENTRIES) }
}

/// A loop's ring.
///
/// # Errors
/// As io_uring_setup(2); once it was refused, `NOSYS`.
pub(super) fn new_ring() -> Result<Ring> {
    // Relaxed: a hint that saves a system call, nothing depends on it.
    if REFUSED.load(Ordering::Relaxed) {
        return Err(Errno::NOSYS);
    }
    let ring = another_ring();
    // Running out of descriptors says nothing about the kernel.
    if let Err(error) = &ring
        && !matches!(*error, Errno::MFILE | Errno::NFILE)
    {
        REFUSED.store(true, Ordering::Relaxed);
    }
    ring
}
