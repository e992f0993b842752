//! The workers and their queue: one of each for the whole process.
//!
//! Jobs stand in an intrusive queue behind a lock. Two rules keep wake-ups rare:
//!
//! - a worker that runs dry lingers for some microseconds before it sleeps, one worker at a time,
//!   and only as long as that has paid off lately;
//! - nobody is woken while a worker is searching (lingering, or woken and on its way). Whoever
//!   takes a job and leaves others behind wakes the next, so a batch costs one wake-up to hand in.

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use uvring_core::list::{self, Link};

use super::Job;
use crate::abi::*;
use crate::thread::{must, spawn};
use crate::{mem, status, time};

/// Workers when `UV_THREADPOOL_SIZE` says nothing, and the most it can ask for.
const DEFAULT_WORKERS: u32 = 4;
const MAX_WORKERS: u32 = 1024;

/// A worker's stack in bytes.
const STACK_SIZE: usize = 8 << 20;

/// How long a worker lingers: at first, at most, and what is too short to bother.
const LINGER_START_NS: u64 = 20_000;
const LINGER_MAX_NS: u64 = 50_000;
const LINGER_MIN_NS: u64 = 2_000;

/// Most short sleeps that go by before lingering is tried again.
const MAX_PATIENCE: u32 = 1024;

/// What the lock protects.
struct State {
    jobs: Link,
    threads: *mut uv_thread_t,
    count: u32,
    /// Workers that linger, or were woken and have not looked yet.
    searching: u32,
    /// Workers asleep that nobody has woken yet.
    sleeping: u32,
    /// Wake-ups on their way.
    wakes: u32,
    stopping: bool,
    /// How long the next worker that runs dry lingers; 0: not at all.
    linger_ns: u64,
    /// Short sleeps still to come before lingering is tried again, and how many it was last time.
    short_sleeps: u32,
    patience: u32,
    /// More than one CPU to run on: waiting in a loop makes sense.
    parallel: bool,
}

impl State {
    /// Learns from a worker that lingered: twice as long next time when that found a job, half as
    /// long when it did not. When it keeps failing, as it does on a busy machine, it is given up
    /// for longer and longer.
    fn lingered(&mut self, budget_ns: u64, found: bool) {
        if found {
            self.linger_ns = (budget_ns * 2).min(LINGER_MAX_NS);
            self.patience = (self.patience / 2).max(1);
        } else if budget_ns / 2 >= LINGER_MIN_NS {
            self.linger_ns = budget_ns / 2;
        } else {
            self.linger_ns = 0;
            self.patience = (self.patience * 2).min(MAX_PATIENCE);
            self.short_sleeps = self.patience;
        }
    }

    /// Learns from a worker that slept: after enough sleeps that lingering would have spared,
    /// lingering is tried again.
    fn slept(&mut self, duration_ns: u64) {
        if !self.parallel || self.linger_ns != 0 || duration_ns > LINGER_START_NS {
            return;
        }
        self.short_sleeps = self.short_sleeps.saturating_sub(1);
        if self.short_sleeps == 0 {
            self.linger_ns = LINGER_START_NS;
        }
    }
}

struct Pool {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    wake: UnsafeCell<libc::pthread_cond_t>,
    state: UnsafeCell<State>,
    /// Jobs in the queue; written under the lock, watched by who lingers.
    queued: AtomicU32,
    started: AtomicBool,
    /// The fork handlers are registered once for all time.
    fork_aware: AtomicBool,
}

// SAFETY: `state` is only touched under `lock`; the rest is made for sharing.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    wake: UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
    state: UnsafeCell::new(State {
        jobs: Link::new(),
        threads: ptr::null_mut(),
        count: 0,
        searching: 0,
        sleeping: 0,
        wakes: 0,
        stopping: false,
        linger_ns: 0,
        short_sleeps: 0,
        patience: 1,
        parallel: false,
    }),
    queued: AtomicU32::new(0),
    started: AtomicBool::new(false),
    fork_aware: AtomicBool::new(false),
};

/// The pool's lock, held.
struct Locked;

impl Locked {
    fn take() -> Self {
        // The lock is held for a few stores: on several CPUs a short look around beats a sleep.
        for _ in 0..64 {
            // SAFETY: a statically initialised mutex.
            if unsafe { libc::pthread_mutex_trylock(POOL.lock.get()) } == 0 {
                return Locked;
            }
            core::hint::spin_loop();
        }
        // SAFETY: as above.
        must(unsafe { libc::pthread_mutex_lock(POOL.lock.get()) });
        Locked
    }

    fn state(&mut self) -> &mut State {
        // SAFETY: `self` stands for the held lock, and is borrowed for as long as the state is.
        unsafe { &mut *POOL.state.get() }
    }

