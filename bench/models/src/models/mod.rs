//! The servers, from the oldest way of waiting to the newest.
mod epoll_edge;
mod epoll_level;
mod nonblocking_spin;
mod poll;
mod ring;
mod ring_completion;
mod ring_multishot;
mod ring_readiness;
mod ring_sqpoll;
mod select;
pub mod signal_driven;
mod thread_each;

use std::io;
use std::net::TcpListener;

/// A way of waiting for I/O, and an echo server that waits so.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// What it is called on the command line and in the figures.
    pub name: &'static str,
    /// How it waits.
    pub what: &'static str,
    /// Where more connections come to an end.
    pub ends: &'static str,
    /// Whether kernel threads of its own need a core beside the server's.
    pub all_cores: bool,
    /// Whether it is here to show a mistake: it is tested, and not measured.
    pub is_wrong: bool,
    /// Serves until [`stop`](crate::conn::stop).
    pub serve: fn(TcpListener) -> io::Result<()>,
}

const DESCRIPTORS: &str = "RLIMIT_NOFILE";

const PLAIN: Model = Model {
    name: "",
    what: "",
    ends: DESCRIPTORS,
    all_cores: false,
    is_wrong: false,
    serve: thread_each::serve,
};

/// All of them.
pub const ALL: &[Model] = &[
    Model {
        name: "thread-each",
        what: "a blocking thread for each connection",
        ends: "threads: two mappings each of vm.max_map_count, kernel.threads-max, memory",
        serve: thread_each::serve,
        ..PLAIN
    },
    Model {
        name: "spin",
        what: "non-blocking reads of all, again and again",
        ends: "RLIMIT_NOFILE; one core is busy with nothing to do",
        serve: nonblocking_spin::serve,
        ..PLAIN
    },
    Model {
        name: "select",
        what: "select(2)",
        ends: "FD_SETSIZE: descriptors below 1024",
        serve: select::serve,
        ..PLAIN
    },
    Model { name: "poll", what: "poll(2)", serve: poll::serve, ..PLAIN },
    Model {
        name: "epoll-level",
        what: "epoll, told as long as there is something",
        serve: epoll_level::serve,
        ..PLAIN
    },
    Model {
        name: "epoll-edge",
        what: "epoll, told of changes; read until EAGAIN",
        serve: epoll_edge::serve,
        ..PLAIN
    },
    Model {
        name: "epoll-edge-undrained",
        what: "the same read once: what is left waits for a change that never comes",
        is_wrong: true,
        serve: epoll_edge::serve_undrained,
        ..PLAIN
    },
    Model {
        name: "sigio",
        what: "a queued signal for each change (F_SETSIG)",
        ends: "RLIMIT_NOFILE; above RLIMIT_SIGPENDING queued signals it looks at all",
        serve: signal_driven::serve,
        ..PLAIN
    },
    Model {
        name: "ring-readiness",
        what: "io_uring as a poll: told, then reads and writes itself",
        serve: ring_readiness::serve,
        ..PLAIN
    },
    Model {
        name: "ring-completion",
        what: "io_uring does the reads and writes; a buffer for each connection",
        ends: "RLIMIT_NOFILE; a buffer for each connection",
        serve: ring_completion::serve,
        ..PLAIN
    },
    Model {
        name: "ring-multishot",
        what: "io_uring, one submission for many reads, shared buffers",
        serve: ring_multishot::serve,
        ..PLAIN
    },
    Model {
        name: "ring-sqpoll",
        what: "ring-completion, submitted to a kernel thread that spins",
        ends: "RLIMIT_NOFILE; a second core is busy with nothing to do",
        all_cores: true,
        serve: ring_sqpoll::serve,
        ..PLAIN
    },
];

/// The one with this name.
pub fn named(name: &str) -> Option<&'static Model> {
    ALL.iter().find(|model| model.name == name)
}
