//! What happens between clone(2) and execve(2). The memory may be the parent's and other threads of
//! the parent may hold any lock, so nothing here allocates, locks, or keeps state: system calls only.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::Ordering;

use super::launch::Job;
use super::path::Program;
use super::stdio::{Entry, Stdio};
use crate::abi::*;
use crate::status;

/// How many standard descriptors there are; they are never left closed.
const STANDARD: c_int = 3;

/// The last signal.
const SIGNALS: c_int = 64;

/// The child's work.
pub(super) struct Plan {
    flags: c_uint,
    uid: uv_uid_t,
    gid: uv_gid_t,
    cwd: *const c_char,
    stdio: *const Entry,
    stdio_count: usize,
    program: *const Program,
}

impl Plan {
    /// Valid for as long as what it is made of.
    pub(super) fn new(
        options: &uv_process_options_t,
        program: &Program,
        stdio: &Stdio<'_>,
    ) -> Self {
        let entries = stdio.entries();
        Plan {
            flags: options.flags,
            uid: options.uid,
            gid: options.gid,
            cwd: options.cwd,
            stdio: entries.as_ptr(),
            stdio_count: entries.len(),
            program,
        }
    }

    /// Whether the child becomes another user or group.
    pub(super) fn changes_user(&self) -> bool {
        self.has(UV_PROCESS_SETUID) || self.has(UV_PROCESS_SETGID)
    }

    fn has(&self, flag: c_uint) -> bool {
        self.flags & flag != 0
    }
}

/// Becomes the program, or leaves the reason and ends.
pub(super) extern "C" fn main(job: *mut c_void) -> c_int {
    // SAFETY: `launch` hands a job over that is valid until this process has left it.
    unsafe {
        let job = &*job.cast::<Job>();
        let error = match prepare(&*job.plan) {
            Ok(()) => (*(*job.plan).program).exec(),
            Err(error) => error,
        };
        // Relaxed: see `launch`. 0 would mean success.
        job.error.store(if error == 0 { libc::EIO } else { error }, Ordering::Relaxed);
        libc::_exit(127)
    }
}

/// # Safety
/// The plan and all it points to are valid, and this is a fresh process.
unsafe fn prepare(plan: &Plan) -> Result<(), c_int> {
    // SAFETY: the caller's promise; the calls concern this process only.
    unsafe {
        reset_dispositions();
        if plan.has(UV_PROCESS_DETACHED) {
            libc::setsid();
        }
        arrange(core::slice::from_raw_parts(plan.stdio, plan.stdio_count))?;
        if !plan.cwd.is_null() {
            call(libc::chdir(plan.cwd))?;
        }
        become_user(plan)?;
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
    Ok(())
}

fn call(answer: c_int) -> Result<c_int, c_int> {
    if answer == -1 { Err(status::errno()) } else { Ok(answer) }
}

/// The order matters: each step needs what the next one gives away. The C library's own functions
/// would tell the parent's threads, so these are the bare system calls.
///
/// # Safety
/// This is a fresh process.
unsafe fn become_user(plan: &Plan) -> Result<(), c_int> {
    // SAFETY: no addresses but a null one for an empty list.
    unsafe {
        if plan.changes_user() {
            // Refused to whoever is not root, and then there is nothing to give away.
            libc::syscall(libc::SYS_setgroups, 0, ptr::null::<uv_gid_t>());
        }
        if plan.has(UV_PROCESS_SETGID) {
            call(libc::syscall(libc::SYS_setgid, plan.gid) as c_int)?;
        }
        if plan.has(UV_PROCESS_SETUID) {
            call(libc::syscall(libc::SYS_setuid, plan.uid) as c_int)?;
        }
    }
    Ok(())
}

/// No handler of the parent's may run here, and what it ignores is its own affair.
fn reset_dispositions() {
    // SAFETY: all zero is SIG_DFL with no flags; refusals (SIGKILL, SIGSTOP, the C library's own)
    // change nothing.
    unsafe {
        let default = core::mem::zeroed::<libc::sigaction>();
        for signum in 1..=SIGNALS {
            libc::sigaction(signum, &default, ptr::null_mut());
        }
    }
}

/// Puts the descriptors where they belong.
///
/// Targets are filled in rising order. A source that lies below its own target would be gone by
/// then, so such ones are copied beyond the last target first.
///
/// # Safety
/// This is a fresh process: any descriptor may be replaced.
unsafe fn arrange(entries: &[Entry]) -> Result<(), c_int> {
    let beyond = entries.len() as c_int;
    // SAFETY: descriptors are plain numbers; the kernel checks them.
    unsafe {
        for (target, entry) in entries.iter().enumerate() {
            let mut source = entry.source;
            if source >= 0 && source < target as c_int {
                source = call(libc::fcntl(source, libc::F_DUPFD_CLOEXEC, beyond))?;
            }
            entry.placed.set(source);
        }
        for (target, entry) in entries.iter().enumerate() {
            place(entry, target as c_int)?;
        }
    }
    Ok(())
}

/// # Safety
/// As for [`arrange`].
unsafe fn place(entry: &Entry, target: c_int) -> Result<(), c_int> {
    let source = entry.placed.get();
    // SAFETY: as for `arrange`.
    unsafe {
        if source < 0 {
            return if target < STANDARD { fill(target) } else { Ok(()) };
        }
        if source == target {
            call(libc::fcntl(target, libc::F_SETFD, 0))?;
        } else {
            call(libc::dup2(source, target))?;
        }
        if entry.blocks && target < STANDARD {
            let flags = call(libc::fcntl(target, libc::F_GETFL))?;
            if flags & libc::O_NONBLOCK != 0 {
                call(libc::fcntl(target, libc::F_SETFL, flags & !libc::O_NONBLOCK))?;
            }
        }
    }
    Ok(())
}

/// /dev/null for a standard descriptor that nothing was given for.
///
/// # Safety
/// As for [`arrange`].
unsafe fn fill(target: c_int) -> Result<(), c_int> {
    let mode = if target == 0 { libc::O_RDONLY } else { libc::O_RDWR };
    // SAFETY: a C string; bare calls, because the C library's may act on a pending cancellation.
    unsafe {
        let path = c"/dev/null".as_ptr();
        libc::syscall(libc::SYS_close, target);
        // All below are open, so this is the lowest number that is free, and the one to come.
        call(libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, mode) as c_int)?;
    }
    Ok(())
}
