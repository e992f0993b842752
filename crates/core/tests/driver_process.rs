//! The driver in a forked child, in another thread, and where the kernel refuses a ring.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
mod common;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::Mutex;

use common::{LOOK, Loop, drain, pair, readable};
use uvring_core::Errno;
use uvring_core::driver::{Kind, Op, Request, ready};

on_both!(
    a_forked_child_disturbs_nobody,
    a_forked_child_goes_on_after_after_fork,
    another_thread_may_run_it,
);

/// One child at a time: it inherits the descriptors of the tests that run beside.
static FORKS: Mutex<()> = Mutex::new(());

/// Runs `child` in a forked child and says whether it returned true.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    let _alone = FORKS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the child only runs `child` and leaves without unwinding into the test harness.
    unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(20);
                let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
                libc::_exit(i32::from(!matches!(ok, Ok(true))));
            }
            pid => {
                assert!(pid > 0);
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
            }
        }
    }
}

fn a_forked_child_disturbs_nobody(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    let (c, d) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN | ready::DRAINS);
    l.silent();
    let second = l.watch(c.as_raw_fd(), ready::IN | ready::DRAINS);
    assert!(in_child(|| {
        // Everything a careless program may do. An epoll set is shared with the parent and stays
        // so: only the ring can and must be left alone.
        if kind == Kind::Uring {
            assert_eq!(l.driver.wait(LOOK), Err(Errno::BADF));
            l.driver.flush();
            let op = Op::new();
            // SAFETY: names no memory; refused.
            assert!(unsafe { l.driver.submit(&op, &Request::Nop) }.is_err());
            l.driver.again(watch, ready::IN);
            l.driver.unwatch(second);
            l.driver.unwatch(watch);
        }
        let _ = l.driver.has_work();
        l.driver.next().is_none()
    }));
    (&b).write_all(b"x").unwrap();
    (&d).write_all(b"x").unwrap();
    let mut reported = 0;
    while reported < 2 {
        reported += l.reports().len();
        drain(&a);
        drain(&c);
    }
    l.driver.unwatch(watch);
    l.driver.unwatch(second);
    // And one that drops the driver.
    let mut l = Some(l);
    assert!(in_child(|| {
        drop(l.take());
        true
    }));
    let l = l.unwrap();
    let watch = l.watch(a.as_raw_fd(), ready::IN);
    (&b).write_all(b"x").unwrap();
    assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
    l.driver.unwatch(watch);
}

fn a_forked_child_goes_on_after_after_fork(kind: Kind) {
    let mut l = Loop::new(kind);
    let (a, b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN);
    l.silent();
    (&b).write_all(b"x").unwrap();
    assert!(in_child(|| {
        l.driver.after_fork().unwrap();
        assert_eq!(l.driver.kind(), kind);
        let seen = l.reports() == [(ptr::from_ref(watch), ready::IN)];
        l.driver.unwatch(watch);
        seen
    }));
    assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
    l.driver.unwatch(watch);
}

struct Lent<T>(T);
// SAFETY: only one thread at a time uses it, see below.
unsafe impl<T> Send for Lent<T> {}

fn another_thread_may_run_it(kind: Kind) {
    let l = Lent(Loop::new(kind));
    let (a, b) = pair();
    let watch = Lent(l.0.watch(a.as_raw_fd(), ready::IN | ready::DRAINS));
    let fd = l.0.driver.fd().unwrap();
    l.0.silent();
    for turn in 0..4 {
        let (l, watch, b, a) = (Lent(&l.0), Lent(watch.0), &b, &a);
        // Each turn in a thread of its own, while this one waits for it.
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (l, watch) = ({ l }.0, { watch }.0);
                (&*b).write_all(b"x").unwrap();
                assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)], "turn {turn}");
                assert_eq!(drain(a), 1);
                // Drained after the round: the poll may have been armed with the byte still there.
                l.round(LOOK);
                l.silent();
            });
        });
    }
    (&b).write_all(b"x").unwrap();
    assert_eq!(l.0.reports().len(), 1);
    assert_eq!(drain(&a), 1);
    l.0.silent();
    l.0.round(LOOK);
    assert!(!readable(fd, 10));
    (&b).write_all(b"x").unwrap();
    assert!(readable(fd, 5000));
    l.0.driver.unwatch(watch.0);
}

#[test]
fn a_refused_ring_is_epoll() {
    // A seccomp filter that answers EPERM to io_uring_setup, as container runtimes do.
    let refused = in_child(|| {
        const LOAD_NR: libc::sock_filter = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
        let nr = libc::SYS_io_uring_setup as u32;
        let eperm = 0x0005_0000 | libc::EPERM as u32;
        let mut filter = [
            LOAD_NR,
            libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: nr },
            libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: eperm },
            libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000 },
        ];
        let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
        // SAFETY: the filter and its description live through the calls.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            let set = libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program);
            assert_eq!(set, 0);
        }
        for _ in 0..2 {
            let l = Loop::new(Kind::Uring);
            assert_eq!(l.driver.kind(), Kind::Epoll);
            let (a, b) = pair();
            let watch = l.watch(a.as_raw_fd(), ready::IN);
            (&b).write_all(b"x").unwrap();
            assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
            l.driver.unwatch(watch);
        }
        true
    });
    assert!(refused);
}
