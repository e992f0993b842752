//! C and C++ compilers.

use std::path::Path;
use std::process::Command;

/// A compiler in one of its languages.
#[derive(Clone, Copy, Debug)]
pub struct Compiler {
    /// The program.
    pub program: &'static str,
    /// Value of `-x`.
    pub language: &'static str,
    /// Values of `-std` that the header must pass.
    pub standards: &'static [&'static str],
}

const C: &[&str] = &["c99", "c11", "c17", "gnu99", "gnu17"];
const CXX: &[&str] = &["c++11", "c++20", "gnu++17"];

/// Every compiler that the header is held against.
pub const COMPILERS: &[Compiler] = &[
    Compiler { program: "gcc", language: "c", standards: C },
    Compiler { program: "clang", language: "c", standards: C },
    Compiler { program: "g++", language: "c++", standards: CXX },
    Compiler { program: "clang++", language: "c++", standards: CXX },
];

impl Compiler {
    /// Whether it can be started; prints why not.
    pub fn is_here(&self) -> bool {
        let answer = Command::new(self.program).arg("--version").output();
        match answer {
            Ok(output) if output.status.success() => true,
            Ok(output) => {
                println!("skipped: {} --version: {}", self.program, output.status);
                false
            }
            Err(error) => {
                println!("skipped: cannot start {}: {error}", self.program);
                false
            }
        }
    }

    /// Checks `source` against the headers in `include`, every warning an error.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn check(&self, standard: &str, include: &Path, source: &Path) -> Result<(), String> {
        let mut command = Command::new(self.program);
        command
            .args(["-fsyntax-only", "-Wall", "-Wextra", "-pedantic", "-Werror"])
            .arg(format!("-std={standard}"))
            .arg("-I")
            .arg(include)
            .args(["-x", self.language])
            .arg(source);
        run(&mut command).map_err(|said| format!("{} -std={standard}: {said}", self.program))
    }
}

/// Runs to the end.
///
/// # Errors
/// The command's last words, when it cannot start or ends with anything but 0.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{}\n{said}", output.status, String::from_utf8_lossy(&output.stdout)))
}
