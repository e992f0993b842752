//! `cargo xtask test`: everything that CI runs, in order. A new check is one more line in `STEPS`.
use crate::conformance::{self, Backend, Form};
use crate::counts::Counts;
use crate::{abi, build, demo, dirs, header, libuv, matrix, real, sanitize, tidy};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// A check of CI.
struct Step {
    name: &'static str,
    run: Check,
}

enum Check {
    /// Counts as one test.
    Plain(fn() -> Result<()>),
    /// Counts its tests itself.
    Counted(fn() -> Result<Counts>),
}

use Check::{Counted, Plain};

/// The scripted driver is there for tests only.
const SCRIPTED: [&str; 2] = ["--features", "uvring-core/sim"];

/// In order: what is quick and what others stand on comes first.
const STEPS: &[Step] = &[
    Step { name: "fmt", run: Plain(fmt) },
    Step { name: "tidy", run: Plain(tidy::run) },
    Step { name: "clippy", run: Plain(clippy) },
    Step { name: "header", run: Plain(|| header::run(true)) },
    Step { name: "abi", run: Plain(abi::run) },
    Step { name: "build-debug", run: Plain(build_debug) },
    Step { name: "build", run: Plain(build_release) },
    Step { name: "cargo-test", run: Counted(cargo_test) },
    Step { name: "examples", run: Plain(examples) },
    Step { name: "sanitize", run: Counted(|| sanitize::run(&[])) },
    Step {
        name: "conformance-epoll",
        run: Counted(|| conformance_on(Backend::Epoll, Form::Shared)),
    },
    Step {
        name: "conformance-io_uring",
        run: Counted(|| conformance_on(Backend::IoUring, Form::Shared)),
    },
    Step {
        name: "conformance-denied",
        run: Counted(|| conformance_on(Backend::Denied, Form::Shared)),
    },
    Step { name: "conformance-static", run: Counted(|| conformance_everywhere(Form::Static)) },
    Step { name: "conformance-drop-in", run: Counted(|| conformance_everywhere(Form::DropIn)) },
    Step { name: "real-programs", run: Counted(|| real::check(&[])) },
    Step { name: "demo", run: Plain(demo::run) },
    Step { name: "matrix", run: Plain(|| matrix::run(true, None)) },
];

/// Runs all steps, or those named, and ends with the sum of their counts.
pub(crate) fn run(only: &[String]) -> Result<ExitCode> {
    if let Some(name) = only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("no step {name}; there are: {}", names.join(" "));
    }
    let mut total = Counts::default();
    let mut lines = Vec::new();
    for step in STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|n| n == step.name)) {
        println!("\n==== {}", step.name);
        let since = Instant::now();
        let mut counts = step.run.perform();
        for failure in &mut counts.failures {
            failure.insert_str(0, &format!("{}: ", step.name));
        }
        let seconds = since.elapsed().as_secs_f64();
        let word = if counts.failed == 0 { "ok" } else { "FAILED" };
        let line = format!("{:22} {word:6} {seconds:7.1} s   {counts}", step.name);
        println!("==== {line}");
        lines.push(line);
        total += counts;
    }
    println!("\nsteps:");
    for line in &lines {
        println!("  {line}");
    }
    if !total.failures.is_empty() {
        println!("\nfailures:");
    }
    for failure in &total.failures {
        println!("  {}", failure.trim_end().replace('\n', "\n  "));
    }
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Check {
    fn perform(&self) -> Counts {
        let result = match self {
            Plain(check) => check().map(|()| Counts { passed: 1, ..Counts::default() }),
            Counted(check) => check(),
        };
        result.unwrap_or_else(|error| {
            println!("error: {error:#}");
            let mut counts = Counts::default();
            counts.fail(format!("{error:#}"));
            counts
        })
    }
}

fn cdylib() -> Vec<String> {
    let manifest = dirs::root().join("crates/cdylib/Cargo.toml");
    vec!["--manifest-path".to_owned(), manifest.display().to_string()]
}

