//! Every mistake of the past that is known of libuv, or of others who use io_uring: one test each.
//!
//! Most are sections of `c/security.c` and `c/security_io.c`, held against libuv's own answers on
//! every backend.

// A test says what is wrong by panicking.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use nix::errno::Errno;
use uvring_ffi_tests::programs::{
    BACKENDS, Backend, Library, command, equal, printed, test_program,
};

/// A section prints the same on libuv and on uvring, on every backend.
fn holds(program: &str, section: &str) {
    for backend in BACKENDS {
        equal(program, section, backend).unwrap_or_else(|why| panic!("{why}"));
    }
}

fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        println!("skipped: only root can become another user");
    }
    is_root
}

/// CVE-2015-0278: uv_spawn with another user kept the supplementary groups.
#[test]
fn cve_2015_0278_a_child_with_another_user_keeps_no_groups() {
    if is_root() {
        holds("security", "groups");
    }
}

/// CVE-2020-8252: realpath into 256 bytes.
#[test]
fn cve_2020_8252_realpath_of_long_paths() {
    holds("security", "long_paths");
}

/// CVE-2021-22918: out of bounds in the IDNA decoder.
#[test]
fn cve_2021_22918_names_that_are_no_utf8() {
    holds("security", "bad_names");
}

/// CVE-2024-24806: host names were cut at 256 bytes, and the rest of them looked up.
#[test]
fn cve_2024_24806_long_names_are_refused_whole() {
    holds("security", "long_names");
}

/// CVE-2024-22017: a ring kept root's rights after setuid.
#[test]
fn cve_2024_22017_no_rights_are_left_after_setuid() {
    if is_root() {
        holds("security", "gave_root_up");
    }
}

/// CVE-2025-47153: an offset of 32 bits.
#[test]
fn cve_2025_47153_offsets_have_64_bits() {
    holds("security", "offsets");
}

/// libuv 5030, 5039: a handle was looked at after its callback had closed it.
#[test]
fn libuv_5030_a_handle_closed_in_its_callback_is_left_alone() {
    holds("security_io", "poll_closed");
    holds("security_io", "stream_closed");
}

/// libuv 1.49 to 1.53: memory of sent datagrams was used after it was given back.
#[test]
fn libuv_1_49_what_was_sent_is_not_looked_at() {
    holds("security_io", "send_and_drop");
}

/// libuv 1.49 to 1.53: the end of a buffer for many datagrams was told twice.
#[test]
fn libuv_1_49_the_end_of_recvmmsg_is_told_once() {
    holds("security_io", "told_once");
}

/// libuv 1.49 to 1.53: a pipe's last bytes were lost when its writer had gone.
#[test]
fn libuv_1_49_all_is_read_after_a_hang_up() {
    holds("security_io", "hung_up");
}

/// libuv 1.49 to 1.53: copying more than 2 GiB never ended. Files are the thread pool's on every
/// backend, so once is enough.
#[test]
fn libuv_1_49_a_big_file_is_copied() {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = memory.lines().find(|line| line.starts_with("MemAvailable:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    if kib < 8 << 20 {
        println!("skipped: copies 2 GiB in memory, and only {} MiB are left", kib >> 10);
        return;
    }
    let said = printed("security", "big_copy", Library::Ours, Backend::Epoll).unwrap();
    assert!(said.contains("copyfile(loop, &req, paths[0], paths[1], 0, NULL) = 0"), "{said}");
    assert!(said.contains("pread(fds[1], space, 4, size - 3) = 3\nspace = end\n"), "{said}");
}

/// libuv 1.49 to 1.53: counts of buffers that make no sense.
#[test]
fn libuv_1_49_counts_of_buffers() {
    holds("security_io", "counts");
    holds("bad_stream", "write_bad");
    holds("bad_udp", "send_udp");
}

/// libuv 1.49 to 1.53: zones of IPv6 addresses.
#[test]
fn libuv_1_49_zones() {
    holds("security", "zones");
}

/// Whatever the kernel, a container or a sandbox answers: the loop runs on epoll and is silent.
#[test]
fn ring_denied_whatever_the_error() {
    let program = test_program("backend", Library::Ours).unwrap_or_else(|why| panic!("{why}"));
    for error in [Errno::EPERM, Errno::EACCES, Errno::ENOSYS, Errno::ENOMEM, Errno::EINVAL] {
        let number = (error as i32).to_string();
        let mut command = command(&program, Backend::Denied).unwrap();
        let output = command.arg("name").env("DENY_ERRNO", number).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("backend epoll\n") && output.status.success(), "{error}: {text}");
        assert!(output.stderr.is_empty(), "{error}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// More completions than the ring's queue holds; and the polls that the overflow ended.
#[test]
fn ring_overflow_loses_nothing() {
    holds("security_io", "crowds");
}

/// A cancelled open or accept may still have made a descriptor.
#[test]
fn ring_cancelled_requests_leak_no_descriptor() {
    holds("security_io", "cancelled_open");
    holds("security_io", "closed_listener");
}

/// What a request in flight names is not given back early.
#[test]
fn ring_memory_in_flight_stays() {
    holds("security_io", "written_and_closed");
}

/// A request in flight holds the file: neither the port nor the end of the stream may wait for it.
#[test]
fn ring_requests_do_not_hold_what_is_closed() {
    holds("security_io", "bound_again");
    holds("security_io", "end_is_heard");
}

/// A child that never calls uv_loop_fork leaves the parent's ring alone.
#[test]
fn ring_is_not_the_childs() {
    holds("life", "forks");
    holds("life", "forked_idler");
}

/// A ring is bound to a thread, a loop is not.
#[test]
fn ring_follows_the_loop_to_another_thread() {
    holds("security_io", "moved");
}

/// With deferred work a ring's descriptor was seen not to become readable.
#[test]
fn ring_backend_fd_is_readable_when_there_is_work() {
    holds("security_io", "embedded");
}

/// A section that no test runs would pass for ever.
#[test]
fn every_section_is_run() {
    let tests = include_str!("security.rs");
    for program in ["security", "security_io"] {
        let list = printed(program, "--list", Library::Ours, Backend::Epoll).unwrap();
        for section in list.lines().filter(|line| !line.starts_with("exit status")) {
            let call = format!("\"{program}\", \"{section}\"");
            assert!(tests.contains(&call), "no test runs {program} {section}");
        }
    }
}
