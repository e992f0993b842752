//! Functions by subject: the order of the header and of MATRIX.md.

/// Functions by subject, in the order of libuv's manual; the first prefix that fits is taken.
const SUBJECTS: &[(&str, &[&str])] = &[
    ("Version and errors", &["uv_version", "uv_strerror", "uv_err_name", "uv_translate_sys"]),
    ("The library", &["uv_library_", "uv_replace_allocator"]),
    (
        "The loop (loop)",
        &[
            "uv_loop_",
            "uv_default_loop",
            "uv_run",
            "uv_stop",
            "uv_backend_",
            "uv_now",
            "uv_update_time",
            "uv_walk",
        ],
    ),
    (
        "Handles (handle)",
        &[
            "uv_handle_",
            "uv_is_active",
            "uv_is_closing",
            "uv_close",
            "uv_ref",
            "uv_unref",
            "uv_has_ref",
            "uv_send_buffer_size",
            "uv_recv_buffer_size",
            "uv_fileno",
            "uv_print_",
            "uv_guess_handle",
        ],
    ),
    ("Requests (request)", &["uv_req_", "uv_cancel"]),
    ("Timers (timer)", &["uv_timer_"]),
    ("Prepare, check and idle", &["uv_prepare_", "uv_check_", "uv_idle_"]),
    ("Waking the loop from another thread (async)", &["uv_async_"]),
    ("Watching a descriptor (poll)", &["uv_poll_"]),
    ("Signals (signal)", &["uv_signal_"]),
    (
        "Child processes (process)",
        &["uv_spawn", "uv_process_", "uv_kill", "uv_disable_stdio_inheritance"],
    ),
    (
        "Streams (stream)",
        &[
            "uv_stream_",
            "uv_shutdown",
            "uv_listen",
            "uv_accept",
            "uv_read_",
            "uv_write",
            "uv_try_write",
            "uv_is_readable",
            "uv_is_writable",
        ],
    ),
    ("TCP (tcp)", &["uv_tcp_", "uv_socketpair"]),
    ("Pipes and unix sockets (pipe)", &["uv_pipe"]),
    ("Terminals (tty)", &["uv_tty_"]),
    ("UDP (udp)", &["uv_udp_"]),
    ("File system events (fs_event)", &["uv_fs_event_"]),
    ("File system polling (fs_poll)", &["uv_fs_poll_"]),
    ("File operations (fs)", &["uv_fs_", "uv_get_osfhandle", "uv_open_osfhandle"]),
    ("Thread pool (threadpool)", &["uv_queue_work"]),
    ("Names and addresses (dns)", &["uv_getaddrinfo", "uv_freeaddrinfo", "uv_getnameinfo"]),
    ("Shared libraries (dll)", &["uv_dl"]),
    (
        "Threads and locks (threading)",
        &[
            "uv_thread_",
            "uv_once",
            "uv_key_",
            "uv_mutex_",
            "uv_rwlock_",
            "uv_sem_",
            "uv_cond_",
            "uv_barrier_",
        ],
    ),
    ("Metrics (metrics)", &["uv_metrics_"]),
    ("Text", &["uv_utf16_", "uv_wtf8_"]),
    ("The system (misc)", &["uv_"]),
];

/// All subjects, in order.
pub(crate) fn subjects() -> impl Iterator<Item = &'static str> {
    SUBJECTS.iter().map(|(subject, _)| *subject)
}

/// The subject a function belongs to.
pub(crate) fn subject_of(name: &str) -> &'static str {
    let fits = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    SUBJECTS.iter().find(|(_, prefixes)| fits(prefixes)).map_or("", |(subject, _)| subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_find_their_subject() {
        assert_eq!(subject_of("uv_fs_event_init"), "File system events (fs_event)");
        assert_eq!(subject_of("uv_fs_open"), "File operations (fs)");
        assert_eq!(subject_of("uv_cwd"), "The system (misc)");
    }
}
