//! The developer's commands. `cargo xtask help` lists them.
//!
//! ```text
//!   test                                    everything that CI runs, in order
//!   build   conformance   sanitize   real … one command each
//!   libuv   cc   symbols                    where libuv is, compiling C, reading symbol tables
//!   setup                                   installing what is missing
//!   counts                                  passed, failed, skipped
//!   dirs                                    folders and running programs
//! ```
mod abi;
mod build;
mod cc;
mod conformance;
mod counts;
mod demo;
mod dirs;
mod header;
mod libuv;
mod matrix;
mod real;
mod sanitize;
mod setup;
mod symbols;
mod test;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The developer's commands of uvring")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs, in order
    Test {
        /// Only these steps
        steps: Vec<String>,
    },
    /// Build the library and stage it under target/stage
    Build {
        /// Unoptimised build
        #[arg(long)]
        debug: bool,
    },
    /// Build libuv's own library under target/reference
    Reference,
    /// Run libuv's test programs against our library
    Conformance(conformance::Args),
    /// Programs of the distribution (node, cmake, BIND …) on libuv and on uvring
    RealPrograms {
        /// Only these
        only: Vec<String>,
    },
    /// The example HTTP server on each backend, checked with curl and measured
    Demo,
    /// The C programs under AddressSanitizer, ThreadSanitizer and valgrind
    Sanitize {
        /// Only these: address, thread, valgrind
        checkers: Vec<String>,
    },
    /// Rules of the house: file lengths, layers, words, paths
    Tidy,
    /// Generate include/uv.h and include/uvring.h
    Header {
        /// Change nothing, fail if they are out of date
        #[arg(long)]
        check: bool,
    },
    /// libuv's public types and prototypes against ours, by abidiff
    Abi,
    /// Generate MATRIX.md: what is done and tested
    Matrix {
        /// Change nothing, fail if it is out of date
        #[arg(long)]
        check: bool,
        /// Folder of conformance results; without it the tested columns stay as they are
        #[arg(long)]
        results: Option<PathBuf>,
    },
    /// The same C programs on uvring, on libuv and on the bare kernel
    Bench {
        /// Passed on to the bench program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run one program in a sandbox (used by conformance)
    #[command(hide = true)]
    Sandbox {
        /// What to run, as JSON
        spec: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build { debug } => build::run(debug)?,
        Command::Reference => {
            libuv::reference(&libuv::Source::find()?)?;
        }
        Command::Test { steps } => {
            setup::for_test()?;
            return test::run(&steps);
        }
        Command::Sanitize { checkers } => {
            setup::for_test()?;
            build::run(false)?;
            let counts = sanitize::run(&checkers)?;
            if counts.failed != 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Tidy => tidy::run()?,
        Command::Header { check } => header::run(check)?,
        Command::Matrix { check, results } => matrix::run(check, results.as_deref())?,
        Command::Abi => abi::run()?,
        Command::RealPrograms { only } => return real::run(&only),
        Command::Demo => {
            setup::for_demo()?;
            demo::run()?;
        }
        Command::Bench { arguments } => bench(&arguments)?,
        Command::Conformance(args) => return conformance::run(&args),
        Command::Sandbox { spec } => return conformance::sandbox::run(&spec),
    }
    Ok(ExitCode::SUCCESS)
}

/// Both libraries first, and the bench is told where they are.
fn bench(arguments: &[String]) -> Result<()> {
    setup::for_bench();
    let source = libuv::Source::find()?;
    libuv::reference(&source)?;
    build::run(false)?;
    let mut lab = dirs::cargo();
    dirs::check(lab.args(["build", "--release", "--quiet", "--package", "uvring-models"]))?;
    let mut run = dirs::cargo();
    run.args(["run", "--release", "--quiet", "--package", "uvring-bench", "--"]);
    let target = dirs::target();
    let folders = [
        ("--reference", target.join("reference")),
        ("--stage", target.join("stage")),
        ("--libuv", source.dir),
    ];
    for (option, dir) in folders {
        if !arguments.iter().any(|given| given.starts_with(option)) {
            run.arg(option).arg(dir);
        }
    }
    dirs::check(run.args(arguments))
}
