//! The seam: what the kernel has to say, as [`Event`]s that the loop pulls.
//!
//! Two records cross it, both in the caller's memory: a [`Watch`] yields readiness until it is
//! stopped, an [`Op`] yields one result. No function pointer crosses it, and every method takes
//! `&self` for the length of one call, so a callback may come back in at any point.
//!
//! The caller also lends a table from descriptor to watch. Events carry the descriptor and a
//! generation, never a pointer, so an event that outlives its watch finds nothing and is dropped;
//! it cannot reach memory that the caller has freed since.

mod beside;
mod entry;
mod epoll;
mod fresh;
mod glance;
mod op;
mod queue;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(not(any(test, feature = "sim")))]
#[path = "sim_absent.rs"]
mod sim;
mod uring;
mod watch;

use core::cell::Cell;
use core::ptr;
use core::time::Duration;

pub use self::op::{Op, Request};
pub use self::watch::{Watch, ready};
use crate::{Errno, Result, fetch};

/// Which backend a driver is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// epoll for descriptors, and a ring beside it for files, made with the first operation.
    Epoll,
    /// An io_uring for everything; [`Driver::new`] falls back to epoll when the kernel refuses it.
    Uring,
}

/// What [`Driver::next`] hands out.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The watch's descriptor has these [`ready`] bits.
    Ready(*const Watch, u32),
    /// The op is done: the kernel's result, or its error number negated. The op's memory is the
    /// caller's again.
    Done(*const Op, i32),
}

/// Descriptor to watch, lent by the caller: `entries[fd]` is null or a live watch.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Cell<*const Cell<*const Watch>>,
    len: Cell<u32>,
}

impl Table {
    const fn new() -> Self {
        Table { entries: Cell::new(ptr::null()), len: Cell::new(0) }
    }

    /// The slot of `fd`, if the table reaches that far.
    pub(crate) fn slot(&self, fd: i32) -> Option<&Cell<*const Watch>> {
        let index = u32::try_from(fd).ok().filter(|&fd| fd < self.len.get())?;
        // SAFETY: `lend_table`'s caller vouches for `len` entries.
        Some(unsafe { &*self.entries.get().add(index as usize) })
    }

    /// Has the record that the watch of `fd` is part of fetched: it comes next.
    #[inline]
    pub(crate) fn fetch(&self, fd: i32) {
        if let Some(slot) = self.slot(fd) {
            fetch::around(slot.get().cast());
        }
    }

    /// The live watch of `fd` with this generation.
    pub(crate) fn find(&self, fd: i32, generation: u32) -> Option<&Watch> {
        // SAFETY: a non-null entry is a live watch, see `Driver::watch`.
        let watch = unsafe { self.slot(fd)?.get().as_ref()? };
        (watch.generation.get() == generation).then_some(watch)
    }
}

// The seam's one dispatch point: no other file knows that there are several backends.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per loop, in place, and most loops run the large one"
)]
enum Backend {
    Epoll(epoll::Driver),
    Uring(uring::Driver),
    #[allow(dead_code, reason = "made by tests only")]
    Sim(sim::Driver),
}

macro_rules! on_backend {
    ($self:ident, $backend:ident => $call:expr) => {
        match &$self.backend {
            Backend::Epoll($backend) => $call,
            Backend::Uring($backend) => $call,
            Backend::Sim($backend) => $call,
        }
    };
}

/// A loop's view of the kernel.
#[derive(Debug)]
pub struct Driver {
    backend: Backend,
    table: Table,
}

impl Driver {
    /// Makes a driver. `Kind::Uring` that the kernel refuses, for whatever reason, becomes epoll.
    ///
    /// # Errors
    /// What epoll_create1(2) says.
    pub fn new(kind: Kind) -> Result<Self> {
        let backend = match kind {
            Kind::Epoll => None,
            Kind::Uring => uring::Driver::new().ok().map(Backend::Uring),
        };
        let backend = match backend {
            Some(backend) => backend,
            None => Backend::Epoll(epoll::Driver::new()?),
        };
        Ok(Driver { backend, table: Table::new() })
    }

    /// What the driver runs on.
    pub fn kind(&self) -> Kind {
        match &self.backend {
            Backend::Epoll(_) => Kind::Epoll,
            Backend::Uring(_) => Kind::Uring,
            Backend::Sim(sim) => sim.kind(),
        }
    }

