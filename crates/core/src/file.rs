//! Files: one attempt at each call, without waiting for the disk where the kernel offers that.
//!
//! `INTR` is never returned, a call that a signal broke off is made again.

use core::ffi::CStr;

use rustix::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::{ReadWriteFlags, retry_on_intr};

pub use rustix::fs::Stat;

pub use crate::fd::close;
use crate::fd::{IoVec, borrow, gathered, scattered};
use crate::{Errno, Result};

/// The `dirfd` that means the working directory: `AT_FDCWD`.
pub const CWD: i32 = -100;

/// For [`preadv2`] and [`pwritev2`]: `AGAIN` instead of waiting for the disk or for a lock.
pub const RWF_NOWAIT: u32 = 0x8;

fn directory<'fd>(dirfd: i32) -> Result<BorrowedFd<'fd>> {
    if dirfd == CWD { Ok(rustix::fs::CWD) } else { borrow(dirfd) }
}

/// openat(2), with close-on-exec added to `flags` (bits of `O_*`): the new descriptor, the
/// caller's to close. May wait for the disk.
///
/// # Errors
/// As openat(2).
pub fn openat(dirfd: i32, path: &CStr, flags: u32, mode: u32) -> Result<i32> {
    let dirfd = directory(dirfd)?;
    let flags = OFlags::from_bits_retain(flags) | OFlags::CLOEXEC;
    let mode = Mode::from_bits_retain(mode);
    retry_on_intr(|| rustix::fs::openat(dirfd, path, flags, mode)).map(OwnedFd::into_raw_fd)
}

/// openat2(2) with `RESOLVE_CACHED`: opens what the kernel has at hand, without waiting.
///
/// # Errors
/// `AGAIN` when it would have to wait or the flags ask for creation; `NOSYS` or `INVAL` where the
/// kernel does not know the call, the flag, or a bit of `flags` or `mode` that openat(2) ignores.
/// With these the caller goes the other way. Anything else as openat(2).
pub fn openat_cached(dirfd: i32, path: &CStr, flags: u32, mode: u32) -> Result<i32> {
    let dirfd = directory(dirfd)?;
    let flags = OFlags::from_bits_retain(flags) | OFlags::CLOEXEC;
    let mode = Mode::from_bits_retain(mode);
    retry_on_intr(|| rustix::fs::openat2(dirfd, path, flags, mode, ResolveFlags::CACHED))
        .map(OwnedFd::into_raw_fd)
}

/// As [`openat_cached`], of what is on the mount where the look-up starts: the root of an absolute
/// path, or the folder.
///
/// # Errors
/// As there; `XDEV` when the path leads to another mount.
pub fn openat_cached_here(dirfd: i32, path: &CStr, flags: u32, mode: u32) -> Result<i32> {
    let dirfd = directory(dirfd)?;
    let flags = OFlags::from_bits_retain(flags) | OFlags::CLOEXEC;
    let mode = Mode::from_bits_retain(mode);
    let resolve = ResolveFlags::CACHED | ResolveFlags::NO_XDEV;
    retry_on_intr(|| rustix::fs::openat2(dirfd, path, flags, mode, resolve))
        .map(OwnedFd::into_raw_fd)
}

/// A descriptor of /dev/null or, where that is missing, of the root folder: a placeholder.
///
/// # Errors
/// As open(2).
pub fn open_null() -> Result<i32> {
    const O_RDONLY_CLOEXEC: u32 = 0o2000000;
    openat(CWD, c"/dev/null", O_RDONLY_CLOEXEC, 0)
        .or_else(|_| openat(CWD, c"/", O_RDONLY_CLOEXEC, 0))
}

/// fstat(2).
///
/// # Errors
/// As fstat(2): `BADF`.
pub fn fstat(fd: i32) -> Result<Stat> {
    rustix::fs::fstat(borrow(fd)?)
}

/// preadv2(2) into up to 1024 buffers at `offset` in bytes (-1: the file's own position, which
/// moves): bytes read, 0 at the end.
///
/// # Errors
/// As preadv2(2): with [`RWF_NOWAIT`] in `flags`, `AGAIN` when nothing is in memory, `OPNOTSUPP`
/// where the file does not know the flag. `INVAL` for other negative offsets.
///
/// # Safety
/// `iov` is valid for reads of `iovcnt` entries, and each entry names memory valid for writes that
/// nobody else uses during the call.
pub unsafe fn preadv2(
    fd: i32,
    iov: *const IoVec,
    iovcnt: usize,
    offset: i64,
    flags: u32,
) -> Result<usize> {
    let fd = borrow(fd)?;
    let offset = position(offset)?;
    let flags = ReadWriteFlags::from_bits_retain(flags);
    // SAFETY: the caller's promise; the entries go to the kernel and nowhere else.
    let iov = unsafe { scattered(iov, iovcnt) }?;
    retry_on_intr(|| rustix::io::preadv2(fd, iov, offset, flags))
}

/// pwritev2(2) of up to 1024 buffers at `offset` in bytes (-1: the file's own position, which
/// moves): bytes written.
///
/// # Errors
/// As pwritev2(2), and as for [`preadv2`].
///
/// # Safety
/// `iov` is valid for reads of `iovcnt` entries, and each entry names memory valid for reads.
pub unsafe fn pwritev2(
    fd: i32,
    iov: *const IoVec,
    iovcnt: usize,
    offset: i64,
    flags: u32,
) -> Result<usize> {
    let fd = borrow(fd)?;
    let offset = position(offset)?;
    let flags = ReadWriteFlags::from_bits_retain(flags);
    // SAFETY: the caller's promise.
    let iov = unsafe { gathered(iov, iovcnt) }?;
    retry_on_intr(|| rustix::io::pwritev2(fd, iov, offset, flags))
}

/// The kernel takes -1 for the file's own position and refuses other negative offsets.
fn position(offset: i64) -> Result<u64> {
    if offset < -1 { Err(Errno::INVAL) } else { Ok(offset as u64) }
}
