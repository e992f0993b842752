//! `uv_process_t`: child processes. Source: the manual's page on processes.
//!
//! ```text
//!   mod     the handle: started, killed, closed
//!   exit    how a child's end is noticed
//!   stdio   what the child's descriptors are made of, on the parent's side
//!   path    where the program may be, and what runs it if it is a script
//!   launch  the clone(2) call
//!   child   what happens between clone(2) and execve(2)
//! ```

mod child;
mod exit;
mod launch;
mod path;
mod stdio;

use core::ffi::{c_int, c_uint};

use uvring_core::list;

use self::child::Plan;
pub(crate) use self::exit::{close, ended};
use self::path::Program;
use self::stdio::Stdio;
use crate::abi::*;
use crate::handle::{self, Handle, flag};
use crate::status;

/// `int uv_spawn(uv_loop_t*, uv_process_t*, const uv_process_options_t*)`: makes the handle and
/// starts the program. Without a slash `file` is looked for in the `PATH` of the child's
/// environment. Whatever is returned, the handle may be closed.
///
/// # Returns
/// 0; `UV_EINVAL` for NULL options, a NULL `file` or NULL `args`, unknown flags, an unknown kind of
/// stdio, a stream that is no pipe or has nothing to inherit; `UV_EBUSY` for a pipe to create that
/// has a descriptor; what socketpair(2), clone(2), and in the child setsid(2), dup2(2), chdir(2),
/// setgid(2), setuid(2) and execve(2) say. A child that a signal ends before it has become the
/// program was started: its end goes to the callback. `args` may be empty, and a `stdio_count`
/// below zero is none.
///
/// # Safety
/// `owner` is an initialised loop, `process` valid for writes, `options` NULL or valid, with all
/// that it points to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_spawn(
    owner: *mut uv_loop_t,
    process: *mut uv_process_t,
    options: *const uv_process_options_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        handle::init(owner, process.cast(), UV_PROCESS);
        let this = &*process;
        this.exit_cb.set(None);
        this.pid.set(0);
        this.status.set(0);
        list::init(&raw const this.queue);
        let result = match options.as_ref() {
            Some(options) => spawn(this, options),
            None => Err(UV_EINVAL),
        };
        match result {
            Ok(()) => 0,
            Err(code) => {
                // Programs give the memory back without uv_close when nothing was started.
                if !this.has(flag::ACTIVE) {
                    list::remove(&raw const this.handle_queue);
                }
                code
            }
        }
    }
}

/// Every flag there is; those for Windows mean nothing here.
const FLAGS: c_uint = UV_PROCESS_SETUID
    | UV_PROCESS_SETGID
    | UV_PROCESS_DETACHED
    | UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS
    | UV_PROCESS_WINDOWS_HIDE
    | UV_PROCESS_WINDOWS_HIDE_CONSOLE
    | UV_PROCESS_WINDOWS_HIDE_GUI
    | UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME;

/// # Safety
/// As for [`uv_spawn`].
unsafe fn spawn(this: &uv_process_t, options: &uv_process_options_t) -> Result<(), c_int> {
    if options.file.is_null() || options.args.is_null() || options.flags & !FLAGS != 0 {
        return Err(UV_EINVAL);
    }
    // SAFETY: the caller's promise; what the child sees of this frame stays until it has left it.
    unsafe {
        this.exit_cb.set(options.exit_cb);
        let program = Program::new(options)?;
        let stdio = Stdio::new(options)?;
        let plan = Plan::new(options, &program, &stdio);
        let result = exit::run(this, &plan);
        // Also after a failure: who reads from such a pipe sees its end.
        stdio.open()?;
        result
    }
}

/// `int uv_process_kill(uv_process_t*, int signum)`: sends the child a signal; 0 only asks whether
/// it is there. A process that got the number of a child that has ended is never hit.
///
/// # Returns
/// 0; `UV_ESRCH` when the child has ended or never ran; `UV_EINVAL` for a number out of range;
/// `UV_EPERM`.
///
/// # Safety
/// `process` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_process_kill(process: *mut uv_process_t, signum: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let this = unsafe { &*process };
    exit::kill(this, signum)
}

/// `int uv_kill(int pid, int signum)`: kill(2).
///
/// # Returns
/// 0; `UV_EINVAL` for a number out of range; `UV_ESRCH`; `UV_EPERM`.
///
/// # Safety
/// None of the arguments is an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_kill(pid: c_int, signum: c_int) -> c_int {
    // SAFETY: kill(2) takes any numbers.
    status::check(unsafe { libc::kill(pid, signum) })
}

/// `void uv_disable_stdio_inheritance(void)`: makes every open descriptor close-on-exec, so that
/// children get only what they are given.
///
/// # Safety
/// Takes nothing; other threads that start programs at this time see a mix.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_disable_stdio_inheritance() {
    // SAFETY: both calls take any numbers.
    unsafe {
        let cloexec = libc::CLOSE_RANGE_CLOEXEC;
        if libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, cloexec) == 0 {
            return;
        }
        // Before Linux 5.11: as far as there is a descriptor, and the low ones in any case.
        for fd in 0..c_int::MAX {
            if libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) == -1 && fd > 15 {
                break;
            }
        }
    }
}
