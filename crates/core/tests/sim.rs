//! State machines on the scripted backend: what a kernel does rarely, done on demand.
//!
//! Needs `--features sim`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::cell::Cell;
use std::ptr;
use std::time::Duration;

use proptest::prelude::*;
use uvring_core::Errno;
use uvring_core::driver::sim::Step;
use uvring_core::driver::{Driver, Event, Kind, Op, Request, Watch, ready};

const FD: i32 = 3;

fn script(steps: Vec<Step>) -> &'static [Step] {
    steps.leak()
}

struct Table(Vec<Cell<*const Watch>>);

impl Table {
    fn lend(driver: &Driver) -> Self {
        let table = Table((0..8).map(|_| Cell::new(ptr::null())).collect());
        // SAFETY: the watch, op and memory outlive the driver.
        unsafe { driver.lend_table(table.0.as_ptr(), 8) };
        table
    }
}

/// A stream's write queue as an event loop has it: one send in flight, the rest of a short one
/// sent again, `NOBUFS` tried again, `AGAIN` waits for the socket to be writable.
struct WriteQueue<'d> {
    driver: &'d Driver,
    op: Op,
    watch: Watch,
    data: Vec<Vec<u8>>,
    first: usize,
    offset: usize,
    failed: Option<i32>,
}

impl<'d> WriteQueue<'d> {
    fn new(driver: &'d Driver, data: Vec<Vec<u8>>) -> Self {
        let watch = Watch::new();
        watch.fd.set(FD);
        WriteQueue { driver, op: Op::new(), watch, data, first: 0, offset: 0, failed: None }
    }

    fn send(&self) {
        let Some(data) = self.data.get(self.first) else { return };
        let rest = &data[self.offset..];
        let len = rest.len() as u32;
        let request = Request::Send { fd: FD, buf: rest.as_ptr(), len, flags: 0 };
        // SAFETY: the watch, op and memory outlive the driver.
        unsafe { self.driver.submit(&self.op, &request) }.unwrap();
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Done(op, result) => {
                assert!(ptr::eq(op, &self.op) && !self.op.in_flight());
                match result {
                    sent @ 0.. => {
                        self.offset += sent as usize;
                        if self.offset == self.data[self.first].len() {
                            self.first += 1;
                            self.offset = 0;
                        }
                    }
                    result if result == -Errno::NOBUFS.raw_os_error() => {}
                    result if result == -Errno::AGAIN.raw_os_error() => {
                        // SAFETY: the watch, op and memory outlive the driver.
                        unsafe { self.driver.watch(&self.watch, ready::OUT) }.unwrap();
                        return;
                    }
                    error => {
                        self.failed = Some(error);
                        return;
                    }
                }
                self.send();
            }
            Event::Ready(watch, mask) => {
                assert!(ptr::eq(watch, &self.watch) && mask & ready::OUT != 0);
                self.driver.unwatch(&self.watch);
                self.send();
            }
        }
    }
}