fn fmt() -> Result<()> {
    dirs::check(dirs::cargo().args(["fmt", "--all", "--check"]))?;
    dirs::check(dirs::cargo().arg("fmt").args(cdylib()).arg("--check"))
}

fn clippy() -> Result<()> {
    let strict = ["--", "-D", "warnings"];
    let all = ["clippy", "--locked", "--workspace", "--all-targets", "--quiet"];
    dirs::check(dirs::cargo().args(all).args(SCRIPTED).args(strict))?;
    let target = dirs::target().join("cdylib");
    dirs::check(
        dirs::cargo()
            .args(["clippy", "--locked", "--quiet"])
            .args(cdylib())
            .arg("--target-dir")
            .arg(target)
            .args(strict),
    )
}

fn build_debug() -> Result<()> {
    let made = build::compile(true)?;
    build::link_statically(&made.join("libuvring.a"))
}

fn build_release() -> Result<()> {
    build::run(false)?;
    build::link_statically(&dirs::stage().join("lib/libuvring.a"))
}

/// All tests of the workspace; the last line of each test program is read for its counts. Some
/// compare with libuv's own library, so that is built first.
fn cargo_test() -> Result<Counts> {
    libuv::reference(&libuv::Source::find()?)?;
    let mut command = dirs::cargo();
    command.args(["test", "--locked", "--workspace", "--no-fail-fast"]).args(SCRIPTED);
    command.env("UVRING_STAGE", dirs::stage());
    count_test_lines(&mut command)
}

/// Runs a command that prints cargo's `test result:` lines, shows what it prints, and counts.
fn count_test_lines(command: &mut Command) -> Result<Counts> {
    let shown = dirs::show(command);
    let pattern = Regex::new(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start: {shown}"))?;
    let mut counts = Counts::default();
    // What a test program says about its failures stands between two kinds of line.
    let mut telling: Option<String> = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            if let Some(found) = pattern.captures(&line) {
                let number = |index: usize| found[index].parse::<usize>();
                let (passed, failed, skipped) = (number(1)?, number(2)?, number(3)?);
                let failures = telling.take().into_iter().collect();
                counts += Counts { passed, failed, skipped, failures };
            } else if let Some(told) = &mut telling {
                *told += &format!("{line}\n");
            } else if line == "failures:" {
                telling = Some(String::new());
            }
        }
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        println!("error: {status}: {shown}");
        counts.fail(format!("{status}: {shown}"));
    }
    Ok(counts)
}

/// The C examples compile without a warning and do their work.
fn examples() -> Result<()> {
    let out = dirs::target().join("c-examples");
    dirs::check(
        Command::new("make")
            .arg("-C")
            .arg(dirs::root().join("c-examples"))
            .arg(format!("OUT={}", out.display()))
            .arg("check")
            .env("CFLAGS", "-O2 -g -Werror")
            .env("PKG_CONFIG_PATH", dirs::stage().join("lib/pkgconfig")),
    )
}

/// Only the tests in expected.txt can fail CI; what else fails is listed and counts as skipped.
fn conformance_on(backend: Backend, form: Form) -> Result<Counts> {
    let report = conformance::collect(&conformance::Args::all_on(backend, form))?;
    let failures = report.regressions()?;
    let all = report.counts();
    let failed = failures.len();
    let skipped = (all.failed + all.skipped).saturating_sub(failed);
    if skipped > all.skipped {
        let known = skipped - all.skipped;
        println!("{known} tests fail that are not in expected.txt: counted as skipped");
    }
    Ok(Counts { passed: all.passed, failed, skipped, failures })
}

fn conformance_everywhere(form: Form) -> Result<Counts> {
    let mut counts = Counts::default();
    for backend in [Backend::Epoll, Backend::IoUring, Backend::Denied] {
        counts += conformance_on(backend, form)?;
    }
    Ok(counts)
}
