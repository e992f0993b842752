//! Building the examples, running them, and what they leave behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use uvring_ffi_tests::programs::{Backend, Library, command, compile};

/// For what should take no time at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The example of this name, linked with a library.
pub(crate) fn program(name: &str, library: Library) -> PathBuf {
    let source = Path::new("c-examples").join(format!("{name}.c"));
    compile(name, &[source], Some(library)).unwrap_or_else(|why| panic!("{why}"))
}

/// A command that runs an example on uvring.
pub(crate) fn example(name: &str, backend: Backend) -> Command {
    command(&program(name, Library::Ours), backend).unwrap_or_else(|why| panic!("{why}"))
}

/// Runs an example on libuv to its end.
pub(crate) fn on_libuv(name: &str, args: &[&str]) -> Output {
    Command::new(program(name, Library::Reference)).args(args).output().unwrap()
}

/// An example that runs until it is told to end.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    fds: usize,
}

impl Running {
    /// Starts it and waits for its first line, which says that it is ready.
    pub(crate) fn start(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| to.send(line))
        });
        let mut running = Self { child, lines, fds: 0 };
        let first = running.line();
        running.fds = running.open_fds();
        (running, first)
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn open_fds(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Once its clients are gone it has as many descriptors as at the start.
    pub(crate) fn no_fd_is_left(&self) {
        eventually("descriptors stay open", || self.open_fds() == self.fds);
    }

    /// Ends it by SIGTERM; it must end well, having closed everything. Returns its last line.
    pub(crate) fn end(mut self) -> String {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let status = wait(&mut self.child);
        assert!(status.success(), "{status}");
        self.lines.iter().last().expect("a last line")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a process, within reason.
pub(crate) fn wait(child: &mut Child) -> std::process::ExitStatus {
    eventually("the program does not end", || child.try_wait().unwrap().is_some());
    child.wait().unwrap()
}

/// Asks until it is so, or for too long.
pub(crate) fn eventually(complaint: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{complaint}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there and not a zombie whose parent does not look.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
