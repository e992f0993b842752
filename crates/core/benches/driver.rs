//! The driver's backends side by side: a turn of echoes, and stopping and closing. CPU time of
//! the thread, which is less disturbed by others than the clock on the wall.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use uvring_core::driver::{Driver, Event, Kind, Op, Request, Watch, ready};

const LOOK: Option<Duration> = Some(Duration::ZERO);
const SOCKETS: usize = 64;
const MESSAGE: [u8; 64] = [7; 64];
const SEND_FLAGS: u32 = 0x4000 | 0x40;

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A driver that watches one end of each of 64 socket pairs.
struct Bench {
    driver: Driver,
    _table: Box<[Cell<*const Watch>]>,
    pairs: Vec<(UnixStream, UnixStream)>,
    watches: Vec<Watch>,
    ops: Vec<Op>,
}

impl Bench {
    fn new(kind: Kind) -> Option<Self> {
        let driver = Driver::new(kind).ok().filter(|driver| driver.kind() == kind)?;
        let table: Box<[_]> = (0..4096).map(|_| Cell::new(ptr::null())).collect();
        // SAFETY: the table lives as long as the driver and does not move.
        unsafe { driver.lend_table(table.as_ptr(), 4096) };
        let mut bench = Bench {
            driver,
            _table: table,
            pairs: Vec::new(),
            watches: (0..SOCKETS).map(|_| Watch::new()).collect(),
            ops: (0..SOCKETS).map(|_| Op::new()).collect(),
        };
        bench.fill()?;
        Some(bench)
    }

    /// New pairs, watched; the kernel knows.
    fn fill(&mut self) -> Option<()> {
        self.pairs.clear();
        for (index, watch) in self.watches.iter().enumerate() {
            let (a, b) = UnixStream::pair().ok()?;
            a.set_nonblocking(true).ok()?;
            watch.fd.set(a.as_raw_fd());
            watch.tag.set(index);
            // SAFETY: `watches` is never resized, and the watch is ended before it goes.
            unsafe { self.driver.watch(watch, ready::IN | ready::DRAINS) }.ok()?;
            self.pairs.push((a, b));
        }
        self.driver.wait(LOOK).ok()?;
        while self.driver.next().is_some() {}
        Some(())
    }

    /// All peers send; the time until all were answered.
    fn echoes(&self, by_op: bool) -> Duration {
        for (_, b) in &self.pairs {
            let mut b = b;
            assert!(b.write_all(&MESSAGE).is_ok());
        }
        let start = cpu();
        let mut done = 0;
        let mut buffer = [0; 128];
        while done < SOCKETS {
            assert!(self.driver.wait(None).is_ok());
            while let Some(event) = self.driver.next() {
                let Event::Ready(watch, _) = event else {
                    done += 1;
                    continue;
                };
                // SAFETY: the driver reports only watches that are on.
                let index = unsafe { (*watch).tag.get() };
                let mut socket = &self.pairs[index].0;
                assert!(matches!(socket.read(&mut buffer), Ok(64)));
                if by_op {
                    let (fd, buf) = (socket.as_raw_fd(), MESSAGE.as_ptr());
                    let request = Request::Send { fd, buf, len: 64, flags: SEND_FLAGS };
                    // SAFETY: ops and message live until all are done, above.
                    let sent = unsafe { self.driver.submit(&self.ops[index], &request) };
                    assert!(sent.is_ok());
                } else {
                    assert!(matches!(socket.write(&MESSAGE), Ok(64)));
                    done += 1;
                }
            }
        }
        let time = cpu() - start;
        for (_, b) in &self.pairs {
            let mut b = b;
            assert!(b.read_exact(&mut buffer[..64]).is_ok());
        }
        time
    }

    /// Ends all watches and closes their descriptors; the time until the kernel has done so.
    fn closes(&mut self, at_once: bool) -> Duration {
        let (ours, peers): (Vec<_>, Vec<_>) = self.pairs.drain(..).unzip();
        let ours: Vec<i32> = ours.into_iter().map(IntoRawFd::into_raw_fd).collect();
        let start = cpu();
        for (watch, fd) in self.watches.iter().zip(ours) {
            if at_once {
                self.driver.unwatch_and_close(watch);
            } else {
                self.driver.unwatch(watch);
                // SAFETY: into_raw_fd gave it to us.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        assert!(self.driver.wait(LOOK).is_ok());
        while let Some(event) = self.driver.next() {
            black_box(event);
        }
        let time = cpu() - start;
        drop(peers);
        assert!(self.fill().is_some());
        time
    }
}

fn driver(criterion: &mut Criterion) {
    for kind in [Kind::Epoll, Kind::Uring] {
        let Some(mut bench) = Bench::new(kind) else {
            println!("skipped: the kernel refuses {kind:?}");
            continue;
        };
        let mut group = criterion.benchmark_group(format!("driver, {kind:?}"));
        group.throughput(Throughput::Elements(SOCKETS as u64));
        let ways: &[bool] = if kind == Kind::Uring { &[false, true] } else { &[false] };
        for &by_op in ways {
            let name = if by_op { "sent by ops" } else { "sent at once" };
            group.bench_function(BenchmarkId::new("64 echoes", name), |b| {
                b.iter_custom(|turns| (0..turns).map(|_| bench.echoes(by_op)).sum());
            });
        }
        for at_once in [false, true] {
            let name = if at_once { "unwatch_and_close" } else { "unwatch, close" };
            group.bench_function(BenchmarkId::new("64 closes", name), |b| {
                b.iter_custom(|turns| (0..turns).map(|_| bench.closes(at_once)).sum());
            });
        }
        group.finish();
        bench.watches.iter().for_each(|watch| bench.driver.unwatch(watch));
    }
}

criterion_group!(benches, driver);
criterion_main!(benches);
