//! The callbacks that C hands in. NULL is `None`.

use core::ffi::{c_char, c_int, c_uint, c_void};

use libc::{addrinfo, sockaddr};

use super::*;

/// Suggests a buffer for the next read.
pub type uv_alloc_cb = Option<
    unsafe extern "C" fn(handle: *mut uv_handle_t, suggested_size: usize, buf: *mut uv_buf_t),
>;
/// Data, end of file or error on a stream.
pub type uv_read_cb =
    Option<unsafe extern "C" fn(stream: *mut uv_stream_t, nread: isize, buf: *const uv_buf_t)>;
/// A write is done.
pub type uv_write_cb = Option<unsafe extern "C" fn(req: *mut uv_write_t, status: c_int)>;
/// A connection attempt is done.
pub type uv_connect_cb = Option<unsafe extern "C" fn(req: *mut uv_connect_t, status: c_int)>;
/// The writing half is shut.
pub type uv_shutdown_cb = Option<unsafe extern "C" fn(req: *mut uv_shutdown_t, status: c_int)>;
/// A listening stream has a connection.
pub type uv_connection_cb = Option<unsafe extern "C" fn(server: *mut uv_stream_t, status: c_int)>;
/// The handle's memory is the caller's again.
pub type uv_close_cb = Option<unsafe extern "C" fn(handle: *mut uv_handle_t)>;
/// A descriptor is ready.
pub type uv_poll_cb =
    Option<unsafe extern "C" fn(handle: *mut uv_poll_t, status: c_int, events: c_int)>;
/// A timer is due.
pub type uv_timer_cb = Option<unsafe extern "C" fn(handle: *mut uv_timer_t)>;
/// Another thread sent.
pub type uv_async_cb = Option<unsafe extern "C" fn(handle: *mut uv_async_t)>;
/// Before the loop polls.
pub type uv_prepare_cb = Option<unsafe extern "C" fn(handle: *mut uv_prepare_t)>;
/// After the loop polled.
pub type uv_check_cb = Option<unsafe extern "C" fn(handle: *mut uv_check_t)>;
/// Once a turn; keeps the loop from sleeping.
pub type uv_idle_cb = Option<unsafe extern "C" fn(handle: *mut uv_idle_t)>;
/// A child ended: exit status, signal.
pub type uv_exit_cb =
    Option<unsafe extern "C" fn(handle: *mut uv_process_t, exit_status: i64, term_signal: c_int)>;
/// One handle of a walk.
pub type uv_walk_cb = Option<unsafe extern "C" fn(handle: *mut uv_handle_t, arg: *mut c_void)>;
/// A file operation is done.
pub type uv_fs_cb = Option<unsafe extern "C" fn(req: *mut uv_fs_t)>;
/// Runs on a worker thread.
pub type uv_work_cb = Option<unsafe extern "C" fn(req: *mut uv_work_t)>;
/// Runs on the loop's thread when the work is done.
pub type uv_after_work_cb = Option<unsafe extern "C" fn(req: *mut uv_work_t, status: c_int)>;
/// A name was looked up.
pub type uv_getaddrinfo_cb =
    Option<unsafe extern "C" fn(req: *mut uv_getaddrinfo_t, status: c_int, res: *mut addrinfo)>;
/// An address was looked up.
pub type uv_getnameinfo_cb = Option<
    unsafe extern "C" fn(
        req: *mut uv_getnameinfo_t,
        status: c_int,
        hostname: *const c_char,
        service: *const c_char,
    ),
>;
/// Random bytes are there.
pub type uv_random_cb = Option<
    unsafe extern "C" fn(req: *mut uv_random_t, status: c_int, buf: *mut c_void, buflen: usize),
>;
/// A watched path changed.
pub type uv_fs_event_cb = Option<
    unsafe extern "C" fn(
        handle: *mut uv_fs_event_t,
        filename: *const c_char,
        events: c_int,
        status: c_int,
    ),
>;
/// A polled path changed.
pub type uv_fs_poll_cb = Option<
    unsafe extern "C" fn(
        handle: *mut uv_fs_poll_t,
        status: c_int,
        prev: *const uv_stat_t,
        curr: *const uv_stat_t,
    ),
>;
/// A signal came.
pub type uv_signal_cb = Option<unsafe extern "C" fn(handle: *mut uv_signal_t, signum: c_int)>;
/// A datagram was sent.
pub type uv_udp_send_cb = Option<unsafe extern "C" fn(req: *mut uv_udp_send_t, status: c_int)>;
/// A datagram came.
pub type uv_udp_recv_cb = Option<
    unsafe extern "C" fn(
        handle: *mut uv_udp_t,
        nread: isize,
        buf: *const uv_buf_t,
        addr: *const sockaddr,
        flags: c_uint,
    ),
>;
/// A thread's entry.
pub type uv_thread_cb = Option<unsafe extern "C" fn(arg: *mut c_void)>;
/// Allocates memory for the library, as malloc(3).
pub type uv_malloc_func = Option<unsafe extern "C" fn(size: usize) -> *mut c_void>;
/// As realloc(3).
pub type uv_realloc_func =
    Option<unsafe extern "C" fn(ptr: *mut c_void, size: usize) -> *mut c_void>;
/// As calloc(3).
pub type uv_calloc_func = Option<unsafe extern "C" fn(count: usize, size: usize) -> *mut c_void>;
/// As free(3).
pub type uv_free_func = Option<unsafe extern "C" fn(ptr: *mut c_void)>;
