//! Operations, and taking their results.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
mod common;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};

use common::{LONG, LOOK, Loop, SHORT, drain, pair, readable, uring};
use uvring_core::Errno;
use uvring_core::driver::{Event, Kind, Op, Request, ready};

#[test]
fn epoll_has_no_ops() {
    let l = Loop::new(Kind::Epoll);
    let op = Op::new();
    // SAFETY: names no memory.
    assert_eq!(unsafe { l.driver.submit(&op, &Request::Nop) }, Err(Errno::NOSYS));
    assert!(!op.in_flight());
    l.driver.cancel(&op);
}

#[test]
fn ops_complete_in_order_and_in_number() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let ops: Vec<Op> = (0..2000).map(|_| Op::new()).collect();
    let mut submitted = 0;
    let mut done = 0;
    while done < ops.len() {
        // As many as it takes: the rest is refused, not lost.
        while submitted < ops.len() {
            // SAFETY: `ops` outlives the loop below, which takes every completion.
            match unsafe { l.driver.submit(&ops[submitted], &Request::Nop) } {
                Ok(()) => submitted += 1,
                Err(error) => {
                    assert_eq!(error, Errno::BUSY);
                    break;
                }
            }
        }
        assert!(l.driver.has_work());
        l.driver.wait(LONG).unwrap();
        while let Some(event) = l.driver.next() {
            let Event::Done(op, 0) = event else { panic!("{event:?}") };
            assert!(ptr::eq(op, &raw const ops[done]));
            assert!(!ops[done].in_flight());
            done += 1;
        }
    }
    assert!(!l.driver.has_work());
}

#[test]
fn an_op_has_company_when_others_are_queued_or_events_wait() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let op = Op::new();
    assert!(!l.driver.has_company());
    // SAFETY: names no memory.
    unsafe { l.driver.submit(&op, &Request::Nop) }.unwrap();
    assert!(l.driver.has_company());
    assert_eq!(l.done(), (ptr::from_ref(&op), 0));
    assert!(!l.driver.has_company());
    let ((a, b), (c, d)) = (pair(), pair());
    let watches = [a.as_raw_fd(), c.as_raw_fd()].map(|fd| l.watch(fd, ready::IN));
    l.silent();
    (&b).write_all(b"x").unwrap();
    (&d).write_all(b"x").unwrap();
    l.driver.wait(LONG).unwrap();
    assert!(matches!(l.driver.next(), Some(Event::Ready(..))));
    assert!(l.driver.has_company());
    assert!(matches!(l.driver.next(), Some(Event::Ready(..))));
    for watch in watches {
        l.driver.unwatch(watch);
    }
}

#[test]
fn send_sends_and_tells_of_a_full_socket() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let (a, b) = pair();
    let bytes = vec![7u8; 1 << 20];
    let request = |len| Request::Send {
        fd: a.as_raw_fd(),
        buf: bytes.as_ptr(),
        len,
        flags: (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u32,
    };
    let op = Op::new();
    // SAFETY: `op` and `bytes` outlive every completion, taken by `done`.
    unsafe { l.driver.submit(&op, &request(5)) }.unwrap();
    assert!(op.in_flight());
    // SAFETY: as above; refused.
    assert_eq!(unsafe { l.driver.submit(&op, &request(5)) }, Err(Errno::ALREADY));
    assert_eq!(l.done(), (&raw const op, 5));
    let mut sent = 5;
    let full = loop {
        // SAFETY: as above.
        unsafe { l.driver.submit(&op, &request(1 << 20)) }.unwrap();
        match l.done() {
            (_, result) if result < 0 => break result,
            (_, result) => sent += result as usize,
        }
        assert!(sent < 1 << 26);
    };
    assert_eq!(full, -libc::EAGAIN);
    // Without MSG_DONTWAIT it waits for room, on a non-blocking descriptor too.
    let waits = Request::Send {
        fd: a.as_raw_fd(),
        buf: bytes.as_ptr(),
        len: 9,
        flags: libc::MSG_NOSIGNAL as u32,
    };
    // SAFETY: as above.
    unsafe { l.driver.submit(&op, &waits) }.unwrap();
    l.driver.wait(SHORT).unwrap();
    assert!(l.driver.next().is_none() && op.in_flight());
    b.set_nonblocking(true).unwrap();
    assert_eq!(drain(&b), sent);
    assert_eq!(l.done(), (&raw const op, 9));
    assert_eq!(drain(&b), 9);
    drop(b);
    // SAFETY: as above.
    unsafe { l.driver.submit(&op, &request(1)) }.unwrap();
    assert_eq!(l.done().1, -libc::EPIPE);
}

