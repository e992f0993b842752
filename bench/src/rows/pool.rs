//! The thread pool: there and back, on all cores and on one.
use super::{Cpus, Local, PLAIN};

const fn pool(row: &'static [&'static str], command: &'static str, cpus: Cpus) -> Local {
    Local { group: "pool", rows: row, command, cpus, ..PLAIN }
}

/// The table.
pub(super) const ROWS: &[Local] = &[
    pool(&["work-one"], "pool one {ms}", Cpus::All),
    pool(&["work-one-1cpu"], "pool one {ms}", Cpus::One),
    pool(&["work-1000"], "pool many {ms}", Cpus::All),
    pool(&["work-1000-1cpu"], "pool many {ms}", Cpus::One),
    pool(&["pool-write-64KiB"], "pool write {ms}", Cpus::All),
    pool(&["pool-write-64KiB-1cpu"], "pool write {ms}", Cpus::One),
    pool(&["name-of-number"], "pool names {ms}", Cpus::All),
    pool(&["name-of-number-1cpu"], "pool names {ms}", Cpus::One),
];