    /// Waits for a wake-up with the lock given back meanwhile.
    fn wait(&mut self) {
        // SAFETY: both are statically initialised, and this thread holds the lock.
        must(unsafe { libc::pthread_cond_wait(POOL.wake.get(), POOL.lock.get()) });
    }

    /// Whether a sleeper has to be woken, because there is work and nobody is looking for it. It
    /// counts as searching from here on; the caller wakes it after giving the lock back.
    fn needs_wake(&mut self) -> bool {
        let state = self.state();
        // SAFETY: the list was initialised by `start`, under this lock.
        let idle = unsafe { list::is_empty(&state.jobs) };
        if idle || state.searching > 0 || state.sleeping == 0 {
            return false;
        }
        state.sleeping -= 1;
        state.searching += 1;
        state.wakes += 1;
        true
    }

    /// Takes the oldest job.
    fn pop(&mut self) -> Option<Job> {
        // SAFETY: the list holds the links of jobs that were submitted and are still waiting.
        unsafe {
            let link = list::pop_front(&self.state().jobs)?;
            POOL.queued.fetch_sub(1, Ordering::Relaxed);
            Some(Job::start(link))
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock.
        must(unsafe { libc::pthread_mutex_unlock(POOL.lock.get()) });
    }
}

fn wake_one() {
    // SAFETY: a statically initialised condition variable.
    must(unsafe { libc::pthread_cond_signal(POOL.wake.get()) });
}

fn wake_all() {
    // SAFETY: as above.
    must(unsafe { libc::pthread_cond_broadcast(POOL.wake.get()) });
}

/// Starts the workers unless they run. 0 or an error code.
pub(super) fn start() -> c_int {
    // Acquire: pairs with the store below; who sees it may hand in jobs.
    if POOL.started.load(Ordering::Acquire) {
        return 0;
    }
    let mut locked = Locked::take();
    if POOL.started.load(Ordering::Relaxed) {
        return 0;
    }
    if !POOL.fork_aware.swap(true, Ordering::Relaxed) {
        // SAFETY: the three functions may run around any fork.
        let answer = unsafe {
            libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork_in_child))
        };
        if answer != 0 {
            POOL.fork_aware.store(false, Ordering::Relaxed);
            return status::from_pthread(answer);
        }
    }
    let wanted = workers_wanted();
    let threads = mem::alloc_array::<uv_thread_t>(wanted as usize);
    if threads.is_null() {
        return UV_ENOMEM;
    }
    let parallel = runs_on_several_cpus();
    let state = locked.state();
    *state = State {
        jobs: Link::new(),
        threads,
        count: 0,
        searching: 0,
        sleeping: 0,
        wakes: 0,
        stopping: false,
        linger_ns: if parallel { LINGER_START_NS } else { 0 },
        short_sleeps: 0,
        patience: 1,
        parallel,
    };
    // SAFETY: the list head is static and does not move.
    unsafe { list::init(&state.jobs) };
    let mut code = 0;
    while state.count < wanted {
        // SAFETY: the array has `wanted` places; a worker needs no argument.
        code = unsafe {
            spawn(threads.add(state.count as usize), STACK_SIZE, worker, ptr::null_mut())
        };
        if code != 0 {
            break;
        }
        state.count += 1;
    }
    // Fewer workers than wanted still do all the work.
    if state.count == 0 {
        state.threads = ptr::null_mut();
        // SAFETY: allocated above, and no thread has it.
        unsafe { mem::free(threads.cast()) };
        return code;
    }
    POOL.started.store(true, Ordering::Release);
    0
}

/// Puts a job at the end of the queue. `start` has succeeded.
///
/// # Safety
/// `link` is the link of a job, initialised, that stays valid until it has been handed back.
pub(super) unsafe fn push(link: *const Link) {
    let mut locked = Locked::take();
    // SAFETY: `start` initialised the list; the caller's word on `link`.
    unsafe { list::push_back(&locked.state().jobs, link) };
    POOL.queued.fetch_add(1, Ordering::Relaxed);
    let wake = locked.needs_wake();
    drop(locked);
    if wake {
        wake_one();
    }
}

/// Takes a job off the queue; false when a worker has it already, or is done with it.
///
/// # Safety
/// `job` was submitted and has not been handed back to its loop's callback yet.
pub(super) unsafe fn take_back(job: *mut uv__work) -> bool {
    let _locked = Locked::take();
    // SAFETY: the caller's word on `job`. `work` is emptied under the lock when a worker takes the
    // job, so as long as it is there the link is on the queue.
    unsafe {
        if (*job).work.take().is_none() {
            return false;
        }
        list::remove(&raw const (*job).wq);
    }
    POOL.queued.fetch_sub(1, Ordering::Relaxed);
    true
}

