//! Functions that only read a field, for programs that cannot reach C's structs. Source: the
//! manual's pages on file system operations, processes and UDP.

use core::ffi::{c_char, c_int, c_void};

use crate::abi::*;

/// Which operation the request is of.
///
/// # Safety
/// `req` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_type(req: *const uv_fs_t) -> uv_fs_type {
    // SAFETY: the caller's word on `req`.
    unsafe { (*req).fs_type.get() }
}

/// What the operation yielded: 0 or more, or an error code.
///
/// # Safety
/// `req` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_result(req: *const uv_fs_t) -> isize {
    // SAFETY: the caller's word on `req`.
    unsafe { (*req).result.get() }
}

/// The system's error number of a failed operation: the result, negated.
///
/// # Safety
/// `req` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_system_error(req: *const uv_fs_t) -> c_int {
    // SAFETY: the caller's word on `req`.
    unsafe { ((*req).result.get() as c_int).wrapping_neg() }
}

/// The operation's memory: a link's target, a directory, a statfs record.
///
/// # Safety
/// `req` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_ptr(req: *const uv_fs_t) -> *mut c_void {
    // SAFETY: the caller's word on `req`.
    unsafe { (*req).ptr.get() }
}

/// The path that the operation works on.
///
/// # Safety
/// `req` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_path(req: *const uv_fs_t) -> *const c_char {
    // SAFETY: the caller's word on `req`.
    unsafe { (*req).path.get() }
}

/// The request's stat record.
///
/// # Safety
/// `req` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_get_statbuf(req: *mut uv_fs_t) -> *mut uv_stat_t {
    // SAFETY: the caller's word on `req`.
    unsafe { (*req).statbuf.as_ptr() }
}

/// The child's process id.
///
/// # Safety
/// `handle` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_process_get_pid(handle: *const uv_process_t) -> uv_pid_t {
    // SAFETY: the caller's word on `handle`.
    unsafe { (*handle).pid.get() }
}

/// Bytes that wait to be sent.
///
/// # Safety
/// `handle` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_get_send_queue_size(handle: *const uv_udp_t) -> usize {
    // SAFETY: the caller's word on `handle`.
    unsafe { (*handle).send_queue_size.get() }
}

/// Requests that wait to be sent.
///
/// # Safety
/// `handle` is valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_get_send_queue_count(handle: *const uv_udp_t) -> usize {
    // SAFETY: the caller's word on `handle`.
    unsafe { (*handle).send_queue_count.get() }
}
