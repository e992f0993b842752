//! Which way an operation with a callback goes. The only place that decides it.

use crate::abi::*;

/// The ways from the call to the callback, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// First on the loop's thread, from memory and without waiting: see `now`.
    pub(super) now: bool,
}

/// Everything goes to a worker of the thread pool in the end.
const POOL: Route = Route { now: false };
const NOW: Route = Route { now: true };

/// The table: operation to route, and why.
pub(super) fn of(kind: uv_fs_type) -> Route {
    match kind {
        // A few hundred nanoseconds when all is in memory; two wake-ups of threads cost ten times
        // that.
        UV_FS_OPEN | UV_FS_CLOSE => NOW,
        UV_FS_STAT | UV_FS_LSTAT | UV_FS_FSTAT => NOW,
        UV_FS_READ => NOW,
        // A write to the page cache may wait for memory, a lock or the journal at any point, and
        // refusing to wait (RWF_NOWAIT) was slower than a worker, measured on ext4.
        UV_FS_WRITE => POOL,
        // They wait for the device, or walk a tree of names.
        UV_FS_FSYNC | UV_FS_FDATASYNC | UV_FS_COPYFILE | UV_FS_SENDFILE | UV_FS_SCANDIR => POOL,
        // They change names or attributes, which takes the journal, or have no call that does not
        // wait.
        _ => POOL,
    }
}
