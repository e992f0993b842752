//! `uv_sem_t`.

use core::ffi::{c_int, c_uint};

use super::{abort, must};
use crate::abi::*;
use crate::status;

/// Makes a semaphore that `value` waits pass. 0 or an error code (`UV_EINVAL`: `value` too large).
///
/// # Safety
/// `sem` is valid for writes and is no live semaphore.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_init(sem: *mut uv_sem_t, value: c_uint) -> c_int {
    // SAFETY: the caller's word on `sem`.
    status::check(unsafe { libc::sem_init(sem, 0, value) })
}

/// Ends a semaphore.
///
/// # Safety
/// `sem` is a live semaphore that nobody waits on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_destroy(sem: *mut uv_sem_t) {
    // SAFETY: the caller's word on `sem`.
    must(unsafe { libc::sem_destroy(sem) });
}

/// Lets one wait pass. May be called in a signal handler.
///
/// # Safety
/// `sem` is a live semaphore.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_post(sem: *mut uv_sem_t) {
    // SAFETY: the caller's word on `sem`.
    must(unsafe { libc::sem_post(sem) });
}

/// Waits for a post. Signals do not end the wait.
///
/// # Safety
/// `sem` is a live semaphore.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_wait(sem: *mut uv_sem_t) {
    // SAFETY: the caller's word on `sem`.
    while unsafe { libc::sem_wait(sem) } != 0 {
        if status::errno() != libc::EINTR {
            abort();
        }
    }
}

/// As [`uv_sem_wait`] without waiting: 0, or `UV_EAGAIN`.
///
/// # Safety
/// `sem` is a live semaphore.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sem_trywait(sem: *mut uv_sem_t) -> c_int {
    // SAFETY: the caller's word on `sem`.
    while unsafe { libc::sem_trywait(sem) } != 0 {
        match status::errno() {
            libc::EINTR => {}
            libc::EAGAIN => return UV_EAGAIN,
            _ => abort(),
        }
    }
    0
}
