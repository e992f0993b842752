//! What every handle has: flags, a place on its loop's list, and its share in keeping the loop alive.
//!
//! A loop lives as long as it has handles that are both active and referenced; the count of those
//! is kept exact at every change, so nobody ever walks the list to find out.

use core::ffi::{c_int, c_void};
use core::mem::ManuallyDrop;

use uvring_core::list;

use crate::abi::*;
use crate::loop_::Inner;

/// Bits of `uv_handle_t.flags`. Values that programs look at (facts of the ABI) keep theirs; the
/// rest are ours.
pub(crate) mod flag {
    /// uv_close was called.
    pub(crate) const CLOSING: u32 = 0x0000_0001;
    /// The close callback has run or is about to.
    pub(crate) const CLOSED: u32 = 0x0000_0002;
    /// Started.
    pub(crate) const ACTIVE: u32 = 0x0000_0004;
    /// Counts for keeping the loop alive.
    pub(crate) const REF: u32 = 0x0000_0008;
    /// The library's own: uv_walk passes it over.
    pub(crate) const INTERNAL: u32 = 0x0000_0010;
    /// Stream: uv_listen succeeded.
    pub(crate) const LISTENING: u32 = 0x0000_0040;
    /// Stream: the writing half is shut.
    pub(crate) const SHUT: u32 = 0x0000_0200;
    /// Stream: the last read filled its buffer only in part.
    pub(crate) const READ_PARTIAL: u32 = 0x0000_0400;
    /// Stream: the end of file was reported.
    pub(crate) const READ_EOF: u32 = 0x0000_0800;
    /// The socket has an address of its own.
    pub(crate) const BOUND: u32 = 0x0000_2000;
    /// Stream: can be read. Programs set it.
    pub(crate) const READABLE: u32 = 0x0000_4000;
    /// Stream: can be written.
    pub(crate) const WRITABLE: u32 = 0x0000_8000;
    /// Stream: on the loop's list of streams to send when the callback returns.
    pub(crate) const FLUSH_DUE: u32 = 0x0001_0000;
    /// Stream: the first queued write is with the ring.
    pub(crate) const IN_FLIGHT: u32 = 0x0002_0000;
    /// Stream: each write goes out by itself, at once.
    pub(crate) const NO_COALESCE: u32 = 0x0004_0000;
    /// Pipe: the descriptor is a stream socket.
    pub(crate) const SOCKET: u32 = 0x0008_0000;
    /// Stream: the descriptor blocks, so a short write is simply continued.
    pub(crate) const BLOCKING_WRITES: u32 = 0x0010_0000;
    /// Stream: a write has ended before.
    pub(crate) const HAS_WRITTEN: u32 = 0x0020_0000;
    /// TCP, UDP: the socket is IPv6.
    pub(crate) const IPV6: u32 = 0x0040_0000;
    /// Signal: stops after one.
    pub(crate) const ONE_SHOT: u32 = 0x0080_0000;
    /// TCP: TCP_NODELAY, also for a socket that is still to come.
    pub(crate) const TCP_NODELAY: u32 = 0x0100_0000;
    /// TCP: SO_KEEPALIVE, also for a socket that is still to come.
    pub(crate) const TCP_KEEPALIVE: u32 = 0x0200_0000;
}

