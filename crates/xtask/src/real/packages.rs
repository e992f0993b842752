//! Programs of the distribution, unpacked into a folder: nothing is installed, and a program that
//! is there in another version stays as it is.
use crate::dirs;
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is asked for; the rest follows from what they depend on.
const PACKAGES: &[&str] = &[
    "cmake",
    "nodejs",
    "neovim",
    "lua5.1",
    "lua-luv",
    "python3-uvloop",
    "bind9",
    "bind9-dnsutils",
];
/// Packages that may be here from another source than the distribution, and would be taken for the
/// distribution's own.
const FOREIGN: &str = r"^Package: (nodejs|npm|libnode\d*|cmake|neovim)$";

/// A package as apt names it: `name=version`.
type Package = String;

/// Folder with what stands below /usr of all packages, and of all that they need and that is not
/// installed here.
pub(super) fn unpacked() -> Result<PathBuf> {
    let base = dirs::target().join("distribution");
    let root = base.join("root");
    fs::create_dir_all(base.join("packages"))?;
    let mut found = wanted(&base);
    if nix::unistd::geteuid().is_root() && (found.is_err() || !is_fresh(&base, &found)) {
        dirs::check(quiet(&mut Command::new("apt-get")).args(["update", "-qq"]))?;
        found = wanted(&base);
    }
    let found = found?;
    let list = found.join("\n");
    if is_fresh(&base, &Ok(found.clone())) {
        return Ok(root.join("usr"));
    }
    println!("downloading {} packages", found.len());
    for dir in [&root, &base.join("packages")] {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
    }
    let mut download = Command::new("apt-get");
    download.current_dir(base.join("packages")).args(["download", "-qq"]).args(&found);
    dirs::check(quiet(&mut download).stderr(Stdio::null()))?;
    for package in fs::read_dir(base.join("packages"))? {
        dirs::check(Command::new("dpkg-deb").arg("-x").arg(package?.path()).arg(&root))?;
    }
    fs::write(base.join("list"), list)?;
    Ok(root.join("usr"))
}

fn is_fresh(base: &Path, found: &Result<Vec<Package>>) -> bool {
    let list = fs::read_to_string(base.join("list")).ok();
    found.as_ref().is_ok_and(|found| list.as_deref() == Some(&*found.join("\n")))
}

/// What apt would install, were nothing of another source here.
fn wanted(base: &Path) -> Result<Vec<Package>> {
    let state = fs::read_to_string("/var/lib/dpkg/status").context("no packages of Debian here")?;
    let foreign = Regex::new(FOREIGN)?;
    let own: Vec<&str> = state
        .split("\n\n")
        .filter(|package| !package.lines().next().is_some_and(|line| foreign.is_match(line)))
        .collect();
    let status = base.join("status");
    fs::write(&status, own.join("\n\n"))?;
    let said = dirs::output(
        Command::new("apt-get")
            .args(["-s", "-qq", "-o"])
            .arg(format!("Dir::State::status={}", status.display()))
            .args(["install", "--no-install-recommends"])
            .args(PACKAGES),
    )?;
    let line = Regex::new(r"(?m)^Inst (\S+) (?:\[\S+\] )?\((\S+) ")?;
    let found: Vec<Package> =
        line.captures_iter(&said).map(|found| format!("{}={}", &found[1], &found[2])).collect();
    if found.is_empty() {
        bail!("apt-get names no package");
    }
    Ok(found)
}

fn quiet(command: &mut Command) -> &mut Command {
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null())
}
