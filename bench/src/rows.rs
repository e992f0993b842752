//! What is measured.
use crate::Outcome;
use crate::subject::Subject;

/// Longest count of operations in one window where only time should end it.
const UNBOUNDED: u64 = 1_000_000_000;
/// Connections of one churn window: far below the number of local ports.
const CHURN_MAX: u64 = 8000;

/// One row of the table.
pub(crate) struct Cell {
    /// Name of the row.
    pub(crate) row: String,
    /// One outcome for each subject, in their order.
    pub(crate) outcomes: [(Subject, Outcome); 5],
}

/// A server and its load.
pub(crate) struct Tcp {
    /// Mode of the server and of the load.
    pub(crate) mode: &'static str,
    /// Bytes of one request.
    pub(crate) size: u64,
    /// Connections at once.
    pub(crate) conns: u64,
    /// Unanswered requests on each connection.
    pub(crate) inflight: u64,
    /// Small writes in one callback, coalesce only.
    pub(crate) writes: u64,
    /// Warm-up and measured window, in milliseconds.
    pub(crate) window_ms: (u64, u64),
    /// Most operations of one window.
    pub(crate) max_ops: u64,
}

/// A program without sockets.
pub(crate) struct Local {
    /// The program on libuv's API and its arguments.
    pub(crate) command: Vec<String>,
    /// Arguments of `floor_misc`, where bare system calls do the same work.
    pub(crate) floor: Option<Vec<String>>,
    /// Takes long on libuv: fewer rounds.
    pub(crate) slow: bool,
}

/// How a figure is made.
pub(crate) enum Work {
    /// A server on one core, its load on another.
    Tcp(Tcp),
    /// One process.
    Local(Local),
}

/// One program run; it gives one row, or several.
pub(crate) struct Program {
    rows: Vec<String>,
    /// How to run it.
    pub(crate) work: Work,
}

impl Program {
    /// Names of the rows.
    pub(crate) fn rows(&self) -> &[String] {
        &self.rows
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self.rows.as_slice() {
            [one] => one.clone(),
            several => several.join(", "),
        }
    }

    /// Keeps the rows that contain one of the words, if any.
    pub(crate) fn only(mut self, words: &[String]) -> Option<Self> {
        if !words.is_empty() {
            self.rows.retain(|row| words.iter().any(|word| row.contains(word)));
        }
        (!self.rows.is_empty()).then_some(self)
    }

    /// Rounds of this program.
    pub(crate) fn rounds(&self, wanted: Option<usize>, quick: bool) -> usize {
        let slow = matches!(&self.work, Work::Local(Local { slow: true, .. }));
        wanted.unwrap_or(match (quick, slow) {
            (false, false) => 5,
            (false, true) | (true, false) => 3,
            (true, true) => 1,
        })
    }
}

/// Every row; `quick` takes the telling ones, with shorter windows.
pub(crate) fn all(quick: bool) -> Vec<Program> {
    let mut programs = echo_rows(quick);
    programs.extend(other_tcp_rows(quick));
    programs.extend(local_rows(quick));
    programs
}

fn tcp(row: String, mode: &'static str, shape: [u64; 4], quick: bool) -> Program {
    let [size, conns, inflight, writes] = shape;
    let max_ops = if mode == "churn" { CHURN_MAX } else { UNBOUNDED };
    let window_ms = if quick { (50, 200) } else { (100, 400) };
    let work = Work::Tcp(Tcp { mode, size, conns, inflight, writes, window_ms, max_ops });
    Program { rows: vec![row], work }
}

fn echo_rows(quick: bool) -> Vec<Program> {
    const QUICK: &[(&str, u64, u64)] = &[("64B", 16, 1), ("64B", 256, 1), ("4KiB", 256, 1)];
    let mut programs = Vec::new();
    for (label, size) in [("64B", 64), ("4KiB", 4096)] {
        for conns in [1, 16, 256, 2000] {
            for inflight in [1, 16] {
                if !quick || QUICK.contains(&(label, conns, inflight)) {
                    let row = format!("echo-{label}-{conns}c-{inflight}f");
                    programs.push(tcp(row, "echo", [size, conns, inflight, 0], quick));
                }
            }
        }
    }
    for conns in [16, 256, 2000] {
        if !quick || conns == 256 {
            let row = format!("echo-lean-64B-{conns}c-1f");
            programs.push(tcp(row, "lean", [64, conns, 1, 0], quick));
        }
    }
    for (label, size, conns) in [("64B", 64, 256), ("4KiB", 4096, 256), ("4KiB", 4096, 2000)] {
        if !quick || label == "64B" {
            let row = format!("pipeline-{label}-{conns}c-16f");
            programs.push(tcp(row, "pipeline", [size, conns, 16, 0], quick));
        }
    }
    programs
}

fn other_tcp_rows(quick: bool) -> Vec<Program> {
    let row = |name: &str, mode, shape| tcp(name.to_owned(), mode, shape, quick);
    vec![
        row("coalesce-16", "coalesce", [32, 16, 1, 16]),
        row("coalesce-64", "coalesce", [32, 16, 1, 64]),
        row("fanout-1000", "fanout", [64, 1000, 1, 0]),
        row("churn", "churn", [64, 16, 1, 0]),
    ]
}

fn local(rows: &[&str], command: &str, floor: Option<&str>, slow: bool) -> Program {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let work = Work::Local(Local { command: words(command), floor: floor.map(words), slow });
    Program { rows: rows.iter().map(|&row| row.to_owned()).collect(), work }
}

fn local_rows(quick: bool) -> Vec<Program> {
    let ms = if quick { 100 } else { 300 };
    let sparse = Some(format!("sparse 1 {ms}"));
    let row = |name: &str, command: &str, floor: Option<&str>| {
        local(&[name], &format!("{command} {ms}"), floor, false)
    };
    vec![
        local(
            &[
                "timers-hot-alone",
                "timers-insert",
                "timers-hot-among-all",
                "timers-restart",
                "timers-restart-shuffled",
                "timers-cancel",
                "timers-cancel-shuffled",
                "timers-dispatch",
            ],
            "timers 1000000",
            None,
            true,
        ),
        row("async-1-of-1000", "async sparse 1000", sparse.as_deref()),
        local(
            &["async-1-of-1000000"],
            &format!("async sparse 1000000 {ms}"),
            sparse.as_deref(),
            true,
        ),
        row("async-pingpong", "async pingpong", Some(&format!("pingpong {ms}"))),
        row("loop-turn", "loop turn", Some(&format!("turn {ms}"))),
        row("loop-turn-prepare", "loop prepare", Some(&format!("turn {ms}"))),
        row("loop-init-close", "loop init", Some(&format!("init {ms}"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn row_names_are_unique_and_quick_is_a_subset() {
        let names = |quick| all(quick).iter().flat_map(|p| p.rows().to_vec()).collect::<Vec<_>>();
        let full: BTreeSet<String> = names(false).into_iter().collect();
        assert_eq!(full.len(), names(false).len());
        assert!(names(true).iter().all(|name| full.contains(name)));
        assert!(names(true).len() < full.len());
    }

    #[test]
    fn a_word_keeps_the_rows_that_contain_it() {
        let words = ["restart".to_owned()];
        let kept: Vec<Program> = all(false).into_iter().filter_map(|p| p.only(&words)).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].rows(), ["timers-restart", "timers-restart-shuffled"]);
    }
}
