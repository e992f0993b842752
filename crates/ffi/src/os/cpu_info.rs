//! What each processor is, how fast, and how it has spent its time.

use core::ffi::{CStr, c_char, c_int};
use core::mem;
use core::ptr;
use core::slice;

use super::proc::{Lines, decimal, first_line, number, words};
use super::put_text;
use crate::abi::*;
use crate::mem as heap;

/// Room for a model's name and its NUL; what is longer is cut. x86 has 48 characters.
const MODEL_SIZE: usize = 64;

/// The block that the caller gets: the records, and behind them what only we use.
struct Block {
    records: *mut uv_cpu_info_t,
    /// The numbers of the processors, ascending: there are gaps when some are switched off.
    ids: *mut u64,
    models: *mut [c_char; MODEL_SIZE],
    count: usize,
}

impl Block {
    /// Zeroed memory for so many processors, one at least. None without memory.
    fn new(count: usize) -> Option<Self> {
        const EACH: usize = mem::size_of::<uv_cpu_info_t>() + mem::size_of::<u64>() + MODEL_SIZE;
        let records: *mut uv_cpu_info_t = heap::calloc(count.max(1), EACH).cast();
        if records.is_null() {
            return None;
        }
        // SAFETY: the block has room for `count` of each, and the first two are multiples of 8.
        unsafe {
            let ids = records.add(count).cast::<u64>();
            Some(Block { records, ids, models: ids.add(count).cast(), count })
        }
    }

    fn records(&mut self) -> &mut [uv_cpu_info_t] {
        // SAFETY: that many, all zeros are a record, and nobody else has the block yet.
        unsafe { slice::from_raw_parts_mut(self.records, self.count) }
    }

    fn ids(&mut self) -> &mut [u64] {
        // SAFETY: as in `records`.
        unsafe { slice::from_raw_parts_mut(self.ids, self.count) }
    }

    /// Makes `text` the model of a processor.
    fn set_model(&mut self, index: usize, text: &[u8]) {
        let text = text.get(..MODEL_SIZE - 1).unwrap_or(text);
        if index >= self.count {
            return;
        }
        // SAFETY: one place for each processor, and the text fits into it with its NUL.
        let place = unsafe {
            let place = self.models.add(index).cast::<c_char>();
            put_text(text, place);
            place
        };
        if let Some(record) = self.records().get_mut(index) {
            record.model = place;
        }
    }
}

/// Gives `found` the number of each processor that runs, and the rest of its line in /proc/stat.
fn each_processor(mut found: impl FnMut(u64, &[u8])) -> Result<(), c_int> {
    let mut lines = Lines::open(c"/proc/stat")?;
    while let Some(line) = lines.next_line() {
        let Some(rest) = line.strip_prefix(b"cpu") else { continue };
        // The first line, "cpu ", is their sum.
        if let Some(id) = number(rest) {
            found(id, rest);
        }
    }
    Ok(())
}

/// The times of a line in /proc/stat, in milliseconds.
fn times(line: &[u8], ticks_per_second: u64) -> uv_cpu_times_s {
    let mut ticks = words(line).skip(1).map(|word| number(word).unwrap_or(0));
    let mut next = || {
        let ticks = u128::from(ticks.next().unwrap_or(0));
        u64::try_from(ticks * 1000 / u128::from(ticks_per_second)).unwrap_or(u64::MAX)
    };
    let (user, nice, sys, idle) = (next(), next(), next(), next());
    let _iowait = next();
    uv_cpu_times_s { user, nice, sys, idle, irq: next() }
}

/// Name and value of a line in /proc/cpuinfo.
fn pair(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&byte| byte == b':')?;
    Some((line.get(..at)?.trim_ascii(), line.get(at + 1..)?.trim_ascii()))
}

/// Models and clock rates out of /proc/cpuinfo. Whoever does not stand there stays as he is.
fn read_models(block: &mut Block) {
    let Ok(mut lines) = Lines::open(c"/proc/cpuinfo") else { return };
    let mut index = None;
    while let Some(line) = lines.next_line() {
        let Some((name, value)) = pair(line) else { continue };
        match name {
            b"processor" => {
                index = number(value).and_then(|id| block.ids().binary_search(&id).ok())
            }
            b"model name" | b"cpu model" | b"cpu" | b"uarch" => {
                if let Some(index) = index {
                    block.set_model(index, value);
                }
            }
            b"cpu MHz" | b"clock" => {
                let record = index.and_then(|index| block.records().get_mut(index));
                if let (Some(record), Some(rate)) = (record, decimal(value)) {
                    record.speed = rate as c_int;
                }
            }
            _ => {}
        }
    }
}

