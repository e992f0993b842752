//! Results of a run, the list of tests that must pass, and what is printed.
use super::{Backend, Form};
use crate::counts::Counts;
use crate::{dirs, libuv};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    Skip,
    Timeout,
}

/// One test's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TestResult {
    pub(crate) name: String,
    pub(crate) result: Outcome,
    /// Why it did not pass.
    pub(crate) reason: String,
    pub(crate) seconds: f64,
    /// It stands in the list of those that must pass.
    #[serde(skip)]
    pub(crate) must: bool,
    /// It did not pass beside other tests, and did when run again alone.
    pub(crate) alone: bool,
    /// The uv_* functions that the test's source file calls.
    pub(crate) functions: BTreeSet<String>,
    /// Everything it printed.
    #[serde(skip)]
    pub(crate) output: String,
}

impl TestResult {
    pub(crate) fn failed(&self) -> bool {
        matches!(self.result, Outcome::Fail | Outcome::Timeout)
    }
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Capitals are for what fails the run.
        let word = match (self.result, self.must) {
            (Outcome::Pass, _) => "ok  ",
            (Outcome::Skip, false) => "skip",
            (Outcome::Skip, true) => "SKIP",
            (Outcome::Fail, false) => "fail",
            (Outcome::Fail, true) => "FAIL",
            (Outcome::Timeout, false) => "time",
            (Outcome::Timeout, true) => "TIME",
        };
        write!(f, "{word} {} ({:.2} s)", self.name, self.seconds)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// The file that a cached reference is read from.
#[derive(Serialize, Deserialize)]
struct Cached {
    key: String,
    results: Vec<TestResult>,
}

/// Results of all tests of a run.
pub(crate) struct Report {
    backend: Backend,
    form: Form,
    key: String,
    results: Vec<TestResult>,
    partial: bool,
}

impl Report {
    /// `partial` when a filter left tests out.
    pub(crate) fn new(
        backend: Backend,
        form: Form,
        source: &libuv::Source,
        results: Vec<TestResult>,
        partial: bool,
    ) -> Self {
        Self { backend, form, key: key(source), results, partial }
    }

    /// The reference's results, if this kernel ran this version of libuv before.
    pub(crate) fn cached_reference(source: &libuv::Source) -> Result<Option<Self>> {
        let Ok(json) = fs::read(file("reference")) else {
            return Ok(None);
        };
        let cached: Cached = serde_json::from_slice(&json)?;
        let key = key(source);
        let fresh = cached.key == key;
        Ok(fresh.then_some(Self {
            backend: Backend::Reference,
            form: Form::Shared,
            key,
            results: cached.results,
            partial: false,
        }))
    }

    /// Writes target/conformance/BACKEND.json; a filtered run leaves the file alone, and so does one
    /// of the archive or of libuv's own program.
    pub(crate) fn save(&self) -> Result<()> {
        if self.partial || self.form != Form::Shared {
            return Ok(());
        }
        let path = file(self.backend.name());
        let json = if self.backend == Backend::Reference {
            let results = self.results.clone();
            serde_json::to_vec_pretty(&Cached { key: self.key.clone(), results })?
        } else {
            serde_json::to_vec_pretty(&self.results)?
        };
        fs::write(&path, json).with_context(|| path.display().to_string())
    }

