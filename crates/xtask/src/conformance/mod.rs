//! `cargo xtask conformance`: libuv's own test programs, run against our library.
//!
//! ```text
//!   mod        the command
//!   report     results, the list of tests that must pass, what is printed
//!   schedule   every test once, several side by side, with a watchdog
//!   programs   building the test and benchmark programs for one library; which test calls what
//!   running    one program in its sandbox
//!   sandbox    namespaces, user, seccomp filter around one test
//! ```
mod programs;
mod report;
pub(crate) mod running;
pub(crate) mod sandbox;
mod schedule;

use crate::{build, dirs, libuv};
use anyhow::{Context, Result};
use clap::ValueEnum;
use programs::{Kind, Programs, Subject};
use regex::Regex;
use report::{Flakes, Report};
use schedule::Plan;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::time::Duration;

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

/// A benchmark of the drop-in run that takes longer is ended: how fast it is does not matter here.
const BENCHMARK_LIMIT: Duration = Duration::from_secs(2);

/// How the programs come to our library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Compiled with our header, linked with libuvring.so.1
    Shared,
    /// Compiled with our header, linked with libuvring.a
    Static,
    /// Compiled with libuv's header, linked with libuv's library, run on compat/libuv.so.1
    DropIn,
}

impl Form {
    /// As it is shown, before the backend.
    fn word(self) -> &'static str {
        match self {
            Self::Shared => "",
            Self::Static => "static, ",
            Self::DropIn => "drop-in, ",
        }
    }
}

/// Options of the command.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to run on
    #[arg(long, default_value = "epoll")]
    backend: Backend,
    /// Link the tests with libuvring.a
    #[arg(long = "static", conflicts_with_all = ["drop_in", "libuv_header", "bless"])]
    archive: bool,
    /// Run the tests and benchmarks that were built for libuv itself, as they are
    #[arg(long, conflicts_with_all = ["libuv_header", "bless"])]
    drop_in: bool,
    /// Run everything so many times and count the tests that do not end the same way each time
    #[arg(long, default_value_t = 1)]
    repeat: usize,
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
    pub(crate) fn all_on(backend: Backend, form: Form) -> Self {
        Self {
            backend,
            archive: form == Form::Static,
            drop_in: form == Form::DropIn,
            repeat: 1,
            filter: None,
            jobs: 4,
            no_build: true,
            libuv_header: false,
            bless: false,
        }
    }

    fn form(&self) -> Form {
        match (self.archive, self.drop_in) {
            (true, _) => Form::Static,
            (_, true) => Form::DropIn,
            _ => Form::Shared,
        }
    }
}

/// Runs the command: failure when a test that must pass does not.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut good = true;
    let mut flakes = Flakes::default();
    for round in 1..=args.repeat {
        if args.repeat > 1 {
            println!("\nround {round} of {}", args.repeat);
        }
        let report = collect(args)?;
        if args.bless && args.filter.is_none() {
            report.bless()?;
        }
        good &= report.regressions()?.is_empty();
        flakes.add(&report);
    }
    if args.repeat > 1 {
        flakes.print();
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests and prints the outcome.
pub(crate) fn collect(args: &Args) -> Result<Report> {
    let source = libuv::Source::find()?;
    let filter = args.filter.as_deref().map(Regex::new).transpose().context("--filter")?;
    let plain = libuv::reference(&source)?;
    let reference_programs = programs::build(&source, &Subject::reference(&plain), Kind::Tests)?;
    let must = report::must_pass(args.backend)?;
    let form = args.form();
    let plan = |backend, filter: Option<&Regex>| Plan {
        backend,
        jobs: args.jobs.max(1),
        filter: filter.cloned(),
        must: must.clone(),
        by_path: form == Form::DropIn && backend != Backend::Reference,
    };
    let of_reference = |programs: &Programs, filter: Option<&Regex>| -> Result<Report> {
        let results = plan(Backend::Reference, filter).run(programs)?;
        let report =
            Report::new(Backend::Reference, Form::Shared, &source, results, filter.is_some());
        report.save()?;
        report.print(None)?;
        Ok(report)
    };
    if args.backend == Backend::Reference {
        return of_reference(&reference_programs, filter.as_ref());
    }
    if !args.no_build {
        build::run(false)?;
    }
    if args.backend == Backend::IoUring
        && let Some(error) = uring_refused()
    {
        println!("conformance: this kernel refuses io_uring ({error}): what runs is the fallback");
    }
    let reference = match Report::cached_reference(&source)? {
        Some(report) => report,
        None => {
            println!("conformance: the reference first (kept in target/conformance)");
            of_reference(&reference_programs, None)?
        }
    };
    let stage = dirs::stage();
    let compat = stage.join("lib/compat/libuv.so.1");
    let header = args.libuv_header.then_some(plain.include.as_path());
    let ours = match form {
        Form::Shared => programs::build(&source, &Subject::ours(&stage, header), Kind::Tests)?,
        Form::Static => programs::build(&source, &Subject::archive(&stage), Kind::Tests)?,
        Form::DropIn => reference_programs.on(compat.clone()),
    };
    let plan = plan(args.backend, filter.as_ref());
    let results = plan.run(&ours)?;
    let report = Report::new(args.backend, form, &source, results, filter.is_some());
    report.save()?;
    report.print(Some(&reference))?;
    if form == Form::DropIn && filter.is_none() {
        let reference = programs::build(&source, &Subject::reference(&plain), Kind::Benchmarks)?;
        plan.benchmarks(&reference.clone().on(compat), &reference, BENCHMARK_LIMIT)?;
    }
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
