//! `uv_prepare_t`: called once a turn, right before the loop polls.

use core::ffi::c_int;

use crate::abi::*;
use crate::phase;

/// `int uv_prepare_init(uv_loop_t*, uv_prepare_t*)`: makes the handle. Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_prepare_init(
    owner: *mut uv_loop_t,
    handle: *mut uv_prepare_t,
) -> c_int {
    // SAFETY: the caller's promise; the three kinds have one layout (asserted in `phase`).
    unsafe { phase::init(owner, handle.cast(), UV_PREPARE) }
}

/// `int uv_prepare_start(uv_prepare_t*, uv_prepare_cb)`: starts the handle; on a started one does nothing.
///
/// # Returns
/// 0; `UV_EINVAL` when `callback` is NULL.
///
/// # Safety
/// `handle` is initialised and not closing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_prepare_start(
    handle: *mut uv_prepare_t,
    callback: uv_prepare_cb,
) -> c_int {
    // SAFETY: as above; the callback types differ only in the handle's name.
    unsafe {
        let callback = core::mem::transmute::<uv_prepare_cb, phase::Callback>(callback);
        phase::start(handle.cast(), callback, &raw const (*(*handle).r#loop.get()).prepare_handles)
    }
}

/// `int uv_prepare_stop(uv_prepare_t*)`: stops the handle. Always 0.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_prepare_stop(handle: *mut uv_prepare_t) -> c_int {
    // SAFETY: as above.
    unsafe { phase::stop(handle.cast()) }
}

/// Calls every started handle.
pub(crate) fn run(owner: &uv_loop_t) {
    phase::run(owner, &raw const owner.prepare_handles);
}
