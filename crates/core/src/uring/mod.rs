//! A ring: submissions and completions shared with the kernel. See io_uring(7).
//!
//! One file for each part: `setup` asks the kernel for a ring, `map` maps it, `sq` and `cq` are
//! its two queues, `sqe` encodes what is submitted, `buf_ring` lends buffers, `probe` asks what
//! the kernel knows, `process` tells a forked child from its parent.
//!
//! [`Ring`] is for one thread at a time. In a child of the process that made it, every call but
//! drop is refused with `BADF` and touches nothing.

mod buf_ring;
mod cq;
mod map;
mod probe;
mod process;
mod setup;
mod sq;
pub mod sqe;

use core::cell::Cell;
use core::ffi::c_void;
use core::sync::atomic::{Ordering, fence};
use core::time::Duration;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io_uring as sys;
use rustix::io_uring::{IoringEnterFlags, IoringFeatureFlags, IoringRegisterOp, Timespec};
use rustix::thread::{Pid, gettid};

pub use self::buf_ring::BufRing;
use self::cq::Cq;
pub use self::cq::Cqe;
use self::map::Map;
pub use self::probe::Probe;
pub use self::setup::Config;
use self::sq::Sq;
pub use self::sqe::{Opcode, Slot, Sqe};
use crate::{Errno, Result};
pub use rustix::io_uring::IoringSetupFlags as SetupFlags;

/// `IORING_FEAT_NO_IOWAIT` and `IORING_ENTER_NO_IOWAIT`, Linux 6.15.
const FEAT_NO_IOWAIT: IoringFeatureFlags = IoringFeatureFlags::from_bits_retain(1 << 17);
const ENTER_NO_IOWAIT: IoringEnterFlags = IoringEnterFlags::from_bits_retain(1 << 7);

/// An io_uring instance, closed on drop.
///
/// Whatever was submitted with pointers must be complete before the drop: the kernel cancels what
/// is left, but some time after the descriptor is closed.
#[derive(Debug)]
pub struct Ring {
    sq: Sq,
    cq: Cq,
    // Unmapped after the queues that point into them are gone, before the descriptor is closed.
    rings: Map,
    _sqes: Map,
    fd: OwnedFd,
    flags: SetupFlags,
    features: IoringFeatureFlags,
    enabled: Cell<bool>,
    /// The ring's number in the table of the thread that registered it.
    registered: Cell<Option<(u32, Pid)>>,
}

impl Ring {
    /// Makes a ring with as many of the wanted flags as the kernel has.
    ///
    /// # Errors
    /// As io_uring_setup(2): `PERM` where it is forbidden, `NOSYS` before Linux 5.11, `NOMEM`,
    /// `MFILE`, `INVAL` when a required flag is unknown.
    pub fn new(config: &Config) -> Result<Self> {
        let (fd, params) = setup::setup(config)?;
        let sq_end = u64::from(params.sq_off.array) + u64::from(params.sq_entries) * 4;
        let cq_end = u64::from(params.cq_off.cqes) + u64::from(params.cq_entries) * 16;
        let rings_len = usize::try_from(sq_end.max(cq_end)).map_err(|_| Errno::NOMEM)?;
        let rings = Map::of_ring(fd.as_fd(), sys::IORING_OFF_SQ_RING, rings_len)?;
        let sqes_len = params.sq_entries as usize * size_of::<Sqe>();
        let sqes = Map::of_ring(fd.as_fd(), sys::IORING_OFF_SQES, sqes_len)?;
        Ok(Ring {
            sq: Sq::new(&params, &rings, &sqes)?,
            cq: Cq::new(&params, &rings)?,
            rings,
            _sqes: sqes,
            fd,
            flags: params.flags,
            features: params.features,
            enabled: Cell::new(!params.flags.contains(SetupFlags::R_DISABLED)),
            registered: Cell::new(None),
        })
    }

    /// The flags that the kernel accepted.
    pub fn flags(&self) -> SetupFlags {
        self.flags
    }

    /// The ring's descriptor. With `DEFER_TASKRUN` it does not become readable by itself: register
    /// an eventfd.
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Whether this process made the ring.
    pub fn is_ours(&self) -> bool {
        self.rings.is_here()
    }

    /// Starts a ring that was made disabled. With `SINGLE_ISSUER` it belongs to the calling thread
    /// from now on. Harmless when it is running.
    ///
    /// # Errors
    /// `BADF` in a forked child; as io_uring_register(2).
    pub fn enable(&self) -> Result<()> {
        if self.enabled.get() {
            return Ok(());
        }
        // SAFETY: names no memory.
        unsafe { self.register(IoringRegisterOp::RegisterEnableRings, core::ptr::null(), 0) }?;
        self.enabled.set(true);
        Ok(())
    }

