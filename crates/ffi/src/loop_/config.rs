//! Options: uv_loop_configure's, and our own of `uvring.h` and the environment.

use core::ffi::{CStr, c_char, c_int};

use uvring_core::driver::Kind;

use super::option;
use crate::abi::*;

/// What the environment says about new loops. Values it does not know are ignored.
pub(super) struct Settings {
    /// `UVRING_BACKEND`.
    pub(super) kind: Kind,
    /// `UVRING_SPIN_US`.
    pub(super) spin_us: u32,
    /// `UVRING_COALESCE`.
    pub(super) coalesce: bool,
    /// `UVRING_FS_EVENT_RECURSIVE`.
    pub(super) recursive: bool,
}

impl Settings {
    pub(super) fn from_environment() -> Self {
        let kind = match env(c"UVRING_BACKEND") {
            Some(b"io_uring") => Kind::Uring,
            _ => Kind::Epoll,
        };
        let spin_us = env(c"UVRING_SPIN_US").and_then(number).unwrap_or(0);
        let coalesce = env(c"UVRING_COALESCE") != Some(b"0");
        let recursive = env(c"UVRING_FS_EVENT_RECURSIVE") == Some(b"1");
        Settings { kind, spin_us, coalesce, recursive }
    }
}

/// A variable's value. Valid until the program changes its environment; used at once.
fn env<'e>(name: &CStr) -> Option<&'e [u8]> {
    // SAFETY: getenv(3) gives NULL or a string that lives as long as the environment is unchanged.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value.cast::<c_char>()).to_bytes())
    }
}

fn number(text: &[u8]) -> Option<u32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// `int uv_loop_configure(uv_loop_t*, uv_loop_option, ...)`: sets an option, before the first turn.
/// The variadic argument of the C prototype arrives in the register of the third argument.
///
/// # Returns
/// 0; `UV_EINVAL` for a signal other than SIGPROF; `UV_ENOSYS` for an unknown option.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_configure(
    owner: *mut uv_loop_t,
    option: uv_loop_option,
    argument: c_int,
) -> c_int {
    let bit = match option {
        UV_LOOP_BLOCK_SIGNAL if argument == libc::SIGPROF => option::BLOCK_SIGPROF,
        UV_LOOP_BLOCK_SIGNAL => return UV_EINVAL,
        UV_METRICS_IDLE_TIME => option::METRICS_IDLE,
        UV_LOOP_USE_IO_URING_SQPOLL => option::SQPOLL,
        _ => return UV_ENOSYS,
    };
    // SAFETY: the caller's promise.
    unsafe {
        (*owner).flags.set((*owner).flags.get() | bit);
        if bit == option::SQPOLL {
            (*owner).inner().driver().poll_files();
        }
    }
    0
}

/// Moves a loop that has not watched anything yet to another backend.
///
/// # Errors
/// `UV_EBUSY` when the loop is in use; what making the backend says.
///
/// # Safety
/// `owner` is an initialised loop.
pub(crate) unsafe fn set_backend(owner: *mut uv_loop_t, kind: Kind) -> c_int {
    // SAFETY: the caller's promise; nobody holds a reference to the driver between turns.
    unsafe {
        let inner = (*owner).inner();
        if (*owner).nfds.get() != 0 || inner.depth.get() != 0 {
            return UV_EBUSY;
        }
        match uvring_core::driver::Driver::new(kind) {
            Ok(driver) => {
                driver.lend_table((*owner).watchers.get(), (*owner).nwatchers.get());
                *inner.driver.get() = driver;
                show_descriptor(&*owner);
                0
            }
            Err(error) => crate::status::from_errno(error),
        }
    }
}

/// Fills in the `backend_fd` that programs read. On a ring it stays -1 until uv_backend_fd asks for
/// it, because a pollable ring costs a little with each completion.
pub(super) fn show_descriptor(owner: &uv_loop_t) {
    let driver = owner.inner().driver();
    let fd = if driver.kind() == Kind::Epoll { driver.fd().unwrap_or(-1) } else { -1 };
    owner.backend_fd.set(fd);
}

/// What the loop runs on.
pub(crate) fn backend_name(owner: &uv_loop_t) -> &'static CStr {
    match owner.inner().driver().kind() {
        Kind::Epoll => c"epoll",
        Kind::Uring => c"io_uring",
    }
}
