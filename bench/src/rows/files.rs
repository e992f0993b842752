//! Files, on all cores and on one.
use super::{Cpus, Local, PLAIN};

const fn files(row: &'static [&'static str], command: &'static str, cpus: Cpus) -> Local {
    Local { group: "files", rows: row, command, cpus, ..PLAIN }
}

/// The table.
pub(super) const ROWS: &[Local] = &[
    files(&["file-chain-1"], "files chain 1 {ms}", Cpus::All),
    files(&["file-chain-1-1cpu"], "files chain 1 {ms}", Cpus::One),
    files(&["file-chain-64"], "files chain 64 {ms}", Cpus::All),
    files(&["file-chain-64-1cpu"], "files chain 64 {ms}", Cpus::One),
    files(&["file-stat-1"], "files stat 1 {ms}", Cpus::All),
    files(&["file-stat-1-1cpu"], "files stat 1 {ms}", Cpus::One),
    files(&["file-stat-64"], "files stat 64 {ms}", Cpus::All),
    files(&["file-stat-64-1cpu"], "files stat 64 {ms}", Cpus::One),
    files(&["file-read-64KiB"], "files read 1 {ms}", Cpus::All),
    files(&["file-read-64KiB-1cpu"], "files read 1 {ms}", Cpus::One),
    files(&["file-write-64KiB"], "files write 1 {ms}", Cpus::All),
    files(&["file-write-64KiB-1cpu"], "files write 1 {ms}", Cpus::One),
    files(&["file-direct-32"], "files direct 32 {ms}", Cpus::All),
    files(&["file-direct-32-1cpu"], "files direct 32 {ms}", Cpus::One),
];
