//! `uv_loop_t`, as C sees it.

use core::cell::Cell;
use core::ffi::{c_int, c_uint, c_ulong, c_void};

use super::*;

/// Requests in flight: the number that keeps a loop alive.
#[repr(C)]
pub union uv__active_reqs {
    /// Unused; fixes the size.
    pub unused: *mut c_void,
    /// How many.
    pub count: core::mem::ManuallyDrop<Cell<c_uint>>,
}

/// The place of libuv's timer heap; free here, the wheel is in `internal_fields`.
#[repr(C)]
pub struct uv__timer_heap {
    /// Unused.
    pub min: Cell<*mut c_void>,
    /// Unused.
    pub nelts: Cell<c_uint>,
}

/// The event loop.
#[repr(C)]
pub struct uv_loop_s {
    /// The program's.
    pub data: Cell<*mut c_void>,
    /// Handles that are active and referenced; programs read and bump it.
    pub active_handles: Cell<c_uint>,
    /// Every open handle, in the order of initialisation.
    pub handle_queue: uv__queue,
    /// Requests in flight; programs read and bump the count.
    pub active_reqs: uv__active_reqs,
    /// The loop's state that C has no name for: `loop_::Inner`.
    pub internal_fields: Cell<*mut c_void>,
    /// Not 0: uv_run returns at the next chance. Programs reset it.
    pub stop_flag: Cell<c_uint>,
    /// Options set by uv_loop_configure.
    pub flags: Cell<c_ulong>,
    /// The epoll descriptor.
    pub backend_fd: Cell<c_int>,
    /// Watches with work that did not come from the kernel.
    pub pending_queue: uv__queue,
    /// Streams with writes to send when the running callback returns.
    pub watcher_queue: uv__queue,
    /// Descriptor to watch; programs look up their own descriptors here.
    pub watchers: Cell<*mut Cell<*const uv__io_t>>,
    /// Entries in `watchers`.
    pub nwatchers: Cell<c_uint>,
    /// Watches that are on.
    pub nfds: Cell<c_uint>,
    /// Finished thread-pool work.
    pub wq: uv__queue,
    /// Unused.
    pub wq_mutex: uv_mutex_t,
    /// Unused.
    pub wq_async: uv_async_t,
    /// Unused.
    pub cloexec_lock: uv_rwlock_t,
    /// Handles whose close callback is due, last closed first.
    pub closing_handles: Cell<*mut uv_handle_t>,
    /// Children that run.
    pub process_handles: uv__queue,
    /// Started prepare handles.
    pub prepare_handles: uv__queue,
    /// Started check handles.
    pub check_handles: uv__queue,
    /// Started idle handles.
    pub idle_handles: uv__queue,
    /// Open async handles.
    pub async_handles: uv__queue,
    /// Unused.
    pub async_unused: Cell<*mut c_void>,
    /// The doorbell's watch.
    pub async_io_watcher: uv__io_t,
    /// The doorbell's descriptor, or -1.
    pub async_wfd: Cell<c_int>,
    /// Unused.
    pub timer_heap: uv__timer_heap,
    /// Order of timer starts.
    pub timer_counter: Cell<u64>,
    /// The loop's clock in ms.
    pub time: Cell<u64>,
    /// Signal plumbing.
    pub signal_pipefd: Cell<[c_int; 2]>,
    /// Signal plumbing.
    pub signal_io_watcher: uv__io_t,
    /// SIGCHLD, where pidfd is refused.
    pub child_watcher: uv_signal_t,
    /// A spare descriptor for accept under EMFILE, or -1.
    pub emfile_fd: Cell<c_int>,
    /// inotify plumbing.
    pub inotify_read_watcher: uv__io_t,
    /// inotify plumbing.
    pub inotify_watchers: Cell<*mut c_void>,
    /// inotify plumbing.
    pub inotify_fd: Cell<c_int>,
}
/// See [`uv_loop_s`].
pub type uv_loop_t = uv_loop_s;
