//! Takes the programs out of libuv's folder, shortens them, compiles them.
use crate::absolute;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A name in libuv's list of benchmarks, and the servers it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// As libuv names it.
    pub(crate) name: String,
    /// Helper processes.
    pub(crate) helpers: Vec<String>,
}

/// The compiled programs.
pub(crate) struct Suite {
    /// The one binary that holds all of them.
    pub(crate) runner: PathBuf,
    /// Where they run: their unix socket is a file in it.
    pub(crate) folder: PathBuf,
}

/// Sources besides benchmark-*.c.
const COMMON: &[&str] =
    &["blackhole-server.c", "echo-server.c", "run-benchmarks.c", "runner.c", "runner-unix.c"];

/// File, what stands in it once or more, and what stands there instead: many programs work for
/// five or ten seconds or a million times, which is too long for six columns in turn. Both
/// libraries run the same program.
const SHORTER: &[(&str, &str, &str)] = &[
    ("benchmark-async-pummel.c", "(1000 * 1000)", "(50 * 1000)"),
    ("benchmark-async.c", "(1000 * 1000)", "(50 * 1000)"),
    ("benchmark-fs-stat.c", "(10 * 1e5)", "(2 * 1e5)"),
    ("benchmark-fs-stat.c", "(1 * (int) 1e5)", "(1 * (int) 5e3)"),
    ("benchmark-getaddrinfo.c", "TOTAL_CALLS 10000", "TOTAL_CALLS 4000"),
    ("benchmark-loop-count.c", "timer_cb, 5000, 0", "timer_cb, 1000, 0"),
    ("benchmark-loop-count.c", "ticks / 5.0", "ticks / 1.0"),
    ("benchmark-loop-count.c", "(2 * 1000 * 1000)", "(1000 * 1000)"),
    ("benchmark-million-async.c", "timeout = 5000", "timeout = 3000"),
    ("benchmark-million-timers.c", "(10 * 1000 * 1000)", "(1000 * 1000)"),
    ("benchmark-multi-accept.c", "(250 * 1000)", "(20 * 1000)"),
    ("benchmark-ping-pongs.c", "TIME 5000", "TIME 1000"),
    ("benchmark-ping-udp.c", "TIME 5000", "TIME 1000"),
    ("benchmark-pound.c", "start < 10000", "start < 1500"),
    ("benchmark-pump.c", "STATS_COUNT                 5", "STATS_COUNT                 2"),
    ("benchmark-queue-work.c", "timeout = 5000", "timeout = 1000"),
    ("benchmark-spawn.c", "N = 1000", "N = 400"),
    ("benchmark-tcp-write-batch.c", "(1000 * 1000)", "(500 * 1000)"),
    ("benchmark-thread.c", "(20 * 1000)", "(5 * 1000)"),
    ("benchmark-udp-pummel.c", "(unsigned int) 1e6", "(unsigned int) 1e5"),
    ("benchmark-udp-pummel.c", "TEST_DURATION 5000", "TEST_DURATION 1000"),
];

/// The programs in libuv's list, in its order. `libuv` is the folder that holds `test`.
pub(crate) fn programs(libuv: &Path) -> Result<Vec<Program>> {
    let list = libuv.join("test/benchmark-list.h");
    let text = fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    Ok(parse(&text))
}

fn parse(list: &str) -> Vec<Program> {
    let mut found: Vec<Program> = Vec::new();
    for line in list.lines().map(str::trim) {
        let inside = |start: &str| {
            let rest = line.strip_prefix(start)?.trim_start();
            rest.strip_prefix('(')?.strip_suffix(')')
        };
        if let Some(name) = inside("BENCHMARK_ENTRY") {
            found.push(Program { name: name.trim().to_owned(), helpers: Vec::new() });
        } else if let Some((of, helper)) =
            inside("BENCHMARK_HELPER").and_then(|pair| pair.split_once(','))
            && let Some(program) = found.iter_mut().find(|program| program.name == of.trim())
        {
            program.helpers.push(helper.trim().to_owned());
        }
    }
    found
}

impl Suite {
    /// Compiles them below `into`, unless that was done before from the same sources.
    pub(crate) fn build(libuv: &Path, reference: &Path, into: &Path) -> Result<Self> {
        let into = absolute(into)?;
        let source = into.join("source");
        let suite = Self { runner: into.join("run-benchmarks"), folder: into.join("run") };
        for dir in [&source, &suite.folder] {
            fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        }
        let stamp = into.join("stamp");
        let wanted = format!("{}\n{SHORTER:?}\n", libuv.display());
        let fresh = fs::read_to_string(&stamp).is_ok_and(|is| is == wanted);
        if !(fresh && suite.runner.exists()) {
            let files = copy(&libuv.join("test"), &source)?;
            suite.compile(&files, libuv, reference)?;
            fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
        }
        Ok(suite)
    }

    fn compile(&self, files: &[PathBuf], libuv: &Path, reference: &Path) -> Result<()> {
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let done = Command::new(compiler)
            .args(["-O2", "-std=gnu11", "-w", "-D_GNU_SOURCE", "-DUSING_UV_SHARED=1"])
            .arg("-I")
            .arg(reference.join("include"))
            .arg("-I")
            .arg(libuv.join("src"))
            .arg("-o")
            .arg(&self.runner)
            .args(files)
            .arg(reference.join("lib/libuv.so.1"))
            .args(["-lpthread", "-ldl", "-lrt", "-lutil", "-lm"])
            .output()
            .context("cannot start the C compiler")?;
        if !done.status.success() {
            bail!("libuv's programs: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }
}

/// Copies what the programs are made of, shortened; returns the files to compile.
fn copy(from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut used = 0;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = name.starts_with("benchmark-") && name.ends_with(".c")
            || COMMON.contains(&name.as_str());
        if !source && !name.ends_with(".h") {
            continue;
        }
        let mut text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for (_, long, short) in SHORTER.iter().filter(|(file, ..)| *file == name) {
            if !text.contains(long) {
                bail!("{name} has no \"{long}\": is this another version of libuv?");
            }
            text = text.replace(long, short);
            used += 1;
        }
        let target = to.join(&name);
        fs::write(&target, text).with_context(|| target.display().to_string())?;
        if source {
            files.push(target);
        }
    }
    if used != SHORTER.len() {
        bail!("not every program that is shortened is there");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_belong_to_their_program() {
        let list = "TASK_LIST_START\n  BENCHMARK_ENTRY  (sizes)\n  BENCHMARK_ENTRY (a_1)\n  \
                    BENCHMARK_HELPER (a_1, echo)\nTASK_LIST_END\n";
        let program = |name: &str, helpers: &[&str]| Program {
            name: name.to_owned(),
            helpers: helpers.iter().map(|&helper| helper.to_owned()).collect(),
        };
        assert_eq!(parse(list), [program("sizes", &[]), program("a_1", &["echo"])]);
    }
}
