//! `uv_thread_t`: start, end, name, CPUs, priority.

use core::ffi::{c_char, c_int, c_void};
use core::mem::{self, MaybeUninit};
use core::ptr;

use super::must;
use crate::abi::*;
use crate::status;

/// Longest thread name of Linux, with its NUL.
const NAME_SIZE: usize = 16;

/// The stack of a thread that asked for none, where the limit says nothing: glibc's own default.
const DEFAULT_STACK: usize = 2 << 20;

/// Smallest stack that pthread accepts.
fn min_stack() -> usize {
    // SAFETY: sysconf may be asked anything.
    let min = unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) };
    usize::try_from(min).unwrap_or(0).max(libc::PTHREAD_STACK_MIN)
}

fn page_size() -> usize {
    // SAFETY: sysconf may be asked anything.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096).max(1)
}

/// The limit on the main thread's stack, whole pages: what most programs are written for.
fn default_stack() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    if answer != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
        return DEFAULT_STACK;
    }
    let page = page_size();
    let size = usize::try_from(limit.rlim_cur).unwrap_or(DEFAULT_STACK) / page * page;
    if size >= min_stack() { size } else { DEFAULT_STACK }
}

/// Whole pages, and no less than pthread accepts. `wanted` is not 0.
fn round_stack(wanted: usize) -> usize {
    let page = page_size();
    wanted.div_ceil(page).checked_mul(page).unwrap_or(usize::MAX / page * page).max(min_stack())
}

/// Starts a thread that runs `entry(arg)`, with a stack of `stack_size` bytes.
///
/// # Safety
/// `tid` is valid for writes; `entry` may be called with `arg` on another thread.
pub(crate) unsafe fn spawn(
    tid: *mut uv_thread_t,
    stack_size: usize,
    entry: unsafe extern "C" fn(*mut c_void),
    arg: *mut c_void,
) -> c_int {
    type Entry = extern "C" fn(*mut c_void) -> *mut c_void;
    // SAFETY: the C calling conventions of Linux let a caller that expects a pointer call a
    // function that returns nothing; it reads a register, and nobody looks at a joined thread's
    // result.
    let entry = unsafe { mem::transmute::<unsafe extern "C" fn(*mut c_void), Entry>(entry) };
    let mut attr = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attr = attr.as_mut_ptr();
    // SAFETY: `attr` is initialised before it is used and destroyed after; the caller's word on
    // the rest.
    unsafe {
        must(libc::pthread_attr_init(attr));
        must(libc::pthread_attr_setstacksize(attr, stack_size));
        let answer = libc::pthread_create(tid, attr, entry, arg);
        must(libc::pthread_attr_destroy(attr));
        status::from_pthread(answer)
    }
}

/// Starts a thread that runs `entry(arg)`. 0 or an error code (`UV_EAGAIN`: no thread to be had;
/// `UV_EINVAL`: `entry` is NULL).
///
/// # Safety
/// As for [`uv_thread_create_ex`] without options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_create(
    tid: *mut uv_thread_t,
    entry: uv_thread_cb,
    arg: *mut c_void,
) -> c_int {
    let params = uv_thread_options_t { flags: UV_THREAD_NO_FLAGS, stack_size: 0 };
    // SAFETY: the caller's word.
    unsafe { uv_thread_create_ex(tid, &params, entry, arg) }
}

/// As [`uv_thread_create`]. With `UV_THREAD_HAS_STACK_SIZE`, `stack_size` bytes of stack, rounded
/// up to whole pages and to the least that pthread accepts; 0 means the default, the stack limit
/// of the process.
///
/// # Safety
/// `tid` is valid for writes, `params` for reads; `entry` may be called with `arg` on another
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_create_ex(
    tid: *mut uv_thread_t,
    params: *const uv_thread_options_t,
    entry: uv_thread_cb,
    arg: *mut c_void,
) -> c_int {
    let Some(entry) = entry else { return UV_EINVAL };
    if tid.is_null() || params.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: not NULL, so valid by the caller's word.
    let params = unsafe { *params };
    let has_size = params.flags & UV_THREAD_HAS_STACK_SIZE != 0;
    let stack_size = match params.stack_size {
        size if has_size && size != 0 => round_stack(size),
        _ => default_stack(),
    };
    // SAFETY: the caller's word.
    unsafe { spawn(tid, stack_size, entry, arg) }
}

