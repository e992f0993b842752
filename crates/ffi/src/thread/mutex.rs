//! `uv_mutex_t`.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::{abort, must};
use crate::abi::*;
use crate::status;

/// Makes a mutex. 0 or an error code.
///
/// # Safety
/// `handle` is valid for writes and is no live mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_init(handle: *mut uv_mutex_t) -> c_int {
    // SAFETY: the caller's word on `handle`.
    status::from_pthread(unsafe { libc::pthread_mutex_init(handle, core::ptr::null()) })
}

/// Makes a mutex that its owner may lock again. 0 or an error code.
///
/// # Safety
/// As for [`uv_mutex_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_init_recursive(handle: *mut uv_mutex_t) -> c_int {
    let mut attr = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
    let attr = attr.as_mut_ptr();
    // SAFETY: `attr` is initialised before it is used and destroyed after; the caller's word on
    // `handle`.
    unsafe {
        must(libc::pthread_mutexattr_init(attr));
        must(libc::pthread_mutexattr_settype(attr, libc::PTHREAD_MUTEX_RECURSIVE));
        let answer = libc::pthread_mutex_init(handle, attr);
        must(libc::pthread_mutexattr_destroy(attr));
        status::from_pthread(answer)
    }
}

/// Ends a mutex. Aborts when it is locked.
///
/// # Safety
/// `handle` is a live mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_destroy(handle: *mut uv_mutex_t) {
    // SAFETY: the caller's word on `handle`.
    must(unsafe { libc::pthread_mutex_destroy(handle) });
}

/// Waits for the mutex and takes it.
///
/// # Safety
/// `handle` is a live mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_lock(handle: *mut uv_mutex_t) {
    // SAFETY: the caller's word on `handle`.
    must(unsafe { libc::pthread_mutex_lock(handle) });
}

/// Takes the mutex if it is free: 0, or `UV_EBUSY`.
///
/// # Safety
/// `handle` is a live mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_trylock(handle: *mut uv_mutex_t) -> c_int {
    // SAFETY: the caller's word on `handle`.
    match unsafe { libc::pthread_mutex_trylock(handle) } {
        0 => 0,
        libc::EBUSY | libc::EAGAIN => UV_EBUSY,
        _ => abort(),
    }
}

/// Gives the mutex back.
///
/// # Safety
/// `handle` is a live mutex that the calling thread holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_mutex_unlock(handle: *mut uv_mutex_t) {
    // SAFETY: the caller's word on `handle`.
    must(unsafe { libc::pthread_mutex_unlock(handle) });
}
