//! Every test once, several side by side, each with a watchdog; a failure is run again alone.
use super::Backend;
use super::programs::Programs;
use super::report::{Outcome, TestResult};
use super::running::{Finished, Running};
use super::sandbox::{self, Spec};
use crate::dirs;
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The tests whose subject is what only root may do.
const AS_ROOT: &[&str] = &["spawn_setuid_setgid"];
/// It skips itself when LD_LIBRARY_PATH is set; it finds the same library beside itself.
const BY_RUNPATH: &[&str] = &["spawn_empty_env"];
/// libuv's own limit is 5 s for most tests; the machine may be busy.
const TIMEOUT_MULTIPLIER: u32 = 3;
/// The runner's own watchdog comes first; this one is for a runner that hangs itself.
const LIMIT: Duration = Duration::from_secs(120);
/// More failures than this have another cause than a busy machine.
const RUN_AGAIN: usize = 40;
/// So often one that must pass may say that it cannot be run just now.
const SKIPS_AGAIN: usize = 10;
/// Exit status by which a libuv test says that it was skipped.
const SKIPPED: i32 = 7;

/// Which tests to run, and how.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) backend: Backend,
    pub(crate) jobs: usize,
    pub(crate) filter: Option<Regex>,
    /// Tests that must pass on this backend.
    pub(crate) must: BTreeSet<String>,
    /// The library is found by LD_LIBRARY_PATH.
    pub(crate) by_path: bool,
}