/// Waits for the thread to end. 0 or an error code (`UV_EDEADLK` as a number: the caller itself).
///
/// # Safety
/// `tid` points at a thread that was neither joined nor detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_join(tid: *mut uv_thread_t) -> c_int {
    // SAFETY: the caller's word on `tid`.
    status::from_pthread(unsafe { libc::pthread_join(*tid, ptr::null_mut()) })
}

/// Lets the thread clean up after itself: it can no longer be joined. 0 or an error code.
///
/// # Safety
/// As for [`uv_thread_join`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_detach(tid: *mut uv_thread_t) -> c_int {
    // SAFETY: the caller's word on `tid`.
    status::from_pthread(unsafe { libc::pthread_detach(*tid) })
}

/// The calling thread.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_self() -> uv_thread_t {
    // SAFETY: may be called at any time.
    unsafe { libc::pthread_self() }
}

/// Not 0 when both are the same thread.
///
/// # Safety
/// Both are valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_equal(t1: *const uv_thread_t, t2: *const uv_thread_t) -> c_int {
    // A pthread_t is a number on Linux.
    // SAFETY: the caller's word.
    unsafe { c_int::from(*t1 == *t2) }
}

/// Names the calling thread; Linux keeps the first 15 bytes. `UV_EINVAL` when `name` is NULL.
///
/// # Safety
/// `name` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_setname(name: *const c_char) -> c_int {
    if name.is_null() {
        return UV_EINVAL;
    }
    let mut short = [0 as c_char; NAME_SIZE];
    // SAFETY: at most 15 bytes of a C string are copied into 16; the last stays NUL.
    unsafe {
        ptr::copy_nonoverlapping(name, short.as_mut_ptr(), libc::strnlen(name, NAME_SIZE - 1));
        status::from_pthread(libc::pthread_setname_np(libc::pthread_self(), short.as_ptr()))
    }
}

/// The thread's name, cut to `size` bytes with its NUL. `UV_EINVAL` when `name` is NULL or `size` 0.
///
/// # Safety
/// `tid` points at a thread that runs, `name` is NULL or valid for writes of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getname(
    tid: *mut uv_thread_t,
    name: *mut c_char,
    size: usize,
) -> c_int {
    if name.is_null() || size == 0 {
        return UV_EINVAL;
    }
    let mut whole = [0 as c_char; NAME_SIZE];
    // SAFETY: the caller's word on `tid`; at most `size` - 1 bytes and a NUL are written.
    unsafe {
        let answer = libc::pthread_getname_np(*tid, whole.as_mut_ptr(), NAME_SIZE);
        if answer != 0 {
            return status::from_pthread(answer);
        }
        let len = libc::strnlen(whole.as_ptr(), NAME_SIZE - 1).min(size - 1);
        ptr::copy_nonoverlapping(whole.as_ptr(), name, len);
        name.add(len).write(0);
    }
    0
}

/// How many bytes an affinity mask has: one for each CPU that the kernel's mask can name.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cpumask_size() -> c_int {
    libc::CPU_SETSIZE
}

const CPUS: usize = libc::CPU_SETSIZE as usize;

/// Binds the thread to the CPUs whose byte in `cpumask` is not 0, and puts the old mask into
/// `oldmask` unless that is NULL. `UV_EINVAL` when `mask_size` is below [`uv_cpumask_size`] or no
/// CPU of the mask exists.
///
/// # Safety
/// `tid` points at a thread that runs; the masks have `mask_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_setaffinity(
    tid: *mut uv_thread_t,
    cpumask: *mut c_char,
    oldmask: *mut c_char,
    mask_size: usize,
) -> c_int {
    if mask_size < CPUS || cpumask.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the masks have at least CPUS bytes; a zeroed set is the empty set.
    unsafe {
        if !oldmask.is_null() {
            let code = uv_thread_getaffinity(tid, oldmask, mask_size);
            if code < 0 {
                return code;
            }
        }
        let mut set = mem::zeroed::<libc::cpu_set_t>();
        for cpu in 0..CPUS {
            if *cpumask.add(cpu) != 0 {
                libc::CPU_SET(cpu, &mut set);
            }
        }
        let size = mem::size_of::<libc::cpu_set_t>();
        status::from_pthread(libc::pthread_setaffinity_np(*tid, size, &set))
    }
}

