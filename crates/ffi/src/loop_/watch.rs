//! Descriptors of a loop: what is wanted of each, and work for them that did not come from the kernel.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr;

use uvring_core::driver::Watch;
use uvring_core::driver::ready::{DRAINS, IN, OUT, RDHUP};
use uvring_core::{Errno, list};

use crate::abi::*;
use crate::{mem, status};

/// What a watch belongs to; kept in `Watch::tag`.
pub(crate) mod tag {
    /// A stream that reads and writes.
    pub(crate) const STREAM: usize = 1;
    /// A stream that listens.
    pub(crate) const LISTENER: usize = 2;
    /// A uv_poll_t.
    pub(crate) const POLL: usize = 3;
    /// The loop's doorbell.
    pub(crate) const DOORBELL: usize = 4;
    /// A uv_udp_t.
    pub(crate) const UDP: usize = 5;
    /// A child's pidfd.
    pub(crate) const PROCESS: usize = 6;
    /// The loop's signal pipe.
    pub(crate) const SIGNAL: usize = 7;
    /// The loop's inotify descriptor.
    pub(crate) const INOTIFY: usize = 8;
    /// The inotify descriptor of a recursive uv_fs_event_t.
    pub(crate) const INOTIFY_TREE: usize = 9;
}

/// Makes `watch` ready for use, on `fd` (-1: none yet).
///
/// # Safety
/// `watch` is valid for writes.
pub(crate) unsafe fn init(watch: *mut Watch, tag: usize, fd: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        watch.write(Watch::new());
        (*watch).tag.set(tag);
        (*watch).fd.set(fd);
        list::init(&raw const (*watch).pending);
    }
}

/// Watches for `bits` as well. A stream's or socket's watcher: it drains what it is told of.
///
/// # Errors
/// `UV_ENOMEM`; what epoll_ctl(2) says.
pub(crate) fn start(owner: &uv_loop_t, watch: &Watch, bits: u32) -> Result<(), c_int> {
    let mut interest = watch.interest() | bits | DRAINS;
    if interest & IN != 0 {
        interest |= RDHUP;
    }
    exactly(owner, watch, interest)
}

/// Watches for precisely `interest`.
///
/// # Errors
/// `UV_ENOMEM`; what epoll_ctl(2) says.
pub(crate) fn exactly(owner: &uv_loop_t, watch: &Watch, interest: u32) -> Result<(), c_int> {
    let fresh = watch.interest() == 0;
    if fresh {
        reserve(owner, watch.fd.get())?;
    }
    // SAFETY: the watch lives in its handle, whose closing calls `close` below first.
    unsafe { owner.inner().driver().watch(watch, interest) }.map_err(status::from_errno)?;
    if fresh {
        owner.nfds.set(owner.nfds.get() + 1);
    }
    Ok(())
}

/// Watches for `bits` no longer; with nothing left to watch for, lets go of the descriptor.
pub(crate) fn stop(owner: &uv_loop_t, watch: &Watch, bits: u32) {
    let now = watch.interest();
    if now == 0 {
        return;
    }
    let left = now & !bits & (IN | OUT);
    if left == 0 {
        owner.inner().driver().unwatch(watch);
        owner.nfds.set(owner.nfds.get() - 1);
    } else if left != now & (IN | OUT) {
        let left = left | DRAINS | if left & IN != 0 { RDHUP } else { 0 };
        // SAFETY: as in `exactly`. Narrowing cannot fail for want of memory, and if the
        // descriptor is gone the next use of it will say so.
        let _ = unsafe { owner.inner().driver().watch(watch, left) };
    }
}

/// Lets go of the descriptor and of work that was fed. The descriptor may be closed then.
pub(crate) fn close(owner: &uv_loop_t, watch: &Watch) {
    stop(owner, watch, !0);
    unfeed(watch);
}

/// Has the watch's handle looked at in this turn even though the kernel has nothing to say.
pub(crate) fn feed(owner: &uv_loop_t, watch: &Watch) {
    // SAFETY: `init` initialised the link; an unlinked link is on no list.
    unsafe {
        let link = &raw const watch.pending;
        if list::is_empty(link) {
            list::push_back(&raw const owner.pending_queue, link);
        }
    }
}

/// [`feed`] that does not wait for the next event only, but for all of the poll's: who sends from
/// each callback of a send would otherwise send once for each event, and flood who receives.
pub(crate) fn feed_once_a_round(owner: &uv_loop_t, watch: &Watch) {
    // SAFETY: as in `feed`.
    unsafe {
        let link = &raw const watch.pending;
        if list::is_empty(link) {
            list::push_back(&raw const owner.inner().sent, link);
        }
    }
    owner.inner().driver().no_news();
}

/// Undoes [`feed`].
pub(crate) fn unfeed(watch: &Watch) {
    // SAFETY: `init` initialised the link.
    unsafe { list::remove(&raw const watch.pending) };
}

/// The watch that a `pending` link belongs to.
///
/// # Safety
/// `link` is the `pending` link of a live watch.
pub(crate) unsafe fn of_link<'w>(link: *const uv__queue) -> &'w Watch {
    // SAFETY: by the caller's word the link is at this offset of a watch.
    unsafe { &*link.byte_sub(core::mem::offset_of!(Watch, pending)).cast() }
}

/// Whether another watch of this loop has `fd`.
pub(crate) fn is_taken(owner: &uv_loop_t, fd: c_int) -> bool {
    match u32::try_from(fd) {
        // SAFETY: the table has `nwatchers` entries.
        Ok(fd) if fd < owner.nwatchers.get() => unsafe {
            !(*owner.watchers.get().add(fd as usize)).get().is_null()
        },
        _ => false,
    }
}

/// Makes the table reach as far as `fd`. Done early by those who cannot go back once the kernel has
/// been asked for something.
///
/// # Errors
/// `UV_ENOMEM`; `UV_EBADF` for no descriptor.
pub(crate) fn reserve(owner: &uv_loop_t, fd: c_int) -> Result<(), c_int> {
    let Ok(fd) = u32::try_from(fd) else { return Err(status::from_errno(Errno::BADF)) };
    let old = owner.nwatchers.get();
    if fd < old {
        return Ok(());
    }
    let new = (fd + 1).next_power_of_two().max(64);
    let bytes = new as usize * size_of::<Cell<*const Watch>>();
    // SAFETY: the table is this loop's own block; a failed realloc leaves it as it was.
    unsafe {
        let table = mem::realloc(owner.watchers.get().cast(), bytes).cast::<Cell<*const Watch>>();
        if table.is_null() {
            return Err(UV_ENOMEM);
        }
        for index in old as usize..new as usize {
            table.add(index).write(Cell::new(ptr::null()));
        }
        owner.watchers.set(table);
        owner.nwatchers.set(new);
        owner.inner().driver().lend_table(table, new);
    }
    Ok(())
}

/// Lets go of a connected stream's descriptor and closes it, perhaps with the next system call.
pub(crate) fn close_descriptor(owner: &uv_loop_t, watch: &Watch) {
    if watch.interest() != 0 {
        owner.nfds.set(owner.nfds.get() - 1);
    }
    owner.inner().driver().unwatch_and_close(watch);
    unfeed(watch);
}
