//! A no-op through our ring beside the `io-uring` crate's, in one run.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use io_uring::{IoUring, opcode};
use uvring_core::uring::{Config, Ring, Sqe};

const ENTRIES: u32 = 64;

fn noop(criterion: &mut Criterion) {
    let ours = match Ring::new(&Config::new(ENTRIES)) {
        Ok(ring) => ring,
        Err(error) => return println!("skipped: the kernel refuses io_uring: {error:?}"),
    };
    if let Err(error) = ours.enable() {
        return println!("skipped: the ring cannot be enabled: {error:?}");
    }
    // The same flags as ours.
    let theirs = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_no_sqarray()
        .setup_cqsize(ENTRIES * 4)
        .build(ENTRIES);
    let mut theirs = match theirs {
        Ok(ring) => ring,
        Err(error) => return println!("skipped: the crate's ring: {error}"),
    };
    let mut group = criterion.benchmark_group("ring no-op");
    for batch in [1u64, 32] {
        group.throughput(Throughput::Elements(batch));
        group.bench_function(BenchmarkId::new("uvring", batch), |bench| {
            bench.iter(|| uvring_round(&ours, batch));
        });
        group.bench_function(BenchmarkId::new("io-uring crate", batch), |bench| {
            bench.iter(|| crate_round(&mut theirs, batch));
        });
    }
    // SAFETY: this thread only.
    if unsafe { ours.register_ring_fd() } {
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("uvring, registered", 1), |bench| {
            bench.iter(|| uvring_round(&ours, 1));
        });
    }
    group.finish();

    criterion.bench_function("ring made and dropped", |bench| {
        bench.iter(|| Ring::new(&Config::new(256)).is_ok());
    });
}

fn uvring_round(ring: &Ring, batch: u64) -> u64 {
    for n in 0..batch {
        let pushed = ring.push(Sqe::nop().user_data(n));
        assert!(pushed.is_ok());
    }
    let entered = ring.enter(None);
    assert!(entered.is_ok());
    let mut sum = 0;
    let mut count = 0;
    while let Some(cqe) = ring.pop() {
        sum += cqe.user_data;
        count += 1;
    }
    assert_eq!(count, batch);
    sum
}

fn crate_round(ring: &mut IoUring, batch: u64) -> u64 {
    for n in 0..batch {
        // SAFETY: a no-op names no memory.
        let pushed = unsafe { ring.submission().push(&opcode::Nop::new().build().user_data(n)) };
        assert!(pushed.is_ok());
    }
    let entered = ring.submit_and_wait(1);
    assert!(entered.is_ok());
    let mut sum = 0;
    let mut count = 0;
    for cqe in ring.completion() {
        sum += cqe.user_data();
        count += 1;
    }
    assert_eq!(count, batch);
    sum
}

criterion_group!(benches, noop);
criterion_main!(benches);
