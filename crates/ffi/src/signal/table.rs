//! The process's share: who wants which signal, and the handler itself.
//!
//! One lock guards it, which the handler takes too. Whoever takes it outside the handler blocks
//! all signals first, so the handler never interrupts the thread that holds it; other threads'
//! handlers wait for the few stores and system calls that are made under it.

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_int;
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use uvring_core::list::{self, Link};

use super::pipe::Signals;
use crate::status;

/// One more than the last signal.
pub(super) const SIGNALS: usize = 65;

/// The handles of one loop that want one signal.
pub(super) struct Group {
    /// The place on the signal's list, while there are members. Under the lock.
    place: Link,
    /// How many handles there are. Under the lock.
    members: Cell<u32>,
    /// How many signals were put into the pipe, wrapping. Under the lock.
    caught: Cell<u32>,
    /// How many of them came out; the loop's thread only, as all below.
    pub(super) delivered: Cell<u32>,
    /// The handles.
    pub(super) handles: Link,
    /// Whether they are in the order of delivery.
    pub(super) is_sorted: Cell<bool>,
    signum: c_int,
    /// The loop's share, whose pipe is written to.
    signals: *const Signals,
}

impl Group {
    /// Makes a group without members.
    ///
    /// # Safety
    /// `place` is valid for writes, and the group is not moved.
    pub(super) unsafe fn init(place: *mut Group, signals: *const Signals, signum: c_int) {
        // SAFETY: the caller's promise.
        unsafe {
            place.write(Group {
                place: Link::new(),
                members: Cell::new(0),
                caught: Cell::new(0),
                delivered: Cell::new(0),
                handles: Link::new(),
                is_sorted: Cell::new(true),
                signum,
                signals,
            });
            list::init(&raw const (*place).place);
            list::init(&raw const (*place).handles);
        }
    }

    /// What was put into the pipe of this loop's parent process is not for the child.
    pub(super) fn forget_caught(&self) {
        let _lock = Lock::take();
        self.delivered.set(self.caught.get());
    }
}

/// One signal.
struct Slot {
    /// Groups with members.
    groups: Link,
    /// Handles that stay, and handles that wait for one signal only.
    regular: Cell<u32>,
    oneshot: Cell<u32>,
    /// What the signal did before, while `is_installed`.
    old: UnsafeCell<MaybeUninit<libc::sigaction>>,
    is_installed: Cell<bool>,
}

struct Table {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    /// Whether the lists and the fork handlers were made.
    is_ready: Cell<bool>,
    /// Counts forks that led to this process: a loop of another number is the parent's.
    generation: Cell<u32>,
    /// The forking thread's mask, between a fork's two handlers.
    forking: UnsafeCell<MaybeUninit<libc::sigset_t>>,
    slots: [Slot; SIGNALS],
}

// SAFETY: everything is only touched under the lock.
unsafe impl Sync for Table {}

static TABLE: Table = Table {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    is_ready: Cell::new(false),
    generation: Cell::new(0),
    forking: UnsafeCell::new(MaybeUninit::zeroed()),
    slots: [const {
        Slot {
            groups: Link::new(),
            regular: Cell::new(0),
            oneshot: Cell::new(0),
            old: UnsafeCell::new(MaybeUninit::zeroed()),
            is_installed: Cell::new(false),
        }
    }; SIGNALS],
};

/// The lock, held with all signals blocked.
struct Lock {
    mask: libc::sigset_t,
}

impl Lock {
    fn take() -> Lock {
        let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: sets of this frame; a statically initialised mutex that this thread does not
        // hold, because no signal handler of its own can come in between.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &all_signals(), mask.as_mut_ptr());
            libc::pthread_mutex_lock(TABLE.lock.get());
            Lock { mask: mask.assume_init() }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: locked by this thread in `take`.
        unsafe {
            libc::pthread_mutex_unlock(TABLE.lock.get());
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask, ptr::null_mut());
        }
    }
}

fn all_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::zeroed();
    // SAFETY: fills the set in.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    }
}

/// A fork must not copy the lock while another thread has it.
unsafe extern "C" fn before_fork() {
    let lock = Lock::take();
    // SAFETY: under the lock, which stays held until after the fork.
    unsafe { (*TABLE.forking.get()).write(lock.mask) };
    core::mem::forget(lock);
}

unsafe extern "C" fn after_fork() {
    // SAFETY: `before_fork` took the lock and left the mask; the Lock gives both back.
    drop(unsafe { Lock { mask: (*TABLE.forking.get()).assume_init() } });
}

/// In the child the loops are still the parent's, and so are their pipes.
unsafe extern "C" fn after_fork_in_child() {
    TABLE.generation.set(TABLE.generation.get().wrapping_add(1));
    // SAFETY: as in the parent.
    unsafe { after_fork() };
}