    /// Lends the table of `len` entries; called again whenever the caller has moved it.
    ///
    /// # Safety
    /// `entries` stays valid for `len` reads and writes until the next call or the driver's end.
    /// New entries are null; existing ones are kept.
    pub unsafe fn lend_table(&self, entries: *const Cell<*const Watch>, len: u32) {
        self.table.entries.set(entries);
        self.table.len.set(len);
    }

    /// Watches `watch.fd` for `interest` (bits of [`ready`]); on a live watch, changes the interest.
    /// The kernel may learn of it with the next [`wait`](Self::wait) only, or with
    /// [`flush`](Self::flush); what it refuses then is reported as [`ready::ERR`].
    ///
    /// # Errors
    /// As epoll_ctl(2); `NOMEM` when the lent table is too short for the descriptor; `EXIST` when
    /// another watch has it.
    ///
    /// # Safety
    /// `watch` stays valid and in place until [`unwatch`](Self::unwatch).
    pub unsafe fn watch(&self, watch: &Watch, interest: u32) -> Result<()> {
        let slot = self.table.slot(watch.fd.get()).ok_or(Errno::NOMEM)?;
        if !slot.get().is_null() && !ptr::eq(slot.get(), watch) {
            return Err(Errno::EXIST);
        }
        if watch.interest.get() == interest && !slot.get().is_null() {
            return Ok(());
        }
        on_backend!(self, backend => backend.watch(watch, interest))?;
        watch.interest.set(interest);
        slot.set(watch);
        Ok(())
    }

