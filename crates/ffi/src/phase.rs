//! What idle, prepare and check handles have in common: a list that is walked once a turn.
//!
//! The last handle started is called first, and the order stays as it is, as in libuv.

use core::cell::Cell;
use core::ffi::c_int;

use uvring_core::list::{self, Link};

use crate::abi::*;
use crate::handle::{self, Handle, flag};
use crate::loop_::call;

/// The callback of any of the three.
pub(crate) type Callback = Option<unsafe extern "C" fn(*mut Phase)>;

/// The layout that the three share.
#[repr(C)]
pub(crate) struct Phase {
    base: uv_handle_t,
    callback: Cell<Callback>,
    queue: Link,
}

const _: () = assert!(
    size_of::<Phase>() == size_of::<uv_idle_t>()
        && size_of::<Phase>() == size_of::<uv_prepare_t>()
        && size_of::<Phase>() == size_of::<uv_check_t>()
        && core::mem::offset_of!(Phase, callback) == core::mem::offset_of!(uv_idle_t, idle_cb)
        && core::mem::offset_of!(Phase, callback)
            == core::mem::offset_of!(uv_prepare_t, prepare_cb)
        && core::mem::offset_of!(Phase, callback) == core::mem::offset_of!(uv_check_t, check_cb)
        && core::mem::offset_of!(Phase, queue) == core::mem::offset_of!(uv_idle_t, queue)
        && core::mem::offset_of!(Phase, queue) == core::mem::offset_of!(uv_prepare_t, queue)
        && core::mem::offset_of!(Phase, queue) == core::mem::offset_of!(uv_check_t, queue)
);

// SAFETY: begins with a uv_handle_t.
unsafe impl Handle for Phase {}

/// # Safety
/// `owner` is an initialised loop, `phase` valid for writes.
pub(crate) unsafe fn init(owner: *mut uv_loop_t, phase: *mut Phase, kind: uv_handle_type) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        handle::init(owner, phase.cast(), kind);
        (*phase).callback.set(None);
        list::init(&raw const (*phase).queue);
    }
    0
}

/// # Safety
/// `phase` is initialised; `started` is its loop's list of its kind.
pub(crate) unsafe fn start(phase: *mut Phase, callback: Callback, started: *const Link) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if (*phase).has(flag::ACTIVE) {
            return 0;
        }
        if callback.is_none() {
            return UV_EINVAL;
        }
        list::push_front(started, &raw const (*phase).queue);
        (*phase).callback.set(callback);
        (*phase).start();
    }
    0
}

/// # Safety
/// `phase` is initialised.
pub(crate) unsafe fn stop(phase: *mut Phase) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if (*phase).has(flag::ACTIVE) {
            list::remove(&raw const (*phase).queue);
            (*phase).stop();
        }
    }
    0
}

/// Calls every handle of the list once. One that is started meanwhile waits for the next turn.
pub(crate) fn run(owner: &uv_loop_t, started: *const Link) {
    let rest = Link::new();
    // SAFETY: the list holds `queue` links of live handles; each is back on the loop's list before
    // it is called, and one that stops or closes takes itself off whichever list it is on.
    unsafe {
        if list::is_empty(started) {
            return;
        }
        list::take(started, &raw const rest);
        while let Some(link) = list::pop_front(&raw const rest) {
            list::push_back(started, link);
            let phase =
                link.byte_sub(core::mem::offset_of!(Phase, queue)).cast_mut().cast::<Phase>();
            if let Some(callback) = (*phase).callback.get() {
                call::out(owner, || callback(phase));
            }
        }
    }
}
