//! An owned epoll instance: add, modify, remove, wait into a caller's slice.

use core::mem::MaybeUninit;
use core::time::Duration;

use rustix::event::epoll as sys;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};

use crate::{Errno, Result};

/// What [`Epoll::wait`] reports: `flags` and the `data` given when the descriptor was added.
pub use sys::Event;

/// An epoll instance, closed on drop. See epoll(7).
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// epoll_create1(2) with EPOLL_CLOEXEC.
    ///
    /// # Errors
    /// `MFILE`, `NFILE` or `NOMEM` from the kernel.
    pub fn new() -> Result<Self> {
        Ok(Epoll { fd: sys::create(sys::CreateFlags::CLOEXEC)? })
    }

    /// The descriptor, pollable itself.
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Starts watching `fd` for `flags`; events carry `data`.
    ///
    /// # Errors
    /// As epoll_ctl(2): `EXIST` when it is watched already, `PERM` when its kind cannot be, `BADF`.
    pub fn add(&self, fd: i32, flags: u32, data: u64) -> Result<()> {
        let flags = sys::EventFlags::from_bits_retain(flags);
        sys::add(&self.fd, borrow(fd)?, sys::EventData::new_u64(data), flags)
    }

    /// Changes what `fd` is watched for.
    ///
    /// # Errors
    /// As epoll_ctl(2): `NOENT` when it is not watched, `BADF`.
    pub fn modify(&self, fd: i32, flags: u32, data: u64) -> Result<()> {
        let flags = sys::EventFlags::from_bits_retain(flags);
        sys::modify(&self.fd, borrow(fd)?, sys::EventData::new_u64(data), flags)
    }

    /// Stops watching `fd`.
    ///
    /// # Errors
    /// As epoll_ctl(2): `NOENT` when it is not watched, `BADF` when it is closed.
    pub fn remove(&self, fd: i32) -> Result<()> {
        sys::delete(&self.fd, borrow(fd)?)
    }

    /// Waits until something is ready, at most `timeout` (`None`: for ever), and fills `events`.
    ///
    /// # Errors
    /// `INTR` when a signal came first.
    pub fn wait<'e>(
        &self,
        events: &'e mut [MaybeUninit<Event>],
        timeout: Option<Duration>,
    ) -> Result<&'e mut [Event]> {
        let timeout = timeout.map(|d| rustix::event::Timespec {
            tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(d.subsec_nanos()),
        });
        sys::wait(&self.fd, events, timeout.as_ref()).map(|(ready, _)| ready)
    }
}

/// A negative descriptor is the caller's mistake, answered as the kernel would.
fn borrow<'fd>(fd: i32) -> Result<BorrowedFd<'fd>> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: not -1. epoll_ctl checks the descriptor itself: a closed one gives EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
