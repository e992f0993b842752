//! What uvring promises: a most for a ratio of CPU times. Told, not enforced: a
//! busy machine is no bug.
use crate::report::figures;
use crate::rows::Cell;
use crate::subject::Subject;

/// What a row is held against.
#[derive(Clone, Copy)]
enum Against {
    /// Another subject in the same row.
    Subject(Subject),
    /// The same subject in another row.
    Row(&'static str),
}

/// One promise.
struct Bar {
    row: &'static str,
    subject: Subject,
    against: Against,
    most: f64,
}

const LIBUV: Against = Against::Subject(Subject::Libuv);
const FLOOR: Against = Against::Subject(Subject::FloorEpoll);
const BOTH: &[Subject] = &[Subject::UvringEpoll, Subject::UvringRing];
const EPOLL: &[Subject] = &[Subject::UvringEpoll];
const RING: &[Subject] = &[Subject::UvringRing];

/// Rows, subjects, what they are held against, the most.
const BARS: &[(&[&str], &[Subject], Against, f64)] = &[
    (&["echo-64B-16c-1f", "echo-64B-256c-1f", "echo-64B-2000c-1f"], EPOLL, LIBUV, 0.95),
    (&["echo-lean-64B-16c-1f", "echo-lean-64B-256c-1f"], EPOLL, LIBUV, 0.95),
    (&["echo-lean-64B-2000c-1f"], EPOLL, LIBUV, 0.95),
    // The floor does not allocate, so only the row that does not either compares.
    (&["echo-lean-64B-16c-1f", "echo-lean-64B-256c-1f"], EPOLL, FLOOR, 1.10),
    (&["echo-lean-64B-2000c-1f"], EPOLL, FLOOR, 1.10),
    (&["echo-4KiB-256c-1f"], BOTH, LIBUV, 0.70),
    (&["echo-4KiB-2000c-1f"], BOTH, LIBUV, 0.55),
    (&["coalesce-16"], BOTH, LIBUV, 0.18),
    (&["coalesce-64"], BOTH, LIBUV, 0.06),
    (&["fanout-1000"], RING, LIBUV, 0.80),
    (&["churn"], EPOLL, LIBUV, 0.95),
    (&["churn"], RING, LIBUV, 0.90),
    (&["timers-insert"], BOTH, LIBUV, 1.0 / 5.0),
    (&["timers-restart", "timers-restart-shuffled"], BOTH, LIBUV, 1.0 / 10.0),
    (&["timers-cancel"], BOTH, LIBUV, 1.0 / 10.0),
    (&["timers-dispatch"], BOTH, LIBUV, 1.0 / 3.0),
    (&["timers-hot-among-all"], BOTH, LIBUV, 1.0 / 20.0),
    // Thrice leaves room for the cache misses of a million handles.
    (&["async-1-of-1000000"], BOTH, Against::Row("async-1-of-1000"), 3.0),
    (&["loop-init-close"], BOTH, LIBUV, 1.0),
];

fn all() -> impl Iterator<Item = Bar> {
    BARS.iter().flat_map(|&(rows, subjects, against, most)| {
        rows.iter().flat_map(move |&row| {
            subjects.iter().map(move |&subject| Bar { row, subject, against, most })
        })
    })
}

/// The ratio that the bar is about, where both sides have a figure.
fn measured(cells: &[Cell], bar: &Bar) -> Option<f64> {
    let find = |row: &str| cells.iter().find(|cell| cell.row == row);
    let cell = find(bar.row)?;
    let found = figures(cell, bar.subject)?;
    let base = match bar.against {
        Against::Subject(subject) => figures(cell, subject)?,
        Against::Row(row) => figures(find(row)?, bar.subject)?,
    };
    Some(found.ratios(base).1)
}

/// Prints every bar that has figures.
pub(crate) fn print(cells: &[Cell]) {
    let known: Vec<(Bar, f64)> = all()
        .filter_map(|bar| {
            let ratio = measured(cells, &bar)?;
            Some((bar, ratio))
        })
        .collect();
    if known.is_empty() {
        return;
    }
    println!("\nBars: ratio of CPU times, at most");
    for (bar, ratio) in &known {
        let against = match bar.against {
            Against::Subject(subject) => subject.name(),
            Against::Row(row) => row,
        };
        let verdict = if *ratio <= bar.most { "met" } else { "MISSED" };
        println!(
            "  {:<26}{:<17}{ratio:>7.3} of {against:<17}bar {:.3}  {verdict}",
            bar.row,
            bar.subject.name(),
            bar.most
        );
    }
    let met = known.iter().filter(|(bar, ratio)| *ratio <= bar.most).count();
    println!("  {met} of {} met", known.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    #[test]
    fn every_bar_names_a_row() {
        let programs = rows::all(false);
        let names: Vec<&String> = programs.iter().flat_map(rows::Program::rows).collect();
        for bar in all() {
            assert!(names.iter().any(|name| *name == bar.row), "{}", bar.row);
        }
    }
}