/// Waits until no worker is in the middle of handing a job back.
pub(super) fn settle() {
    drop(Locked::take());
}

/// Lets the workers finish the queue, and waits for their end. Nothing happens when none run.
pub(crate) fn stop() {
    if !POOL.started.load(Ordering::Acquire) {
        return;
    }
    let mut locked = Locked::take();
    let state = locked.state();
    state.stopping = true;
    let (threads, count) = (state.threads, state.count as usize);
    drop(locked);
    wake_all();
    for index in 0..count {
        // SAFETY: the array has `count` threads, none of them joined yet.
        must(unsafe { libc::pthread_join(*threads.add(index), ptr::null_mut()) });
    }
    let mut locked = Locked::take();
    locked.state().threads = ptr::null_mut();
    locked.state().count = 0;
    POOL.started.store(false, Ordering::Release);
    drop(locked);
    // SAFETY: allocated by `start`; the workers are gone.
    unsafe { mem::free(threads.cast()) };
}

/// One worker's life.
unsafe extern "C" fn worker(_: *mut c_void) {
    // SAFETY: names the calling thread.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), c"libuv-worker".as_ptr()) };
    let mut searching = false;
    let mut locked = Locked::take();
    loop {
        if let Some(job) = locked.pop() {
            if searching {
                locked.state().searching -= 1;
                searching = false;
            }
            let wake = locked.needs_wake();
            drop(locked);
            if wake {
                wake_one();
            }
            job.run();
            locked = Locked::take();
            job.finish();
            continue;
        }
        if locked.state().stopping {
            return;
        }
        if !searching && locked.state().searching == 0 && locked.state().linger_ns > 0 {
            let budget = locked.state().linger_ns;
            locked.state().searching += 1;
            searching = true;
            drop(locked);
            let found = linger(budget);
            locked = Locked::take();
            locked.state().lingered(budget, found);
            if found {
                continue;
            }
        }
        if searching {
            locked.state().searching -= 1;
            searching = false;
        }
        // A job that came after the last look, and woke nobody because this worker was searching.
        if POOL.queued.load(Ordering::Relaxed) > 0 {
            continue;
        }
        searching = sleep(&mut locked);
    }
}

/// Sleeps until woken (true: the waker has counted this worker as searching) or until the end.
fn sleep(locked: &mut Locked) -> bool {
    let since = time::hrtime_ns();
    locked.state().sleeping += 1;
    while locked.state().wakes == 0 {
        if locked.state().stopping {
            locked.state().sleeping -= 1;
            return false;
        }
        locked.wait();
    }
    let state = locked.state();
    state.wakes -= 1;
    state.slept(time::hrtime_ns().saturating_sub(since));
    true
}

/// Watches the queue for `budget_ns` at most. True as soon as it is not empty.
fn linger(budget_ns: u64) -> bool {
    let end = time::hrtime_ns() + budget_ns;
    loop {
        for _ in 0..32 {
            // Relaxed: only a hint, the queue itself is looked at under the lock.
            if POOL.queued.load(Ordering::Relaxed) > 0 {
                return true;
            }
            core::hint::spin_loop();
        }
        if time::hrtime_ns() >= end {
            return false;
        }
    }
}

/// `UV_THREADPOOL_SIZE`, read as atoi(3) does: nothing or no number is 1 when it is set at all.
fn workers_wanted() -> u32 {
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

/// Whether the process may run on more than one CPU.
fn runs_on_several_cpus() -> bool {
    // SAFETY: a zeroed set is the empty set; the kernel fills it up to its size.
    unsafe {
        let mut set = core::mem::zeroed::<libc::cpu_set_t>();
        let answer = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        answer == 0 && libc::CPU_COUNT(&set) > 1
    }
}

/// The lock is held across a fork, so that the child finds the queue whole.
unsafe extern "C" fn before_fork() {
    core::mem::forget(Locked::take());
}

unsafe extern "C" fn after_fork() {
    drop(Locked);
}

/// The child has no workers: it starts its own at the first use. Jobs that waited are the parent's.
unsafe extern "C" fn after_fork_in_child() {
    // SAFETY: the child has one thread, and nobody waits on what is made anew here.
    unsafe {
        POOL.lock.get().write(libc::PTHREAD_MUTEX_INITIALIZER);
        POOL.wake.get().write(libc::PTHREAD_COND_INITIALIZER);
        let threads = (*POOL.state.get()).threads;
        (*POOL.state.get()).threads = ptr::null_mut();
        (*POOL.state.get()).count = 0;
        POOL.queued.store(0, Ordering::Relaxed);
        POOL.started.store(false, Ordering::Relaxed);
        // As the C libraries of Linux allow in the child of a threaded program.
        mem::free(threads.cast());
    }
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
