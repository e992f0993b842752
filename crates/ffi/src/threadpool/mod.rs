//! Work on other threads. Source: the manual's page on the thread pool.
//!
//! ```text
//!   mod     handing jobs in and back; uv_queue_work
//!   worker  what the threads do
//!   pool    the queue and the threads: who waits, who wakes whom, beginning and end
//!   pool/names  who looks up names      pool/bed  where they sleep
//!   size    how many workers
//!   help    what the loop does itself instead of waiting
//! ```
//!
//! A job comes back through the loop's list of finished jobs, which the loop empties in one piece,
//! in each turn and before it sleeps. Only a loop that sleeps has to be told, by an async handle of
//! the library's own, and only when the list was empty. A loop that waits for a job looks at the
//! list for a while before it sleeps.

mod help;
mod pool;
mod size;
mod worker;

use core::ffi::c_int;

use uvring_core::list::{self, Link};
use uvring_core::mpsc::{Inbox, Node};
use uvring_core::wake::Doorbell;

pub(crate) use self::help::help;
pub(crate) use self::pool::{has_waiting, stop as shutdown};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::call;
use crate::{r#async, req};

/// What a job's function looks like.
pub(crate) type Work = unsafe extern "C" fn(*mut uv__work);
/// What a job's callback on the loop's thread looks like: 0, or `UV_ECANCELED`.
pub(crate) type Done = unsafe extern "C" fn(*mut uv__work, c_int);

/// Handed in, a job's link is a place in the inbox, then in the queue. Handed back, the first word
/// is its place among the finished jobs and the second its status.
const _: () = {
    assert!(size_of::<Node>() == size_of::<usize>());
    assert!(size_of::<Link>() == 2 * size_of::<usize>());
    assert!(align_of::<Node>() <= align_of::<Link>());
    assert!(size_of::<Inbox>() <= size_of::<Link>() && align_of::<Inbox>() <= align_of::<Link>());
    // Room for the two marks.
    assert!(align_of::<uv_loop_t>() > NAME + SHORT);
};

/// In the address of a job's loop: the job is a look-up of a name, which may wait for seconds.
const NAME: usize = 1;
/// The same place: the job is a short one, and its loop may do it itself.
const SHORT: usize = 2;

/// A job that a thread has taken off the queue.
struct Job {
    job: *mut uv__work,
    work: Option<Work>,
    /// It is the look-up of a name.
    is_name: bool,
}

impl Job {
    /// # Safety
    /// `link` is a job's link.
    unsafe fn of_link(link: *const Link) -> *mut uv__work {
        // SAFETY: by the caller's word it stands at this offset.
        unsafe { link.cast_mut().byte_sub(core::mem::offset_of!(uv__work, wq)).cast() }
    }

    /// # Safety
    /// `link` is the link of a job that is waiting.
    unsafe fn is_name(link: *const Link) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*Self::of_link(link)).r#loop.get().addr() & NAME != 0 }
    }

    /// Whether a job that waits no more was handed back as cancelled.
    ///
    /// # Safety
    /// `job` is valid, its work was taken, and nobody hands it back meanwhile.
    unsafe fn is_cancelled(job: *mut uv__work) -> bool {
        // SAFETY: the caller's promise. The second word is an address until it is a status.
        unsafe { (&raw const (*job).wq).cast::<usize>().add(1).read() == UV_ECANCELED as usize }
    }

    /// Marks the job taken: it can no longer be cancelled.
    ///
    /// # Safety
    /// `link` is a job's link, just taken off the queue, under the pool's lock.
    unsafe fn start(link: *const Link) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let job = Self::of_link(link);
            Job { job, work: (*job).work.take(), is_name: Self::is_name(link) }
        }
    }

    /// Runs it. No lock is held.
    fn run(&self) {
        if let Some(work) = self.work {
            // SAFETY: the submitter keeps the job valid until it is handed back.
            unsafe { work(self.job) };
        }
    }

    /// Gives it to its loop. Under the pool's lock, so that the loop cannot go away, nor the
    /// process fork, halfway.
    fn finish(self) -> Option<Untold> {
        // SAFETY: as in `run`; the link has been on no queue since the job was taken.
        unsafe { hand_back(self.job, 0) }
    }
}

/// A loop that has to be told, unless it has looked for itself by then. Kept under the pool's lock.
#[must_use]
#[derive(Clone, Copy)]
struct Untold(*mut uv_async_t);

impl Untold {
    /// Whether it is the loop of this handle.
    fn is(&self, handle: *const uv_async_t) -> bool {
        core::ptr::eq(self.0, handle)
    }

    /// Sees whether the loop still has to be told. What is given back is for after the lock.
    fn post(self) -> Option<Bell> {
        // SAFETY: made by `hand_back`; what has a handle of this kind has been through
        // `prepare_loop`, and `release_loop` takes it back under the lock.
        unsafe {
            let owner = (*self.0).owner();
            if finished(owner).is_empty() {
                return None;
            }
            let doorbell = &owner.inner().doorbell;
            if doorbell.get().is_some_and(Doorbell::is_awake) {
                return None;
            }
            r#async::post(self.0).then_some(Bell(self.0))
        }
    }
}

