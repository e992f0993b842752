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
const STACK_BYTES: usize = 64 * 1024;

/// What the child gets to see; at the low end of its stack's memory.
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
    let shares = !plan.changes_user();
    let mut flags = libc::CLONE_VFORK | libc::SIGCHLD;
    if shares {
        flags |= libc::CLONE_VM;
    }
    if wants_pidfd {
        flags |= libc::CLONE_PIDFD;
    }
    // The child's word comes back through this memory in either case.
    let kind = if shares { libc::MAP_PRIVATE } else { libc::MAP_SHARED };
    // SAFETY: fresh memory that the child leaves before it is unmapped; a job fits many times.
    unsafe {
        let stack = libc::mmap(
            ptr::null_mut(),
            STACK_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            kind | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            -1,
            0,
        );
        if stack == libc::MAP_FAILED {
            return Err(Failure::Clone(status::last()));
        }
        let job = stack.cast::<Job>();
        job.write(Job { plan, error: AtomicI32::new(0) });
        let result = run(job, stack.add(STACK_BYTES), flags);
        libc::munmap(stack, STACK_BYTES);
        result
    }
}

/// # Safety
/// `job` is valid, `top` the end of a stack that nobody uses.
unsafe fn run(job: *mut Job, top: *mut c_void, flags: c_int) -> Result<Launched, Failure> {
    let mut pidfd: c_int = -1;
    // SAFETY: the caller's promise; with CLONE_VFORK the child is done with the job and the stack
    // when the call returns.
    unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut old = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
        let pid = libc::clone(child::main, top, flags, job.cast(), &raw mut pidfd);
        let code = status::last();
        libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), ptr::null_mut());
        if pid == -1 {
            return Err(Failure::Clone(code));
        }
        // Relaxed: the kernel's wake-up of the parent orders the child's store before this.
        let error = (*job).error.load(Ordering::Relaxed);
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
