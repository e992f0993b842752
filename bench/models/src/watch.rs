//! What is seen of a server from outside: CPU time, memory, system calls.
use anyhow::{Context, Result};
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};
use std::fs;

/// The number of the event that every system call is.
const ENTER: &str = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";

/// Nanoseconds of CPU time of all threads of a process, threads of the kernel that work for it
/// included. Exact while it sleeps; otherwise it lags by up to a tick.
///
/// # Errors
/// When there is no such process.
pub fn cpu_ns(process: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in threads(process)? {
        let path = format!("/proc/{process}/task/{thread}/schedstat");
        // A thread may just have ended.
        let text = fs::read_to_string(path).unwrap_or_default();
        sum += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}

/// Bytes of user memory: resident, and its part where pages are shared (`Pss`).
///
/// # Errors
/// When there is no such process, or the kernel does not tell.
pub fn memory(process: u32) -> Result<(u64, u64)> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    let both = field("Rss:").zip(field("Pss:"));
    both.with_context(|| format!("{path} is not understood"))
}

/// Counts the system calls of a process, without stopping it as a tracer does.
#[derive(Debug)]
pub struct Calls(Vec<Counter>);

impl Calls {
    /// Starts counting, in every thread that there is now.
    ///
    /// # Errors
    /// When the kernel has no such counter, or does not let us.
    pub fn of(process: u32) -> Result<Self> {
        let text = fs::read_to_string(ENTER).context(ENTER)?;
        let event = Tracepoint::with_id(text.trim().parse().context(ENTER)?);
        let mut counters = Vec::new();
        for thread in threads(process)? {
            let mut builder = Builder::new(event);
            builder.observe_pid(thread as i32).include_kernel();
            let mut counter = builder.build().context("perf_event_open")?;
            counter.enable().context("perf_event_open")?;
            counters.push(counter);
        }
        Ok(Calls(counters))
    }

    /// How many there were.
    ///
    /// # Errors
    /// When a counter cannot be read.
    pub fn count(&mut self) -> Result<u64> {
        self.0.iter_mut().map(|counter| Ok(counter.read()?)).sum()
    }
}

fn threads(process: u32) -> Result<Vec<u32>> {
    let folder = format!("/proc/{process}/task");
    let entries = fs::read_dir(&folder).with_context(|| folder.clone())?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}
