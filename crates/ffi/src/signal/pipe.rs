//! A loop's share: the pipe that the handler writes into, and the loop's groups. Made by the loop's
//! first uv_signal_init, given back by uv_loop_close.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr;

use uvring_core::driver::ready::IN;
use uvring_core::socket;

use super::table::{self, Group, SIGNALS};
use crate::abi::*;
use crate::loop_::watch;
use crate::{mem, status};

/// See the file.
pub(super) struct Signals {
    /// The ends of the pipe. The handler reads `write_fd` under the table's lock.
    read_fd: Cell<c_int>,
    write_fd: Cell<c_int>,
    /// The process the pipe belongs to. Under the lock.
    pub(super) generation: Cell<u32>,
    /// By signal; made when first wanted, and kept, because the pipe may hold signals for them.
    groups: [Cell<*mut Group>; SIGNALS],
}

impl Signals {
    /// The group of a signal, if there ever was one.
    pub(super) fn existing(&self, signum: c_int) -> Option<&Group> {
        let group = self.groups.get(usize::try_from(signum).ok()?)?.get();
        // SAFETY: null, or a group that lives as long as this.
        unsafe { group.as_ref() }
    }

    /// The group of a signal.
    ///
    /// # Errors
    /// `UV_ENOMEM`; `UV_EINVAL` when there is no such signal.
    pub(super) fn group(&self, signum: c_int) -> Result<&Group, c_int> {
        if let Some(group) = self.existing(signum) {
            return Ok(group);
        }
        if !table::is_signal(signum) {
            return Err(UV_EINVAL);
        }
        let group = mem::alloc_one::<Group>();
        if group.is_null() {
            return Err(UV_ENOMEM);
        }
        // SAFETY: fresh memory, which stays in place until the loop closes.
        unsafe { Group::init(group, self, signum) };
        self.groups[signum as usize].set(group);
        // SAFETY: just made.
        Ok(unsafe { &*group })
    }

    /// Takes signals out of the pipe.
    pub(super) fn read<'b>(&self, room: &'b mut [u8]) -> &'b [u8] {
        // SAFETY: room for its own length.
        let count = unsafe { socket::read(self.read_fd.get(), room.as_mut_ptr(), room.len()) };
        &room[..count.unwrap_or(0)]
    }

    /// Puts a signal into the pipe; from a handler, too. False when it is full.
    pub(super) fn write(&self, signum: u8) -> bool {
        // SAFETY: one byte of this frame; the descriptor is non-blocking and no signal comes in.
        unsafe { libc::write(self.write_fd.get(), (&raw const signum).cast(), 1) == 1 }
    }
}

/// The loop's share, if it was made.
pub(super) fn of(owner: &uv_loop_t) -> Option<&Signals> {
    // SAFETY: null, or made by `want` and live until `release`.
    unsafe { owner.inner().signals.get().cast::<Signals>().as_ref() }
}

/// Makes the loop's share, if that has not been done.
///
/// # Errors
/// `UV_EMFILE`, `UV_ENFILE`, `UV_ENOMEM`.
pub(super) fn want(owner: &uv_loop_t) -> Result<(), c_int> {
    if of(owner).is_some() {
        return Ok(());
    }
    let signals = mem::calloc(1, size_of::<Signals>()).cast::<Signals>();
    if signals.is_null() {
        return Err(UV_ENOMEM);
    }
    let opened = open(owner);
    // SAFETY: all-zero bytes are a share without groups.
    unsafe {
        match opened {
            Ok([read_fd, write_fd]) => {
                (*signals).read_fd.set(read_fd);
                (*signals).write_fd.set(write_fd);
                (*signals).generation.set(table::generation());
                owner.inner().signals.set(signals.cast());
                Ok(())
            }
            Err(code) => {
                mem::free(signals.cast());
                Err(code)
            }
        }
    }
}

/// Opens a pipe and watches it.
fn open(owner: &uv_loop_t) -> Result<[c_int; 2], c_int> {
    let mut ends = [-1; 2];
    let watch = &owner.signal_io_watcher;
    // SAFETY: room for two descriptors; the watch is part of the loop and off.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) == -1 {
            return Err(status::last());
        }
        watch::init(ptr::from_ref(watch).cast_mut(), watch::tag::SIGNAL, ends[0]);
    }
    if let Err(code) = watch::exactly(owner, watch, IN) {
        close_both(ends);
        watch.fd.set(-1);
        return Err(code);
    }
    owner.signal_pipefd.set(ends);
    Ok(ends)
}

fn close_both(ends: [c_int; 2]) {
    for fd in ends {
        let _ = socket::close(fd);
    }
}

/// The part of uv_loop_fork: the old pipe is the parent's. Started handles stay started, and
/// signals that came before the fork are not for the child.
///
/// # Errors
/// As pipe2(2).
pub(crate) fn after_fork(owner: &uv_loop_t) -> Result<(), c_int> {
    let Some(signals) = of(owner) else { return Ok(()) };
    let old = [signals.read_fd.get(), signals.write_fd.get()];
    watch::close(owner, &owner.signal_io_watcher);
    let [read_fd, write_fd] = open(owner)?;
    let generation = table::generation();
    table::locked(|| {
        signals.read_fd.set(read_fd);
        signals.write_fd.set(write_fd);
        signals.generation.set(generation);
    });
    for group in &signals.groups {
        // SAFETY: null, or live as long as `signals`.
        if let Some(group) = unsafe { group.get().as_ref() } {
            group.forget_caught();
        }
    }
    close_both(old);
    Ok(())
}

/// The part of uv_loop_close. Only the loop's own handle may still be started.
pub(crate) fn release(owner: &uv_loop_t) {
    super::unwatch_children(owner);
    let Some(signals) = of(owner) else { return };
    watch::close(owner, &owner.signal_io_watcher);
    owner.inner().signals.set(ptr::null_mut());
    owner.signal_pipefd.set([-1, -1]);
    owner.signal_io_watcher.fd.set(-1);
    close_both([signals.read_fd.get(), signals.write_fd.get()]);
    // SAFETY: no handle is started, so no group is listed and the handler knows none of this;
    // each block is ours and freed once.
    unsafe {
        for group in &signals.groups {
            mem::free(group.get().cast());
        }
        mem::free(ptr::from_ref(signals).cast_mut().cast());
    }
}
