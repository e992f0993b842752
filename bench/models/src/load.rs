//! Clients: many connections, a few of them busy with one request each, every byte checked.
use crate::conn::SHARED;
use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use uvring_core::epoll::Epoll;

/// Bytes of a request.
pub const REQUEST: usize = 64;
/// Connections opened before the last of them has to get an answer: the server's queue is longer.
const BATCH: usize = 256;
/// Nobody waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Open connections to one server.
#[derive(Debug)]
pub struct Clients {
    port: u16,
    conns: Vec<TcpStream>,
}

/// One measured span.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Requests answered.
    pub requests: u64,
    /// How long it took.
    pub wall: Duration,
}

impl Clients {
    /// None yet, of the server on this port of 127.0.0.1.
    pub fn new(port: u16) -> Self {
        Clients { port, conns: Vec::new() }
    }

    /// Opens more, until there are `total`. Answers how many the server keeps: less than that when
    /// it turned some away.
    ///
    /// # Errors
    /// When a connection cannot be had, or no answer comes on one that is open.
    pub fn open(&mut self, total: usize) -> Result<usize> {
        while self.conns.len() < total {
            let first = self.conns.len();
            for _ in 0..BATCH.min(total - first) {
                let conn = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
                let conn = conn.with_context(|| format!("connection {}", self.conns.len()))?;
                conn.set_nodelay(true)?;
                conn.set_read_timeout(Some(PATIENCE))?;
                self.conns.push(conn);
            }
            // They are accepted in order, so the answer of the last one stands for all.
            let last = self.conns.len() - 1;
            if echo(&self.conns[last], &request(last as u64)).is_ok() {
                continue;
            }
            for place in first..=last {
                if echo(&self.conns[place], &request(place as u64)).is_err() {
                    self.conns.truncate(place);
                    return Ok(place);
                }
            }
            bail!("the server closed a connection that it had accepted");
        }
        Ok(total)
    }

    /// `active` connections, evenly among all, with one request each under way, for `span`.
    /// Everything is answered at the end.
    ///
    /// # Errors
    /// A wrong byte, a connection closed, or no answer in time.
    pub fn run(&mut self, active: usize, span: Duration) -> Result<Window> {
        let step = (self.conns.len() / active).max(1);
        let busy: Vec<&TcpStream> = self.conns.iter().rev().step_by(step).take(active).collect();
        let epoll = Epoll::new()?;
        let mut got = vec![0; busy.len()];
        let mut sent = vec![0; busy.len()];
        let mut buf = vec![0; SHARED];
        let mut events = [MaybeUninit::uninit(); 64];
        for (place, conn) in busy.iter().enumerate() {
            epoll.add(conn.as_raw_fd(), libc::EPOLLIN as u32, place as u64)?;
        }
        let start = Instant::now();
        for (place, &(mut conn)) in busy.iter().enumerate() {
            conn.write_all(&request(0))?;
            sent[place] = 1;
        }
        let (mut open, mut requests) = (busy.len(), 0);
        while open > 0 {
            let ready = epoll.wait(&mut events, Some(PATIENCE))?;
            if ready.is_empty() {
                bail!("no answer within {} s", PATIENCE.as_secs());
            }
            let is_over = start.elapsed() >= span;
            for event in ready {
                let place = event.data.u64() as usize;
                let mut conn = busy[place];
                let count = conn.read(&mut buf[..REQUEST - got[place]])?;
                let whole = request(sent[place] - 1);
                if count == 0 || buf[..count] != whole[got[place]..got[place] + count] {
                    bail!("{count} bytes, or wrong ones, on a busy connection");
                }
                got[place] += count;
                if got[place] < REQUEST {
                    continue;
                }
                got[place] = 0;
                requests += 1;
                if is_over {
                    open -= 1;
                } else {
                    conn.write_all(&request(sent[place]))?;
                    sent[place] += 1;
                }
            }
        }
        Ok(Window { requests, wall: start.elapsed() })
    }
}

/// The bytes of a request, which tell its number.
fn request(number: u64) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = (number.wrapping_mul(31).wrapping_add(place as u64) % 251) as u8;
    }
    bytes
}

fn echo(mut conn: &TcpStream, bytes: &[u8]) -> Result<()> {
    let mut back = vec![0; bytes.len()];
    conn.write_all(bytes)?;
    match conn.read_exact(&mut back) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("no answer"),
        result => result?,
    }
    if back == bytes { Ok(()) } else { bail!("wrong bytes") }
}
