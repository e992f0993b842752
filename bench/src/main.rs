//! The same C programs on uvring, on libuv and on the bare kernel, side by side.
//!
//! ```text
//!   main      arguments, the rounds
//!   bars      what is promised, and whether it holds
//!   report    the table and the JSON file
//!   rows      what is measured
//!   run       one program once: start, watch, read its figure
//!   compile   the C programs
//!   subject   who is measured, and with which library
//!   stats     medians and ratios
//! ```
mod bars;
mod compile;
mod report;
mod rows;
mod run;
mod stats;
mod subject;

use anyhow::{Context, Result, bail};
use clap::Parser;
use rows::{Cell, Program};
use run::{Miss, Place, Sample};
use stats::Figures;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use subject::Subject;

#[derive(Parser)]
#[command(about = "Measures uvring beside libuv and the bare kernel")]
struct Args {
    /// Rows whose name contains one of these words (all rows when none is given)
    names: Vec<String>,
    /// Rounds of every row [default: 5; with --quick 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// Fewer rows, shorter windows: under two minutes
    #[arg(long)]
    quick: bool,
    /// Writes all figures to this file
    #[arg(long, default_value = "bench/results/bench.json")]
    json: PathBuf,
    /// Folder of libuv: include/, lib/libuv.so.1 [default: target/reference]
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Folder of uvring: lib/compat/libuv.so.1 [default: target/stage]
    #[arg(long)]
    stage: Option<PathBuf>,
    /// Lists the rows and stops
    #[arg(long)]
    list: bool,
}

/// Figures of one subject, or why there are none.
pub(crate) type Outcome = Result<Figures, Miss>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let args = Args::parse();
    if args.rounds == Some(0) {
        bail!("--rounds must be at least 1");
    }
    let programs: Vec<Program> =
        rows::all(args.quick).into_iter().filter_map(|program| program.only(&args.names)).collect();
    if programs.is_empty() {
        bail!("no row matches; --list shows them all");
    }
    if args.list {
        for row in programs.iter().flat_map(Program::rows) {
            println!("{row}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let target = target_dir();
    let reference = args.reference.unwrap_or_else(|| target.join("reference"));
    let stage = args.stage.unwrap_or_else(|| target.join("stage"));
    let libraries = subject::Libraries::new(&reference, &stage)?;
    let bin = compile::all(&libraries, &target.join("bench"))?;
    let place = Place::new(bin, libraries)?;
    let started = Instant::now();
    let mut cells = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let rounds = program.rounds(args.rounds, args.quick);
        eprintln!(
            "bench: {}/{} {} ({rounds} rounds, {} s so far)",
            number + 1,
            programs.len(),
            program.name(),
            started.elapsed().as_secs()
        );
        cells.extend(measure(&place, program, rounds));
    }
    report::table(&cells);
    bars::print(&cells);
    report::json(&cells, &args.json)?;
    println!("\nbench: {} rows in {} s", cells.len(), started.elapsed().as_secs());
    println!("bench: figures in {}", args.json.display());
    let failed = report::failures(&cells);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// All subjects in turn, round after round, so that a change of the machine's
/// mood meets all of them.
fn measure(place: &Place, program: &Program, rounds: usize) -> Vec<Cell> {
    let mut found: BTreeMap<Subject, Result<Vec<Sample>, Miss>> = BTreeMap::new();
    for _ in 0..rounds {
        for subject in Subject::ALL {
            let entry = found.entry(subject).or_insert_with(|| Ok(Vec::new()));
            let Ok(samples) = entry else { continue };
            match run::once(place, program, subject) {
                Ok(more) => samples.extend(more),
                Err(miss) => {
                    if let Miss::Failed(reason) = &miss {
                        eprintln!("bench: {} on {}: {reason}", program.name(), subject.name());
                    }
                    *entry = Err(miss);
                }
            }
        }
    }
    let outcome = |subject: Subject, row: &String| -> Outcome {
        match found.get(&subject) {
            Some(Err(miss)) => Err(miss.clone()),
            Some(Ok(samples)) if samples.iter().any(|sample| sample.row == *row) => {
                let of_row = samples.iter().filter(|sample| sample.row == *row);
                Ok(Figures::of(&of_row.cloned().collect::<Vec<_>>()))
            }
            _ => Err(Miss::Failed(format!("the program printed no result for {row}"))),
        }
    };
    let cell = |row: &String| Cell {
        row: row.clone(),
        outcomes: Subject::ALL.map(|subject| (subject, outcome(subject, row))),
    };
    program.rows().iter().map(cell).collect()
}

/// Cargo's target folder, where the C programs are built too.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// A path as the dynamic loader and child processes need it.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
