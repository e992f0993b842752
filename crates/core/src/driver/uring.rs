//! The io_uring backend: watches are polls in the ring, ops are entries, one enter a turn.
//!
//! A watch that is started or changed is queued and armed with the next enter, so that starting
//! and stopping within one turn costs nothing. Watches that drain, or want edges, are multishot
//! polls; the others are polls for one report, armed again before the next wait. So is the first
//! poll of a watch that drains: a connection that lives for one exchange then ends with no poll to
//! cancel, which costs more than arming a second time. And a watch that drains and is started while
//! events are handed out is looked at before it gets a poll at all, see `fresh`.
//!
//! The ring is made disabled and belongs to the thread that first enters it. When another thread
//! runs the loop later, the kernel says EXIST and [`Driver::move_here`] starts over with a new ring.

mod make;
mod poll;
mod token;
mod unsure;

use core::cell::{Cell, OnceCell, UnsafeCell};
use core::ptr;
use core::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};

use self::make::new_ring;
use self::poll::{
    AGAIN, ARMED, MASK_BITS, MASK_SHIFT, QUEUED, SETTLED, cancel, cancel_poll, clear, has, poll,
    poll_token, wanted,
};
use self::token::{GENERATIONS, Token};
use self::unsure::Unsure;
use super::entry;
use super::fresh::Fresh;
use super::op::SUBMITTED;
use super::queue::Queue;
use super::{Event, Op, Request, Table, Watch, ready};
use crate::epoll::Epoll;
use crate::uring::sqe::{CancelFlags, SqeFlags};
use crate::uring::{Cqe, Ring, Sqe};
use crate::{Errno, Result, fetch};

/// Completions handed out in one round: the kernel brings about 20 with an enter, and there may be
/// more before the others get their turn.
const ROUND: u32 = 1024;
/// Enters that [`Driver::unwatch`] spends at most on seeing a poll end.
const PATIENCE: u32 = 256;

#[derive(Debug)]
pub(super) struct Driver {
    ring: UnsafeCell<Ring>,
    /// Watches to look at before the next wait: to be armed, or with something to report again.
    todo: Queue,
    /// Watches to report in this round, whatever the kernel says.
    again: Queue,
    fresh: Fresh,
    unsure: Unsure,
    generation: Cell<u32>,
    in_flight: Cell<u32>,
    /// Polls that are queued to be cancelled. Each brings one completion that nobody wants (its
    /// own last one, or that nothing was found to cancel), so a wait waits for one more.
    dying: Cell<u32>,
    /// Completions that may still be handed out before the next wait.
    budget: Cell<u32>,
    /// Between a wait, or the word that one follows, and the `None` that ends its events.
    in_round: Cell<bool>,
    pollable: OnceCell<Pollable>,
}

/// What [`Driver::pollable_fd`] hands out: an epoll set with an eventfd that the ring signals.
#[derive(Debug)]
struct Pollable {
    epoll: Epoll,
    event: OwnedFd,
}

impl Pollable {
    fn signal(&self) {
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    fn clear(&self) {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
    }
}

impl Driver {
    pub(super) fn new() -> Result<Self> {
        Ok(Driver {
            ring: UnsafeCell::new(new_ring()?),
            todo: Queue::new(),
            again: Queue::new(),
            fresh: Fresh::new(),
            unsure: Unsure::new(),
            generation: Cell::new(0),
            in_flight: Cell::new(0),
            dying: Cell::new(0),
            budget: Cell::new(0),
            in_round: Cell::new(false),
            pollable: OnceCell::new(),
        })
    }

    fn ring(&self) -> &Ring {
        // SAFETY: only `move_here` replaces it, and holds no reference from here meanwhile.
        unsafe { &*self.ring.get() }
    }

    pub(super) fn watch(&self, watch: &Watch, interest: u32) -> Result<()> {
        if watch.interest.get() == 0 {
            if interest & (ready::DRAINS | ready::EDGE) == 0 {
                can_be_polled(watch.fd.get())?;
            }
            watch.state.set(0);
            watch.generation.set(self.fresh_generation());
            if self.in_round.get() && interest & ready::DRAINS != 0 {
                self.fresh.push(watch);
            }
        } else if has(watch, ARMED) {
            self.cancel_later(watch)?;
            clear(watch, ARMED);
            // A report for the old interest that is already under way is dropped.
            watch.generation.set(self.fresh_generation());
        }
        watch.interest.set(interest);
        if !Fresh::holds(watch) {
            self.enqueue(watch);
            self.flush_for_embedder();
        }
        Ok(())
    }

