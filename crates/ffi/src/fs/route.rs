//! Which way an operation with a callback goes. The only place that decides it.

use crate::abi::*;

/// A way from the call to the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A worker makes the blocking call.
    Pool,
}

/// The table: operation to route, and why.
pub(super) fn of(kind: uv_fs_type) -> Route {
    match kind {
        // Short when all is cached, but a disk or a network may stand behind any of them.
        UV_FS_OPEN | UV_FS_CLOSE | UV_FS_READ | UV_FS_WRITE => Route::Pool,
        UV_FS_STAT | UV_FS_LSTAT | UV_FS_FSTAT => Route::Pool,
        // They wait for the device, or walk a tree of names.
        UV_FS_FSYNC | UV_FS_FDATASYNC | UV_FS_COPYFILE | UV_FS_SENDFILE | UV_FS_SCANDIR => {
            Route::Pool
        }
        // Rare, or without a call that does not block.
        _ => Route::Pool,
    }
}
