//! What the pool's threads do all their life.

use core::ffi::c_void;

use super::Job;
use super::pool::{self, Locked, Place, Step};

/// What libuv calls its workers.
fn take_name() {
    // SAFETY: names the calling thread.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), c"libuv-worker".as_ptr()) };
}

/// A worker: any job, look-ups as long as that hinders no other.
///
/// # Safety
/// `place` is the worker's bed, which outlives it.
pub(super) unsafe extern "C" fn work(place: *mut c_void) {
    // SAFETY: the caller's promise.
    let bed: &'static Place = unsafe { &*place.cast() };
    take_name();
    let mut searching = false;
    let (mut over, mut lingered) = (None::<Job>, None);
    loop {
        let mut locked = Locked::take();
        if let Some(job) = &over {
            locked.leave_job(job.is_name);
        }
        if let Some(found) = lingered.take() {
            locked.lingered(found);
        }
        // First what comes next, then the last job's end: who is told of the end, and hands in
        // another job at once, finds this worker searching and wakes nobody.
        let came = searching;
        let step = locked.next(bed, &mut searching);
        let told = over.take().and_then(Job::finish);
        match step {
            Step::Run(..) if !came => locked.unlock_and_owe(told),
            _ => locked.unlock_and_ring(told),
        }
        match step {
            Step::Run(job, sleeper) => {
                if let Some(sleeper) = sleeper {
                    sleeper.wake();
                }
                job.run();
                over = Some(job);
            }
            Step::Linger(budget_ns) => lingered = Some(pool::linger(budget_ns)),
            Step::Sleep => {
                bed.sleep();
                // Who woke it has counted it.
                searching = true;
            }
            Step::End => return,
        }
    }
}

/// A thread for names.
pub(super) unsafe extern "C" fn look_up(_: *mut c_void) {
    take_name();
    let mut over = None;
    loop {
        let mut locked = Locked::take();
        let told = over.take().and_then(Job::finish);
        let step = locked.next_name();
        locked.unlock_and_ring(told);
        match step {
            Some(Step::Run(job, _)) => {
                job.run();
                over = Some(job);
            }
            Some(_) => pool::sleep_for_names(),
            None => return,
        }
    }
}
