//! Geometric means: of libuv's own programs, each family of them counting once, and of the rows
//! that stand for applications.
use crate::bars::Limit;
use crate::record::{Record, Records};
use crate::rows::Cell;
use crate::stats::geometric_mean;
use crate::subject::Subject;
use std::collections::BTreeMap;

/// The group of libuv's own programs.
const GROUP: &str = "libuv";
/// Prints sizes and measures nothing.
const NOT_MEASURED: &str = "libuv-sizes";
/// Times as fast as libuv that each of them has to be.
const LEAST_ROW: f64 = 0.97;
/// Groups of rows that do what applications do, and how other such rows begin, over TCP and unix
/// sockets. An echo of 64 bytes is a round trip through the kernel and little else: it has bars of
/// its own.
const APPLICATIONS: &[&str] = &["timers", "async", "files", "pool"];
const APPLICATION_ROWS: &[&str] = &["echo-4KiB", "coalesce", "fanout", "churn"];

/// Times as fast as libuv, over one set of rows.
pub(crate) struct Mean {
    /// What it is the mean of.
    pub(crate) what: &'static str,
    /// Column.
    pub(crate) column: String,
    /// Times as fast as libuv.
    pub(crate) times: f64,
    /// How many families went into it.
    pub(crate) families: usize,
    /// Slowest row and how many times as fast as libuv it is.
    pub(crate) worst: (String, f64),
    /// What is promised.
    pub(crate) least: f64,
    /// What is promised of the slowest row.
    pub(crate) least_row: f64,
}

impl Mean {
    /// Whether both promises held.
    pub(crate) fn met(&self) -> bool {
        self.times >= self.least && self.worst.1 >= self.least_row
    }
}

/// Every mean that has figures.
pub(crate) fn means(records: &Records) -> Vec<Mean> {
    let mut found = Vec::new();
    for column in records.columns(GROUP) {
        let least = if column.ends_with("-spin") { 2.2 } else { 1.7 };
        let rows = records.of(GROUP).filter(|record| record.row != NOT_MEASURED);
        let ratios = ratios(rows, &column, |record| record.ratio_wall);
        found.extend(mean("libuv's programs, real time", &column, &ratios, least, LEAST_ROW));
    }
    for column in ["uvring-epoll", "uvring-io_uring"] {
        let rows = records.0.iter().filter(|record| application(record));
        let ratios = ratios(rows, column, |record| record.ratio_cpu);
        found.extend(mean("application rows, CPU time", column, &ratios, 4.0, 0.0));
    }
    found
}

/// What is promised of a row because it is one of libuv's programs.
pub(crate) fn limits(cell: &Cell) -> impl Iterator<Item = Limit> {
    let measured = cell.group == GROUP && cell.row != NOT_MEASURED;
    let ours =
        Subject::SPINNING.into_iter().filter(move |subject| measured && *subject != Subject::Libuv);
    let most = 1.0 / LEAST_ROW;
    ours.map(move |subject| Limit {
        column: subject.name(),
        against: Subject::Libuv.name(),
        of_cpu: false,
        most,
    })
}

fn application(record: &Record) -> bool {
    let row = record.row.strip_prefix("unix-").unwrap_or(&record.row);
    APPLICATIONS.contains(&record.group.as_str())
        || APPLICATION_ROWS.iter().any(|beginning| row.starts_with(beginning))
}

fn ratios<'a>(
    rows: impl Iterator<Item = &'a Record>,
    column: &str,
    pick: fn(&Record) -> Option<f64>,
) -> Vec<(&'a str, f64)> {
    let of_column = rows.filter(|record| record.column() == column && column != "libuv");
    of_column.filter_map(|record| Some((record.row.as_str(), 1.0 / pick(record)?))).collect()
}

fn mean(
    what: &'static str,
    column: &str,
    rows: &[(&str, f64)],
    least: f64,
    least_row: f64,
) -> Option<Mean> {
    let mut families: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (row, times) in rows {
        families.entry(family(row)).or_default().push(*times);
    }
    let means: Vec<f64> = families.values().map(|times| geometric_mean(times)).collect();
    let worst = rows.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Mean {
        what,
        column: column.to_owned(),
        times: geometric_mean(&means),
        families: means.len(),
        worst: (worst.0.to_owned(), worst.1),
        least,
        least_row,
    })
}

/// `udp_pummel` of `udp_pummel_10v100`, `tcp_pump` of `tcp_pump1_client`, `echo-4KiB` of
/// `echo-4KiB-256c-1f`: what is left without the numbers that tell its members apart.
pub(crate) fn family(row: &str) -> String {
    let name = row.trim_end_matches("_client").trim_end_matches("-sync").trim_end_matches("-1cpu");
    let name = without_count(name, "f").and_then(|name| without_count(name, "c")).unwrap_or(name);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.strip_suffix('v').map_or(name, |rest| {
        let shorter = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        if shorter.len() < rest.len() { shorter } else { name }
    });
    name.trim_end_matches(['_', '-']).to_owned()
}

/// The name without a count and its unit at the end: `-16f`.
fn without_count<'a>(name: &'a str, unit: &str) -> Option<&'a str> {
    let number = name.strip_suffix(unit)?;
    let rest = number.trim_end_matches(|c: char| c.is_ascii_digit());
    if rest.len() < number.len() { rest.strip_suffix('-') } else { None }
}

/// Prints them.
pub(crate) fn print(records: &Records) {
    let means = means(records);
    if !means.is_empty() {
        println!("\nGeometric means: times as fast as libuv (each family of programs counts once)");
    }
    for mean in means {
        println!(
            "  {:<28}{:<22}{:>6.2} over {} families, bar {:.1}; slowest {} {:.2}  {}",
            mean.what,
            mean.column,
            mean.times,
            mean.families,
            mean.least,
            mean.worst.0,
            mean.worst.1,
            if mean.met() { "met" } else { "MISSED" }
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_names_without_numbers() {
        for (row, expected) in [
            ("libuv-udp_pummel_10v100", "libuv-udp_pummel"),
            ("libuv-udp_timed_pummel_1v1", "libuv-udp_timed_pummel"),
            ("libuv-tcp_pump100_client", "libuv-tcp_pump"),
            ("libuv-tcp4_pound_1000", "libuv-tcp4_pound"),
            ("libuv-async8", "libuv-async"),
            ("libuv-fs_stat-sync", "libuv-fs_stat"),
            ("libuv-fs_stat-32", "libuv-fs_stat"),
            ("libuv-million_timers", "libuv-million_timers"),
            ("unix-echo-4KiB-256c-16f", "unix-echo-4KiB"),
            ("file-chain-64-1cpu", "file-chain"),
        ] {
            assert_eq!(family(row), expected);
        }
    }

    #[test]
    fn a_family_counts_once() {
        let rows = [("libuv-a1", 4.0), ("libuv-a2", 4.0), ("libuv-a3", 4.0), ("libuv-b", 1.0)];
        let mean = mean("x", "y", &rows, 1.7, 0.97).unwrap();
        assert_eq!((mean.times, mean.families), (2.0, 2));
        assert_eq!(mean.worst, ("libuv-b".to_owned(), 1.0));
        assert!(mean.met());
    }
}
