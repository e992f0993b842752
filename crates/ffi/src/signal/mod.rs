//! `uv_signal_t`: signals as events of a loop. Source: the manual's page on signals.
//!
//! ```text
//!   mod    the handle: started, stopped, called
//!   pipe   a loop's share: the pipe that the handler writes into, and its groups
//!   table  the process's share: who wants which signal, and the handler itself
//! ```
//!
//! The handles of one loop that want one signal form a group. The handler puts the signal's number
//! into the pipe of each loop that has a group for it, and the loop calls the group's handles: a
//! signal costs the handles that want it, and the handler touches no handle. A group counts what
//! was put into its pipe, so a handle that was started later does not get what came before.

pub(crate) mod pipe;
mod table;

use core::ffi::c_int;
use core::mem::offset_of;

use uvring_core::list::{self, Link};

use self::table::Group;
use crate::abi::*;
use crate::handle::{self, Handle, flag};
use crate::loop_::call;

/// `int uv_signal_init(uv_loop_t*, uv_signal_t*)`: makes the handle, and with a loop's first one
/// the pipe that signals arrive through.
///
/// # Returns
/// 0; `UV_EMFILE`, `UV_ENFILE`, `UV_ENOMEM`.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_init(owner: *mut uv_loop_t, handle: *mut uv_signal_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if let Err(code) = pipe::want(&*owner) {
            return code;
        }
        init(owner, handle);
    }
    0
}

/// # Safety
/// As for [`uv_signal_init`].
unsafe fn init(owner: *mut uv_loop_t, handle: *mut uv_signal_t) {
    // SAFETY: the caller's promise.
    unsafe {
        handle::init(owner, handle.cast(), UV_SIGNAL);
        let this = &*handle;
        this.signum.set(0);
        this.signal_cb.set(None);
        this.caught_signals.set(0);
        this.dispatched_signals.set(0);
        list::init(link(this));
    }
}

/// The handle's place in its group.
fn link(handle: &uv_signal_t) -> *const Link {
    const { assert!(size_of::<Link>() <= size_of::<[usize; 4]>()) };
    handle.tree_entry.as_ptr().cast_const().cast()
}

/// # Safety
/// `link` is the place of a signal handle.
unsafe fn of_link<'h>(link: *const Link) -> &'h uv_signal_t {
    // SAFETY: by the caller's word it stands at this offset.
    unsafe { &*link.byte_sub(offset_of!(uv_signal_t, tree_entry)).cast() }
}

/// `int uv_signal_start(uv_signal_t*, uv_signal_cb, int signum)`: calls for every signal `signum`
/// from now on. On a handle that waits for that signal already, changes the callback only.
///
/// # Returns
/// 0; `UV_EINVAL` for a signal that cannot be caught or a closing handle; `UV_ENOMEM`.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_start(
    handle: *mut uv_signal_t,
    signal_cb: uv_signal_cb,
    signum: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    start(unsafe { &*handle }, signal_cb, signum, false)
}

/// `int uv_signal_start_oneshot(uv_signal_t*, uv_signal_cb, int signum)`: as [`uv_signal_start`],
/// for one signal. If nobody else waits for it, the signal has its default effect again from the
/// moment it has come once.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_start_oneshot(
    handle: *mut uv_signal_t,
    signal_cb: uv_signal_cb,
    signum: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    start(unsafe { &*handle }, signal_cb, signum, true)
}

fn start(this: &uv_signal_t, callback: uv_signal_cb, signum: c_int, is_oneshot: bool) -> c_int {
    if this.is_closing() || !table::is_signal(signum) {
        return UV_EINVAL;
    }
    if this.signum.get() == signum {
        this.signal_cb.set(callback);
        return 0;
    }
    stop(this);
    let Some(signals) = pipe::of(this.owner()) else { return UV_EINVAL };
    let group = match signals.group(signum) {
        Ok(group) => group,
        Err(code) => return code,
    };
    match table::join(group, is_oneshot) {
        Ok(caught) => this.caught_signals.set(caught),
        Err(code) => return code,
    }
    if is_oneshot {
        this.set(flag::ONE_SHOT);
    } else {
        this.clear(flag::ONE_SHOT);
    }
    this.signum.set(signum);
    this.signal_cb.set(callback);
    // SAFETY: a stopped handle's link is on no list; the group outlives it.
    unsafe { list::push_back(&raw const group.handles, link(this)) };
    group.is_sorted.set(false);
    this.start();
    0
}

