//! One program once: start it, watch it, read its figure.
use crate::rows::{Cpus, Local, Program, Served, Transport, Work};
use crate::subject::{Libraries, Subject};
use crate::suite::{self, Suite};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What an idle connection takes of the server's memory.
pub(crate) const IDLE_BYTES: &str = "bytes_per_idle_connection";

/// One measured window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Row it belongs to.
    pub(crate) row: String,
    /// Operations done.
    pub(crate) ops: u64,
    /// Real time of the window.
    pub(crate) wall_ns: u64,
    /// CPU time that the measured process spent in it, where it is known.
    pub(crate) cpu_ns: Option<u64>,
    /// What else was measured: name, value.
    pub(crate) extra: Vec<(&'static str, Value)>,
}

/// Why there is no figure.
#[derive(Clone, Debug)]
pub(crate) enum Miss {
    /// The subject is not there; nothing is wrong.
    Absent(String),
    /// The program failed.
    Failed(String),
}

impl From<anyhow::Error> for Miss {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}

/// Where programs run.
pub(crate) struct Place {
    bin: PathBuf,
    libraries: Libraries,
    /// libuv's own programs, or why they are not there.
    suite: Result<Suite, String>,
    server_cpu: usize,
    load_cpu: usize,
}

impl Place {
    /// `bin` holds the compiled programs.
    pub(crate) fn new(
        bin: PathBuf,
        libraries: Libraries,
        suite: Result<Suite, String>,
    ) -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .context("no Cpus_allowed_list in /proc/self/status")?;
        let cpus = parse_cpu_list(list.trim()).context("Cpus_allowed_list is not understood")?;
        let (Some(&first), Some(&last)) = (cpus.first(), cpus.last()) else {
            bail!("no CPU is allowed");
        };
        if first == last {
            eprintln!("bench: only one core: server and load share it, figures mean little");
        }
        Ok(Self { bin, libraries, suite, server_cpu: last, load_cpu: first })
    }

    /// libuv's own programs.
    pub(crate) fn suite(&self) -> Result<&Suite, Miss> {
        self.suite.as_ref().map_err(|reason| Miss::Absent(reason.clone()))
    }

    /// A program that links neither library, by its path.
    pub(crate) fn bare(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LD_BIND_NOW", "1")
            .env("BENCH_CPU", self.server_cpu.to_string())
            .env("BENCH_CPU2", self.load_cpu.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// A program with the library of `subject`; a clean environment for both libraries.
    pub(crate) fn command(&self, program: &str, subject: Subject) -> Result<Command, Miss> {
        let folder = self.libraries.folder(subject).map_err(Miss::Absent)?;
        let mut command = self.bare(&self.bin.join(program));
        if let Some(folder) = folder {
            command.env("LD_LIBRARY_PATH", folder);
        }
        command.envs(subject.env().iter().copied());
        Ok(command)
    }
}

/// Runs one round of one program on one subject.
pub(crate) fn once(
    place: &Place,
    program: &Program,
    subject: Subject,
) -> Result<Vec<Sample>, Miss> {
    match &program.work {
        Work::Served(served) => {
            let mut sample = served_once(place, served, subject)?;
            sample.row.clone_from(&program.rows()[0]);
            Ok(vec![sample])
        }
        Work::Local(local) => {
            let mut samples = local_once(place, local, program.window_ms, subject)?;
            if let ([sample], [row]) = (samples.as_mut_slice(), program.rows()) {
                sample.row.clone_from(row);
            }
            Ok(samples)
        }
        Work::Hold(_) | Work::Lab | Work::Peers(_) => {
            Err(Miss::Failed("no load in rounds".to_owned()))
        }
        Work::Suite(program) => suite::once(place, program, subject),
    }
}

/// Fails if `subject` is not what it is called: some programs cannot tell.
pub(crate) fn probe(place: &Place, subject: Subject) -> Result<(), Miss> {
    let mut command = place.command("loop", subject)?;
    check_library(&finish(command.args(["init", "1"]), "loop init")?, subject)
}

/// A server that is ended when it goes out of scope. It also ends by itself: every
/// C program sets an alarm, and dies with the runner.
pub(crate) struct Server {
    child: Child,
    /// Kept open, so that a late line of the server meets no broken pipe.
    stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Server {
    fn start(place: &Place, served: &Served, subject: Subject) -> Result<Self, Miss> {
        let program = match subject {
            Subject::FloorEpoll => "floor_epoll",
            Subject::FloorRing => "floor_ring",
            _ if served.threads > 0 => "threads",
            _ => "server",
        };
        let mut command = place.command(program, subject)?;
        if served.threads > 1 {
            command.env_remove("BENCH_CPU");
        }
        if served.transport == Transport::Unix {
            command.env("BENCH_UNIX", "1");
        }
        if served.threads > 0 {
            command.arg(served.threads.to_string());
        } else {
            command.args([served.mode, &served.size.to_string(), &served.writes.to_string()]);
        }
        Self::from(command, subject)
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn from(command: Command, subject: Subject) -> Result<Self, Miss> {
        Self::named(command, subject.library())
    }

    /// The same for one that calls itself and its backend so.
    fn named(mut command: Command, name: (&str, &str)) -> Result<Self, Miss> {
        let mut child = command.spawn().context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut server = Self { child, stdout: BufReader::new(stdout), port: 0 };
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if server.stdout.read_line(&mut line).context("server")? == 0 {
                return Err(Miss::Failed(server.obituary()));
            }
            if let Some(port) = line.strip_prefix("ready ") {
                server.port = port.trim().parse().context("the server's port")?;
                break;
            }
            text.push_str(&line);
        }
        check_name(&text, name)?;
        Ok(server)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the server said when it ended.
    fn obituary(&mut self) -> String {
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // The pipe ends with the server; its alarm bounds the wait.
            let _ = stderr.read_to_string(&mut said);
        }
        let status = self.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
        format!("the server ended ({status}): {}", said.trim())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the server is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One window of a server and its load.
pub(crate) fn served_once(
    place: &Place,
    served: &Served,
    subject: Subject,
) -> Result<Sample, Miss> {
    under_load(place, served, Server::start(place, served, subject)?)
}

/// The same with somebody else's server, which calls itself and its backend `name`.
pub(crate) fn served_by(
    place: &Place,
    command: Command,
    served: &Served,
    name: (&str, &str),
) -> Result<Sample, Miss> {
    under_load(place, served, Server::named(command, name)?)
}

fn under_load(place: &Place, served: &Served, mut server: Server) -> Result<Sample, Miss> {
    let (warm_ms, ms) = served.window_ms;
    let numbers = [
        u64::from(server.port),
        u64::from(server.child.id()),
        served.size,
        served.conns,
        served.inflight,
        served.writes,
        warm_ms,
        ms,
        served.max_ops,
    ];
    let mut load = Command::new(place.bin.join("load"));
    load.env_clear()
        .env("BENCH_CPU", place.load_cpu.to_string())
        .arg(served.mode)
        .args(numbers.map(|number| number.to_string()));
    if served.transport == Transport::Unix {
        load.env("BENCH_UNIX", "1");
    }
    if served.idle > 0 {
        load.env("BENCH_IDLE", served.idle.to_string());
    }
    let result = finish(&mut load, "load");
    if server.child.try_wait().context("server")?.is_some() {
        return Err(Miss::Failed(server.obituary()));
    }
    let text = result?;
    let mut samples = parse_results(&text)?;
    let (Some(mut sample), true) = (samples.pop(), samples.is_empty()) else {
        return Err(Miss::Failed("the load did not give one result".to_owned()));
    };
    if served.idle > 0 {
        let bytes = parse_idle(&text).context("the load did not tell the server's memory")?;
        sample.extra.push((IDLE_BYTES, bytes.into()));
    }
    Ok(sample)
}

/// Bytes of the server's memory that one idle connection takes.
fn parse_idle(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("idle "))?;
    let (count, bytes) = line.split_once(' ')?;
    Some(bytes.parse::<f64>().ok()? / count.parse::<f64>().ok()?)
}

fn local_once(
    place: &Place,
    local: &Local,
    window_ms: u64,
    subject: Subject,
) -> Result<Vec<Sample>, Miss> {
    let line = match subject {
        Subject::FloorEpoll => local.floor_epoll,
        Subject::FloorRing => local.floor_ring,
        _ => local.command,
    };
    let line = line.replace("{ms}", &window_ms.to_string());
    let mut words = line.split_ascii_whitespace();
    let Some(program) = words.next() else {
        return Err(Miss::Absent("there is no such bare program".to_owned()));
    };
    let mut command = place.command(program, subject)?;
    command.args(words).envs(local.env.iter().copied());
    if local.cpus == Cpus::All {
        command.env_remove("BENCH_CPU");
    }
    let text = finish(&mut command, &line)?;
    check_library(&text, subject)?;
    Ok(parse_results(&text)?)
}

/// Runs to the end and returns standard output; the program's own alarm bounds it.
fn finish(command: &mut Command, name: &str) -> Result<String> {
    let done = command.output().with_context(|| format!("cannot start {name}"))?;
    if !done.status.success() {
        bail!("{name}: {}: {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    String::from_utf8(done.stdout).with_context(|| format!("{name}: not UTF-8"))
}

/// The program names the library and the backend it really has.
fn check_library(text: &str, subject: Subject) -> Result<(), Miss> {
    check_name(text, subject.library())
}

fn check_name(text: &str, (library, backend): (&str, &str)) -> Result<(), Miss> {
    let said = text.lines().find_map(|line| line.strip_prefix("library ")).unwrap_or("nothing");
    if said == format!("{library} {backend}") {
        return Ok(());
    }
    if said.starts_with(&format!("{library} ")) {
        return Err(Miss::Absent(format!("the backend is not {backend}: it says \"{said}\"")));
    }
    Err(Miss::Failed(format!("the wrong library was loaded: \"{said}\"")))
}

fn parse_results(text: &str) -> Result<Vec<Sample>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("result "));
    lines.map(|line| parse_result(line).with_context(|| format!("bad result: {line}"))).collect()
}

fn parse_result(line: &str) -> Option<Sample> {
    let mut words = line.split(' ');
    let row = words.next()?.to_owned();
    let mut number = || words.next()?.parse().ok();
    let (ops, wall_ns, cpu_ns) = (number()?, number()?, number()?);
    let sample = Sample { row, ops, wall_ns, cpu_ns: Some(cpu_ns), extra: Vec::new() };
    (sample.ops > 0).then_some(sample)
}

/// `0-2,5` as the kernel writes it.
fn parse_cpu_list(list: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_cpu_list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpu_list("3"), Some(vec![3]));
        assert_eq!(parse_cpu_list("x"), None);
    }

    #[test]
    fn results_are_read_and_bad_ones_refused() {
        let text = "library libuv epoll\nresult a 2 30 40\n";
        let row = "a".to_owned();
        let sample = Sample { row, ops: 2, wall_ns: 30, cpu_ns: Some(40), extra: Vec::new() };
        assert_eq!(parse_results(text).unwrap(), [sample]);
        assert!(parse_results("result a 0 30 40").is_err());
        assert!(parse_results("result a 2 30").is_err());
    }

    #[test]
    fn a_silent_fall_back_is_told() {
        let checked = |text, subject| check_library(text, subject);
        assert!(checked("library uvring io_uring\n", Subject::UvringRing).is_ok());
        let fell_back = checked("library uvring epoll\n", Subject::UvringRing);
        assert!(matches!(fell_back, Err(Miss::Absent(_))));
        let wrong = checked("library libuv epoll\n", Subject::UvringEpoll);
        assert!(matches!(wrong, Err(Miss::Failed(_))));
    }
}
