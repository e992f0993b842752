//! The completion server on a ring whose submissions a kernel thread takes by looking at the
//! memory, again and again. The program makes no system call to submit; the thread takes a core, and
//! sleeps only after a second without work.
use super::ring::ENTRIES;
use super::ring_completion;
use std::io;
use std::net::TcpListener;
use uvring_core::uring::{Config, Ring, SetupFlags};

/// How long the thread looks before it sleeps.
const IDLE_MS: u32 = 1000;

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    // The flags about task work are refused beside it: completions come from the kernel's thread.
    let wanted = SetupFlags::CQSIZE | SetupFlags::CLAMP | SetupFlags::SUBMIT_ALL;
    let config =
        Config { wanted, required: SetupFlags::SQPOLL, idle_ms: IDLE_MS, ..Config::new(ENTRIES) };
    ring_completion::run(&Ring::new(&config)?, &listener)
}