/// Makes the table's lists at its first use.
fn make_ready(_lock: &Lock) {
    if TABLE.is_ready.replace(true) {
        return;
    }
    for slot in &TABLE.slots {
        // SAFETY: static memory, under the lock.
        unsafe { list::init(&raw const slot.groups) };
    }
    // SAFETY: functions of the right kind. Without memory for them a fork is as safe as on libuv.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork_in_child)) };
}

/// Which process this is, as loops remember it.
pub(super) fn generation() -> u32 {
    let lock = Lock::take();
    make_ready(&lock);
    TABLE.generation.get()
}

/// Whether there may be such a signal.
pub(super) fn is_signal(signum: c_int) -> bool {
    signum > 0 && (signum as usize) < SIGNALS
}

/// One more handle of `group`. Returns how many signals the group has had.
///
/// # Errors
/// What sigaction(2) says: `UV_EINVAL` for a signal that cannot be caught.
pub(super) fn join(group: &Group, is_oneshot: bool) -> Result<u32, c_int> {
    let lock = Lock::take();
    make_ready(&lock);
    let slot = &TABLE.slots[group.signum as usize];
    // A handle that waits for one signal renews what the last one may have used up.
    if slot.regular.get() == 0 {
        install(slot, group.signum, is_oneshot)?;
    }
    let kind = if is_oneshot { &slot.oneshot } else { &slot.regular };
    kind.set(kind.get() + 1);
    if group.members.replace(group.members.get() + 1) == 0 {
        // SAFETY: under the lock; a group without members is on no list, and it stays in place.
        unsafe { list::push_back(&raw const slot.groups, &raw const group.place) };
    }
    Ok(group.caught.get())
}

/// One handle of `group` less.
pub(super) fn leave(group: &Group, is_oneshot: bool) {
    let _lock = Lock::take();
    let slot = &TABLE.slots[group.signum as usize];
    let kind = if is_oneshot { &slot.oneshot } else { &slot.regular };
    kind.set(kind.get().saturating_sub(1));
    group.members.set(group.members.get().saturating_sub(1));
    if group.members.get() == 0 {
        // SAFETY: under the lock; initialised with the group.
        unsafe { list::remove(&raw const group.place) };
    }
    if slot.regular.get() != 0 {
        return;
    }
    if slot.oneshot.get() == 0 {
        restore(slot, group.signum);
    } else if !is_oneshot {
        // It worked for the handle that has left, so it works.
        let _ = install(slot, group.signum, true);
    }
}

/// Makes the handler the signal's, for once or for good.
fn install(slot: &Slot, signum: c_int, is_oneshot: bool) -> Result<(), c_int> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a valid action; `old` is filled in on success.
    unsafe {
        let mut action = core::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = handler as extern "C" fn(c_int) as libc::sighandler_t;
        action.sa_mask = all_signals();
        action.sa_flags = libc::SA_RESTART | if is_oneshot { libc::SA_RESETHAND } else { 0 };
        if libc::sigaction(signum, &action, old.as_mut_ptr()) != 0 {
            return Err(status::last());
        }
        if !slot.is_installed.replace(true) {
            *slot.old.get() = old;
        }
    }
    Ok(())
}

/// The signal does again what it did before.
fn restore(slot: &Slot, signum: c_int) {
    if slot.is_installed.replace(false) {
        // SAFETY: filled in when the handler was installed; sigaction(2) takes its own answer back.
        unsafe { libc::sigaction(signum, (*slot.old.get()).as_ptr(), ptr::null_mut()) };
    }
}

/// The handler: tells every loop that wants the signal.
extern "C" fn handler(signum: c_int) {
    let saved = status::errno();
    if is_signal(signum) {
        // SAFETY: all signals are blocked while a handler runs, and this thread did not hold the
        // lock when it came; listed groups are live.
        unsafe {
            libc::pthread_mutex_lock(TABLE.lock.get());
            let head = &raw const TABLE.slots[signum as usize].groups;
            let mut next = list::first(head);
            while let Some(place) = next {
                put(&*place.byte_sub(offset_of!(Group, place)).cast::<Group>());
                next = list::after(head, place);
            }
            libc::pthread_mutex_unlock(TABLE.lock.get());
        }
    }
    status::set_errno(saved);
}

/// Puts one signal into the group's pipe; the lock is held. A full pipe loses it: there are
/// thousands to be called for already.
///
/// # Safety
/// The group's loop is open.
unsafe fn put(group: &Group) {
    // SAFETY: by the caller's word the loop's share is live.
    let signals = unsafe { &*group.signals };
    if signals.generation.get() == TABLE.generation.get() && signals.write(group.signum as u8) {
        group.caught.set(group.caught.get().wrapping_add(1));
    }
}

/// As if the signal had come, for this group only.
pub(super) fn post(group: &Group) {
    let _lock = Lock::take();
    // SAFETY: the caller has the group from its open loop.
    unsafe { put(group) };
}

/// Changes a loop's descriptors or generation, which the handler reads.
pub(super) fn locked(change: impl FnOnce()) {
    let _lock = Lock::take();
    change();
}