/// The loop has to be told, and cannot go away before it is.
#[must_use]
struct Bell(*mut uv_async_t);

impl Bell {
    /// Wakes the loop if it sleeps.
    fn ring(self) {
        // SAFETY: only made when `post` has said true.
        unsafe { r#async::ring(self.0) };
    }
}

/// A loop's finished jobs; they lie where libuv has its list of them.
///
/// # Safety
/// `owner` has been through `prepare_loop`.
unsafe fn finished<'l>(owner: *const uv_loop_t) -> &'l Inbox {
    // SAFETY: `prepare_loop` has put an inbox there; the loop outlives its jobs.
    unsafe { &*(&raw const (*owner).wq).cast::<Inbox>() }
}

/// Gives a job to its loop.
///
/// # Safety
/// `job` is valid, was submitted, and is on no queue. Either the pool's lock is held or this is
/// the loop's thread.
unsafe fn hand_back(job: *mut uv__work, status: c_int) -> Option<Untold> {
    // SAFETY: the caller's promise; the link's two words are free since the job left the queue.
    unsafe {
        let owner = (*job).r#loop.get().map_addr(|address| address & !(NAME | SHORT));
        let words = (&raw const (*job).wq).cast_mut().cast::<usize>();
        words.add(1).write(status as usize);
        words.write(0);
        // Who put the first one there tells the loop, if need be.
        finished(owner).push(words.cast::<Node>()).then(|| Untold(&raw mut (*owner).wq_async))
    }
}

/// Makes the loop able to take finished jobs. 0 or an error code.
fn prepare_loop(owner: &uv_loop_t) -> c_int {
    if !owner.wq_async.r#loop.get().is_null() {
        return 0;
    }
    let owner = owner.as_ptr();
    // SAFETY: the loop is initialised, its async handle not yet; an inbox fits into the list head,
    // and both may be written through a shared loop.
    unsafe {
        let place = (&raw const (*owner).wq).cast_mut().cast::<Inbox>();
        place.write(Inbox::new());
        let handle = &raw mut (*owner).wq_async;
        let code = r#async::uv_async_init(owner, handle, Some(on_finished));
        if code != 0 {
            (*handle).r#loop.set(core::ptr::null_mut());
            return code;
        }
        // It alone does not keep the loop alive; requests do.
        (*handle).unreference();
        (*handle).set(flag::INTERNAL);
    }
    0
}

/// The loop is about to go: no worker touches it after this. Part of uv_loop_close.
///
/// # Safety
/// `owner` is an initialised loop without requests in flight.
pub(crate) unsafe fn release_loop(owner: *mut uv_loop_t) {
    // SAFETY: the caller's promise.
    unsafe {
        let handle = &raw mut (*owner).wq_async;
        if (*handle).r#loop.get().is_null() {
            return;
        }
        pool::settle(handle);
        r#async::close(&*handle);
        list::remove(&raw const (*handle).handle_queue);
        (*handle).r#loop.set(core::ptr::null_mut());
        list::init(&raw const (*owner).wq);
    }
}

