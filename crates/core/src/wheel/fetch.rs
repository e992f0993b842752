//! Asking for memory before it is needed.

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Has three cache lines from `address` on fetched, which may be any address.
#[inline]
pub(super) fn lines(address: *const u8) {
    for line in 0..3 {
        // SAFETY: a hint that reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(64 * line).cast()) };
    }
}
