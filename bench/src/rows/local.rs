//! Timers, wake-ups, the loop itself, children, and datagrams.
use super::{Local, PLAIN};

/// The table.
pub(super) const ROWS: &[Local] = &[
    Local {
        group: "timers",
        rows: &[
            "timers-hot-alone",
            "timers-insert",
            "timers-hot-among-all",
            "timers-restart",
            "timers-restart-shuffled",
            "timers-cancel",
            "timers-cancel-shuffled",
            "timers-dispatch",
        ],
        command: "timers 1000000",
        slow: true,
        ..PLAIN
    },
    Local {
        group: "async",
        rows: &["async-1-of-1000"],
        command: "async sparse 1000 {ms}",
        floor_epoll: "floor_misc sparse 1 {ms}",
        ..PLAIN
    },
    Local {
        group: "async",
        rows: &["async-1-of-1000000"],
        command: "async sparse 1000000 {ms}",
        floor_epoll: "floor_misc sparse 1 {ms}",
        slow: true,
        ..PLAIN
    },
    Local {
        group: "async",
        rows: &["async-pingpong"],
        command: "async pingpong {ms}",
        floor_epoll: "floor_misc pingpong {ms}",
        ..PLAIN
    },
    Local {
        group: "loop",
        rows: &["loop-turn"],
        command: "loop turn {ms}",
        floor_epoll: "floor_misc turn {ms}",
        ..PLAIN
    },
    Local {
        group: "loop",
        rows: &["loop-turn-prepare"],
        command: "loop prepare {ms}",
        floor_epoll: "floor_misc turn {ms}",
        ..PLAIN
    },
    Local {
        group: "loop",
        rows: &["loop-init-close"],
        command: "loop init {ms}",
        floor_epoll: "floor_misc init {ms}",
        ..PLAIN
    },
    Local { group: "children", rows: &["child-exit-of-100"], command: "children 100 50", ..PLAIN },
    Local {
        group: "children",
        rows: &["child-exit-of-2000"],
        command: "children 2000 50",
        slow: true,
        ..PLAIN
    },
    Local { group: "udp", rows: &["udp-send-64KiB"], command: "udp send {ms}", ..PLAIN },
    Local { group: "udp", rows: &["udp-segments-64KiB"], command: "udp segments {ms}", ..PLAIN },
];
