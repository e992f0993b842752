//! The same C programs on uvring, on libuv and on the bare kernel, side by side.
//!
//! ```text
//!   main        arguments, the order of things
//!   show        the HTML page, BENCHMARKS.md
//!   bars        what is promised, and whether it holds
//!   families    geometric means
//!   report      the tables on the terminal
//!   record      a figure as it stands in the JSON file
//!   measure     the rounds of one program
//!   doubt       whether they leave open if a promise held
//!   machine     what it was measured on
//!   rows        what is measured
//!   run         one program once: start, watch, read its figure
//!   suite       the same for libuv's own benchmark programs
//!   lab         every way of waiting for I/O
//!   peers       other people's event loops
//!   hold        a load held for minutes: does anything grow?
//!   network     a network that nobody else uses
//!   progress    the line with the time left
//!   compile     the C programs
//!   subject     who is measured, and with which library
//!   stats       medians, spreads and ratios
//! ```
mod bars;
mod compile;
mod doubt;
mod families;
mod hold;
mod lab;
mod machine;
mod measure;
mod network;
mod peers;
mod progress;
mod record;
mod report;
mod rows;
mod run;
mod show;
mod stats;
mod subject;
mod suite;

pub(crate) use measure::Outcome;

use anyhow::{Context, Result, bail};
use clap::Parser;
use progress::Progress;
use record::Records;
use rows::{Program, Work};
use run::Place;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Measures uvring beside libuv and the bare kernel")]
struct Args {
    /// Groups of rows, or words: rows whose name contains one (all when none is given)
    names: Vec<String>,
    /// Rounds of every row [default: 5, fewer for slow ones, more where they leave a promise open;
    /// with --quick 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// Fewer rows, shorter windows: under five minutes
    #[arg(long)]
    quick: bool,
    /// Writes all figures to this file
    #[arg(long, default_value = "bench/results/bench.json")]
    json: PathBuf,
    /// Writes an HTML page with pictures into this folder
    #[arg(long)]
    html: Option<PathBuf>,
    /// Writes a picture of the beginning of that page (PNG, by Chromium) to this file
    #[arg(long, requires = "html")]
    picture: Option<PathBuf>,
    /// Writes BENCHMARKS.md (of a full run) to this file
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Measures nothing: shows the figures of an earlier run
    #[arg(long)]
    from: Option<PathBuf>,
    /// Folder of libuv: include/, lib/libuv.so.1 [default: target/reference]
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Folder of uvring: lib/compat/libuv.so.1 [default: target/stage]
    #[arg(long)]
    stage: Option<PathBuf>,
    /// Folder of libuv's sources, for its own benchmark programs; without it those are left out
    #[arg(long)]
    libuv: Option<PathBuf>,
    /// Lists the groups and their rows and stops
    #[arg(long)]
    list: bool,
}

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
    if let Some(from) = &args.from {
        return show_all(&args, &Records::load(from)?);
    }
    let programs = rows::all(args.quick, args.libuv.as_deref())?;
    let groups = rows::groups(&programs);
    let programs: Vec<Program> =
        programs.into_iter().filter_map(|program| program.only(&args.names, &groups)).collect();
    if programs.is_empty() {
        bail!("no row matches; --list shows them all");
    }
    if args.list {
        list(&programs);
        return Ok(ExitCode::SUCCESS);
    }
    show_all(&args, &measure_all(&args, &programs)?)
}

/// Everything that is made from figures. Failure when a program failed.
fn show_all(args: &Args, records: &Records) -> Result<ExitCode> {
    report::print(records);
    lab::print(records);
    peers::print(records);
    bars::print(records);
    families::print(records);
    if let Some(folder) = &args.html {
        let page = show::page::write(records, folder)?;
        println!("\nbench: {}", page.display());
        if let Some(file) = &args.picture {
            show::page::picture(&page, file)?;
        }
    }
    if let Some(path) = &args.markdown {
        show::markdown::write(records, path)?;
    }
    Ok(if report::failures(records) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure_all(args: &Args, programs: &[Program]) -> Result<Records> {
    let target = target_dir();
    let reference = args.reference.clone().unwrap_or_else(|| target.join("reference"));
    let stage = args.stage.clone().unwrap_or_else(|| target.join("stage"));
    let libraries = subject::Libraries::new(&reference, &stage)?;
    let bin = compile::all(&libraries, &target.join("bench"))?;
    let suite = match &args.libuv {
        Some(libuv) if programs.iter().any(|program| program.group == "libuv") => {
            Ok(suite::Suite::build(libuv, &absolute(&reference)?, &target.join("bench/libuv"))?)
        }
        _ => Err("libuv's sources are not known (--libuv)".to_owned()),
    };
    let others = if programs.iter().any(|program| program.group == peers::GROUP) {
        peers::build(&target)?
    } else {
        Vec::new()
    };
    let place = Place::new(bin, libraries, suite)?;
    network::enter_own()?;
    let rounds = |program: &Program| program.rounds(args.rounds);
    let planned = programs.iter().map(|program| program.seconds() * rounds(program) as f64).sum();
    let mut progress = Progress::new(planned);
    let doubts = args.rounds.is_none() && !args.quick;
    let mut records = Records::default();
    for program in programs {
        let rounds = rounds(program);
        match &program.work {
            Work::Lab => {
                let scratch = target.join("bench/models.json");
                records.0.extend(lab::run(program, &scratch, &mut progress)?);
            }
            Work::Peers(served) => {
                let more = peers::run(&place, &others, program, served, rounds, &mut progress);
                records.0.extend(more);
            }
            _ => {
                for cell in measure::program(&place, program, (rounds, doubts), &mut progress) {
                    records.add(&cell);
                }
            }
        }
        // A run that is interrupted keeps what it has.
        records.save(&args.json)?;
    }
    progress.finish();
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.contains('/')).collect();
    let record = machine::describe(&arguments.join(" "), progress.elapsed());
    records.0.insert(0, record);
    records.save(&args.json)?;
    eprintln!("bench: figures in {}, {} s", args.json.display(), progress.elapsed());
    Ok(records)
}

fn list(programs: &[Program]) {
    let mut last = "";
    for program in programs {
        if program.group != last {
            println!("{}:", program.group);
            last = program.group;
        }
        for row in program.rows() {
            println!("  {row}");
        }
    }
}

/// Cargo's target folder, where the C programs are built too.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// A path as the dynamic loader and child processes need it.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
