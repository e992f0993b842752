//! The tables on the terminal.
use crate::record::{Record, Records};
use crate::run::IDLE_BYTES;
use crate::{rows, show};
use std::collections::BTreeMap;

/// Prints a table of CPU time and of real time for each group, then what is missing and why.
pub(crate) fn print(records: &Records) {
    for group in records.groups().into_iter().filter(|group| !group.is_empty()) {
        if records.columns(group).is_empty() {
            continue;
        }
        table(records, group, "CPU time of the process under test", |record| {
            (record.cpu_ns_per_op, record.spread_cpu, record.ratio_cpu)
        });
        table(records, group, "real time", |record| {
            (record.wall_ns_per_op, record.spread_wall, record.ratio_wall)
        });
    }
    besides(records);
    missing(records);
}

/// Memory of idle connections, and what a held load showed.
fn besides(records: &Records) {
    // Those of the models have a table of their own.
    for record in records.0.iter().filter(|record| record.group != rows::GROUP) {
        if let Some(bytes) = record.number(IDLE_BYTES).filter(|bytes| *bytes > 0.0) {
            println!(
                "{}, {}: {bytes:.0} bytes for an idle connection",
                record.row,
                record.column()
            );
        }
        if let Some(line) = show::markdown::held(record) {
            println!("{}, {}: {line}", record.row, record.column());
        }
    }
}

type Shown = (Option<f64>, Option<f64>, Option<f64>);

fn table(records: &Records, group: &str, what: &str, pick: fn(&Record) -> Shown) {
    let columns = records.columns(group);
    println!("\n{group}: {what}, ns per operation, ± spread (ratio to libuv)");
    print!("{:<26}", "row");
    for column in &columns {
        print!("{column:>25}");
    }
    println!();
    for row in records.rows(group) {
        print!("{row:<26}");
        for column in &columns {
            let found = records.find(row, column).map_or((None, None, None), pick);
            print!("{:>25}", text(found, column != "libuv"));
        }
        println!();
    }
}

fn text((value, spread, ratio): Shown, with_ratio: bool) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let spread = spread.map_or_else(String::new, |spread| format!(" ±{:.0}%", spread * 50.0));
    let ratio = match (with_ratio, ratio) {
        (false, _) => String::new(),
        (true, None) => " (     -)".to_owned(),
        (true, Some(ratio)) => format!(" ({:>6})", ratio_text(ratio)),
    };
    format!("{}{spread}{ratio}", short(value))
}

/// Three digits are enough, and never fewer for a small ratio.
pub(crate) fn ratio_text(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}

/// A number of ns (or of bytes) as people read it.
pub(crate) fn short(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// What has no figure, and why.
fn missing(records: &Records) {
    let mut reasons: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for record in &records.0 {
        if let Some(reason) = &record.missing {
            reasons.entry((record.column(), reason)).or_default().push(&record.row);
        }
    }
    if !reasons.is_empty() {
        println!("\nMissing");
    }
    for ((column, reason), rows) in reasons {
        println!("  {column}: {reason}\n      {}", rows.join(", "));
    }
}

/// Whether a program failed anywhere; an absent library is no failure.
pub(crate) fn failures(records: &Records) -> bool {
    records.0.iter().any(|record| record.failed)
}
