//! The clone(2) call.
//!
//! The child runs on a stack of its own and the parent waits until it has become the program or
//! given up, so it may use the parent's memory instead of a copy: the time to start a program does
//! not depend on the parent's size. Not so when it changes its user: the kernel marks the memory of
//! a process that does so, and that must not be the parent's.
//!
//! Signals are blocked meanwhile: a handler would run on the parent's memory in the child.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};

use uvring_core::socket;

use super::child::{self, Plan};
use crate::abi::*;
use crate::status;

/// The child calls a handful of system calls, a few frames deep.
type Stack = [u128; 1024];

/// What the child gets to see.
pub(super) struct Job {
    pub(super) plan: *const Plan,
    /// Why the child gave up, or 0: an error number.
    pub(super) error: AtomicI32,
}

/// A child that runs.
pub(super) struct Launched {
    pub(super) pid: c_int,
    /// Its pidfd, close-on-exec; -1: there is none.
    pub(super) pidfd: c_int,
}

/// Why there is no child: a code.
pub(super) enum Failure {
    /// The kernel made no process.
    Clone(c_int),
    /// The process did not become the program.
    Child(c_int),
}

/// Starts the program, with a pidfd where one is wanted and the kernel knows how.
///
/// # Safety
/// The plan and all it points to are valid.
pub(super) unsafe fn launch(plan: &Plan, wants_pidfd: bool) -> Result<Launched, Failure> {
    let mut flags = libc::CLONE_VFORK | libc::SIGCHLD;
    if wants_pidfd {
        flags |= libc::CLONE_PIDFD;
    }
    let job = Job { plan, error: AtomicI32::new(0) };
    if !plan.changes_user() {
        // SAFETY: the caller's promise; the job is in this frame.
        return unsafe { run(&job, flags | libc::CLONE_VM) };
    }
    // The child has memory of its own, but for this page.
    // SAFETY: fresh memory, large enough, that the child leaves before it is unmapped.
    unsafe {
        let page = libc::mmap(
            ptr::null_mut(),
            size_of::<Job>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return Err(Failure::Clone(status::last()));
        }
        page.cast::<Job>().write(job);
        let result = run(&*page.cast::<Job>(), flags);
        libc::munmap(page, size_of::<Job>());
        result
    }
}

/// # Safety
/// The job's plan is valid.
unsafe fn run(job: &Job, flags: c_int) -> Result<Launched, Failure> {
    let mut pidfd: c_int = -1;
    let mut stack = MaybeUninit::<Stack>::uninit();
    let top = stack.as_mut_ptr().wrapping_add(1).cast::<c_void>();
    let job_ptr = ptr::from_ref(job).cast_mut();
    // SAFETY: the caller's promise; with CLONE_VFORK the child is done with the job and the stack
    // when the call returns.
    unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut old = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
        let pid = libc::clone(child::main, top, flags, job_ptr.cast(), &raw mut pidfd);
        let code = status::last();
        libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut());
        if pid == -1 {
            return Err(Failure::Clone(code));
        }
        // Relaxed: the kernel's wake-up of the parent orders the child's store before this.
        let error = job.error.load(Ordering::Relaxed);
        if error == 0 {
            return Ok(Launched { pid, pidfd });
        }
        while libc::waitpid(pid, ptr::null_mut(), 0) == -1 && status::last() == UV_EINTR {}
        if pidfd != -1 {
            let _ = socket::close(pidfd);
        }
        Err(Failure::Child(-error))
    }
}
