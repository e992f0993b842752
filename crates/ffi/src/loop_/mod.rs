//! The loop: its state, its life, its turns.
//!
//! ```text
//!   mod       what a loop consists of
//!   registry  every open loop of the process, for exit() and fork()
//!   life      init, close, new, delete, default, fork
//!   config    options
//!   watch     descriptors: start, stop, feed
//!   call      going out into C and coming back
//!   walk      uv_walk and the two printers
//!   finished  requests that finished within the call that started them
//!   run       one turn after the other      poll  the part of a turn that sleeps
//! ```

pub(crate) mod call;
pub mod config;
pub(crate) mod finished;
pub mod life;
mod poll;
mod registry;
pub mod run;
pub mod walk;
pub(crate) mod watch;

use core::cell::{Cell, OnceCell, UnsafeCell};
use core::ffi::{c_int, c_void};
use core::sync::atomic::AtomicU64;

use uvring_core::driver::Driver;
use uvring_core::list::{self, Link};
use uvring_core::mpsc::Inbox;
use uvring_core::wake::Doorbell;
use uvring_core::wheel::Wheel;

pub(crate) use self::config::{backend_name, set_backend};
use crate::abi::*;
use crate::linger::Linger;
use crate::req;

/// Bits of `uv_loop_t.flags`.
pub(crate) mod option {
    /// SIGPROF is blocked while the loop sleeps.
    pub(crate) const BLOCK_SIGPROF: u64 = 1;
    /// The time spent asleep is counted.
    pub(crate) const METRICS_IDLE: u64 = 2;
    /// The program allows SQPOLL for file operations.
    pub(crate) const SQPOLL: u64 = 4;
    /// UV_FS_EVENT_RECURSIVE has an effect.
    pub(crate) const RECURSIVE: u64 = 8;
}

/// What a loop has that C knows no name for. One allocation, made by uv_loop_init.
pub(crate) struct Inner {
    /// Replaced as a whole after a fork; see `driver()`.
    pub(crate) driver: UnsafeCell<Driver>,
    /// Started timers.
    pub(crate) wheel: Wheel,
    /// Timers that came due while the loop slept, in order; still started.
    pub(crate) ripe: Link,
    /// Async handles that were sent to, pushed by any thread.
    pub(crate) inbox: Inbox,
    /// Wakes the loop from another thread; made with the first handle that needs it.
    pub(crate) doorbell: OnceCell<Doorbell>,
    /// Async handles taken out of the inbox, in the order they are to be called.
    pub(crate) woken: Link,
    /// The next async handle's place in the order of initialisation.
    pub(crate) async_counter: Cell<u64>,
    /// How many calls out into C are open.
    pub(crate) depth: Cell<u32>,
    /// Number of the call that is open, or that was last: tells a stream's writes of one callback
    /// from those of another.
    pub(crate) serial: Cell<u64>,
    /// Where the buffer that the running read callback got begins, and its length.
    pub(crate) lent: Cell<(usize, usize)>,
    /// Gather what a callback writes.
    pub(crate) coalesce: Cell<bool>,
    /// Look this long for events before sleeping.
    pub(crate) spin_us: Cell<u32>,
    /// Jobs of this loop that the thread pool has.
    pub(crate) jobs: Cell<u32>,
    /// Whether handles were sent to in the last turn: more may follow.
    pub(crate) told: Cell<bool>,
    /// How long it pays to look for one that is over before sleeping.
    pub(crate) linger: Cell<Linger>,
    /// When the kernel was last asked, in ns.
    pub(crate) asked_ns: Cell<u64>,
    /// Sends what a stream or a UDP handle has gathered: given by the layers above this one.
    pub(crate) send: fn(&uv_handle_t),
    /// Not 0 while one UDP handle's callbacks come one after the other; see `call::batch`.
    pub(crate) batch: Cell<u64>,
    /// UDP handles that send when those are over.
    pub(crate) held: Link,
    /// Watches of UDP handles with requests that are done; see `watch::feed_once_a_round`.
    pub(crate) sent: Link,
    /// The UDP handle whose receive callback runs, and the header of its datagram; or null.
    pub(crate) datagram: Cell<(*const uv_udp_t, *const libc::msghdr)>,
    pub(crate) metrics: Metrics,
    /// Requests that need no more than their callback.
    pub(crate) finished: finished::Finished,
    /// Watches of signals and children that are ready: they come after all other events.
    pub(crate) late: Link,
    /// The loop's share of the signal table, or null.
    pub(crate) signals: Cell<*mut c_void>,
    /// The loop's place among all loops, and the thread that runs it (0: none).
    pub(crate) place: Link,
    pub(crate) thread: Cell<usize>,
    /// The loop this is the state of.
    pub(crate) owner: Cell<*mut uv_loop_t>,
}

