//! uv_metrics_info and uv_metrics_idle_time.

use core::ffi::c_int;
use core::sync::atomic::Ordering;

use uvring_core::clock;

use crate::abi::*;

/// `uint64_t uv_metrics_idle_time(uv_loop_t*)`: nanoseconds the loop has spent asleep in the kernel,
/// the present sleep included; 0 unless `UV_METRICS_IDLE_TIME` was configured. Thread-safe.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_metrics_idle_time(owner: *mut uv_loop_t) -> u64 {
    // SAFETY: the caller's promise.
    let metrics = unsafe { &(*owner).inner().metrics };
    loop {
        let before = metrics.idle_ns.load(Ordering::Acquire);
        let since = metrics.asleep_since.load(Ordering::Acquire);
        // A sleep that ended between the two loads would be left out: look again.
        if metrics.idle_ns.load(Ordering::Acquire) == before {
            let now = if since == 0 { 0 } else { clock::now_ns().saturating_sub(since) };
            return before + now;
        }
    }
}

/// `int uv_metrics_info(uv_loop_t*, uv_metrics_t*)`: turns, events, and events that were waiting when
/// the kernel was asked. Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `metrics` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_metrics_info(
    owner: *mut uv_loop_t,
    metrics: *mut uv_metrics_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let known = &(*owner).inner().metrics;
        (*metrics).loop_count = known.loop_count.get();
        (*metrics).events = known.events.get();
        (*metrics).events_waiting = known.events_waiting.get();
    }
    0
}
