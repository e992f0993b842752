//! `UV_FS_EVENT_RECURSIVE` with the loop told to heed it, which libuv cannot on Linux: so there is
//! nothing to compare with, and `c/recursive.c` says itself what must be seen.

// A test says what is wrong by panicking.
#![allow(clippy::panic)]

use uvring_ffi_tests::programs::{BACKENDS, Backend, Library, printed};

/// What each section must print besides what it has seen.
const SECTIONS: [(&str, &[&str]); 10] = [
    ("off", &["has(\"rename a/f\") = 0"]),
    ("nested", &["open_fds() - fds = 0"]),
    ("moved", &["has(\"rename a/b/f\") = 0", "has(\"rename e/b/h\") = 0"]),
    ("deleted", &["await(name) = 1", "uv_is_active(H(&watcher)) = 1", "= ENOENT"]),
    ("in_callback", &["calls = 1", "calls = 2", "open_fds() - fds = 0"]),
    ("odd", &["\"/no/such\", 4) = ENOENT", "\"\", 4) = ENOENT", "depth = 1"]),
    ("overflow", &["ENOBUFS NULL: seen"]),
    ("limits", &["RECURSIVE) = ENOSPC", "i = 4", "RECURSIVE) = EMFILE", "open_fds() - fds = 0"]),
    ("after_fork", &["status = 0"]),
    (
        "no_memory",
        &["rc = 0", "i > 8 = 1", "blocks - before = 0", "fds = 0", "has(\"ENOMEM a/n1\") = 1"],
    ),
];

fn run(backend: Backend) {
    for (section, wants) in SECTIONS {
        let said = printed("recursive", section, Library::Ours, backend)
            .unwrap_or_else(|why| panic!("{why}"));
        let end = format!("uv_loop_close(loop) = 0\nend of {section}\nexit status: 0\n");
        assert!(said.ends_with(&end), "{section}:\n{said}");
        assert!(!said.contains("NOT SEEN") && !said.contains("is left"), "{section}:\n{said}");
        if let Some(why) = said.lines().find(|line| line.starts_with("skipped")) {
            println!("{section}: {why}");
            continue;
        }
        for want in wants {
            let is_there = said.lines().any(|line| line.ends_with(want));
            assert!(is_there, "{section}: no {want} in\n{said}");
        }
    }
}

#[test]
fn epoll() {
    run(Backend::Epoll);
}

#[test]
fn io_uring() {
    run(Backend::IoUring);
}

#[test]
fn denied() {
    run(Backend::Denied);
}

/// A section that nobody runs would pass for ever.
#[test]
fn every_section_is_run() {
    let list = printed("recursive", "--list", Library::Ours, BACKENDS[0])
        .unwrap_or_else(|why| panic!("{why}"));
    let list: Vec<_> = list.lines().filter(|line| !line.starts_with("exit status")).collect();
    assert_eq!(list, SECTIONS.map(|(name, _)| name));
}