impl Plan {
    /// Runs the tests and prints a line for each.
    pub(crate) fn run(&self, programs: &Programs) -> Result<Vec<TestResult>> {
        let names = self.names(programs)?;
        let logs = self.logs()?;
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let result = self.one(programs, name);
                        if let Ok(mut results) = results.lock() {
                            results.push((name.clone(), result));
                        }
                    }
                });
            }
        });
        let mut finished = Vec::new();
        for (name, result) in results.into_inner().unwrap_or_default() {
            finished.push(result.with_context(|| format!("test {name}"))?);
        }
        if self.jobs > 1 {
            self.again(programs, &mut finished)?;
        }
        for result in finished.iter().filter(|result| result.failed()) {
            fs::write(logs.join(format!("{}.txt", result.name)), &result.output)?;
        }
        finished.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(finished)
    }

    /// Runs what failed once more, with the machine to itself; of many only what must pass. A test
    /// that must pass may also skip itself on a busy machine: it waits for some moment of the
    /// kernel's, and says so.
    fn again(&self, programs: &Programs, results: &mut [TestResult]) -> Result<()> {
        let few = results.iter().filter(|result| result.failed()).count() <= RUN_AGAIN;
        let wanted = |result: &&mut TestResult| {
            (few && result.failed()) || (result.must && result.result != Outcome::Pass)
        };
        for result in results.iter_mut().filter(wanted) {
            let times = if result.result == Outcome::Skip { SKIPS_AGAIN } else { 1 };
            for _ in 0..times {
                let again = self.one(programs, &result.name)?;
                *result = TestResult { alone: again.result == Outcome::Pass, ..again };
                if result.alone {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Starts every benchmark, side by side, and ends those that take longer than `limit`. Prints the
    /// outcome. Fails if one fails that works on libuv itself.
    pub(crate) fn benchmarks(
        &self,
        programs: &Programs,
        reference: &Programs,
        limit: Duration,
    ) -> Result<()> {
        let names = self.names(programs)?;
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let ran = self.start(programs, name).and_then(|run| run.finish(limit));
                        if let Ok(mut results) = results.lock() {
                            results.push((name, ran));
                        }
                    }
                });
            }
        });
        let (mut ended, mut stopped, mut broken) = (0, 0, Vec::new());
        let libuv = Self { backend: Backend::Reference, by_path: false, ..self.clone() };
        for (name, ran) in results.into_inner().unwrap_or_default() {
            let ran = ran.with_context(|| format!("benchmark {name}"))?;
            match ran.status {
                None => stopped += 1,
                Some(status) if status.success() => ended += 1,
                Some(status) => {
                    let same = libuv.start(reference, name)?.finish(limit)?;
                    if same.status == Some(status) {
                        broken.push(name.as_str());
                        continue;
                    }
                    // Beside others it may have met a limit of its own: once more, alone.
                    let alone = self.start(programs, name)?.finish(limit)?;
                    if alone.status.is_some_and(|status| !status.success()) {
                        bail!(
                            "benchmark {name}: {status}\n{}\nalone: {}",
                            ran.output,
                            alone.output
                        );
                    }
                    println!("benchmark {name} failed beside others ({status}), not alone");
                    stopped += 1;
                }
            }
        }
        println!(
            "benchmarks built for libuv, on {}: {ended} ran to the end, {stopped} ran until they were \
             ended after {} s, {} fail as on libuv itself: {}",
            self.backend.name(),
            limit.as_secs(),
            broken.len(),
            broken.join(" ")
        );
        Ok(())
    }

    /// The names of all tests, as the test program lists them.
    fn names(&self, programs: &Programs) -> Result<Vec<String>> {
        let run = self.start(programs, "--list")?.finish(LIMIT)?;
        if !run.status.is_some_and(|status| status.success()) {
            bail!("the test program cannot list its tests:\n{}", run.output);
        }
        let names: Vec<String> = run
            .output
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| self.filter.as_ref().is_none_or(|filter| filter.is_match(name)))
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            bail!("no test of that name");
        }
        Ok(names)
    }

    fn logs(&self) -> Result<PathBuf> {
        let dir = dirs::target().join("conformance/logs").join(self.backend.name());
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    fn one(&self, programs: &Programs, name: &str) -> Result<TestResult> {
        let run = self.start(programs, name)?.finish(LIMIT)?;
        let (result, reason) = judge(&run);
        let result = TestResult {
            name: name.to_owned(),
            result,
            reason,
            seconds: run.seconds,
            must: self.must.contains(name),
            alone: false,
            functions: programs.functions.get(name).cloned().unwrap_or_default(),
            output: run.output,
        };
        println!("{result}");
        Ok(result)
    }

    fn start(&self, programs: &Programs, name: &str) -> Result<Running> {
        let library = programs.library.file_name().unwrap_or_default().to_string_lossy();
        let program = programs.runner.file_name().unwrap_or_default().to_string_lossy();
        let mut environment = vec![
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("HOME".to_owned(), sandbox::HOME.to_owned()),
            ("TMPDIR".to_owned(), "/tmp".to_owned()),
            ("UV_RUN_AS_ROOT".to_owned(), "1".to_owned()),
            ("UV_TEST_TIMEOUT_MULTIPLIER".to_owned(), TIMEOUT_MULTIPLIER.to_string()),
        ];
        match self.backend {
            Backend::Epoll => environment.push(("UVRING_BACKEND".into(), "epoll".into())),
            Backend::IoUring | Backend::Denied => {
                environment.push(("UVRING_BACKEND".into(), "io_uring".into()));
            }
            Backend::Reference => {}
        }
        // Before the first line of the program runs, all its functions have been found.
        environment.push(("LD_BIND_NOW".into(), "1".into()));
        if self.by_path && !BY_RUNPATH.contains(&name) {
            let path = format!("{}/lib", sandbox::BASE);
            environment.push(("LD_LIBRARY_PATH".into(), path));
        }
        let spec = Spec {
            binds: vec![
                (programs.runner.clone(), program.to_string()),
                (programs.library.clone(), format!("lib/{library}")),
            ],
            fixtures: programs.fixtures.clone(),
            arguments: vec![format!("{}/{program}", sandbox::BASE), name.to_owned()],
            environment,
            root: AS_ROOT.contains(&name),
            overlay: None,
            deny_uring: self.backend == Backend::Denied,
        };
        Running::start(&spec)
    }
}

/// The outcome, and for anything but a pass the reason.
fn judge(run: &Finished) -> (Outcome, String) {
    let Some(status) = run.status else {
        return (Outcome::Timeout, format!("still running after {} s", LIMIT.as_secs()));
    };
    match status.code() {
        Some(0) => return (Outcome::Pass, String::new()),
        Some(SKIPPED) => {
            let reason = run.output.lines().find_map(|line| line.split_once("# SKIP"));
            return (Outcome::Skip, reason.map_or("", |(_, why)| why.trim()).to_owned());
        }
        _ => {}
    }
    if run.output.lines().any(|line| line.trim() == "# timeout") {
        return (Outcome::Timeout, "timeout".to_owned());
    }
    let telling = ["missing function:", "Assertion failed", "sandbox:", "# exit code", "error"];
    let line = telling.iter().find_map(|word| run.output.lines().find(|line| line.contains(word)));
    let reason = line.map_or_else(
        || match status.signal() {
            Some(signal) => format!("the test program died of signal {signal}"),
            None => status.to_string(),
        },
        |line| line.trim_start_matches(['#', ' ']).to_owned(),
    );
    (Outcome::Fail, reason)
}
