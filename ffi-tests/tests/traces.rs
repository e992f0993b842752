//! Random programs do the same on libuv and on uvring: their traces of calls, results and callbacks
//! are equal, on every backend. `c/traces/README.md` has the table of what is left open.
//!
//! `UVRING_TRACES=N` runs N programs on each backend instead of [`PROGRAMS`], `UVRING_TRACES_FROM`
//! begins at another seed than 1.

// A test says what is wrong by panicking.
#![allow(clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uvring_ffi_tests::programs::{Backend, Failure, Library, command, compile, difference};

/// How many programs run on each backend.
const PROGRAMS: u64 = 500;

/// Operations of a program.
const OPS: u32 = 120;

/// Programs of one process.
const BATCH: u64 = 100;

/// After how many seeds a run says where it is.
const PROGRESS: u64 = 2000;

/// How often a program that differed is run again, and how often it must differ again to count as
/// a difference; else it is a flake.
const AGAIN: usize = 4;
const CONFIRMED: usize = 2;

/// The program's, without their ending.
const SOURCES: [&str; 17] = [
    "callbacks",
    "clock",
    "errand",
    "errand_bulk",
    "errand_child",
    "errand_files",
    "errand_named",
    "errand_names",
    "errand_pass",
    "errand_udp",
    "errand_watch",
    "exact",
    "main",
    "objects",
    "ops",
    "ops_io",
    "pool",
];

/// What must come up in any few hundred traces, for them to mean something.
const EVENTS: &[&str] = &[
    "timer ",
    "idle ",
    "prepare ",
    "check ",
    "sent",
    "signal ",
    "ready ",
    "read ",
    "write ",
    "shutdown ",
    "connect ",
    "connection ",
    "accept ",
    "datagram ",
    "send ",
    "exit ",
    "work ",
    "files:",
    "watch:",
    "bulk:",
    "child:",
    "pass:",
    "named:",
    "datagrams:",
    "names:",
    "scandir = ",
    "sendfile = ",
    "cancelled or done",
    "cancelled or found",
    "reader leaves",
    "and a pipe",
    "and a tcp",
    "and a udp",
    "EISCONN",
    "bind2 1 = EINVAL",
    "fd 1: ",
    "[start ",
    "random ",
    "closed",
    "ECANCELED",
    "ECONNREFUSED",
    "EPIPE",
    "read end",
    "walk ",
    "busy ",
    "stop",
    "unref ",
];

/// By seed.
type Traces = BTreeMap<u64, String>;

/// One library on one backend.
struct Side {
    program: PathBuf,
    backend: Backend,
    /// The seed whose program misreports, if any.
    planted: Option<u64>,
}

impl Side {
    fn new(library: Library, backend: Backend) -> Result<Self, Failure> {
        let sources = SOURCES.map(|name| Path::new("ffi-tests/c/traces").join(format!("{name}.c")));
        let program = compile("traces", &sources, Some(library))?;
        Ok(Self { program, backend, planted: None })
    }

    /// The traces of the seeds `first` to `last`. A program that crashes or hangs says so in its
    /// trace, and the next ones run in a new process.
    fn traces(&self, first: u64, last: u64, ops: u32) -> Result<Traces, Failure> {
        let mut traces = Traces::new();
        let mut next = first;
        while next <= last {
            let dir = tempfile::tempdir().map_err(|error| format!("no folder: {error}"))?;
            let mut command = command(&self.program, self.backend)?;
            command.current_dir(&dir);
            command.args([next.to_string(), last.to_string(), ops.to_string()]);
            if let Some(seed) = self.planted {
                command.env("TRACES_PLANT", seed.to_string());
            }
            let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
            let text = String::from_utf8_lossy(&output.stdout);
            let (begun, left) = split(&text, &mut traces);
            if let Some(left) = left.filter(|left| !left.is_empty()) {
                return Err(format!("left behind by the seeds {next} to {last}:\n{left}"));
            }
            if output.status.success() {
                break;
            }
            let seed = begun.unwrap_or(next);
            let said = String::from_utf8_lossy(&output.stderr);
            let trace = traces.entry(seed).or_default();
            trace.push_str(&format!("{}\n{said}", output.status));
            next = seed + 1;
        }
        Ok(traces)
    }
}

/// Cuts what a process printed into traces. Returns the last seed it began, and, if it came to its
/// end, what it has left behind.
fn split(text: &str, traces: &mut Traces) -> (Option<u64>, Option<String>) {
    let (text, left) = match text.split_once("== end\n") {
        Some((text, left)) => (text, Some(left.to_owned())),
        None => (text, None),
    };
    let mut seed = None;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("== seed ") {
            seed = number.parse().ok();
        } else if let Some(seed) = seed {
            let trace: &mut String = traces.entry(seed).or_default();
            trace.push_str(line);
            trace.push('\n');
        }
    }
    (seed, left)
}

/// A program whose traces differ.
struct Difference {
    seed: u64,
    /// The smallest number of operations with which they do.
    ops: u32,
    text: String,
}

