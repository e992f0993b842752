//! The models lab: runs it, and what its figures say about growth.
use crate::progress::Progress;
use crate::record::{Record, Records};
use crate::rows::{GROUP, Program};
use crate::run::IDLE_BYTES;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What the figures of one model come to.
pub(crate) struct Summary {
    /// The model.
    pub(crate) name: String,
    /// Open connections and CPU ns of a request.
    pub(crate) points: Vec<(f64, f64)>,
    /// System calls of a request, counted with ten connections.
    pub(crate) calls: Option<f64>,
    /// User memory of an idle connection.
    pub(crate) bytes: Option<f64>,
    /// Where it ends.
    pub(crate) ends: String,
}

impl Summary {
    /// CPU ns that one more open connection adds to every request: least squares.
    pub(crate) fn slope(&self) -> Option<f64> {
        let count = self.points.len() as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| self.points.iter().map(pick).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let both: f64 = self.points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let square: f64 = self.points.iter().map(|point| (point.0 - x).powi(2)).sum();
        (square > 0.0).then(|| both / square)
    }

    /// What cost follows: with as many connections as were tried, do those that say nothing cost
    /// more than half of a request with nobody else there?
    pub(crate) fn follows(&self) -> Option<&'static str> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let added = self.slope()? * (last.0 - first.0);
        Some(if added > first.1 / 2.0 { "the registered" } else { "the active" })
    }

    /// Columns of a table: slope, what it follows, system calls, bytes, end.
    pub(crate) fn columns(&self) -> [String; 6] {
        let shown = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        [
            self.name.clone(),
            shown(self.slope(), 2),
            self.follows().unwrap_or("–").to_owned(),
            shown(self.calls, 2),
            shown(self.bytes, 0),
            self.ends.clone(),
        ]
    }
}

/// Titles of [`Summary::columns`].
pub(crate) const COLUMNS: [&str; 6] = [
    "model",
    "ns for each more that is open",
    "cost follows",
    "system calls a request",
    "bytes an idle one",
    "ends at",
];

/// Runs the lab and returns its records. It writes to `scratch`.
pub(crate) fn run(
    program: &Program,
    scratch: &std::path::Path,
    progress: &mut Progress,
) -> Result<Vec<Record>> {
    let own = std::env::current_exe().context("own path")?;
    let lab = own.with_file_name("models");
    if !lab.exists() {
        let reason = "not built (`cargo build --release -p uvring-models`)";
        return Ok(vec![missing(reason, false)]);
    }
    let mut command = Command::new(lab);
    command.arg("measure").args(program.rows()).arg("--json").arg(scratch);
    if program.is_quick() {
        command.arg("--quick");
    }
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start the lab")?;
    let mut said = String::new();
    for line in child.stderr.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
        let line = line.context("the lab")?;
        progress.show(line.strip_prefix("bench: ").unwrap_or(&line));
        progress.advance(program.seconds() / program.rows().len() as f64);
        said = line;
    }
    if !child.wait().context("the lab")?.success() {
        return Ok(vec![missing(&said, true)]);
    }
    let records = Records::load(scratch)?.0;
    if records.is_empty() {
        bail!("the lab left no figure");
    }
    Ok(records)
}

fn missing(reason: &str, failed: bool) -> Record {
    let (row, group) = (GROUP.to_owned(), GROUP.to_owned());
    Record { row, group, missing: Some(reason.to_owned()), failed, ..Record::default() }
}

/// A summary of each server, in the order measured.
pub(crate) fn summaries(records: &Records) -> Vec<Summary> {
    let rows = records.rows(GROUP).into_iter();
    rows.filter_map(|row| {
        let of: Vec<&Record> = records.of(GROUP).filter(|record| record.row == row).collect();
        let points: Vec<(f64, f64)> = of
            .iter()
            .filter_map(|record| record.number("connections").zip(record.cpu_ns_per_op))
            .collect();
        let last = |name: &str| of.iter().rev().find_map(|record| record.number(name));
        let ends = of.iter().find_map(|record| record.extra.get("ends")?.as_str());
        (!points.is_empty()).then(|| Summary {
            name: row.to_owned(),
            points,
            calls: last("syscalls_per_request"),
            bytes: last(IDLE_BYTES),
            ends: ends.unwrap_or_default().to_owned(),
        })
    })
    .collect()
}

/// Prints the summaries.
pub(crate) fn print(records: &Records) {
    let all = summaries(records);
    if all.is_empty() {
        return;
    }
    println!("\nmodels: ten busy connections among those open; user memory only, not the kernel's");
    let line = |columns: [&str; 6]| {
        let [name, slope, follows, calls, bytes, ends] = columns;
        println!("{name:<18}{slope:>32}{follows:>17}{calls:>24}{bytes:>19}   {ends}");
    };
    line(COLUMNS);
    for summary in &all {
        let columns = summary.columns();
        line([0, 1, 2, 3, 4, 5].map(|nth| columns[nth].as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(points: &[(f64, f64)]) -> Summary {
        let (name, ends) = (String::new(), String::new());
        Summary { name, points: points.to_vec(), calls: None, bytes: None, ends }
    }

    #[test]
    fn a_slope_is_that_of_the_line() {
        let line = summary(&[(10.0, 120.0), (100.0, 300.0), (1000.0, 2100.0)]);
        assert!((line.slope().unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(line.follows(), Some("the registered"));
        let flat = summary(&[(10.0, 120.0), (100.0, 130.0), (10_000.0, 125.0)]);
        assert_eq!(flat.follows(), Some("the active"));
        assert_eq!(summary(&[(10.0, 120.0)]).slope(), None);
    }

    #[test]
    fn records_become_a_summary() {
        let record = |open: u32, cpu: f64| {
            let text = format!(
                r#"{{"row":"poll","group":"{GROUP}","subject":"{open} open","backend":"","rounds":1,
                "cpu_ns_per_op":{cpu},"extra":{{"connections":{open},"syscalls_per_request":2.1,"ends":"x"}}}}"#
            );
            serde_json::from_str::<Record>(&text).unwrap()
        };
        let records = Records(vec![record(10, 100.0), record(110, 300.0)]);
        let all = summaries(&records);
        assert_eq!(all.len(), 1);
        let columns = all[0].columns();
        assert_eq!(columns, ["poll", "2.00", "the registered", "2.10", "–", "x"]);
    }
}
