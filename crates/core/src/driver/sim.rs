//! The scripted backend: no kernel, and everything happens as the test wrote it down.
//!
//! State machines are tested on it against what a kernel does rarely and never on demand: short
//! transfers, `NOBUFS`, results that come late or in another order, a signal in every wait.

use core::cell::Cell;
use core::ptr;
use core::time::Duration;

use super::{Backend, Event, Kind, Op, Request, Table, Watch, ready};
use crate::list::{self, Link};
use crate::{Errno, Result};

/// Ops that may be in flight at a time; one more is refused with `AGAIN`.
const SLOTS: usize = 64;

/// What the script of a simulated driver consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The watch of `fd`, if there is one, has these [`ready`] bits, as far as it wants them.
    Ready(i32, u32),
    /// The op that was submitted as the n-th, counted from 0, ends with this result (an error
    /// number negated). A send cannot send more than it was given, so its result is clamped.
    Done(u64, i32),
    /// The wait ends with what came before this step.
    Turn,
    /// As `Turn`, and the kernel may have more events than it gave.
    More,
    /// The wait fails.
    Fail(Errno),
}

#[derive(Debug)]
struct Slot {
    op: Cell<*const Op>,
    request: Cell<Request>,
    number: Cell<u64>,
    cancelled: Cell<Cancel>,
}

/// Whether an op was asked to end; its result is ready after the next wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    No,
    Asked,
    Ready,
}

/// The simulated driver: what [`super::Driver::simulation`] lets a test look at.
#[derive(Debug)]
pub struct Driver {
    plays: Kind,
    script: &'static [Step],
    /// The next step to hand out, and where the present turn's steps end.
    at: Cell<usize>,
    turn: Cell<usize>,
    slots: [Slot; SLOTS],
    submitted: Cell<u64>,
    strays: Cell<usize>,
    closed: Cell<usize>,
    /// Watches to report again after the next wait, and those to report now. The heads are put
    /// into place with the first one.
    again: Link,
    repeated: Link,
}

impl super::Driver {
    /// A driver without a kernel that acts out `script`, as a driver of the kind `plays` would:
    /// one that plays epoll offers no ops. It cannot be polled, and [`after_fork`](Self::after_fork)
    /// makes a real one of it.
    ///
    /// When the script has ended, waiting finds nothing, and waiting for ever is `DEADLK`.
    pub fn sim(plays: Kind, script: &'static [Step]) -> Self {
        let backend = Backend::Sim(Driver::new(plays, script));
        super::Driver { backend, table: Table::new() }
    }

    /// The simulation, if this is one.
    pub fn simulation(&self) -> Option<&Driver> {
        match &self.backend {
            Backend::Sim(sim) => Some(sim),
            _ => None,
        }
    }
}

impl Driver {
    fn new(plays: Kind, script: &'static [Step]) -> Self {
        let slot = || Slot {
            op: Cell::new(ptr::null()),
            request: Cell::new(Request::Nop),
            number: Cell::new(0),
            cancelled: Cell::new(Cancel::No),
        };
        Driver {
            plays,
            script,
            at: Cell::new(0),
            turn: Cell::new(0),
            slots: core::array::from_fn(|_| slot()),
            submitted: Cell::new(0),
            strays: Cell::new(0),
            closed: Cell::new(0),
            again: Link::new(),
            repeated: Link::new(),
        }
    }

    /// How many ops were submitted so far; the last one has this number less one.
    pub fn submitted(&self) -> u64 {
        self.submitted.get()
    }

    /// What the op of this number asked for, while its slot has not been used again.
    pub fn request(&self, number: u64) -> Option<Request> {
        if number >= self.submitted.get() {
            return None;
        }
        self.slots.iter().find(|slot| slot.number.get() == number).map(|slot| slot.request.get())
    }

