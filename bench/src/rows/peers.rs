//! The same echo on other people's event loops, one thread each.
use super::{Program, Served, Transport, Work};
use crate::peers::GROUP;

/// Label and bytes of a request, connections, and whether it is among the rows of `--quick`.
const SHAPES: [(&str, u64, u64, bool); 4] = [
    ("64B", 64, 1, false),
    ("64B", 64, 16, false),
    ("64B", 64, 256, true),
    ("4KiB", 4096, 256, false),
];

/// All of them.
pub(super) fn all(quick: bool) -> Vec<Program> {
    let shapes = SHAPES.into_iter().filter(|(_, _, _, is_quick)| *is_quick || !quick);
    let program = |(label, size, conns, _)| {
        let window_ms = if quick { (50, 200) } else { (100, 400) };
        let work = Work::Peers(Served {
            transport: Transport::Tcp,
            // The lean server takes no more than 64 bytes at once.
            mode: if size > 64 { "echo" } else { "lean" },
            size,
            conns,
            inflight: 1,
            writes: 0,
            window_ms,
            max_ops: u64::MAX / 2,
            idle: 0,
            threads: 0,
        });
        let rows = vec![format!("peers-{label}-{conns}c-1f")];
        Program { group: GROUP, rows, work, window_ms: window_ms.1, quick }
    };
    shapes.map(program).collect()
}