    /// Whether a descriptor can be watched at all: files cannot.
    ///
    /// # Errors
    /// As epoll_ctl(2): `PERM` for a kind that cannot be watched, `BADF`.
    pub fn check(&self, fd: i32) -> Result<()> {
        match crate::epoll::Epoll::new()?.add(fd, ready::IN, 0) {
            // It is the set itself, or nested too deep.
            Err(Errno::INVAL | Errno::LOOP) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Stops the watch. No event of it is handed out any more, and the kernel holds nothing of its
    /// descriptor, so that closing it next really closes it. Harmless on a watch that is off.
    pub fn unwatch(&self, watch: &Watch) {
        if watch.interest.get() == 0 {
            return;
        }
        if let Some(slot) = self.table.slot(watch.fd.get())
            && ptr::eq(slot.get(), watch)
        {
            slot.set(ptr::null());
        }
        on_backend!(self, backend => backend.unwatch(watch));
        watch.interest.set(0);
    }

    /// Stops the watch and closes its descriptor, which is then no longer the caller's. Cheaper
    /// than [`unwatch`](Self::unwatch) and close(2): a backend that queues may do both with its
    /// next system call, so a peer may learn of it a little later, and the number and the port may
    /// be free a little later ([`flush`](Self::flush) makes it now). For connected streams that is
    /// invisible. On a watch that is off, or was never on, only closes.
    pub fn unwatch_and_close(&self, watch: &Watch) {
        if let Some(slot) = self.table.slot(watch.fd.get())
            && ptr::eq(slot.get(), watch)
        {
            slot.set(ptr::null());
        }
        on_backend!(self, backend => backend.unwatch_and_close(watch));
        watch.interest.set(0);
        watch.fd.set(-1);
    }

    /// Says that a [`ready::DRAINS`] watch was not drained: `mask` is reported again in the next
    /// round, whatever the kernel says.
    pub fn again(&self, watch: &Watch, mask: u32) {
        on_backend!(self, backend => backend.again(watch, mask));
    }

    /// Says that a [`ready::DRAINS`] watch may not have been drained: if there is still something
    /// of what it wants, it is reported after the next wait, which does not sleep then. For many of
    /// them that takes one system call, and for a backend that reports again by itself none.
    pub fn unsure(&self, watch: &Watch) {
        on_backend!(self, backend => backend.unsure(watch));
    }

    /// Starts `op`.
    ///
    /// # Errors
    /// `NOSYS` when the backend has no such operation, `BUSY` when it has enough to do: the caller
    /// goes the other way. The op is not in flight then.
    ///
    /// # Safety
    /// `op`, and all memory that `request` names, stay valid and in place until `Event::Done`.
    pub unsafe fn submit(&self, op: &Op, request: &Request) -> Result<()> {
        // SAFETY: the caller's promise, handed on.
        on_backend!(self, backend => unsafe { backend.submit(op, request) })
    }

    /// Whether an op submitted now shares its system call with others: some are queued, or there are
    /// more events to hand out, whose callbacks may submit. For one alone a call of its own is cheaper.
    pub fn has_company(&self) -> bool {
        on_backend!(self, backend => backend.has_company())
    }

    /// Asks that `op` end soon. Its `Done` still comes, with whatever result it came to.
    pub fn cancel(&self, op: &Op) {
        on_backend!(self, backend => backend.cancel(op));
    }

    /// Ends `op` if it has not begun: true, and its `Done` comes with `CANCELED`; false when it is
    /// too late, and it ends as it would have.
    pub fn cancel_now(&self, op: &Op) -> bool {
        on_backend!(self, backend => backend.cancel_now(op))
    }

    /// Lets a thread of the kernel's take operations on files (`IORING_SETUP_SQPOLL`), if the driver
    /// has no ring yet and the kernel allows it. The ring of [`Kind::Uring`] stays as it is.
    pub fn poll_files(&self) {
        if let Backend::Epoll(epoll) = &self.backend {
            epoll.poll_files();
        }
    }

    /// Hands what was submitted to the kernel and takes `op`'s result if it is there at once. There
    /// is no `Done` for it then; otherwise it still comes.
    pub fn reap(&self, op: &Op) -> Option<i32> {
        on_backend!(self, backend => backend.reap(op))
    }

    /// Hands what was submitted to the kernel now instead of with the next wait.
    pub fn flush(&self) {
        on_backend!(self, backend => backend.flush());
    }

    /// A wait or a flush follows on this thread before anybody sleeps on the descriptor: a wait may
    /// look at the watches that are started until then, as at those that are started while events
    /// are handed out.
    pub fn begin_round(&self) {
        on_backend!(self, backend => backend.begin_round());
    }

    /// Waits for events, at most `timeout` (`None`: for ever), in at most one blocking system call.
    /// Zero only looks. Returns true when the kernel may have more events than it gave.
    ///
    /// # Errors
    /// `INTR` when a signal came first; anything else is a broken descriptor.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let result = on_backend!(self, backend => backend.wait(timeout));
        if result == Err(Errno::EXIST)
            && let Backend::Uring(uring) = &self.backend
        {
            // Another thread runs the loop now.
            uring.move_here(&self.table)?;
            return uring.wait(timeout);
        }
        result
    }

    /// The next event of the last wait.
    pub fn next(&self) -> Option<Event> {
        on_backend!(self, backend => backend.next(&self.table))
    }

    /// Nothing that the kernel has to say from now on is handed out before the next
    /// [`wait`](Self::wait): the caller has work that comes before the answers to what it has just
    /// sent.
    pub fn no_news(&self) {
        on_backend!(self, backend => backend.no_news());
    }

    /// Whether submitted work or events already collected are waiting, so that whoever polls
    /// [`fd`](Self::fd) from outside must not block. [`wait`](Self::wait) itself may be given any
    /// timeout: it hands over what is queued, and does not block when there is something to take.
    pub fn has_work(&self) -> bool {
        on_backend!(self, backend => backend.has_work())
    }

    /// An epoll descriptor, pollable from any thread, readable whenever there is work. Asking for
    /// it may cost the driver a little from then on.
    ///
    /// # Errors
    /// What making it pollable needs: `MFILE`, `NOMEM`.
    pub fn fd(&self) -> Result<i32> {
        on_backend!(self, backend => backend.pollable_fd())
    }

    /// In the child of a fork: makes new kernel objects and arms every live watch of the lent table
    /// anew. Ops in flight belong to the parent and are forgotten.
    ///
    /// # Errors
    /// What making the kernel objects says; the driver is as it was then.
    pub fn after_fork(&mut self) -> Result<()> {
        let fresh = Driver::new(self.kind())?;
        self.backend = fresh.backend;
        for fd in 0..self.table.len.get() {
            let Some(slot) = self.table.slot(fd as i32) else { break };
            // SAFETY: a non-null entry is a live watch.
            let Some(watch) = (unsafe { slot.get().as_ref() }) else { continue };
            let interest = watch.interest.replace(0);
            if on_backend!(self, backend => backend.watch(watch, interest)).is_ok() {
                watch.interest.set(interest);
            } else {
                slot.set(ptr::null());
            }
        }
        Ok(())
    }
}
