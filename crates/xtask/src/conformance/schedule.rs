//! Every test once, several side by side, each with a watchdog; a failure is run again alone.
use super::Backend;
use super::programs::Programs;
use super::report::{Outcome, TestResult};
use super::sandbox::{self, Spec};
use crate::dirs;
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The tests whose subject is what only root may do.
const AS_ROOT: &[&str] = &["spawn_setuid_setgid"];
/// libuv's own limit is 5 s for most tests; the machine may be busy.
const TIMEOUT_MULTIPLIER: u32 = 3;
/// The runner's own watchdog comes first; this one is for a runner that hangs itself.
const LIMIT: Duration = Duration::from_secs(120);
/// More failures than this have another cause than a busy machine.
const RUN_AGAIN: usize = 40;
/// Exit status by which a libuv test says that it was skipped.
const SKIPPED: i32 = 7;

/// Which tests to run, and how.
pub(crate) struct Plan {
    pub(crate) backend: Backend,
    pub(crate) jobs: usize,
    pub(crate) filter: Option<Regex>,
    /// Tests that must pass on this backend.
    pub(crate) must: BTreeSet<String>,
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

    /// Runs what failed once more, with the machine to itself; of many only what must pass.
    fn again(&self, programs: &Programs, results: &mut [TestResult]) -> Result<()> {
        let few = results.iter().filter(|result| result.failed()).count() <= RUN_AGAIN;
        let wanted = |result: &TestResult| few || self.must.contains(&result.name);
        for result in results.iter_mut().filter(|result| result.failed() && wanted(result)) {
            let again = self.one(programs, &result.name)?;
            *result = TestResult { alone: again.result == Outcome::Pass, ..again };
        }
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
            alone: false,
            functions: programs.functions.get(name).cloned().unwrap_or_default(),
            output: run.output,
        };
        println!("{result}");
        Ok(result)
    }

    fn start(&self, programs: &Programs, name: &str) -> Result<Running> {
        let library = programs.library.file_name().unwrap_or_default().to_string_lossy();
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
        let spec = Spec {
            binds: vec![
                (programs.runner.clone(), "run-tests".to_owned()),
                (programs.library.clone(), format!("lib/{library}")),
            ],
            fixtures: programs.fixtures.clone(),
            arguments: vec![format!("{}/run-tests", sandbox::BASE), name.to_owned()],
            environment,
            root: AS_ROOT.contains(&name),
            deny_uring: self.backend == Backend::Denied,
        };
        Running::start(&spec)
    }
}

/// A test in its sandbox.
struct Running {
    child: Child,
    output: File,
    since: Instant,
}

/// What a test left behind.
struct Finished {
    /// None when the watchdog ended it.
    status: Option<ExitStatus>,
    output: String,
    seconds: f64,
}

impl Running {
    fn start(spec: &Spec) -> Result<Self> {
        let output = tempfile()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("sandbox")
            .arg(serde_json::to_string(spec)?)
            .stdin(Stdio::null())
            .stdout(Stdio::from(OwnedFd::from(output.try_clone()?)))
            .stderr(Stdio::from(OwnedFd::from(output.try_clone()?)))
            .spawn()
            .context("cannot start the sandbox")?;
        Ok(Self { child, output, since: Instant::now() })
    }

    /// Waits until it has ended, or ends it.
    fn finish(mut self, limit: Duration) -> Result<Finished> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break Some(status);
            }
            if self.since.elapsed() > limit {
                // The sandbox's init dies with its parent, and everything in it with init.
                self.child.kill()?;
                self.child.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let seconds = self.since.elapsed().as_secs_f64();
        let mut bytes = Vec::new();
        self.output.rewind()?;
        self.output.read_to_end(&mut bytes)?;
        Ok(Finished { status, output: String::from_utf8_lossy(&bytes).into_owned(), seconds })
    }
}

/// A file without a name.
fn tempfile() -> Result<File> {
    let fd = nix::sys::memfd::memfd_create(c"output", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?;
    Ok(File::from(fd))
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
