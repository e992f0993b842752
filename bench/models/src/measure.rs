//! What each model costs: figures in the form of the bench's records.
use crate::load::{Clients, REQUEST};
use crate::models::{ALL, Model};
use crate::{files, watch};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Busy connections, whatever the number that is open.
const ACTIVE: usize = 10;
/// Group of the records.
pub const GROUP: &str = "models";

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Numbers of open connections.
    pub counts: &'static [usize],
    /// Length of a window.
    pub span: Duration,
    /// Windows for each number.
    pub rounds: usize,
}

impl Effort {
    /// Seconds, or a few minutes.
    pub fn new(quick: bool) -> Self {
        let counts: &[usize] = &[10, 100, 1000, 10_000];
        let (span, rounds) = if quick { (60, 1) } else { (400, 5) };
        Effort { counts, span: Duration::from_millis(span), rounds }
    }
}

/// Measures every model whose name contains one of the words (all without words), and the ways to
/// read files if a word begins so; `say` hears what is being done.
///
/// # Errors
/// When a file cannot be made; a model that fails is a record with the reason.
pub fn all(effort: &Effort, words: &[String], say: &mut dyn FnMut(&str)) -> Result<Vec<Value>> {
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(&**word));
    let mut records = Vec::new();
    for model in ALL.iter().filter(|model| !model.is_wrong && wanted(model.name)) {
        say(model.name);
        if let Err(error) = one(model, effort, &mut records) {
            let mut record = base(model.name, "server");
            record.insert("missing".into(), json!(format!("{error:#}")));
            record.insert("failed".into(), json!(true));
            records.push(record.into());
        }
    }
    if words.is_empty() || words.iter().any(|word| word.starts_with("file")) {
        say("files");
        records.extend(files::measure(effort)?);
    }
    Ok(records)
}

/// The part of a record that all have.
pub(crate) fn base(row: &str, subject: &str) -> Map<String, Value> {
    let fields = json!({
        "row": row, "group": GROUP, "subject": subject, "backend": "", "rounds": 0,
    });
    let Value::Object(map) = fields else { return Map::new() };
    map
}

/// Medians of rounds of (operations, real ns, CPU ns), put into a record.
pub(crate) fn fill(record: &mut Map<String, Value>, rounds: &[(u64, u64, u64)]) {
    let per_op = |pick: fn(&(u64, u64, u64)) -> u64| {
        let mut all: Vec<f64> =
            rounds.iter().map(|round| pick(round) as f64 / round.0.max(1) as f64).collect();
        all.sort_by(f64::total_cmp);
        let median = all[all.len() / 2];
        (median, (all[all.len() - 1] - all[0]) / median)
    };
    let ((wall, spread_wall), (cpu, spread_cpu)) = (per_op(|r| r.1), per_op(|r| r.2));
    let figures = [
        ("ops_per_s", 1e9 / wall),
        ("wall_ns_per_op", wall),
        ("cpu_ns_per_op", cpu),
        ("spread_wall", spread_wall),
        ("spread_cpu", spread_cpu),
    ];
    for (name, value) in figures {
        record.insert(name.into(), json!(value));
    }
    record.insert("rounds".into(), json!(rounds.len()));
}

fn one(model: &'static Model, effort: &Effort, records: &mut Vec<Value>) -> Result<()> {
    let server = Server::start(model)?;
    let mut clients = Clients::new(server.port);
    clients.open(ACTIVE)?;
    clients.run(ACTIVE, Duration::from_millis(20))?;
    let calls = calls(&server, &mut clients);
    let before = watch::memory(server.id())?;
    for &count in effort.counts {
        let mut record = base(model.name, &format!("{count} open"));
        let kept = clients.open(count)?;
        let mut extra =
            json!({ "connections": kept, "request_bytes": REQUEST, "ends": model.ends });
        match &calls {
            Ok(calls) => extra["syscalls_per_request"] = json!(calls),
            Err(reason) => extra["no_syscalls"] = json!(format!("{reason:#}")),
        }
        if kept >= 1000 {
            let after = watch::memory(server.id())?;
            let each =
                |now: u64, then: u64| now.saturating_sub(then) as f64 / (kept - ACTIVE) as f64;
            extra["bytes_per_idle_connection"] = json!(each(after.0, before.0));
            extra["pss_bytes_per_idle_connection"] = json!(each(after.1, before.1));
        }
        if kept < count {
            record.insert("missing".into(), json!(format!("it keeps {kept} ({})", model.ends)));
            record.insert("extra".into(), extra);
            records.push(record.into());
            break;
        }
        let mut rounds = Vec::new();
        clients.run(ACTIVE, effort.span / 4)?;
        for _ in 0..effort.rounds {
            rounds.push(window(&server, &mut clients, effort.span)?);
        }
        fill(&mut record, &rounds);
        record.insert("extra".into(), extra);
        records.push(record.into());
    }
    Ok(())
}

fn window(server: &Server, clients: &mut Clients, span: Duration) -> Result<(u64, u64, u64)> {
    quiet();
    let before = watch::cpu_ns(server.id())?;
    let window = clients.run(ACTIVE, span)?;
    quiet();
    let cpu = watch::cpu_ns(server.id())? - before;
    Ok((window.requests, window.wall.as_nanos() as u64, cpu))
}

/// System calls of the server for one request, counted by the kernel while one client speaks.
fn calls(server: &Server, clients: &mut Clients) -> Result<f64> {
    let mut calls = watch::Calls::of(server.id())?;
    let window = clients.run(ACTIVE, Duration::from_millis(50))?;
    Ok(calls.count()? as f64 / window.requests.max(1) as f64)
}

/// Lets the server fall asleep: only then its CPU time is up to date.
fn quiet() {
    sleep(Duration::from_millis(5));
}

/// A server in a process of its own, ended when it goes out of scope.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(model: &Model) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("own path")?);
        command.args(["serve", model.name]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a server")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut server = Server { child, port: 0 };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(port) = line.strip_prefix("ready ") else {
            bail!("the server said {line:?}");
        };
        server.port = port.trim().parse()?;
        Ok(server)
    }

    fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `work` and answers its real time and the CPU time of this process, in ns.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, u64, u64)> {
    let cpu = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    };
    let (start, before) = (Instant::now(), cpu());
    let value = work()?;
    Ok((value, start.elapsed().as_nanos() as u64, cpu() - before))
}
