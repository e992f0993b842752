//! Plain records that functions fill in or read.

use core::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

use super::*;

/// An IPv4 or IPv6 address.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__sockaddr_in {
    pub address4: libc::sockaddr_in,
    pub address6: libc::sockaddr_in6,
}

/// The netmask of an IPv4 or IPv6 address.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__netmask_in {
    pub netmask4: libc::sockaddr_in,
    pub netmask6: libc::sockaddr_in6,
}

/// What a child's descriptor is made of.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__stdio_target {
    pub stream: *mut uv_stream_t,
    pub fd: c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_cpu_times_s {
    pub user: u64,
    pub nice: u64,
    pub sys: u64,
    pub idle: u64,
    pub irq: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_cpu_info_s {
    pub model: *const c_char,
    pub speed: c_int,
    pub cpu_times: uv_cpu_times_s,
}
pub type uv_cpu_info_t = uv_cpu_info_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_interface_address_s {
    pub name: *mut c_char,
    pub phys_addr: [c_char; 6],
    pub is_internal: c_int,
    pub address: uv__sockaddr_in,
    pub netmask: uv__netmask_in,
}
pub type uv_interface_address_t = uv_interface_address_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_dirent_s {
    pub name: *const c_char,
    pub r#type: uv_dirent_type_t,
}
pub type uv_dirent_t = uv_dirent_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_dir_s {
    pub dirents: *mut uv_dirent_t,
    pub nentries: usize,
    pub reserved: [*mut c_void; 4],
    pub dir: *mut libc::DIR,
}
pub type uv_dir_t = uv_dir_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_env_item_s {
    pub name: *mut c_char,
    pub value: *mut c_char,
}
pub type uv_env_item_t = uv_env_item_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_passwd_s {
    pub username: *mut c_char,
    pub uid: c_ulong,
    pub gid: c_ulong,
    pub shell: *mut c_char,
    pub homedir: *mut c_char,
}
pub type uv_passwd_t = uv_passwd_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_group_s {
    pub groupname: *mut c_char,
    pub gid: c_ulong,
    pub members: *mut *mut c_char,
}
pub type uv_group_t = uv_group_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_utsname_s {
    pub sysname: [c_char; 256],
    pub release: [c_char; 256],
    pub version: [c_char; 256],
    pub machine: [c_char; 256],
}
pub type uv_utsname_t = uv_utsname_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timespec_t {
    pub tv_sec: c_long,
    pub tv_nsec: c_long,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timespec64_t {
    pub tv_sec: i64,
    pub tv_nsec: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timeval_t {
    pub tv_sec: c_long,
    pub tv_usec: c_long,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timeval64_t {
    pub tv_sec: i64,
    pub tv_usec: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_rusage_t {
    pub ru_utime: uv_timeval_t,
    pub ru_stime: uv_timeval_t,
    pub ru_maxrss: u64,
    pub ru_ixrss: u64,
    pub ru_idrss: u64,
    pub ru_isrss: u64,
    pub ru_minflt: u64,
    pub ru_majflt: u64,
    pub ru_nswap: u64,
    pub ru_inblock: u64,
    pub ru_oublock: u64,
    pub ru_msgsnd: u64,
    pub ru_msgrcv: u64,
    pub ru_nsignals: u64,
    pub ru_nvcsw: u64,
    pub ru_nivcsw: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stat_t {
    pub st_dev: u64,
    pub st_mode: u64,
    pub st_nlink: u64,
    pub st_uid: u64,
    pub st_gid: u64,
    pub st_rdev: u64,
    pub st_ino: u64,
    pub st_size: u64,
    pub st_blksize: u64,
    pub st_blocks: u64,
    pub st_flags: u64,
    pub st_gen: u64,
    pub st_atim: uv_timespec_t,
    pub st_mtim: uv_timespec_t,
    pub st_ctim: uv_timespec_t,
    pub st_birthtim: uv_timespec_t,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_statfs_s {
    pub f_type: u64,
    pub f_bsize: u64,
    pub f_blocks: u64,
    pub f_bfree: u64,
    pub f_bavail: u64,
    pub f_files: u64,
    pub f_ffree: u64,
    pub f_frsize: u64,
    pub f_spare: [u64; 3],
}
pub type uv_statfs_t = uv_statfs_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stdio_container_s {
    pub flags: uv_stdio_flags,
    pub data: uv__stdio_target,
}
pub type uv_stdio_container_t = uv_stdio_container_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_process_options_s {
    pub exit_cb: uv_exit_cb,
    pub file: *const c_char,
    pub args: *mut *mut c_char,
    pub env: *mut *mut c_char,
    pub cwd: *const c_char,
    pub flags: c_uint,
    pub stdio_count: c_int,
    pub stdio: *mut uv_stdio_container_t,
    pub uid: uv_uid_t,
    pub gid: uv_gid_t,
}
pub type uv_process_options_t = uv_process_options_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_thread_options_s {
    pub flags: c_uint,
    pub stack_size: usize,
}
pub type uv_thread_options_t = uv_thread_options_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_metrics_s {
    pub loop_count: u64,
    pub events: u64,
    pub events_waiting: u64,
    pub reserved: [*mut u64; 13],
}
pub type uv_metrics_t = uv_metrics_s;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_lib_t {
    pub handle: *mut c_void,
    pub errmsg: *mut c_char,
}
