//! The C programs: compiled once, with one set of flags.
use crate::absolute;
use crate::subject::{LIBRARY, Libraries};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const FLAGS: &[&str] = &["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

/// Compiles every file of bench/c into `into` and returns that folder as an absolute path.
///
/// A program that includes `uvcommon.h` is on libuv's API: one binary serves libuv and uvring
/// alike, the dynamic loader decides which it runs with. The others are on bare system calls.
pub(crate) fn all(libraries: &Libraries, into: &Path) -> Result<PathBuf> {
    let into = absolute(into)?;
    std::fs::create_dir_all(&into).with_context(|| into.display().to_string())?;
    let mut include = OsString::from("-I");
    include.push(&libraries.include);
    let on_api = [include, libraries.libuv.join(LIBRARY).into_os_string()];
    let folder = sources();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|ext| ext != "c") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let extra: &[OsString] = if text.contains("\"uvcommon.h\"") { &on_api } else { &[] };
        one(&path, &into, extra)?;
    }
    Ok(into)
}

/// Compiles one program into the folder `into`, which is there.
pub(crate) fn one(source: &Path, into: &Path, extra: &[OsString]) -> Result<()> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let name = source.file_stem().context("a source without a name")?;
    let done = Command::new(compiler)
        .args(FLAGS)
        .arg("-o")
        .arg(into.join(name))
        .arg(source)
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
    bench().join("c")
}

/// This crate's folder, wherever the checkout is now.
pub(crate) fn bench() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    if manifest.join("c/server.c").exists() { manifest } else { PathBuf::from("bench") }
}
