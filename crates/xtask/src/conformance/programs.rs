//! Building libuv's test and benchmark programs for one library; which test calls which functions.
use crate::{cc, dirs, libuv, symbols};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files that both programs need besides their own.
const COMMON: &[&str] = &["blackhole-server", "echo-server", "runner", "runner-unix"];
/// Tests of Windows only.
const WINDOWS: &[&str] = &["test-fs-fd-hash"];

/// libuv's two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tests,
    Benchmarks,
}

impl Kind {
    /// The name of the program and of the file with its `main`.
    fn program(self) -> &'static str {
        match self {
            Self::Tests => "run-tests",
            Self::Benchmarks => "run-benchmarks",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Tests => "test-",
            Self::Benchmarks => "benchmark-",
        }
    }
}

/// A library with its headers.
pub(crate) struct Subject {
    name: &'static str,
    include: PathBuf,
    /// What is linked.
    library: PathBuf,
    /// The shared library with the same functions.
    shared: PathBuf,
}

impl Subject {
    /// libuv.
    pub(crate) fn reference(built: &libuv::Reference) -> Self {
        let library = built.lib.join("libuv.so.1");
        let shared = library.clone();
        Self { name: "reference", include: built.include.clone(), library, shared }
    }

    /// uvring, as staged, or with another header.
    pub(crate) fn ours(stage: &Path, header: Option<&Path>) -> Self {
        let library = stage.join("lib/libuvring.so.1");
        let include = header.map_or_else(|| stage.join("include"), Path::to_path_buf);
        Self { name: "uvring", include, shared: library.clone(), library }
    }

    /// uvring's archive, as staged.
    pub(crate) fn archive(stage: &Path) -> Self {
        let lib = stage.join("lib");
        Self {
            name: "static",
            include: stage.join("include"),
            library: lib.join("libuvring.a"),
            shared: lib.join("libuvring.so.1"),
        }
    }
}

/// One of the two programs, built.
#[derive(Clone)]
pub(crate) struct Programs {
    /// The program. A shared library it finds in `lib` beside itself.
    pub(crate) runner: PathBuf,
    /// The library.
    pub(crate) library: PathBuf,
    /// The folder with the files that tests read.
    pub(crate) fixtures: PathBuf,
    /// For each test the functions of libuv that its source file calls.
    pub(crate) functions: BTreeMap<String, BTreeSet<String>>,
}

impl Programs {
    /// The same program, not built again, on another library of the same name.
    pub(crate) fn on(self, library: PathBuf) -> Self {
        Self { library, ..self }
    }
}

/// Builds the program unless it is there and fresh.
pub(crate) fn build(source: &libuv::Source, subject: &Subject, kind: Kind) -> Result<Programs> {
    if !subject.include.join("uv.h").exists() {
        bail!("no uv.h in {}", subject.include.display());
    }
    let into = dirs::target().join("conformance").join(subject.name);
    let sources = sources(&source.dir, kind)?;
    let test_dir = source.dir.join("test");
    let mut flags: Vec<String> = ["-O1", "-g", "-std=gnu11", "-fno-strict-aliasing", "-w"]
        .iter()
        .chain(libuv::DEFINES)
        .map(|&flag| flag.to_owned())
        .collect();
    if subject.library == subject.shared {
        flags.push("-DUSING_UV_SHARED=1".to_owned());
    }
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
    let runner = into.join(kind.program());
    let mut inputs = objects.clone();
    inputs.push(subject.library.clone());
    if libuv::stale(&runner, &inputs)? {
        // One of the tests brings its own copy of some functions, and our archive is one object:
        // the first of two definitions is taken, as with an archive of many.
        let twice = (subject.library != subject.shared).then_some("-Wl,-z,muldefs");
        dirs::check(
            Command::new(dirs::c_compiler())
                .args(twice)
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

fn sources(dir: &Path, kind: Kind) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir.join("test"))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = stem.starts_with(kind.prefix()) && !WINDOWS.contains(&&*stem)
            || COMMON.contains(&&*stem)
            || stem == kind.program();
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
    let library = &subject.shared;
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
