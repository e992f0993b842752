//! What uvring promises: a most for a ratio of times. Told, not enforced: a busy
//! machine is no bug.
use crate::record::{Record, Records};
use crate::run::IDLE_BYTES;

/// What a row is held against.
#[derive(Clone, Copy)]
enum Against {
    /// Another column of the same row.
    Column(&'static str),
    /// The same column of another row.
    Row(&'static str),
}

/// Which figure it is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Metric {
    Cpu,
    Wall,
    /// Memory of an idle connection.
    Memory,
}

/// Promises alike.
struct Bar {
    rows: &'static [&'static str],
    columns: &'static [&'static str],
    against: Against,
    metric: Metric,
    most: f64,
}

/// A promise and what came of it.
pub(crate) struct Verdict {
    /// Row and column that it is about.
    pub(crate) row: &'static str,
    pub(crate) column: &'static str,
    /// Column or row that it is held against.
    pub(crate) against: &'static str,
    /// "CPU time", "real time" or "memory".
    pub(crate) what: &'static str,
    /// The ratio found, and the greatest that keeps the promise.
    pub(crate) ratio: f64,
    pub(crate) most: f64,
}

impl Verdict {
    /// Whether the promise held.
    pub(crate) fn met(&self) -> bool {
        self.ratio <= self.most
    }
}

const LIBUV: Against = Against::Column("libuv");
const FLOOR_EPOLL: Against = Against::Column("floor epoll");
const FLOOR_RING: Against = Against::Column("floor ring");
const BOTH: &[&str] = &["uvring-epoll", "uvring-io_uring"];
const EPOLL: &[&str] = &["uvring-epoll"];
const RING: &[&str] = &["uvring-io_uring"];
/// The floor does not allocate, so only the rows that do not either compare with it.
const LEAN: &[&str] = &[
    "echo-lean-64B-16c-1f",
    "echo-lean-64B-256c-1f",
    "echo-lean-64B-2000c-1f",
    "unix-echo-lean-64B-16c-1f",
    "unix-echo-lean-64B-256c-1f",
    "unix-echo-lean-64B-2000c-1f",
];
const LEAN_TCP: &[&str] =
    &["echo-lean-64B-16c-1f", "echo-lean-64B-256c-1f", "echo-lean-64B-2000c-1f"];
const UNIX_ECHO: &[&str] =
    &["unix-echo-64B-16c-1f", "unix-echo-64B-256c-1f", "unix-echo-64B-2000c-1f"];

const fn cpu(
    rows: &'static [&'static str],
    columns: &'static [&'static str],
    against: Against,
    most: f64,
) -> Bar {
    Bar { rows, columns, against, metric: Metric::Cpu, most }
}

const fn wall(rows: &'static [&'static str], columns: &'static [&'static str], most: f64) -> Bar {
    Bar { rows, columns, against: LIBUV, metric: Metric::Wall, most }
}

/// libuv's own programs of which none may lose more than noise.
const NONE_SLOWER: &[&str] = &[
    "libuv-ping_pongs",
    "libuv-ping_udp1",
    "libuv-tcp_pump100_client",
    "libuv-tcp_pump1_client",
    "libuv-pipe_pump100_client",
    "libuv-pipe_pump1_client",
    "libuv-tcp4_pound_100",
    "libuv-tcp4_pound_1000",
    "libuv-tcp_multi_accept2",
    "libuv-tcp_multi_accept4",
    "libuv-tcp_multi_accept8",
    "libuv-udp_pummel_1v1",
    "libuv-udp_pummel_1v10",
    "libuv-udp_pummel_1v100",
    "libuv-udp_pummel_1v1000",
    "libuv-udp_pummel_10v10",
    "libuv-udp_pummel_10v100",
    "libuv-udp_pummel_10v1000",
    "libuv-udp_pummel_100v100",
    "libuv-udp_pummel_100v1000",
    "libuv-udp_pummel_1000v1000",
];
/// Those of files, the pool, names and wake-ups: none at all.
const NONE_SLOWER_AT_ALL: &[&str] = &[
    "libuv-getaddrinfo",
    "libuv-fs_stat-sync",
    "libuv-async1",
    "libuv-async2",
    "libuv-async4",
    "libuv-async8",
    "libuv-async_pummel_1",
    "libuv-async_pummel_2",
    "libuv-async_pummel_4",
    "libuv-async_pummel_8",
];

