//! `cargo xtask demo`: the example HTTP server on each backend serves this project's own files to
//! curl, every byte is compared, and a short load is measured.
use crate::{build, dirs};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::Regex;
use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BACKENDS: [&str; 2] = ["epoll", "io_uring"];
const CONNECTIONS: usize = 32;
const LOAD: Duration = Duration::from_secs(3);
/// Files that one curl fetches over its connection.
const BATCH: usize = 40;
/// The server ends itself should we not get to it.
const SERVER_SECONDS: &str = "60";

/// What one backend did.
struct Figures {
    backend: &'static str,
    files: usize,
    bytes: u64,
    per_second: f64,
}

/// Builds, serves, fetches, compares, measures.
pub(crate) fn run() -> Result<()> {
    progress("building the library and the server");
    build::run(false)?;
    let server = compile_server()?;
    let files = project_files()?;
    let served = copy_files(&files)?;
    let mut all = Vec::new();
    for backend in BACKENDS {
        all.push(one_backend(&server, backend, &served, &files)?);
    }
    end_progress();
    for figures in &all {
        println!(
            "demo: {:8} {} files, {} bytes, all equal; {:.0} requests/s on {CONNECTIONS} connections",
            figures.backend, figures.files, figures.bytes, figures.per_second
        );
    }
    println!("demo: ok");
    Ok(())
}

/// One line that changes on a terminal, and a line each time elsewhere.
fn progress(what: &str) {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[Kdemo: {what} ... ");
        // Only a line for the eye; the result does not depend on it.
        let _ = std::io::stdout().flush();
    } else {
        println!("demo: {what}");
    }
}

fn end_progress() {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[K");
    }
}

fn compile_server() -> Result<PathBuf> {
    let examples = dirs::root().join("c-examples");
    let into = dirs::target().join("demo");
    fs::create_dir_all(&into)?;
    let program = into.join("http-server");
    let lib = dirs::stage().join("lib");
    let mut cc = Command::new(dirs::c_compiler());
    cc.args(["-O2", "-Wall", "-Wextra"]).arg("-I").arg(dirs::stage().join("include"));
    cc.arg(examples.join("http-server.c"));
    for part in fs::read_dir(examples.join("http"))? {
        let part = part?.path();
        if part.extension().is_some_and(|end| end == "c") {
            cc.arg(part);
        }
    }
    cc.arg("-o").arg(&program).arg("-L").arg(&lib).arg("-luvring");
    cc.arg(format!("-Wl,-rpath,{}", lib.display()));
    dirs::check(&mut cc)?;
    Ok(program)
}

fn starts(program: &str) -> bool {
    let version =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok()
}

/// Paths of the project's own files, from git.
fn project_files() -> Result<Vec<String>> {
    let list = dirs::output(Command::new("git").args(["ls-files", "-z"]).current_dir(dirs::root()))
        .context("the demo serves the files that git knows")?;
    let files: Vec<_> = list
        .split_terminator('\0')
        .filter(|path| dirs::root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    ensure!(!files.is_empty(), "git knows no file here");
    Ok(files)
}

/// A copy to serve: a file saved in an editor meanwhile must not look like a wrong byte.
fn copy_files(files: &[String]) -> Result<PathBuf> {
    let served = dirs::target().join("demo/served");
    if served.exists() {
        fs::remove_dir_all(&served)?;
    }
    for path in files {
        let to = served.join(path);
        fs::create_dir_all(to.parent().unwrap_or(&served))?;
        fs::copy(dirs::root().join(path), &to).with_context(|| path.clone())?;
    }
    Ok(served)
}

/// A running server.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(program: &Path, backend: &str, served: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--port", "0", "--seconds", SERVER_SECONDS, "--count-memory", "--root"]);
        command.arg(served).env("UVRING_BACKEND", backend).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| dirs::show(&command))?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let address = match first.trim_end().strip_prefix("listening on ") {
            Some(address) => address.to_owned(),
            None => bail!("the server does not listen: {first}"),
        };
        Ok(Self { child, lines, address })
    }

    /// Stops it as a person at the terminal would; it must have given everything back.
    fn end(mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGINT)?;
        let mut said = String::new();
        self.lines.read_to_string(&mut said)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}: {said}");
        let clean = Regex::new(r"(?m)^end: 0 bytes held, (\d+) fds open, (\d+) at the start$")?;
        let kept = clean.captures(&said).is_some_and(|found| found[1] == found[2]);
        ensure!(kept, "the server kept something: {said}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_backend(
    program: &Path,
    backend: &'static str,
    served: &Path,
    files: &[String],
) -> Result<Figures> {
    progress(&format!("{backend}: starting the server"));
    let server = Server::start(program, backend, served)?;
    let mut bytes = 0;
    for (number, batch) in files.chunks(BATCH).enumerate() {
        progress(&format!("{backend}: {} of {} files", number * BATCH, files.len()));
        bytes += fetch(&server.address, served, batch)?;
    }
    fetch_ranges(&server.address, served)?;
    progress(&format!("{backend}: {} s of load", LOAD.as_secs()));
    let per_second = if starts("wrk") {
        load_by_wrk(&server.address)?
    } else {
        load_by_ourselves(&server.address)?
    };
    server.end().context(backend)?;
    Ok(Figures { backend, files: files.len(), bytes, per_second })
}

