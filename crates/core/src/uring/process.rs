//! Which process is this? A page that the kernel wipes in the child of a fork tells.
//!
//! A ring belongs to the process that made it: its memory is not inherited (`MADV_DONTFORK`), so a
//! child that touched it would crash, and one that entered it would disturb the parent. Asking
//! getpid(2) each time would cost a system call; reading this page costs a load.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use rustix::mm::{self, Advice, MapFlags, ProtFlags};

use crate::Result;

const PAGE_BYTES: usize = 4096;

/// The page: this process's token, or 0 right after a fork. Null until first asked for.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// The last token given out. The child inherits the count, so its token is a new one.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that no ancestor of this process had.
///
/// # Errors
/// `NOMEM` when the page cannot be had, `INVAL` before Linux 4.14.
pub(super) fn token() -> Result<u64> {
    let page = page()?;
    // Acquire/Release are not needed for the number itself: it guards no other memory. A fork
    // orders everything before it.
    let token = page.load(Ordering::Relaxed);
    if token != 0 {
        return Ok(token);
    }
    let fresh = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    match page.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Ok(fresh),
        Err(other_thread_was_first) => Ok(other_thread_was_first),
    }
}

/// Whether `token` is this process's.
pub(super) fn is_current(token: u64) -> bool {
    // Acquire pairs with the Release in `page`: whoever sees the pointer sees a mapped page.
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: once set, the page stays mapped for good, in children too.
    unsafe { page.as_ref() }.is_some_and(|page| page.load(Ordering::Relaxed) == token)
}

fn page() -> Result<&'static AtomicU64> {
    // Acquire: as in `is_current`.
    let known = PAGE.load(Ordering::Acquire);
    // SAFETY: as in `is_current`.
    if let Some(page) = unsafe { known.as_ref() } {
        return Ok(page);
    }
    let prot = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new private mapping, nothing of ours is replaced.
    let fresh =
        unsafe { mm::mmap_anonymous(ptr::null_mut(), PAGE_BYTES, prot, MapFlags::PRIVATE) }?;
    // SAFETY: the range is the mapping just made, which nobody else knows yet.
    if let Err(error) = unsafe { mm::madvise(fresh, PAGE_BYTES, Advice::LinuxWipeOnFork) } {
        // SAFETY: as above.
        let _ = unsafe { mm::munmap(fresh, PAGE_BYTES) };
        return Err(error);
    }
    // Release: the mapping is there before its address is.
    let put =
        PAGE.compare_exchange(ptr::null_mut(), fresh.cast(), Ordering::Release, Ordering::Acquire);
    match put {
        // SAFETY: page-aligned, zero-filled, mapped for good.
        Ok(_) => Ok(unsafe { &*fresh.cast() }),
        Err(other_thread_was_first) => {
            // SAFETY: ours was never published.
            let _ = unsafe { mm::munmap(fresh, PAGE_BYTES) };
            // SAFETY: the published page stays mapped for good.
            Ok(unsafe { &*other_thread_was_first })
        }
    }
}
