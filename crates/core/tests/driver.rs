//! One set of tests for every backend of the driver, against the kernel: watches.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
mod common;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::{Duration, Instant};

use common::{LONG, LOOK, Loop, SHORT, drain, pair, readable};
use uvring_core::Errno;
use uvring_core::driver::{Event, Kind, Watch, ready};

on_both!(
    reports_what_is_asked_for,
    level_reports_as_long_as_it_lasts,
    edge_reports_an_arrival_once,
    draining_watch_reports_each_arrival,
    again_reports_without_blocking,
    a_changed_interest_counts,
    a_stopped_watch_of_the_same_batch_is_silent,
    the_end_after_a_short_read_is_seen,
    many_watches,
    starting_and_stopping_costs_nothing_visible,
    the_wait_is_bounded,
    what_was_stopped_wakes_nobody,
    mistakes_are_answered,
    the_descriptor_is_pollable,
    no_news_of_what_the_caller_has_just_sent,
);

fn reports_what_is_asked_for(kind: Kind) {
    let l = Loop::new(kind);
    assert_eq!(l.driver.kind(), kind);
    let (a, b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN);
    l.silent();
    (&b).write_all(b"x").unwrap();
    assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
    l.driver.unwatch(watch);
    l.silent();
    l.set(watch, ready::OUT).unwrap();
    assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::OUT)]);
    drop(b);
    let (_, mask) = l.reports()[0];
    assert_eq!(mask & (ready::OUT | ready::HUP), ready::OUT | ready::HUP);
    l.driver.unwatch(watch);
    l.driver.unwatch(watch);
}

fn level_reports_as_long_as_it_lasts(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN);
    (&b).write_all(b"four").unwrap();
    for _ in 0..5 {
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
    }
    assert_eq!(drain(&a), 4);
    l.silent();
    (&b).write_all(b"x").unwrap();
    assert_eq!(l.reports().len(), 1);
    l.driver.unwatch(watch);
}

fn edge_reports_an_arrival_once(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN | ready::EDGE);
    for _ in 0..3 {
        (&b).write_all(b"x").unwrap();
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
        l.silent();
    }
    l.driver.unwatch(watch);
}

fn draining_watch_reports_each_arrival(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN | ready::DRAINS);
    for _ in 0..50 {
        (&b).write_all(b"x").unwrap();
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
        assert_eq!(drain(&a), 1);
    }
    l.silent();
    l.driver.unwatch(watch);
}

fn again_reports_without_blocking(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN | ready::DRAINS);
    (&b).write_all(b"xy").unwrap();
    assert_eq!(l.reports().len(), 1);
    for _ in 0..3 {
        // Not drained: once a round, and the wait does not block.
        l.driver.again(watch, ready::IN);
        let start = Instant::now();
        assert_eq!(l.round(LONG), [(ptr::from_ref(watch), ready::IN)]);
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    // A watch that is stopped meanwhile is not reported.
    l.driver.again(watch, ready::IN);
    l.driver.unwatch(watch);
    l.silent();
}

fn a_changed_interest_counts(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    (&b).write_all(b"x").unwrap();
    for flags in [0, ready::DRAINS] {
        let watch = l.watch(a.as_raw_fd(), ready::IN | flags);
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN)]);
        l.set(watch, ready::OUT | flags).unwrap();
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::OUT)]);
        l.set(watch, ready::IN | ready::OUT | flags).unwrap();
        assert_eq!(l.reports(), [(ptr::from_ref(watch), ready::IN | ready::OUT)]);
        l.set(watch, ready::PRI | flags).unwrap();
        l.silent();
        assert_eq!(watch.interest(), ready::PRI | flags);
        l.driver.unwatch(watch);
    }
}

fn a_stopped_watch_of_the_same_batch_is_silent(kind: Kind) {
    let l = Loop::new(kind);
    for flags in [0, ready::DRAINS] {
        let pairs: Vec<_> = (0..8).map(|_| pair()).collect();
        let watches: Vec<_> =
            pairs.iter().map(|(a, _)| l.watch(a.as_raw_fd(), ready::IN | flags)).collect();
        l.silent();
        for (_, b) in &pairs {
            (&*b).write_all(b"x").unwrap();
        }
        l.driver.wait(LONG).unwrap();
        let mut reported = 0;
        while l.driver.next().is_some() {
            reported += 1;
            watches.iter().for_each(|watch| l.driver.unwatch(watch));
        }
        assert_eq!(reported, 1);
        l.silent();
    }
}

