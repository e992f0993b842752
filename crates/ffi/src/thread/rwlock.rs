//! `uv_rwlock_t`.

use core::ffi::c_int;

use super::{abort, must};
use crate::abi::*;
use crate::status;

/// Makes a read-write lock. 0 or an error code.
///
/// # Safety
/// `rwlock` is valid for writes and is no live lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_init(rwlock: *mut uv_rwlock_t) -> c_int {
    // SAFETY: the caller's word on `rwlock`.
    status::from_pthread(unsafe { libc::pthread_rwlock_init(rwlock, core::ptr::null()) })
}

/// Ends a read-write lock.
///
/// # Safety
/// `rwlock` is a live lock that nobody holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_destroy(rwlock: *mut uv_rwlock_t) {
    // SAFETY: the caller's word on `rwlock`.
    must(unsafe { libc::pthread_rwlock_destroy(rwlock) });
}

/// Waits until nobody writes, then holds the lock with other readers.
///
/// # Safety
/// `rwlock` is a live lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_rdlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: the caller's word on `rwlock`.
    must(unsafe { libc::pthread_rwlock_rdlock(rwlock) });
}

/// As [`uv_rwlock_rdlock`] without waiting: 0, or `UV_EBUSY`.
///
/// # Safety
/// `rwlock` is a live lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_tryrdlock(rwlock: *mut uv_rwlock_t) -> c_int {
    // SAFETY: the caller's word on `rwlock`.
    try_answer(unsafe { libc::pthread_rwlock_tryrdlock(rwlock) })
}

/// Gives a reader's hold back.
///
/// # Safety
/// `rwlock` is a live lock that the calling thread holds for reading.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_rdunlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: the caller's word on `rwlock`.
    must(unsafe { libc::pthread_rwlock_unlock(rwlock) });
}

/// Waits until nobody holds the lock, then holds it alone.
///
/// # Safety
/// `rwlock` is a live lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_wrlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: the caller's word on `rwlock`.
    must(unsafe { libc::pthread_rwlock_wrlock(rwlock) });
}

/// As [`uv_rwlock_wrlock`] without waiting: 0, or `UV_EBUSY`.
///
/// # Safety
/// `rwlock` is a live lock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_trywrlock(rwlock: *mut uv_rwlock_t) -> c_int {
    // SAFETY: the caller's word on `rwlock`.
    try_answer(unsafe { libc::pthread_rwlock_trywrlock(rwlock) })
}

/// Gives the writer's hold back.
///
/// # Safety
/// `rwlock` is a live lock that the calling thread holds for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_rwlock_wrunlock(rwlock: *mut uv_rwlock_t) {
    // SAFETY: the caller's word on `rwlock`.
    must(unsafe { libc::pthread_rwlock_unlock(rwlock) });
}

fn try_answer(answer: c_int) -> c_int {
    match answer {
        0 => 0,
        libc::EBUSY | libc::EAGAIN => UV_EBUSY,
        _ => abort(),
    }
}