/// `int uv_signal_stop(uv_signal_t*)`: the callback is not called any more, not even for signals
/// that have come already. When nobody waits for the signal any more, it has the effect again that
/// it had before. Always 0.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_signal_stop(handle: *mut uv_signal_t) -> c_int {
    // SAFETY: the caller's promise.
    stop(unsafe { &*handle });
    0
}

/// Stops the handle; also its part of uv_close.
pub(crate) fn stop(this: &uv_signal_t) {
    let signum = this.signum.replace(0);
    if signum == 0 {
        return;
    }
    if let Some(group) = pipe::of(this.owner()).and_then(|signals| signals.existing(signum)) {
        table::leave(group, this.has(flag::ONE_SHOT));
    }
    // SAFETY: the link of a started handle is on its group's list.
    unsafe { list::remove(link(this)) };
    this.stop();
}

/// Signals have come: calls the handles that want them, in the order in which the signals came.
pub(crate) fn ready(owner: &uv_loop_t) {
    let Some(signals) = pipe::of(owner) else { return };
    let mut numbers = [0; 512];
    // What does not fit comes in the next turn.
    for &signum in signals.read(&mut numbers) {
        if let Some(group) = signals.existing(c_int::from(signum)) {
            deliver(owner, group);
        }
    }
}

/// One signal, to every handle that was started before it came: those that stay before those that
/// wait for one only, and by address among them, as libuv's tree has them.
fn deliver(owner: &uv_loop_t, group: &Group) {
    let number = group.delivered.get().wrapping_add(1);
    group.delivered.set(number);
    let round = Link::new();
    let head = &raw const group.handles;
    // SAFETY: the list holds links of started handles; one that stops takes itself off. Each goes
    // back before its callback, so that the callback finds it in its place.
    unsafe {
        if !group.is_sorted.replace(true) {
            let key = |link| (of_link(link).has(flag::ONE_SHOT), link);
            list::sort(head, |a, b| key(a) < key(b));
        }
        list::init(&raw const round);
        list::take(head, &raw const round);
        while let Some(link) = list::pop_front(&raw const round) {
            list::push_back(head, link);
            let handle = of_link(link);
            if is_due(handle, number) {
                call_one(owner, handle, number);
            }
        }
    }
}

/// Whether the handle was started before signal `number` of its group came.
fn is_due(handle: &uv_signal_t, number: u32) -> bool {
    number.wrapping_sub(handle.caught_signals.get()).cast_signed() > 0
}

fn call_one(owner: &uv_loop_t, handle: &uv_signal_t, number: u32) {
    let signum = handle.signum.get();
    if let Some(callback) = handle.signal_cb.get() {
        // SAFETY: the program's function, called with its own handle.
        call::out(owner, || unsafe { callback(handle.as_ptr(), signum) });
    }
    // Not if the callback has started it anew.
    if handle.signum.get() == signum && handle.has(flag::ONE_SHOT) && is_due(handle, number) {
        stop(handle);
    }
}

/// Has `callback` called for every SIGCHLD, by a handle of the loop's own that neither shows nor
/// keeps the loop alive.
///
/// # Errors
/// As uv_signal_init and uv_signal_start.
pub(crate) fn watch_children(owner: &uv_loop_t, callback: uv_signal_cb) -> Result<(), c_int> {
    pipe::want(owner)?;
    let watcher = &owner.child_watcher;
    if watcher.r#type.get() != UV_SIGNAL {
        // SAFETY: part of the loop, not in use yet.
        unsafe { init(owner.as_ptr(), watcher.as_ptr()) };
        watcher.set(flag::INTERNAL);
        watcher.unreference();
    }
    match start(watcher, callback, libc::SIGCHLD, false) {
        0 => Ok(()),
        code => Err(code),
    }
}

/// Calls [`watch_children`]'s callback once, in the loop's next turn, as if a SIGCHLD had come.
pub(crate) fn pretend_children(owner: &uv_loop_t) {
    if let Some(group) = pipe::of(owner).and_then(|signals| signals.existing(libc::SIGCHLD)) {
        table::post(group);
    }
}

/// Ends [`watch_children`].
pub(crate) fn unwatch_children(owner: &uv_loop_t) {
    if owner.child_watcher.r#type.get() == UV_SIGNAL {
        stop(&owner.child_watcher);
    }
}
