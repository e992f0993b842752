//! Clocks and sleep. Source: the manual's page on miscellaneous utilities.

use core::ffi::{c_int, c_uint};
use core::mem::MaybeUninit;

use crate::abi::*;
use crate::status;

const NANOS_PER_SEC: u64 = 1_000_000_000;

fn now(clock: libc::clockid_t) -> Result<libc::timespec, c_int> {
    let mut ts = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `ts` is valid for writes; on 0 it is filled.
    unsafe {
        if libc::clock_gettime(clock, ts.as_mut_ptr()) == 0 {
            Ok(ts.assume_init())
        } else {
            Err(status::last())
        }
    }
}

/// Monotonic time in nanoseconds since an arbitrary start. 0 if there is no such clock, which
/// Linux never says.
pub(crate) fn hrtime_ns() -> u64 {
    match now(libc::CLOCK_MONOTONIC) {
        Ok(ts) => (ts.tv_sec as u64).wrapping_mul(NANOS_PER_SEC).wrapping_add(ts.tv_nsec as u64),
        Err(_) => 0,
    }
}

/// Monotonic time in nanoseconds since an arbitrary start; for intervals.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_hrtime() -> u64 {
    hrtime_ns()
}

/// The time of one clock: `UV_CLOCK_MONOTONIC` or `UV_CLOCK_REALTIME`, seconds and nanoseconds.
///
/// `UV_EFAULT` when `ts` is NULL, `UV_EINVAL` for any other clock.
///
/// # Safety
/// `ts` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_clock_gettime(
    clock_id: uv_clock_id,
    ts: *mut uv_timespec64_t,
) -> c_int {
    if ts.is_null() {
        return UV_EFAULT;
    }
    let clock = match clock_id {
        UV_CLOCK_MONOTONIC => libc::CLOCK_MONOTONIC,
        UV_CLOCK_REALTIME => libc::CLOCK_REALTIME,
        _ => return UV_EINVAL,
    };
    match now(clock) {
        Ok(t) => {
            // SAFETY: not NULL, so valid by the caller's word.
            unsafe {
                (*ts).tv_sec = t.tv_sec;
                (*ts).tv_nsec = t.tv_nsec as i32;
            }
            0
        }
        Err(code) => code,
    }
}

/// Time of day: seconds since 1970 and microseconds. `UV_EINVAL` when `tv` is NULL.
///
/// # Safety
/// `tv` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_gettimeofday(tv: *mut uv_timeval64_t) -> c_int {
    if tv.is_null() {
        return UV_EINVAL;
    }
    match now(libc::CLOCK_REALTIME) {
        Ok(t) => {
            // SAFETY: not NULL, so valid by the caller's word.
            unsafe {
                (*tv).tv_sec = t.tv_sec;
                (*tv).tv_usec = (t.tv_nsec / 1000) as i32;
            }
            0
        }
        Err(code) => code,
    }
}

/// Sleeps for `msec` milliseconds; signals do not shorten it.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_sleep(msec: c_uint) {
    let mut left = libc::timespec {
        tv_sec: libc::time_t::from(msec / 1000),
        tv_nsec: i64::from(msec % 1000) * 1_000_000,
    };
    // SAFETY: `left` is valid; the kernel puts what is left of the time into it.
    while unsafe { libc::nanosleep(&left, &mut left) } == -1 && status::errno() == libc::EINTR {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_runs_backwards() {
        let mut last = hrtime_ns();
        for _ in 0..10_000 {
            let t = hrtime_ns();
            assert!(t >= last);
            last = t;
        }
    }

    #[test]
    fn clocks_answer_and_refuse() {
        let mut ts = uv_timespec64_t { tv_sec: 0, tv_nsec: -1 };
        let mut tv = uv_timeval64_t { tv_sec: 0, tv_usec: -1 };
        // SAFETY: the records are valid, NULL is answered.
        unsafe {
            assert_eq!(uv_clock_gettime(UV_CLOCK_REALTIME, &mut ts), 0);
            assert!(ts.tv_sec > 1_600_000_000 && (0..1_000_000_000).contains(&ts.tv_nsec));
            assert_eq!(uv_clock_gettime(7, &mut ts), UV_EINVAL);
            assert_eq!(uv_clock_gettime(7, core::ptr::null_mut()), UV_EFAULT);
            assert_eq!(uv_gettimeofday(&mut tv), 0);
            assert!((tv.tv_sec - ts.tv_sec).abs() <= 60 && (0..1_000_000).contains(&tv.tv_usec));
            assert_eq!(uv_gettimeofday(core::ptr::null_mut()), UV_EINVAL);
        }
    }

    #[test]
    fn sleep_is_not_too_short() {
        let start = hrtime_ns();
        // SAFETY: asks nothing of the caller.
        unsafe { uv_sleep(5) };
        assert!(hrtime_ns() - start >= 5_000_000);
    }
}
