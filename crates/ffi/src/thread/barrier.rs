//! `uv_barrier_t`.

use core::ffi::{c_int, c_uint};

use super::{abort, must};
use crate::abi::*;
use crate::status;

/// Makes a barrier for `count` threads. 0 or an error code (`UV_EINVAL`: `count` is 0 or too large).
///
/// # Safety
/// `barrier` is valid for writes and is no live barrier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_barrier_init(barrier: *mut uv_barrier_t, count: c_uint) -> c_int {
    // SAFETY: the caller's word on `barrier`.
    status::from_pthread(unsafe { libc::pthread_barrier_init(barrier, core::ptr::null(), count) })
}

/// Waits until `count` threads are here. Exactly one of them, any one, gets a number above 0: it
/// may destroy the barrier.
///
/// # Safety
/// `barrier` is a live barrier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_barrier_wait(barrier: *mut uv_barrier_t) -> c_int {
    // SAFETY: the caller's word on `barrier`.
    match unsafe { libc::pthread_barrier_wait(barrier) } {
        0 => 0,
        libc::PTHREAD_BARRIER_SERIAL_THREAD => 1,
        _ => abort(),
    }
}

/// Ends a barrier, once the threads that it let go have left it.
///
/// # Safety
/// `barrier` is a live barrier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_barrier_destroy(barrier: *mut uv_barrier_t) {
    // SAFETY: the caller's word on `barrier`.
    must(unsafe { libc::pthread_barrier_destroy(barrier) });
}