    /// Enters the descriptor into the calling thread's own table, which makes each enter a little
    /// cheaper. Harmless when it is there, or when it cannot be had; tells whether it is there.
    ///
    /// # Safety
    /// Only the calling thread enters this ring from now on: in another the number may mean
    /// another ring, whose entries would go out.
    pub unsafe fn register_ring_fd(&self) -> bool {
        if self.registered.get().is_some() {
            return true;
        }
        let mut update = sys::io_uring_files_update::default();
        update.offset = u32::MAX;
        update.fds = sys::io_uring_ptr::new(self.fd.as_raw_fd() as usize as *mut c_void);
        let op = IoringRegisterOp::RegisterRingFds;
        // SAFETY: the kernel writes its choice into `update`; the "pointer" in it is a descriptor.
        if unsafe { self.register(op, (&raw mut update).cast(), 1) } == Ok(1) {
            self.registered.set(Some((update.offset, gettid())));
        }
        self.registered.get().is_some()
    }

    /// Has `event_fd` signalled whenever there is something to take, or to enter for.
    ///
    /// # Errors
    /// As io_uring_register(2): `BUSY` when there is one, `EXIST` in a thread that the ring does
    /// not belong to.
    pub fn register_eventfd(&self, event_fd: BorrowedFd<'_>) -> Result<()> {
        let number = event_fd.as_raw_fd();
        let op = IoringRegisterOp::RegisterEventfd;
        // SAFETY: the kernel reads one descriptor from `number`.
        unsafe { self.register(op, (&raw const number).cast(), 1) }.map(drop)
    }

    /// io_uring_register(2) on this ring.
    ///
    /// # Safety
    /// As the manual page says for `op`.
    pub unsafe fn register(
        &self,
        op: IoringRegisterOp,
        arg: *const c_void,
        count: u32,
    ) -> Result<u32> {
        if !self.is_ours() {
            return Err(Errno::BADF);
        }
        // SAFETY: the caller's promise.
        unsafe { sys::io_uring_register(&self.fd, op, arg, count) }
    }

    /// Cancels, before it returns, the request that carries `target`. Its completion comes as ever.
    ///
    /// # Errors
    /// `NOENT` when there is none, `ALREADY` when it runs and cannot be stopped, `TIME` after
    /// `limit`; `INVAL` before Linux 6.0.
    pub fn cancel_now(&self, target: u64, limit: Duration) -> Result<()> {
        let mut request = sys::io_uring_sync_cancel_reg::default();
        request.addr = target.into();
        request.fd = -1;
        request.timeout = timespec(limit);
        let op = IoringRegisterOp::RegisterSyncCancel;
        // SAFETY: the kernel reads `request` during the call.
        unsafe { self.register(op, (&raw const request).cast(), 1) }.map(drop)
    }

    /// Queues an entry for the next enter.
    ///
    /// # Errors
    /// `BUSY` when the queue is full: submit first. `BADF` in a forked child.
    pub fn push(&self, sqe: Sqe) -> Result<()> {
        if !self.is_ours() {
            return Err(Errno::BADF);
        }
        if self.sq.push(sqe) { Ok(()) } else { Err(Errno::BUSY) }
    }

    /// Entries queued and not yet taken by the kernel.
    pub fn pending(&self) -> u32 {
        if self.is_ours() { self.sq.pending() } else { 0 }
    }

    /// Copies of the entries queued and not yet taken by the kernel, oldest first.
    pub fn untaken(&self) -> impl Iterator<Item = Sqe> {
        self.is_ours().then(|| self.sq.untaken()).into_iter().flatten()
    }

    /// Puts `sqe` in the place of the entry that carries `user_data`, if the kernel has not taken it
    /// yet. Never on a ring with `SQPOLL`.
    pub fn replace(&self, user_data: u64, sqe: Sqe) -> bool {
        self.is_ours()
            && !self.flags.contains(SetupFlags::SQPOLL)
            && self.sq.replace(user_data, sqe)
    }

    /// Takes the oldest completion.
    pub fn pop(&self) -> Option<Cqe> {
        if self.is_ours() { self.cq.pop() } else { None }
    }

    /// The oldest completion, which stays.
    pub fn first(&self) -> Option<Cqe> {
        (self.ready() > 0).then(|| self.cq.get(self.cq.head()))
    }

    /// Completions that can be taken without an enter.
    pub fn ready(&self) -> u32 {
        if self.is_ours() { self.cq.tail().wrapping_sub(self.cq.head()) } else { 0 }
    }

    /// Where the next completion will stand, for [`since`](Self::since).
    pub fn mark(&self) -> u32 {
        if self.is_ours() { self.cq.tail() } else { 0 }
    }

    /// Copies of the completions that came after `mark` and were not taken, oldest first.
    pub fn since(&self, mark: u32) -> impl Iterator<Item = Cqe> {
        let (start, count) = if self.is_ours() {
            let (head, tail) = (self.cq.head(), self.cq.tail());
            // A mark that was overtaken by the head counts from the head.
            let start = if tail.wrapping_sub(mark) > tail.wrapping_sub(head) { head } else { mark };
            (start, tail.wrapping_sub(start))
        } else {
            (0, 0)
        };
        (0..count).map(move |n| self.cq.get(start.wrapping_add(n)))
    }

