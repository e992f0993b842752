//! What the tests of the driver share: a loop of their own, sockets, and the choice of backend.

#![allow(dead_code, unused_macros, reason = "each file of tests uses its own part")]

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};

use uvring_core::Errno;
use uvring_core::driver::{Driver, Event, Kind, Op, Watch};

pub(crate) const LOOK: Option<Duration> = Some(Duration::ZERO);
/// Far longer than anything here takes.
pub(crate) const LONG: Option<Duration> = Some(Duration::from_secs(5));
pub(crate) const SHORT: Option<Duration> = Some(Duration::from_millis(20));

/// A driver with a table to lend. Watches are leaked: they must outlive it.
pub(crate) struct Loop {
    pub(crate) driver: Driver,
    _table: Box<[Cell<*const Watch>]>,
}

impl Loop {
    pub(crate) fn new(kind: Kind) -> Self {
        let driver = Driver::new(kind).unwrap();
        let table: Box<[_]> = (0..4096).map(|_| Cell::new(ptr::null())).collect();
        // SAFETY: the table lives as long as the driver and does not move.
        unsafe { driver.lend_table(table.as_ptr(), table.len() as u32) };
        Loop { driver, _table: table }
    }

    pub(crate) fn watch(&self, fd: i32, interest: u32) -> &'static Watch {
        let watch: &'static Watch = Box::leak(Box::new(Watch::new()));
        watch.fd.set(fd);
        self.set(watch, interest).unwrap();
        watch
    }

    pub(crate) fn set(&self, watch: &'static Watch, interest: u32) -> Result<(), Errno> {
        // SAFETY: watches are never freed here.
        unsafe { self.driver.watch(watch, interest) }
    }

    /// The reports of one wait.
    pub(crate) fn round(&self, timeout: Option<Duration>) -> Vec<(*const Watch, u32)> {
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
    pub(crate) fn reports(&self) -> Vec<(*const Watch, u32)> {
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
    pub(crate) fn silent(&self) {
        let end = Instant::now() + Duration::from_millis(30);
        while Instant::now() < end {
            assert_eq!(self.round(SHORT), []);
        }
    }

    pub(crate) fn done(&self) -> (*const Op, i32) {
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

pub(crate) fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (a, b)
}

pub(crate) fn drain(mut socket: &UnixStream) -> usize {
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

pub(crate) fn uring() -> bool {
    let there = Driver::new(Kind::Uring).unwrap().kind() == Kind::Uring;
    if !there {
        let reason = uvring_core::uring::Ring::new(&uvring_core::uring::Config::new(8)).err();
        println!("skipped: the kernel refuses io_uring: {reason:?}");
    }
    there
}

/// Whether `fd` is readable within `ms`, as poll(2) sees it.
pub(crate) fn readable(fd: i32, ms: i32) -> bool {
    polled(fd, libc::POLLIN, ms)
}

/// Whether poll(2) has something to say of `fd` within `ms`, asked for these events.
pub(crate) fn polled(fd: i32, events: i16, ms: i32) -> bool {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one struct, as said.
    unsafe { libc::poll(&raw mut poll, 1, ms) == 1 }
}

/// Each test for each backend.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod epoll { $(#[test] fn $name() { super::$name(uvring_core::driver::Kind::Epoll); })* }
        mod io_uring { $(#[test] fn $name() {
            if crate::common::uring() { super::$name(uvring_core::driver::Kind::Uring); }
        })* }
    };
}
