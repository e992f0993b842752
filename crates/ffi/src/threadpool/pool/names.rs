//! Look-ups of names: which of the pool's threads does them.
//!
//! Look-ups of names may wait for the network for seconds, so they have threads of their own, as
//! many as there are workers at most, each started when there is none to spare. A look-up waits for
//! its turn like any other job, and goes to those threads when a worker would have begun it:
//! what is behind it does not wait for it, and what libuv could still cancel can be cancelled. When
//! nothing is behind it the worker does it himself, which spares a wake-up; half of the workers
//! never do.

use core::ptr;

use uvring_core::list::{self, Link};

use super::{Job, Locked, POOL, STACK_SIZE, Step, worker};
use crate::thread::spawn;

impl Locked {
    /// Whether a worker may do a look-up himself: enough others are left, no other job waits for
    /// one, and no more look-ups are under way than there are workers.
    pub(super) fn may_look_up(&mut self) -> bool {
        let state = self.state();
        // SAFETY: the list was initialised by `start`, under this lock.
        let is_last = POOL.inbox.0.is_empty() && unsafe { list::is_empty(&state.queue) };
        let under_way = state.looking_up + state.name_threads - state.idle_name_threads;
        is_last && state.looking_up < state.workers / 2 && under_way < state.wanted
    }

    /// Gives a look-up to the threads for names. False when there are none and none can be started.
    ///
    /// # Safety
    /// `link` is the link of a waiting look-up, on no list.
    pub(super) unsafe fn pass_on(&mut self, link: *const Link) -> bool {
        if !self.rouse_for_names() {
            return false;
        }
        // SAFETY: the caller's word; `start` initialised the list.
        unsafe { list::push_back(&self.state().names, link) };
        true
    }

    /// Has one more thread for names come, if that can be. False when there are none at all.
    pub(super) fn rouse_for_names(&mut self) -> bool {
        let state = self.state();
        if state.idle_name_threads > 0 {
            state.idle_name_threads -= 1;
            POOL.names_bed.wake();
        } else if state.name_threads + state.looking_up < state.wanted {
            let place = (2 * state.wanted - 1 - state.name_threads) as usize;
            // SAFETY: the array has room for twice `wanted`; a thread for names needs no argument.
            let code = unsafe {
                let thread = state.threads.add(place);
                spawn(thread, STACK_SIZE, worker::look_up, ptr::null_mut())
            };
            state.name_threads += u32::from(code == 0);
        }
        state.name_threads > 0
    }

    /// What a thread for names does next; `None`: it ends.
    pub(in super::super) fn next_name(&mut self) -> Option<Step> {
        let state = self.state();
        // SAFETY: the list holds the links of look-ups that are still waiting.
        unsafe {
            if let Some(link) = list::pop_front(&state.names) {
                return Some(Step::Run(Job::start(link), None));
            }
        }
        if state.names_stop {
            return None;
        }
        state.idle_name_threads += 1;
        Some(Step::Sleep)
    }
}

pub(in super::super) fn sleep_for_names() {
    POOL.names_bed.lie_down();
}

/// Hands in a look-up: it begins at once if a worker could begin it now, who does it himself or
/// leaves it to a thread for names.
///
/// # Safety
/// As for [`push`].
pub(in super::super) unsafe fn push_name(link: *const Link) {
    let mut locked = Locked::take();
    locked.take_in();
    let by_worker = locked.may_look_up();
    let state = locked.state();
    // SAFETY: the list was initialised by `start`; the caller's word on `link`.
    unsafe {
        let at_once = list::is_empty(&state.queue) && state.busy < state.workers;
        list::init(link);
        if !at_once || by_worker || !locked.pass_on(link) {
            list::push_back(&locked.state().queue, link);
            locked.tell_queue();
        }
    }
    locked.unlock_and_rouse();
}
