//! Descriptors and buffers as the C caller has them: plain numbers and raw memory.
//!
//! Nothing here owns a descriptor. A negative one is `BADF`, and lengths are clamped to what one
//! call of the kernel moves anyway.

use core::mem::MaybeUninit;
use core::slice;

use rustix::fd::BorrowedFd;
use rustix::io::{IoSlice, IoSliceMut};

use crate::{Errno, Result};

/// What read(2) and write(2) move at most in one call: `MAX_RW_COUNT`.
pub const MAX_LEN: usize = 0x7fff_f000;

/// How many buffers one gathering call takes: `IOV_MAX`.
pub const MAX_IOV: usize = 1024;

/// One buffer of a gathering call: `struct iovec`, and `uv_buf_t` on Linux.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct IoVec {
    /// The first byte. May be null when `len` is 0.
    pub base: *mut u8,
    /// Length in bytes.
    pub len: usize,
}

const _: () = assert!(size_of::<IoVec>() == size_of::<IoSlice<'_>>());
const _: () = assert!(align_of::<IoVec>() == align_of::<IoSlice<'_>>());

/// A negative descriptor is the caller's mistake, answered as the kernel would.
pub(crate) fn borrow<'fd>(fd: i32) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: not -1. The kernel checks the number itself: a closed descriptor gives EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// The caller's memory as a slice to fill. Null with a length is `FAULT`, as from the kernel.
///
/// # Safety
/// `buf` is null or valid for writes of `len` bytes, and nobody else uses them during `'b`.
pub(crate) unsafe fn filling<'b>(buf: *mut u8, len: usize) -> Result<&'b mut [MaybeUninit<u8>]> {
    if len == 0 {
        return Ok(&mut []);
    }
    if buf.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: not null, and valid by the caller's word; clamping only shortens it.
    Ok(unsafe { slice::from_raw_parts_mut(buf.cast(), len.min(MAX_LEN)) })
}

/// The caller's buffers, at most [`MAX_IOV`] of them.
///
/// # Safety
/// `iov` is null or valid for reads of `iovcnt` entries during `'b`.
pub(crate) unsafe fn gathered<'b>(iov: *const IoVec, iovcnt: usize) -> Result<&'b [IoSlice<'b>]> {
    if iovcnt == 0 {
        return Ok(&[]);
    }
    if iov.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: not null, valid by the caller's word, and an `IoSlice` is documented to be laid out
    // as a `struct iovec`. It is not looked into here: the kernel checks the addresses.
    Ok(unsafe { slice::from_raw_parts(iov.cast(), iovcnt.min(MAX_IOV)) })
}

/// The caller's buffers to fill, at most [`MAX_IOV`] of them.
///
/// # Safety
/// `iov` is null or valid for reads of `iovcnt` entries during `'b`. The result is only handed to
/// the kernel, which reads the entries.
pub(crate) unsafe fn scattered<'b>(
    iov: *const IoVec,
    iovcnt: usize,
) -> Result<&'b mut [IoSliceMut<'b>]> {
    if iovcnt == 0 {
        return Ok(&mut []);
    }
    if iov.is_null() {
        return Err(Errno::FAULT);
    }
    // SAFETY: as in `gathered`; mutable in type only.
    Ok(unsafe { slice::from_raw_parts_mut(iov.cast_mut().cast(), iovcnt.min(MAX_IOV)) })
}

/// Makes the open file non-blocking or blocking (`FIONBIO`); every copy of the descriptor shares it.
///
/// # Errors
/// `BADF`, or `NOTTY` from the rare file that has no such mode.
pub fn set_nonblocking(fd: i32, nonblocking: bool) -> Result<()> {
    rustix::io::ioctl_fionbio(borrow(fd)?, nonblocking)
}

/// close(2). Linux has always let go of the descriptor when close returns, so `INTR` and
/// `INPROGRESS` count as success and nothing is retried.
///
/// # Errors
/// `BADF`; `IO`, `NOSPC` or `DQUOT` when earlier writes failed (the descriptor is closed then, too).
pub fn close(fd: i32) -> Result<()> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: not -1; whose number it is, is the caller's business as with close(2) itself.
    match unsafe { rustix::io::try_close(fd) } {
        Err(Errno::INTR | Errno::INPROGRESS) => Ok(()),
        other => other,
    }
}
