//! Descriptors passed over a unix socket (`SCM_RIGHTS`, see unix(7)).

use core::mem::MaybeUninit;
use core::slice;

use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::io::retry_on_intr;
use rustix::net::{
    self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::fd::{IoVec, borrow, gathered, scattered};
use crate::{Errno, Result};

/// How many descriptors one message carries at most: the kernel's `SCM_MAX_FD`.
const MAX_RIGHTS: usize = 253;

/// Room for the control data of [`MAX_RIGHTS`] descriptors.
const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_RIGHTS));

/// [`sendmsg`](super::sendmsg) that hands `rights` over with the bytes. The receiver gets copies.
///
/// # Errors
/// As sendmsg(2); `BADF` when one of `rights` is negative or closed, `INVAL` when there are more
/// than 253.
///
/// # Safety
/// As for [`sendmsg`](super::sendmsg).
pub unsafe fn sendmsg_rights(
    fd: i32,
    iov: *const IoVec,
    iovcnt: usize,
    flags: u32,
    rights: &[i32],
) -> Result<usize> {
    let fd = borrow(fd)?;
    if rights.iter().any(|&right| right < 0) {
        return Err(Errno::BADF);
    }
    // SAFETY: a `BorrowedFd` is laid out as the number, and none of these is -1; the kernel
    // checks whether they are open.
    let borrowed: &[BorrowedFd<'_>] =
        unsafe { slice::from_raw_parts(rights.as_ptr().cast(), rights.len()) };
    // SAFETY: the caller's promise.
    let iov = unsafe { gathered(iov, iovcnt) }?;
    let flags = SendFlags::from_bits_retain(flags);
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !rights.is_empty() && !control.push(SendAncillaryMessage::ScmRights(borrowed)) {
        return Err(Errno::INVAL);
    }
    retry_on_intr(|| net::sendmsg(fd, iov, &mut control, flags))
}

/// recvmsg(2) that also takes descriptors handed over with the bytes, close-on-exec: bytes
/// received and descriptors stored in `rights`, the caller's to close. What `rights` has no room
/// for is closed.
///
/// # Errors
/// As recvmsg(2): `AGAIN` when there is nothing now.
///
/// # Safety
/// `iov` is valid for reads of `iovcnt` entries, and each entry names memory valid for writes that
/// nobody else uses during the call.
pub unsafe fn recvmsg_rights(
    fd: i32,
    iov: *const IoVec,
    iovcnt: usize,
    rights: &mut [i32],
) -> Result<(usize, usize)> {
    let fd = borrow(fd)?;
    // SAFETY: the caller's promise; the entries go to the kernel and nowhere else.
    let iov = unsafe { scattered(iov, iovcnt) }?;
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match net::recvmsg(fd, iov, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut stored = 0;
    for message in control.drain() {
        let RecvAncillaryMessage::ScmRights(fds) = message else { continue };
        for fd in fds {
            // One that finds no room is dropped, and so closed.
            if let Some(room) = rights.get_mut(stored) {
                *room = fd.into_raw_fd();
                stored += 1;
            }
        }
    }
    Ok((received.bytes, stored))
}
