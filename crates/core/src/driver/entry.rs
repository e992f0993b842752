//! From requests to entries of a ring.

use super::op::{Op, Request, TAKEN_BACK};
use crate::Errno;
use crate::file::CWD;
use crate::uring::sqe::SqeFlags;
use crate::uring::{Ring, Slot, Sqe};

/// # Safety
/// The memory that `request` names stays valid until the completion.
pub(super) unsafe fn encode(request: &Request) -> Sqe {
    // SAFETY: the caller's promise.
    unsafe {
        match *request {
            Request::Nop => Sqe::nop(),
            Request::Send { fd, buf, len, flags } => Sqe::send(fd, buf, len, flags),
            Request::Read { fd, iov, count, offset } => Sqe::readv(fd, iov, count, offset, 0),
            Request::Write { fd, iov, count, offset } => Sqe::writev(fd, iov, count, offset, 0),
            // On a thread of the kernel's at once: tried without waiting first, it would open a
            // FIFO whose other end is not there.
            Request::Open { path, flags, mode } => {
                Sqe::openat(CWD, path, flags, mode, Slot::Process).flags(SqeFlags::ASYNC)
            }
            Request::Close { fd } => Sqe::close(fd),
            Request::Statx { path, flags, mask, out } => Sqe::statx(CWD, path, flags, mask, out),
            Request::Sync { fd, data_only } => Sqe::fsync(fd, data_only),
            Request::Truncate { fd, len } => Sqe::ftruncate(fd, len),
            Request::Unlink { path, flags } => Sqe::unlinkat(CWD, path, flags),
            Request::Mkdir { path, mode } => Sqe::mkdirat(CWD, path, mode),
            Request::Rename { path, new_path } => Sqe::renameat(CWD, path, CWD, new_path, 0),
            Request::Link { path, new_path } => Sqe::linkat(CWD, path, CWD, new_path, 0),
            Request::Symlink { target, path } => Sqe::symlinkat(target, CWD, path),
        }
    }
}

/// Ends `op`, of which `user_data` tells, if it has not begun: true, and its completion says
/// `CANCELED`; or false.
pub(super) fn cancel_now(ring: &Ring, op: &Op, user_data: u64) -> bool {
    if !op.in_flight() || op.taken_back() {
        return op.taken_back();
    }
    if ring.replace(user_data, Sqe::nop().user_data(user_data)) {
        op.state.set(TAKEN_BACK);
        return true;
    }
    ring.cancel_now(user_data, core::time::Duration::ZERO).is_ok()
}

/// The result of a completion, for an op that is in flight no more.
pub(super) fn settle(op: &Op, result: i32) -> i32 {
    let result = if op.taken_back() { -Errno::CANCELED.raw_os_error() } else { result };
    op.state.set(0);
    result
}