#[derive(Default)]
struct Report {
    programs: u64,
    lines: usize,
    differences: Vec<Difference>,
    flakes: Vec<u64>,
    /// Those of [`EVENTS`] that came up.
    events: Vec<&'static str>,
}

/// Runs the seeds `first` to `last` on both sides.
fn compare(want: &Side, have: &Side, first: u64, last: u64) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut from = first;
    while from <= last {
        let to = last.min(from + BATCH - 1);
        let left = want.traces(from, to, OPS)?;
        let right = have.traces(from, to, OPS)?;
        for seed in from..=to {
            let trace = left.get(&seed).ok_or_else(|| format!("seed {seed} has no trace"))?;
            report.programs += 1;
            report.lines += trace.lines().count();
            report.events.extend(EVENTS.iter().filter(|event| trace.contains(**event)));
            report.events.sort_unstable();
            report.events.dedup();
            if right.get(&seed) == Some(trace) {
                continue;
            }
            if is_confirmed(want, have, seed)? {
                let found = shrink(want, have, seed)?;
                let Difference { seed, ops, text } = &found;
                println!("{:?}: seed {seed}, with {ops} operations:\n{text}", have.backend);
                report.differences.push(found);
            } else {
                report.flakes.push(seed);
            }
        }
        // A long run shows that it moves.
        if to.is_multiple_of(PROGRESS) {
            println!("{:?}: seeds {first} to {to} are done", have.backend);
        }
        from = to + 1;
    }
    Ok(report)
}

fn differ(want: &Side, have: &Side, seed: u64, ops: u32) -> Result<Option<String>, Failure> {
    let (want, have) = (want.traces(seed, seed, ops)?, have.traces(seed, seed, ops)?);
    let (want, have) = (want.get(&seed), have.get(&seed));
    if want == have {
        return Ok(None);
    }
    let text = |side: Option<&String>| side.cloned().unwrap_or_default();
    Ok(Some(difference(&text(want), &text(have), 25, 5)))
}

fn is_confirmed(want: &Side, have: &Side, seed: u64) -> Result<bool, Failure> {
    let mut differing = 0;
    for _ in 0..AGAIN {
        differing += usize::from(differ(want, have, seed, OPS)?.is_some());
    }
    Ok(differing >= CONFIRMED)
}

/// The shortest beginning of the program that still differs.
fn shrink(want: &Side, have: &Side, seed: u64) -> Result<Difference, Failure> {
    for ops in 0..=OPS {
        if let Some(text) = differ(want, have, seed, ops)? {
            return Ok(Difference { seed, ops, text });
        }
    }
    Ok(Difference { seed, ops: OPS, text: "not seen when run once more".to_owned() })
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    let Ok(value) = std::env::var(name) else { return default };
    value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}"))
}

fn must_agree(backend: Backend) {
    let first = setting("UVRING_TRACES_FROM", 1);
    let last = first + setting("UVRING_TRACES", PROGRAMS).max(1) - 1;
    let outcome = Side::new(Library::Reference, Backend::Epoll).and_then(|want| {
        Side::new(Library::Ours, backend).and_then(|have| compare(&want, &have, first, last))
    });
    let report = outcome.unwrap_or_else(|why| panic!("{why}"));
    println!(
        "{backend:?}: seeds {first} to {last}: {} programs, {} lines, {} differences, {} flakes {:?}",
        report.programs,
        report.lines,
        report.differences.len(),
        report.flakes.len(),
        report.flakes,
    );
    let seeds: Vec<u64> = report.differences.iter().map(|difference| difference.seed).collect();
    assert!(seeds.is_empty(), "{backend:?}: the traces of these seeds differ: {seeds:?}");
    // What differs this often is no accident of the machine.
    let flakes = report.flakes.len() as u64;
    assert!(flakes <= 5 + report.programs / 100, "{backend:?}: flakes: {:?}", report.flakes);
    if report.programs >= PROGRAMS {
        let missing: Vec<_> = EVENTS.iter().filter(|e| !report.events.contains(*e)).collect();
        assert!(missing.is_empty(), "never came up: {missing:?}");
    }
}

#[test]
fn epoll() {
    must_agree(Backend::Epoll);
}

#[test]
fn io_uring() {
    must_agree(Backend::IoUring);
}

#[test]
fn denied() {
    must_agree(Backend::Denied);
}

/// A program that says one line more from its eighth operation on is found, and cut down to eight.
#[test]
fn a_planted_difference_is_found() {
    let planted = || -> Result<Report, Failure> {
        let want = Side::new(Library::Reference, Backend::Epoll)?;
        let mut have = Side::new(Library::Ours, Backend::Epoll)?;
        have.planted = Some(7);
        compare(&want, &have, 5, 9)
    };
    let report = planted().unwrap_or_else(|why| panic!("{why}"));
    let found: Vec<_> = report.differences.iter().map(|found| (found.seed, found.ops)).collect();
    assert_eq!(found, [(7, 8)]);
    assert!(report.differences.iter().all(|found| found.text.contains("uvring: planted")));
}
