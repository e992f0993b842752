//! `Op`: one request to the kernel, yielding one result.

use core::cell::Cell;

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

/// What an [`Op`] asks of the kernel. Memory named here stays valid until the op is done.
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
}
