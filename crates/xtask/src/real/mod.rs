//! `cargo xtask real-programs`: programs of the distribution, built for its libuv, run once on libuv
//! and on uvring with each backend. They must print the same.
//!
//! ```text
//!   mod        the programs, running them, comparing
//!   packages   getting them
//! ```
//!
//! Each runs in the sandbox of the conformance tests, with a network of its own. Where packages
//! cannot be had, everything is skipped with the reason.
mod packages;

use crate::conformance::Backend;
use crate::conformance::running::Running;
use crate::conformance::sandbox::{BASE, HOME, Spec};
use crate::counts::Counts;
use crate::{dirs, libuv};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A program of the distribution.
struct Program {
    name: &'static str,
    /// The command; `SCRIPT` in front of a word is the folder of the scripts.
    command: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program { name: "node", command: &["/usr/bin/node", "SCRIPT/node.js"] },
    Program { name: "cmake", command: &["/bin/sh", "SCRIPT/cmake.sh"] },
    Program { name: "bind", command: &["/bin/sh", "SCRIPT/bind.sh"] },
    Program { name: "uvloop", command: &["/usr/bin/python3", "SCRIPT/python_uvloop.py"] },
    Program {
        name: "neovim",
        command: &["/usr/bin/nvim", "--headless", "--clean", "-c", "luafile SCRIPT/neovim.lua"],
    },
    Program { name: "luv", command: &["/usr/bin/lua5.1", "SCRIPT/lua_luv.lua"] },
];
/// Most need a few seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// Side by side: they sleep much.
const JOBS: usize = 3;
/// Where Debian keeps the modules of Lua that are libraries.
const LUA_MODULES: &str = "/usr/lib/x86_64-linux-gnu/lua/5.1/?.so";
/// What every script ends with.
const END: &str = "end";
/// A program names the libuv that it has mapped after this.
const LIBRARY: &str = "library: ";

/// Runs the command.
pub(crate) fn run(only: &[String]) -> Result<ExitCode> {
    libuv::reference(&libuv::Source::find()?)?;
    crate::build::run(false)?;
    let counts = check(only)?;
    println!("real programs: {counts}");
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all programs, or those named, with the libraries as they are staged.
pub(crate) fn check(only: &[String]) -> Result<Counts> {
    let programs: Vec<&Program> = PROGRAMS
        .iter()
        .filter(|program| only.is_empty() || only.iter().any(|name| name == program.name))
        .collect();
    let backends = [Backend::Epoll, Backend::IoUring, Backend::Denied];
    let usr = match packages::unpacked() {
        Ok(usr) => usr,
        Err(error) => {
            println!("real programs are skipped: {error:#}");
            let skipped = programs.len() * backends.len();
            return Ok(Counts { skipped, ..Counts::default() });
        }
    };
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let counts = one(program, &usr, &backends);
                    if let Ok(mut total) = total.lock() {
                        *total += counts;
                    }
                }
            });
        }
    });
    Ok(total.into_inner().unwrap_or_default())
}

/// A program on libuv, then on each backend of uvring.
fn one(program: &Program, usr: &Path, backends: &[Backend]) -> Counts {
    let mut counts = Counts::default();
    let want = match printed(program, usr, Backend::Reference) {
        Ok(want) => want,
        Err(error) => {
            println!("FAIL {} on libuv itself: {error:#}", program.name);
            for _ in backends {
                counts.fail(format!("{} on libuv itself: {error:#}", program.name));
            }
            return counts;
        }
    };
    for &backend in backends {
        let name = format!("{} on {}", program.name, backend.name());
        let mut same = printed(program, usr, backend).and_then(|have| compare(&want, &have));
        if let Err(error) = &same {
            // What lies close together in time may change places on a busy machine, on libuv too.
            println!("{name}, tried again on both: {error:#}");
            same = printed(program, usr, Backend::Reference)
                .and_then(|want| compare(&want, &printed(program, usr, backend)?));
        }
        match same {
            Ok(()) => {
                println!("ok   {name}: {} lines as on libuv", want.lines().count());
                counts.passed += 1;
            }
            Err(error) => {
                println!("FAIL {name}: {error:#}");
                counts.fail(format!("{name}: {error:#}"));
            }
        }
    }
    counts
}

/// What a program prints on a backend. It must reach its end, on the right library.
fn printed(program: &Program, usr: &Path, backend: Backend) -> Result<String> {
    let ours = backend != Backend::Reference;
    let (library, folder) = if ours {
        (dirs::stage().join("lib/compat/libuv.so.1"), "uvring")
    } else {
        (dirs::target().join("reference/lib/libuv.so.1"), "libuv")
    };
    let path = format!("{BASE}/{folder}");
    let scripts = dirs::root().join("ffi-tests/real");
    let script = format!("{HOME}/test/fixtures");
    let mut environment = vec![
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", HOME),
        ("TMPDIR", HOME),
        ("LC_ALL", "C.UTF-8"),
        ("LUA_CPATH", LUA_MODULES),
        ("LD_LIBRARY_PATH", &path),
    ];
    if ours {
        let kind = if backend == Backend::Epoll { "epoll" } else { "io_uring" };
        environment.push(("UVRING_BACKEND", kind));
    }
    let environment =
        environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let spec = Spec {
        binds: vec![(library, format!("{folder}/libuv.so.1"))],
        fixtures: scripts,
        arguments: program.command.iter().map(|word| word.replace("SCRIPT", &script)).collect(),
        environment,
        root: false,
        overlay: Some(usr.to_path_buf()),
        deny_uring: backend == Backend::Denied,
    };
    let run = Running::start(&spec)?.finish(LIMIT)?;
    let said = run.output;
    let status = run.status.with_context(|| format!("still running:\n{said}"))?;
    if !status.success() || !said.lines().any(|line| line == END) {
        bail!("{status}:\n{said}");
    }
    let libraries: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(LIBRARY)).collect();
    let right = format!("{path}/libuv.so.1");
    if libraries.is_empty() || libraries.iter().any(|library| *library != right) {
        bail!("runs on {libraries:?} instead of {right}");
    }
    let rest: Vec<&str> = said.lines().filter(|line| !line.starts_with(LIBRARY)).collect();
    Ok(rest.join("\n"))
}

/// The first line that differs is the error.
fn compare(want: &str, have: &str) -> Result<()> {
    if want == have {
        return Ok(());
    }
    let same = want.lines().zip(have.lines()).take_while(|(want, have)| want == have).count();
    let from = |text: &str| text.lines().skip(same).take(5).collect::<Vec<_>>().join("\n  ");
    bail!("from line {}\nlibuv:\n  {}\nuvring:\n  {}", same + 1, from(want), from(have));
}
