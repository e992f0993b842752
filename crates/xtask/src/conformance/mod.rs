//! `cargo xtask conformance`: libuv's own test programs, run against our library.
//!
//! ```text
//!   mod        the command
//!   report     results, the list of tests that must pass, what is printed
//!   schedule   every test once, several side by side, with a watchdog
//!   programs   building the test program for one library; which test calls what
//!   sandbox    namespaces, user, seccomp filter around one test
//! ```
mod programs;
mod report;
pub(crate) mod sandbox;
mod schedule;

use crate::{build, dirs, libuv};
use anyhow::{Context, Result};
use clap::ValueEnum;
use regex::Regex;
use report::Report;
use schedule::Plan;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// What the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Backend {
    /// uvring, UVRING_BACKEND=epoll
    Epoll,
    /// uvring, UVRING_BACKEND=io_uring
    IoUring,
    /// uvring, UVRING_BACKEND=io_uring on a kernel that answers EPERM
    Denied,
    /// libuv's own library
    Reference,
}

impl Backend {
    /// The name in file names and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::IoUring => "io_uring",
            Self::Denied => "denied",
            Self::Reference => "reference",
        }
    }
}

/// Options of the command.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to run on
    #[arg(long, default_value = "epoll")]
    backend: Backend,
    /// Only tests whose name matches this regular expression
    #[arg(long)]
    filter: Option<String>,
    /// Tests side by side (most of them sleep)
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Use the library that is staged already
    #[arg(long)]
    no_build: bool,
    /// Compile the tests against libuv's header: for work on the library while ours is unfinished
    #[arg(long)]
    libuv_header: bool,
    /// Write the tests that pass into the list of those that must pass
    #[arg(long)]
    bless: bool,
}

impl Args {
    /// All tests on one backend, with the library as it is staged.
    pub(crate) fn all_on(backend: Backend) -> Self {
        Self { backend, filter: None, jobs: 4, no_build: true, libuv_header: false, bless: false }
    }
}

/// Runs the command: failure when a test that must pass does not.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let report = collect(args)?;
    if args.bless && args.filter.is_none() {
        report.bless()?;
    }
    Ok(if report.regressions()?.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests and prints the outcome.
pub(crate) fn collect(args: &Args) -> Result<Report> {
    let source = libuv::Source::find()?;
    let filter = args.filter.as_deref().map(Regex::new).transpose().context("--filter")?;
    let plain = libuv::reference(&source)?;
    let reference_programs = programs::build(&source, &programs::Subject::reference(&plain))?;
    let must = report::must_pass(args.backend)?;
    let plan = |backend, filter: Option<&Regex>| Plan {
        backend,
        jobs: args.jobs.max(1),
        filter: filter.cloned(),
        must: must.clone(),
    };
    if args.backend == Backend::Reference {
        let results = plan(Backend::Reference, filter.as_ref()).run(&reference_programs)?;
        let report = Report::new(Backend::Reference, &source, results, filter.is_some());
        report.save()?;
        report.print(None)?;
        return Ok(report);
    }
    if !args.no_build {
        build::run(false)?;
    }
    if args.backend == Backend::IoUring
        && let Some(error) = uring_refused()
    {
        println!("conformance: this kernel refuses io_uring ({error}): what runs is the fallback");
    }
    let header = args.libuv_header.then_some(plain.include.as_path());
    let ours = programs::build(&source, &programs::Subject::ours(&dirs::stage(), header))?;
    let reference = match Report::cached_reference(&source)? {
        Some(report) => report,
        None => {
            println!("conformance: the reference first (kept in target/conformance)");
            let results = plan(Backend::Reference, None).run(&reference_programs)?;
            let report = Report::new(Backend::Reference, &source, results, false);
            report.save()?;
            report.print(None)?;
            report
        }
    };
    let results = plan(args.backend, filter.as_ref()).run(&ours)?;
    let report = Report::new(args.backend, &source, results, filter.is_some());
    report.save()?;
    report.print(Some(&reference))?;
    Ok(report)
}

/// Why the kernel gives us no ring, if it gives none.
fn uring_refused() -> Option<std::io::Error> {
    let mut parameters = [0_u64; 15];
    // SAFETY: io_uring_setup reads and writes the 120 bytes of io_uring_params, which live here.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    if fd < 0 {
        return Some(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
    unsafe { libc::close(fd as libc::c_int) };
    None
}
