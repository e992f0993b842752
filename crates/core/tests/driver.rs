//! One set of tests for every backend of the driver, against the kernel.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use uvring_core::Errno;
use uvring_core::driver::{Driver, Event, Kind, Op, Request, Watch, ready};

const LOOK: Option<Duration> = Some(Duration::ZERO);
/// Far longer than anything here takes.
const LONG: Option<Duration> = Some(Duration::from_secs(5));
const SHORT: Option<Duration> = Some(Duration::from_millis(20));

/// A driver with a table to lend. Watches are leaked: they must outlive it.
struct Loop {
    driver: Driver,
    _table: Box<[Cell<*const Watch>]>,
}

impl Loop {
    fn new(kind: Kind) -> Self {
        let driver = Driver::new(kind).unwrap();
        let table: Box<[_]> = (0..4096).map(|_| Cell::new(ptr::null())).collect();
        // SAFETY: the table lives as long as the driver and does not move.
        unsafe { driver.lend_table(table.as_ptr(), table.len() as u32) };
        Loop { driver, _table: table }
    }

    fn watch(&self, fd: i32, interest: u32) -> &'static Watch {
        let watch: &'static Watch = Box::leak(Box::new(Watch::new()));
        watch.fd.set(fd);
        self.set(watch, interest).unwrap();
        watch
    }

    fn set(&self, watch: &'static Watch, interest: u32) -> Result<(), Errno> {
        // SAFETY: watches are never freed here.
        unsafe { self.driver.watch(watch, interest) }
    }

    /// The reports of one wait.
    fn round(&self, timeout: Option<Duration>) -> Vec<(*const Watch, u32)> {
        self.driver.wait(timeout).unwrap();
        let mut reports = Vec::new();
        while let Some(event) = self.driver.next() {
            match event {
                Event::Ready(watch, mask) => reports.push((watch, mask)),
                Event::Done(..) => panic!("no op was submitted"),
            }
        }
        reports
    }

    /// Waits until something is reported.
    fn reports(&self) -> Vec<(*const Watch, u32)> {
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            let reports = self.round(Some(Duration::from_millis(200)));
            if !reports.is_empty() {
                return reports;
            }
        }
        panic!("nothing in five seconds");
    }

    /// Says that nothing is reported for a while.
    fn silent(&self) {
        let end = Instant::now() + Duration::from_millis(30);
        while Instant::now() < end {
            assert_eq!(self.round(SHORT), []);
        }
    }

    fn done(&self) -> (*const Op, i32) {
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            self.driver.wait(Some(Duration::from_millis(200))).unwrap();
            let mut done = None;
            while let Some(event) = self.driver.next() {
                if let Event::Done(op, result) = event {
                    assert!(done.replace((op, result)).is_none(), "two at once");
                }
            }
            if let Some(done) = done {
                return done;
            }
        }
        panic!("nothing done in five seconds");
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (a, b)
}

