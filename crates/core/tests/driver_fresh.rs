//! Watches that are started while events are handed out: looked at first, entered into the epoll set
//! later. The answers are those of any other watch, on every backend; what the set holds is read from
//! /proc/self/fdinfo.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
mod common;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;

use common::{LOOK, Loop, drain, pair};
use uvring_core::driver::{Event, Kind, Watch, ready};

const STREAM: u32 = ready::IN | ready::RDHUP | ready::DRAINS;

on_both!(
    what_came_along_is_reported,
    what_comes_later_is_reported,
    started_before_a_wait_is_looked_at,
    one_exchange_and_the_end,
    a_busy_one_is_reported_each_time,
    stopped_before_the_look,
    stopped_between_look_and_report,
    narrowed_between_look_and_report,
    handed_over_on_request,
    many_at_once,
    no_descriptor,
);

/// A loop whose events are being handed out: a watch is ready, and each further call to `started`
/// happens in a round of its own.
struct Round {
    inner: Loop,
    bell: (UnixStream, UnixStream),
    bell_watch: &'static Watch,
}

impl Round {
    fn new(kind: Kind) -> Self {
        let inner = Loop::new(kind);
        let bell = pair();
        let bell_watch = inner.watch(bell.0.as_raw_fd(), ready::IN | ready::DRAINS);
        Round { inner, bell, bell_watch }
    }

    /// Runs `start` between two events of a round.
    fn during<T>(&self, start: impl FnOnce(&Loop) -> T) -> T {
        (&self.bell.1).write_all(b"!").unwrap();
        self.inner.driver.wait(common::LONG).unwrap();
        let Some(Event::Ready(watch, _)) = self.inner.driver.next() else { panic!("no bell") };
        assert!(ptr::eq(watch, self.bell_watch));
        drain(&self.bell.0);
        let result = start(&self.inner);
        assert!(self.inner.driver.next().is_none());
        result
    }

    fn started(&self, fd: i32) -> &'static Watch {
        self.during(|l| l.watch(fd, STREAM))
    }

    /// Both have a byte, both watches were looked at, and one was handed out: that one first.
    fn one_of_two_reported<'a>(
        &self,
        sockets: &'a [(UnixStream, UnixStream); 2],
    ) -> [(&'a UnixStream, &'static Watch); 2] {
        for (_, peer) in sockets {
            (&*peer).write_all(b"x").unwrap();
        }
        let mut both = self.during(|l| {
            sockets.each_ref().map(|(socket, _)| (socket, l.watch(socket.as_raw_fd(), STREAM)))
        });
        self.inner.driver.wait(LOOK).unwrap();
        let Some(Event::Ready(first, _)) = self.inner.driver.next() else { panic!("nothing") };
        both.sort_by_key(|(_, watch)| !ptr::eq(*watch, first));
        both
    }

    /// Whether the epoll set has `fd`. A ring has none, and nothing is held against it.
    fn set_has(&self, fd: i32, expected: bool) {
        if self.inner.driver.kind() == Kind::Epoll {
            let set = self.inner.driver.fd().unwrap();
            let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{set}")).unwrap();
            let has = text.lines().any(|line| {
                let mut words = line.split_whitespace();
                words.next() == Some("tfd:") && words.next() == Some(&fd.to_string())
            });
            assert_eq!(has, expected, "{fd} in\n{text}");
        }
    }
}

fn what_came_along_is_reported(kind: Kind) {
    let r = Round::new(kind);
    let (a, b) = pair();
    (&b).write_all(b"x").unwrap();
    let watch = r.started(a.as_raw_fd());
    r.set_has(a.as_raw_fd(), false);
    assert_eq!(r.inner.reports(), [(ptr::from_ref(watch), ready::IN)]);
    r.set_has(a.as_raw_fd(), false);
    assert_eq!(drain(&a), 1);
    r.inner.silent();
    r.set_has(a.as_raw_fd(), true);
    r.inner.driver.unwatch(watch);
}

fn what_comes_later_is_reported(kind: Kind) {
    let r = Round::new(kind);
    let (a, b) = pair();
    let watch = r.started(a.as_raw_fd());
    r.inner.silent();
    r.set_has(a.as_raw_fd(), true);
    for _ in 0..3 {
        (&b).write_all(b"x").unwrap();
        assert_eq!(r.inner.reports(), [(ptr::from_ref(watch), ready::IN)]);
        assert_eq!(drain(&a), 1);
    }
    r.inner.silent();
    r.inner.driver.unwatch(watch);
    r.set_has(a.as_raw_fd(), false);
}

fn one_exchange_and_the_end(kind: Kind) {
    let r = Round::new(kind);
    let (a, b) = pair();
    (&b).write_all(b"x").unwrap();
    let watch = r.started(a.as_raw_fd());
    assert_eq!(r.inner.reports(), [(ptr::from_ref(watch), ready::IN)]);
    assert_eq!(drain(&a), 1);
    drop(b);
    let (reported, mask) = r.inner.reports()[0];
    assert!(ptr::eq(reported, watch));
    assert_eq!(mask & (ready::IN | ready::RDHUP), ready::IN | ready::RDHUP);
    r.set_has(a.as_raw_fd(), false);
    r.inner.driver.unwatch(watch);
    r.inner.silent();
}

