//! `cargo xtask sanitize`: the C programs under AddressSanitizer with UndefinedBehaviorSanitizer,
//! under ThreadSanitizer, and under valgrind.
//!
//! With a sanitizer the library itself is instrumented too: a build of its own, linked with the
//! runtime that comes with rustc. A checker that is not on finds nothing, so each one has to find
//! the faults of `ffi-tests/c/planted.c` before its silence counts.

mod programs;

use crate::counts::Counts;
use crate::dirs;
use anyhow::{Context, Result, bail};
use programs::{Run, everything, examples, threads};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Exit status of a program in which a checker found something.
const FOUND: i32 = 86;

/// Something that looks for faults while a program runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Checker {
    /// AddressSanitizer with its search for leaks, and UndefinedBehaviorSanitizer for the C side.
    Address,
    /// ThreadSanitizer.
    Thread,
    /// valgrind's memcheck, on the library as it is shipped.
    Valgrind,
}

/// What it must find in `planted.c`, and a word of what it then says.
struct Planted {
    fault: &'static str,
    word: &'static str,
}

impl Checker {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Thread => "thread",
            Self::Valgrind => "valgrind",
        }
    }

    fn planted(self) -> &'static [Planted] {
        const fn fault(fault: &'static str, word: &'static str) -> Planted {
            Planted { fault, word }
        }
        // A name of the library's in what is said proves that the library is looked at, too.
        match self {
            Self::Address => {
                const {
                    &[
                        fault("heap", "heap-use-after-free"),
                        fault("library_heap", "uvring_ffi::"),
                        fault("leak", "LeakSanitizer: detected memory leaks"),
                        fault("overflow", "signed integer overflow"),
                    ]
                }
            }
            Self::Thread => {
                const { &[fault("race", "data race"), fault("library_race", "uvring_ffi::")] }
            }
            Self::Valgrind => {
                const {
                    &[
                        fault("heap", "Invalid read"),
                        fault("library_heap", "uvring_ffi"),
                        fault("leak", "definitely lost"),
                    ]
                }
            }
        }
    }

    fn runs(self) -> Result<Vec<Run>> {
        match self {
            Self::Address => everything(),
            Self::Thread => Ok(threads()),
            Self::Valgrind => Ok(examples()),
        }
    }
}

/// Each checker in turn, or those named.
pub(crate) fn run(only: &[String]) -> Result<Counts> {
    let all = [Checker::Address, Checker::Thread, Checker::Valgrind];
    if let Some(name) = only.iter().find(|name| all.iter().all(|one| one.name() != **name)) {
        bail!("no checker {name}; there are: address thread valgrind");
    }
    let mut total = Counts::default();
    for checker in all {
        if only.is_empty() || only.iter().any(|name| name == checker.name()) {
            let counts = check(checker)?;
            println!("{}: {counts}", checker.name());
            total += counts;
        }
    }
    Ok(total)
}

fn check(checker: Checker) -> Result<Counts> {
    let into = dirs::target().join("sanitize").join(checker.name());
    std::fs::create_dir_all(&into).with_context(|| into.display().to_string())?;
    let build = Build { checker, library: library(checker, &into)?, into };
    prove(&build)?;
    let runs = checker.runs()?;
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(Counts::default());
    for run in &runs {
        build.program(&run.program, &run.sources)?;
    }
    std::thread::scope(|scope| {
        for _ in 0..dirs::cores() {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = one(&build, run);
                    let Ok(mut counts) = counts.lock() else { return };
                    match outcome {
                        Ok(()) => counts.passed += 1,
                        Err(error) => {
                            let what = format!("{}: {run}: {error:#}", checker.name());
                            println!("{what}");
                            counts.fail(what);
                        }
                    }
                }
            });
        }
    });
    Ok(counts.into_inner().unwrap_or_default())
}

/// Every planted fault is found.
fn prove(build: &Build) -> Result<()> {
    let source = dirs::root().join("ffi-tests/c/planted.c");
    build.program("planted", &[source])?;
    for Planted { fault, word } in build.checker.planted() {
        let (status, text) = build
            .command("planted")
            .and_then(|mut command| output(command.env("UVRING_BACKEND", "epoll").arg(fault)))?;
        if status != Some(FOUND) || !text.contains(word) {
            bail!("{} does not find {fault} ({status:?}):\n{text}", build.checker.name());
        }
        println!("{}: on, finds the planted {fault}", build.checker.name());
    }
    Ok(())
}

/// Where it runs. Sections make files: no two may meet.
fn work_folder(build: &Build, run: &Run) -> Result<PathBuf> {
    if !run.own_folder {
        return Ok(dirs::root().join("c-examples"));
    }
    let name = format!("{}-{}-{}", run.program, run.arguments.join("-"), run.backend);
    let folder = build.into.join("folders").join(name);
    // One that was stopped in the middle leaves its own.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// One program to its end, without a word of the checker's.
fn one(build: &Build, run: &Run) -> Result<()> {
    let mut command = build.command(&run.program)?;
    command.args(&run.arguments).env("UVRING_BACKEND", run.backend);
    let folder = work_folder(build, run)?;
    let outcome = output(command.current_dir(&folder));
    if run.own_folder {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let (status, text) = outcome?;
    let said = ["ERROR: ", "WARNING: ThreadSanitizer", "runtime error: "];
    if status != Some(0) || said.iter().any(|word| text.contains(word)) {
        let lines: Vec<&str> = text.lines().collect();
        let from = lines
            .iter()
            .position(|line| said.iter().any(|word| line.contains(word)))
            .unwrap_or(lines.len().saturating_sub(20));
        let lines = &lines[from..lines.len().min(from + 40)];
        bail!("{status:?}\n{}", lines.join("\n"));
    }
    Ok(())
}

/// Exit status and all that was written. No program runs longer than its own alarm lets it.
fn output(command: &mut Command) -> Result<(Option<i32>, String)> {
    let shown = dirs::show(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| shown.clone())?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), text.into_owned()))
}

