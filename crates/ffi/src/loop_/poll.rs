//! The part of a turn that sleeps: wait for the kernel, hand out what it has.

use core::sync::atomic::Ordering;
use core::time::Duration;

use uvring_core::driver::Event;
use uvring_core::{Errno, clock, list};

use super::{option, run};
use crate::abi::*;
use crate::fs::stat;
use crate::{r#async, dispatch, linger, threadpool};

/// How often a full batch is followed by another look in one turn.
const FULL_BATCHES: u32 = 48;

/// How long finished jobs and wake-ups can keep the loop from asking the kernel for events.
const UNASKED_NS: u64 = 20_000;

/// Polls, asleep until something happens or a timer is due if the turn `may_sleep` at all. True when
/// something was handed out; else no callback has run since the clock was read.
pub(super) fn run(owner: &uv_loop_t, may_sleep: bool) -> bool {
    let mut full_batches = 0;
    let mut may_sleep = may_sleep && !run::is_busy(owner);
    // To know what was waiting already, it takes a look before the sleep.
    let mut looks = owner.flags.get() & option::METRICS_IDLE != 0;
    loop {
        let sleeps = may_sleep && !looks;
        let timeout = if sleeps { timeout(owner) } else { Some(Duration::ZERO) };
        let more = wait(owner, timeout);
        owner.inner().metrics.slept.set(sleeps);
        let handed_out = hand_out(owner);
        if handed_out != 0 {
            full_batches += 1;
            may_sleep = false;
            // What waits for the end of the round comes before the next batch.
            let over = run::has_fed(owner) || owner.stop_flag.get() != 0;
            if more && full_batches < FULL_BATCHES && !over {
                continue;
            }
            return true;
        }
        if !may_sleep || timers_due(owner) || owner.stop_flag.get() != 0 {
            return full_batches != 0;
        }
        // A signal, a look at a crowded slot of the wheel, or the first look: sleep on.
        looks = false;
    }
}

/// How long to sleep: until the wheel wants a look. `None`: for ever.
fn timeout(owner: &uv_loop_t) -> Option<Duration> {
    let inner = owner.inner();
    // SAFETY: list heads of an initialised loop; entries of its wheel are live timers.
    unsafe {
        if !list::is_empty(&raw const inner.ripe) || !list::is_empty(&raw const inner.woken) {
            return Some(Duration::ZERO);
        }
        let at = inner.wheel.wake_at()?;
        Some(Duration::from_millis(at.saturating_sub(owner.time.get())))
    }
}

/// Moves what came due while the loop slept aside; timers run later in the turn.
fn timers_due(owner: &uv_loop_t) -> bool {
    let inner = owner.inner();
    // SAFETY: as in `timeout`.
    unsafe {
        inner.wheel.expire(owner.time.get(), &raw const inner.ripe, |_| ());
        !list::is_empty(&raw const inner.ripe)
    }
}

/// One wait. Returns whether the kernel may have more.
fn wait(owner: &uv_loop_t, timeout: Option<Duration>) -> bool {
    let inner = owner.inner();
    let mut timeout = timeout;
    let expects = timeout != Some(Duration::ZERO) && (inner.jobs.get() != 0 || inner.told.get());
    if expects && told_soon(owner, timeout) {
        if read_clock(owner).saturating_sub(inner.asked_ns.get()) < UNASKED_NS {
            return false;
        }
        timeout = Some(Duration::ZERO);
    }
    if timeout != Some(Duration::ZERO) && inner.spin_us.get() != 0 && spin(owner, timeout) {
        owner.update_time();
        return false;
    }
    if let Some(bell) = inner.doorbell.get() {
        if timeout == Some(Duration::ZERO) {
            // No sleep, so nobody needs to ring; the inbox is looked at below in any case.
        } else {
            bell.sleep();
            if is_told(owner) {
                timeout = Some(Duration::ZERO);
            }
        }
    }
    let sleeps = timeout != Some(Duration::ZERO);
    let counts_idle = sleeps && owner.flags.get() & option::METRICS_IDLE != 0;
    if counts_idle {
        inner.metrics.asleep_since.store(clock::now_ns(), Ordering::Release);
    }
    let learns = expects && inner.linger.get().is_learning();
    let since = if learns { clock::now_ns() } else { 0 };
    let more = wait_masked(owner, timeout);
    if counts_idle {
        let since = inner.metrics.asleep_since.swap(0, Ordering::AcqRel);
        inner.metrics.idle_ns.fetch_add(clock::now_ns().saturating_sub(since), Ordering::AcqRel);
    }
    if let Some(bell) = inner.doorbell.get() {
        bell.awake();
    }
    let now = read_clock(owner);
    inner.asked_ns.set(now);
    if expects && sleeps && is_told(owner) {
        let mut linger = inner.linger.get();
        linger.slept(learns.then(|| now.saturating_sub(since)));
        inner.linger.set(linger);
    }
    more
}

/// Reads the clock into the loop, and gives it in ns.
fn read_clock(owner: &uv_loop_t) -> u64 {
    let now = clock::now_ns();
    owner.time.set(now / 1_000_000);
    now
}

/// Whether other threads have something for the loop: handles that were sent to, jobs that are over.
pub(super) fn is_told(owner: &uv_loop_t) -> bool {
    !owner.inner().inbox.is_empty() || threadpool::has_finished(owner)
}

/// Looks whether other threads have something for the loop, for as long as that has paid off
/// lately, after taking over some of what they have not begun. The clock and the kernel wait
/// meanwhile, so it is short.
fn told_soon(owner: &uv_loop_t, timeout: Option<Duration>) -> bool {
    let inner = owner.inner();
    if is_told(owner) {
        return true;
    }
    // Without look-ups under way the pool's queue has nothing for the loop, and is not touched.
    if inner.finished.looking.get() != 0 && threadpool::has_waiting() && !inner.finished.is_alone()
    {
        // What the loop has for the kernel does not wait.
        inner.driver().flush();
        // SAFETY: the jobs given are short ones of this loop that no worker has.
        if threadpool::help(owner, |job| unsafe { stat::try_again(job) }) {
            return true;
        }
    }
    let mut linger = inner.linger.get();
    let most = timeout.map_or(u64::MAX, |timeout| timeout.as_nanos() as u64);
    if linger.budget_ns() == 0 || linger.budget_ns() > most {
        return false;
    }
    inner.driver().flush();
    let found = linger::look(linger.budget_ns(), || is_told(owner) || inner.driver().has_work());
    linger.waited(found);
    inner.linger.set(linger);
    is_told(owner)
}

/// The wait itself, with SIGPROF blocked if the loop was configured so.
fn wait_masked(owner: &uv_loop_t, timeout: Option<Duration>) -> bool {
    let driver = owner.inner().driver();
    if owner.flags.get() & option::BLOCK_SIGPROF == 0 || timeout == Some(Duration::ZERO) {
        return finish(driver.wait(timeout));
    }
    // SAFETY: plain signal-mask calls on sets of this frame.
    unsafe {
        let mut set = core::mem::zeroed::<libc::sigset_t>();
        let mut old = core::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPROF);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut old);
        let more = finish(driver.wait(timeout));
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, core::ptr::null_mut());
        more
    }
}

