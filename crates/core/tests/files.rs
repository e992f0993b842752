//! Operations on files, on the ring beside epoll and on that of a loop.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

#[macro_use]
mod common;

use std::ffi::CString;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::ptr;

use common::{LONG, Loop, SHORT, uring};
use uvring_core::Errno;
use uvring_core::driver::{Event, Kind, Op, Request};
use uvring_core::fd::IoVec;

/// What `op` came to.
fn result(l: &Loop, op: &Op) -> i32 {
    for _ in 0..100 {
        match l.driver.wait(LONG) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
        if let Some(event) = l.driver.next() {
            let Event::Done(done, result) = event else { panic!("{event:?}") };
            assert!(ptr::eq(done, op) && !op.in_flight());
            return result;
        }
    }
    panic!("it does not end");
}

fn read(fd: i32, iov: &IoVec) -> Request {
    Request::Read { fd, iov: (&raw const *iov).cast(), count: 1, offset: u64::MAX }
}

#[test]
fn what_is_submitted_is_done() {
    if !uring() {
        return;
    }
    for (kind, polled) in [(Kind::Epoll, false), (Kind::Epoll, true), (Kind::Uring, false)] {
        let l = Loop::new(kind);
        if polled {
            l.driver.poll_files();
        }
        let name = format!("uvring-files-{}-{kind:?}-{polled}", std::process::id());
        let place = std::env::temp_dir().join(name);
        let path = CString::new(place.to_str().unwrap()).unwrap();
        let op = Op::new();
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        let submit = |request: &Request| {
            // SAFETY: what the request names outlives `result`.
            unsafe { l.driver.submit(&op, request) }.unwrap();
            result(&l, &op)
        };
        let fd = submit(&Request::Open { path: path.as_ptr(), flags, mode: 0o600 });
        assert!(fd >= 0, "{kind:?} {polled}: {fd}");
        let mut bytes = *b"hello";
        let iov = IoVec { base: bytes.as_mut_ptr(), len: 5 };
        let list = (&raw const iov).cast();
        assert_eq!(submit(&Request::Write { fd, iov: list, count: 1, offset: 0 }), 5);
        assert_eq!(submit(&Request::Sync { fd, data_only: true }), 0);
        bytes = [0; 5];
        assert_eq!(submit(&Request::Read { fd, iov: list, count: 1, offset: 1 }), 4);
        assert_eq!(&bytes, b"ello\0");
        assert_eq!(submit(&Request::Close { fd }), 0);
        assert_eq!(submit(&Request::Unlink { path: path.as_ptr(), flags: 0 }), 0);
        let gone = submit(&Request::Unlink { path: path.as_ptr(), flags: 0 });
        assert_eq!(gone, -libc::ENOENT);
    }
}

#[test]
fn what_waits_is_cancelled_and_what_was_not_handed_over_never_begins() {
    if !uring() {
        return;
    }
    for kind in [Kind::Epoll, Kind::Uring] {
        let l = Loop::new(kind);
        let (from, mut to) = std::io::pipe().unwrap();
        let mut bytes = [0u8; 8];
        let iov = IoVec { base: bytes.as_mut_ptr(), len: 8 };
        let op = Op::new();
        // SAFETY: `op`, `iov` and `bytes` outlive every completion, taken by `result`.
        let submit = || unsafe { l.driver.submit(&op, &read(from.as_raw_fd(), &iov)) }.unwrap();
        // Still queued: data that is there already stays there.
        to.write_all(b"data").unwrap();
        submit();
        assert!(l.driver.cancel_now(&op));
        assert_eq!(result(&l, &op), -libc::ECANCELED);
        submit();
        assert_eq!(result(&l, &op), 4);
        // With the kernel, waiting for data.
        submit();
        let _ = l.driver.wait(SHORT);
        assert!(l.driver.next().is_none() && op.in_flight());
        assert!(l.driver.cancel_now(&op), "{kind:?}");
        assert_eq!(result(&l, &op), -libc::ECANCELED);
        assert!(!l.driver.cancel_now(&op), "there is nothing to cancel");
        // A sleep ends when it is done.
        submit();
        let _ = l.driver.wait(SHORT);
        to.write_all(b"late").unwrap();
        assert_eq!(result(&l, &op), 4);
    }
}