    /// How many ops are in flight.
    pub fn in_flight(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.op.get().is_null()).count()
    }

    /// How many steps of the script named an op that was not in flight: the script or the state
    /// machine is wrong.
    pub fn strays(&self) -> usize {
        self.strays.get()
    }

    /// How many descriptors were closed through the driver.
    pub fn closed(&self) -> usize {
        self.closed.get()
    }

    pub(super) fn kind(&self) -> Kind {
        self.plays
    }

    pub(super) fn watch(&self, watch: &Watch, _interest: u32) -> Result<()> {
        if watch.fd.get() < 0 { Err(Errno::BADF) } else { Ok(()) }
    }

    pub(super) fn unwatch(&self, watch: &Watch) {
        self.settle(watch);
    }

    pub(super) fn unwatch_and_close(&self, watch: &Watch) {
        self.settle(watch);
        self.closed.set(self.closed.get() + usize::from(watch.fd.get() >= 0));
    }

    /// What is left is for the script to report.
    pub(super) fn unsure(&self, _watch: &Watch) {}

    pub(super) fn again(&self, watch: &Watch, mask: u32) {
        // SAFETY: the head is in place while the driver is shared; a watch that is on stays in
        // place until `unwatch`, which takes it off the list.
        unsafe {
            if list::is_empty(&raw const watch.rearm) {
                if list::is_empty(&raw const self.again) {
                    list::init(&raw const self.again);
                }
                if list::is_empty(&raw const self.repeated) {
                    list::init(&raw const self.repeated);
                }
                list::push_back(&raw const self.again, &raw const watch.rearm);
                watch.state.set(0);
            }
        }
        watch.state.set(watch.state.get() | mask);
    }

    pub(super) unsafe fn submit(&self, op: &Op, request: &Request) -> Result<()> {
        if self.plays == Kind::Epoll {
            return Err(Errno::NOSYS);
        }
        let free = self.slots.iter().find(|slot| slot.op.get().is_null());
        let slot = free.ok_or(Errno::AGAIN)?;
        let number = self.submitted.get();
        self.submitted.set(number + 1);
        slot.op.set(op);
        slot.request.set(*request);
        slot.number.set(number);
        slot.cancelled.set(Cancel::No);
        // Not 0: that would say that it is not in flight.
        op.state.set(number + 1);
        Ok(())
    }

    pub(super) fn has_company(&self) -> bool {
        true
    }

    pub(super) fn cancel(&self, op: &Op) {
        if let Some(slot) = self.slots.iter().find(|slot| ptr::eq(slot.op.get(), op)) {
            slot.cancelled.set(Cancel::Asked);
        }
    }

    pub(super) fn cancel_now(&self, op: &Op) -> bool {
        self.cancel(op);
        op.in_flight()
    }

    /// Completions come in the script's order only.
    pub(super) fn reap(&self, _op: &Op) -> Option<i32> {
        None
    }

    pub(super) fn flush(&self) {}

    pub(super) fn begin_round(&self) {}

    pub(super) fn no_news(&self) {}

    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        // SAFETY: both heads are the driver's own, and watches on them are live.
        unsafe {
            if !list::is_empty(&raw const self.again) {
                list::append(&raw const self.again, &raw const self.repeated);
            }
        }
        for slot in self.slots.iter().filter(|slot| slot.cancelled.get() == Cancel::Asked) {
            slot.cancelled.set(Cancel::Ready);
        }
        let start = self.turn.get();
        let rest = self.script.get(start..).unwrap_or(&[]);
        let ends = |step: &Step| matches!(step, Step::Turn | Step::More | Step::Fail(_));
        let end = start + rest.iter().position(ends).unwrap_or(rest.len());
        self.at.set(start);
        // The step that ends the turn is no event; `next` passes over it.
        self.turn.set((end + 1).min(self.script.len()));
        match self.script.get(end) {
            Some(Step::Fail(errno)) => Err(*errno),
            Some(Step::More) => Ok(true),
            None if timeout.is_none() && !self.has_work() => Err(Errno::DEADLK),
            _ => Ok(false),
        }
    }

    pub(super) fn next(&self, table: &Table) -> Option<Event> {
        while self.at.get() < self.turn.get() {
            let step = self.script[self.at.get()];
            self.at.set(self.at.get() + 1);
            let event = match step {
                Step::Ready(fd, mask) => self.ready(table, fd, mask),
                Step::Done(number, result) => {
                    let event = self.done(|slot| slot.number.get() == number, result);
                    self.strays.set(self.strays.get() + usize::from(event.is_none()));
                    event
                }
                Step::Turn | Step::More | Step::Fail(_) => None,
            };
            if event.is_some() {
                return event;
            }
        }
        // SAFETY: watches on the list are live, see `again`.
        let repeated = unsafe { list::first(&raw const self.repeated) };
        if let Some(link) = repeated {
            // SAFETY: the link is the `rearm` of a live watch.
            let watch =
                unsafe { &*link.byte_sub(core::mem::offset_of!(Watch, rearm)).cast::<Watch>() };
            let mask = watch.state.get();
            self.settle(watch);
            return Some(Event::Ready(watch, mask));
        }
        self.done(|slot| slot.cancelled.get() == Cancel::Ready, -Errno::CANCELED.raw_os_error())
    }

    pub(super) fn has_work(&self) -> bool {
        // SAFETY: the heads are the driver's own.
        let again = unsafe {
            !list::is_empty(&raw const self.again) || !list::is_empty(&raw const self.repeated)
        };
        let due = |step: &Step| matches!(step, Step::Ready(..) | Step::Done(..));
        again
            || self.script[self.at.get()..self.turn.get()].iter().any(due)
            || self.slots.iter().any(|slot| slot.cancelled.get() != Cancel::No)
    }

    pub(super) fn pollable_fd(&self) -> Result<i32> {
        Err(Errno::NOSYS)
    }

    fn ready(&self, table: &Table, fd: i32, mask: u32) -> Option<Event> {
        // SAFETY: a non-null entry of the table is a live watch.
        let watch = unsafe { table.slot(fd)?.get().as_ref()? };
        let mask = mask & (watch.interest.get() | ready::ERR | ready::HUP);
        (mask != 0).then_some(Event::Ready(watch, mask))
    }

    /// Ends the op in flight that `wanted` picks.
    fn done(&self, wanted: impl Fn(&Slot) -> bool, result: i32) -> Option<Event> {
        let slot = self.slots.iter().find(|slot| !slot.op.get().is_null() && wanted(slot))?;
        let op = slot.op.replace(ptr::null());
        slot.cancelled.set(Cancel::No);
        let result = match slot.request.get() {
            Request::Send { len, .. } => result.min(i32::try_from(len).unwrap_or(i32::MAX)),
            _ => result,
        };
        // SAFETY: an op in flight is live.
        unsafe { (*op).state.set(0) };
        Some(Event::Done(op, result))
    }

    /// Takes `watch` off the list of those to report again.
    fn settle(&self, watch: &Watch) {
        // SAFETY: the watch is live, and so are its neighbours on the list.
        unsafe {
            if !list::is_empty(&raw const watch.rearm) {
                list::remove(&raw const watch.rearm);
            }
        }
        watch.state.set(0);
    }
}
