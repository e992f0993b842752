//! A steady load, held for minutes on all libraries at once: does memory, the number of
//! descriptors or the latency grow?
//!
//! ```text
//!   mod       the servers, the slices of time, what is read of a server
//!   load      one connection pool with requests at fixed times
//! ```
mod load;

use crate::measure::Outcome;
use crate::progress::Progress;
use crate::rows::Cell;
use crate::run::{Miss, Place, Sample, Server};
use crate::stats::Figures;
use crate::subject::Subject;
use anyhow::{Context, Result, anyhow, bail};
use hdrhistogram::Histogram;
use load::Load;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Parts of the time, each with figures of its own.
const SLICES: u32 = 20;
/// Growth of memory that is no leak: the allocator's own ups and downs, in KiB.
const STEADY_KIB: u64 = 512;

/// Latencies of one span of time, in nanoseconds.
pub(crate) type Latencies = Histogram<u64>;

/// A subject under load.
struct Held {
    subject: Subject,
    server: Server,
    load: Load,
    cpu_before: u64,
    slices: Vec<Slice>,
    total: Latencies,
}

/// What was seen at the end of a slice.
struct Slice {
    rss_kib: u64,
    fds: u64,
    /// p50, p99, p99.9 in µs.
    us: [f64; 3],
}

/// Holds the load for `seconds`; the row has an outcome for each library.
pub(crate) fn run(
    place: &Place,
    group: &'static str,
    seconds: u64,
    progress: &mut Progress,
) -> Cell {
    let mut held = Vec::new();
    let mut outcomes: Vec<(Subject, Outcome)> = Vec::new();
    for subject in Subject::LIBRARIES {
        match Held::start(place, subject, seconds) {
            Ok(one) => held.push(one),
            Err(miss) => outcomes.push((subject, Err(miss))),
        }
    }
    let started = Instant::now();
    let slice = Duration::from_secs(seconds) / SLICES;
    let mut failed = None;
    for number in 0..SLICES {
        progress.show(&format!("hold, part {} of {SLICES}", number + 1));
        if let Err(error) = one_slice(&mut held, started + slice * (number + 1)) {
            failed = Some(error);
            break;
        }
        progress.advance(slice.as_secs_f64());
    }
    let wall = started.elapsed();
    for one in held {
        let subject = one.subject;
        let outcome = match &failed {
            Some(error) => Err(Miss::Failed(format!("{error:#}"))),
            None => one.finish(wall).map_err(Miss::from),
        };
        outcomes.push((subject, outcome));
    }
    outcomes.sort_by_key(|(subject, _)| *subject);
    Cell { group, row: "hold".to_owned(), outcomes }
}

/// All loads side by side until `deadline`, then a look at the servers.
fn one_slice(held: &mut [Held], deadline: Instant) -> Result<()> {
    std::thread::scope(|scope| {
        let start = |one| scope.spawn(move || Held::slice(one, deadline));
        let threads: Vec<_> = held.iter_mut().map(start).collect();
        let mut result = Ok(());
        for thread in threads {
            let ended = thread.join().unwrap_or_else(|_| Err(anyhow!("a load panicked")));
            result = result.and(ended);
        }
        result
    })
}

impl Held {
    fn start(place: &Place, subject: Subject, seconds: u64) -> Result<Self, Miss> {
        let mut command = place.command("server", subject)?;
        command.args(["echo", "64", "0"]).env("BENCH_SECONDS", (seconds + 60).to_string());
        let server = Server::from(command, subject)?;
        let load = Load::connect(server.port)?;
        let cpu_before = cpu_ns(server.id())?;
        Ok(Self { subject, server, load, cpu_before, slices: Vec::new(), total: latencies()? })
    }

    fn slice(&mut self, deadline: Instant) -> Result<()> {
        let mut seen = latencies()?;
        let name = self.subject.name();
        self.load.run(deadline, &mut seen).with_context(|| format!("the load on {name}"))?;
        let us = percentiles(&seen);
        self.total.add(&seen).context("histogram")?;
        let (rss_kib, fds) = look(self.server.id())?;
        self.slices.push(Slice { rss_kib, fds, us });
        Ok(())
    }

    fn finish(self, wall: Duration) -> Result<Figures> {
        let cpu = cpu_ns(self.server.id())?.saturating_sub(self.cpu_before);
        let (Some(first), Some(last)) = (self.slices.first(), self.slices.last()) else {
            bail!("nothing was measured");
        };
        let most = self.slices.iter().map(|slice| slice.rss_kib).max().unwrap_or(last.rss_kib);
        let flat =
            most <= first.rss_kib + STEADY_KIB.max(first.rss_kib / 20) && last.fds <= first.fds;
        let [p50, p99, p999] = percentiles(&self.total);
        let series = |pick: fn(&Slice) -> Value| Value::from_iter(self.slices.iter().map(pick));
        let extra = vec![
            ("p50_us", p50.into()),
            ("p99_us", p99.into()),
            ("p999_us", p999.into()),
            ("flat", flat.into()),
            ("seconds", wall.as_secs_f64().into()),
            ("rss_kib", series(|slice| slice.rss_kib.into())),
            ("fds", series(|slice| slice.fds.into())),
            ("slice_us", series(|slice| json!(slice.us))),
        ];
        let sample = Sample {
            row: "hold".to_owned(),
            ops: self.total.len().max(1),
            wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
            cpu_ns: Some(cpu),
            extra,
        };
        Ok(Figures::of(&[sample]))
    }
}

/// Up to a minute, three digits.
fn latencies() -> Result<Latencies> {
    Latencies::new_with_bounds(1000, 60_000_000_000, 3).context("histogram")
}

/// p50, p99, p99.9 in µs.
fn percentiles(seen: &Latencies) -> [f64; 3] {
    [0.5, 0.99, 0.999].map(|part| seen.value_at_quantile(part) as f64 / 1e3)
}

/// CPU time of a process with one thread.
fn cpu_ns(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/schedstat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let first = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    first.with_context(|| path)
}

/// Resident memory in KiB, and open descriptors.
fn look(pid: u32) -> Result<(u64, u64)> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).context("descriptors")?.count();
    Ok((rss.with_context(|| path)?, fds as u64))
}