    pub(super) fn unwatch(&self, watch: &Watch) {
        if self.forget(watch) {
            self.end_poll_now(watch);
        }
    }

    /// Ends the watch and closes its descriptor, in the kernel with the next enter if that saves
    /// an enter of its own.
    pub(super) fn unwatch_and_close(&self, watch: &Watch) {
        let armed = self.forget(watch);
        let fd = watch.fd.get();
        let ours = self.ring().is_ours();
        // Entries for this descriptor may be queued: they go first.
        let queue = ours && (armed || self.ring().pending() > 0);
        if armed && ours && self.cancel_later(watch).is_err() {
            self.end_poll_now(watch);
        }
        let close = Sqe::close(fd)
            .user_data(Token::Close { fd }.encode())
            .flags(SqeFlags::CQE_SKIP_SUCCESS);
        if queue && self.push(close).is_ok() {
            self.flush_for_embedder();
        } else if fd >= 0 {
            // SAFETY: the caller gives the descriptor away.
            unsafe { rustix::io::close(fd) };
        }
    }

    /// Takes the watch off the queues; true when a poll of it may be in the kernel.
    fn forget(&self, watch: &Watch) -> bool {
        if Fresh::holds(watch) {
            self.fresh.forget(watch);
        }
        self.unsure.forget(watch);
        // SAFETY: the bits say on which queue the watch is.
        unsafe {
            if has(watch, QUEUED) {
                self.todo.remove(watch);
            }
            if has(watch, AGAIN) {
                self.again.remove(watch);
            }
        }
        let armed = has(watch, ARMED);
        watch.state.set(0);
        armed
    }

    /// Sees to it that the kernel holds nothing of the watch's descriptor any more.
    fn end_poll_now(&self, watch: &Watch) {
        let ring = self.ring();
        let poll = poll_token(watch).encode();
        let cancel = cancel_poll(watch);
        if self.push(cancel).is_err() {
            return;
        }
        let mut mark = ring.mark();
        for _ in 0..PATIENCE {
            if self.look().is_err() {
                // Another thread's ring (or a parent's): it goes with `move_here`.
                return;
            }
            for cqe in ring.since(mark) {
                let ended = cqe.user_data == poll && !cqe.more();
                // Nothing found: it had ended before, and its last report is waiting to be taken.
                let gone =
                    cqe.user_data == cancel.get_user_data() && cqe.result() == Err(Errno::NOENT);
                if ended || gone {
                    if ring.ready() == 1 {
                        // Else the next wait would not block, for the sake of this one.
                        ring.pop();
                    }
                    return;
                }
            }
            mark = ring.mark();
            if !ring.wants_enter() && self.push(cancel).is_err() {
                return;
            }
        }
    }

    pub(super) fn again(&self, watch: &Watch, mask: u32) {
        if Fresh::holds(watch) {
            // The next look finds what is left.
            return;
        }
        self.unsure.forget(watch);
        let state = watch.state.get();
        watch.state.set(state | (mask & MASK_BITS) << MASK_SHIFT);
        self.enqueue(watch);
    }

    /// A poll for one report looks anew when it is armed again.
    pub(super) fn unsure(&self, watch: &Watch) {
        self.unsure.push(watch);
    }

    pub(super) unsafe fn submit(&self, op: &Op, request: &Request) -> Result<()> {
        let ring = self.ring();
        if !ring.is_ours() {
            return Err(Errno::NOSYS);
        }
        if op.in_flight() {
            return Err(Errno::ALREADY);
        }
        // Their completions must find room beside those of the watches.
        if self.in_flight.get() >= ring.capacity().saturating_sub(make::RESERVED) {
            return Err(Errno::BUSY);
        }
        // SAFETY: the memory stays valid until the completion, by the caller's promise.
        let sqe = unsafe { entry::encode(request) };
        let address = (&raw const *op).expose_provenance();
        self.push(sqe.user_data(Token::Op(address).encode()))?;
        op.state.set(SUBMITTED);
        self.in_flight.set(self.in_flight.get() + 1);
        self.flush_for_embedder();
        Ok(())
    }

