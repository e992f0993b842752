//! Sizes and names of the handle and request types.

use core::ffi::{CStr, c_char};
use core::ptr;

use crate::abi::*;

/// What is known of one type: its size and its name in lower case.
type Kind = (usize, &'static CStr);

fn handle_kind(kind: uv_handle_type) -> Option<Kind> {
    Some(match kind {
        UV_ASYNC => (size_of::<uv_async_t>(), c"async"),
        UV_CHECK => (size_of::<uv_check_t>(), c"check"),
        UV_FS_EVENT => (size_of::<uv_fs_event_t>(), c"fs_event"),
        UV_FS_POLL => (size_of::<uv_fs_poll_t>(), c"fs_poll"),
        UV_HANDLE => (size_of::<uv_handle_t>(), c"handle"),
        UV_IDLE => (size_of::<uv_idle_t>(), c"idle"),
        UV_NAMED_PIPE => (size_of::<uv_pipe_t>(), c"pipe"),
        UV_POLL => (size_of::<uv_poll_t>(), c"poll"),
        UV_PREPARE => (size_of::<uv_prepare_t>(), c"prepare"),
        UV_PROCESS => (size_of::<uv_process_t>(), c"process"),
        UV_STREAM => (size_of::<uv_stream_t>(), c"stream"),
        UV_TCP => (size_of::<uv_tcp_t>(), c"tcp"),
        UV_TIMER => (size_of::<uv_timer_t>(), c"timer"),
        UV_TTY => (size_of::<uv_tty_t>(), c"tty"),
        UV_UDP => (size_of::<uv_udp_t>(), c"udp"),
        UV_SIGNAL => (size_of::<uv_signal_t>(), c"signal"),
        _ => return None,
    })
}

fn req_kind(kind: uv_req_type) -> Option<Kind> {
    Some(match kind {
        UV_REQ => (size_of::<uv_req_t>(), c"req"),
        UV_CONNECT => (size_of::<uv_connect_t>(), c"connect"),
        UV_WRITE => (size_of::<uv_write_t>(), c"write"),
        UV_SHUTDOWN => (size_of::<uv_shutdown_t>(), c"shutdown"),
        UV_UDP_SEND => (size_of::<uv_udp_send_t>(), c"udp_send"),
        UV_FS => (size_of::<uv_fs_t>(), c"fs"),
        UV_WORK => (size_of::<uv_work_t>(), c"work"),
        UV_GETADDRINFO => (size_of::<uv_getaddrinfo_t>(), c"getaddrinfo"),
        UV_GETNAMEINFO => (size_of::<uv_getnameinfo_t>(), c"getnameinfo"),
        UV_RANDOM => (size_of::<uv_random_t>(), c"random"),
        _ => return None,
    })
}

/// The name of a handle type, or NULL.
pub(crate) fn handle_name(kind: uv_handle_type) -> *const c_char {
    match kind {
        UV_FILE => c"file".as_ptr(),
        _ => handle_kind(kind).map_or(ptr::null(), |(_, name)| name.as_ptr()),
    }
}

/// `size_t uv_handle_size(uv_handle_type)`: bytes of the handle's struct; `(size_t) -1` for an
/// unknown type.
#[unsafe(no_mangle)]
pub extern "C" fn uv_handle_size(kind: uv_handle_type) -> usize {
    handle_kind(kind).map_or(usize::MAX, |(size, _)| size)
}

/// `const char* uv_handle_type_name(uv_handle_type)`: NULL for an unknown type.
#[unsafe(no_mangle)]
pub extern "C" fn uv_handle_type_name(kind: uv_handle_type) -> *const c_char {
    handle_name(kind)
}

/// `size_t uv_req_size(uv_req_type)`: bytes of the request's struct; `(size_t) -1` for an unknown
/// type.
#[unsafe(no_mangle)]
pub extern "C" fn uv_req_size(kind: uv_req_type) -> usize {
    req_kind(kind).map_or(usize::MAX, |(size, _)| size)
}

/// `const char* uv_req_type_name(uv_req_type)`: NULL for an unknown type.
#[unsafe(no_mangle)]
pub extern "C" fn uv_req_type_name(kind: uv_req_type) -> *const c_char {
    req_kind(kind).map_or(ptr::null(), |(_, name)| name.as_ptr())
}
