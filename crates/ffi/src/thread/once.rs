//! `uv_once_t`.

use super::{abort, must};
use crate::abi::*;

unsafe extern "C" {
    // The libc crate declares it with a safe callback; C's is not.
    fn pthread_once(guard: *mut uv_once_t, callback: unsafe extern "C" fn()) -> core::ffi::c_int;
}

/// Runs `callback` unless it ran already for this `guard`; whoever comes meanwhile waits for it.
///
/// # Safety
/// `guard` was set to `UV_ONCE_INIT` before its first use; `callback` is a function, not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_once(guard: *mut uv_once_t, callback: Option<unsafe extern "C" fn()>) {
    let Some(callback) = callback else { abort() };
    // SAFETY: the caller's word on `guard`.
    must(unsafe { pthread_once(guard, callback) });
}
