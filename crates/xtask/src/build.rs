//! `cargo xtask build`: the library as it would be installed, below target/stage.
use crate::{dirs, symbols};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program that links libuvring.a needs besides.
const SYSTEM_LIBS: &[&str] = &["pthread", "dl"];
/// Names that must not be in a library without Rust's std and allocator.
const FOREIGN: &[&str] = &["__rust_alloc", "__rust_dealloc", "__rust_realloc", "3std2", "3std3"];

/// Builds and stages.
pub(crate) fn run(debug: bool) -> Result<()> {
    let made = compile(debug)?;
    let stage = dirs::stage();
    let lib = stage.join("lib");
    fs::create_dir_all(lib.join("compat"))?;
    dirs::copy_tree(&dirs::root().join("include"), &stage.join("include"))?;
    let shared = lib.join("libuvring.so.1");
    replace(&made.join("libuvring.so"), &shared)?;
    dirs::symlink("libuvring.so.1", &lib.join("libuvring.so"))?;
    dirs::symlink("../libuvring.so.1", &lib.join("compat/libuv.so.1"))?;
    archive(&made.join("libuvring.a"), &shared, &lib.join("libuvring.a"))?;
    packages(&lib)?;
    no_rust_runtime(&shared)?;
    println!(
        "build: {} exports {} functions, {} bytes stripped",
        shared.display(),
        symbols::exported(&shared)?.len(),
        stripped_size(&shared)?
    );
    Ok(())
}

/// Compiles only: the folder that holds libuvring.so and libuvring.a.
pub(crate) fn compile(debug: bool) -> Result<PathBuf> {
    let target = dirs::target().join("cdylib");
    let mut cargo = dirs::cargo();
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]);
    cargo.arg(dirs::root().join("crates/cdylib/Cargo.toml"));
    cargo.arg("--target-dir").arg(&target);
    if !debug {
        cargo.arg("--release");
    }
    dirs::check(&mut cargo)?;
    Ok(target.join(if debug { "debug" } else { "release" }))
}

/// A new file beside the old one, then renamed: a running program keeps its library.
fn replace(from: &Path, to: &Path) -> Result<()> {
    if fs::read(from).ok() == fs::read(to).ok() && to.exists() {
        return Ok(());
    }
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).with_context(|| from.display().to_string())?;
    fs::rename(&fresh, to).with_context(|| to.display().to_string())
}

/// One object with all functions of the library, everything that is not the C API made local,
/// so that a program's own symbols never meet Rust's.
fn archive(from: &Path, shared: &Path, to: &Path) -> Result<()> {
    let object = to.with_extension("o");
    let mut link = Command::new("ld");
    link.args(["-r", "--gc-sections", "-o"]).arg(&object);
    for name in symbols::exported(shared)? {
        link.args(["-u", &name]);
    }
    dirs::check(link.arg(from))?;
    // The bitcode that Rust's own objects carry makes linkers with an LLVM plugin of another
    // version take the whole object for bitcode, and find no symbol in it.
    let bitcode = ["--remove-section", ".llvmbc", "--remove-section", ".llvmcmd"];
    dirs::check(
        Command::new("objcopy")
            .args(bitcode)
            .args(["--wildcard", "-G", "uv_*", "-G", "uvring_*"])
            .arg(&object),
    )?;
    if to.exists() {
        fs::remove_file(to)?;
    }
    dirs::check(Command::new("ar").arg("rcsD").arg(to).arg(&object))?;
    fs::remove_file(&object)?;
    Ok(())
}

/// pkg-config and CMake packages from the templates in cmake/.
fn packages(lib: &Path) -> Result<()> {
    let ours = env!("CARGO_PKG_VERSION").to_owned();
    let libuv = libuv_version()?;
    let system: Vec<String> = SYSTEM_LIBS.iter().map(|name| format!("-l{name}")).collect();
    let fill = |template: &str, to: PathBuf, values: &[(&str, &str)]| -> Result<()> {
        let path = dirs::root().join("cmake").join(template);
        let mut text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for (name, value) in values {
            text = text.replace(&format!("@{name}@"), value);
        }
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&to, text).with_context(|| to.display().to_string())
    };
    let values = [("VERSION", ours.as_str()), ("SYSTEM_LIBS", &system.join(" "))];
    fill("uvring.pc.in", lib.join("pkgconfig/uvring.pc"), &values)?;
    let libs = SYSTEM_LIBS.join(";");
    for (package, version, shared, fixed) in
        [("uvring", &ours, "uvring", "uvring_a"), ("libuv", &libuv, "uv", "uv_a")]
    {
        let major = version.split('.').next().unwrap_or_default();
        let values = [
            ("PACKAGE", package),
            ("SHARED", shared),
            ("STATIC", fixed),
            ("CMAKE_LIBS", libs.as_str()),
            ("VERSION", version.as_str()),
            ("MAJOR", major),
        ];
        let dir = lib.join("cmake").join(package);
        fill("targets.cmake.in", dir.join(format!("{package}Config.cmake")), &values)?;
        fill("version.cmake.in", dir.join(format!("{package}ConfigVersion.cmake")), &values)?;
    }
    Ok(())
}

/// The version of libuv that our header states.
fn libuv_version() -> Result<String> {
    let path = dirs::root().join("include/uv/version.h");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let number = |name: &str| -> Result<String> {
        let pattern = Regex::new(&format!(r"define\s+UV_VERSION_{name}\s+(\d+)"))?;
        let found = pattern.captures(&text).with_context(|| format!("no UV_VERSION_{name}"))?;
        Ok(found[1].to_owned())
    };
    Ok(format!("{}.{}.{}", number("MAJOR")?, number("MINOR")?, number("PATCH")?))
}

/// Fails when a name of Rust's std or allocator is inside.
fn no_rust_runtime(shared: &Path) -> Result<()> {
    let names = symbols::all(shared)?;
    let foreign = names.iter().find(|name| FOREIGN.iter().any(|word| name.contains(word)));
    if let Some(name) = foreign {
        bail!("{} contains {name}: std or an allocator was linked", shared.display());
    }
    Ok(())
}

/// Links a C program with the archive alone and runs it.
pub(crate) fn link_statically(archive: &Path) -> Result<()> {
    let dir = dirs::target().join("link-check");
    fs::create_dir_all(&dir)?;
    let source = dir.join("main.c");
    fs::write(&source, "#include <uv.h>\nint main(void) { return uv_version() == 0; }\n")?;
    let program = dir.join("main");
    let mut link = Command::new(dirs::c_compiler());
    link.arg("-I").arg(dirs::root().join("include")).arg(&source).arg(archive);
    link.args(SYSTEM_LIBS.iter().map(|name| format!("-l{name}")));
    dirs::check(link.arg("-o").arg(&program))?;
    dirs::check(&mut Command::new(&program))
}

fn stripped_size(shared: &Path) -> Result<u64> {
    let stripped = shared.with_extension("stripped");
    dirs::check(Command::new("strip").arg("-o").arg(&stripped).arg(shared))?;
    let size = fs::metadata(&stripped)?.len();
    fs::remove_file(&stripped)?;
    Ok(size)
}
