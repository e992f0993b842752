//! libuv's own benchmark programs, out of the registry crate, on both libraries.
//!
//! ```text
//!   mod       one program once
//!   build     fetching, shortening and compiling them
//!   figure    the figure in what a program prints
//! ```
mod build;
mod figure;

pub(crate) use build::{Program, Suite, programs};
pub(crate) use figure::rows;

use crate::run::{self, Miss, Place, Sample};
use crate::subject::Subject;
use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a program may take at most; the longest is asked for about two seconds of work.
const SECONDS: &str = "60";
/// How long a helper may take until it listens.
const HELPER_MS: u16 = 5000;

/// Runs the helpers and the program itself.
pub(crate) fn once(
    place: &Place,
    program: &Program,
    subject: Subject,
) -> Result<Vec<Sample>, Miss> {
    let suite = place.suite()?;
    run::probe(place, subject)?;
    clear(suite);
    let before = children_ns()?;
    let mut helpers = Vec::new();
    for name in &program.helpers {
        helpers.push(Helper::start(place, suite, program, name, subject)?);
    }
    let output = suite.folder.join("output");
    let mut command = part(place, suite, program, &program.name, subject, &output)?;
    let started = Instant::now();
    let status = command.status().context("cannot start a program")?;
    let wall = started.elapsed();
    drop(helpers);
    let cpu = children_ns()?.saturating_sub(before);
    let bytes = std::fs::read(&output).context("what a program printed")?;
    let text = String::from_utf8_lossy(&bytes);
    if !status.success() {
        let last = text.trim().lines().last().unwrap_or("it said nothing");
        return Err(Miss::Failed(format!("{status}: {last}")));
    }
    Ok(figure::samples(&program.name, &text, wall, cpu)?)
}

/// Waits until what the last program had is really gone: the kernel takes a ring apart, and closes
/// its sockets, some time after the process has ended. Gives up after two seconds; then the
/// program says what is in its way.
fn clear(suite: &Suite) {
    for name in ["uv-test-sock", "uv-test-sock2", "uv-test-sock3"] {
        // Mostly it is not there.
        let _ = std::fs::remove_file(suite.folder.join(name));
    }
    for _ in 0..100 {
        if !["tcp", "udp"].into_iter().any(bound) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a socket has one of the ports that the programs use: a datagram socket, or one that
/// listens.
fn bound(protocol: &str) -> bool {
    let text = std::fs::read_to_string(format!("/proc/self/net/{protocol}")).unwrap_or_default();
    text.lines().skip(1).any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, state, ..] = words.as_slice() else { return false };
        let port = local.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
        let theirs = port.is_some_and(|port| matches!(port, 9123..=9125 | 12345..=13345));
        theirs && (protocol == "udp" || *state == "0A")
    })
}

/// A server that a program talks to.
struct Helper(Child);

impl Helper {
    /// Returns when it listens, which it tells by closing a pipe.
    fn start(
        place: &Place,
        suite: &Suite,
        program: &Program,
        name: &str,
        subject: Subject,
    ) -> Result<Self, Miss> {
        let (ready, tell) = pipe()?;
        let output = suite.folder.join(format!("output-{name}"));
        let mut command = part(place, suite, program, name, subject, &output)?;
        command.env("UV_TEST_RUNNER_FD", tell.as_raw_fd().to_string());
        let child = Self(command.spawn().context("cannot start a helper")?);
        drop(tell);
        let mut fds = [PollFd::new(ready.as_fd(), PollFlags::POLLIN)];
        let count = poll(&mut fds, PollTimeout::from(HELPER_MS)).context("poll")?;
        if count == 0 {
            return Err(Miss::Failed(format!("the helper {name} does not get ready")));
        }
        child.check(&output, name)
    }
}

impl Helper {
    /// A helper that ends closes the pipe too.
    fn check(mut self, output: &Path, name: &str) -> Result<Self, Miss> {
        std::thread::sleep(Duration::from_millis(10));
        if self.0.try_wait().context("a helper")?.is_none() {
            return Ok(self);
        }
        let said = std::fs::read_to_string(output).unwrap_or_default();
        Err(Miss::Failed(format!("the helper {name} ended: {}", said.trim())))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail only when the helper is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe whose writing end children inherit.
fn pipe() -> Result<(std::os::fd::OwnedFd, std::os::fd::OwnedFd)> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    let (read, write) = nix::unistd::pipe().context("pipe")?;
    fcntl(&read, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).context("fcntl")?;
    Ok((read, write))
}

/// One process of a program, its output going into a file.
fn part(
    place: &Place,
    suite: &Suite,
    program: &Program,
    name: &str,
    subject: Subject,
    output: &Path,
) -> Result<Command, Miss> {
    let mut command = place.command("bound", subject)?;
    let file = File::create(output).with_context(|| output.display().to_string())?;
    let also = file.try_clone().context("dup")?;
    command
        .arg(SECONDS)
        .arg(&suite.runner)
        .args([&program.name, name])
        .current_dir(&suite.folder)
        .env_remove("BENCH_CPU")
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(also);
    Ok(command)
}

/// CPU time of all children that have ended.
fn children_ns() -> Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")?;
    let mut sum = 0;
    for time in [usage.user_time(), usage.system_time()] {
        let (Ok(s), Ok(us)) = (u64::try_from(time.tv_sec()), u64::try_from(time.tv_usec())) else {
            bail!("getrusage gives a negative time");
        };
        sum += s * 1_000_000_000 + us * 1000;
    }
    Ok(sum)
}
