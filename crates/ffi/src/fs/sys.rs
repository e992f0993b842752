//! What C library calls answer, as results of file operations.

use core::ffi::c_int;

pub(super) use uvring_core::fd::{MAX_IOV, MAX_LEN};

use crate::status;

/// A call's answer, or the code of its failure when that was -1.
pub(super) fn result(answer: isize) -> isize {
    if answer == -1 { status::last() as isize } else { answer }
}

/// As [`result`], for calls that answer an int.
pub(super) fn int(answer: c_int) -> isize {
    result(answer as isize)
}

/// As [`result`], for going on with `?`. A call that a signal interrupted is made again.
pub(super) fn again(mut call: impl FnMut() -> isize) -> Result<usize, c_int> {
    loop {
        match usize::try_from(call()) {
            Ok(answer) => return Ok(answer),
            Err(_) if status::errno() == libc::EINTR => {}
            Err(_) => return Err(status::last()),
        }
    }
}

/// A descriptor that is closed when it goes.
pub(super) struct Fd(c_int);

impl Fd {
    /// Takes charge of what `open` answers.
    pub(super) fn open(mut open: impl FnMut() -> c_int) -> Result<Self, c_int> {
        again(|| open() as isize).map(|fd| Fd(fd as c_int))
    }

    pub(super) fn get(&self) -> c_int {
        self.0
    }

    /// Hands it to someone else to close.
    pub(super) fn release(self) -> c_int {
        core::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours, and closed once.
        unsafe { libc::close(self.0) };
    }
}