impl Inner {
    /// The loop's view of the kernel.
    pub(crate) fn driver(&self) -> &Driver {
        // SAFETY: it is only replaced between turns, by calls that hold no other reference.
        unsafe { &*self.driver.get() }
    }
}

/// What uv_metrics_info and uv_metrics_idle_time tell.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) loop_count: Cell<u64>,
    pub(crate) events: Cell<u64>,
    pub(crate) events_waiting: Cell<u64>,
    /// Whether the loop slept for the events it has now.
    pub(crate) slept: Cell<bool>,
    /// Nanoseconds asleep so far; read by other threads.
    pub(crate) idle_ns: AtomicU64,
    /// When the present sleep began, or 0.
    pub(crate) asleep_since: AtomicU64,
}

impl Metrics {
    /// Counts events that were handed out.
    pub(crate) fn count(&self, events: u64) {
        self.events.set(self.events.get() + events);
        if !self.slept.get() {
            self.events_waiting.set(self.events_waiting.get() + events);
        }
    }
}

impl uv_loop_t {
    /// The loop's private state.
    pub(crate) fn inner(&self) -> &Inner {
        // SAFETY: set by uv_loop_init, which every loop has been through; freed by uv_loop_close.
        unsafe { &*self.internal_fields.get().cast::<Inner>() }
    }

    /// The address that C has of this loop.
    pub(crate) fn as_ptr(&self) -> *mut uv_loop_t {
        core::ptr::from_ref(self).cast_mut()
    }

    /// Whether handles that are active and referenced, or requests, keep the loop alive.
    pub(crate) fn has_active(&self) -> bool {
        self.active_handles.get() != 0 || req::any(self)
    }

    /// Whether there is anything at all to wait for or to do.
    pub(crate) fn is_alive(&self) -> bool {
        self.has_active()
            || !self.closing_handles.get().is_null()
            // SAFETY: the list head of an initialised loop.
            || unsafe { !list::is_empty(&raw const self.pending_queue) }
    }

    /// Reads the clock into the loop.
    pub(crate) fn update_time(&self) {
        self.time.set(uvring_core::clock::now_ns() / 1_000_000);
    }
}

/// `int uv_loop_alive(const uv_loop_t*)`: not 0 when there are active referenced handles, requests
/// in flight or closing handles.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_alive(owner: *const uv_loop_t) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*owner).is_alive() })
}

/// `void uv_stop(uv_loop_t*)`: uv_run returns as soon as it can; not thread-safe.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_stop(owner: *mut uv_loop_t) {
    // SAFETY: the caller's promise.
    unsafe { (*owner).stop_flag.set(1) }
}

/// `uint64_t uv_now(const uv_loop_t*)`: the loop's clock in ms, as of the turn's start.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_now(owner: *const uv_loop_t) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { (*owner).time.get() }
}

/// `void uv_update_time(uv_loop_t*)`: reads the clock now.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_update_time(owner: *mut uv_loop_t) {
    // SAFETY: the caller's promise.
    unsafe { (*owner).update_time() }
}

/// `int uv_backend_fd(const uv_loop_t*)`: an epoll descriptor that is readable whenever uv_run would
/// find work; -1 when it cannot be made.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_backend_fd(owner: *const uv_loop_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let fd = (*owner).inner().driver().fd().unwrap_or(-1);
        (*owner).backend_fd.set(fd);
        (*owner).inner().finished.polled.set(true);
        fd
    }
}

/// `int uv_backend_timeout(const uv_loop_t*)`: how long uv_run would sleep now, in ms; -1: for ever.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_backend_timeout(owner: *const uv_loop_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { run::backend_timeout(&*owner) }
}

/// `size_t uv_loop_size(void)`: bytes of a `uv_loop_t`.
#[unsafe(no_mangle)]
pub extern "C" fn uv_loop_size() -> usize {
    size_of::<uv_loop_t>()
}

/// `void* uv_loop_get_data(const uv_loop_t*)`.
///
/// # Safety
/// `owner` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_get_data(owner: *const uv_loop_t) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { (*owner).data.get() }
}

/// `void uv_loop_set_data(uv_loop_t*, void*)`.
///
/// # Safety
/// `owner` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_set_data(owner: *mut uv_loop_t, data: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { (*owner).data.set(data) }
}