    /// Takes the completion that carries `user_data`, if it is there, out of turn. What is left in
    /// its place carries 0.
    pub fn take(&self, user_data: u64) -> Option<Cqe> {
        if self.is_ours() { self.cq.take(user_data) } else { None }
    }

    /// How many completions the queue holds.
    pub fn capacity(&self) -> u32 {
        self.cq.entries()
    }

    /// How many completions were lost for want of memory, ever.
    pub fn lost(&self) -> u32 {
        if self.is_ours() { self.cq.overflow() } else { 0 }
    }

    /// Whether the kernel has completions that only an enter brings.
    pub fn wants_enter(&self) -> bool {
        use rustix::io_uring::IoringSqFlags as Bits;
        self.is_ours() && self.sq.flags().intersects(Bits::TASKRUN | Bits::CQ_OVERFLOW)
    }

    /// Hands queued entries to the kernel, and nothing else.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn submit(&self) -> Result<u32> {
        let to_submit = self.publish()?;
        if to_submit == 0 {
            return Ok(0);
        }
        self.enter_with(to_submit, 0, IoringEnterFlags::empty(), None)
    }

    /// On a ring with `SQPOLL`: lets the kernel's thread see queued entries, and wakes it if it
    /// sleeps.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn submit_polled(&self) -> Result<()> {
        use rustix::io_uring::IoringSqFlags as Bits;
        let to_submit = self.publish()?;
        // SeqCst: the entries are there before the look at whether the thread sleeps; it looks for
        // entries after it has said that it does.
        fence(Ordering::SeqCst);
        if !self.sq.flags().contains(Bits::NEED_WAKEUP) {
            return Ok(());
        }
        self.enter_with(to_submit, 0, IoringEnterFlags::SQ_WAKEUP, None).map(drop)
    }

    /// Hands queued entries to the kernel and has it finish what it can, without waiting.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn look(&self) -> Result<u32> {
        let to_submit = self.publish()?;
        self.enter_with(to_submit, 0, IoringEnterFlags::GETEVENTS, None)
    }

    /// Hands queued entries to the kernel and waits until there is a completion, at most `timeout`
    /// (`None`: for ever). One system call. A zero `timeout` is a [`look`](Self::look): the kernel
    /// would arm a timer and sleep.
    ///
    /// # Errors
    /// `INTR` when a signal came first and `TIME` at the end of the time, both only if nothing was
    /// submitted; `EXIST` in a thread that the ring does not belong to; `BADF` in a forked child;
    /// `AGAIN` and `BUSY` when the kernel is short of memory.
    pub fn enter(&self, timeout: Option<Duration>) -> Result<u32> {
        self.enter_for(1, timeout)
    }

    /// As [`enter`](Self::enter), waiting until there are `count` completions.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn enter_for(&self, count: u32, timeout: Option<Duration>) -> Result<u32> {
        if timeout == Some(Duration::ZERO) {
            return self.look();
        }
        let to_submit = self.publish()?;
        self.enter_with(to_submit, count, IoringEnterFlags::GETEVENTS, timeout)
    }

    fn publish(&self) -> Result<u32> {
        if !self.is_ours() {
            return Err(Errno::BADF);
        }
        self.enable()?;
        Ok(self.sq.publish())
    }

    fn enter_with(
        &self,
        to_submit: u32,
        wait_for: u32,
        mut flags: IoringEnterFlags,
        timeout: Option<Duration>,
    ) -> Result<u32> {
        if wait_for > 0 && self.features.contains(FEAT_NO_IOWAIT) {
            flags |= ENTER_NO_IOWAIT;
        }
        let fd = match self.registered.get() {
            Some((index, _)) => {
                flags |= IoringEnterFlags::REGISTERED_RING;
                index as i32
            }
            None => self.fd.as_raw_fd(),
        };
        // SAFETY: not -1; open, or this thread's number by the promise of `register_ring_fd`.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let Some(timeout) = timeout else {
            // SAFETY: entries that name memory were made under the promise that it stays valid.
            return unsafe { sys::io_uring_enter(fd, to_submit, wait_for, flags) };
        };
        let time = timespec(timeout);
        let ts = sys::io_uring_ptr::new((&raw const time).cast_mut().cast());
        let arg = sys::io_uring_getevents_arg { ts, ..Default::default() };
        flags |= IoringEnterFlags::EXT_ARG;
        // SAFETY: as above, and `time` outlives the call.
        unsafe { sys::io_uring_enter_arg(fd, to_submit, wait_for, flags, Some(&arg)) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The thread's table keeps the ring alive. Another thread's cannot be reached from here,
        // and the number may mean another ring in this one.
        if let Some((index, thread)) = self.registered.get()
            && self.is_ours()
            && gettid() == thread
        {
            let mut update = sys::io_uring_files_update::default();
            update.offset = index;
            let op = IoringRegisterOp::UnregisterRingFds;
            // SAFETY: the kernel reads `update` during the call.
            let _ = unsafe { self.register(op, (&raw mut update).cast(), 1) };
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