/// Runs the queue to the script's end; what the peer got, as the driver saw it sent.
fn run(data: Vec<Vec<u8>>, outcomes: &[i32]) -> (Vec<u8>, Option<i32>, bool) {
    let mut steps = vec![];
    for (number, &outcome) in outcomes.iter().enumerate() {
        // A result that is late, after a wait that finds nothing and one that a signal ends.
        if number % 3 == 1 {
            steps.extend([Step::Turn, Step::Fail(Errno::INTR)]);
        }
        steps.extend([Step::Done(number as u64, outcome), Step::Turn]);
        if outcome == -Errno::AGAIN.raw_os_error() {
            steps.extend([Step::Ready(FD, ready::IN), Step::Turn]);
            steps.extend([Step::Ready(FD, ready::OUT), Step::Turn]);
        }
    }
    let driver = Driver::sim(Kind::Uring, script(steps));
    let table = Table::lend(&driver);
    let sim = driver.simulation().unwrap();
    let mut queue = WriteQueue::new(&driver, data);
    queue.send();
    let (mut sent, mut number) = (vec![], 0);
    for _ in 0..10_000 {
        match driver.wait(None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => {
                assert_eq!(errno, Errno::DEADLK, "the script's end");
                break;
            }
        }
        while let Some(event) = driver.next() {
            if let Event::Done(_, result) = event {
                let Some(Request::Send { buf, .. }) = sim.request(number) else { panic!() };
                number += 1;
                // SAFETY: the watch, op and memory outlive the driver.
                let taken = unsafe { std::slice::from_raw_parts(buf, result.max(0) as usize) };
                sent.extend_from_slice(taken);
            }
            queue.event(event);
        }
    }
    drop(table);
    (sent, queue.failed, queue.first == queue.data.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_write_queue_survives_every_outcome(
        lengths in prop::collection::vec(1usize..40, 1..8),
        outcomes in prop::collection::vec(
            prop_oneof![6 => 0i32..50, 1 => Just(-105i32), 1 => Just(-11i32)], 0..60),
    ) {
        let mut byte = 0u8;
        let data: Vec<Vec<u8>> = lengths
            .iter()
            .map(|&len| (0..len).map(|_| { byte = byte.wrapping_add(1); byte }).collect())
            .collect();
        let all = data.concat();
        let (sent, failed, done) = run(data, &outcomes);
        prop_assert_eq!(failed, None);
        prop_assert_eq!(&sent[..], &all[..sent.len()], "in order, nothing twice, nothing missed");
        prop_assert_eq!(done, sent.len() == all.len());
    }
}

#[test]
fn a_reset_ends_the_queue() {
    let (sent, failed, done) = run(vec![vec![1, 2, 3], vec![4]], &[2, -104]);
    assert_eq!((sent, failed, done), (vec![1, 2], Some(-104), false));
}

#[test]
fn results_come_late_and_in_another_order() {
    let driver = Driver::sim(
        Kind::Uring,
        script(vec![Step::Turn, Step::Done(2, 0), Step::Done(0, -5), Step::More, Step::Done(9, 0)]),
    );
    let ops = [Op::new(), Op::new(), Op::new()];
    for op in &ops {
        // SAFETY: the watch, op and memory outlive the driver.
        unsafe { driver.submit(op, &Request::Nop) }.unwrap();
    }
    let sim = driver.simulation().unwrap();
    assert_eq!((sim.submitted(), sim.in_flight()), (3, 3));
    assert_eq!(driver.wait(None), Ok(false));
    assert!(driver.next().is_none());
    assert_eq!(driver.wait(None), Ok(true), "there may be more");
    assert!(driver.has_work());
    assert!(matches!(driver.next(), Some(Event::Done(op, 0)) if ptr::eq(op, &ops[2])));
    assert!(matches!(driver.next(), Some(Event::Done(op, -5)) if ptr::eq(op, &ops[0])));
    assert!(driver.next().is_none() && !driver.has_work());
    // Asked to end, the last one does so after the next wait, and not before.
    driver.cancel(&ops[1]);
    assert!(driver.next().is_none() && driver.has_work() && ops[1].in_flight());
    assert_eq!(driver.wait(Some(Duration::ZERO)), Ok(false));
    let cancelled = -Errno::CANCELED.raw_os_error();
    assert!(
        matches!(driver.next(), Some(Event::Done(op, r)) if ptr::eq(op, &ops[1]) && r == cancelled)
    );
    assert_eq!((sim.in_flight(), sim.strays()), (0, 1), "the script's op 9 never was");
    assert_eq!(driver.wait(None), Err(Errno::DEADLK));
    assert_eq!(driver.wait(Some(Duration::MAX)), Ok(false));
}

#[test]
fn readiness_meets_only_what_is_wanted_and_comes_again_when_asked() {
    let steps = vec![
        Step::Ready(FD, ready::IN | ready::OUT),
        Step::Ready(FD, ready::OUT),
        Step::Ready(FD + 1, ready::IN),
        Step::Ready(99, ready::IN),
        Step::Turn,
        Step::Turn,
        Step::Ready(FD, ready::HUP),
    ];
    let driver = Driver::sim(Kind::Epoll, script(steps));
    let _table = Table::lend(&driver);
    let watch = Watch::new();
    watch.fd.set(FD);
    // SAFETY: the watch, op and memory outlive the driver.
    unsafe { driver.watch(&watch, ready::IN | ready::DRAINS) }.unwrap();
    // SAFETY: the watch, op and memory outlive the driver.
    assert_eq!(unsafe { driver.submit(&Op::new(), &Request::Nop) }, Err(Errno::NOSYS));
    driver.wait(None).unwrap();
    assert!(matches!(driver.next(), Some(Event::Ready(w, ready::IN)) if ptr::eq(w, &watch)));
    driver.again(&watch, ready::IN);
    assert!(driver.next().is_none(), "again means after the next wait");
    driver.wait(None).unwrap();
    assert!(matches!(driver.next(), Some(Event::Ready(_, ready::IN))));
    assert!(driver.next().is_none());
    driver.again(&watch, ready::IN);
    driver.unwatch(&watch);
    driver.wait(None).unwrap();
    assert!(driver.next().is_none(), "stopped: neither again nor the hang-up");
    assert_eq!(watch.interest(), 0);
}