    /// How many passed, failed and were skipped.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for result in &self.results {
            match result.result {
                Outcome::Pass => counts.passed += 1,
                Outcome::Skip => counts.skipped += 1,
                Outcome::Fail | Outcome::Timeout => counts.fail(result.to_string()),
            }
        }
        counts
    }

    fn with(&self, outcome: Outcome) -> BTreeSet<&str> {
        let wanted = self.results.iter().filter(|result| result.result == outcome);
        wanted.map(|result| result.name.as_str()).collect()
    }

    /// Tests of the list of those that must pass, and did not in this run, each with its outcome.
    pub(crate) fn regressions(&self) -> Result<Vec<String>> {
        if self.backend == Backend::Reference {
            return Ok(Vec::new());
        }
        let ran: BTreeMap<&str, &TestResult> =
            self.results.iter().map(|result| (result.name.as_str(), result)).collect();
        let lost = |name: String| match ran.get(name.as_str()) {
            Some(result) => (result.result != Outcome::Pass).then(|| result.to_string()),
            None => (!self.partial).then(|| format!("{name}: there is no such test")),
        };
        Ok(must_pass(self.backend)?.into_iter().filter_map(lost).collect())
    }

    /// Prints what stands out, and the counts as the last line.
    pub(crate) fn print(&self, reference: Option<&Self>) -> Result<()> {
        println!();
        let names = |title: &str, names: &[&str]| {
            if !names.is_empty() {
                println!("{title} ({}):", names.len());
                for name in names {
                    println!("  {name}");
                }
            }
        };
        let alone = self.results.iter().filter(|result| result.alone);
        let alone: Vec<&str> = alone.map(|result| result.name.as_str()).collect();
        names("passed only when run again alone", &alone);
        if let Some(reference) = reference {
            let on_reference = reference.with(Outcome::Pass);
            let failing = self.results.iter().filter(|result| {
                result.result != Outcome::Pass && on_reference.contains(result.name.as_str())
            });
            let lines: Vec<String> =
                failing.map(|result| format!("{}: {}", result.name, result.reason)).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            names("pass on the reference and not here", &lines);
            let expected = expected()?;
            let fresh: Vec<&str> = self
                .with(Outcome::Pass)
                .into_iter()
                .filter(|name| on_reference.contains(name))
                .filter(|name| {
                    expected.get(*name).is_none_or(|set| !set.contains(self.backend.name()))
                })
                .collect();
            names("improvements: pass and are not in expected.txt yet (--bless)", &fresh);
        }
        let regressions = self.regressions()?;
        let lost: Vec<&str> = regressions.iter().map(String::as_str).collect();
        names("REGRESSIONS: in expected.txt and did not pass", &lost);
        println!("conformance on {}{}: {}", self.form.word(), self.backend.name(), self.counts());
        Ok(())
    }

    /// Adds what passed to the list of tests that must pass, and takes out nothing.
    pub(crate) fn bless(&self) -> Result<()> {
        let mut list = expected()?;
        for name in self.with(Outcome::Pass) {
            let backends = list.entry(name.to_owned()).or_default();
            backends.insert(self.backend.name().to_owned());
        }
        let mut text = String::from(
            "# Tests of libuv that must pass, and on which backends.\n\
             # `cargo xtask conformance --backend NAME --bless` adds what passes.\n",
        );
        for (name, backends) in &list {
            let backends: Vec<&str> = backends.iter().map(String::as_str).collect();
            text.push_str(&format!("{name}: {}\n", backends.join(" ")));
        }
        let path = expected_file();
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

/// What several runs of the same tests have shown.
#[derive(Default)]
pub(crate) struct Flakes {
    rounds: usize,
    /// For each test: how it ended, and in how many rounds.
    ended: BTreeMap<String, BTreeMap<&'static str, usize>>,
}

impl Flakes {
    /// One run more.
    pub(crate) fn add(&mut self, report: &Report) {
        self.rounds += 1;
        for result in &report.results {
            let word = match result.result {
                Outcome::Pass if result.alone => "passed only alone",
                Outcome::Pass => "passed",
                Outcome::Skip => "skipped",
                Outcome::Fail | Outcome::Timeout => "failed",
            };
            *self.ended.entry(result.name.clone()).or_default().entry(word).or_default() += 1;
        }
    }

    /// The tests that did not end the same way in each run, and as the last line their number.
    pub(crate) fn print(&self) {
        println!();
        let flaky = || self.ended.iter().filter(|(_, ways)| ways.len() > 1);
        for (name, ways) in flaky() {
            let ways: Vec<String> =
                ways.iter().map(|(word, count)| format!("{word} {count} times")).collect();
            println!("  {name}: {}", ways.join(", "));
        }
        println!("{} runs of {} tests: {} flakes", self.rounds, self.ended.len(), flaky().count());
    }
}

fn expected_file() -> PathBuf {
    dirs::root().join("ffi-tests/conformance/expected.txt")
}

/// The tests that must pass, each with its backends. No list yet is an empty list.
fn expected() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let path = expected_file();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.with_context(|| path.display().to_string())?,
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, rest)| (name.to_owned(), rest.split_whitespace().map(str::to_owned).collect()))
        .collect())
}

/// The tests that must pass on a backend.
pub(super) fn must_pass(backend: Backend) -> Result<BTreeSet<String>> {
    let list = expected()?.into_iter();
    Ok(list.filter(|(_, set)| set.contains(backend.name())).map(|(name, _)| name).collect())
}

fn file(name: &str) -> PathBuf {
    dirs::target().join("conformance").join(format!("{name}.json"))
}

/// What a cached reference depends on.
fn key(source: &libuv::Source) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("libuv-sys2 {} on {}", source.version, kernel.trim())
}
