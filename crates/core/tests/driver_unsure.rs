//! Watches whose last read may have left something: reported again if it did, once, and not if it
//! did not. epoll reports by itself; the answers are the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
mod common;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::Duration;

use common::{LOOK, Loop, SHORT, drain, pair, polled, readable};
use uvring_core::driver::{Kind, Watch, ready};

const STREAM: u32 = ready::IN | ready::RDHUP | ready::DRAINS;

on_both!(
    what_was_left_is_reported,
    what_was_taken_is_not,
    what_comes_after_the_doubt_is_reported_once,
    stopped_in_doubt,
    stopped_between_look_and_report,
    narrowed_in_doubt,
    writable_in_doubt,
    many_at_once,
    shows_on_the_descriptor,
);

/// A connection whose poll reports each arrival once.
struct Connection {
    ours: UnixStream,
    peer: UnixStream,
    watch: &'static Watch,
}

impl Connection {
    fn new(on: &Loop) -> Self {
        let (ours, peer) = pair();
        let watch = on.watch(ours.as_raw_fd(), STREAM);
        let new = Connection { ours, peer, watch };
        // A ring's first poll is for one report.
        for _ in 0..2 {
            new.write(b"x");
            assert_eq!(on.reports(), [new.report(ready::IN)]);
            assert_eq!(drain(&new.ours), 1);
            assert_eq!(on.round(LOOK), []);
        }
        new
    }

    fn write(&self, bytes: &[u8]) {
        (&self.peer).write_all(bytes).unwrap();
    }

    fn read_one(&self) {
        (&self.ours).read_exact(&mut [0]).unwrap();
    }

    fn report(&self, mask: u32) -> (*const Watch, u32) {
        (ptr::from_ref(self.watch), mask)
    }

    /// Reads one of two bytes and is unsure.
    fn leave_one(&self, on: &Loop) {
        self.write(b"xy");
        assert_eq!(on.reports(), [self.report(ready::IN)]);
        self.read_one();
        on.driver.unsure(self.watch);
    }
}

fn what_was_left_is_reported(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    c.leave_one(&l);
    assert_eq!(l.round(None), [c.report(ready::IN)], "and nobody sleeps");
    c.read_one();
    l.driver.unsure(c.watch);
    l.silent();
    l.driver.unwatch(c.watch);
}

fn what_was_taken_is_not(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    for _ in 0..3 {
        c.write(b"x");
        assert_eq!(l.reports(), [c.report(ready::IN)]);
        c.read_one();
        l.driver.unsure(c.watch);
        l.driver.unsure(c.watch);
        l.silent();
    }
    drop(c.peer);
    let (_, mask) = l.reports()[0];
    assert_ne!(mask & ready::RDHUP, 0);
    l.driver.unwatch(c.watch);
}

fn what_comes_after_the_doubt_is_reported_once(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    c.leave_one(&l);
    c.write(b"z");
    assert_eq!(l.reports(), [c.report(ready::IN)]);
    assert_eq!(drain(&c.ours), 2);
    l.silent();
    l.driver.unwatch(c.watch);
}

fn stopped_in_doubt(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    c.leave_one(&l);
    l.driver.unwatch(c.watch);
    l.silent();
    // It is whole afterwards.
    l.set(c.watch, STREAM).unwrap();
    assert_eq!(l.reports(), [c.report(ready::IN)]);
    c.read_one();
    l.driver.unsure(c.watch);
    l.driver.unwatch_and_close(c.watch);
    l.silent();
    std::mem::forget(c.ours);
}

fn stopped_between_look_and_report(kind: Kind) {
    let l = Loop::new(kind);
    let both = [Connection::new(&l), Connection::new(&l)];
    both.iter().for_each(|c| c.write(b"xy"));
    let mut reports = 0;
    while reports < 2 {
        reports += l.reports().len();
    }
    both.iter().for_each(|c| c.read_one());
    both.iter().for_each(|c| l.driver.unsure(c.watch));
    l.driver.wait(LOOK).unwrap();
    let Some(uvring_core::driver::Event::Ready(first, _)) = l.driver.next() else { panic!() };
    for c in &both {
        l.driver.unwatch(c.watch);
    }
    assert!(l.driver.next().is_none());
    assert!(both.iter().any(|c| ptr::eq(c.watch, first)));
    l.silent();
}

fn narrowed_in_doubt(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    c.leave_one(&l);
    l.set(c.watch, ready::OUT | ready::DRAINS).unwrap();
    assert_eq!(l.reports(), [c.report(ready::OUT)]);
    l.set(c.watch, STREAM).unwrap();
    assert_eq!(l.reports(), [c.report(ready::IN)]);
    l.driver.unwatch(c.watch);
}

/// That there is room to write says nothing of what was left to read.
fn writable_in_doubt(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    while (&c.ours).write(&[0; 4096]).is_ok() {}
    l.set(c.watch, STREAM | ready::OUT).unwrap();
    // Armed anew: the first poll may tell what there was.
    l.round(LOOK);
    l.silent();
    c.leave_one(&l);
    // As little as makes room, so that there is one report and no second look at the socket.
    while !polled(c.ours.as_raw_fd(), libc::POLLOUT, 0) {
        (&c.peer).read_exact(&mut [0; 4096]).unwrap();
    }
    let mut seen = 0;
    for _ in 0..3 {
        seen |= l.round(SHORT).iter().fold(0, |seen, (_, mask)| seen | mask);
    }
    assert_eq!(seen, ready::IN | ready::OUT);
    l.driver.unwatch(c.watch);
}

fn many_at_once(kind: Kind) {
    let l = Loop::new(kind);
    let all: Vec<_> = (0..100).map(|_| Connection::new(&l)).collect();
    all.iter().for_each(|c| c.write(b"xy"));
    let (mut begun, mut seen) = (vec![false; 100], Vec::new());
    while seen.len() < 50 || begun.contains(&false) {
        for (watch, _) in l.reports() {
            let index = all.iter().position(|c| ptr::eq(c.watch, watch)).unwrap();
            if begun[index] {
                assert_eq!(drain(&all[index].ours), 1);
                seen.push(index);
            } else {
                // Every other one leaves a byte.
                (&all[index].ours).read_exact(&mut [0, 0][1 - index % 2..]).unwrap();
                l.driver.unsure(all[index].watch);
                begun[index] = true;
            }
        }
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..100).step_by(2)));
    l.silent();
    all.iter().for_each(|c| l.driver.unwatch(c.watch));
}

/// Who polls the driver's descriptor from outside is woken for it.
fn shows_on_the_descriptor(kind: Kind) {
    let l = Loop::new(kind);
    let c = Connection::new(&l);
    let fd = l.driver.fd().unwrap();
    l.round(Some(Duration::ZERO));
    assert!(!readable(fd, 0));
    c.write(b"xy");
    assert!(readable(fd, 5000));
    l.driver.wait(LOOK).unwrap();
    let Some(uvring_core::driver::Event::Ready(..)) = l.driver.next() else { panic!() };
    c.read_one();
    l.driver.unsure(c.watch);
    assert!(l.driver.next().is_none());
    assert!(readable(fd, 0), "there is a byte left");
    assert_eq!(l.round(LOOK), [c.report(ready::IN)]);
    c.read_one();
    l.round(LOOK);
    assert!(!readable(fd, 0));
    l.driver.unwatch(c.watch);
}