fn the_end_after_a_short_read_is_seen(kind: Kind) {
    let l = Loop::new(kind);
    for late in [false, true] {
        let (a, mut b) = pair();
        let watch = l.watch(a.as_raw_fd(), ready::IN | ready::DRAINS);
        l.silent();
        b.write_all(b"short").unwrap();
        if !late {
            b.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut bytes = [0; 64];
        let (_, mask) = l.reports()[0];
        assert_eq!((&a).read(&mut bytes).unwrap(), 5);
        if late {
            b.shutdown(std::net::Shutdown::Write).unwrap();
        }
        // Either this report told of the end, or another one does.
        if mask & ready::RDHUP == 0 {
            assert_ne!(l.reports()[0].1 & ready::IN, 0);
        }
        assert_eq!((&a).read(&mut bytes).unwrap(), 0);
        l.driver.unwatch(watch);
    }
}

fn many_watches(kind: Kind) {
    const COUNT: usize = 700;
    let l = Loop::new(kind);
    let pairs: Vec<_> = (0..COUNT).map(|_| pair()).collect();
    let watches: Vec<_> =
        pairs.iter().map(|(a, _)| l.watch(a.as_raw_fd(), ready::IN | ready::DRAINS)).collect();
    for turn in 0..4 {
        for (_, b) in &pairs {
            (&*b).write_all(b"x").unwrap();
        }
        let mut seen = vec![0; COUNT];
        let end = Instant::now() + Duration::from_secs(10);
        while seen.contains(&0) && Instant::now() < end {
            for (watch, _) in l.round(SHORT) {
                let index = watches.iter().position(|w| ptr::eq(*w, watch)).unwrap();
                assert_eq!(drain(&pairs[index].0), 1, "turn {turn}");
                seen[index] += 1;
            }
        }
        assert_eq!(seen, vec![1; COUNT], "turn {turn}");
    }
    for (index, watch) in watches.iter().enumerate() {
        if index % 2 == 0 {
            l.driver.unwatch(watch);
        }
    }
    for (_, b) in &pairs {
        (&*b).write_all(b"x").unwrap();
    }
    let mut odd = 0;
    while odd < COUNT / 2 {
        for (watch, _) in l.reports() {
            let index = watches.iter().position(|w| ptr::eq(*w, watch)).unwrap();
            assert_eq!((index % 2, drain(&pairs[index].0)), (1, 1));
            odd += 1;
        }
    }
    watches.iter().for_each(|watch| l.driver.unwatch(watch));
}

fn starting_and_stopping_costs_nothing_visible(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    (&b).write_all(b"x").unwrap();
    for _ in 0..2000 {
        let watch = Watch::new();
        watch.fd.set(a.as_raw_fd());
        // SAFETY: stopped before it goes.
        unsafe { l.driver.watch(&watch, ready::IN | ready::DRAINS) }.unwrap();
        l.driver.unwatch(&watch);
    }
    l.silent();
}

fn the_wait_is_bounded(kind: Kind) {
    let l = Loop::new(kind);
    let (a, _b) = pair();
    let watch = l.watch(a.as_raw_fd(), ready::IN);
    let start = Instant::now();
    assert_eq!(l.round(Some(Duration::from_millis(30))), []);
    assert!(start.elapsed() >= Duration::from_millis(25), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3));
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(l.round(LOOK), []);
    }
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(!l.driver.has_work());
    l.driver.unwatch(watch);
}

