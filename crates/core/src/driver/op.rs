//! `Op`: one request to the kernel, yielding one result.

use core::cell::Cell;
use core::ffi::{c_char, c_void};

/// In `Op::state` of the rings: in flight, or in flight as an entry that does nothing.
pub(super) const SUBMITTED: u64 = 1;
pub(super) const TAKEN_BACK: u64 = 2;

/// One request in flight. Lives in the caller's memory (in the C ABI: the 48 private bytes of a
/// request) and must not move or go away from [`Driver::submit`](super::Driver::submit) until its
/// [`Event::Done`](super::Event::Done).
#[repr(C)]
#[derive(Debug)]
pub struct Op {
    /// The caller's: tells what the op belongs to. The driver never looks at it.
    pub tag: Cell<usize>,
    /// Backend-private: what is needed to cancel, or to script a result.
    pub(super) state: Cell<u64>,
    /// Free for the caller while the op is in flight.
    pub user: [Cell<usize>; 4],
}

impl Op {
    /// An op that was never submitted.
    pub const fn new() -> Self {
        Op { tag: Cell::new(0), state: Cell::new(0), user: [const { Cell::new(0) }; 4] }
    }

    /// Whether it was taken back before the kernel had it.
    pub(super) fn taken_back(&self) -> bool {
        self.state.get() == TAKEN_BACK
    }

    /// Whether the op was submitted and its `Done` has not been taken yet.
    pub fn in_flight(&self) -> bool {
        self.state.get() != 0
    }
}

impl Default for Op {
    fn default() -> Self {
        Self::new()
    }
}

/// What an [`Op`] asks of the kernel. Memory named here stays valid until the op is done. Paths that
/// are relative start at the working directory.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Request {
    /// Does nothing and yields 0: for tests and measurements.
    Nop,
    /// `send(2)`. Yields the bytes sent, which may be fewer than asked for.
    ///
    /// When the socket is full, it yields `EAGAIN` if `flags` has `MSG_DONTWAIT`, and otherwise
    /// waits for room, even on a non-blocking descriptor.
    Send {
        /// The socket.
        fd: i32,
        /// What to send.
        buf: *const u8,
        /// How many bytes.
        len: u32,
        /// `MSG_*` bits; `MSG_NOSIGNAL` is not added.
        flags: u32,
    },
    /// readv(2), or preadv(2) at `offset`; `u64::MAX` is the file's own position.
    Read {
        /// The file.
        fd: i32,
        /// `count` struct iovec.
        iov: *const c_void,
        /// How many.
        count: u32,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// writev(2), or pwritev(2) at `offset`; `u64::MAX` is the file's own position.
    Write {
        /// The file.
        fd: i32,
        /// `count` struct iovec.
        iov: *const c_void,
        /// How many.
        count: u32,
        /// Where in the file, in bytes.
        offset: u64,
    },
    /// openat(2). Yields the descriptor, close-on-exec if `flags` says so.
    Open {
        /// A C string.
        path: *const c_char,
        /// `O_*` bits.
        flags: i32,
        /// Of a file that is made.
        mode: u32,
    },
    /// close(2).
    Close {
        /// No longer the caller's.
        fd: i32,
    },
    /// statx(2).
    Statx {
        /// A C string.
        path: *const c_char,
        /// `AT_*` bits.
        flags: i32,
        /// `STATX_*` bits.
        mask: u32,
        /// A struct statx.
        out: *mut c_void,
    },
    /// fsync(2), or fdatasync(2).
    Sync {
        /// The file.
        fd: i32,
        /// Only what is needed to read the data again.
        data_only: bool,
    },
    /// ftruncate(2).
    Truncate {
        /// The file.
        fd: i32,
        /// Its new length in bytes.
        len: u64,
    },
    /// unlink(2), or rmdir(2) with `AT_REMOVEDIR`.
    Unlink {
        /// A C string.
        path: *const c_char,
        /// `AT_*` bits.
        flags: i32,
    },
    /// mkdir(2).
    Mkdir {
        /// A C string.
        path: *const c_char,
        /// Of the new folder.
        mode: u32,
    },
    /// rename(2).
    Rename {
        /// A C string.
        path: *const c_char,
        /// A C string.
        new_path: *const c_char,
    },
    /// link(2).
    Link {
        /// A C string.
        path: *const c_char,
        /// A C string.
        new_path: *const c_char,
    },
    /// symlink(2).
    Symlink {
        /// What the link says: a C string.
        target: *const c_char,
        /// A C string.
        path: *const c_char,
    },
}

impl Request {
    /// Whether it is about files: those have a ring beside epoll, too.
    pub(super) fn is_file(&self) -> bool {
        !matches!(self, Request::Nop | Request::Send { .. })
    }
}
