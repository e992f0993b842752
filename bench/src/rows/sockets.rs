//! Servers and their load, over TCP and over unix sockets.
use super::{Program, Served, Transport, Work};

/// Longest count of operations in one window where only time should end it.
const UNBOUNDED: u64 = 1_000_000_000;
/// Connections of one churn window: far below the number of local ports.
const CHURN_MAX: u64 = 8000;

/// What the load asks for.
#[derive(Clone, Copy)]
struct Shape {
    mode: &'static str,
    size: u64,
    conns: u64,
    inflight: u64,
    writes: u64,
}

/// All of them.
pub(super) fn all(quick: bool) -> Vec<Program> {
    let mut programs = Vec::new();
    for (transport, group, prefix) in
        [(Transport::Tcp, "echo", ""), (Transport::Unix, "unix", "unix-")]
    {
        let shapes = echoes(transport, quick);
        programs.extend(
            shapes.into_iter().map(|(row, shape)| {
                program(transport, group, format!("{prefix}{row}"), shape, quick)
            }),
        );
    }
    for (transport, group, prefix) in
        [(Transport::Tcp, "writes", ""), (Transport::Unix, "unix", "unix-")]
    {
        programs.extend(
            others(transport).into_iter().map(|(row, shape)| {
                program(transport, group, format!("{prefix}{row}"), shape, quick)
            }),
        );
    }
    programs.sort_by_key(|program| program.group == "unix");
    programs
}

fn program(
    transport: Transport,
    group: &'static str,
    row: String,
    shape: Shape,
    quick: bool,
) -> Program {
    let Shape { mode, size, conns, inflight, writes } = shape;
    let max_ops = if mode == "churn" { CHURN_MAX } else { UNBOUNDED };
    let window_ms = if quick { (50, 200) } else { (100, 400) };
    let work = Work::Served(Served {
        transport,
        mode,
        size,
        conns,
        inflight,
        writes,
        window_ms,
        max_ops,
        idle: 0,
        threads: 0,
    });
    Program { group, rows: vec![row], work, window_ms: window_ms.1, quick }
}

fn echoes(transport: Transport, quick: bool) -> Vec<(String, Shape)> {
    const QUICK: &[(&str, u64, u64)] = &[("64B", 256, 1), ("4KiB", 256, 1), ("64B", 16, 1)];
    // The pipelined echo and the answers of a parser say the same over both.
    let tcp = transport == Transport::Tcp;
    let telling = if tcp { QUICK } else { &QUICK[..1] };
    let inflights: &[u64] = if tcp { &[1, 16] } else { &[1] };
    let mut shapes = Vec::new();
    for (label, size) in [("64B", 64), ("4KiB", 4096)] {
        for conns in [1, 16, 256, 2000] {
            for &inflight in inflights {
                if !quick || telling.contains(&(label, conns, inflight)) {
                    let row = format!("echo-{label}-{conns}c-{inflight}f");
                    shapes.push((row, Shape { mode: "echo", size, conns, inflight, writes: 0 }));
                }
            }
        }
    }
    for conns in [16, 256, 2000] {
        if !quick || tcp && conns == 256 {
            let row = format!("echo-lean-64B-{conns}c-1f");
            shapes.push((row, Shape { mode: "lean", size: 64, conns, inflight: 1, writes: 0 }));
        }
    }
    for (label, size, conns) in [("64B", 64, 256), ("4KiB", 4096, 256), ("4KiB", 4096, 2000)] {
        if tcp && (!quick || label == "64B") {
            let row = format!("pipeline-{label}-{conns}c-16f");
            let mode = "pipeline";
            shapes.push((row, Shape { mode, size, conns, inflight: 16, writes: 0 }));
        }
    }
    shapes
}

fn others(transport: Transport) -> Vec<(String, Shape)> {
    let shape = |row: &str, mode, size, conns, writes| {
        (row.to_owned(), Shape { mode, size, conns, inflight: 1, writes })
    };
    let mut shapes = vec![
        shape("coalesce-16", "coalesce", 32, 16, 16),
        shape("coalesce-64", "coalesce", 32, 16, 64),
        shape("churn", "churn", 64, 16, 0),
    ];
    if transport == Transport::Tcp {
        shapes.insert(2, shape("fanout-1000", "fanout", 64, 1000, 0));
    }
    shapes
}
