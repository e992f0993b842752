//! What the servers on io_uring share.
use std::io;
use uvring_core::Errno;
use uvring_core::uring::{Cqe, Ring, SetupFlags, Sqe};

/// Entries of the submission queue.
pub(super) const ENTRIES: u32 = 4096;
/// Carried by what is asked of the listening socket.
pub(super) const DOOR: u64 = u64::MAX;

/// Queues an entry; a full queue goes to the kernel first.
pub(super) fn push(ring: &Ring, sqe: Sqe) -> io::Result<()> {
    loop {
        match ring.push(sqe) {
            Err(Errno::BUSY) => ring.submit()?,
            result => return Ok(result?),
        };
    }
}

/// The next completion. Submits and waits, in one system call, only when there is none.
pub(super) fn next(ring: &Ring) -> io::Result<Cqe> {
    loop {
        if let Some(cqe) = ring.pop() {
            return Ok(cqe);
        }
        if ring.flags().contains(SetupFlags::SQPOLL) {
            ring.submit_polled()?;
        }
        match ring.enter(None) {
            // Both pass: a signal, and a kernel that wants completions taken first.
            Ok(_) | Err(Errno::INTR | Errno::BUSY | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
