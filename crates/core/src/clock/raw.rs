//! The clock for a program without libc.

use rustix::time::{ClockId, clock_gettime};

pub(super) fn monotonic() -> (i64, i64) {
    read(ClockId::Monotonic)
}

pub(super) fn realtime() -> (i64, i64) {
    read(ClockId::Realtime)
}

fn read(clock: ClockId) -> (i64, i64) {
    let time = clock_gettime(clock);
    (time.tv_sec, time.tv_nsec)
}