/// A signal ends the wait and is no error. Anything else is a descriptor that somebody closed
/// under us, after which the loop cannot work: end the process rather than spin.
fn finish(result: uvring_core::Result<bool>) -> bool {
    match result {
        Ok(more) => more,
        Err(Errno::INTR) => false,
        // SAFETY: ends the process.
        Err(_) => unsafe { libc::abort() },
    }
}

/// Looks for events without sleeping, for as long as configured. True when there is something.
fn spin(owner: &uv_loop_t, timeout: Option<Duration>) -> bool {
    let inner = owner.inner();
    let mut budget = u64::from(inner.spin_us.get()) * 1000;
    if let Some(timeout) = timeout {
        budget = budget.min(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    }
    let end = clock::now_ns() + budget;
    while clock::now_ns() < end {
        if is_told(owner) {
            return true;
        }
        finish(inner.driver().wait(Some(Duration::ZERO)));
        if inner.driver().has_work() {
            return true;
        }
        core::hint::spin_loop();
    }
    false
}

/// Hands out what the last wait brought, and what other threads sent. After each event, the write
/// callbacks of what its callback wrote come first.
fn hand_out(owner: &uv_loop_t) -> u64 {
    let inner = owner.inner();
    let mut count = 0;
    // Those who sent while the loop was awake did not ring.
    r#async::collect(owner);
    // SAFETY: the list head of an initialised loop.
    inner.told.set(unsafe { !list::is_empty(&raw const inner.woken) });
    // Neither did workers. What is handed in from here on comes back in a later turn, however fast.
    let jobs_due = threadpool::is_due(owner);
    while let Some(event) = inner.driver().next() {
        count += 1;
        match event {
            Event::Ready(watch, mask) => dispatch::ready(owner, watch, mask),
            Event::Done(op, result) => dispatch::done(owner, op, result),
        }
        run::run_fed(owner);
    }
    if jobs_due {
        count += threadpool::run_finished(owner);
        run::run_fed(owner);
    }
    let asyncs = r#async::run_collected(owner);
    if asyncs != 0 {
        run::run_fed(owner);
    }
    dispatch::run_late(owner);
    run::run_fed(owner);
    // However many handles were sent to, the wake-up is one event.
    inner.metrics.count(count + u64::from(asyncs != 0));
    count + asyncs
}
