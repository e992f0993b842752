//! The ABI: every type that crosses into C, with libuv 1.53's size and offsets.
//!
//! Names are libuv's, so that whoever knows libuv finds his way. C enums are plain integers on
//! this side: a value that C made up must not be undefined behaviour.
#![allow(non_camel_case_types, missing_docs, reason = "the names and their meaning are libuv's")]

mod callbacks;
mod enums;
mod errno;
mod ext;
mod handles;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod layout;
mod loop_;
mod misc;
mod reqs;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod values;

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_uint, c_void};

pub use self::callbacks::*;
pub use self::enums::*;
pub use self::errno::*;
pub use self::ext::*;
pub use self::handles::*;
pub use self::loop_::*;
pub use self::misc::*;
pub use self::reqs::*;

/// A place on a list, and a list's head.
pub type uv__queue = uvring_core::list::Link;
/// A watched descriptor.
pub type uv__io_t = uvring_core::driver::Watch;

/// Bytes of a handle that each kind uses as it likes.
#[repr(C)]
pub union uv__handle_scratch {
    /// As libuv names it.
    pub fd: c_int,
    /// Fixes the size.
    pub reserved: [*mut c_void; 4],
    /// Two list places: what streams need.
    pub links: core::mem::ManuallyDrop<[uv__queue; 2]>,
    /// Plain words.
    pub words: core::mem::ManuallyDrop<[Cell<usize>; 4]>,
}

/// Bytes of a request that hold the operation in flight.
#[repr(C)]
pub union uv__req_scratch {
    /// Fixes the size.
    pub reserved: [*mut c_void; 6],
    /// The operation.
    pub op: core::mem::ManuallyDrop<uvring_core::driver::Op>,
    /// Plain words.
    pub words: core::mem::ManuallyDrop<[Cell<usize>; 6]>,
}

/// A thread-pool job's place.
#[repr(C)]
pub struct uv__work {
    pub work: Cell<Option<unsafe extern "C" fn(*mut uv__work)>>,
    pub done: Cell<Option<unsafe extern "C" fn(*mut uv__work, c_int)>>,
    pub r#loop: Cell<*mut uv_loop_t>,
    pub wq: uv__queue,
}

/// A piece of the program's memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct uv_buf_t {
    /// Its start.
    pub base: *mut c_char,
    /// Its length in bytes.
    pub len: usize,
}

pub type uv_file = c_int;
pub type uv_os_sock_t = c_int;
pub type uv_os_fd_t = c_int;
pub type uv_pid_t = libc::pid_t;
pub type uv_uid_t = libc::uid_t;
pub type uv_gid_t = libc::gid_t;
pub type uv_once_t = libc::pthread_once_t;
pub type uv_thread_t = libc::pthread_t;
pub type uv_mutex_t = libc::pthread_mutex_t;
pub type uv_rwlock_t = libc::pthread_rwlock_t;
pub type uv_sem_t = libc::sem_t;
pub type uv_cond_t = libc::pthread_cond_t;
pub type uv_key_t = libc::pthread_key_t;
pub type uv_barrier_t = libc::pthread_barrier_t;

pub type uv_handle_type = c_uint;
pub type uv_req_type = c_uint;
pub type uv_run_mode = c_uint;
pub type uv_loop_option = c_uint;
pub type uv_clock_id = c_uint;
pub type uv_membership = c_uint;
pub type uv_tty_mode_t = c_uint;
pub type uv_tty_vtermstate_t = c_uint;
pub type uv_stdio_flags = c_uint;
pub type uv_dirent_type_t = c_uint;
pub type uv_fs_type = c_int;
