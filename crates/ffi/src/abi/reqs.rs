//! Requests, as C sees them. A request's first three fields are those of `uv_req_t`.

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_uint, c_void};

use libc::{addrinfo, mode_t, sockaddr_storage};

use super::*;

/// `uv_req_t`.
#[repr(C)]
pub struct uv_req_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
}
/// See [`uv_req_s`].
pub type uv_req_t = uv_req_s;

/// `uv_connect_t`.
#[repr(C)]
pub struct uv_connect_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub cb: Cell<uv_connect_cb>,
    pub handle: Cell<*mut uv_stream_t>,
    pub queue: uv__queue,
}
/// See [`uv_connect_s`].
pub type uv_connect_t = uv_connect_s;

/// `uv_write_t`.
#[repr(C)]
pub struct uv_write_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub cb: Cell<uv_write_cb>,
    pub send_handle: Cell<*mut uv_stream_t>,
    pub handle: Cell<*mut uv_stream_t>,
    pub queue: uv__queue,
    pub write_index: Cell<c_uint>,
    pub bufs: Cell<*mut uv_buf_t>,
    pub nbufs: Cell<c_uint>,
    pub error: Cell<c_int>,
    pub bufsml: Cell<[uv_buf_t; 4]>,
}
/// See [`uv_write_s`].
pub type uv_write_t = uv_write_s;

/// `uv_shutdown_t`.
#[repr(C)]
pub struct uv_shutdown_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub handle: Cell<*mut uv_stream_t>,
    pub cb: Cell<uv_shutdown_cb>,
}
/// See [`uv_shutdown_s`].
pub type uv_shutdown_t = uv_shutdown_s;

/// `uv_udp_send_t`.
#[repr(C)]
pub struct uv_udp_send_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub handle: Cell<*mut uv_udp_t>,
    pub cb: Cell<uv_udp_send_cb>,
    pub queue: uv__queue,
    pub u: Cell<[u64; 16]>,
    pub nbufs: Cell<c_uint>,
    pub bufs: Cell<*mut uv_buf_t>,
    pub status: Cell<isize>,
    pub send_cb: Cell<uv_udp_send_cb>,
    pub bufsml: Cell<[uv_buf_t; 4]>,
}
/// See [`uv_udp_send_s`].
pub type uv_udp_send_t = uv_udp_send_s;

/// `uv_fs_t`.
#[repr(C)]
pub struct uv_fs_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub fs_type: Cell<uv_fs_type>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub cb: Cell<uv_fs_cb>,
    pub result: Cell<isize>,
    pub ptr: Cell<*mut c_void>,
    pub path: Cell<*const c_char>,
    pub statbuf: Cell<uv_stat_t>,
    pub new_path: Cell<*const c_char>,
    pub file: Cell<uv_file>,
    pub flags: Cell<c_int>,
    pub mode: Cell<mode_t>,
    pub nbufs: Cell<c_uint>,
    pub bufs: Cell<*mut uv_buf_t>,
    pub off: Cell<i64>,
    pub uid: Cell<uv_uid_t>,
    pub gid: Cell<uv_gid_t>,
    pub atime: Cell<f64>,
    pub mtime: Cell<f64>,
    pub work_req: uv__work,
    pub bufsml: Cell<[uv_buf_t; 4]>,
}
/// See [`uv_fs_s`].
pub type uv_fs_t = uv_fs_s;

/// `uv_work_t`.
#[repr(C)]
pub struct uv_work_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub work_cb: Cell<uv_work_cb>,
    pub after_work_cb: Cell<uv_after_work_cb>,
    pub work_req: uv__work,
}
/// See [`uv_work_s`].
pub type uv_work_t = uv_work_s;

/// `uv_getaddrinfo_t`.
#[repr(C)]
pub struct uv_getaddrinfo_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub work_req: uv__work,
    pub cb: Cell<uv_getaddrinfo_cb>,
    pub hints: Cell<*mut addrinfo>,
    pub hostname: Cell<*mut c_char>,
    pub service: Cell<*mut c_char>,
    pub addrinfo: Cell<*mut addrinfo>,
    pub retcode: Cell<c_int>,
}
/// See [`uv_getaddrinfo_s`].
pub type uv_getaddrinfo_t = uv_getaddrinfo_s;

/// `uv_getnameinfo_t`.
#[repr(C)]
pub struct uv_getnameinfo_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub work_req: uv__work,
    pub getnameinfo_cb: Cell<uv_getnameinfo_cb>,
    pub storage: Cell<sockaddr_storage>,
    pub flags: Cell<c_int>,
    pub host: Cell<[c_char; 1025]>,
    pub service: Cell<[c_char; 32]>,
    pub retcode: Cell<c_int>,
}
/// See [`uv_getnameinfo_s`].
pub type uv_getnameinfo_t = uv_getnameinfo_s;

/// `uv_random_t`.
#[repr(C)]
pub struct uv_random_s {
    pub data: Cell<*mut c_void>,
    pub r#type: Cell<uv_req_type>,
    pub reserved: uv__req_scratch,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub status: Cell<c_int>,
    pub buf: Cell<*mut c_void>,
    pub buflen: Cell<usize>,
    pub cb: Cell<uv_random_cb>,
    pub work_req: uv__work,
}
/// See [`uv_random_s`].
pub type uv_random_t = uv_random_s;
