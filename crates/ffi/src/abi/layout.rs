//! The layout of every type, asserted when the crate is compiled: libuv 1.53 on x86_64.
//!
//! `layout!` takes a type, its size in bytes and the offset of each member.

use core::mem::{offset_of, size_of};

use static_assertions::const_assert_eq;

use super::*;

macro_rules! layout {
    ($type:ty, $size:literal $(, $field:ident: $offset:literal)* $(,)?) => {
        const_assert_eq!(size_of::<$type>(), $size);
        $(const_assert_eq!(offset_of!($type, $field), $offset);)*
    };
}

layout!(uv__io_t, 56, tag: 0, pending: 8, fd: 48);
layout!(uv_async_t, 128, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, async_cb: 96, queue: 104, pending: 120);
layout!(uv_buf_t, 16, base: 0, len: 8);
layout!(uv_check_t, 120, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, check_cb: 96, queue: 104);
layout!(uv_connect_t, 96, data: 0, r#type: 8, reserved: 16, cb: 64, handle: 72, queue: 80);
layout!(uv_cpu_info_t, 56, model: 0, speed: 8, cpu_times: 16);
layout!(uv_cpu_times_s, 40, user: 0, nice: 8, sys: 16, idle: 24, irq: 32);
layout!(uv_dir_t, 56, dirents: 0, nentries: 8, reserved: 16, dir: 48);
layout!(uv_dirent_t, 16, name: 0, r#type: 8);
layout!(uv_env_item_t, 16, name: 0, value: 8);
layout!(uv_fs_event_t, 136, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32,
    u: 48, next_closing: 80, flags: 88, path: 96, cb: 104, watchers: 112, wd: 128);
layout!(uv_fs_poll_t, 104, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, poll_ctx: 96);
layout!(uv_fs_t, 440, data: 0, r#type: 8, reserved: 16, fs_type: 64, r#loop: 72, cb: 80,
    result: 88, ptr: 96, path: 104, statbuf: 112, new_path: 272, file: 280, flags: 284,
    mode: 288, nbufs: 292, bufs: 296, off: 304, uid: 312, gid: 316, atime: 320, mtime: 328,
    work_req: 336, bufsml: 376);
layout!(uv_getaddrinfo_t, 160, data: 0, r#type: 8, reserved: 16, r#loop: 64, work_req: 72,
    cb: 112, hints: 120, hostname: 128, service: 136, addrinfo: 144, retcode: 152);
layout!(uv_getnameinfo_t, 1320, data: 0, r#type: 8, reserved: 16, r#loop: 64, work_req: 72,
    getnameinfo_cb: 112, storage: 120, flags: 248, host: 252, service: 1277, retcode: 1312);
layout!(uv_group_t, 24, groupname: 0, gid: 8, members: 16);
layout!(uv_handle_t, 96, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88);
layout!(uv_idle_t, 120, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, idle_cb: 96, queue: 104);
layout!(uv_interface_address_t, 80, name: 0, phys_addr: 8, is_internal: 16, address: 20,
    netmask: 48);
layout!(uv_lib_t, 16, handle: 0, errmsg: 8);
layout!(uv_loop_t, 848, data: 0, active_handles: 8, handle_queue: 16, active_reqs: 32,
    internal_fields: 40, stop_flag: 48, flags: 56, backend_fd: 64, pending_queue: 72,
    watcher_queue: 88, watchers: 104, nwatchers: 112, nfds: 116, wq: 120, wq_mutex: 136,
    wq_async: 176, cloexec_lock: 304, closing_handles: 360, process_handles: 368,
    prepare_handles: 384, check_handles: 400, idle_handles: 416, async_handles: 432,
    async_unused: 448, async_io_watcher: 456, async_wfd: 512, timer_heap: 520,
    timer_counter: 536, time: 544, signal_pipefd: 552, signal_io_watcher: 560,
    child_watcher: 616, emfile_fd: 768, inotify_read_watcher: 776, inotify_watchers: 832,
    inotify_fd: 840);
layout!(uv_metrics_t, 128, loop_count: 0, events: 8, events_waiting: 16, reserved: 24);
layout!(uv_passwd_t, 40, username: 0, uid: 8, gid: 16, shell: 24, homedir: 32);
layout!(uv_pipe_t, 264, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, write_queue_size: 96, alloc_cb: 104, read_cb: 112,
    connect_req: 120, shutdown_req: 128, io_watcher: 136, write_queue: 192,
    write_completed_queue: 208, connection_cb: 224, delayed_error: 232, accepted_fd: 236,
    queued_fds: 240, ipc: 248, pipe_fname: 256);
layout!(uv_poll_t, 160, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, poll_cb: 96, io_watcher: 104);
layout!(uv_prepare_t, 120, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, prepare_cb: 96, queue: 104);
layout!(uv_process_options_t, 64, exit_cb: 0, file: 8, args: 16, env: 24, cwd: 32, flags: 40,
    stdio_count: 44, stdio: 48, uid: 56, gid: 60);
layout!(uv_process_t, 136, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, exit_cb: 96, pid: 104, queue: 112, status: 128);
layout!(uv_random_t, 144, data: 0, r#type: 8, reserved: 16, r#loop: 64, status: 72, buf: 80,
    buflen: 88, cb: 96, work_req: 104);
layout!(uv_req_t, 64, data: 0, r#type: 8, reserved: 16);
layout!(uv_rusage_t, 144, ru_utime: 0, ru_stime: 16, ru_maxrss: 32, ru_ixrss: 40, ru_idrss: 48,
    ru_isrss: 56, ru_minflt: 64, ru_majflt: 72, ru_nswap: 80, ru_inblock: 88, ru_oublock: 96,
    ru_msgsnd: 104, ru_msgrcv: 112, ru_nsignals: 120, ru_nvcsw: 128, ru_nivcsw: 136);
layout!(uv_shutdown_t, 80, data: 0, r#type: 8, reserved: 16, handle: 64, cb: 72);
layout!(uv_signal_t, 152, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, signal_cb: 96, signum: 104, tree_entry: 112,
    caught_signals: 144, dispatched_signals: 148);
layout!(uv_stat_t, 160, st_dev: 0, st_mode: 8, st_nlink: 16, st_uid: 24, st_gid: 32, st_rdev: 40,
    st_ino: 48, st_size: 56, st_blksize: 64, st_blocks: 72, st_flags: 80, st_gen: 88,
    st_atim: 96, st_mtim: 112, st_ctim: 128, st_birthtim: 144);
layout!(uv_statfs_t, 88, f_type: 0, f_bsize: 8, f_blocks: 16, f_bfree: 24, f_bavail: 32,
    f_files: 40, f_ffree: 48, f_frsize: 56, f_spare: 64);
layout!(uv_stdio_container_t, 16, flags: 0, data: 8);
layout!(uv_stream_t, 248, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, write_queue_size: 96, alloc_cb: 104, read_cb: 112,
    connect_req: 120, shutdown_req: 128, io_watcher: 136, write_queue: 192,
    write_completed_queue: 208, connection_cb: 224, delayed_error: 232, accepted_fd: 236,
    queued_fds: 240);
layout!(uv_tcp_t, 248, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, write_queue_size: 96, alloc_cb: 104, read_cb: 112,
    connect_req: 120, shutdown_req: 128, io_watcher: 136, write_queue: 192,
    write_completed_queue: 208, connection_cb: 224, delayed_error: 232, accepted_fd: 236,
    queued_fds: 240);
layout!(uv_thread_options_t, 16, flags: 0, stack_size: 8);
layout!(uv_timer_t, 152, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, timer_cb: 96, node: 104, timeout: 128, repeat: 136,
    start_id: 144);
layout!(uv_timespec64_t, 16, tv_sec: 0, tv_nsec: 8);
layout!(uv_timespec_t, 16, tv_sec: 0, tv_nsec: 8);
layout!(uv_timeval64_t, 16, tv_sec: 0, tv_usec: 8);
layout!(uv_timeval_t, 16, tv_sec: 0, tv_usec: 8);
layout!(uv_tty_t, 312, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, write_queue_size: 96, alloc_cb: 104, read_cb: 112,
    connect_req: 120, shutdown_req: 128, io_watcher: 136, write_queue: 192,
    write_completed_queue: 208, connection_cb: 224, delayed_error: 232, accepted_fd: 236,
    queued_fds: 240, orig_termios: 248, mode: 308);
layout!(uv_udp_send_t, 320, data: 0, r#type: 8, reserved: 16, handle: 64, cb: 72, queue: 80,
    u: 96, nbufs: 224, bufs: 232, status: 240, send_cb: 248, bufsml: 256);
layout!(uv_udp_t, 216, data: 0, r#loop: 8, r#type: 16, close_cb: 24, handle_queue: 32, u: 48,
    next_closing: 80, flags: 88, send_queue_size: 96, send_queue_count: 104, alloc_cb: 112,
    recv_cb: 120, io_watcher: 128, write_queue: 184, write_completed_queue: 200);
layout!(uv_utsname_t, 1024, sysname: 0, release: 256, version: 512, machine: 768);
layout!(uv_work_t, 128, data: 0, r#type: 8, reserved: 16, r#loop: 64, work_cb: 72,
    after_work_cb: 80, work_req: 88);
layout!(uv_write_t, 192, data: 0, r#type: 8, reserved: 16, cb: 64, send_handle: 72, handle: 80,
    queue: 88, write_index: 104, bufs: 112, nbufs: 120, error: 124, bufsml: 128);

// Types without members of their own.
layout!(uv_file, 4);
layout!(uv_os_sock_t, 4);
layout!(uv_os_fd_t, 4);
layout!(uv_pid_t, 4);
layout!(uv_once_t, 4);
layout!(uv_thread_t, 8);
layout!(uv_mutex_t, 40);
layout!(uv_rwlock_t, 56);
layout!(uv_sem_t, 32);
layout!(uv_cond_t, 48);
layout!(uv_key_t, 4);
layout!(uv_barrier_t, 32);
layout!(uv_gid_t, 4);
layout!(uv_uid_t, 4);
layout!(uv_handle_type, 4);
layout!(uv_req_type, 4);
layout!(uv_loop_option, 4);
layout!(uv_run_mode, 4);
layout!(uv_malloc_func, 8);
layout!(uv_realloc_func, 8);
layout!(uv_calloc_func, 8);
layout!(uv_free_func, 8);
layout!(uv_alloc_cb, 8);
layout!(uv_read_cb, 8);
layout!(uv_write_cb, 8);
layout!(uv_connect_cb, 8);
layout!(uv_shutdown_cb, 8);
layout!(uv_connection_cb, 8);
layout!(uv_close_cb, 8);
layout!(uv_poll_cb, 8);
layout!(uv_timer_cb, 8);
layout!(uv_async_cb, 8);
layout!(uv_prepare_cb, 8);
layout!(uv_check_cb, 8);
layout!(uv_idle_cb, 8);
layout!(uv_exit_cb, 8);
layout!(uv_walk_cb, 8);
layout!(uv_fs_cb, 8);
layout!(uv_work_cb, 8);
layout!(uv_after_work_cb, 8);
layout!(uv_getaddrinfo_cb, 8);
layout!(uv_getnameinfo_cb, 8);
layout!(uv_random_cb, 8);
layout!(uv_clock_id, 4);
layout!(uv_fs_event_cb, 8);
layout!(uv_fs_poll_cb, 8);
layout!(uv_signal_cb, 8);
layout!(uv_membership, 4);
layout!(uv_udp_send_cb, 8);
layout!(uv_udp_recv_cb, 8);
layout!(uv_tty_mode_t, 4);
layout!(uv_tty_vtermstate_t, 4);
layout!(uv_stdio_flags, 4);
layout!(uv_dirent_type_t, 4);
layout!(uv_fs_type, 4);
layout!(uv_thread_cb, 8);
