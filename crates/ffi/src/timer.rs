//! `uv_timer_t`: calls once when due, or again and again.
//!
//! Timers are entries of the loop's wheel, in place: bytes 104 to 152 of the handle are the entry,
//! whose `due` and `repeat` are the `timeout` and `repeat` that programs read.

use core::ffi::c_int;

use uvring_core::list;
use uvring_core::wheel::Entry;

use crate::abi::*;
use crate::handle::{self, Handle};
use crate::loop_::call;

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Entry>() == 48);
    assert!(
        offset_of!(Entry, due) + offset_of!(uv_timer_t, node) == offset_of!(uv_timer_t, timeout)
    );
    assert!(
        offset_of!(Entry, repeat) + offset_of!(uv_timer_t, node) == offset_of!(uv_timer_t, repeat)
    );
    assert!(
        offset_of!(Entry, start_id) + offset_of!(uv_timer_t, node)
            == offset_of!(uv_timer_t, start_id)
    );
};

/// The timer's entry.
fn entry(timer: *const uv_timer_t) -> *const Entry {
    timer.wrapping_byte_add(core::mem::offset_of!(uv_timer_t, node)).cast()
}

/// `int uv_timer_init(uv_loop_t*, uv_timer_t*)`: makes the handle. Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `timer` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_init(owner: *mut uv_loop_t, timer: *mut uv_timer_t) -> c_int {
    // SAFETY: the caller's promise; the entry overlays fields of the timer, as asserted above.
    unsafe {
        handle::init(owner, timer.cast(), UV_TIMER);
        (*timer).timer_cb.set(None);
        entry(timer).cast_mut().write(Entry::new());
        list::init(&raw const (*entry(timer)).link);
    }
    0
}

/// `int uv_timer_start(uv_timer_t*, uv_timer_cb, uint64_t timeout_ms, uint64_t repeat_ms)`: calls
/// after `timeout_ms`, then every `repeat_ms` if that is not 0. A started timer starts anew. Times
/// count from the loop's clock, see uv_now and uv_update_time; 0 is the next turn.
///
/// # Returns
/// 0; `UV_EINVAL` when `callback` is NULL or the handle is closing.
///
/// # Safety
/// `timer` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_start(
    timer: *mut uv_timer_t,
    callback: uv_timer_cb,
    timeout: u64,
    repeat: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    let timer = unsafe { &*timer };
    if timer.is_closing() || callback.is_none() {
        return UV_EINVAL;
    }
    timer.start();
    let owner = timer.owner();
    let due = owner.time.get().saturating_add(timeout);
    let start_id = owner.timer_counter.get();
    owner.timer_counter.set(start_id.wrapping_add(1));
    let wheel = &owner.inner().wheel;
    let entry = entry(timer);
    timer.timer_cb.set(callback);
    timer.repeat.set(repeat);
    // SAFETY: the entry was initialised with the timer, and the timer stays in place until it is
    // closed, which removes the entry.
    unsafe { wheel.restart(entry, due, start_id) };
    0
}

/// `int uv_timer_stop(uv_timer_t*)`: the callback is not called any more. Always 0.
///
/// # Safety
/// `timer` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_stop(timer: *mut uv_timer_t) -> c_int {
    // SAFETY: the caller's promise.
    stop(unsafe { &*timer });
    0
}

/// Stops a timer, also one that is about to be called.
pub(crate) fn stop(timer: &uv_timer_t) {
    // SAFETY: as in `start`; an entry that is neither filed nor expired is on no list.
    unsafe { timer.owner().inner().wheel.remove(entry(timer)) };
    timer.stop();
}

/// `int uv_timer_again(uv_timer_t*)`: starts a repeating timer anew with its repeat time; with a
/// repeat of 0 does nothing.
///
/// # Returns
/// 0; `UV_EINVAL` when the timer was never started.
///
/// # Safety
/// `timer` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_again(timer: *mut uv_timer_t) -> c_int {
    // SAFETY: the caller's promise.
    let timer = unsafe { &*timer };
    let callback = timer.timer_cb.get();
    if callback.is_none() {
        return UV_EINVAL;
    }
    let repeat = timer.repeat.get();
    if repeat != 0 {
        // SAFETY: as above. One that is closing is left alone.
        unsafe { uv_timer_start(timer.as_ptr(), callback, repeat, repeat) };
    }
    0
}

/// `void uv_timer_set_repeat(uv_timer_t*, uint64_t)`: takes effect when the timer is next due.
///
/// # Safety
/// `timer` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_set_repeat(timer: *mut uv_timer_t, repeat: u64) {
    // SAFETY: the caller's promise.
    unsafe { (*timer).repeat.set(repeat) }
}

/// `uint64_t uv_timer_get_repeat(const uv_timer_t*)`: in ms.
///
/// # Safety
/// `timer` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_get_repeat(timer: *const uv_timer_t) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { (*timer).repeat.get() }
}

/// `uint64_t uv_timer_get_due_in(const uv_timer_t*)`: ms until the timer is due, counted from the
/// loop's clock; 0 when it is late or was never started.
///
/// # Safety
/// `timer` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_get_due_in(timer: *const uv_timer_t) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { (*timer).timeout.get().saturating_sub((*timer).owner().time.get()) }
}

/// Calls every timer that is due by the loop's clock, earliest first, those due at the same time in
/// the order of their starts. A timer started meanwhile waits for the next turn, even if it is due.
pub(crate) fn run(owner: &uv_loop_t) {
    let inner = owner.inner();
    let due = list::Link::new();
    // SAFETY: lists of this loop; entries are live timers. `due` is drained before it goes away,
    // and a timer that is stopped or started meanwhile takes itself off.
    unsafe {
        list::take(&raw const inner.ripe, &raw const due);
        let mut next = list::first(&raw const due);
        while let Some(link) = next {
            timer_of(link).stop();
            next = list::after(&raw const due, link);
        }
        let time = owner.time.get();
        inner.wheel.expire(time, &raw const due, |entry| timer_of(&raw const entry.link).stop());
        while let Some(link) = list::pop_front(&raw const due) {
            let timer = timer_of(link);
            let callback = timer.timer_cb.get();
            uv_timer_again(timer.as_ptr());
            if let Some(callback) = callback {
                call::out(owner, || callback(timer.as_ptr()));
            }
        }
    }
}

/// # Safety
/// `link` is the link of a live timer's entry.
unsafe fn timer_of<'t>(link: *const list::Link) -> &'t uv_timer_t {
    // SAFETY: by the caller's word; the entry stands at this offset of a timer.
    unsafe {
        &*Entry::from_link(link)
            .byte_sub(core::mem::offset_of!(uv_timer_t, node))
            .cast::<uv_timer_t>()
    }
}
