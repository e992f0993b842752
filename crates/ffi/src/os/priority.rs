//! The priority of a process: its nice value.

use core::ffi::c_int;

use crate::abi::*;
use crate::status;

/// The nice value of process `pid` (0: this one), from -20 (first served) to 19. `UV_EINVAL` when
/// `priority` is NULL, `UV_ESRCH` when there is no such process.
/// Source: manual, misc, `uv_os_getpriority`.
///
/// # Safety
/// `priority` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_getpriority(pid: uv_pid_t, priority: *mut c_int) -> c_int {
    if priority.is_null() {
        return UV_EINVAL;
    }
    status::set_errno(0);
    // SAFETY: may be asked about any number. -1 is an answer, so errno tells.
    let value = unsafe { libc::getpriority(libc::PRIO_PROCESS, pid as libc::id_t) };
    if value == -1 && status::errno() != 0 {
        return status::last();
    }
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe { priority.write(value) };
    0
}

/// Sets the nice value of process `pid` (0: this one). `UV_EINVAL` outside of
/// `UV_PRIORITY_HIGHEST` (-20) to `UV_PRIORITY_LOW` (19); `UV_ESRCH`; `UV_EACCES`, `UV_EPERM` when
/// it is not this user's to set.
/// Source: manual, misc, `uv_os_setpriority`.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_setpriority(pid: uv_pid_t, priority: c_int) -> c_int {
    if !(UV_PRIORITY_HIGHEST..=UV_PRIORITY_LOW).contains(&priority) {
        return UV_EINVAL;
    }
    // SAFETY: may be called with any numbers.
    status::check(unsafe { libc::setpriority(libc::PRIO_PROCESS, pid as libc::id_t, priority) })
}