/// Sets each byte of `cpumask` to 1 or 0: may the thread run on that CPU. `UV_EINVAL` when
/// `mask_size` is below [`uv_cpumask_size`].
///
/// # Safety
/// `tid` points at a thread that runs; `cpumask` has `mask_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getaffinity(
    tid: *mut uv_thread_t,
    cpumask: *mut c_char,
    mask_size: usize,
) -> c_int {
    if mask_size < CPUS || cpumask.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the mask has at least CPUS bytes; a zeroed set is the empty set.
    unsafe {
        let mut set = mem::zeroed::<libc::cpu_set_t>();
        let size = mem::size_of::<libc::cpu_set_t>();
        let answer = libc::pthread_getaffinity_np(*tid, size, &mut set);
        if answer != 0 {
            return status::from_pthread(answer);
        }
        for cpu in 0..CPUS {
            cpumask.add(cpu).write(c_char::from(libc::CPU_ISSET(cpu, &set)));
        }
    }
    0
}

/// The CPU that runs the calling thread now, or an error code.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getcpu() -> c_int {
    // SAFETY: may be called at any time.
    status::check(unsafe { libc::sched_getcpu() })
}

/// A thread's scheduling policy and priority.
///
/// # Safety
/// `tid` is a thread that runs.
unsafe fn sched_param(tid: uv_thread_t) -> Result<(c_int, libc::sched_param), c_int> {
    let mut policy = 0;
    let mut param = libc::sched_param { sched_priority: 0 };
    // SAFETY: both are valid for writes; the caller's word on `tid`.
    match unsafe { libc::pthread_getschedparam(tid, &mut policy, &mut param) } {
        0 => Ok((policy, param)),
        answer => Err(status::from_pthread(answer)),
    }
}

/// Whether the kernel ranks this thread by its nice value, which only the thread's own id reaches.
fn is_own_nice(tid: uv_thread_t, policy: c_int) -> bool {
    // SAFETY: pthread_self may be called at any time.
    policy == libc::SCHED_OTHER && tid == unsafe { libc::pthread_self() }
}

/// The thread's priority: the nice value for the calling thread under SCHED_OTHER, otherwise the
/// policy's number (0 under SCHED_OTHER). `UV_EINVAL` when `priority` is NULL.
///
/// # Safety
/// `tid` is a thread that runs, `priority` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getpriority(tid: uv_thread_t, priority: *mut c_int) -> c_int {
    if priority.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word on `tid`.
    let (policy, param) = match unsafe { sched_param(tid) } {
        Ok(found) => found,
        Err(code) => return code,
    };
    let mut value = param.sched_priority;
    if is_own_nice(tid, policy) {
        status::set_errno(0);
        // SAFETY: may be called at any time. -1 is an answer, so errno tells.
        value = unsafe { libc::getpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t) };
        if value == -1 && status::errno() != 0 {
            return status::last();
        }
    }
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe { priority.write(value) };
    0
}

/// Sets the thread's priority, `UV_THREAD_PRIORITY_LOWEST` (-2) to `UV_THREAD_PRIORITY_HIGHEST`
/// (2): a nice value of 4 to -4 for the calling thread under SCHED_OTHER, otherwise that quarter
/// of the policy's range. `UV_EINVAL` for any other number.
///
/// # Safety
/// `tid` is a thread that runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_setpriority(tid: uv_thread_t, priority: c_int) -> c_int {
    if !(UV_THREAD_PRIORITY_LOWEST..=UV_THREAD_PRIORITY_HIGHEST).contains(&priority) {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word on `tid`.
    let (policy, mut param) = match unsafe { sched_param(tid) } {
        Ok(found) => found,
        Err(code) => return code,
    };
    if is_own_nice(tid, policy) {
        // SAFETY: may be called at any time.
        return status::check(unsafe {
            libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, -2 * priority)
        });
    }
    // SAFETY: both may be asked about any policy; the caller's word on `tid`.
    unsafe {
        let min = libc::sched_get_priority_min(policy);
        let max = libc::sched_get_priority_max(policy);
        if min == -1 || max == -1 {
            return status::last();
        }
        let quarters = priority - UV_THREAD_PRIORITY_LOWEST;
        param.sched_priority = (min * (4 - quarters) + max * quarters) / 4;
        status::from_pthread(libc::pthread_setschedparam(tid, policy, &param))
    }
}
