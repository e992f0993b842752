//! What every request has: a type, and its share in keeping the loop alive.

use core::ffi::c_void;

use crate::abi::*;

/// Makes the common part of a request and counts it as in flight.
///
/// # Safety
/// `req` is valid for writes of a request, `owner` an initialised loop.
pub(crate) unsafe fn start(owner: &uv_loop_t, req: *mut uv_req_t, kind: uv_req_type) {
    // SAFETY: the caller's promise.
    unsafe {
        (*req).r#type.set(kind);
        let count = &owner.active_reqs.count;
        count.set(count.get().wrapping_add(1));
    }
}

/// Counts a request as done; called before its callback.
pub(crate) fn done(owner: &uv_loop_t) {
    // SAFETY: `count` overlays the union's start and any bits are a count.
    let count = unsafe { &owner.active_reqs.count };
    count.set(count.get().wrapping_sub(1));
}

/// Whether requests are in flight.
pub(crate) fn any(owner: &uv_loop_t) -> bool {
    // SAFETY: as in `done`.
    unsafe { owner.active_reqs.count.get() != 0 }
}

/// `void* uv_req_get_data(const uv_req_t*)`.
///
/// # Safety
/// `req` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_req_get_data(req: *const uv_req_t) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { (*req).data.get() }
}

/// `void uv_req_set_data(uv_req_t*, void*)`.
///
/// # Safety
/// `req` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_req_set_data(req: *mut uv_req_t, data: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { (*req).data.set(data) }
}

/// `uv_req_type uv_req_get_type(const uv_req_t*)`.
///
/// # Safety
/// `req` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_req_get_type(req: *const uv_req_t) -> uv_req_type {
    // SAFETY: the caller's promise.
    unsafe { (*req).r#type.get() }
}
