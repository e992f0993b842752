//! The queue and the threads that serve it: one of each for the whole process.
//!
//! A job is handed in without a lock, on an inbox that workers empty into the queue, which is behind
//! a lock. Three rules keep wake-ups rare:
//!
//! - a worker that runs dry lingers for some microseconds before it sleeps, one worker at a time,
//!   and only as long as that has paid off lately ([`crate::linger`]);
//! - nobody is woken while a worker is searching (lingering, or woken and on its way). Whoever
//!   takes a job and leaves others behind wakes the next, so a batch costs one wake-up to hand in;
//! - the loop that waits for the job is told outside of the lock.
//!
//! On one CPU a loop that is told of a job's end takes the CPU from the worker who has the next job
//! in hand. There the telling waits for the last job, or for the next worker, who has been woken by
//! then and gets the CPU when the first one waits for something.

mod bed;
mod names;

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use uvring_core::list::{self, Link};
use uvring_core::mpsc::{Inbox, Node};

pub(super) use self::bed::Place;
use self::bed::{Bed, Sleepers};
pub(super) use self::names::{push_name, sleep_for_names};
use super::size::workers_wanted;
use super::{Bell, Job, Untold, worker};
use crate::abi::*;
use crate::linger::{self, Linger};
use crate::thread::{must, spawn};
use crate::{mem, status, time};

/// A thread's stack in bytes.
const STACK_SIZE: usize = 8 << 20;

/// What the lock protects.
pub(super) struct State {
    /// Jobs in order.
    queue: Link,
    /// Look-ups whose turn has come.
    names: Link,
    /// Room for twice `wanted`: workers from the start, threads for names from the end.
    threads: *mut uv_thread_t,
    /// Room for `wanted`: the workers' beds.
    places: *mut Place,
    /// Workers asleep that nobody has woken yet.
    asleep: Sleepers,
    wanted: u32,
    workers: u32,
    name_threads: u32,
    /// Workers inside a job, and those of them inside a look-up.
    busy: u32,
    looking_up: u32,
    /// Threads for names that sleep and that nobody has woken yet.
    idle_name_threads: u32,
    /// The workers may end when the queue is empty; so may the threads for names.
    workers_stop: bool,
    names_stop: bool,
    linger: Linger,
    /// A loop that is to be told when the last job is begun, or the next worker comes.
    owed: Option<Untold>,
    /// When a worker last went to sleep; 0 when that is of no use.
    dry_since_ns: u64,
}

/// What everybody looks at, away from what only the lock's holder writes.
#[repr(align(128))]
struct Shared<T>(T);

struct Pool {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    state: UnsafeCell<State>,
    /// Where threads for names sleep. Made by `start`.
    names_bed: Bed,
    /// Jobs handed in that nobody has put into the queue yet.
    inbox: Shared<Inbox>,
    /// Workers that linger, or were woken and have not looked yet. Written under the lock.
    searching: Shared<AtomicU32>,
    /// How many workers are in `asleep`. Written under the lock.
    sleeping: AtomicU32,
    /// The queue is not empty. Written under the lock, watched by who lingers.
    has_queue: AtomicBool,
    /// Threads that gave the lock back and are about to tell a loop. Counted up under the lock.
    ringing: AtomicU32,
    started: AtomicBool,
    /// The fork handlers are registered once for all time.
    fork_aware: AtomicBool,
}

// SAFETY: `state` is only touched under `lock`; the rest is made for sharing.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    state: UnsafeCell::new(State::new()),
    names_bed: Bed::new(),
    inbox: Shared(Inbox::new()),
    searching: Shared(AtomicU32::new(0)),
    sleeping: AtomicU32::new(0),
    has_queue: AtomicBool::new(false),
    ringing: AtomicU32::new(0),
    started: AtomicBool::new(false),
    fork_aware: AtomicBool::new(false),
};

impl State {
    const fn new() -> Self {
        State {
            queue: Link::new(),
            names: Link::new(),
            threads: ptr::null_mut(),
            places: ptr::null_mut(),
            asleep: Sleepers::new(),
            wanted: 0,
            workers: 0,
            name_threads: 0,
            busy: 0,
            looking_up: 0,
            idle_name_threads: 0,
            workers_stop: false,
            names_stop: false,
            linger: Linger::new(),
            owed: None,
            dry_since_ns: 0,
        }
    }
}

