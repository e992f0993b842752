//! How a child's end is noticed: each child has a pidfd that the loop watches, so one child's end
//! costs one child however many there are.
//!
//! Where pidfd is refused, or the process ignores SIGCHLD (the kernel then forgets children as they
//! end, unless there is a handler), the loop has a signal handle of its own for SIGCHLD and asks
//! about every child.

use core::ffi::{c_int, c_long};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use uvring_core::driver::Watch;
use uvring_core::driver::ready::{DRAINS, IN};
use uvring_core::{list, socket};

use super::child::Plan;
use super::launch::{Failure, Launched, launch};
use crate::abi::*;
use crate::handle::Handle;
use crate::loop_::{call, watch};
use crate::{mem, signal, status};

/// A child's pidfd and its watch, for which a `uv_process_t` has no room.
pub(super) struct Child {
    watch: Watch,
    process: *const uv_process_t,
}

/// The record of a process handle; null when the loop learns of its end in another way, or knows.
fn record(process: &uv_process_t) -> *mut Child {
    // SAFETY: this kind of handle uses the words, which init has zeroed.
    unsafe { process.u.words[0].get() as *mut Child }
}

fn set_record(process: &uv_process_t, child: *mut Child) {
    // SAFETY: as in `record`.
    unsafe { process.u.words[0].set(child as usize) };
}

/// Starts the plan's program; from then on its end is noticed.
///
/// # Safety
/// The plan and all it points to are valid.
pub(super) unsafe fn run(process: &uv_process_t, plan: &Plan) -> Result<(), c_int> {
    let owner = process.owner();
    if !is_sigchld_ignored() {
        make_room(owner)?;
        let child = mem::alloc_one::<Child>();
        if child.is_null() {
            return Err(UV_ENOMEM);
        }
        // SAFETY: the caller's promise; a record that came to nothing is freed once.
        unsafe {
            let code = match launch(plan, true) {
                Ok(launched) => {
                    begin(process, launched, child);
                    return Ok(());
                }
                Err(Failure::Child(code)) => Some(code),
                // No descriptor for a pidfd, or a sandbox that knows none.
                Err(Failure::Clone(_)) => None,
            };
            mem::free(child.cast());
            if let Some(code) = code {
                return Err(code);
            }
        }
    }
    // Before the child runs, because it may end at once.
    signal::watch_children(owner, Some(reap_all))?;
    // SAFETY: the caller's promise.
    match unsafe { launch(plan, false) } {
        Ok(launched) => {
            process.pid.set(launched.pid);
            enlist(process);
            Ok(())
        }
        Err(Failure::Child(code) | Failure::Clone(code)) => {
            no_more_children(owner);
            Err(code)
        }
    }
}

/// Room among the loop's watches for a pidfd: once the child runs it is too late to say that there
/// is no memory.
///
/// # Errors
/// `UV_ENOMEM`.
fn make_room(owner: &uv_loop_t) -> Result<(), c_int> {
    // SAFETY: plain numbers.
    let next = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if next == -1 {
        // There will be no pidfd either.
        return Ok(());
    }
    let _ = socket::close(next);
    watch::reserve(owner, next.max(3))
}

fn is_sigchld_ignored() -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only asks; filled in on success.
    unsafe {
        if libc::sigaction(libc::SIGCHLD, ptr::null(), now.as_mut_ptr()) != 0 {
            return false;
        }
        let now = now.assume_init();
        now.sa_sigaction == libc::SIG_IGN || now.sa_flags & libc::SA_NOCLDWAIT != 0
    }
}

fn enlist(process: &uv_process_t) {
    // SAFETY: the handle's link was initialised and is on no list.
    unsafe {
        list::push_back(&raw const process.owner().process_handles, &raw const process.queue);
    }
    process.start();
}

/// The child runs: watches its pidfd.
///
/// # Safety
/// `child` is fresh memory of its own.
unsafe fn begin(process: &uv_process_t, launched: Launched, child: *mut Child) {
    let owner = process.owner();
    process.pid.set(launched.pid);
    enlist(process);
    // SAFETY: the caller's promise; freed if nothing comes of it.
    unsafe {
        if launched.pidfd != -1 {
            let pidfd = beyond_standard(launched.pidfd);
            watch::init(&raw mut (*child).watch, watch::tag::PROCESS, pidfd);
            (&raw mut (*child).process).write(process);
            // It is told of once, and then reaped; so no descriptor is needed to check the watch.
            if watch::exactly(owner, &(*child).watch, IN | DRAINS).is_ok() {
                set_record(process, child);
                return;
            }
            let _ = socket::close(pidfd);
        }
        mem::free(child.cast());
    }
    // A kernel before 5.3, or no memory. The child may have ended before the handler was there, so
    // have a look in any case. If there is no handler to be had either, the end stays unknown, as
    // it does when somebody else waits for the child.
    if signal::watch_children(owner, Some(reap_all)).is_ok() {
        signal::pretend_children(owner);
    }
}

