//! The clock through the program's libc.

pub(super) fn monotonic() -> (i64, i64) {
    read(libc::CLOCK_MONOTONIC)
}

pub(super) fn realtime() -> (i64, i64) {
    read(libc::CLOCK_REALTIME)
}

fn read(clock: libc::clockid_t) -> (i64, i64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable. Both clocks exist on every Linux, so the call does not fail, and
    // if it did, zero would stay.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec, time.tv_nsec)
}
