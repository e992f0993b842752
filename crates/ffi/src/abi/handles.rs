//! Handles, as C sees them: fields flat and in libuv's order, because C reaches them by name.
//!
//! Every field that C may touch is a `Cell`, so that a callback that comes back in never meets a
//! live `&mut`. A handle's first eight fields are those of `uv_handle_t`, a stream's first
//! eighteen those of `uv_stream_t`: pointers are cast between them as in C.

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::sync::atomic::AtomicU32;

use super::*;

/// `uv_handle_t`.
#[repr(C)]
pub struct uv_handle_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
}
/// See [`uv_handle_s`].
pub type uv_handle_t = uv_handle_s;

/// `uv_stream_t`.
#[repr(C)]
pub struct uv_stream_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub write_queue_size: Cell<usize>,
    pub alloc_cb: Cell<uv_alloc_cb>,
    pub read_cb: Cell<uv_read_cb>,
    pub connect_req: Cell<*mut uv_connect_t>,
    pub shutdown_req: Cell<*mut uv_shutdown_t>,
    pub io_watcher: uv__io_t,
    pub write_queue: uv__queue,
    pub write_completed_queue: uv__queue,
    pub connection_cb: Cell<uv_connection_cb>,
    pub delayed_error: Cell<c_int>,
    pub accepted_fd: Cell<c_int>,
    pub queued_fds: Cell<*mut c_void>,
}
/// See [`uv_stream_s`].
pub type uv_stream_t = uv_stream_s;

/// `uv_tcp_t`.
#[repr(C)]
pub struct uv_tcp_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub write_queue_size: Cell<usize>,
    pub alloc_cb: Cell<uv_alloc_cb>,
    pub read_cb: Cell<uv_read_cb>,
    pub connect_req: Cell<*mut uv_connect_t>,
    pub shutdown_req: Cell<*mut uv_shutdown_t>,
    pub io_watcher: uv__io_t,
    pub write_queue: uv__queue,
    pub write_completed_queue: uv__queue,
    pub connection_cb: Cell<uv_connection_cb>,
    pub delayed_error: Cell<c_int>,
    pub accepted_fd: Cell<c_int>,
    pub queued_fds: Cell<*mut c_void>,
}
/// See [`uv_tcp_s`].
pub type uv_tcp_t = uv_tcp_s;

/// `uv_pipe_t`.
#[repr(C)]
pub struct uv_pipe_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub write_queue_size: Cell<usize>,
    pub alloc_cb: Cell<uv_alloc_cb>,
    pub read_cb: Cell<uv_read_cb>,
    pub connect_req: Cell<*mut uv_connect_t>,
    pub shutdown_req: Cell<*mut uv_shutdown_t>,
    pub io_watcher: uv__io_t,
    pub write_queue: uv__queue,
    pub write_completed_queue: uv__queue,
    pub connection_cb: Cell<uv_connection_cb>,
    pub delayed_error: Cell<c_int>,
    pub accepted_fd: Cell<c_int>,
    pub queued_fds: Cell<*mut c_void>,
    pub ipc: Cell<c_int>,
    pub pipe_fname: Cell<*mut c_char>,
}
/// See [`uv_pipe_s`].
pub type uv_pipe_t = uv_pipe_s;

/// `uv_tty_t`.
#[repr(C)]
pub struct uv_tty_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub write_queue_size: Cell<usize>,
    pub alloc_cb: Cell<uv_alloc_cb>,
    pub read_cb: Cell<uv_read_cb>,
    pub connect_req: Cell<*mut uv_connect_t>,
    pub shutdown_req: Cell<*mut uv_shutdown_t>,
    pub io_watcher: uv__io_t,
    pub write_queue: uv__queue,
    pub write_completed_queue: uv__queue,
    pub connection_cb: Cell<uv_connection_cb>,
    pub delayed_error: Cell<c_int>,
    pub accepted_fd: Cell<c_int>,
    pub queued_fds: Cell<*mut c_void>,
    pub orig_termios: Cell<libc::termios>,
    pub mode: Cell<c_int>,
}
/// See [`uv_tty_s`].
pub type uv_tty_t = uv_tty_s;

