//! Every open loop of the process.
//!
//! For one purpose: when a program calls exit() inside a callback, what that callback has written
//! still goes out, as it would have gone out at once from a loop that does not gather.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use uvring_core::list::{self, Link};

use super::{Inner, call};

/// A list behind a lock that is only held for a few stores.
struct Registry {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    head: Link,
    ready: AtomicBool,
}

// SAFETY: `head` and `ready`'s change are only touched under the lock.
unsafe impl Sync for Registry {}

static LOOPS: Registry = Registry {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    head: Link::new(),
    ready: AtomicBool::new(false),
};

/// Before a fork: what the running callback has gathered goes out now, or parent and child would
/// both send it. Then takes the lock, so that the child does not inherit it from another thread.
unsafe extern "C" fn before_fork() {
    // SAFETY: as in `at_exit`.
    unsafe {
        lock();
        send_gathered();
    }
}

unsafe extern "C" fn lock() {
    // SAFETY: a statically initialised mutex.
    unsafe { libc::pthread_mutex_lock(LOOPS.lock.get()) };
}

unsafe extern "C" fn unlock() {
    // SAFETY: locked by this thread.
    unsafe { libc::pthread_mutex_unlock(LOOPS.lock.get()) };
}

/// Adds a loop.
pub(super) fn add(inner: &Inner) {
    // SAFETY: the list is touched under the lock; `place` stays put until `remove`.
    unsafe {
        lock();
        if !LOOPS.ready.swap(true, Ordering::Relaxed) {
            list::init(&raw const LOOPS.head);
            libc::pthread_atfork(Some(before_fork), Some(unlock), Some(unlock));
        }
        list::push_back(&raw const LOOPS.head, &raw const inner.place);
        unlock();
    }
}

/// Takes a loop out.
pub(super) fn remove(inner: &Inner) {
    // SAFETY: as in `add`.
    unsafe {
        lock();
        list::remove(&raw const inner.place);
        unlock();
    }
}

/// The calling thread, as `Inner::thread` has it.
pub(super) fn this_thread() -> usize {
    // SAFETY: never fails.
    unsafe { libc::pthread_self() as usize }
}

/// Sends what loops of this thread have gathered: we may be inside a callback that called exit().
/// Other threads' loops are theirs to touch.
unsafe extern "C" fn at_exit() {
    if !LOOPS.ready.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: under the lock the listed loops are open; a loop whose thread is this one is touched
    // by nobody else. If the lock is held we are inside a signal handler: better lose than hang.
    unsafe {
        if libc::pthread_mutex_trylock(LOOPS.lock.get()) != 0 {
            return;
        }
        send_gathered();
        unlock();
    }
}

/// # Safety
/// The lock is held and the list initialised.
unsafe fn send_gathered() {
    // SAFETY: listed loops are open, and those of this thread are touched by nobody else.
    unsafe {
        let mut next = list::first(&raw const LOOPS.head);
        while let Some(link) = next {
            let inner = &*link.byte_sub(core::mem::offset_of!(Inner, place)).cast::<Inner>();
            if inner.thread.get() == this_thread() {
                call::send_deferred(&*inner.owner.get());
                inner.driver().flush();
            }
            next = list::after(&raw const LOOPS.head, link);
        }
    }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: unsafe extern "C" fn() = at_exit;