/// Where nobody else can do the work meanwhile, nothing may be lost.
const FILES_ON_ONE_CPU: &[&str] = &[
    "file-chain-1-1cpu",
    "file-chain-64-1cpu",
    "file-stat-1-1cpu",
    "file-stat-64-1cpu",
    "file-read-64KiB-1cpu",
    "file-write-64KiB-1cpu",
    "file-direct-32-1cpu",
];

const BARS: &[Bar] = &[
    cpu(&["echo-64B-16c-1f", "echo-64B-256c-1f", "echo-64B-2000c-1f"], EPOLL, LIBUV, 0.95),
    cpu(LEAN_TCP, EPOLL, LIBUV, 0.95),
    cpu(LEAN, EPOLL, FLOOR_EPOLL, 1.05),
    cpu(LEAN, RING, FLOOR_RING, 1.05),
    cpu(&["echo-4KiB-256c-1f"], BOTH, LIBUV, 0.70),
    cpu(&["echo-4KiB-2000c-1f"], BOTH, LIBUV, 0.55),
    cpu(&["coalesce-16"], BOTH, LIBUV, 0.18),
    cpu(&["coalesce-64"], BOTH, LIBUV, 0.06),
    cpu(&["fanout-1000"], RING, LIBUV, 0.80),
    cpu(&["churn"], EPOLL, LIBUV, 0.95),
    cpu(&["churn"], RING, LIBUV, 0.90),
    cpu(UNIX_ECHO, BOTH, LIBUV, 0.90),
    cpu(&["unix-coalesce-16"], BOTH, LIBUV, 0.25),
    cpu(&["unix-coalesce-64"], BOTH, LIBUV, 0.12),
    cpu(&["unix-churn"], EPOLL, LIBUV, 0.80),
    cpu(&["unix-churn"], RING, LIBUV, 0.72),
    cpu(&["timers-insert"], BOTH, LIBUV, 1.0 / 5.0),
    cpu(&["timers-restart", "timers-restart-shuffled"], BOTH, LIBUV, 1.0 / 10.0),
    cpu(&["timers-cancel"], BOTH, LIBUV, 1.0 / 10.0),
    cpu(&["timers-dispatch"], BOTH, LIBUV, 1.0 / 3.0),
    cpu(&["timers-hot-among-all"], BOTH, LIBUV, 1.0 / 20.0),
    // Thrice leaves room for the cache misses of a million handles.
    cpu(&["async-1-of-1000000"], BOTH, Against::Row("async-1-of-1000"), 3.0),
    // Twice leaves room for the scheduler's and the cache's part.
    cpu(&["child-exit-of-2000"], BOTH, Against::Row("child-exit-of-100"), 2.0),
    cpu(&["loop-init-close"], BOTH, LIBUV, 1.0),
    cpu(&["udp-segments-64KiB"], BOTH, LIBUV, 0.5),
    // A page more or less is no difference.
    Bar {
        rows: &["idle-10000"],
        columns: BOTH,
        against: LIBUV,
        metric: Metric::Memory,
        most: 1.005,
    },
    wall(NONE_SLOWER, BOTH, 1.0 / 0.97),
    wall(NONE_SLOWER_AT_ALL, BOTH, 1.0),
    wall(&["libuv-tcp_write_batch"], BOTH, 1.0 / 4.0),
    wall(&["libuv-pipe_pound_100", "libuv-pipe_pound_1000"], BOTH, 1.0 / 1.15),
    wall(&["libuv-spawn"], BOTH, 1.0 / 1.1),
    wall(&["libuv-fs_stat-1"], BOTH, 1.0 / 8.0),
    wall(&["libuv-fs_stat-32"], BOTH, 1.0 / 1.3),
    wall(&["libuv-queue_work"], BOTH, 1.0 / 10.0),
    wall(&["libuv-million_async"], BOTH, 1.0 / 2.0),
    // Lingering buys time with CPU time, so these are about time.
    wall(&["work-one"], BOTH, 1.0 / 10.0),
    wall(&["work-1000", "pool-write-64KiB"], BOTH, 1.0 / 2.0),
    wall(&["work-one-1cpu", "work-1000-1cpu"], BOTH, 1.0),
    wall(&["pool-write-64KiB-1cpu", "name-of-number", "name-of-number-1cpu"], BOTH, 1.0),
    wall(&["file-chain-1"], BOTH, 1.0 / 20.0),
    wall(&["file-chain-64"], BOTH, 1.0 / 1.8),
    wall(&["file-stat-1"], BOTH, 1.0 / 8.0),
    wall(&["file-stat-64"], BOTH, 1.0 / 1.3),
    wall(&["file-read-64KiB"], BOTH, 1.0 / 4.0),
    wall(&["file-write-64KiB"], BOTH, 1.0 / 2.0),
    wall(&["file-direct-32"], BOTH, 1.0 / 1.8),
    cpu(&["file-direct-32"], BOTH, LIBUV, 0.35),
    wall(FILES_ON_ONE_CPU, BOTH, 1.0),
];