fn what_was_stopped_wakes_nobody(kind: Kind) {
    let l = Loop::new(kind);
    for flags in [0, ready::DRAINS] {
        let pairs: Vec<_> = (0..5).map(|_| pair()).collect();
        let watches: Vec<_> =
            pairs.iter().map(|(a, _)| l.watch(a.as_raw_fd(), ready::IN | flags)).collect();
        l.silent();
        // Stopped, changed, and given away: the next wait lasts as long as it was told.
        l.driver.unwatch(watches[0]);
        l.set(watches[1], ready::IN | ready::PRI | flags).unwrap();
        l.set(watches[2], ready::PRI | flags).unwrap();
        l.driver.unwatch(watches[2]);
        let waits = |ms| {
            let start = Instant::now();
            assert_eq!(l.round(Some(Duration::from_millis(ms))), []);
            assert!(start.elapsed() >= Duration::from_millis(ms - 5), "{:?}", start.elapsed());
        };
        waits(30);
        waits(30);
        // And it is not deaf either: one arrival among the stopped ones ends it.
        l.set(watches[1], ready::IN | flags).unwrap();
        l.driver.unwatch(watches[4]);
        (&pairs[3].1).write_all(b"x").unwrap();
        let start = Instant::now();
        assert_eq!(l.round(LONG), [(ptr::from_ref(watches[3]), ready::IN)]);
        assert!(start.elapsed() < Duration::from_secs(2));
        [1, 3].into_iter().for_each(|index| l.driver.unwatch(watches[index]));
    }
}

fn mistakes_are_answered(kind: Kind) {
    let l = Loop::new(kind);
    let watch = |fd| -> &'static Watch {
        let watch: &'static Watch = Box::leak(Box::new(Watch::new()));
        watch.fd.set(fd);
        watch
    };
    assert_eq!(l.set(watch(-1), ready::IN), Err(Errno::NOMEM));
    assert_eq!(l.set(watch(100_000), ready::IN), Err(Errno::NOMEM));
    assert_eq!(l.set(watch(4000), ready::IN), Err(Errno::BADF));
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(l.set(watch(file.as_raw_fd()), ready::IN), Err(Errno::PERM));
    let (a, _b) = pair();
    let first = l.watch(a.as_raw_fd(), ready::IN);
    assert_eq!(l.set(watch(a.as_raw_fd()), ready::IN), Err(Errno::EXIST));
    l.driver.unwatch(first);
    l.silent();
}

fn the_descriptor_is_pollable(kind: Kind) {
    let l = Loop::new(kind);
    let (a, b) = pair();
    for flags in [0, ready::DRAINS] {
        let watch = l.watch(a.as_raw_fd(), ready::IN | flags);
        let fd = l.driver.fd().unwrap();
        assert_eq!(l.driver.fd().unwrap(), fd);
        for _ in 0..3 {
            // Whatever the driver itself caused is gone after a few rounds.
            for _ in 0..3 {
                l.round(LOOK);
            }
            assert!(!readable(fd, 20), "busy loop");
            assert!(!l.driver.has_work());
            (&b).write_all(b"x").unwrap();
            assert!(readable(fd, 5000));
            let reports = l.round(LOOK);
            assert_eq!(reports, [(ptr::from_ref(watch), ready::IN)]);
            assert_eq!(drain(&a), 1);
        }
        l.driver.unwatch(watch);
        // Ready before it is watched: the descriptor tells, although nobody waits.
        (&b).write_all(b"x").unwrap();
        l.set(watch, ready::IN | flags).unwrap();
        assert!(readable(fd, 5000));
        assert_eq!(l.round(LOOK).len(), 1);
        assert_eq!(drain(&a), 1);
        l.driver.unwatch(watch);
    }
}

fn no_news_of_what_the_caller_has_just_sent(kind: Kind) {
    let l = Loop::new(kind);
    let ((a, b), (c, d)) = (pair(), pair());
    let one = l.watch(a.as_raw_fd(), ready::IN | ready::DRAINS);
    let other = l.watch(c.as_raw_fd(), ready::IN | ready::DRAINS);
    for _ in 0..20 {
        l.round(LOOK);
        (&b).write_all(b"x").unwrap();
        l.driver.wait(Some(Duration::from_secs(5))).unwrap();
        let mut seen = 0;
        while let Some(event) = l.driver.next() {
            let Event::Ready(watch, _) = event else { panic!("no op was submitted") };
            assert_eq!(watch, ptr::from_ref(one));
            assert_eq!(drain(&a), 1);
            (&d).write_all(b"y").unwrap();
            l.driver.no_news();
            seen += 1;
        }
        assert_eq!(seen, 1);
        assert_eq!(l.reports(), [(ptr::from_ref(other), ready::IN)]);
        assert_eq!(drain(&c), 1);
    }
    l.driver.unwatch(one);
    l.driver.unwatch(other);
}