#[test]
fn a_waiting_send_can_be_cancelled() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let (a, _b) = pair();
    let bytes = vec![7u8; 1 << 20];
    while (&a).write(&bytes).is_ok() {}
    // A blocking socket: the kernel waits for room.
    a.set_nonblocking(false).unwrap();
    let op = Op::new();
    let request = Request::Send { fd: a.as_raw_fd(), buf: bytes.as_ptr(), len: 9, flags: 0 };
    for queued in [true, false] {
        // SAFETY: `op` and `bytes` outlive the completion.
        unsafe { l.driver.submit(&op, &request) }.unwrap();
        if !queued {
            l.driver.wait(SHORT).unwrap();
            assert!(l.driver.next().is_none());
        }
        l.driver.cancel(&op);
        assert_eq!(l.done(), (&raw const op, -libc::ECANCELED));
        assert!(!op.in_flight());
    }
    l.driver.cancel(&op);
    l.driver.wait(SHORT).unwrap();
    assert!(l.driver.next().is_none());
}

on_both!(what_is_not_in_flight_is_not_reaped);

/// A send that does not wait for room.
fn send(socket: &UnixStream, bytes: &'static [u8]) -> Request {
    Request::Send {
        fd: socket.as_raw_fd(),
        buf: bytes.as_ptr(),
        len: bytes.len() as u32,
        flags: (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u32,
    }
}

fn what_is_not_in_flight_is_not_reaped(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    let op = Op::new();
    assert_eq!(l.driver.reap(&op), None);
    // SAFETY: `op` outlives the completion, taken by `done`, and the bytes are static.
    match unsafe { l.driver.submit(&op, &send(&b, b"x")) } {
        Ok(()) => assert_eq!((kind, l.done()), (Kind::Uring, (&raw const op, 1))),
        Err(error) => {
            assert_eq!((kind, error), (Kind::Epoll, Errno::NOSYS));
            (&b).write_all(b"x").unwrap();
        }
    }
    assert_eq!(l.driver.reap(&op), None);
    assert!(!op.in_flight());
    let watch = l.watch(a.as_raw_fd(), ready::IN);
    assert_eq!(l.driver.reap(&op), None);
    assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
    l.driver.unwatch(watch);
}

#[test]
fn what_was_reaped_has_no_done() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let (a, b) = pair();
    b.set_nonblocking(true).unwrap();
    let op = Op::new();
    // The op is the caller's again at once, and may start anew.
    for _ in 0..3 {
        // SAFETY: `op` outlives what is reaped below, and the bytes are static.
        unsafe { l.driver.submit(&op, &send(&a, b"bytes")) }.unwrap();
        assert!(op.in_flight());
        assert_eq!(l.driver.reap(&op), Some(5));
        assert!(!op.in_flight());
        assert_eq!(l.driver.reap(&op), None);
        assert_eq!(drain(&b), 5);
    }
    // `round` takes no `Done`.
    l.silent();
    assert!(!l.driver.has_work());
    // Of the same op, only what was not reaped is reported.
    // SAFETY: as above, and then taken by `done`.
    unsafe { l.driver.submit(&op, &send(&a, b"four")) }.unwrap();
    assert_eq!(l.driver.reap(&op), Some(4));
    // SAFETY: as above.
    unsafe { l.driver.submit(&op, &send(&a, b"sixsix")) }.unwrap();
    assert_eq!(l.done(), (&raw const op, 6));
    l.silent();
    // Errors are results too.
    while (&a).write(&[7; 4096]).is_ok() {}
    // SAFETY: as above.
    unsafe { l.driver.submit(&op, &send(&a, b"full")) }.unwrap();
    assert_eq!(l.driver.reap(&op), Some(-libc::EAGAIN));
    drop(b);
    // SAFETY: as above.
    unsafe { l.driver.submit(&op, &send(&a, b"gone")) }.unwrap();
    assert_eq!(l.driver.reap(&op), Some(-libc::EPIPE));
    l.silent();
}

