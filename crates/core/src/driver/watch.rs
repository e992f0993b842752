//! `Watch`: a descriptor and what is wanted of it, yielding readiness until stopped.

use core::cell::Cell;

use crate::list::Link;

/// Readiness bits, both as interest and as result: the kernel's values, equal for epoll and poll.
pub mod ready {
    /// Data to read, or a connection to accept.
    pub const IN: u32 = 0x001;
    /// Exceptional condition, such as out-of-band data.
    pub const PRI: u32 = 0x002;
    /// Writable without blocking.
    pub const OUT: u32 = 0x004;
    /// Error condition; always reported.
    pub const ERR: u32 = 0x008;
    /// Hang-up; always reported.
    pub const HUP: u32 = 0x010;
    /// The peer shut down its writing half.
    pub const RDHUP: u32 = 0x2000;
    /// Interest only: the watcher drains the descriptor at each report or calls
    /// [`Driver::again`](super::Driver::again), so the backend need not report twice what it has
    /// reported once. Without it (and without `EDGE`) the backend reports for as long as the
    /// condition lasts. A report that has `RDHUP`, asked for or not, tells that the end came
    /// together with the data: the watcher must read up to it and not stop at a short read.
    pub const DRAINS: u32 = 1 << 20;
    /// Interest only: report each new arrival once and never again, as EPOLLET does.
    pub const EDGE: u32 = 1 << 31;
}

/// One watched descriptor. Lives in the caller's memory (in the C ABI: `io_watcher`, 56 bytes)
/// and must not move or go away between [`Driver::watch`](super::Driver::watch) and
/// [`Driver::unwatch`](super::Driver::unwatch).
#[repr(C)]
#[derive(Debug)]
pub struct Watch {
    /// The caller's: tells what the watch belongs to. The driver never looks at it.
    pub tag: Cell<usize>,
    /// The caller's: a place on a list of its own.
    pub pending: Link,
    /// The driver's: a place on its list of watches to arm again.
    pub(super) rearm: Link,
    /// What the kernel was asked for, or 0 while the watch is off.
    pub(super) interest: Cell<u32>,
    /// Backend-private state.
    pub(super) state: Cell<u32>,
    /// The descriptor, or -1. C programs read this field.
    pub fd: Cell<i32>,
    /// Tells events of this watch from those of an earlier one on the same descriptor.
    pub(super) generation: Cell<u32>,
}

impl Watch {
    /// A watch on nothing yet.
    pub const fn new() -> Self {
        Watch {
            tag: Cell::new(0),
            pending: Link::new(),
            rearm: Link::new(),
            interest: Cell::new(0),
            state: Cell::new(0),
            fd: Cell::new(-1),
            generation: Cell::new(0),
        }
    }

    /// What is being watched for: bits of [`ready`], 0 when the watch is off.
    pub fn interest(&self) -> u32 {
        self.interest.get()
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}
