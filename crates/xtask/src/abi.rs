//! `cargo xtask abi`: libuv's public types and prototypes against ours, by abidiff.
//!
//! One C file has a variable of each struct, union, enum and other type, and a pointer of each
//! function's type. It is compiled twice with debug information, with libuv's headers and with ours;
//! abidiff compares the two down to the last member of the last type that a member points to: names,
//! types, sizes, offsets, values. So this is about the headers. That the compiled library agrees with
//! our header is asserted in `crates/ffi/src/abi/layout.rs` when it is built; debug information of Rust
//! spells the same types otherwise, and abidiff cannot match it with C.
use crate::libuv::{self, Source};
use crate::{dirs, setup};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Enums that have a tag and no typedef.
const TAGGED: &[&str] = &[
    "uv_tcp_flags",
    "uv_udp_flags",
    "uv_poll_event",
    "uv_process_flags",
    "uv_fs_event",
    "uv_fs_event_flags",
];

/// The part of the facts that is needed here.
#[derive(Deserialize)]
struct Facts {
    structs: BTreeMap<String, serde_json::Value>,
    functions: BTreeMap<String, serde_json::Value>,
    typedef_sizes: BTreeMap<String, serde_json::Value>,
}

/// Fails when a type or a prototype differs and no suppression names it.
pub(crate) fn run() -> Result<()> {
    if !setup::is_there("abidiff") {
        bail!("abidiff is missing (package abigail-tools)");
    }
    let reference = libuv::reference(&Source::find()?)?;
    let dir = dirs::target().join("abi");
    fs::create_dir_all(&dir)?;
    let source = dir.join("types.c");
    fs::write(&source, code()?)?;
    let compile = |name: &str, include: &Path, flags: &[&str]| -> Result<PathBuf> {
        let library = dir.join(format!("lib{name}.so"));
        let mut cc = Command::new(dirs::c_compiler());
        cc.args(["-g", "-O0", "-shared", "-fPIC", "-fno-eliminate-unused-debug-types"]).args(flags);
        cc.arg("-I").arg(include).arg(&source).arg("-o").arg(&library);
        dirs::check(&mut cc)?;
        Ok(library)
    };
    let theirs = compile("libuv", &reference.include, &[])?;
    let ours = compile("uvring", &dirs::root().join("include"), &[])?;
    let other = compile("planted", &reference.include, &["-DPLANTED=long"])?;
    if equal(&theirs, &other)?.is_none() {
        bail!("abidiff does not find the member that is of another type on purpose");
    }
    if let Some(differences) = equal(&theirs, &ours)? {
        bail!("the ABI differs from libuv's:\n{differences}");
    }
    println!("abi: abidiff finds no difference; a planted one it finds");
    Ok(())
}

/// None, or what abidiff prints about the differences.
fn equal(theirs: &Path, ours: &Path) -> Result<Option<String>> {
    let output = Command::new("abidiff")
        .args(["--no-corpus-path", "--suppressions"])
        .arg(dirs::root().join("ffi-tests/abi/suppressions.ini"))
        .arg(theirs)
        .arg(ours)
        .output()
        .context("abidiff")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Bit 0 is an error of its own, bit 1 a wrong call, bit 2 a difference.
    match output.status.code() {
        Some(0) => Ok(None),
        Some(code) if code & 3 == 0 => Ok(Some(said)),
        _ => bail!("abidiff: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

/// The C file.
fn code() -> Result<String> {
    let path = dirs::root().join("ffi-tests/abi/libuv-1.53-linux-x86_64.json");
    let facts: Facts = serde_json::from_slice(&fs::read(&path)?)?;
    let mut code = String::from(
        "#include <uv.h>\n#ifndef PLANTED\n#define PLANTED int\n#endif\n\
         struct planted { PLANTED member; } planted;\n\
         union uv_any_handle any_handle;\nunion uv_any_req any_req;\n",
    );
    for name in facts.structs.keys() {
        let tag = if name.ends_with("_t") { "" } else { "struct " };
        writeln!(code, "{tag}{name} type_{name};")?;
    }
    for name in facts.typedef_sizes.keys().filter(|name| !facts.structs.contains_key(*name)) {
        writeln!(code, "{name} type_{name};")?;
    }
    for name in TAGGED {
        writeln!(code, "enum {name} enum_{name};")?;
    }
    for name in facts.functions.keys() {
        writeln!(code, "__typeof__(&{name}) pointer_{name};")?;
    }
    Ok(code)
}