/// Percent-encodes what a path of a URL may not hold.
fn encode(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Fetches the files over one connection of curl and compares them. Returns how many bytes.
fn fetch(address: &str, served: &Path, files: &[String]) -> Result<u64> {
    let into = dirs::target().join("demo/fetched");
    fs::create_dir_all(&into)?;
    let copy = |number: usize| into.join(number.to_string());
    let mut orders = String::new();
    for (number, path) in files.iter().enumerate() {
        let to = copy(number);
        let to = to.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let path = encode(path);
        orders += &format!("url = \"http://{address}/{path}\"\noutput = \"{to}\"\n");
    }
    let list = into.join("orders");
    fs::write(&list, orders)?;
    dirs::check(
        Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "10"])
            .arg("--config")
            .arg(&list),
    )?;
    let mut bytes = 0;
    for (number, path) in files.iter().enumerate() {
        let want = fs::read(served.join(path)).with_context(|| path.clone())?;
        let have = fs::read(copy(number)).with_context(|| format!("curl left no {path}"))?;
        ensure!(
            have == want,
            "{path}: {} bytes came, not the {} of the file",
            have.len(),
            want.len()
        );
        bytes += u64::try_from(want.len())?;
        fs::remove_file(copy(number))?;
    }
    Ok(bytes)
}

/// Fetches parts of a file: from its middle, its end, and up to its end.
fn fetch_ranges(address: &str, served: &Path) -> Result<()> {
    let whole = fs::read(served.join(LOAD_PATH))?;
    let size = whole.len();
    ensure!(size > 20, "{LOAD_PATH} is too short for ranges");
    for (range, want) in [("3-9", &whole[3..10]), ("-7", &whole[size - 7..]), ("10-", &whole[10..])]
    {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "10"]);
        curl.args(["--range", range]).arg(format!("http://{address}/{LOAD_PATH}"));
        let have = curl.output().context("curl")?;
        ensure!(have.status.success(), "curl --range {range}: {}", have.status);
        ensure!(have.stdout == want, "{LOAD_PATH}: other bytes for the range {range}");
    }
    Ok(())
}

const LOAD_PATH: &str = "rustfmt.toml";

fn load_by_wrk(address: &str) -> Result<f64> {
    let said = dirs::output(
        Command::new("wrk")
            .args(["-t", "1", "-c", &CONNECTIONS.to_string()])
            .args(["-d", &format!("{}s", LOAD.as_secs())])
            .arg(format!("http://{address}/{LOAD_PATH}")),
    )?;
    ensure!(!said.contains("Non-2xx"), "wrk: not every answer is 200:\n{said}");
    ensure!(!said.contains("Socket errors"), "wrk: connections failed:\n{said}");
    let found = Regex::new(r"Requests/sec:\s*([\d.]+)")?;
    let found = found.captures(&said).with_context(|| format!("wrk: no rate in:\n{said}"))?;
    let per_second: f64 = found[1].parse()?;
    ensure!(per_second > 0.0, "wrk: no request was answered:\n{said}");
    Ok(per_second)
}

/// For machines without wrk: threads that each keep one connection busy.
fn load_by_ourselves(address: &str) -> Result<f64> {
    let answered = AtomicU64::new(0);
    let size = fs::metadata(dirs::root().join(LOAD_PATH))?.len();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| scope.spawn(|| one_client(address, usize::try_from(size)?, &answered)))
            .collect();
        for client in clients {
            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let answered = u32::try_from(answered.load(Ordering::Relaxed))?;
    ensure!(answered > 0, "no request was answered");
    Ok(f64::from(answered) / begin.elapsed().as_secs_f64())
}

fn one_client(address: &str, size: usize, answered: &AtomicU64) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LOAD))?;
    let request = format!("GET /{LOAD_PATH} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut body = vec![0; size];
    let begin = Instant::now();
    while begin.elapsed() < LOAD {
        stream.write_all(request.as_bytes())?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200 "), "not 200: {line}");
        while line != "\r\n" {
            line.clear();
            ensure!(answers.read_line(&mut line)? > 0, "the server hung up");
        }
        answers.read_exact(&mut body)?;
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
