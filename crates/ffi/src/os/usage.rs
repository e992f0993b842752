//! What the process and the system have used so far: memory, time, faults, load.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::proc::{decimal, first_line, number, words};
use crate::abi::*;
use crate::status;

/// The resident memory of this process, in bytes. `UV_EINVAL` when `rss` is NULL; without /proc, as
/// open(2).
/// Source: manual, misc, `uv_resident_set_memory`.
///
/// # Safety
/// `rss` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_resident_set_memory(rss: *mut usize) -> c_int {
    if rss.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: sysconf may be asked anything.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let pages = first_line(c"/proc/self/statm", |line| number(words(line).nth(1)?));
    let Some(bytes) = pages.and_then(|pages| pages.checked_mul(page)) else { return UV_ENOENT };
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe { rss.write(bytes as usize) };
    0
}

/// Seconds since the system started, with decimals. In a container that shows its own, since that
/// started. `UV_EINVAL` when `uptime` is NULL.
/// Source: manual, misc, `uv_uptime`.
///
/// # Safety
/// `uptime` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_uptime(uptime: *mut f64) -> c_int {
    if uptime.is_null() {
        return UV_EINVAL;
    }
    let seconds = first_line(c"/proc/uptime", decimal).map_or_else(boot_time, Ok);
    match seconds {
        Ok(seconds) => {
            // SAFETY: not NULL, so valid by the caller's word.
            unsafe { uptime.write(seconds) };
            0
        }
        Err(code) => code,
    }
}

/// Seconds since the system started, by the kernel's clock.
fn boot_time() -> Result<f64, c_int> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` is valid for writes; on 0 it is filled.
    unsafe {
        if libc::clock_gettime(libc::CLOCK_BOOTTIME, time.as_mut_ptr()) != 0 {
            return Err(status::last());
        }
        let time = time.assume_init();
        Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }
}

/// How many threads wanted to run in the last 1, 5 and 15 minutes, on average. Zeros when the
/// system does not say; nothing when `avg` is NULL.
/// Source: manual, misc, `uv_loadavg`.
///
/// # Safety
/// `avg` is NULL or valid for writes of three numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loadavg(avg: *mut f64) {
    if avg.is_null() {
        return;
    }
    let load = first_line(c"/proc/loadavg", |line| {
        let mut words = words(line).map(decimal);
        Some([words.next()??, words.next()??, words.next()??])
    });
    let load = load.or_else(system_load).unwrap_or_default();
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe { avg.cast::<[f64; 3]>().write(load) };
}

/// The load as sysinfo(2) has it: without /proc.
fn system_load() -> Option<[f64; 3]> {
    let mut info = MaybeUninit::<libc::sysinfo>::uninit();
    // SAFETY: `info` is valid for writes; on 0 it is filled.
    unsafe {
        if libc::sysinfo(info.as_mut_ptr()) != 0 {
            return None;
        }
        // Fixed point: 16 bits behind the point.
        Some(info.assume_init().loads.map(|load| load as f64 / 65536.0))
    }
}

/// # Safety
/// `rusage` is NULL or valid for writes.
unsafe fn usage(who: c_int, rusage: *mut uv_rusage_t) -> c_int {
    if rusage.is_null() {
        return UV_EINVAL;
    }
    let mut own = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `own` is valid for writes; on 0 it is filled.
    let own = unsafe {
        if libc::getrusage(who, own.as_mut_ptr()) != 0 {
            return status::last();
        }
        own.assume_init()
    };
    let time = |time: libc::timeval| uv_timeval_t { tv_sec: time.tv_sec, tv_usec: time.tv_usec };
    let found = uv_rusage_t {
        ru_utime: time(own.ru_utime),
        ru_stime: time(own.ru_stime),
        ru_maxrss: own.ru_maxrss as u64,
        ru_ixrss: own.ru_ixrss as u64,
        ru_idrss: own.ru_idrss as u64,
        ru_isrss: own.ru_isrss as u64,
        ru_minflt: own.ru_minflt as u64,
        ru_majflt: own.ru_majflt as u64,
        ru_nswap: own.ru_nswap as u64,
        ru_inblock: own.ru_inblock as u64,
        ru_oublock: own.ru_oublock as u64,
        ru_msgsnd: own.ru_msgsnd as u64,
        ru_msgrcv: own.ru_msgrcv as u64,
        ru_nsignals: own.ru_nsignals as u64,
        ru_nvcsw: own.ru_nvcsw as u64,
        ru_nivcsw: own.ru_nivcsw as u64,
    };
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe { rusage.write(found) };
    0
}

/// What this process has used, as getrusage(2) counts: CPU time, most resident memory in KiB,
/// faults, switches. `UV_EINVAL` when `rusage` is NULL.
/// Source: manual, misc, `uv_getrusage`.
///
/// # Safety
/// `rusage` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getrusage(rusage: *mut uv_rusage_t) -> c_int {
    // SAFETY: the caller's word.
    unsafe { usage(libc::RUSAGE_SELF, rusage) }
}

/// As [`uv_getrusage`], for the calling thread.
///
/// # Safety
/// `rusage` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getrusage_thread(rusage: *mut uv_rusage_t) -> c_int {
    // SAFETY: the caller's word.
    unsafe { usage(libc::RUSAGE_THREAD, rusage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_agree_about_the_start() {
        let mut seconds = 0.0;
        // SAFETY: a valid place.
        assert_eq!(unsafe { uv_uptime(&mut seconds) }, 0);
        let clock = boot_time().expect("a clock");
        assert!(seconds > 0.0 && (clock - seconds).abs() < 5.0, "{seconds} {clock}");
    }

    #[test]
    fn touched_memory_is_resident() {
        let (mut before, mut after) = (0, 0);
        const SIZE: usize = 32 << 20;
        // SAFETY: valid places.
        unsafe {
            assert_eq!(uv_resident_set_memory(&mut before), 0);
            let block = std::vec![1_u8; SIZE];
            assert_eq!(uv_resident_set_memory(&mut after), 0);
            assert_eq!(std::hint::black_box(&block).len(), SIZE);
        }
        assert!(after > before + SIZE / 2, "{before} {after}");
    }

    #[test]
    fn both_sources_of_the_load_agree() {
        let mut load = [-1.0; 3];
        // SAFETY: room for three numbers.
        unsafe { uv_loadavg(load.as_mut_ptr()) };
        for (one, other) in load.iter().zip(system_load().expect("sysinfo")) {
            assert!(*one >= 0.0 && (one - other).abs() < 1.0, "{one} {other}");
        }
    }

    #[test]
    fn a_thread_uses_less_than_its_process() {
        let (mut own, mut all) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: valid places, filled before they are looked at.
        unsafe {
            assert_eq!(uv_getrusage_thread(own.as_mut_ptr()), 0);
            assert_eq!(uv_getrusage(all.as_mut_ptr()), 0);
            let (own, all) = (own.assume_init(), all.assume_init());
            assert!(own.ru_minflt <= all.ru_minflt && all.ru_maxrss > 0);
            assert_eq!(uv_getrusage(core::ptr::null_mut()), UV_EINVAL);
        }
    }
}