/// The same, on a number that programs do not take for a standard descriptor, if there is one.
fn beyond_standard(fd: c_int) -> c_int {
    if fd > 2 {
        return fd;
    }
    // SAFETY: plain numbers.
    let high = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if high == -1 {
        return fd;
    }
    let _ = socket::close(fd);
    high
}

/// A child's pidfd is ready.
///
/// # Safety
/// `watch` is the watch of a child's record.
pub(crate) unsafe fn ended(watch: *const Watch) {
    // SAFETY: by the caller's word it stands at this offset; a live record has a live handle.
    unsafe {
        let child = watch.byte_sub(offset_of!(Child, watch)).cast::<Child>();
        reap(&*(*child).process);
    }
}

/// Something ended: asks about every child that has no record.
unsafe extern "C" fn reap_all(handle: *mut uv_signal_t, _signum: c_int) {
    // SAFETY: the loop's own handle; the list holds links of live handles, and one that is closed
    // takes itself off. Each goes to the end before it is asked about, so at most one is asked
    // twice for each that a callback takes off, and none is missed.
    unsafe {
        let owner = (*handle).owner();
        let head = &raw const owner.process_handles;
        let mut left = 0;
        let mut next = list::first(head);
        while let Some(link) = next {
            left += 1;
            next = list::after(head, link);
        }
        while left > 0
            && let Some(link) = list::pop_front(head)
        {
            left -= 1;
            list::push_back(head, link);
            let process = link.byte_sub(offset_of!(uv_process_t, queue)).cast::<uv_process_t>();
            if record(&*process).is_null() {
                reap(&*process);
            }
        }
    }
}

/// Takes the child's status if it has ended, and tells the program.
fn reap(process: &uv_process_t) {
    let mut status = 0;
    let pid = loop {
        // SAFETY: room for the status.
        let pid = unsafe { libc::waitpid(process.pid.get(), &mut status, libc::WNOHANG) };
        if pid != -1 || status::errno() != libc::EINTR {
            break pid;
        }
    };
    if pid == 0 {
        return;
    }
    forget(process);
    if pid == -1 {
        // Somebody else waited for it. There is nothing true to tell, so nothing is told, and the
        // handle stays active: as on libuv.
        return;
    }
    process.status.set(status);
    process.stop();
    let (mut code, mut signum) = (0, 0);
    if libc::WIFEXITED(status) {
        code = i64::from(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        signum = libc::WTERMSIG(status);
    }
    if let Some(callback) = process.exit_cb.get() {
        // SAFETY: the program's function, called with its own handle.
        call::out(process.owner(), || unsafe { callback(process.as_ptr(), code, signum) });
    }
}

/// Its end is known, or no longer of interest.
fn forget(process: &uv_process_t) {
    let child = record(process);
    set_record(process, ptr::null_mut());
    // SAFETY: a record is ours and live until freed here; the link was initialised by uv_spawn.
    unsafe {
        if !child.is_null() {
            watch::close_descriptor(process.owner(), &(*child).watch);
            mem::free(child.cast());
        }
        list::remove(&raw const process.queue);
    }
    no_more_children(process.owner());
}

fn no_more_children(owner: &uv_loop_t) {
    // SAFETY: the list head of an initialised loop.
    if unsafe { list::is_empty(&raw const owner.process_handles) } {
        signal::unwatch_children(owner);
    }
}

/// The handle's part of uv_close. A child that still runs is the program's to wait for.
pub(crate) fn close(process: &uv_process_t) {
    forget(process);
    process.stop();
}

/// uv_process_kill.
pub(super) fn kill(process: &uv_process_t, signum: c_int) -> c_int {
    // SAFETY: a handle of uv_spawn, or zero-filled, which counts as unlinked.
    if process.pid.get() <= 0 || unsafe { list::is_empty(&raw const process.queue) } {
        return UV_ESRCH;
    }
    let child = record(process);
    // SAFETY: a record is live; plain numbers otherwise.
    unsafe {
        if !child.is_null() {
            let pidfd = c_long::from((*child).watch.fd.get());
            let info = ptr::null::<libc::siginfo_t>();
            if libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signum, info, 0) == 0 {
                return 0;
            }
            // Sandboxes refuse calls they do not know; the child is ours and still has its number.
            if !matches!(status::last(), UV_ENOSYS | UV_EPERM) {
                return status::last();
            }
        }
        status::check(libc::kill(process.pid.get(), signum))
    }
}
