//! `uv_cond_t`, timed by the monotonic clock.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::{abort, must};
use crate::abi::*;
use crate::{status, time};

/// Makes a condition variable. 0 or an error code.
///
/// # Safety
/// `cond` is valid for writes and is no live condition variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_init(cond: *mut uv_cond_t) -> c_int {
    let mut attr = MaybeUninit::<libc::pthread_condattr_t>::uninit();
    let attr = attr.as_mut_ptr();
    // SAFETY: `attr` is initialised before it is used and destroyed after; the caller's word on
    // `cond`.
    unsafe {
        let mut answer = libc::pthread_condattr_init(attr);
        if answer != 0 {
            return status::from_pthread(answer);
        }
        answer = libc::pthread_condattr_setclock(attr, libc::CLOCK_MONOTONIC);
        if answer == 0 {
            answer = libc::pthread_cond_init(cond, attr);
        }
        must(libc::pthread_condattr_destroy(attr));
        status::from_pthread(answer)
    }
}

/// Ends a condition variable.
///
/// # Safety
/// `cond` is a live condition variable that nobody waits on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_destroy(cond: *mut uv_cond_t) {
    // SAFETY: the caller's word on `cond`.
    must(unsafe { libc::pthread_cond_destroy(cond) });
}

/// Wakes one thread that waits, if there is one.
///
/// # Safety
/// `cond` is a live condition variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_signal(cond: *mut uv_cond_t) {
    // SAFETY: the caller's word on `cond`.
    must(unsafe { libc::pthread_cond_signal(cond) });
}

/// Wakes every thread that waits.
///
/// # Safety
/// `cond` is a live condition variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_broadcast(cond: *mut uv_cond_t) {
    // SAFETY: the caller's word on `cond`.
    must(unsafe { libc::pthread_cond_broadcast(cond) });
}

/// Gives `mutex` back, waits for a wake-up, takes `mutex` again. May wake without cause.
///
/// # Safety
/// Both are live, and the calling thread holds `mutex`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_wait(cond: *mut uv_cond_t, mutex: *mut uv_mutex_t) {
    // SAFETY: the caller's word on both.
    must(unsafe { libc::pthread_cond_wait(cond, mutex) });
}

/// As [`uv_cond_wait`], for `timeout` nanoseconds from now at most: 0, or `UV_ETIMEDOUT`.
///
/// # Safety
/// As for [`uv_cond_wait`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cond_timedwait(
    cond: *mut uv_cond_t,
    mutex: *mut uv_mutex_t,
    timeout: u64,
) -> c_int {
    const NANOS_PER_SEC: u64 = 1_000_000_000;
    // Saturating: the furthest deadline is 584 years from boot, not one in the past.
    let deadline_ns = time::hrtime_ns().saturating_add(timeout);
    let deadline = libc::timespec {
        tv_sec: (deadline_ns / NANOS_PER_SEC) as libc::time_t,
        tv_nsec: (deadline_ns % NANOS_PER_SEC) as _,
    };
    // SAFETY: the caller's word on both.
    match unsafe { libc::pthread_cond_timedwait(cond, mutex, &deadline) } {
        0 => 0,
        libc::ETIMEDOUT => UV_ETIMEDOUT,
        _ => abort(),
    }
}
