//! libuv out of the cargo registry: its test programs, and its own library as the reference.
use crate::{cc, dirs};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sources of libuv on Linux, below `src`.
const SOURCES: &[&str] = &[
    "fs-poll",
    "idna",
    "inet",
    "random",
    "strscpy",
    "strtok",
    "thread-common",
    "threadpool",
    "timer",
    "uv-common",
    "uv-data-getter-setters",
    "version",
    "unix/async",
    "unix/core",
    "unix/dl",
    "unix/fs",
    "unix/getaddrinfo",
    "unix/getnameinfo",
    "unix/linux",
    "unix/loop-watcher",
    "unix/loop",
    "unix/pipe",
    "unix/poll",
    "unix/process",
    "unix/procfs-exepath",
    "unix/proctitle",
    "unix/random-devurandom",
    "unix/random-getrandom",
    "unix/random-sysctl-linux",
    "unix/signal",
    "unix/stream",
    "unix/tcp",
    "unix/thread",
    "unix/tty",
    "unix/udp",
];

/// Macros that libuv and its tests are compiled with on Linux.
pub(crate) const DEFINES: &[&str] =
    &["-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200112", "-D_FILE_OFFSET_BITS=64", "-D_LARGEFILE_SOURCE"];

/// libuv's folder inside the registry crate.
pub(crate) struct Source {
    /// The folder that holds `include`, `src` and `test`.
    pub(crate) dir: PathBuf,
    /// Version of libuv, as the crate names it.
    pub(crate) version: String,
}

impl Source {
    /// Asks cargo, which fetches the crate when it is not there yet.
    pub(crate) fn find() -> Result<Self> {
        let manifest = dirs::root().join("tools/libuv-source/Cargo.toml");
        let json = dirs::output(
            dirs::cargo()
                .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
                .arg(&manifest),
        )?;
        let metadata: serde_json::Value = serde_json::from_str(&json)?;
        let packages = metadata["packages"].as_array().context("cargo metadata: no packages")?;
        let package = packages
            .iter()
            .find(|package| package["name"] == "libuv-sys2")
            .context("libuv-sys2 is not among the packages")?;
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let dir = manifest.with_file_name("libuv");
        if !dir.join("test/test-list.h").exists() {
            bail!("no libuv test programs in {}", dir.display());
        }
        let version = package["version"].as_str().unwrap_or_default().to_owned();
        Ok(Self { dir, version })
    }

    /// Names of all functions that libuv's headers declare for Linux and elsewhere.
    pub(crate) fn functions(&self) -> Result<BTreeSet<String>> {
        let header = fs::read_to_string(self.dir.join("include/uv.h"))?;
        let pattern = Regex::new(r"UV_EXTERN[^;(]*?\b(uv_\w+)\s*\(")?;
        Ok(pattern.captures_iter(&header).map(|found| found[1].to_owned()).collect())
    }
}

/// libuv's own library, built -O3: what ours is compared with.
pub(crate) struct Reference {
    /// Its headers.
    pub(crate) include: PathBuf,
    /// Folder of `libuv.so.1` and `libuv.a`.
    pub(crate) lib: PathBuf,
}

/// Builds the reference below target/reference, unless it is there and fresh.
pub(crate) fn reference(source: &Source) -> Result<Reference> {
    let base = dirs::target().join("reference");
    let made = Reference { include: base.join("include"), lib: base.join("lib") };
    fs::create_dir_all(&made.lib)?;
    if !made.include.join("uv.h").exists() {
        dirs::copy_tree(&source.dir.join("include"), &made.include)?;
    }
    let sources: Vec<PathBuf> =
        SOURCES.iter().map(|name| source.dir.join(format!("src/{name}.c"))).collect();
    // An object file is named after its source.
    let stems: BTreeSet<_> = sources.iter().map(|path| path.file_stem()).collect();
    if stems.len() != sources.len() {
        bail!("two of libuv's sources have the same name");
    }
    let mut flags: Vec<String> =
        ["-O3", "-std=gnu11", "-fno-strict-aliasing", "-fvisibility=hidden", "-w"]
            .iter()
            .chain(DEFINES)
            .map(|&flag| flag.to_owned())
            .collect();
    for dir in ["include", "src"] {
        flags.push(format!("-I{}", source.dir.join(dir).display()));
    }
    let compile = |kind: &str, extra: &[&str]| {
        let mut flags = flags.clone();
        flags.extend(extra.iter().map(|&flag| flag.to_owned()));
        let into = base.join("obj").join(kind);
        cc::Objects { sources: &sources, into, flags, headers: vec![source.dir.join("src")] }
            .compile()
    };
    let shared = compile("shared", &["-fPIC", "-DBUILDING_UV_SHARED=1"])?;
    let fixed = compile("static", &[])?;
    let library = made.lib.join("libuv.so.1");
    if stale(&library, &shared)? {
        dirs::check(
            Command::new(dirs::c_compiler())
                .args(["-shared", "-Wl,-soname,libuv.so.1", "-o"])
                .arg(&library)
                .args(&shared)
                .args(["-lpthread", "-ldl", "-lrt"]),
        )?;
    }
    dirs::symlink("libuv.so.1", &made.lib.join("libuv.so"))?;
    let archive = made.lib.join("libuv.a");
    if stale(&archive, &fixed)? {
        if archive.exists() {
            fs::remove_file(&archive)?;
        }
        dirs::check(Command::new("ar").arg("rcs").arg(&archive).args(&fixed))?;
    }
    Ok(made)
}

/// Whether `made` is older than any of its inputs, or absent.
pub(crate) fn stale(made: &Path, inputs: &[PathBuf]) -> Result<bool> {
    let Ok(time) = cc::modified(made) else {
        return Ok(true);
    };
    for input in inputs {
        if cc::modified(input)? >= time {
            return Ok(true);
        }
    }
    Ok(false)
}