/// Where a checker's programs are, and what they are linked with.
struct Build {
    checker: Checker,
    library: PathBuf,
    into: PathBuf,
}

impl Build {
    /// Compiles a program, unless it is newer than everything it is made of.
    fn program(&self, name: &str, sources: &[PathBuf]) -> Result<()> {
        let program = self.into.join(name);
        let mut newest = crate::cc::modified(&self.library)?;
        for source in sources {
            newest = newest.max(crate::cc::modified(source)?);
        }
        let headers = ["check.h", "ends.h", "heap.h", "nomem.h"]
            .map(|name| dirs::root().join("ffi-tests/c").join(name));
        for header in headers {
            newest = newest.max(crate::cc::modified(&header)?);
        }
        if crate::cc::modified(&program).is_ok_and(|made| made > newest) {
            return Ok(());
        }
        let mut command = Command::new(dirs::c_compiler());
        command.args(["-O1", "-g", "-fno-omit-frame-pointer"]);
        command.arg("-I").arg(dirs::root().join("include"));
        let flags: &[&str] = match self.checker {
            Checker::Address => &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
            Checker::Thread => &["-fsanitize=thread"],
            Checker::Valgrind => &[],
        };
        // Compiled and linked in two steps: the runtime is rustc's, not the C compiler's.
        let mut objects = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let object = self.into.join(format!("{name}-{index}.o"));
            let mut compile = Command::new(dirs::c_compiler());
            compile.args(command.get_args()).args(flags).arg("-c").arg(source);
            dirs::check(compile.arg("-o").arg(&object))?;
            objects.push(object);
        }
        let mut link = Command::new(dirs::c_compiler());
        link.arg("-rdynamic").args(&objects).arg(&self.library);
        if self.checker != Checker::Valgrind {
            link.arg("-Wl,--whole-archive").arg(runtime(self.checker)?);
            link.arg("-Wl,--no-whole-archive");
        }
        link.args(["-lpthread", "-ldl", "-lm", "-lrt"]);
        dirs::check(link.arg("-o").arg(&program))
    }

    /// A command that runs one of the programs under the checker.
    fn command(&self, name: &str) -> Result<Command> {
        let program = self.into.join(name);
        let mut command = if self.checker == Checker::Valgrind {
            let mut command = Command::new("valgrind");
            command.args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
            command.arg(format!("--error-exitcode={FOUND}")).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let exit = format!("exitcode={FOUND}");
        command.env("ASAN_OPTIONS", format!("{exit}:detect_leaks=1"));
        command.env("LSAN_OPTIONS", &exit);
        command.env("UBSAN_OPTIONS", format!("{exit}:print_stacktrace=1"));
        command.env("TSAN_OPTIONS", format!("{exit}:die_after_fork=0"));
        Ok(command)
    }
}

/// The archive that a checker's programs are linked with.
fn library(checker: Checker, into: &Path) -> Result<PathBuf> {
    if checker == Checker::Valgrind {
        return Ok(dirs::stage().join("lib/libuvring.a"));
    }
    // The flags are not stable, the compiler is: it is asked to take them all the same. rustix
    // goes through libc, where the sanitizer sees memory mapped and given back.
    let flags = format!(
        "-Zsanitizer={} -Cunsafe-allow-abi-mismatch=sanitizer --cfg rustix_use_libc",
        checker.name()
    );
    let target = host()?;
    let mut cargo = dirs::cargo();
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags);
    cargo.args(["rustc", "--quiet", "--locked", "--lib", "--crate-type", "staticlib"]);
    cargo.args(["--config", "profile.dev.debug=\"line-tables-only\"", "--target", &target]);
    cargo.arg("--manifest-path").arg(dirs::root().join("crates/cdylib/Cargo.toml"));
    dirs::check(cargo.arg("--target-dir").arg(into))?;
    Ok(into.join(target).join("debug/libuvring.a"))
}

/// The compiler's own platform.
fn host() -> Result<String> {
    let said = dirs::output(Command::new("rustc").arg("-vV"))?;
    let line = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc -vV names no host")?.to_owned())
}

/// The sanitizer's runtime, which comes with rustc.
fn runtime(checker: Checker) -> Result<PathBuf> {
    let word = if checker == Checker::Address { "asan" } else { "tsan" };
    let said = dirs::output(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let dir = PathBuf::from(said.trim());
    let suffix = format!("_rt.{word}.a");
    for entry in std::fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(&suffix) {
            return Ok(path);
        }
    }
    bail!("no *{suffix} in {}", dir.display())
}
