//! libuv's own benchmark programs.
use super::{Program, Work};
use crate::suite;
use anyhow::Result;
use std::path::Path;

/// One of each kind that takes a second or less.
const QUICK: &[&str] =
    &["loop_count", "async1", "tcp_write_batch", "pipe_pound_100", "udp_pummel_1v1", "queue_work"];

/// All of them, as libuv lists them.
pub(super) fn all(quick: bool, libuv: &Path) -> Result<Vec<Program>> {
    let programs = suite::programs(libuv)?.into_iter();
    let wanted = programs.filter(|program| !quick || QUICK.contains(&program.name.as_str()));
    let program = |program: suite::Program| Program {
        group: "libuv",
        rows: suite::rows(&program.name),
        work: Work::Suite(program),
        window_ms: 0,
        quick,
    };
    Ok(wanted.map(program).collect())
}
