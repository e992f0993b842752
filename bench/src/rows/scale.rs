//! Many connections, many loops, a long time.
use super::{Program, Served, Transport, Work};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Those that are busy while others are idle.
const ACTIVE: u64 = 100;

/// The most idle ones, where the machine allows as many.
const MOST_IDLE: u64 = 20_000;

/// Descriptors of a server or a load that are no idle connections, and some more.
const OTHERS: u64 = ACTIVE + 100;

/// All of them.
pub(super) fn all(quick: bool) -> Vec<Program> {
    let mut idle: Vec<u64> =
        if quick { vec![1, 1000, 10_000] } else { vec![1, 10, 100, 1000, 5000, 10_000] };
    let most = most_idle(descriptors());
    if !quick && most > 10_000 {
        idle.push(most);
    }
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

/// As many as the limit on descriptors leaves room for, in whole thousands.
fn most_idle(descriptors: u64) -> u64 {
    MOST_IDLE.min(descriptors.saturating_sub(OTHERS) / 1000 * 1000)
}

/// What a program started from here may have: the hard limit, raised as far as one may.
fn descriptors() -> u64 {
    let wanted = MOST_IDLE + OTHERS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    let raised = hard >= wanted || setrlimit(Resource::RLIMIT_NOFILE, soft, wanted).is_ok();
    if raised { wanted } else { hard }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_ones_fit_the_descriptors() {
        assert_eq!(most_idle(65_536), 20_000);
        assert_eq!(most_idle(20_200), 20_000);
        assert_eq!(most_idle(20_000), 19_000);
        assert_eq!(most_idle(100), 0);
    }
}
