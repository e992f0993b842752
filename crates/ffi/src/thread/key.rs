//! `uv_key_t`: one pointer for each thread.

use core::ffi::{c_int, c_void};

use super::must;
use crate::abi::*;
use crate::status;

/// Makes a key; its value is NULL in every thread. 0 or an error code (`UV_EAGAIN`: no keys left).
///
/// # Safety
/// `key` is valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_create(key: *mut uv_key_t) -> c_int {
    // SAFETY: the caller's word on `key`.
    status::from_pthread(unsafe { libc::pthread_key_create(key, None) })
}

/// Ends a key. The values are the caller's to free.
///
/// # Safety
/// `key` points at a live key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_delete(key: *mut uv_key_t) {
    // SAFETY: the caller's word on `key`.
    must(unsafe { libc::pthread_key_delete(*key) });
}

/// The calling thread's value.
///
/// # Safety
/// `key` points at a live key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_get(key: *mut uv_key_t) -> *mut c_void {
    // SAFETY: the caller's word on `key`.
    unsafe { libc::pthread_getspecific(*key) }
}

/// Sets the calling thread's value.
///
/// # Safety
/// `key` points at a live key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_set(key: *mut uv_key_t, value: *mut c_void) {
    // SAFETY: the caller's word on `key`.
    must(unsafe { libc::pthread_setspecific(*key, value) });
}
