//! The table and the JSON file.
use crate::rows::Cell;
use crate::run::Miss;
use crate::stats::Figures;
use crate::subject::Subject;
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One figure in the file; a ratio is null where libuv has no figure.
#[derive(Serialize)]
struct Record<'a> {
    row: &'a str,
    subject: &'static str,
    /// Tells the two floors apart: epoll or ring.
    backend: &'static str,
    rounds: usize,
    ops_per_s: f64,
    wall_ns_per_op: f64,
    cpu_ns_per_op: f64,
    ratio_wall: Option<f64>,
    ratio_cpu: Option<f64>,
}

/// What was measured, if it was.
pub(crate) fn figures(cell: &Cell, subject: Subject) -> Option<&Figures> {
    let (_, outcome) = cell.outcomes.iter().find(|(of, _)| *of == subject)?;
    outcome.as_ref().ok()
}

/// Writes all figures as a JSON list.
pub(crate) fn json(cells: &[Cell], path: &Path) -> Result<()> {
    let mut records = Vec::new();
    for cell in cells {
        let base = figures(cell, Subject::Libuv);
        for subject in Subject::ALL {
            let Some(found) = figures(cell, subject) else { continue };
            let ratios = base.map(|base| found.ratios(base));
            records.push(Record {
                row: &cell.row,
                subject: subject.json_name(),
                backend: subject.library().1,
                rounds: found.rounds(),
                ops_per_s: 1e9 / found.wall(),
                wall_ns_per_op: found.wall(),
                cpu_ns_per_op: found.cpu(),
                ratio_wall: ratios.map(|(wall, _)| wall),
                ratio_cpu: ratios.map(|(_, cpu)| cpu),
            });
        }
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    let text = serde_json::to_string_pretty(&records)?;
    std::fs::write(path, text + "\n").with_context(|| path.display().to_string())
}

/// Prints CPU time, then real time, then what is missing and why.
pub(crate) fn table(cells: &[Cell]) {
    println!("\nCPU time of the process under test, ns per operation (ratio to libuv)");
    one_table(cells, Figures::cpu, |(_, cpu)| cpu);
    println!("\nReal time, ns per operation (ratio to libuv)");
    one_table(cells, Figures::wall, |(wall, _)| wall);
    let mut reasons: BTreeMap<(Subject, &str), Vec<&str>> = BTreeMap::new();
    for cell in cells {
        for (subject, outcome) in &cell.outcomes {
            if let Err(miss) = outcome {
                let (Miss::Absent(reason) | Miss::Failed(reason)) = miss;
                reasons.entry((*subject, reason)).or_default().push(&cell.row);
            }
        }
    }
    if !reasons.is_empty() {
        println!("\nMissing");
    }
    for ((subject, reason), rows) in reasons {
        let rows = if rows.len() == cells.len() { "all rows".to_owned() } else { rows.join(", ") };
        println!("  {}: {reason}\n      {rows}", subject.name());
    }
}

fn one_table(cells: &[Cell], value: fn(&Figures) -> f64, pick: fn((f64, f64)) -> f64) {
    print!("{:<26}{:>12}", "row", Subject::Libuv.name());
    for subject in &Subject::ALL[1..] {
        print!("{:>20}", subject.name());
    }
    println!();
    for cell in cells {
        let base = figures(cell, Subject::Libuv);
        let shown = base.map_or_else(|| "-".to_owned(), |base| short(value(base)));
        print!("{:<26}{shown:>12}", cell.row);
        for subject in &Subject::ALL[1..] {
            let text = figures(cell, *subject).map_or_else(
                || "-".to_owned(),
                |found| {
                    let ratio = base.map_or_else(
                        || "(     -)".to_owned(),
                        |base| format!("({:>6})", ratio_text(pick(found.ratios(base)))),
                    );
                    format!("{} {ratio}", short(value(found)))
                },
            );
            print!("{text:>20}");
        }
        println!();
    }
}

/// Three digits are enough, and never fewer for a small ratio.
fn ratio_text(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

fn short(ns: f64) -> String {
    if ns < 100.0 { format!("{ns:.1}") } else { format!("{ns:.0}") }
}

/// Whether a program failed anywhere; an absent library is no failure.
pub(crate) fn failures(cells: &[Cell]) -> bool {
    cells
        .iter()
        .flat_map(|cell| &cell.outcomes)
        .any(|(_, outcome)| matches!(outcome, Err(Miss::Failed(_))))
}
