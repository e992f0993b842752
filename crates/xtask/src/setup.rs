//! Sees to the programs that the other commands run: installs what is missing through the system's
//! package manager when it may, and names it in one line when it may not.
use crate::dirs;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program, or the path of a file, and the package of Debian and its children that brings it.
type Tool = (&'static str, &'static str);

/// What building and staging the library needs.
const BUILD: &[Tool] = &[("cc", "gcc"), ("strip", "binutils")];

/// What the demo needs besides.
const DEMO: &[Tool] = &[("git", "git"), ("curl", "curl")];

/// What the tests need besides.
const TEST: &[Tool] = &[
    ("g++", "g++"),
    ("clang", "clang"),
    ("make", "make"),
    ("cmake", "cmake"),
    ("pkg-config", "pkg-config"),
    ("ip", "iproute2"),
    ("abidiff", "abigail-tools"),
    ("valgrind", "valgrind"),
];

/// What the tests use if it can be had: the benchmarks' page is opened in it.
const WELCOME: &[Tool] = &[("chromium", "chromium")];

/// What the bench uses if it can be had: the libraries that some of its rows compare with.
const PEERS: &[Tool] =
    &[("/usr/include/event2/event.h", "libevent-dev"), ("/usr/include/ev.h", "libev-dev")];

/// For `cargo xtask bench`, with or without.
pub(crate) fn for_bench() {
    if let Err(error) = ensure(&[PEERS]) {
        println!("going on without: {error:#}");
    }
}

/// For `cargo xtask demo`.
pub(crate) fn for_demo() -> Result<()> {
    ensure(&[BUILD, DEMO])
}

/// For `cargo xtask test`.
pub(crate) fn for_test() -> Result<()> {
    ensure(&[BUILD, DEMO, TEST])?;
    if let Err(error) = ensure(&[WELCOME]) {
        println!("going on without: {error:#}");
    }
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !answers(dirs::cargo().args([tool, "--version"])) {
            dirs::check(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn ensure(lists: &[&[Tool]]) -> Result<()> {
    let missing: Vec<Tool> =
        lists.iter().copied().flatten().copied().filter(|(tool, _)| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(tool, _)| *tool).collect();
    let may = nix::unistd::geteuid().is_root() && is_there("apt-get");
    if !may {
        bail!("missing: {} (install them and run this again)", names.join(" "));
    }
    println!("installing: {}", names.join(" "));
    let quiet = |command: &mut Command| {
        dirs::check(command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
    };
    quiet(Command::new("apt-get").args(["update", "-qq"]))?;
    let packages = missing.iter().map(|(_, package)| *package);
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    quiet(Command::new("apt-get").args(install).args(packages))?;
    match missing.iter().find(|(tool, _)| !is_there(tool)) {
        None => Ok(()),
        Some((tool, package)) => bail!("{tool} is still missing after installing {package}"),
    }
}

/// Whether a program of this name is on the path, or where the system keeps its own.
pub(crate) fn is_there(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(system).any(|dir| is_file(&dir.join(tool)))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
}

fn answers(command: &mut Command) -> bool {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    output.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::is_there;

    #[test]
    fn finds_programs() {
        assert!(is_there("cc"));
        assert!(!is_there("no such program"));
    }
}
