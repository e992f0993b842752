//! Processors: how many this process may use. What each of them is stands in `cpu_info`.

use core::ffi::c_uint;
use core::mem;

use super::cgroup;

/// A mask for as many processors as any kernel can be made for (8192).
type Mask = [u64; 128];

/// How many processors the calling thread may run on. None if the kernel does not say.
fn affinity() -> Option<u64> {
    let mut mask: Mask = [0; 128];
    // SAFETY: the mask has the size that is told; 0 is the calling thread.
    let answer =
        unsafe { libc::sched_getaffinity(0, mem::size_of::<Mask>(), mask.as_mut_ptr().cast()) };
    let count = mask.iter().map(|word| u64::from(word.count_ones())).sum();
    (answer == 0 && count > 0).then_some(count)
}

/// How many processors are there.
fn online() -> u64 {
    // SAFETY: sysconf may be asked anything.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

/// Whether the calling thread may run on more than one processor.
pub(crate) fn may_move() -> bool {
    affinity().unwrap_or_else(online) > 1
}

/// How many threads it makes sense to run at a time: the processors that the calling thread may run
/// on, or the whole ones that the control group's share of time is worth, if those are fewer.
/// Never 0.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_available_parallelism() -> c_uint {
    let mine = affinity().unwrap_or_else(online);
    let paid = cgroup::processors().unwrap_or(u64::MAX);
    c_uint::try_from(mine.min(paid).max(1)).unwrap_or(c_uint::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_processor_is_one_thread() {
        // SAFETY: plain calls on this test's own thread.
        unsafe {
            let all = uv_available_parallelism();
            assert!(all >= 1 && u64::from(all) <= online());
            let cpu = usize::try_from(libc::sched_getcpu()).expect("a processor");
            let (mut old, mut one) = (mem::zeroed::<libc::cpu_set_t>(), mem::zeroed());
            let size = mem::size_of::<libc::cpu_set_t>();
            assert_eq!(libc::sched_getaffinity(0, size, &mut old), 0);
            libc::CPU_SET(cpu, &mut one);
            assert_eq!(libc::sched_setaffinity(0, size, &one), 0);
            assert_eq!(uv_available_parallelism(), 1);
            assert_eq!(libc::sched_setaffinity(0, size, &old), 0);
            assert_eq!(uv_available_parallelism(), all);
        }
    }
}