/// The highest clock rate that a processor may have now, in MHz, where the kernel steers it.
fn top_speed(id: u64) -> Option<c_int> {
    let mut path = [0; 96];
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = id;
    while rest > 0 || start == digits.len() {
        start -= 1;
        *digits.get_mut(start)? = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let mut at = 0;
    for part in
        [&b"/sys/devices/system/cpu/cpu"[..], digits.get(start..)?, b"/cpufreq/scaling_max_freq\0"]
    {
        path.get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    let khz = first_line(CStr::from_bytes_until_nul(&path).ok()?, number)?;
    c_int::try_from(khz / 1000).ok()
}

/// What is known about the processors that run.
fn collect() -> Result<Block, c_int> {
    let mut count = 0;
    each_processor(|_, _| count += 1)?;
    let mut block = Block::new(count).ok_or(UV_ENOMEM)?;
    // SAFETY: sysconf may be asked anything.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let ticks = u64::try_from(ticks).unwrap_or(100).max(1);
    let mut index = 0;
    let read = each_processor(|id, line| {
        // One that was switched on since is left out.
        if let Some(place) = block.ids().get_mut(index) {
            *place = id;
            if let Some(record) = block.records().get_mut(index) {
                record.cpu_times = times(line, ticks);
            }
            index += 1;
        }
    });
    if let Err(code) = read {
        // SAFETY: fresh, and known to nobody.
        unsafe { heap::free(block.records.cast()) };
        return Err(code);
    }
    // One that was switched off since has no line any more.
    block.count = index;
    for record in block.records() {
        record.model = c"unknown".as_ptr();
    }
    read_models(&mut block);
    for index in 0..block.count {
        let speed = block.ids().get(index).and_then(|&id| top_speed(id));
        if let (Some(speed), Some(record)) = (speed, block.records().get_mut(index)) {
            record.speed = speed;
        }
    }
    Ok(block)
}

/// Model, clock rate in MHz (0: unknown) and times in milliseconds of each processor that runs, in
/// `*cpu_infos`, to be freed with [`uv_free_cpu_info`]; `*count` of them. With an error
/// (`UV_ENOMEM`, `UV_EINVAL` when a pointer is NULL; without /proc, as open(2)) there are none.
/// Source: manual, misc, `uv_cpu_info`.
///
/// # Safety
/// Both are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cpu_info(
    cpu_infos: *mut *mut uv_cpu_info_t,
    count: *mut c_int,
) -> c_int {
    if cpu_infos.is_null() || count.is_null() {
        return UV_EINVAL;
    }
    let (code, records, found) = match collect() {
        Ok(block) => (0, block.records, c_int::try_from(block.count).unwrap_or(c_int::MAX)),
        Err(code) => (code, ptr::null_mut(), 0),
    };
    // SAFETY: not NULL, so valid by the caller's word.
    unsafe {
        cpu_infos.write(records);
        count.write(found);
    }
    code
}

/// Frees what [`uv_cpu_info`] gave. NULL is fine.
///
/// # Safety
/// `cpu_infos` is NULL or came from there and was not freed since.
#[unsafe(no_mangle)]
#[allow(unused_variables, reason = "the name is for the header; records and models are one block")]
pub unsafe extern "C" fn uv_free_cpu_info(cpu_infos: *mut uv_cpu_info_t, count: c_int) {
    // SAFETY: the caller's word.
    unsafe { heap::free(cpu_infos.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::bytes;

    #[test]
    fn a_line_of_times() {
        let found = times(b"12 100 20 3 4000 999 5 6 0 0 0", 100);
        assert_eq!((found.user, found.nice, found.sys), (1000, 200, 30));
        assert_eq!((found.idle, found.irq), (40_000, 50));
        let short = times(b"0 18446744073709551615 x", 1);
        assert_eq!((short.user, short.nice, short.irq), (u64::MAX, 0, 0));
    }

    #[test]
    fn a_line_of_cpuinfo() {
        assert_eq!(pair(b"model name\t: A: b  "), Some((&b"model name"[..], &b"A: b"[..])));
        assert_eq!(pair(b"power management:"), Some((&b"power management"[..], &b""[..])));
        assert_eq!(pair(b""), None);
    }

    #[test]
    fn a_model_is_cut_and_stays_in_its_place() {
        let mut block = Block::new(2).expect("memory");
        block.set_model(0, &[b'x'; 100]);
        block.set_model(1, b"second");
        block.set_model(2, b"nobody");
        // SAFETY: both were set.
        unsafe {
            assert_eq!(bytes(block.records()[0].model), [b'x'; MODEL_SIZE - 1]);
            assert_eq!(bytes(block.records()[1].model), b"second");
            uv_free_cpu_info(block.records, 2);
        }
    }

    #[test]
    fn every_processor_is_there() {
        let (mut infos, mut count) = (ptr::null_mut(), 0);
        // SAFETY: valid places; the records are looked at before they are freed.
        unsafe {
            assert_eq!(uv_cpu_info(&mut infos, &mut count), 0);
            let all = slice::from_raw_parts(infos, usize::try_from(count).expect("a count"));
            let online = libc::sysconf(libc::_SC_NPROCESSORS_ONLN);
            assert_eq!(i64::from(count), online);
            let model = std::fs::read_to_string("/proc/cpuinfo").expect("/proc");
            let model = model.lines().find_map(|line| line.strip_prefix("model name\t: "));
            for one in all {
                assert_eq!(bytes(one.model), model.unwrap_or("unknown").trim().as_bytes());
                assert!(one.cpu_times.user > 0 && one.cpu_times.idle > 0 && one.speed >= 0);
            }
            uv_free_cpu_info(infos, count);
            uv_free_cpu_info(ptr::null_mut(), 0);
            assert_eq!(uv_cpu_info(&mut infos, ptr::null_mut()), UV_EINVAL);
        }
    }
}