#[test]
fn reaping_one_leaves_the_others_in_order() {
    const COUNT: usize = 7;
    const SEND: usize = 3;
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let (a, b) = pair();
    b.set_nonblocking(true).unwrap();
    for (reaped, in_round) in (0..COUNT).flat_map(|reaped| [(reaped, false), (reaped, true)]) {
        let ops: [Op; COUNT] = std::array::from_fn(|_| Op::new());
        let result = |index| if index == SEND { 5 } else { 0 };
        for (index, op) in ops.iter().enumerate() {
            let request = if index == SEND { send(&a, b"bytes") } else { Request::Nop };
            // SAFETY: `ops` outlives every completion, all taken below; the bytes are static.
            unsafe { l.driver.submit(op, &request) }.unwrap();
        }
        let mut seen = Vec::new();
        let mut take = |event| {
            let Event::Done(op, result) = event else { panic!("{event:?}") };
            seen.push((ops.iter().position(|o| ptr::eq(o, op)).unwrap(), result));
        };
        if in_round {
            l.driver.wait(LONG).unwrap();
            take(l.driver.next().unwrap());
        }
        // In a round, the first is done and gone already.
        let late = in_round && reaped == 0;
        assert_eq!(l.driver.reap(&ops[reaped]), (!late).then_some(result(reaped)));
        assert_eq!(l.driver.reap(&ops[reaped]), None);
        if !in_round {
            l.driver.wait(LONG).unwrap();
        }
        while let Some(event) = l.driver.next() {
            take(event);
        }
        let rest = (0..COUNT).filter(|&index| late || index != reaped);
        let rest: Vec<_> = rest.map(|index| (index, result(index))).collect();
        assert_eq!(seen, rest, "{reaped} reaped, in a round: {in_round}");
        assert!(ops.iter().all(|op| !op.in_flight()));
        assert_eq!(drain(&b), 5);
        l.silent();
    }
}

#[test]
fn a_send_that_waits_is_reaped_when_it_is_done() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let (a, b) = pair();
    b.set_nonblocking(true).unwrap();
    let op = Op::new();
    let bytes = [7; 9];
    let request = Request::Send {
        fd: a.as_raw_fd(),
        buf: bytes.as_ptr(),
        len: 9,
        flags: libc::MSG_NOSIGNAL as u32,
    };
    for by_reap in [false, true] {
        while (&a).write(&[7; 4096]).is_ok() {}
        // SAFETY: `op` and `bytes` outlive the completion, taken or reaped below.
        unsafe { l.driver.submit(&op, &request) }.unwrap();
        for _ in 0..3 {
            assert_eq!(l.driver.reap(&op), None);
            assert!(op.in_flight());
            l.driver.wait(LOOK).unwrap();
            assert!(l.driver.next().is_none());
        }
        assert!(drain(&b) > 0);
        if by_reap {
            l.driver.wait(LONG).unwrap();
            assert_eq!(l.driver.reap(&op), Some(9));
        } else {
            assert_eq!(l.done(), (&raw const op, 9));
        }
        assert_eq!(drain(&b), 9);
        assert!(!op.in_flight());
        l.silent();
    }
}

#[test]
fn reaping_leaves_watches_and_the_descriptor_alone() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let (a, b) = pair();
    let (c, d) = pair();
    let op = Op::new();
    for (flags, pollable) in [(0, false), (ready::DRAINS, false), (0, true), (ready::DRAINS, true)]
    {
        let fd = pollable.then(|| l.driver.fd().unwrap());
        let watch = l.watch(c.as_raw_fd(), ready::IN | flags);
        (&d).write_all(b"x").unwrap();
        // SAFETY: `op` outlives what is reaped below, and the bytes are static.
        unsafe { l.driver.submit(&op, &send(&a, b"bytes")) }.unwrap();
        assert_eq!(l.driver.reap(&op), Some(5));
        if let Some(fd) = fd {
            assert!(readable(fd, 5000), "the report of the watch is waiting");
        }
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
        assert_eq!(drain(&c), 1);
        if let Some(fd) = fd {
            // Whatever the driver itself caused is gone after a few rounds.
            for _ in 0..3 {
                l.round(LOOK);
            }
            assert!(!readable(fd, 20), "busy loop");
        }
        l.silent();
        l.driver.unwatch(watch);
    }
    b.set_nonblocking(true).unwrap();
    assert_eq!(drain(&b), 20);
}

#[test]
fn more_reaps_in_one_turn_than_the_ring_has_room_for_lose_nothing() {
    if !uring() {
        return;
    }
    let l = Loop::new(Kind::Uring);
    let ops: Vec<Op> = (0..1500).map(|_| Op::new()).collect();
    let mut late = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        // SAFETY: `ops` outlives every completion: reaped, or taken below.
        unsafe { l.driver.submit(op, &Request::Nop) }.unwrap();
        match l.driver.reap(op) {
            Some(result) => assert_eq!((result, op.in_flight()), (0, false)),
            None => late.push(index),
        }
    }
    // What the ring has no room for comes later, in order.
    assert!(late.len() < ops.len() / 2, "{} were not reaped", late.len());
    let mut seen = Vec::new();
    let end = Instant::now() + Duration::from_secs(5);
    while seen.len() < late.len() && Instant::now() < end {
        l.driver.wait(SHORT).unwrap();
        while let Some(event) = l.driver.next() {
            let Event::Done(op, 0) = event else { panic!("{event:?}") };
            seen.push(ops.iter().position(|o| ptr::eq(o, op)).unwrap());
        }
    }
    assert_eq!(seen, late);
    assert!(ops.iter().all(|op| !op.in_flight()));
    l.silent();
}
