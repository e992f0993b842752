//! The timing wheel with a million timers: ns per operation.
//!
//! Entries lie 152 bytes apart, as they do in libuv's timer handles, and are met in random order
//! where a program would meet them so; memory that is not in the cache is most of the cost.
#![allow(missing_docs, reason = "a bench")]

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use uvring_core::list::{self, Link};
use uvring_core::wheel::{Entry, Wheel};

const COUNT: usize = 1_000_000;

#[repr(C)]
struct Timer {
    others: [u8; 104],
    entry: Entry,
}

struct Timers {
    wheel: Box<MaybeUninit<Wheel>>,
    timers: Vec<Timer>,
    /// Timeouts up to a thousand seconds.
    due: Vec<u64>,
    order: Vec<u32>,
    start_id: u64,
}

impl Timers {
    fn new() -> Self {
        let mut seed = 7u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize
        };
        let mut order: Vec<u32> = (0..COUNT as u32).collect();
        for i in (1..COUNT).rev() {
            order.swap(i, random() % (i + 1));
        }
        Timers {
            wheel: Box::new(MaybeUninit::uninit()),
            timers: (0..COUNT).map(|_| Timer { others: [0; 104], entry: Entry::new() }).collect(),
            due: (0..COUNT).map(|_| 1 + random() as u64 % 1_000_000).collect(),
            order,
            start_id: 0,
        }
    }

    fn wheel(&self) -> &Wheel {
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel.assume_init_ref() }
    }

    /// An empty wheel at time 0.
    fn clear(&mut self) {
        for timer in &self.timers {
            // SAFETY: every entry outlives the wheel; heads and links are live.
            unsafe { std::ptr::write((&raw const timer.entry).cast_mut(), Entry::new()) };
            black_box(timer.others[0]);
        }
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { Wheel::init(self.wheel.as_mut_ptr(), 0) };
    }

    fn insert_all(&mut self) {
        for (timer, &due) in self.timers.iter().zip(&self.due) {
            self.start_id += 1;
            timer.entry.due.set(due);
            timer.entry.start_id.set(self.start_id);
            // SAFETY: every entry outlives the wheel; heads and links are live.
            unsafe { self.wheel().insert(&timer.entry) };
        }
    }

    fn restart_all(&mut self, later: u64) {
        for &i in &self.order {
            let i = i as usize;
            self.start_id += 1;
            let due = self.due[i] + later;
            // SAFETY: every entry outlives the wheel; heads and links are live.
            unsafe { self.wheel().restart(&self.timers[i].entry, due, self.start_id) };
        }
    }

    fn remove_all(&mut self) {
        for &i in &self.order {
            // SAFETY: every entry outlives the wheel; heads and links are live.
            unsafe { self.wheel().remove(&self.timers[i as usize].entry) };
        }
    }

    /// Runs the clock to the end in steps of `step` ms and takes every entry off the lists.
    fn dispatch(&mut self, step: usize) -> usize {
        let out = Link::new();
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { list::init(&out) };
        let mut count = 0;
        for now in (0..=1_100_000 + step as u64).step_by(step) {
            // SAFETY: every entry outlives the wheel; heads and links are live.
            unsafe { self.wheel().expire(now, &out, |_| ()) };
            // SAFETY: every entry outlives the wheel; heads and links are live.
            while let Some(link) = unsafe { list::pop_front(&out) } {
                // SAFETY: every entry outlives the wheel; heads and links are live.
                count += unsafe { (*Entry::from_link(link)).due.get() <= now } as usize;
            }
            // SAFETY: every entry outlives the wheel; heads and links are live.
            black_box(unsafe { self.wheel().wake_at() });
        }
        count
    }
}

/// What this thread has had of the processor, so that a busy machine does not count.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Times `run` on all timers as often as it takes to have seen `iters` of them, and scales.
fn timed(
    timers: &mut Timers,
    iters: u64,
    prepare: impl Fn(&mut Timers),
    run: impl Fn(&mut Timers),
) -> Duration {
    let rounds = iters.div_ceil(COUNT as u64);
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        timers.clear();
        prepare(timers);
        let start = processor_time();
        run(timers);
        spent += processor_time() - start;
    }
    spent.mul_f64(iters as f64 / (rounds * COUNT as u64) as f64)
}

fn million(c: &mut Criterion) {
    let mut t = Timers::new();
    let mut group = c.benchmark_group("wheel, 1 million");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    let bench = &mut group;
    bench.bench_function("floor of insert: what the caller sets", |b| {
        let set = |t: &mut Timers| {
            for (timer, &due) in t.timers.iter().zip(&t.due) {
                timer.entry.due.set(black_box(due));
                timer.entry.start_id.set(black_box(due));
            }
        };
        b.iter_custom(|n| timed(&mut t, n, |_| {}, set));
    });
    bench.bench_function("insert", |b| {
        b.iter_custom(|n| timed(&mut t, n, |_| {}, Timers::insert_all));
    });
    bench.bench_function("restart later", |b| {
        b.iter_custom(|n| timed(&mut t, n, Timers::insert_all, |t| t.restart_all(60_000)));
    });
    bench.bench_function("cancel", |b| {
        b.iter_custom(|n| timed(&mut t, n, Timers::insert_all, Timers::remove_all));
    });
    for step in [1, 16, 1_000, 1_200_000] {
        bench.bench_function(format!("dispatch, every {step} ms"), |b| {
            b.iter_custom(|n| {
                timed(&mut t, n, Timers::insert_all, |t| assert_eq!(t.dispatch(step), COUNT))
            });
        });
    }
    bench.bench_function("dispatch of restarted ones, every 16 ms", |b| {
        let prepare = |t: &mut Timers| {
            t.insert_all();
            t.restart_all(60_000);
        };
        b.iter_custom(|n| timed(&mut t, n, prepare, |t| assert_eq!(t.dispatch(16), COUNT)));
    });
    t.clear();
    t.insert_all();
    let hot = Entry::new();
    let mut now = 0;
    bench.bench_function("one hot timer: start, again, stop", |b| {
        b.iter_custom(|n| {
            let start = processor_time();
            for _ in 0..n {
                now += 1;
                // SAFETY: every entry outlives the wheel; heads and links are live.
                unsafe {
                    t.wheel().restart(black_box(&hot), 30_000, now);
                    t.wheel().restart(black_box(&hot), 30_001, now);
                    t.wheel().remove(black_box(&hot));
                }
            }
            processor_time() - start
        });
    });
    group.finish();
}

criterion_group!(benches, million);
criterion_main!(benches);
