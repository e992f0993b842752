//! The models lab: one way of waiting for I/O in each row.
use super::{Program, Work};
use uvring_models::{files, models};

/// Group of the rows.
pub(crate) use uvring_models::measure::GROUP;

/// One program that measures all of them, and leaves the records itself.
pub(super) fn all(quick: bool) -> Program {
    let servers = models::ALL.iter().filter(|model| !model.is_wrong).map(|model| model.name);
    let rows = servers.chain(files::ALL.iter().map(|model| model.name)).map(str::to_owned);
    Program { group: GROUP, rows: rows.collect(), work: Work::Lab, window_ms: 0, quick }
}