fn a_busy_one_is_reported_each_time(kind: Kind) {
    let r = Round::new(kind);
    let (a, b) = pair();
    (&b).write_all(b"much").unwrap();
    let watch = r.started(a.as_raw_fd());
    for _ in 0..20 {
        assert_eq!(r.inner.reports(), [(ptr::from_ref(watch), ready::IN)]);
        if kind == Kind::Uring {
            r.inner.driver.again(watch, ready::IN);
        }
    }
    r.set_has(a.as_raw_fd(), true);
    r.inner.driver.unwatch(watch);
    r.inner.silent();
}

fn started_before_a_wait_is_looked_at(kind: Kind) {
    let r = Round::new(kind);
    let ((a, b), (c, _d)) = (pair(), pair());
    (&b).write_all(b"x").unwrap();
    r.inner.driver.begin_round();
    let [first, other] = [a.as_raw_fd(), c.as_raw_fd()].map(|fd| r.inner.watch(fd, STREAM));
    assert_eq!(r.inner.reports(), [(ptr::from_ref(first), ready::IN)]);
    drain(&a);
    r.set_has(a.as_raw_fd(), false);
    r.set_has(c.as_raw_fd(), false);
    r.inner.silent();
    r.set_has(c.as_raw_fd(), true);
    r.inner.driver.unwatch(first);
    r.inner.driver.unwatch(other);
}

fn stopped_before_the_look(kind: Kind) {
    let r = Round::new(kind);
    let (a, b) = pair();
    (&b).write_all(b"x").unwrap();
    let watch = r.during(|l| {
        let watch = l.watch(a.as_raw_fd(), STREAM);
        l.driver.unwatch(watch);
        watch
    });
    r.inner.silent();
    // And once more, with the end of the round between.
    r.during(|l| l.set(watch, STREAM)).unwrap();
    r.inner.driver.unwatch(watch);
    r.inner.silent();
    r.set_has(a.as_raw_fd(), false);
}

fn stopped_between_look_and_report(kind: Kind) {
    let r = Round::new(kind);
    let sockets = [pair(), pair()];
    let [(_, reported), (_, other)] = r.one_of_two_reported(&sockets);
    r.inner.driver.unwatch(other);
    assert!(r.inner.driver.next().is_none());
    r.inner.driver.unwatch(reported);
    r.inner.silent();
}

fn narrowed_between_look_and_report(kind: Kind) {
    let r = Round::new(kind);
    let sockets = [pair(), pair()];
    let [(socket, reported), (_, other)] = r.one_of_two_reported(&sockets);
    // Wants to write now and not to read.
    r.inner.set(other, ready::OUT | ready::DRAINS).unwrap();
    while let Some(event) = r.inner.driver.next() {
        let Event::Ready(watch, mask) = event else { panic!("no op was submitted") };
        assert!(!ptr::eq(watch, other) || mask & ready::IN == 0);
    }
    drain(socket);
    assert_eq!(r.inner.reports(), [(ptr::from_ref(other), ready::OUT)]);
    r.inner.driver.unwatch(reported);
    r.inner.driver.unwatch(other);
}

fn handed_over_on_request(kind: Kind) {
    let r = Round::new(kind);
    let (a, b) = pair();
    let watch = r.started(a.as_raw_fd());
    assert!(r.inner.driver.has_work());
    r.inner.driver.flush();
    r.set_has(a.as_raw_fd(), true);
    (&b).write_all(b"x").unwrap();
    assert_eq!(r.inner.reports(), [(ptr::from_ref(watch), ready::IN)]);
    r.inner.driver.unwatch(watch);
}

fn many_at_once(kind: Kind) {
    let r = Round::new(kind);
    let pairs: Vec<_> = (0..100).map(|_| pair()).collect();
    for (_, b) in pairs.iter().step_by(2) {
        (&*b).write_all(b"x").unwrap();
    }
    let watches: Vec<_> =
        r.during(|l| pairs.iter().map(|(a, _)| l.watch(a.as_raw_fd(), STREAM)).collect());
    let mut reported = Vec::new();
    while reported.len() < 50 {
        for (watch, mask) in r.inner.reports() {
            assert_eq!(mask, ready::IN);
            let index = watches.iter().position(|other| ptr::eq(*other, watch)).unwrap();
            assert_eq!(drain(&pairs[index].0), 1);
            reported.push(index);
        }
    }
    reported.sort_unstable();
    assert!(reported.into_iter().eq((0..100).step_by(2)));
    r.inner.silent();
    for (watch, (a, _)) in watches.iter().zip(&pairs) {
        r.set_has(a.as_raw_fd(), true);
        r.inner.driver.unwatch(watch);
    }
}

fn no_descriptor(kind: Kind) {
    /// Within the lent table, and beyond what these tests open.
    const NONE: i32 = 4000;
    let r = Round::new(kind);
    let watch = r.started(NONE);
    assert_eq!(r.inner.reports(), [(ptr::from_ref(watch), ready::ERR)]);
    r.inner.silent();
    r.inner.driver.unwatch(watch);
}
