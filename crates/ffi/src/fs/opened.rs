//! What is known of descriptors from their opening, so that it need not be asked each time.
//!
//! A descriptor that the program closes behind the library's back leaves its entry to the next one
//! of that number. What is kept here is therefore used for choosing a way only, never for a result.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU8, Ordering};

/// Reads go through the page cache, so that reading without waiting means something.
pub(super) const BUFFERED: u8 = 1;
/// Reads and writes go past it.
pub(super) const DIRECT: u8 = 4;
/// A small file of a local file system, open for reading only: closing it is a matter of memory.
pub(super) const LIGHT: u8 = 2;

/// Descriptors below this number are remembered.
const REMEMBERED: usize = 4096;

// Relaxed: an entry stands for itself, and its descriptor is one thread's at a time.
static OPENED: [AtomicU8; REMEMBERED] = [const { AtomicU8::new(0) }; REMEMBERED];

fn entry(fd: c_int) -> Option<&'static AtomicU8> {
    OPENED.get(usize::try_from(fd).ok()?)
}

/// Remembers a descriptor just opened with these flags of open(2).
pub(super) fn note(fd: c_int, flags: c_int, light: bool) {
    let cache = if flags & libc::O_DIRECT == 0 { BUFFERED } else { DIRECT };
    if let Some(entry) = entry(fd) {
        entry.store(cache | if light { LIGHT } else { 0 }, Ordering::Relaxed);
    }
}

/// What is known of it.
pub(super) fn of(fd: c_int) -> u8 {
    entry(fd).map_or(0, |entry| entry.load(Ordering::Relaxed))
}

/// Forgets a descriptor that is about to be closed.
pub(super) fn forget(fd: c_int) -> u8 {
    match entry(fd) {
        // A plain load first: most descriptors of most programs are unknown here.
        Some(entry) if entry.load(Ordering::Relaxed) != 0 => entry.swap(0, Ordering::Relaxed),
        _ => 0,
    }
}
