//! What is measured: the shapes of rows, which of them are wanted, and how often.
//!
//! A new program without a load of its own is a C file in `bench/c` and an entry in a table
//! like [`local::ROWS`]; a new table is one more line in [`TABLES`].
mod files;
mod lab;
mod local;
mod peers;
mod pool;
mod scale;
mod sockets;
mod suite;

pub(crate) use self::lab::GROUP;
use crate::Outcome;
use crate::subject::Subject;
use anyhow::Result;
use std::path::Path;

/// One row of the table.
pub(crate) struct Cell {
    /// The group of rows that it is in.
    pub(crate) group: &'static str,
    /// Name of the row.
    pub(crate) row: String,
    /// One outcome for each of its subjects, in their order.
    pub(crate) outcomes: Vec<(Subject, Outcome)>,
}

/// What carries the bytes between a server and its load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// 127.0.0.1
    Tcp,
    /// A unix socket with an abstract name.
    Unix,
}

/// A server and its load.
pub(crate) struct Served {
    /// What they talk over.
    pub(crate) transport: Transport,
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
    /// Connections more that are open and silent.
    pub(crate) idle: u64,
    /// Loops in threads of their own, on one port; 0 is the plain server with one loop.
    pub(crate) threads: u64,
}

/// Where a program may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cpus {
    /// On one core (`BENCH_CPU`), whatever threads it starts.
    One,
    /// On all that are allowed: for programs whose threads work side by side.
    All,
}

/// Programs that need no load: an entry of a table. Start from [`PLAIN`]:
/// `Local { group: …, rows: …, command: …, ..PLAIN }`.
pub(crate) struct Local {
    /// The group of rows that it is in.
    pub(crate) group: &'static str,
    /// Rows, named as the program's `report()` names them; a program that prints one figure
    /// may give it any name.
    pub(crate) rows: &'static [&'static str],
    /// The program (`bench/c/PROGRAM.c`, on libuv's API) and its arguments, `{ms}` being the
    /// length of a window in milliseconds.
    pub(crate) command: &'static str,
    /// The same work without a library, on epoll or plain system calls; "" if there is none.
    pub(crate) floor_epoll: &'static str,
    /// The same work on a bare ring; "" if there is none.
    pub(crate) floor_ring: &'static str,
    /// Variables set for every subject besides the backend.
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// Where it may run.
    pub(crate) cpus: Cpus,
    /// Takes seconds on some subject: fewer rounds.
    pub(crate) slow: bool,
    /// Among the rows of `--quick`.
    pub(crate) quick: bool,
}

/// What most programs are.
pub(crate) const PLAIN: Local = Local {
    group: "",
    rows: &[],
    command: "",
    floor_epoll: "",
    floor_ring: "",
    env: &[],
    cpus: Cpus::One,
    slow: false,
    quick: true,
};

/// All tables of programs that need no load.
const TABLES: &[&[Local]] = &[local::ROWS, pool::ROWS, files::ROWS];

/// How a figure is made.
pub(crate) enum Work {
    /// A server on one core, its load on another.
    Served(Served),
    /// One process.
    Local(&'static Local),
    /// One of libuv's own benchmark programs.
    Suite(crate::suite::Program),
    /// A server and its load, on other people's event loops, too.
    Peers(Served),
    /// The models lab, all of its rows at once.
    Lab,
    /// A load held for as many seconds, on all subjects at once.
    Hold(u64),
}

/// One program run; it gives one row, or several.
pub(crate) struct Program {
    /// The group of its rows.
    pub(crate) group: &'static str,
    rows: Vec<String>,
    /// How to run it.
    pub(crate) work: Work,
    /// Length of a window without a load, in milliseconds.
    pub(crate) window_ms: u64,
    quick: bool,
}

impl Program {
    /// Names of the rows.
    pub(crate) fn rows(&self) -> &[String] {
        &self.rows
    }

    /// Whether windows are short.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self.rows.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        }
    }

