//! Memory of the system, and how much of it the control group lets this process have. In bytes.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use super::cgroup::{Group, Version};
use super::proc::{Lines, after, number, words};

/// From here on a limit of a first-version control group is none: the greatest multiple of a page
/// that a signed number holds, for any size of page.
const NO_LIMIT: u64 = 0x7fff_ffff_fff0_0000;

/// A line of /proc/meminfo.
fn meminfo(key: &str) -> Option<u64> {
    let mut lines = Lines::open(c"/proc/meminfo").ok()?;
    while let Some(line) = lines.next_line() {
        if let Some(value) = after(line, key.as_bytes()) {
            return number(words(value).next()?)?.checked_mul(1024);
        }
    }
    None
}

/// What sysinfo(2) says: without /proc.
fn sysinfo(pick: impl FnOnce(&libc::sysinfo) -> libc::c_ulong) -> Option<u64> {
    let mut info = MaybeUninit::<libc::sysinfo>::uninit();
    // SAFETY: `info` is valid for writes; on 0 it is filled.
    unsafe {
        if libc::sysinfo(info.as_mut_ptr()) != 0 {
            return None;
        }
        let info = info.assume_init();
        Some(pick(&info).saturating_mul(u64::from(info.mem_unit)))
    }
}

/// A limit of a folder: `u64::MAX` where there could be one and is none.
fn file(group: &mut Group, name: &CStr) -> Option<u64> {
    let limit = group.file(name, |line| match line {
        b"max" => Some(u64::MAX),
        _ => number(line),
    })?;
    let is_none = group.version == Version::One && limit >= NO_LIMIT;
    Some(if is_none { u64::MAX } else { limit })
}

/// The lesser of a folder's two limits: the one that holds and the one that slows down.
fn limit(group: &mut Group) -> Option<u64> {
    let (hard, soft) = match group.version {
        Version::One => (c"memory.limit_in_bytes", c"memory.soft_limit_in_bytes"),
        Version::Two => (c"memory.max", c"memory.high"),
    };
    match (file(group, hard), file(group, soft)) {
        (Some(hard), Some(soft)) => Some(hard.min(soft)),
        (hard, soft) => hard.or(soft),
    }
}

/// What the limits leave. None without a limit.
fn left() -> Option<u64> {
    Group::of_process("memory")?.least(|group| {
        let limit = limit(group).filter(|&limit| limit != u64::MAX)?;
        let usage = match group.version {
            Version::One => c"memory.usage_in_bytes",
            Version::Two => c"memory.current",
        };
        Some(limit.saturating_sub(file(group, usage).unwrap_or(0)))
    })
}

/// Memory that programs can have without swapping, the page cache's included. 0 when unknown.
/// Source: manual, misc, `uv_get_free_memory`.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_free_memory() -> u64 {
    meminfo("MemAvailable:").or_else(|| sysinfo(|info| info.freeram)).unwrap_or(0)
}

/// All memory of the system. 0 when unknown.
/// Source: manual, misc, `uv_get_total_memory`.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_total_memory() -> u64 {
    meminfo("MemTotal:").or_else(|| sysinfo(|info| info.totalram)).unwrap_or(0)
}

/// The least limit that control groups set for this process, which may be above
/// [`uv_get_total_memory`]. `UINT64_MAX` when they set none, 0 without control groups.
/// Source: manual, misc, `uv_get_constrained_memory`.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_constrained_memory() -> u64 {
    Group::of_process("memory").and_then(|group| group.least(limit)).unwrap_or(0)
}

/// As [`uv_get_free_memory`], or what the control groups' limits leave if that is less.
/// Source: manual, misc, `uv_get_available_memory`.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_available_memory() -> u64 {
    // SAFETY: needs nothing.
    let free = unsafe { uv_get_free_memory() };
    match left() {
        // 0 is unknown, not nothing.
        Some(left) if free == 0 => left,
        Some(left) => left.min(free),
        None => free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_agree_about_the_whole() {
        let total = meminfo("MemTotal:").expect("/proc");
        assert_eq!(Some(total), sysinfo(|info| info.totalram));
        assert_eq!(meminfo("NoSuchLine:"), None);
        // SAFETY: needs nothing.
        unsafe {
            assert_eq!(uv_get_total_memory(), total);
            let free = uv_get_free_memory();
            assert!(free > 0 && free < total);
            assert!(uv_get_available_memory() <= total);
        }
    }
}