/// A handle struct: its first fields are those of `uv_handle_t`.
///
/// # Safety
/// Only for `repr(C)` structs that begin with exactly the fields of `uv_handle_t`.
pub(crate) unsafe trait Handle: Sized {
    /// The part that all handles share.
    fn base(&self) -> &uv_handle_t {
        // SAFETY: the implementer promises the common prefix.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }

    /// The address that callbacks get.
    fn as_ptr(&self) -> *mut Self {
        core::ptr::from_ref(self).cast_mut()
    }

    /// The handle's loop.
    fn owner(&self) -> &uv_loop_t {
        // SAFETY: an initialised handle's loop outlives it.
        unsafe { &*self.base().r#loop.get() }
    }

    /// The private state of the handle's loop.
    fn inner(&self) -> &Inner {
        self.owner().inner()
    }

    /// Whether any of the bits is set.
    fn has(&self, bits: u32) -> bool {
        self.base().flags.get() & bits != 0
    }

    /// Sets the bits.
    fn set(&self, bits: u32) {
        let flags = &self.base().flags;
        flags.set(flags.get() | bits);
    }

    /// Clears the bits.
    fn clear(&self, bits: u32) {
        let flags = &self.base().flags;
        flags.set(flags.get() & !bits);
    }

    /// Whether uv_close was called.
    fn is_closing(&self) -> bool {
        self.has(flag::CLOSING | flag::CLOSED)
    }

    /// Marks the handle started.
    fn start(&self) {
        if !self.has(flag::ACTIVE) {
            self.set(flag::ACTIVE);
            if self.has(flag::REF) {
                count(self.owner(), 1);
            }
        }
    }

    /// Marks the handle stopped.
    fn stop(&self) {
        if self.has(flag::ACTIVE) {
            self.clear(flag::ACTIVE);
            if self.has(flag::REF) {
                count(self.owner(), u32::MAX);
            }
        }
    }

    /// Makes the handle count for the loop's life.
    fn reference(&self) {
        if !self.has(flag::REF) {
            self.set(flag::REF);
            if self.has(flag::ACTIVE) && !self.has(flag::CLOSING) {
                count(self.owner(), 1);
            }
        }
    }

    /// Makes the handle not count for the loop's life.
    fn unreference(&self) {
        if self.has(flag::REF) {
            self.clear(flag::REF);
            if self.has(flag::ACTIVE) && !self.has(flag::CLOSING) {
                count(self.owner(), u32::MAX);
            }
        }
    }
}

/// Adds to the loop's count of what keeps it alive. Programs bump it too, so it wraps, never traps.
fn count(owner: &uv_loop_t, by: u32) {
    owner.active_handles.set(owner.active_handles.get().wrapping_add(by));
}

// SAFETY: each of these begins with the fields of uv_handle_t; abi/layout.rs asserts the offsets.
unsafe impl Handle for uv_handle_t {}
// SAFETY: as above.
unsafe impl Handle for uv_stream_t {}
// SAFETY: as above.
unsafe impl Handle for uv_tcp_t {}
// SAFETY: as above.
unsafe impl Handle for uv_pipe_t {}
// SAFETY: as above.
unsafe impl Handle for uv_tty_t {}
// SAFETY: as above.
unsafe impl Handle for uv_udp_t {}
// SAFETY: as above.
unsafe impl Handle for uv_poll_t {}
// SAFETY: as above.
unsafe impl Handle for uv_timer_t {}
// SAFETY: as above.
unsafe impl Handle for uv_prepare_t {}
// SAFETY: as above.
unsafe impl Handle for uv_check_t {}
// SAFETY: as above.
unsafe impl Handle for uv_idle_t {}
// SAFETY: as above.
unsafe impl Handle for uv_async_t {}
// SAFETY: as above.
unsafe impl Handle for uv_process_t {}
// SAFETY: as above.
unsafe impl Handle for uv_signal_t {}
// SAFETY: as above.
unsafe impl Handle for uv_fs_event_t {}
// SAFETY: as above.
unsafe impl Handle for uv_fs_poll_t {}

/// Makes the common part of a handle and puts it at the end of its loop's list.
///
/// # Safety
/// `handle` is valid for writes of a handle; what it held before does not matter. `owner` is an
/// initialised loop.
pub(crate) unsafe fn init(owner: *mut uv_loop_t, handle: *mut uv_handle_t, kind: uv_handle_type) {
    // SAFETY: the caller vouches for both; every field is a Cell of plain data.
    unsafe {
        let base = &*handle;
        base.r#loop.set(owner);
        base.r#type.set(kind);
        base.flags.set(flag::REF);
        base.next_closing.set(core::ptr::null_mut());
        (&raw mut (*handle).u)
            .write(uv__handle_scratch { words: ManuallyDrop::new(Default::default()) });
        list::push_back(&raw const (*owner).handle_queue, &raw const (*handle).handle_queue);
    }
}

/// Puts a closing handle on the loop's stack of those to finish.
pub(crate) fn finish_later(base: &uv_handle_t) {
    let owner = base.owner();
    base.next_closing.set(owner.closing_handles.get());
    owner.closing_handles.set(base.as_ptr());
}

/// The descriptor's watch, for the kinds that have one.
///
/// # Safety
/// `handle` is an initialised handle.
pub(crate) unsafe fn watch_of(handle: *const uv_handle_t) -> Option<*const uv__io_t> {
    // SAFETY: the type says what the handle really is.
    unsafe {
        match (*handle).r#type.get() {
            UV_TCP | UV_NAMED_PIPE | UV_TTY => {
                Some(&raw const (*handle.cast::<uv_stream_t>()).io_watcher)
            }
            UV_UDP => Some(&raw const (*handle.cast::<uv_udp_t>()).io_watcher),
            UV_POLL => Some(&raw const (*handle.cast::<uv_poll_t>()).io_watcher),
            _ => None,
        }
    }
}

/// `void uv_ref(uv_handle_t*)`: the handle keeps the loop alive while it is active. Idempotent.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ref(handle: *mut uv_handle_t) {
    // SAFETY: the caller's promise.
    unsafe { (*handle).reference() }
}

/// `void uv_unref(uv_handle_t*)`: the handle no longer keeps the loop alive. Idempotent.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_unref(handle: *mut uv_handle_t) {
    // SAFETY: the caller's promise.
    unsafe { (*handle).unreference() }
}

/// `int uv_has_ref(const uv_handle_t*)`: not 0 when the handle is referenced.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_has_ref(handle: *const uv_handle_t) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*handle).has(flag::REF) })
}

/// `int uv_is_active(const uv_handle_t*)`: not 0 when the handle is started.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_active(handle: *const uv_handle_t) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*handle).has(flag::ACTIVE) })
}

/// `int uv_is_closing(const uv_handle_t*)`: not 0 from uv_close on.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_is_closing(handle: *const uv_handle_t) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { (*handle).is_closing() })
}

/// `uv_handle_type uv_handle_get_type(const uv_handle_t*)`.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_get_type(handle: *const uv_handle_t) -> uv_handle_type {
    // SAFETY: the caller's promise.
    unsafe { (*handle).r#type.get() }
}

/// `void* uv_handle_get_data(const uv_handle_t*)`.
///
/// # Safety
/// `handle` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_get_data(handle: *const uv_handle_t) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { (*handle).data.get() }
}

/// `void uv_handle_set_data(uv_handle_t*, void*)`.
///
/// # Safety
/// `handle` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_set_data(handle: *mut uv_handle_t, data: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { (*handle).data.set(data) }
}

/// `uv_loop_t* uv_handle_get_loop(const uv_handle_t*)`.
///
/// # Safety
/// `handle` is an initialised handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_handle_get_loop(handle: *const uv_handle_t) -> *mut uv_loop_t {
    // SAFETY: the caller's promise.
    unsafe { (*handle).r#loop.get() }
}