/// A promise about two columns of one row, and the figure it is about.
pub(crate) struct Limit {
    pub(crate) column: &'static str,
    pub(crate) against: &'static str,
    pub(crate) of_cpu: bool,
    pub(crate) most: f64,
}

/// What of a row is held against another column of it in time.
pub(crate) fn limits(row: &str) -> Vec<Limit> {
    let of_row = BARS.iter().filter(|bar| bar.rows.contains(&row));
    let timed = of_row.filter(|bar| bar.metric != Metric::Memory);
    let limits = timed.flat_map(|bar| {
        bar.columns.iter().filter_map(|&column| match bar.against {
            Against::Column(against) => {
                let (of_cpu, most) = (bar.metric == Metric::Cpu, bar.most);
                Some(Limit { column, against, of_cpu, most })
            }
            Against::Row(_) => None,
        })
    });
    limits.collect()
}

/// Every promise that has figures.
pub(crate) fn verdicts(records: &Records) -> Vec<Verdict> {
    let mut found = Vec::new();
    for bar in BARS {
        for &row in bar.rows {
            found.extend(
                bar.columns.iter().filter_map(|&column| verdict(records, bar, row, column)),
            );
        }
    }
    found
}

fn verdict(
    records: &Records,
    bar: &Bar,
    row: &'static str,
    column: &'static str,
) -> Option<Verdict> {
    let ours = records.find(row, column)?;
    let (against, base) = match bar.against {
        Against::Column(other) => (other, records.find(row, other)?),
        Against::Row(other) => (other, records.find(other, column)?),
    };
    let value = |record: &Record| match bar.metric {
        Metric::Cpu => record.cpu_ns_per_op,
        Metric::Wall => record.wall_ns_per_op,
        Metric::Memory => record.number(IDLE_BYTES),
    };
    let paired = match bar.metric {
        Metric::Cpu => ours.ratio_cpu,
        Metric::Wall => ours.ratio_wall,
        Metric::Memory => None,
    };
    let to_libuv = matches!(bar.against, Against::Column("libuv"));
    // What is held against libuv has a ratio that was taken pair by pair.
    let ratio = paired.filter(|_| to_libuv).or_else(|| Some(value(ours)? / value(base)?))?;
    let what = match bar.metric {
        Metric::Cpu => "CPU time",
        Metric::Wall => "real time",
        Metric::Memory => "memory",
    };
    Some(Verdict { row, column, against, what, ratio, most: bar.most })
}

/// Prints every promise that has figures.
pub(crate) fn print(records: &Records) {
    let known = verdicts(records);
    if known.is_empty() {
        return;
    }
    println!("\nBars: ratio, at most");
    for bar in &known {
        println!(
            "  {:<28}{:<17}{:<10}{:>7.3} of {:<17}bar {:.3}  {}",
            bar.row,
            bar.column,
            bar.what,
            bar.ratio,
            bar.against,
            bar.most,
            if bar.met() { "met" } else { "MISSED" }
        );
    }
    println!("  {} of {} met", known.iter().filter(|bar| bar.met()).count(), known.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    #[test]
    fn every_bar_names_a_row() {
        let programs = rows::all(false, None).unwrap();
        let names: Vec<&String> = programs.iter().flat_map(rows::Program::rows).collect();
        // libuv's own programs are known only where its sources are.
        let known = |row: &str| row.starts_with("libuv-") || names.iter().any(|name| *name == row);
        for bar in BARS {
            for row in bar.rows {
                assert!(known(row), "{row}");
            }
            if let Against::Row(row) = bar.against {
                assert!(known(row), "{row}");
            }
        }
    }

    fn record(column: &str, cpu: f64, ratio: f64) -> Record {
        Record {
            row: "coalesce-16".to_owned(),
            subject: column.to_owned(),
            cpu_ns_per_op: Some(cpu),
            ratio_cpu: Some(ratio),
            ..Record::default()
        }
    }

    #[test]
    fn a_bar_takes_the_ratio_of_pairs_and_tells_a_miss() {
        let records = Records(vec![record("libuv", 100.0, 1.0), record("uvring-epoll", 10.0, 0.2)]);
        let found = verdicts(&records);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].ratio, found[0].met()), (0.2, false));
    }
}