/// `uv_udp_t`.
#[repr(C)]
pub struct uv_udp_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub send_queue_size: Cell<usize>,
    pub send_queue_count: Cell<usize>,
    pub alloc_cb: Cell<uv_alloc_cb>,
    pub recv_cb: Cell<uv_udp_recv_cb>,
    pub io_watcher: uv__io_t,
    pub write_queue: uv__queue,
    pub write_completed_queue: uv__queue,
}
/// See [`uv_udp_s`].
pub type uv_udp_t = uv_udp_s;

/// `uv_poll_t`.
#[repr(C)]
pub struct uv_poll_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub poll_cb: Cell<uv_poll_cb>,
    pub io_watcher: uv__io_t,
}
/// See [`uv_poll_s`].
pub type uv_poll_t = uv_poll_s;

/// `uv_timer_t`.
#[repr(C)]
pub struct uv_timer_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub timer_cb: Cell<uv_timer_cb>,
    pub node: [Cell<*mut c_void>; 3],
    pub timeout: Cell<u64>,
    pub repeat: Cell<u64>,
    pub start_id: Cell<u64>,
}
/// See [`uv_timer_s`].
pub type uv_timer_t = uv_timer_s;

/// `uv_prepare_t`.
#[repr(C)]
pub struct uv_prepare_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub prepare_cb: Cell<uv_prepare_cb>,
    pub queue: uv__queue,
}
/// See [`uv_prepare_s`].
pub type uv_prepare_t = uv_prepare_s;

/// `uv_check_t`.
#[repr(C)]
pub struct uv_check_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub check_cb: Cell<uv_check_cb>,
    pub queue: uv__queue,
}
/// See [`uv_check_s`].
pub type uv_check_t = uv_check_s;

/// `uv_idle_t`.
#[repr(C)]
pub struct uv_idle_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub idle_cb: Cell<uv_idle_cb>,
    pub queue: uv__queue,
}
/// See [`uv_idle_s`].
pub type uv_idle_t = uv_idle_s;

/// `uv_async_t`.
#[repr(C)]
pub struct uv_async_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub async_cb: Cell<uv_async_cb>,
    pub queue: uv__queue,
    pub pending: AtomicU32,
}
/// See [`uv_async_s`].
pub type uv_async_t = uv_async_s;

/// `uv_process_t`.
#[repr(C)]
pub struct uv_process_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub exit_cb: Cell<uv_exit_cb>,
    pub pid: Cell<c_int>,
    pub queue: uv__queue,
    pub status: Cell<c_int>,
}
/// See [`uv_process_s`].
pub type uv_process_t = uv_process_s;

/// `uv_signal_t`.
#[repr(C)]
pub struct uv_signal_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub signal_cb: Cell<uv_signal_cb>,
    pub signum: Cell<c_int>,
    pub tree_entry: Cell<[usize; 4]>,
    pub caught_signals: Cell<c_uint>,
    pub dispatched_signals: Cell<c_uint>,
}
/// See [`uv_signal_s`].
pub type uv_signal_t = uv_signal_s;

/// `uv_fs_event_t`.
#[repr(C)]
pub struct uv_fs_event_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub path: Cell<*mut c_char>,
    pub cb: Cell<uv_fs_event_cb>,
    pub watchers: uv__queue,
    pub wd: Cell<c_int>,
}
/// See [`uv_fs_event_s`].
pub type uv_fs_event_t = uv_fs_event_s;

/// `uv_fs_poll_t`.
#[repr(C)]
pub struct uv_fs_poll_s {
    pub data: Cell<*mut c_void>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub r#type: Cell<uv_handle_type>,
    pub close_cb: Cell<uv_close_cb>,
    pub handle_queue: uv__queue,
    pub u: uv__handle_scratch,
    pub next_closing: Cell<*mut uv_handle_t>,
    pub flags: Cell<c_uint>,
    pub poll_ctx: Cell<*mut c_void>,
}
/// See [`uv_fs_poll_s`].
pub type uv_fs_poll_t = uv_fs_poll_s;