    pub(super) fn has_company(&self) -> bool {
        let ring = self.ring();
        ring.pending() > 0 || ring.ready() > 0 || self.has_found()
    }

    /// Whether there is something to hand out that is not in the ring.
    fn has_found(&self) -> bool {
        !self.again.is_empty() || self.fresh.has_found() || self.unsure.has_found()
    }

    pub(super) fn cancel(&self, op: &Op) {
        if !op.in_flight() {
            return;
        }
        let target = (&raw const *op).addr() as u64;
        let sqe = Sqe::cancel(target, CancelFlags::empty()).flags(SqeFlags::CQE_SKIP_SUCCESS);
        if self.push(sqe).is_err() {
            let _ = self.ring().cancel_now(target, Duration::from_millis(1));
        }
        self.flush_for_embedder();
    }

    pub(super) fn cancel_now(&self, op: &Op) -> bool {
        let cancelled =
            entry::cancel_now(self.ring(), op, Token::Op((&raw const *op).addr()).encode());
        self.flush_for_embedder();
        cancelled
    }

    pub(super) fn reap(&self, op: &Op) -> Option<i32> {
        if !op.in_flight() {
            return None;
        }
        self.hand_over();
        let cqe = self.ring().take(Token::Op((&raw const *op).addr()).encode())?;
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        Some(entry::settle(op, cqe.raw()))
    }

    pub(super) fn flush(&self) {
        self.fresh.give_all(&|watch| self.get_to_know(watch));
        self.unsure.look();
        self.hand_over();
    }

