//! Threads and what they wait on, on top of pthread. Source: the manual's page on threading.
//!
//! Functions that return nothing abort on misuse (a mutex that its owner destroys, a semaphore
//! that was never made), as libuv's do: going on would corrupt the program.

mod barrier;
mod cond;
mod key;
mod mutex;
mod once;
mod rwlock;
mod sem;
#[expect(clippy::module_inception, reason = "the file of uv_thread_t")]
mod thread;

pub use self::barrier::*;
pub use self::cond::*;
pub use self::key::*;
pub use self::mutex::*;
pub use self::once::*;
pub use self::rwlock::*;
pub use self::sem::*;
pub use self::thread::*;

use core::ffi::c_int;

/// Ends the process unless `answer` is 0.
pub(crate) fn must(answer: c_int) {
    if answer != 0 {
        abort();
    }
}

/// Ends the process with SIGABRT.
pub(crate) fn abort() -> ! {
    // SAFETY: abort may be called at any time.
    unsafe { libc::abort() }
}

#[cfg(test)]
mod tests;
