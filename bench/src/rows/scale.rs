//! Many connections, many loops, a long time.
use super::{Program, Served, Transport, Work};

/// Those that are busy while others are idle.
const ACTIVE: u64 = 100;

/// All of them.
pub(super) fn all(quick: bool) -> Vec<Program> {
    let idle: &[u64] =
        if quick { &[1, 1000, 10_000] } else { &[1, 10, 100, 1000, 5000, 10_000, 20_000] };
    let threads: &[u64] = if quick { &[2] } else { &[1, 2, 4] };
    let mut programs: Vec<Program> = idle
        .iter()
        .map(|&count| served(format!("idle-{count}"), ACTIVE, count, 0, quick))
        .collect();
    programs.extend(
        threads.iter().map(|&count| served(format!("threads-{count}"), 256, 0, count, quick)),
    );
    programs.push(Program {
        group: "hold",
        rows: vec!["hold".to_owned()],
        work: Work::Hold(if quick { 20 } else { 600 }),
        window_ms: 0,
        quick,
    });
    programs
}

fn served(row: String, conns: u64, idle: u64, threads: u64, quick: bool) -> Program {
    let window_ms = if quick { (50, 200) } else { (100, 400) };
    let work = Work::Served(Served {
        transport: Transport::Tcp,
        mode: "lean",
        size: 64,
        conns,
        inflight: 1,
        writes: 0,
        window_ms,
        max_ops: u64::MAX / 2,
        idle,
        threads,
    });
    Program { group: "scale", rows: vec![row], work, window_ms: window_ms.1, quick }
}