    fn hand_over(&self) {
        // What cannot go now goes with the next wait, which reports the error.
        if self.arm_all().is_ok() && self.ring().pending() > 0 {
            let _ = self.look();
        }
    }

    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let ring = self.ring();
        if !ring.is_ours() {
            return Err(Errno::BADF);
        }
        if let Some(pollable) = self.pollable.get() {
            // Before looking, so that what comes after the look signals anew.
            pollable.clear();
        }
        self.budget.set(ROUND);
        self.in_round.set(true);
        self.fresh.look(&|watch| self.get_to_know(watch));
        self.unsure.look();
        self.arm_all()?;
        let at_hand = || self.has_found() || ring.ready() > 0;
        let entered = if !at_hand() && timeout != Some(Duration::ZERO) {
            ring.enter_for(1 + self.dying.replace(0), timeout)
        } else if ring.pending() > 0 || (ring.ready() == 0 && ring.wants_enter()) {
            self.look()
        } else {
            Ok(0)
        };
        match entered {
            Ok(_) | Err(Errno::TIME) => Ok(false),
            // First what there is; the reason comes again with the next wait.
            Err(_) if at_hand() => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn next(&self, table: &Table) -> Option<Event> {
        let ring = self.ring();
        while let Some(watch) = self.again.first() {
            // SAFETY: the first of the queue is on it.
            unsafe { self.again.remove(watch) };
            let asked = watch.state.get() >> MASK_SHIFT;
            watch.state.set(watch.state.get() & (ARMED | QUEUED | SETTLED));
            if !has(watch, ARMED) {
                self.enqueue(watch);
            }
            let mask = wanted(watch, asked);
            if mask != 0 {
                return Some(Event::Ready(watch, mask));
            }
        }
        while self.budget.get() > 0 {
            let Some(cqe) = ring.pop() else {
                // One enter for what comes while all of these are handed out, not one for each.
                if let Some((watch, mask)) = self.fresh.next() {
                    return Some(Event::Ready(watch, mask));
                }
                // What was queued meanwhile goes out with the same enter.
                if ring.wants_enter() && self.look().is_ok() && ring.ready() > 0 {
                    continue;
                }
                break;
            };
            self.budget.set(self.budget.get() - 1);
            match ring.first().map(|next| Token::decode(next.user_data)) {
                Some(Token::Poll { fd, .. }) => table.fetch(fd),
                Some(Token::Op(address)) => fetch::around(ptr::without_provenance(address)),
                _ => {}
            }
            if let Some(event) = self.event(cqe, table) {
                return Some(event);
            }
        }
        if let Some((watch, mask)) = self.fresh.next().or_else(|| self.unsure.next()) {
            return Some(Event::Ready(watch, mask));
        }
        self.end_round();
        None
    }

    pub(super) fn no_news(&self) {
        self.budget.set(self.budget.get().min(self.ring().ready()));
    }

    pub(super) fn begin_round(&self) {
        self.in_round.set(true);
    }

    fn end_round(&self) {
        self.in_round.set(false);
        if let Some(pollable) = self.pollable.get() {
            self.flush();
            if self.ring().ready() > 0 || !self.todo.is_empty() || self.has_found() {
                pollable.signal();
            }
        }
    }

    fn event(&self, cqe: Cqe, table: &Table) -> Option<Event> {
        match Token::decode(cqe.user_data) {
            Token::Poll { fd, generation } => {
                let watch = table.find(fd, generation)?;
                if !cqe.more() {
                    watch.state.set(watch.state.get() & !ARMED | SETTLED);
                }
                let mask = match cqe.result() {
                    // Ended from outside, as when the thread that armed it has exited.
                    Err(Errno::CANCELED) => 0,
                    // Not a descriptor any more: as poll(2) has it, and not armed again.
                    Err(_) => return Some(Event::Ready(watch, ready::ERR)),
                    Ok(mask) => mask,
                };
                self.unsure.told(watch, mask);
                if !has(watch, ARMED) {
                    self.enqueue(watch);
                }
                let mask = wanted(watch, mask);
                (mask != 0).then_some(Event::Ready(watch, mask))
            }
            Token::Op(address) => {
                let op: *const Op = ptr::with_exposed_provenance(address);
                self.in_flight.set(self.in_flight.get().saturating_sub(1));
                // SAFETY: an op stays in place until this completion, by `submit`'s promise.
                Some(Event::Done(op, entry::settle(unsafe { &*op }, cqe.raw())))
            }
            Token::Cancel { fd, generation } => {
                // It ran just then and is still armed: once more, until it is gone.
                if cqe.result() == Err(Errno::ALREADY) {
                    let poll = Token::Poll { fd, generation };
                    let _ = self.push(cancel(poll));
                }
                None
            }
            Token::Close { .. } | Token::None => None,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        let ring = self.ring();
        ring.is_ours()
            && (!self.todo.is_empty()
                || !self.again.is_empty()
                || !self.fresh.is_empty()
                || !self.unsure.is_empty()
                || ring.pending() > 0
                || ring.ready() > 0
                || ring.wants_enter())
    }

    pub(super) fn pollable_fd(&self) -> Result<i32> {
        if let Some(pollable) = self.pollable.get() {
            return Ok(pollable.epoll.fd());
        }
        let epoll = Epoll::new()?;
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        epoll.add(event.as_raw_fd(), ready::IN, 0)?;
        self.ring().register_eventfd(event.as_fd())?;
        let pollable = self.pollable.get_or_init(|| Pollable { epoll, event });
        self.flush();
        if self.ring().ready() > 0 || self.ring().wants_enter() {
            pollable.signal();
        }
        Ok(pollable.epoll.fd())
    }

    /// The loop runs in another thread now: makes a ring that belongs to this one and arms every
    /// live watch again. What was queued goes along.
    ///
    /// # Errors
    /// `EXIST` while ops of the other thread are in flight, else what making the ring says. The
    /// driver is as it was then.
    pub(super) fn move_here(&self, table: &Table) -> Result<()> {
        let old = self.ring();
        let is_op = |sqe: &Sqe| matches!(Token::decode(sqe.get_user_data()), Token::Op(_));
        if old.untaken().filter(is_op).count() != self.in_flight.get() as usize {
            return Err(Errno::EXIST);
        }
        let fresh = make::another_ring()?;
        if let Some(pollable) = self.pollable.get() {
            fresh.register_eventfd(pollable.event.as_fd())?;
        }
        let closes = |sqe: &Sqe| matches!(Token::decode(sqe.get_user_data()), Token::Close { .. });
        for sqe in old.untaken().filter(|sqe| is_op(sqe) || closes(sqe)) {
            fresh.push(sqe)?;
        }
        // SAFETY: `old` is used no more, and no caller up the stack holds a reference: `wait` has
        // returned. The old ring is dropped here, and with it whatever it had armed.
        unsafe { *self.ring.get() = fresh };
        self.dying.set(0);
        for fd in 0.. {
            let Some(slot) = table.slot(fd) else { break };
            // SAFETY: a non-null entry is a live watch.
            if let Some(watch) = unsafe { slot.get().as_ref() }
                && !Fresh::holds(watch)
            {
                clear(watch, ARMED);
                watch.generation.set(self.fresh_generation());
                self.enqueue(watch);
            }
        }
        Ok(())
    }

    /// Queues an entry; when there is no room, hands over what there is first.
    fn push(&self, sqe: Sqe) -> Result<()> {
        let ring = self.ring();
        match ring.push(sqe) {
            Err(Errno::BUSY) => {
                // What is dying may be over before the next wait.
                self.dying.set(0);
                ring.submit()?;
                ring.push(sqe)
            }
            other => other,
        }
    }

    fn look(&self) -> Result<u32> {
        self.dying.set(0);
        self.ring().look()
    }

    /// Cancels the watch's poll with the next enter.
    fn cancel_later(&self, watch: &Watch) -> Result<()> {
        self.push(cancel_poll(watch))?;
        self.dying.set(self.dying.get() + 1);
        Ok(())
    }

    /// Takes a watch that was looked at in vain.
    fn get_to_know(&self, watch: &Watch) -> Result<()> {
        self.enqueue(watch);
        Ok(())
    }

    fn enqueue(&self, watch: &Watch) {
        self.unsure.forget(watch);
        // On `again` it is reported in this round; what it then wants comes here again.
        if !has(watch, QUEUED | AGAIN) {
            watch.state.set(watch.state.get() | QUEUED);
            // SAFETY: on no queue; `unwatch` takes it off before its memory goes.
            unsafe { self.todo.push(watch) };
        }
    }

    /// Queues a poll for each watch that has none, but for those about to be reported again: they
    /// may end with that.
    fn arm_all(&self) -> Result<()> {
        if !self.ring().is_ours() {
            return Err(Errno::BADF);
        }
        while let Some(watch) = self.todo.first() {
            let reported = watch.state.get() >> MASK_SHIFT != 0;
            if !has(watch, ARMED) && !reported {
                self.push(poll(watch))?;
                watch.state.set(watch.state.get() | ARMED);
            }
            // SAFETY: the first of the queue is on it, and on no other.
            unsafe { self.todo.remove(watch) };
            clear(watch, QUEUED);
            if reported {
                watch.state.set(watch.state.get() | AGAIN);
                // SAFETY: just taken off the only queue it was on.
                unsafe { self.again.push(watch) };
            }
        }
        Ok(())
    }

    /// Once somebody polls the descriptor, nobody may come to submit what is queued here.
    fn flush_for_embedder(&self) {
        if self.pollable.get().is_some() && !self.in_round.get() {
            self.flush();
        }
    }

    fn fresh_generation(&self) -> u32 {
        let generation = self.generation.get().wrapping_add(1) & GENERATIONS;
        self.generation.set(generation);
        generation
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Descriptors that were given to us to close, and went out with no enter since.
        let ring = self.ring();
        if ring.pending() > 0 && ring.look().is_err() {
            for sqe in ring.untaken() {
                if let Token::Close { fd } = Token::decode(sqe.get_user_data()) {
                    // SAFETY: given away by `unwatch_and_close`, and closed nowhere else.
                    unsafe { rustix::io::close(fd) };
                }
            }
        }
    }
}

/// The error that epoll_ctl(2) gives for a descriptor that is closed or has nothing to wait for.
/// A ring would report it late, or report a file as always ready.
fn can_be_polled(fd: i32) -> Result<()> {
    Epoll::new()?.add(fd, 0, 0)
}