unsafe extern "C" fn on_finished(handle: *mut uv_async_t) {
    // SAFETY: an initialised handle of a loop that runs.
    let owner = unsafe { &*(*handle).r#loop.get() };
    // The wake-up itself was counted as one event.
    owner.inner().metrics.count(run_finished(owner).saturating_sub(1));
}

/// Whether jobs of the loop are over and their callbacks due.
pub(crate) fn has_finished(owner: &uv_loop_t) -> bool {
    // SAFETY: a loop that has jobs was prepared.
    owner.inner().jobs.get() != 0 && unsafe { !finished(owner).is_empty() }
}

/// Whether they came back while the loop was awake, so that it was not told. If it was, the async
/// handle's turn comes, and is counted.
pub(crate) fn is_due(owner: &uv_loop_t) -> bool {
    has_finished(owner) && !r#async::is_posted(&owner.wq_async)
}

/// Hands a job in. `work` runs on a worker, then `done` on the loop's thread. The caller counts
/// the request.
///
/// # Errors
/// `UV_ENOMEM`, `UV_EAGAIN`, `UV_EMFILE`: no workers or no wake-up to be had; nothing runs then.
///
/// # Safety
/// `job` stays valid until `done`.
pub(crate) unsafe fn submit(
    owner: &uv_loop_t,
    job: *mut uv__work,
    work: Work,
    done: Done,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { hand_in(owner, job, (work, done), 0) }
}

/// As [`submit`], for a job that the loop may do itself with [`help`].
///
/// # Errors
/// As [`submit`].
///
/// # Safety
/// As [`submit`].
pub(crate) unsafe fn submit_short(
    owner: &uv_loop_t,
    job: *mut uv__work,
    work: Work,
    done: Done,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { hand_in(owner, job, (work, done), SHORT) }
}

/// As [`submit`], for the look-up of a name: no other job waits for it.
///
/// # Errors
/// As [`submit`].
///
/// # Safety
/// As [`submit`].
pub(crate) unsafe fn submit_name(
    owner: &uv_loop_t,
    job: *mut uv__work,
    work: Work,
    done: Done,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { hand_in(owner, job, (work, done), NAME) }
}

/// # Safety
/// As [`submit`].
unsafe fn hand_in(
    owner: &uv_loop_t,
    job: *mut uv__work,
    (work, done): (Work, Done),
    tag: usize,
) -> c_int {
    let mut code = prepare_loop(owner);
    if code == 0 {
        code = pool::start();
    }
    if code != 0 {
        return code;
    }
    // SAFETY: the caller's promise.
    unsafe {
        (*job).work.set(Some(work));
        (*job).done.set(Some(done));
        (*job).r#loop.set(owner.as_ptr().map_addr(|address| address | tag));
    }
    let jobs = &owner.inner().jobs;
    jobs.set(jobs.get().wrapping_add(1));
    // SAFETY: the caller's promise; the pool runs.
    unsafe {
        let link = &raw const (*job).wq;
        if tag == NAME { pool::push_name(link) } else { pool::push(link) }
    }
    0
}

/// Takes a job back that no thread has begun; its `done` comes from the loop with `UV_ECANCELED`.
/// 0, again when it is asked again before that; `UV_EBUSY` when it is too late.
///
/// # Safety
/// `job` was submitted on this thread, and its `done` has not been called.
pub(crate) unsafe fn cancel_work(job: *mut uv__work) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(taken) = pool::take_back(job) else {
            return UV_EBUSY;
        };
        if taken && let Some(bell) = hand_back(job, UV_ECANCELED).and_then(Untold::post) {
            bell.ring();
        }
    }
    0
}

/// Runs the callbacks of finished jobs. Returns how many. The loop has, or had, jobs.
pub(crate) fn run_finished(owner: &uv_loop_t) -> u64 {
    let mut count = 0u64;
    // SAFETY: the loop was prepared.
    for node in unsafe { finished(owner) }.take() {
        // SAFETY: the nodes are the first words of the links of jobs that were handed back; a job
        // is its submitter's again once `done` is called, and is not touched after.
        unsafe {
            let words = node.cast::<usize>();
            let status = words.add(1).read() as c_int;
            let job = Job::of_link(node.cast());
            owner.inner().jobs.set(owner.inner().jobs.get().wrapping_sub(1));
            if let Some(done) = (*job).done.get() {
                done(job, status);
            }
        }
        count += 1;
    }
    count
}

/// `int uv_queue_work(uv_loop_t*, uv_work_t*, uv_work_cb, uv_after_work_cb)`: runs `work_cb` on a
/// worker thread, then `after_work_cb` (which may be NULL) on the loop's.
///
/// # Returns
/// 0; `UV_EINVAL` when `work_cb` is NULL; `UV_ENOMEM`, `UV_EAGAIN` when no worker can be started.
///
/// # Safety
/// `owner` is an initialised loop of this thread, `req` valid until the last callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_queue_work(
    owner: *mut uv_loop_t,
    req: *mut uv_work_t,
    work_cb: uv_work_cb,
    after_work_cb: uv_after_work_cb,
) -> c_int {
    if work_cb.is_none() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise. The request is complete before a worker can see it.
    unsafe {
        (*req).r#loop.set(owner);
        (*req).work_cb.set(work_cb);
        (*req).after_work_cb.set(after_work_cb);
        req::start(&*owner, req.cast(), UV_WORK);
        let code = submit(&*owner, &raw mut (*req).work_req, run_work, work_done);
        if code != 0 {
            req::done(&*owner);
        }
        code
    }
}

/// The request of its job.
fn of_job(job: *mut uv__work) -> *mut uv_work_t {
    job.wrapping_byte_sub(core::mem::offset_of!(uv_work_t, work_req)).cast()
}

unsafe extern "C" fn run_work(job: *mut uv__work) {
    let req = of_job(job);
    // SAFETY: submitted by uv_queue_work, so the job is part of a request.
    unsafe {
        if let Some(callback) = (*req).work_cb.get() {
            callback(req);
        }
    }
}

unsafe extern "C" fn work_done(job: *mut uv__work, status: c_int) {
    let req = of_job(job);
    // SAFETY: as in `run_work`; the loop outlives the callback.
    unsafe {
        let owner = &*(*req).r#loop.get();
        req::done(owner);
        if let Some(callback) = (*req).after_work_cb.get() {
            call::out(owner, || callback(req, status));
        }
    }
}

#[cfg(test)]
mod tests;