    /// Who is measured, in the order of the columns and of the turns.
    pub(crate) fn subjects(&self) -> &'static [Subject] {
        match &self.work {
            Work::Suite(_) => &Subject::SPINNING,
            Work::Served(Served { idle, threads, .. }) if idle + threads > 0 => &Subject::LIBRARIES,
            Work::Hold(_) => &Subject::LIBRARIES,
            Work::Lab | Work::Peers(_) => &[],
            Work::Served(_) | Work::Local(_) => &Subject::ALL,
        }
    }

    /// Keeps the rows that one of the words selects, if there are words: the name of the
    /// group selects all of its rows, any other word those that contain it.
    pub(crate) fn only(mut self, words: &[String], groups: &[&str]) -> Option<Self> {
        if !words.is_empty() {
            let group = self.group;
            let selects = |word: &String, row: &String| {
                if groups.contains(&word.as_str()) { word == group } else { row.contains(word) }
            };
            self.rows.retain(|row| words.iter().any(|word| selects(word, row)));
        }
        (!self.rows.is_empty()).then_some(self)
    }

    /// Rounds of this program.
    pub(crate) fn rounds(&self, wanted: Option<usize>) -> usize {
        let slow = matches!(&self.work, Work::Local(Local { slow: true, .. }));
        match &self.work {
            Work::Suite(_) => return wanted.unwrap_or(if self.quick { 1 } else { 2 }),
            Work::Hold(_) | Work::Lab => return 1,
            Work::Served(_) | Work::Local(_) | Work::Peers(_) => {}
        }
        wanted.unwrap_or(match (self.quick, slow) {
            (false, false) => 5,
            (false, true) | (true, false) => 3,
            (true, true) => 1,
        })
    }

    /// About how long one round of all subjects takes: for the time that is left.
    pub(crate) fn seconds(&self) -> f64 {
        let subjects = self.subjects().len() as f64;
        match &self.work {
            Work::Served(served) => {
                let (warm, window) = served.window_ms;
                subjects * ((warm + window + served.idle / 10) as f64 / 1e3 + 0.15)
            }
            Work::Hold(seconds) => *seconds as f64 + 1.0,
            Work::Peers(served) => {
                14.0 * (served.window_ms.0 + served.window_ms.1) as f64 / 1e3 + 3.0
            }
            Work::Lab => self.rows.len() as f64 * if self.quick { 2.0 } else { 9.0 },
            Work::Local(Local { slow: true, .. }) => subjects * 4.0,
            Work::Suite(_) => subjects * 1.6,
            Work::Local(_) => subjects * (self.window_ms as f64 / 1e3 + 0.1),
        }
    }
}

/// Names of the groups, in the order of the table.
pub(crate) fn groups(programs: &[Program]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for program in programs {
        if !names.contains(&program.group) {
            names.push(program.group);
        }
    }
    names
}

/// Every row; `quick` takes the telling ones, with shorter windows. `libuv` is the folder of
/// libuv's own programs, if it is known.
pub(crate) fn all(quick: bool, libuv: Option<&Path>) -> Result<Vec<Program>> {
    let mut programs = sockets::all(quick);
    for local in TABLES.iter().copied().flatten().filter(|local| local.quick || !quick) {
        programs.push(Program {
            group: local.group,
            rows: local.rows.iter().map(|&row| row.to_owned()).collect(),
            work: Work::Local(local),
            window_ms: if quick { 100 } else { 300 },
            quick,
        });
    }
    programs.extend(scale::all(quick));
    programs.extend(peers::all(quick));
    programs.push(lab::all(quick));
    if let Some(libuv) = libuv {
        programs.extend(suite::all(quick, libuv)?);
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn row_names_are_unique_and_quick_is_a_subset() {
        let all = |quick| super::all(quick, None).unwrap();
        let names = |quick| all(quick).iter().flat_map(|p| p.rows().to_vec()).collect::<Vec<_>>();
        let full: BTreeSet<String> = names(false).into_iter().collect();
        assert_eq!(full.len(), names(false).len());
        assert!(names(true).iter().all(|name| full.contains(name)));
        assert!(names(true).len() < full.len());
    }

    #[test]
    fn every_table_entry_is_whole() {
        for local in TABLES.iter().copied().flatten() {
            assert!(!local.rows.is_empty() && !local.group.is_empty() && !local.command.is_empty());
        }
    }

    fn kept(word: &str) -> Vec<Program> {
        let words = [word.to_owned()];
        let programs = all(false, None).unwrap();
        let groups = groups(&programs);
        programs.into_iter().filter_map(|program| program.only(&words, &groups)).collect()
    }

    #[test]
    fn a_word_keeps_the_rows_that_contain_it() {
        let kept = kept("restart");
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].rows(), ["timers-restart", "timers-restart-shuffled"]);
    }

    #[test]
    fn the_name_of_a_group_keeps_the_group() {
        let kept = kept("echo");
        assert!(!kept.is_empty());
        assert!(kept.iter().all(|program| program.group == "echo"));
    }
}
