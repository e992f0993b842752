//! One pool of connections, on which requests start at fixed times.
use super::Latencies;
use anyhow::{Context, Result, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Connections of the pool.
const CONNECTIONS: usize = 64;
/// Between the starts of two requests.
const INTERVAL: Duration = Duration::from_millis(2);
/// Every so often a connection is closed and another opened, so that a server that loses some
/// shows it.
const RENEWAL: Duration = Duration::from_millis(500);
/// Bytes of a request; every [`LARGE_EVERY`]th is large.
const SMALL: usize = 64;
const LARGE: usize = 4096;
const LARGE_EVERY: u64 = 16;
/// No answer for so long ends the run.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pool.
pub(super) struct Load {
    port: u16,
    epoll: Epoll,
    conns: Vec<Conn>,
    due: Instant,
    renewal: Instant,
    sent: u64,
}

struct Conn {
    stream: TcpStream,
    /// When the request under way began.
    since: Option<Instant>,
    /// Bytes of its answer that are missing.
    missing: usize,
}

impl Load {
    /// Connects all to 127.0.0.1.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("epoll")?;
        let conns = (0..CONNECTIONS).map(|index| open(port, &epoll, index));
        let conns = conns.collect::<Result<Vec<_>>>()?;
        let now = Instant::now();
        Ok(Self { port, epoll, conns, due: now, renewal: now + RENEWAL, sent: 0 })
    }

    /// Goes on until `deadline` and puts the latencies into `seen`.
    ///
    /// A request that is due while all connections wait counts from the time when it was due,
    /// so a server that stalls is not asked less.
    pub(super) fn run(&mut self, deadline: Instant, seen: &mut Latencies) -> Result<()> {
        let mut events = [EpollEvent::empty(); CONNECTIONS];
        self.due = self.due.max(Instant::now());
        let mut late = false;
        loop {
            let now = Instant::now();
            let waiting = self.conns.iter().filter_map(|conn| conn.since).min();
            if waiting.is_some_and(|since| now > since + PATIENCE) {
                bail!("no answer for {} s", PATIENCE.as_secs());
            }
            if now >= deadline {
                if waiting.is_none() {
                    return Ok(());
                }
            } else {
                late = self.start_due(now, late)?;
                self.renew(now)?;
            }
            let timeout = self.due.saturating_duration_since(now).as_millis().clamp(1, 100);
            let timeout = EpollTimeout::try_from(timeout as i32).unwrap_or(EpollTimeout::ZERO);
            let count = match self.epoll.wait(&mut events, timeout) {
                Err(nix::errno::Errno::EINTR) => 0,
                other => other.context("epoll")?,
            };
            for event in &events[..count] {
                let conn = &mut self.conns[event.data() as usize];
                if let Some(since) = conn.take()? {
                    let ns = since.elapsed().as_nanos().clamp(1000, 60_000_000_000);
                    seen.record(ns as u64).context("histogram")?;
                }
            }
        }
    }

    /// Starts what is due by `now`; true if something must wait for a free connection.
    fn start_due(&mut self, now: Instant, late: bool) -> Result<bool> {
        let mut late = late;
        while self.due <= now {
            let Some(conn) = self.conns.iter_mut().find(|conn| conn.since.is_none()) else {
                return Ok(true);
            };
            self.sent += 1;
            let size = if self.sent.is_multiple_of(LARGE_EVERY) { LARGE } else { SMALL };
            // Being woken a little late is our own fault, not the server's.
            conn.ask(size, if late { self.due } else { Instant::now() })?;
            self.due += INTERVAL;
            late = late && self.due <= now;
        }
        Ok(false)
    }

    fn renew(&mut self, now: Instant) -> Result<()> {
        if now < self.renewal {
            return Ok(());
        }
        self.renewal = now + RENEWAL;
        // The last is the one that is used least.
        let index = CONNECTIONS - 1;
        if self.conns[index].since.is_none() {
            // Closing takes the old one out of the epoll set.
            self.conns[index] = open(self.port, &self.epoll, index)?;
        }
        Ok(())
    }
}

impl Conn {
    fn ask(&mut self, size: usize, since: Instant) -> Result<()> {
        self.stream.write_all(&[b'x'; LARGE][..size]).context("write")?;
        self.since = Some(since);
        self.missing = size;
        Ok(())
    }

    /// Reads what is there; returns when the request began that is answered with it.
    fn take(&mut self) -> Result<Option<Instant>> {
        let mut bytes = [0; LARGE];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(n) if n > self.missing => bail!("more bytes than asked for"),
                Ok(n) => {
                    if bytes[..n].iter().any(|byte| *byte != b'x') {
                        bail!("wrong bytes");
                    }
                    self.missing -= n;
                    if self.missing == 0 {
                        return Ok(self.since.take());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error).context("read"),
            }
        }
    }
}

fn open(port: u16, epoll: &Epoll, index: usize) -> Result<Conn> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect")?;
    stream.set_nodelay(true).context("nodelay")?;
    stream.set_nonblocking(true).context("nonblocking")?;
    epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64)).context("epoll add")?;
    Ok(Conn { stream, since: None, missing: 0 })
}
