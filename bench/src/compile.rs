//! The C programs: compiled once, with one set of flags.
use crate::absolute;
use crate::subject::{LIBRARY, Libraries};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs on libuv's API: one binary serves libuv and uvring alike, the dynamic
/// loader decides which it runs with.
const ON_API: &[&str] = &["server", "timers", "async", "loop"];
/// Programs on bare system calls.
const BARE: &[&str] = &["load", "floor_epoll", "floor_ring", "floor_misc"];
const FLAGS: &[&str] = &["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

/// Compiles everything into `into` and returns that folder as an absolute path.
pub(crate) fn all(libraries: &Libraries, into: &Path) -> Result<PathBuf> {
    let into = absolute(into)?;
    std::fs::create_dir_all(&into).with_context(|| into.display().to_string())?;
    for name in BARE {
        one(name, &into, &[])?;
    }
    let mut include = OsString::from("-I");
    include.push(&libraries.include);
    let library = libraries.libuv.join(LIBRARY).into_os_string();
    for name in ON_API {
        one(name, &into, &[include.clone(), library.clone()])?;
    }
    Ok(into)
}

fn one(name: &str, into: &Path, extra: &[OsString]) -> Result<()> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let source = sources().join(format!("{name}.c"));
    let done = Command::new(compiler)
        .args(FLAGS)
        .arg("-o")
        .arg(into.join(name))
        .arg(&source)
        .args(extra)
        .output()
        .context("cannot start the C compiler")?;
    if !done.status.success() {
        bail!("{} does not compile:\n{}", source.display(), String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// bench/c, wherever the checkout is now.
fn sources() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let own = manifest.join("c");
    if own.join("server.c").exists() { own } else { PathBuf::from("bench/c") }
}
