//! uv_run: one turn after the other.
//!
//! A turn is: fed work, idle, prepare, poll (asleep or not), fed work, check, close callbacks,
//! clock, timers. In the default mode timers also run once before the first turn.

use core::ffi::c_int;
use core::sync::atomic::{Ordering, fence};

use uvring_core::list::{self, Link};

use super::{finished, poll, registry, watch};
use crate::abi::*;
use crate::{r#async, check, close, dispatch, idle, prepare, timer};

/// Rounds of fed work after polling; what is left keeps the next turn from sleeping.
const FED_ROUNDS: u32 = 8;

/// `int uv_run(uv_loop_t*, uv_run_mode)`: runs the loop. `UV_RUN_DEFAULT`: until nothing keeps it
/// alive; `UV_RUN_ONCE`: one turn, which may sleep; `UV_RUN_NOWAIT`: one turn that does not.
///
/// # Returns
/// Not 0 when the loop is still alive (after uv_stop, or in the single-turn modes).
///
/// # Safety
/// `owner` is an initialised loop that is not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_run(owner: *mut uv_loop_t, mode: uv_run_mode) -> c_int {
    // SAFETY: the caller's promise.
    let owner = unsafe { &*owner };
    let mut alive = owner.is_alive();
    if !alive {
        owner.update_time();
    }
    let outer = owner.inner().thread.replace(registry::this_thread());
    let batch = owner.inner().batch.replace(0);
    // Run from inside a callback: what that has written so far does not wait for its end.
    super::call::send_deferred(owner);
    if mode == UV_RUN_DEFAULT && alive && owner.stop_flag.get() == 0 {
        owner.update_time();
        timer::run(owner);
    }
    while alive && owner.stop_flag.get() == 0 {
        turn(owner, mode);
        alive = owner.is_alive();
        if mode != UV_RUN_DEFAULT {
            break;
        }
    }
    owner.stop_flag.set(0);
    leave(owner);
    owner.inner().batch.set(batch);
    owner.inner().thread.set(outer);
    c_int::from(alive)
}

fn turn(owner: &uv_loop_t, mode: uv_run_mode) {
    let can_sleep = !has_fed(owner) && is_idle_free(owner);
    owner.inner().driver().begin_round();
    run_round(owner);
    idle::run(owner);
    prepare::run(owner);
    let may_sleep = mode == UV_RUN_DEFAULT || (mode == UV_RUN_ONCE && can_sleep);
    owner.inner().metrics.loop_count.set(owner.inner().metrics.loop_count.get() + 1);
    let polled = poll::run(owner, may_sleep);
    let handed_out = finished::run(owner, |job| dispatch::finished(owner, job), others_wait);
    owner.inner().metrics.count(handed_out);
    // A turn that found nothing reads the clock once only.
    if polled || handed_out != 0 || rest_waits(owner) {
        for _ in 0..FED_ROUNDS {
            if !has_fed(owner) {
                break;
            }
            run_round(owner);
        }
        check::run(owner);
        close::run(owner);
        owner.update_time();
    }
    timer::run(owner);
}

/// Leaves the loop to whoever polls its descriptor: what was queued for the kernel goes there, and
/// what came in while the loop was awake shows.
fn leave(owner: &uv_loop_t) {
    let inner = owner.inner();
    super::call::send_deferred(owner);
    inner.driver().flush();
    if let Some(bell) = inner.doorbell.get() {
        bell.sleep();
        fence(Ordering::SeqCst);
        // SAFETY: the list head of an initialised loop.
        let woken = unsafe { !list::is_empty(&raw const inner.woken) };
        if woken || poll::is_told(owner) {
            bell.ring();
        }
    }
    if inner.finished.polled.get() && !inner.finished.is_empty() {
        r#async::wake_poller(owner);
    }
}

/// Whether work was fed.
pub(super) fn has_fed(owner: &uv_loop_t) -> bool {
    // SAFETY: the list heads of an initialised loop.
    unsafe {
        !list::is_empty(&raw const owner.pending_queue)
            || !list::is_empty(&raw const owner.inner().sent)
    }
}

fn is_idle_free(owner: &uv_loop_t) -> bool {
    // SAFETY: as above.
    unsafe { list::is_empty(&raw const owner.idle_handles) }
}

/// Looks at every handle that was fed, those too that wait for this; what is fed meanwhile waits for
/// the next round.
fn run_round(owner: &uv_loop_t) {
    // SAFETY: the lists hold `pending` links of live watches, each on one of the two.
    unsafe {
        while let Some(link) = list::pop_front(&raw const owner.inner().sent) {
            list::push_back(&raw const owner.pending_queue, link);
        }
    }
    run_fed(owner);
}

/// Looks at every handle that was fed and does not wait for a round of its own.
pub(super) fn run_fed(owner: &uv_loop_t) {
    // SAFETY: the list head of an initialised loop.
    if unsafe { list::is_empty(&raw const owner.pending_queue) } {
        return;
    }
    let round = Link::new();
    // SAFETY: the list holds `pending` links of live watches; one that closes takes itself off.
    unsafe {
        list::take(&raw const owner.pending_queue, &raw const round);
        while let Some(link) = list::pop_front(&raw const round) {
            dispatch::fed(owner, watch::of_link(link));
        }
    }
}

/// Whether there is work for the rest of the turn or the start of the next, so that the callbacks of
/// what finished since come after it, as they would from another thread.
fn others_wait(owner: &uv_loop_t) -> bool {
    rest_waits(owner) || !is_idle_free(owner)
}

/// Whether there is work between polling and the timers.
fn rest_waits(owner: &uv_loop_t) -> bool {
    // SAFETY: the list heads of an initialised loop.
    let checks = unsafe { !list::is_empty(&raw const owner.check_handles) };
    checks || has_fed(owner) || !owner.closing_handles.get().is_null()
}

/// Whether a sleep would be wrong whatever the timers say.
pub(super) fn is_busy(owner: &uv_loop_t) -> bool {
    owner.stop_flag.get() != 0
        || !owner.has_active()
        || has_fed(owner)
        || !owner.inner().finished.is_empty()
        || !is_idle_free(owner)
        || !owner.closing_handles.get().is_null()
}

/// How long uv_run would sleep now, in ms; -1: for ever.
pub(super) fn backend_timeout(owner: &uv_loop_t) -> c_int {
    let inner = owner.inner();
    // SAFETY: list heads of an initialised loop; entries of its wheel are live timers.
    unsafe {
        let waiting = !list::is_empty(&raw const owner.watcher_queue)
            || !list::is_empty(&raw const inner.held)
            || !list::is_empty(&raw const inner.woken)
            || !list::is_empty(&raw const inner.ripe);
        if waiting || inner.driver().has_work() || is_busy(owner) {
            return 0;
        }
        match inner.wheel.next_due() {
            None => -1,
            Some(due) => {
                let left = due.saturating_sub(owner.time.get());
                c_int::try_from(left).unwrap_or(c_int::MAX)
            }
        }
    }
}
