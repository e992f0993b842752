//! How many workers there are.

use core::ffi::{c_char, c_int};

/// Workers when `UV_THREADPOOL_SIZE` says nothing, and the most it can ask for.
const DEFAULT_WORKERS: u32 = 4;
const MAX_WORKERS: u32 = 1024;

/// `UV_THREADPOOL_SIZE`, read as atoi(3) does: nothing or no number is 1 when it is set at all.
pub(super) fn workers_wanted() -> u32 {
    // SAFETY: a C string in; the environment is the program's to keep still during this call.
    let value = unsafe { libc::getenv(c"UV_THREADPOOL_SIZE".as_ptr()) };
    if value.is_null() {
        return DEFAULT_WORKERS;
    }
    // SAFETY: getenv yields a C string.
    clamp_workers(unsafe { libc::atoi(value.cast::<c_char>()) })
}

/// Negative numbers count as very large ones, as they do in libuv.
fn clamp_workers(wanted: c_int) -> u32 {
    (wanted as u32).clamp(1, MAX_WORKERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_libuv_reads_them() {
        let read = |text: &core::ffi::CStr| {
            // SAFETY: a C string.
            clamp_workers(unsafe { libc::atoi(text.as_ptr()) })
        };
        assert_eq!(read(c""), 1);
        assert_eq!(read(c"0"), 1);
        assert_eq!(read(c"abc"), 1);
        assert_eq!(read(c"3"), 3);
        assert_eq!(read(c"1024"), 1024);
        assert_eq!(read(c"1025"), 1024);
        assert_eq!(read(c"-5"), 1024);
    }
}
