//! Other people's event loops: built, and measured in turn with both libraries and both floors.
//!
//! One that cannot be built is told in one line and has no figure; nothing else depends on it.
use crate::progress::Progress;
use crate::record::{Record, Records};
use crate::rows::{Program, Served};
use crate::run::{self, Miss, Place, Sample};
use crate::stats::Figures;
use crate::subject::Subject;
use crate::{absolute, compile};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Group of the rows.
pub(crate) const GROUP: &str = "peers";

/// What Python's fast loop is; it brings a libuv of its own.
const UVLOOP: &str = "uvloop==0.23.0";

/// One of them.
pub(crate) struct Peer {
    /// Column title, and what its server calls itself.
    name: &'static str,
    /// The interface of the kernel that its server says it uses.
    backend: &'static str,
    /// Program and arguments, or why there is none.
    command: Result<Vec<OsString>, String>,
}

/// Builds all of them below `target`. Needs the network for what is not fetched yet.
///
/// # Errors
/// When the folder for them cannot be made.
pub(crate) fn build(target: &Path) -> Result<Vec<Peer>> {
    let folder = compile::bench().join("peers");
    let into = absolute(target)?.join("bench/peers");
    std::fs::create_dir_all(&into).with_context(|| into.display().to_string())?;
    let why = |error: anyhow::Error| format!("{error:#}");
    let rust = rust(&folder, &into).map_err(why);
    let python = python(&into).map_err(why);
    let mut peers = Vec::new();
    for (name, backend) in
        [("tokio", "epoll"), ("mio", "epoll"), ("monoio", "io_uring"), ("compio", "io_uring")]
    {
        let command = rust.clone().map(|program| vec![program.into(), name.into()]);
        peers.push(Peer { name, backend, command });
    }
    for (name, source, flag) in
        [("libevent", "libevent_echo", "-levent"), ("libev", "libev_echo", "-lev")]
    {
        let built = compile::one(&folder.join(format!("c/{source}.c")), &into, &[flag.into()]);
        let command = built.map(|()| vec![into.join(source).into()]).map_err(|e| first_error(&e));
        peers.push(Peer { name, backend: "epoll", command });
    }
    for name in ["asyncio", "uvloop"] {
        let script = folder.join("echo.py").into_os_string();
        let command = python.clone().map(|python| vec![python.into(), script, name.into()]);
        peers.push(Peer { name, backend: "epoll", command });
    }
    for peer in &peers {
        if let Err(reason) = &peer.command {
            eprintln!("bench: without {}: {reason}", peer.name);
        }
    }
    Ok(peers)
}

/// A C compiler's first complaint, without the rest.
fn first_error(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let line = text.lines().find(|line| line.contains("error")).unwrap_or(&text);
    line.to_owned()
}

/// The crate of its own that holds those of Rust.
fn rust(folder: &Path, into: &Path) -> Result<PathBuf> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--quiet", "--locked", "--manifest-path"]);
    command.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(into);
    quiet(&mut command)?;
    Ok(into.join("release/peers"))
}

/// A Python of its own with uvloop.
fn python(into: &Path) -> Result<PathBuf> {
    let home = into.join("venv");
    let python = home.join("bin/python");
    if !python.exists() {
        quiet(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    }
    quiet(Command::new(&python).args(["-m", "pip", "install", "--quiet", UVLOOP]))?;
    Ok(python)
}

/// Runs to the end; what it says is shown only when it fails, in one line.
fn quiet(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("cannot start {name}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let line = said.lines().find(|line| line.to_lowercase().contains("error"));
        bail!("{name}: {}", line.unwrap_or_else(|| said.trim()));
    }
    Ok(())
}

/// Everybody in turn, round after round.
pub(crate) fn run(
    place: &Place,
    peers: &[Peer],
    program: &Program,
    served: &Served,
    rounds: usize,
    progress: &mut Progress,
) -> Vec<Record> {
    let mut ours: Vec<_> = Subject::ALL.map(|subject| (subject, Ok(Vec::new()))).into();
    let mut theirs: Vec<_> = peers.iter().map(|peer| (peer, Ok(Vec::new()))).collect();
    for round in 0..rounds {
        let mut show =
            |name: &str| progress.show(&format!("{}, round {}, {name}", program.name(), round + 1));
        for (subject, samples) in &mut ours {
            show(subject.name());
            add(samples, || run::served_once(place, served, *subject));
        }
        for (peer, samples) in &mut theirs {
            show(peer.name);
            add(samples, || one(place, peer, served));
        }
        progress.advance(program.seconds());
    }
    let figures = |samples: Result<Vec<Sample>, Miss>| samples.map(|of| Figures::of(&of));
    let ours: Vec<_> = ours.into_iter().map(|(subject, of)| (subject, figures(of))).collect();
    let base = ours.iter().find(|(subject, _)| *subject == Subject::Libuv);
    let base = base.and_then(|(_, figures)| figures.as_ref().ok());
    let row = &program.rows()[0];
    let known = ours.iter().map(|(subject, figures)| {
        Record::of((GROUP, row), (subject.json_name(), subject.library().1), figures, base)
    });
    let others = theirs
        .into_iter()
        .map(|(peer, of)| Record::of((GROUP, row), (peer.name, peer.backend), &figures(of), base));
    known.chain(others).collect()
}

/// Adds a sample, unless an earlier round failed.
fn add(samples: &mut Result<Vec<Sample>, Miss>, run: impl FnOnce() -> Result<Sample, Miss>) {
    if let Ok(list) = samples {
        match run() {
            Ok(sample) => list.push(sample),
            Err(miss) => *samples = Err(miss),
        }
    }
}

fn one(place: &Place, peer: &Peer, served: &Served) -> Result<Sample, Miss> {
    let words = peer.command.as_ref().map_err(|reason| Miss::Absent(reason.clone()))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Miss::Absent("there is no such program".to_owned()));
    };
    let mut command = place.bare(Path::new(program));
    command.args(arguments);
    run::served_by(place, command, served, (peer.name, peer.backend))
}

/// Says for each row who of the others is best, and how ours stand beside them.
pub(crate) fn print(records: &Records) {
    let rows = records.rows(GROUP);
    if !rows.is_empty() {
        println!("\npeers: CPU time beside the best of the others");
    }
    for row in rows {
        let of = || records.of(GROUP).filter(|record| record.row == row);
        let is_other = |record: &&Record| {
            !record.subject.starts_with("uvring")
                && !matches!(record.subject.as_str(), "floor" | "libuv")
        };
        let others = of().filter(is_other).filter_map(|r| Some((r.cpu_ns_per_op?, r.column())));
        let Some((best, name)) = others.min_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
        for record in of().filter(|record| record.subject.starts_with("uvring")) {
            if let Some(cpu) = record.cpu_ns_per_op {
                let more = (cpu / best - 1.0) * 100.0;
                println!(
                    "{row:<20}{:<18}{cpu:>7.0} ns, {more:+.0} % of {name}'s {best:.0} ns",
                    record.subject
                );
            }
        }
    }
}