/// What a worker does next.
pub(super) enum Step {
    /// Runs the job, after waking another worker if there is one given.
    Run(Job, Option<&'static Place>),
    /// Lingers for so many nanoseconds; it counts as searching.
    Linger(u64),
    Sleep,
    End,
}

/// The pool's lock, held.
pub(super) struct Locked;

impl Locked {
    pub(super) fn take() -> Self {
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

    /// Puts what was handed in at the end of the queue.
    fn take_in(&mut self) {
        let queue = &raw const self.state().queue;
        for node in POOL.inbox.0.take() {
            let link = node.cast::<Link>();
            // SAFETY: a node in the inbox is a waiting job's link; `start` initialised the list.
            unsafe {
                list::init(link);
                list::push_back(queue, link);
            }
        }
        self.tell_queue();
    }

    /// Shows those who linger whether the queue has something.
    fn tell_queue(&mut self) {
        // SAFETY: the list was initialised by `start`, under this lock.
        let has = unsafe { !list::is_empty(&self.state().queue) };
        // Relaxed: only a hint, the queue itself is looked at under the lock. Written when it
        // changes, because others read it all the time.
        if POOL.has_queue.load(Ordering::Relaxed) != has {
            POOL.has_queue.store(has, Ordering::Relaxed);
        }
    }

    /// The sleeping worker who has to be woken, if there is work and nobody is looking for it. He
    /// counts as searching from here on; the caller wakes him after giving the lock back.
    fn needs_wake(&mut self) -> Option<&'static Place> {
        // SAFETY: the list was initialised by `start`, under this lock.
        let idle = POOL.inbox.0.is_empty() && unsafe { list::is_empty(&self.state().queue) };
        if idle || POOL.searching.0.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let place = self.state().asleep.pop()?;
        POOL.sleeping.store(POOL.sleeping.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        POOL.searching.0.store(1, Ordering::Relaxed);
        // Every worker that wakes up learns for all of them: with several that take turns, each
        // sleeps for long while the pool is never idle for long.
        let state = self.state();
        let since = state.dry_since_ns;
        let duration = (since != 0).then(|| time::hrtime_ns().saturating_sub(since));
        state.linger.slept(duration);
        Some(place)
    }

    /// Takes the oldest job that a worker is to do; look-ups before it go to their threads.
    fn pop(&mut self) -> Option<Job> {
        loop {
            // SAFETY: the list holds the links of jobs that were submitted and are still waiting.
            let mut first = unsafe { list::pop_front(&self.state().queue) };
            if first.is_none() {
                self.take_in();
                // SAFETY: as above.
                first = unsafe { list::pop_front(&self.state().queue) };
            }
            self.tell_queue();
            let link = first?;
            // SAFETY: a job's link, off the queue, under the lock.
            unsafe {
                let is_name = Job::is_name(link);
                if !is_name || self.may_look_up() || !self.pass_on(link) {
                    self.state().busy += 1;
                    self.state().looking_up += u32::from(is_name);
                    return Some(Job::start(link));
                }
            }
        }
    }

    /// What the worker with this bed does next; `searching` says whether it counts as such, and is
    /// kept right.
    pub(super) fn next(&mut self, bed: &'static Place, searching: &mut bool) -> Step {
        // Not below 0: the pool's end wakes workers without counting them.
        let stop_searching = |searching: &mut bool| {
            if core::mem::replace(searching, false) {
                let searchers = POOL.searching.0.load(Ordering::Relaxed);
                POOL.searching.0.store(searchers.saturating_sub(1), Ordering::Relaxed);
            }
        };
        loop {
            if let Some(job) = self.pop() {
                if *searching {
                    stop_searching(searching);
                    // SeqCst fence: the store before the look at the inbox, as below.
                    fence(Ordering::SeqCst);
                }
                return Step::Run(job, self.needs_wake());
            }
            let state = self.state();
            if state.workers_stop {
                return Step::End;
            }
            let budget = state.linger.budget_ns();
            if !*searching && budget > 0 && POOL.searching.0.load(Ordering::Relaxed) == 0 {
                POOL.searching.0.store(1, Ordering::Relaxed);
                *searching = true;
                return Step::Linger(budget);
            }
            stop_searching(searching);
            let asleep = POOL.sleeping.load(Ordering::Relaxed);
            POOL.sleeping.store(asleep + 1, Ordering::Relaxed);
            // SeqCst fence: the stores before the look. Whoever pushes does it the other way
            // round, so either the job is seen here or the sleeper is seen there.
            fence(Ordering::SeqCst);
            if POOL.inbox.0.is_empty() {
                state.dry_since_ns = if state.linger.is_learning() { time::hrtime_ns() } else { 0 };
                state.asleep.push(bed);
                return Step::Sleep;
            }
            POOL.sleeping.store(asleep, Ordering::Relaxed);
        }
    }

    /// Gives the lock back, then wakes a worker if one is needed.
    fn unlock_and_rouse(mut self) {
        let sleeper = self.needs_wake();
        drop(self);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// Gives the lock back, then tells the loop whose job is over, if it has to be told, and the one
    /// that is owed it.
    pub(super) fn unlock_and_ring(mut self, told: Option<Untold>) {
        let owed = self.state().owed.take();
        let bells = [owed, told].map(|loop_| loop_.and_then(Untold::post));
        if bells.iter().all(Option::is_none) {
            return;
        }
        POOL.ringing.fetch_add(1, Ordering::Relaxed);
        drop(self);
        bells.into_iter().flatten().for_each(Bell::ring);
        // Release: who finds none ringing finds the loop told.
        POOL.ringing.fetch_sub(1, Ordering::Release);
    }

    /// The same on the way to the next job: with one CPU, and with another worker about to come,
    /// the loop is told later.
    pub(super) fn unlock_and_owe(mut self, told: Option<Untold>) {
        let later = POOL.searching.0.load(Ordering::Relaxed) > 0 && self.state().linger.is_alone();
        match (later, told) {
            (true, None) => {}
            (true, told) if self.state().owed.is_none() => self.state().owed = told,
            (_, told) => self.unlock_and_ring(told),
        }
    }

    /// A worker's job is over.
    pub(super) fn leave_job(&mut self, was_name: bool) {
        let state = self.state();
        state.busy -= 1;
        state.looking_up -= u32::from(was_name);
        // SAFETY: the list was initialised by `start`, under this lock.
        if was_name && unsafe { !list::is_empty(&state.names) } {
            self.rouse_for_names();
        }
    }

    /// Learns from a worker that lingered.
    pub(super) fn lingered(&mut self, found: bool) {
        self.state().linger.waited(found);
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock.
        must(unsafe { libc::pthread_mutex_unlock(POOL.lock.get()) });
    }
}

/// Watches for jobs for `budget_ns` at most. True as soon as there is one.
pub(super) fn linger(budget_ns: u64) -> bool {
    linger::look(budget_ns, has_waiting)
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
    let threads = mem::alloc_array::<uv_thread_t>(2 * wanted as usize);
    let places = mem::alloc_array::<Place>(wanted as usize);
    if threads.is_null() || places.is_null() {
        // SAFETY: both are NULL or fresh from the allocator.
        unsafe {
            mem::free(threads.cast());
            mem::free(places.cast());
        }
        return UV_ENOMEM;
    }
    linger::learn_quota();
    let state = locked.state();
    *state = State { threads, places, wanted, linger: Linger::eager(), ..State::new() };
    // SAFETY: the list heads are static and do not move; nobody sleeps in a bed yet.
    unsafe {
        list::init(&state.queue);
        list::init(&state.names);
        state.asleep.init();
        POOL.names_bed.make();
        (0..wanted as usize).for_each(|place| Place::make(places.add(place)));
    }
    POOL.searching.0.store(0, Ordering::Relaxed);
    POOL.sleeping.store(0, Ordering::Relaxed);
    let code = start_workers(state);
    // Fewer workers than wanted still do all the work.
    if state.workers == 0 {
        *state = State::new();
        // SAFETY: made above, and no thread has them.
        unsafe { free(threads, places, wanted) };
        return code;
    }
    POOL.started.store(true, Ordering::Release);
    0
}

/// What `start` allocates and makes.
///
/// # Safety
/// It was all made by `start`, and no thread uses it any more.
unsafe fn free(threads: *mut uv_thread_t, places: *mut Place, wanted: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        POOL.names_bed.unmake();
        (0..wanted as usize).for_each(|place| (*places.add(place)).unmake());
        mem::free(places.cast());
        mem::free(threads.cast());
    }
}

/// As many as wanted, or as can be had. The last answer.
fn start_workers(state: &mut State) -> c_int {
    let mut code = 0;
    while code == 0 && state.workers < state.wanted {
        // SAFETY: both arrays have more elements than that; a worker's argument is its bed, which is
        // there until it has ended.
        code = unsafe {
            let thread = state.threads.add(state.workers as usize);
            let bed = state.places.add(state.workers as usize);
            spawn(thread, STACK_SIZE, worker::work, bed.cast())
        };
        state.workers += u32::from(code == 0);
    }
    code
}

/// Hands a job in. `start` has succeeded.
///
/// # Safety
/// `link` is the link of a job that stays valid until it has been handed back.
pub(super) unsafe fn push(link: *const Link) {
    // SAFETY: the caller's word; the first word of a link is a node's.
    unsafe { POOL.inbox.0.push(link.cast::<Node>()) };
    // SeqCst fence: the push before the look, see `next`.
    fence(Ordering::SeqCst);
    let searching = POOL.searching.0.load(Ordering::Relaxed) > 0;
    if searching || POOL.sleeping.load(Ordering::Relaxed) == 0 {
        return;
    }
    Locked::take().unlock_and_rouse();
}

/// Whether there are jobs that nobody has begun, as far as one can see without the lock.
pub(crate) fn has_waiting() -> bool {
    !POOL.inbox.0.is_empty() || POOL.has_queue.load(Ordering::Relaxed)
}

/// Takes the oldest waiting job off the queue if it is `wanted` and others wait behind it.
pub(super) fn take_oldest(wanted: impl FnOnce(*const Link) -> bool) -> Option<*const Link> {
    let mut locked = Locked::take();
    locked.take_in();
    let queue = &raw const locked.state().queue;
    // SAFETY: the list holds the links of jobs that were submitted and are still waiting.
    unsafe {
        let first = list::first(queue)?;
        if list::after(queue, first).is_none() || !wanted(first) {
            return None;
        }
        list::remove(first);
        Some(first)
    }
}

/// Puts what [`take_oldest`] took back where it was.
///
/// # Safety
/// `link` is the link of that job.
pub(super) unsafe fn put_back(link: *const Link) {
    let mut locked = Locked::take();
    // SAFETY: the caller's promise.
    unsafe { list::push_front(&raw const locked.state().queue, link) };
    locked.tell_queue();
    locked.unlock_and_rouse();
}

/// Takes a job back that nobody has begun; `None` when it is too late, false when it had been taken
/// back before.
///
/// # Safety
/// `job` was submitted, its callback has not been called, and this is its loop's thread.
pub(super) unsafe fn take_back(job: *mut uv__work) -> Option<bool> {
    let mut locked = Locked::take();
    locked.take_in();
    // SAFETY: the caller's word on `job`. `work` is emptied under the lock when a thread takes the
    // job, so as long as it is there the link is on one of the two lists. Without it the job is
    // run, or was handed back; that too happens under the lock, or on this thread.
    unsafe {
        if (*job).work.take().is_none() {
            return Job::is_cancelled(job).then_some(false);
        }
        list::remove(&raw const (*job).wq);
    }
    locked.tell_queue();
    Some(true)
}

/// Waits until no worker is in the middle of handing a job back, or has the loop of this handle in
/// mind.
pub(super) fn settle(handle: *const uv_async_t) {
    let mut locked = Locked::take();
    locked.state().owed.take_if(|owed| owed.is(handle));
}

/// Lets the workers finish the queue, and waits for their end. Nothing happens when none run.
pub(crate) fn stop() {
    if !POOL.started.load(Ordering::Acquire) {
        return;
    }
    let mut locked = Locked::take();
    let state = locked.state();
    state.workers_stop = true;
    let (threads, places, wanted) = (state.threads, state.places, state.wanted);
    let workers = state.workers as usize;
    drop(locked);
    let join = |first: usize, count: usize| {
        for place in first..first + count {
            // SAFETY: these places hold threads, none of them joined yet.
            must(unsafe { libc::pthread_join(*threads.add(place), ptr::null_mut()) });
        }
    };
    // SAFETY: each worker has a place, and the places are there until the end of this function.
    (0..workers).for_each(|place| unsafe { (*places.add(place)).wake() });
    join(0, workers);
    // What the workers have passed on is done first.
    let mut locked = Locked::take();
    locked.state().names_stop = true;
    let for_names = locked.state().name_threads as usize;
    drop(locked);
    (0..for_names).for_each(|_| POOL.names_bed.wake());
    join(2 * wanted as usize - for_names, for_names);
    let mut locked = Locked::take();
    *locked.state() = State::new();
    POOL.started.store(false, Ordering::Release);
    // SAFETY: made by `start`; the threads are gone.
    unsafe { free(threads, places, wanted) };
}

/// The lock is held across a fork, and no loop is being told, so that the child finds them whole.
unsafe extern "C" fn before_fork() {
    let mut locked = Locked::take();
    // Acquire: pairs with the release in `unlock_and_ring`.
    while POOL.ringing.load(Ordering::Acquire) != 0 {
        drop(locked);
        // SAFETY: may be called at any time.
        unsafe { libc::sched_yield() };
        locked = Locked::take();
    }
    core::mem::forget(locked);
}

unsafe extern "C" fn after_fork() {
    drop(Locked);
}

/// The child has no workers: it starts its own at the first use. Jobs that waited are the parent's.
unsafe extern "C" fn after_fork_in_child() {
    // SAFETY: the child has one thread, and nobody waits on what is made anew here.
    unsafe {
        POOL.lock.get().write(libc::PTHREAD_MUTEX_INITIALIZER);
        let (threads, places) = ((*POOL.state.get()).threads, (*POOL.state.get()).places);
        POOL.state.get().write(State::new());
        let _ = POOL.inbox.0.take();
        POOL.has_queue.store(false, Ordering::Relaxed);
        POOL.started.store(false, Ordering::Relaxed);
        // As the C libraries of Linux allow in the child of a threaded program.
        mem::free(threads.cast());
        mem::free(places.cast());
    }
}
