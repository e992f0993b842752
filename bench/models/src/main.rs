//! The models lab: `models list`, `models serve NAME`, `models measure`.
use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::PathBuf;
use std::process::ExitCode;
use uvring_models::models::{self, Model};
use uvring_models::{conn, files, measure};

/// No server lives longer.
const LIFETIME_S: u32 = 120;

#[derive(Parser)]
#[command(
    about = "One echo server for each way that Linux has to wait for I/O, and what each costs"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What there is
    List,
    /// Runs one server on a free port of 127.0.0.1 and prints the port
    Serve {
        /// Its name
        model: String,
    },
    /// Measures CPU time against open connections, system calls, memory, and reads of files
    Measure {
        /// Only those whose name contains one of these
        words: Vec<String>,
        /// Shorter windows
        #[arg(long)]
        quick: bool,
        /// Writes the figures to this file [default: standard output]
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("models: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::List => {
            for model in models::ALL {
                println!("{:22} {}; ends at {}", model.name, model.what, model.ends);
            }
            for model in files::ALL {
                println!("{:22} {}", model.name, model.what);
            }
            Ok(())
        }
        Command::Serve { model } => {
            let Some(model) = models::named(&model) else {
                bail!("no model {model}; `models list` shows them");
            };
            serve(model)
        }
        Command::Measure { words, quick, json } => {
            descriptors()?;
            pin(false)?;
            let effort = measure::Effort::new(quick);
            let records =
                measure::all(&effort, &words, &mut |name| eprintln!("bench: models: {name}"))?;
            let text = serde_json::to_string_pretty(&records)?;
            match json {
                Some(path) => {
                    std::fs::write(&path, text).with_context(|| path.display().to_string())
                }
                None => {
                    println!("{text}");
                    Ok(())
                }
            }
        }
    }
}

fn serve(model: &Model) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: arms a timer of this process.
    unsafe { libc::alarm(LIFETIME_S) };
    descriptors()?;
    if !model.all_cores {
        pin(true)?;
    }
    let listener = conn::listen()?;
    println!("ready {}", listener.local_addr()?.port());
    (model.serve)(listener).with_context(|| format!("{} ended", model.name))
}

/// As many descriptors as one may have.
fn descriptors() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// The server has one core, the clients another: the last and the first that are allowed.
fn pin(is_server: bool) -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let core = if is_server { cores.next_back() } else { cores.next() };
    let mut set = CpuSet::new();
    set.set(core.context("no core is allowed")?);
    Ok(sched_setaffinity(None, &set)?)
}
