//! Building libuv's test program for one library, and which test calls which functions.
use crate::{cc, dirs, libuv, symbols};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the test program that are not named test-*.c.
const RUNNER: &[&str] = &["blackhole-server", "echo-server", "run-tests", "runner", "runner-unix"];
/// Tests of Windows only.
const WINDOWS: &[&str] = &["test-fs-fd-hash"];

/// A library with its headers.
pub(crate) struct Subject {
    name: &'static str,
    include: PathBuf,
    library: PathBuf,
}

impl Subject {
    /// libuv.
    pub(crate) fn reference(built: &libuv::Reference) -> Self {
        let library = built.lib.join("libuv.so.1");
        Self { name: "reference", include: built.include.clone(), library }
    }

    /// uvring, as staged, or with another header.
    pub(crate) fn ours(stage: &Path, header: Option<&Path>) -> Self {
        let library = stage.join("lib/libuvring.so.1");
        let include = header.map_or_else(|| stage.join("include"), Path::to_path_buf);
        Self { name: "uvring", include, library }
    }
}

/// The built test program.
pub(crate) struct Programs {
    /// `run-tests`, linked with the library that it finds in `lib` beside itself.
    pub(crate) runner: PathBuf,
    /// The library.
    pub(crate) library: PathBuf,
    /// The folder with the files that tests read.
    pub(crate) fixtures: PathBuf,
    /// For each test the functions of libuv that its source file calls.
    pub(crate) functions: BTreeMap<String, BTreeSet<String>>,
}

/// Builds the test program unless it is there and fresh.
pub(crate) fn build(source: &libuv::Source, subject: &Subject) -> Result<Programs> {
    if !subject.include.join("uv.h").exists() {
        bail!("no uv.h in {}", subject.include.display());
    }
    let into = dirs::target().join("conformance").join(subject.name);
    let sources = sources(&source.dir)?;
    let test_dir = source.dir.join("test");
    let mut flags: Vec<String> =
        ["-O1", "-g", "-std=gnu11", "-fno-strict-aliasing", "-w", "-DUSING_UV_SHARED=1"]
            .iter()
            .chain(libuv::DEFINES)
            .map(|&flag| flag.to_owned())
            .collect();
    flags.push(format!("-I{}", subject.include.display()));
    flags.push(format!("-I{}", source.dir.join("src").display()));
    // A failed assertion names its file; the registry's folder in front says nothing.
    flags.push(format!("-fmacro-prefix-map={}/=", test_dir.display()));
    let objects = cc::Objects {
        sources: &sources,
        into: into.join("obj"),
        flags,
        headers: vec![subject.include.clone(), test_dir.clone()],
    };
    let mut objects = objects.compile()?;
    objects.extend(missing(source, subject, &objects, &into)?);
    let runner = into.join("run-tests");
    let mut inputs = objects.clone();
    inputs.push(subject.library.clone());
    if libuv::stale(&runner, &inputs)? {
        dirs::check(
            Command::new(dirs::c_compiler())
                .arg("-o")
                .arg(&runner)
                .args(&objects)
                .arg(&subject.library)
                .arg("-Wl,-rpath,$ORIGIN/lib")
                .args(["-lpthread", "-ldl", "-lrt", "-lutil", "-lm"]),
        )?;
    }
    Ok(Programs {
        runner,
        library: subject.library.clone(),
        fixtures: test_dir.join("fixtures"),
        functions: functions(source, &sources)?,
    })
}

fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir.join("test"))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted =
            stem.starts_with("test-") && !WINDOWS.contains(&&*stem) || RUNNER.contains(&&*stem);
        if wanted && path.extension().is_some_and(|ext| ext == "c") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Functions that the tests call and the library lacks: each says so and aborts, so that
/// the tests of all the others still link.
fn missing(
    source: &libuv::Source,
    subject: &Subject,
    objects: &[PathBuf],
    into: &Path,
) -> Result<Vec<PathBuf>> {
    let library = &subject.library;
    let exported = symbols::exported(library)
        .with_context(|| format!("build it first: {}", library.display()))?;
    let mut used = BTreeSet::new();
    for object in objects {
        used.extend(symbols::undefined(object)?);
    }
    let declared = source.functions()?;
    let mut code = String::from("extern void abort(void);\nextern int puts(const char*);\n");
    let mut count = 0;
    for name in used.iter().filter(|name| declared.contains(*name) && !exported.contains(*name)) {
        writeln!(code, "void {name}(void) {{ puts(\"missing function: {name}\"); abort(); }}")?;
        count += 1;
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    println!("conformance: {} lacks {count} functions", subject.name);
    let file = into.join("missing-functions.c");
    if fs::read_to_string(&file).ok().as_deref() != Some(&*code) {
        fs::write(&file, code)?;
    }
    let flags = vec!["-w".to_owned(), "-fno-builtin".to_owned()];
    let sources = [file];
    cc::Objects { sources: &sources, into: into.join("obj"), flags, headers: vec![] }.compile()
}

/// Reads the test sources: test name to functions called in its file.
fn functions(
    source: &libuv::Source,
    sources: &[PathBuf],
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let declared = source.functions()?;
    let test = Regex::new(r"(?m)^\s*TEST_(FS_)?IMPL\s*\(\s*(\w+)\s*\)")?;
    let call = Regex::new(r"\b(uv_\w+)\b")?;
    let mut map = BTreeMap::new();
    for path in sources {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let called: BTreeSet<String> = call
            .captures_iter(&text)
            .map(|found| found[1].to_owned())
            .filter(|name| declared.contains(name))
            .collect();
        for found in test.captures_iter(&text) {
            map.insert(found[2].to_owned(), called.clone());
            if found.get(1).is_some() {
                map.insert(format!("{}_iouring", &found[2]), called.clone());
            }
        }
    }
    Ok(map)
}
