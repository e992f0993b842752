//! A figure as it stands in the JSON file: everything that is shown is made from these.
use crate::Outcome;
use crate::rows::Cell;
use crate::run::Miss;
use crate::stats::Figures;
use crate::subject::Subject;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// One subject in one row.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct Record {
    /// Name of the row.
    pub(crate) row: String,
    /// Group of the row.
    pub(crate) group: String,
    /// Who was measured; "machine" describes the machine.
    pub(crate) subject: String,
    /// Tells the two floors apart: epoll or `io_uring`.
    pub(crate) backend: String,
    /// Rounds measured.
    pub(crate) rounds: usize,
    /// Median operations in a second of real time.
    pub(crate) ops_per_s: Option<f64>,
    /// Median real time of one operation.
    pub(crate) wall_ns_per_op: Option<f64>,
    /// Median CPU time of one operation, of the process under test.
    pub(crate) cpu_ns_per_op: Option<f64>,
    /// Greatest less least real time of the rounds, as a part of the median.
    pub(crate) spread_wall: Option<f64>,
    /// The same of the CPU time.
    pub(crate) spread_cpu: Option<f64>,
    /// Median of the rounds' ratios to libuv, real time.
    pub(crate) ratio_wall: Option<f64>,
    /// The same of the CPU time.
    pub(crate) ratio_cpu: Option<f64>,
    /// Why there is no figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
    /// The program failed; otherwise the subject is not there, which is no mistake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) failed: bool,
    /// What a row has besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) extra: BTreeMap<String, Value>,
}

impl Record {
    /// What was measured of one subject with its backend, in one row of a group; ratios are to
    /// `base`.
    pub(crate) fn of(
        (group, row): (&str, &str),
        (subject, backend): (&str, &str),
        outcome: &Outcome,
        base: Option<&Figures>,
    ) -> Self {
        let mut record = Record {
            row: row.to_owned(),
            group: group.to_owned(),
            subject: subject.to_owned(),
            backend: backend.to_owned(),
            ..Record::default()
        };
        match outcome {
            Ok(figures) => fill(&mut record, figures, base),
            Err(Miss::Absent(reason)) => record.missing = Some(reason.clone()),
            Err(Miss::Failed(reason)) => {
                record.missing = Some(reason.clone());
                record.failed = true;
            }
        }
        record
    }

    /// Title of its column.
    pub(crate) fn column(&self) -> String {
        if self.subject == "floor" {
            let kind = if self.backend == "epoll" { "epoll" } else { "ring" };
            return format!("floor {kind}");
        }
        self.subject.clone()
    }

    /// A number among what the row has besides.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.extra.get(name)?.as_f64()
    }

    /// Whether anything was measured.
    pub(crate) fn is_there(&self) -> bool {
        self.missing.is_none()
    }
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Records(pub(crate) Vec<Record>);

impl Records {
    /// Reads what [`Records::save`] wrote.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let records = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Self(records))
    }

    /// Writes a JSON list.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        }
        let text = serde_json::to_string_pretty(&self.0)?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())
    }

    /// Adds what was measured of a row.
    pub(crate) fn add(&mut self, cell: &Cell) {
        let base = cell.outcomes.iter().find(|(subject, _)| *subject == Subject::Libuv);
        let base = base.and_then(|(_, outcome)| outcome.as_ref().ok());
        for (subject, outcome) in &cell.outcomes {
            if subject.is_floor() && matches!(outcome, Err(Miss::Absent(_))) {
                continue; // most rows have no bare program, which is no news
            }
            let who = (subject.json_name(), subject.library().1);
            self.0.push(Record::of((cell.group, &cell.row), who, outcome, base));
        }
    }

    /// The figure of one column of a row.
    pub(crate) fn find(&self, row: &str, column: &str) -> Option<&Record> {
        self.0.iter().find(|r| r.row == row && r.is_there() && r.column() == column)
    }

    /// Names of the groups of rows, in the order measured.
    pub(crate) fn groups(&self) -> Vec<&str> {
        distinct(self.0.iter().map(|record| record.group.as_str()))
    }

    /// Names of the rows of a group.
    pub(crate) fn rows<'a>(&'a self, group: &'a str) -> Vec<&'a str> {
        distinct(self.of(group).map(|record| record.row.as_str()))
    }

    /// Columns of a group that have a figure anywhere.
    pub(crate) fn columns(&self, group: &str) -> Vec<String> {
        distinct(self.of(group).filter(|record| record.is_there()).map(Record::column))
    }

    /// Everything of one group.
    pub(crate) fn of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Record> {
        self.0.iter().filter(move |record| record.group == group)
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

fn fill(record: &mut Record, figures: &Figures, base: Option<&Figures>) {
    let known = |value: f64| value.is_finite().then_some(value);
    let ratios = base.map(|base| figures.ratios(base));
    record.rounds = figures.rounds();
    record.ops_per_s = known(1e9 / figures.wall());
    record.wall_ns_per_op = known(figures.wall());
    record.cpu_ns_per_op = known(figures.cpu());
    (record.spread_wall, record.spread_cpu) =
        (known(figures.spread().0), known(figures.spread().1));
    record.ratio_wall = ratios.and_then(|(wall, _)| known(wall));
    record.ratio_cpu = ratios.and_then(|(_, cpu)| known(cpu));
    record.extra.extend(figures.extra());
}
