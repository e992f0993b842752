//! io_uring_setup(2): what is asked for, and what is given up when the kernel is older.

use rustix::fd::OwnedFd;
use rustix::io_uring as sys;
use rustix::io_uring::{IoringFeatureFlags, IoringSetupFlags as Flags};

use crate::{Errno, Result};

/// What a ring is to be. `Config::new` asks for everything that suits one thread which both
/// submits and waits.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Places in the submission queue; the kernel rounds up to a power of two.
    pub entries: u32,
    /// Places in the completion queue; rounded up likewise.
    pub cq_entries: u32,
    /// Flags that are asked for, given up one by one from the newest while the kernel says EINVAL.
    pub wanted: Flags,
    /// Flags that are not given up.
    pub required: Flags,
    /// With `SQPOLL`: how long the kernel's thread looks for entries before it sleeps.
    pub idle_ms: u32,
}

/// In the order in which they are given up: the newest first, with the kernel that brought it.
const OPTIONAL: [Flags; 8] = [
    Flags::NO_SQARRAY,                              // 6.6
    Flags::DEFER_TASKRUN,                           // 6.1
    Flags::SINGLE_ISSUER,                           // 6.0
    Flags::COOP_TASKRUN.union(Flags::TASKRUN_FLAG), // 5.19
    Flags::SUBMIT_ALL,                              // 5.18
    Flags::R_DISABLED,                              // 5.10
    Flags::CLAMP,                                   // 5.6
    Flags::CQSIZE,                                  // 5.5
];

impl Config {
    /// A ring of `entries` places, with four times as many completions, disabled until
    /// [`Ring::enable`](super::Ring::enable).
    pub const fn new(entries: u32) -> Self {
        Config {
            entries,
            cq_entries: entries.saturating_mul(4),
            wanted: Flags::SINGLE_ISSUER
                .union(Flags::DEFER_TASKRUN)
                .union(Flags::TASKRUN_FLAG)
                .union(Flags::CQSIZE)
                .union(Flags::R_DISABLED)
                .union(Flags::SUBMIT_ALL)
                .union(Flags::NO_SQARRAY)
                .union(Flags::CLAMP),
            required: Flags::empty(),
            idle_ms: 0,
        }
    }
}

/// What the rest of this folder relies on, all of it in Linux 5.11.
const NEEDED: IoringFeatureFlags = IoringFeatureFlags::SINGLE_MMAP
    .union(IoringFeatureFlags::NODROP)
    .union(IoringFeatureFlags::SUBMIT_STABLE)
    .union(IoringFeatureFlags::EXT_ARG);

/// Makes the ring, with as many of the wanted flags as the kernel knows.
pub(super) fn setup(config: &Config) -> Result<(OwnedFd, sys::io_uring_params)> {
    // Entries of another size would break what the rings assume.
    let foreign = Flags::SQE128 | Flags::CQE32 | Flags::NO_MMAP;
    let mut flags = (config.wanted | config.required) - foreign;
    let mut given_up = 0;
    loop {
        let mut params = sys::io_uring_params::default();
        params.flags = flags;
        params.sq_thread_idle = config.idle_ms;
        if flags.contains(Flags::CQSIZE) {
            params.cq_entries = config.cq_entries;
        }
        // SAFETY: ATTACH_WQ is the only flag that names a descriptor, and it is not used.
        match unsafe { sys::io_uring_setup(config.entries, &mut params) } {
            Ok(_) if !params.features.contains(NEEDED) => return Err(Errno::NOSYS),
            Ok(fd) => return Ok((fd, params)),
            Err(Errno::INVAL) => flags = fewer(flags, config.required, &mut given_up)?,
            Err(error) => return Err(error),
        }
    }
}

/// `flags` without the newest that may be given up.
fn fewer(flags: Flags, required: Flags, given_up: &mut usize) -> Result<Flags> {
    while let Some(&newest) = OPTIONAL.get(*given_up) {
        *given_up += 1;
        let droppable = newest - required;
        if !flags.intersects(droppable) {
            continue;
        }
        let mut flags = flags - droppable;
        if droppable.contains(Flags::DEFER_TASKRUN) {
            // The older way to keep the kernel from interrupting the thread for completions.
            flags |= Flags::COOP_TASKRUN;
        }
        return Ok(flags);
    }
    Err(Errno::INVAL)
}
