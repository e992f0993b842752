//! Time in nanoseconds, read without a system call where the kernel offers that (vdso(7)).
//!
//! Which of the two readers is built is the crate feature `libc`'s choice: the program's libc
//! has found the vDSO already; without one, rustix looks for it at the first call.

#[cfg_attr(feature = "libc", path = "clock/libc.rs")]
#[cfg_attr(not(feature = "libc"), path = "clock/raw.rs")]
mod reader;

/// Monotonic time in nanoseconds since an arbitrary point (`CLOCK_MONOTONIC`, clock_gettime(2)).
#[inline]
pub fn now_ns() -> u64 {
    let (seconds, nanoseconds) = reader::monotonic();
    // 584 years of uptime fit.
    (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(nanoseconds as u64)
}

/// Wall-clock time as seconds and nanoseconds since 1970 (`CLOCK_REALTIME`). Seconds are negative
/// on a clock set to before; nanoseconds are 0 to 999,999,999.
pub fn realtime() -> (i64, i64) {
    reader::realtime()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    #[test]
    fn runs_with_the_systems_clock() {
        let (before, ours) = (Instant::now(), super::now_ns());
        std::thread::sleep(Duration::from_millis(20));
        let passed = super::now_ns() - ours;
        let most = before.elapsed().as_nanos() as u64;
        assert!((20_000_000..=most).contains(&passed), "{passed} of at most {most} ns");

        let system = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let (seconds, nanoseconds) = super::realtime();
        assert!((seconds - system.as_secs() as i64).abs() <= 5);
        assert!((0..1_000_000_000).contains(&nanoseconds));
    }

    /// A real system call costs over 50 ns everywhere; a vDSO read about 20.
    #[test]
    fn is_no_system_call() {
        let calls = 100_000u32;
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..calls {
                    std::hint::black_box(super::now_ns());
                }
                start.elapsed() / calls
            })
            .min()
            .unwrap();
        std::println!("now_ns: {best:?}");
        // The system's own clock is read the same way: if that is slow here, so may ours be.
        let start = Instant::now();
        for _ in 0..calls {
            std::hint::black_box(Instant::now());
        }
        let reference = start.elapsed() / calls;
        assert!(best <= reference * 2 + Duration::from_nanos(20), "{best:?} against {reference:?}");
    }
}