fn drain(mut socket: &UnixStream) -> usize {
    let mut bytes = [0; 65536];
    let mut total = 0;
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return total,
            Ok(n) => total += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

fn uring() -> bool {
    let there = Driver::new(Kind::Uring).unwrap().kind() == Kind::Uring;
    if !there {
        let reason = uvring_core::uring::Ring::new(&uvring_core::uring::Config::new(8)).err();
        println!("skipped: the kernel refuses io_uring: {reason:?}");
    }
    there
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod epoll { $(#[test] fn $name() { super::$name(super::Kind::Epoll); })* }
        mod io_uring { $(#[test] fn $name() {
            if super::uring() { super::$name(super::Kind::Uring); }
        })* }
    };
}

on_both!(
    reports_what_is_asked_for,
    level_reports_as_long_as_it_lasts,
    edge_reports_an_arrival_once,
    draining_watch_reports_each_arrival,
    again_reports_without_blocking,
    a_changed_interest_counts,
    a_stopped_watch_of_the_same_batch_is_silent,
    a_stale_event_does_not_reach_the_next_descriptor,
    the_end_after_a_short_read_is_seen,
    close_after_unwatch_closes,
    unwatch_and_close_closes,
    a_port_is_free_after_unwatch_and_close,
    many_watches,
    starting_and_stopping_costs_nothing_visible,
    the_wait_is_bounded,
    what_was_stopped_wakes_nobody,
    mistakes_are_answered,
    the_descriptor_is_pollable,
    a_forked_child_disturbs_nobody,
    a_forked_child_goes_on_after_after_fork,
    another_thread_may_run_it,
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

fn a_stale_event_does_not_reach_the_next_descriptor(kind: Kind) {
    let l = Loop::new(kind);
    for flags in [0, ready::DRAINS] {
        for close_by_driver in [false, true] {
            let (a, b) = pair();
            let fd = a.into_raw_fd();
            let watch = l.watch(fd, ready::IN | flags);
            l.silent();
            (&b).write_all(b"x").unwrap();
            // The report is there, and not taken.
            l.driver.wait(LONG).unwrap();
            if close_by_driver {
                l.driver.unwatch_and_close(watch);
                l.driver.flush();
            } else {
                l.driver.unwatch(watch);
                // SAFETY: into_raw_fd gave it to us.
                unsafe { libc::close(fd) };
            }
            let (c, _d) = pair();
            // SAFETY: both are open; the number is free or somebody else's test has it.
            let same = c.as_raw_fd() == fd;
            let next = l.watch(c.as_raw_fd(), ready::IN | flags);
            while let Some(event) = l.driver.next() {
                panic!("{event:?} for {next:?}, same number: {same}");
            }
            l.silent();
            l.driver.unwatch(next);
        }
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

fn listener() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.set_read_timeout(LONG).unwrap();
    server.set_nonblocking(true).unwrap();
    (server, client)
}

fn close_after_unwatch_closes(kind: Kind) {
    let _alone = no_forks();
    let l = Loop::new(kind);
    for flags in [0, ready::DRAINS] {
        // The peer sees the end although the loop never runs again.
        let (server, mut client) = tcp_pair();
        let watch = l.watch(server.as_raw_fd(), ready::IN | flags);
        l.silent();
        l.driver.unwatch(watch);
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);

        // The port is free at once.
        let listening = listener();
        let address = listening.local_addr().unwrap();
        let watch = l.watch(listening.as_raw_fd(), ready::IN | flags);
        l.silent();
        l.driver.unwatch(watch);
        drop(listening);
        bind_without_reuse(address.port()).unwrap();
    }
}

/// bind(2) without SO_REUSEADDR, which std sets.
fn bind_without_reuse(port: u16) -> Result<(), std::io::Error> {
    // SAFETY: plain system calls on a socket of our own.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as u16;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
        let bound = libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32);
        let error = std::io::Error::last_os_error();
        libc::close(fd);
        if bound == 0 { Ok(()) } else { Err(error) }
    }
}

fn unwatch_and_close_closes(kind: Kind) {
    let _alone = no_forks();
    let l = Loop::new(kind);
    for armed in [false, true] {
        let (server, mut client) = tcp_pair();
        let watch = l.watch(server.into_raw_fd(), ready::IN | ready::DRAINS);
        if armed {
            l.silent();
        }
        l.driver.unwatch_and_close(watch);
        assert_eq!((watch.fd.get(), watch.interest()), (-1, 0));
        l.driver.flush();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        l.silent();
    }
    // On a watch that was never on.
    let (server, mut client) = tcp_pair();
    let watch = Watch::new();
    watch.fd.set(server.into_raw_fd());
    l.driver.unwatch_and_close(&watch);
    l.driver.flush();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    // And on nothing at all.
    l.driver.unwatch_and_close(&Watch::new());
    // A driver that goes without having waited again.
    let (server, mut client) = tcp_pair();
    let watch = l.watch(server.into_raw_fd(), ready::IN | ready::DRAINS);
    l.silent();
    l.driver.unwatch_and_close(watch);
    drop(l);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

fn a_port_is_free_after_unwatch_and_close(kind: Kind) {
    let _alone = no_forks();
    let l = Loop::new(kind);
    let listening = listener();
    let port = listening.local_addr().unwrap().port();
    let watch = l.watch(listening.into_raw_fd(), ready::IN);
    l.silent();
    l.driver.unwatch_and_close(watch);
    l.driver.flush();
    bind_without_reuse(port).unwrap();
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

/// Whether `fd` is readable within `ms`, as poll(2) sees it.
fn readable(fd: i32, ms: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one struct, as said.
    unsafe { libc::poll(&raw mut poll, 1, ms) == 1 }
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

/// Children inherit the descriptors of tests that run beside: those that need a close to be the
/// last one keep the forks away meanwhile.
static FORKS: RwLock<()> = RwLock::new(());

fn no_forks() -> impl Drop {
    FORKS.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs `child` in a forked child and says whether it returned true.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    let _forks = FORKS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
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
