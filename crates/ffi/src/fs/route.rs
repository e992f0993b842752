//! Which way an operation with a callback goes. The only place that decides it.

use crate::abi::*;

/// Where an operation goes that is not answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// To the loop's ring; without one, or when the ring cannot, to a worker.
    Ring,
    /// To a worker of the thread pool.
    Worker,
}

/// The ways from the call to the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// First on the loop's thread, from memory and without waiting: see `now`. An attempt that
    /// finds that it would wait says itself what is next.
    pub(super) now: bool,
    /// How many answers may be waiting for their callback before no more attempts are made ...
    pub(super) many: u32,
    /// ... or how many of the kind may be under way elsewhere: who is there had better have more to
    /// do in one go ...
    pub(super) follow: u32,
    /// ... and whether that is so with one CPU, too.
    pub(super) alone: bool,
    /// All further ones go here.
    pub(super) then: Elsewhere,
    /// A loop that would wait for a worker makes the attempt after all, see `threadpool::help`.
    pub(super) helps: bool,
    /// To the ring in any case when the program has allowed a polling thread in the kernel.
    pub(super) polled: bool,
}

use Elsewhere::Worker;

/// The table: operation to route, and why. What an attempt costs, two wake-ups of threads cost ten
/// times; figures: 2 CPUs, all in memory, real time for each.
pub(super) fn of(kind: uv_fs_type) -> Route {
    let route = |now, many, then, polled| {
        let (follow, alone, helps) = (u32::MAX, true, false);
        Route { now, many, follow, alone, then, helps, polled }
    };
    match kind {
        // 2 us at once; 25 us by a worker alone. Many are given away, so that a second CPU has its
        // share: the loop's thread still has to read and close what is opened. With one CPU giving
        // away is all cost. The ring opens a FIFO without waiting for its other end, or takes a thread
        // each time: only when asked for.
        UV_FS_OPEN => Route { follow: 8, alone: false, ..route(true, 16, Worker, true) },
        // Handing them over costs as much as doing them.
        UV_FS_CLOSE => route(true, u32::MAX, Worker, true),
        UV_FS_FSTAT => route(true, u32::MAX, Worker, false),
        // At once it takes three calls, 3 us: good for a few. Of many, a worker makes one call each
        // while the loop, which has nothing else to do, makes its three: 1.5 us, by the worker alone
        // 2.2, by the ring 1.9. On one CPU, too, one call by a worker who has many to make beats
        // three.
        UV_FS_STAT | UV_FS_LSTAT => {
            Route { follow: 1, helps: true, ..route(true, 8, Worker, true) }
        }
        // In memory: 6 us for 64 KiB against 35 us. What is not in memory, what is read past the
        // page cache, and pipes that are empty, wait in the ring: half the time and a fifth of the
        // CPU time of a worker.
        UV_FS_READ => route(true, u32::MAX, Worker, true),
        // A write to the page cache may wait for memory, a lock or the journal at any point;
        // refusing to wait, and the ring, took 66 us for 64 KiB where a worker took 42 us. Past the
        // page cache the ring is best.
        UV_FS_WRITE => route(true, u32::MAX, Worker, true),
        // They wait for the device, or take the journal: a worker here or one of the kernel's is
        // the same.
        UV_FS_FSYNC | UV_FS_FDATASYNC | UV_FS_FTRUNCATE => route(false, 0, Worker, true),
        UV_FS_UNLINK | UV_FS_MKDIR | UV_FS_RMDIR | UV_FS_RENAME | UV_FS_LINK | UV_FS_SYMLINK => {
            route(false, 0, Worker, true)
        }
        // Several calls in a row, or calls that the ring does not have.
        _ => route(false, 0, Worker, false),
    }
}
