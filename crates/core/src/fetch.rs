//! Asking for memory before it is needed.

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Has the record fetched that `address` is in the middle of, where that is how libuv's streams and
/// requests have what crosses the seam. Hundreds of them do not stay in the nearest cache from one
/// event to the next.
#[inline]
pub(crate) fn around(address: *const u8) {
    lines(address.wrapping_sub(144), 5);
}

/// Has `count` cache lines from `address` on fetched, which may be any address.
#[inline]
pub(crate) fn lines(address: *const u8, count: usize) {
    for line in 0..count {
        // SAFETY: a hint that reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(64 * line).cast()) };
    }
}
