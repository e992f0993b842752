//! C programs of `c/` and `c-examples/`, compiled once for each library, and run on each backend.

use crate::{cc, root, stage};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// A library with libuv's API.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Library {
    /// libuv itself, from `$UVRING_REFERENCE` or `target/reference`.
    Reference,
    /// uvring, from `$UVRING_STAGE` or `target/stage`.
    Ours,
}

/// What the library runs on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Backend {
    /// `UVRING_BACKEND=epoll`
    Epoll,
    /// `UVRING_BACKEND=io_uring`
    IoUring,
    /// The same in a process that the kernel denies io_uring, as most containers do.
    Denied,
}

/// Every backend.
pub const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Denied];

/// Why a program could not be built or run, for a person.
pub type Failure = String;

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

impl Library {
    /// Folder with `include` and `lib`.
    fn dir(self) -> Result<PathBuf, Failure> {
        if self == Self::Ours {
            return stage();
        }
        let dir = std::env::var_os("UVRING_REFERENCE")
            .map_or_else(|| target().join("reference"), PathBuf::from);
        if dir.join("lib/libuv.so.1").exists() {
            return Ok(dir);
        }
        let dir = dir.display();
        Err(format!(
            "no lib/libuv.so.1 in {dir}: run `cargo xtask reference`, or set UVRING_REFERENCE"
        ))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reference => "libuv",
            Self::Ours => "uvring",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Reference => "libuv.so.1",
            Self::Ours => "libuvring.so.1",
        }
    }
}

/// Where the program of this name is, for each library.
type Programs = HashMap<(String, Option<Library>), PathBuf>;

/// Programs made in this process so far.
static MADE: LazyLock<Mutex<Programs>> = LazyLock::new(Mutex::default);

/// Compiles the C files `sources` (relative to the workspace) to a program `name`, once in this
/// process; without a library it links none.
///
/// # Errors
/// The library is missing, or what the compiler says.
pub fn compile(
    name: &str,
    sources: &[PathBuf],
    library: Option<Library>,
) -> Result<PathBuf, Failure> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (name.to_owned(), library);
    if let Some(program) = made.get(&key) {
        return Ok(program.clone());
    }
    let into = target().join("ffi-tests").join(library.map_or("none", Library::name));
    std::fs::create_dir_all(&into).map_err(|error| format!("{}: {error}", into.display()))?;
    let program = into.join(name);
    let fresh = into.join(format!("{name}-{}", std::process::id()));
    let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
    command.args(["-O1", "-g", "-Wall", "-Wextra", "-Werror"]);
    command.args(sources.iter().map(|source| root().join(source)));
    command.arg("-o").arg(&fresh);
    if let Some(library) = library {
        let dir = library.dir()?;
        let lib = dir.join("lib");
        command.arg("-I").arg(dir.join("include"));
        command.arg(lib.join(library.file()));
        command.arg(format!("-Wl,-rpath,{}", lib.display()));
        command.args(["-lpthread", "-ldl"]);
    }
    cc::run(&mut command)?;
    // Renamed when whole: no test of another process meets half a program.
    std::fs::rename(&fresh, &program).map_err(|error| format!("{}: {error}", fresh.display()))?;
    made.insert(key, program.clone());
    Ok(program)
}

/// The program made of `c/NAME.c`.
///
/// # Errors
/// As [`compile`].
pub fn test_program(name: &str, library: Library) -> Result<PathBuf, Failure> {
    compile(name, &[Path::new("ffi-tests/c").join(format!("{name}.c"))], Some(library))
}

/// A command that runs `program` on a backend; its arguments are still to be added.
///
/// # Errors
/// The program that denies io_uring does not compile.
pub fn command(program: &Path, backend: Backend) -> Result<Command, Failure> {
    let mut command = match backend {
        Backend::Epoll | Backend::IoUring => Command::new(program),
        Backend::Denied => {
            let source = PathBuf::from("ffi-tests/c/deny_io_uring.c");
            let mut command = Command::new(compile("deny_io_uring", &[source], None)?);
            command.arg(program);
            command
        }
    };
    command.env("UVRING_BACKEND", if backend == Backend::Epoll { "epoll" } else { "io_uring" });
    command.stdin(Stdio::null());
    Ok(command)
}

/// Everything that one section of a test program prints, and how it ended. The programs end
/// themselves after half a minute. Each run has a folder of its own to work in, so that no two
/// tests meet in a file.
///
/// # Errors
/// The program cannot be built or started.
pub fn printed(
    name: &str,
    section: &str,
    library: Library,
    backend: Backend,
) -> Result<String, Failure> {
    let program = test_program(name, library)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let output = command(&program, backend)?
        .arg(section)
        .current_dir(&folder)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(format!(
        "{}{}{}\n",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status
    ))
}

/// Runs a section on libuv and on uvring and holds what they print against each other.
///
/// # Errors
/// The two differ, libuv itself did not reach the end, or as [`printed`].
pub fn equal(name: &str, section: &str, backend: Backend) -> Result<(), Failure> {
    let want = printed(name, section, Library::Reference, Backend::Epoll)?;
    if !want.contains(&format!("end of {section}\nexit status: 0")) {
        return Err(format!("{name} {section} does not hold on libuv itself:\n{want}"));
    }
    let have = printed(name, section, Library::Ours, backend)?;
    if have == want {
        for line in have.lines().filter(|line| line.starts_with("skipped: ")) {
            println!("{name} {section} on {backend:?}: {line}");
        }
        return Ok(());
    }
    Err(format!("{name} {section} on {backend:?}:\n{}", difference(&want, &have, 6, 12)))
}

/// The first lines that differ: `before` lines that lead to them, and `after` of each side.
pub fn difference(want: &str, have: &str, before: usize, after: usize) -> String {
    let (want, have): (Vec<_>, Vec<_>) = (want.lines().collect(), have.lines().collect());
    let same = want.iter().zip(&have).take_while(|(want, have)| want == have).count();
    let mut text = String::new();
    let mut show = |mark: &str, lines: &[&str]| {
        for line in lines {
            text.push_str(&format!("{mark}{line}\n"));
        }
    };
    show("        ", &want[same.saturating_sub(before)..same]);
    show("libuv:  ", &want[same..want.len().min(same + after)]);
    show("uvring: ", &have[same..have.len().min(same + after)]);
    text
}
