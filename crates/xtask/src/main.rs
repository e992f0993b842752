//! The developer's commands. `cargo xtask help` lists them.
//!
//! ```text
//!   test                                    everything that CI runs, in order
//!   build   conformance   tidy   header …   one command each
//!   libuv   cc   symbols                    where libuv is, compiling C, reading symbol tables
//!   dirs                                    folders and running programs
//! ```
mod build;
mod cc;
mod conformance;
mod dirs;
mod libuv;
mod symbols;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The developer's commands of uvring")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
        Command::Conformance(args) => return conformance::run(&args),
        Command::Sandbox { spec } => return conformance::sandbox::run(&spec),
    }
    Ok(ExitCode::SUCCESS)
}
