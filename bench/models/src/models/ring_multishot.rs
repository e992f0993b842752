//! io_uring with standing orders: one submission accepts for ever, one for each connection receives
//! for ever, into buffers that all of them share and the kernel picks only when bytes are there. An
//! idle connection holds no buffer, and a request costs one submission: its answer.
use super::ring::{DOOR, ENTRIES, next, push};
use crate::conn::{OWN, Table};
use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use uvring_core::Errno;
use uvring_core::uring::sqe::CancelFlags;
use uvring_core::uring::{BufRing, Config, Cqe, Ring, Slot, Sqe};

/// Buffers of all connections together, of `OWN` bytes each.
const BUFFERS: u16 = 1024;
/// A client that does not read must not end up with all of them: from this many on its connection
/// stops receiving, until half are sent.
const MOST: usize = 32;
/// Carried by what needs no answer.
const IGNORED: u64 = DOOR - 1;
/// Marks a send in what an operation carries.
const SEND: u64 = 1 << 32;

/// A buffer with bytes to send.
struct Piece {
    id: u16,
    at: usize,
    end: usize,
}

struct Conn {
    stream: TcpStream,
    /// In the order they came. The first is being sent.
    pieces: VecDeque<Piece>,
    /// Its standing order is in the kernel.
    receives: bool,
    /// It has too many buffers: its order is being withdrawn, or is.
    pauses: bool,
    /// The client sends no more, or there was an error.
    ends: bool,
}

struct Server<'r> {
    ring: &'r Ring,
    lent: &'r BufRing<'r>,
    memory: *mut u8,
    conns: Table<Conn>,
    /// Without a standing order, because there was no buffer.
    starved: Vec<RawFd>,
    ends: bool,
}

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    let ring = Ring::new(&Config::new(ENTRIES))?;
    // Freed after the ring is quiet; after an error it is not, and then never.
    // Not zeroes, which the allocator would leave to the first touch: memory is measured, too.
    let mut memory = ManuallyDrop::new(vec![1_u8; usize::from(BUFFERS) * OWN]);
    let lent = BufRing::new(&ring, BUFFERS, 0)?;
    let mut server = Server {
        ring: &ring,
        lent: &lent,
        memory: memory.as_mut_ptr(),
        conns: Table::default(),
        starved: Vec::new(),
        ends: false,
    };
    for id in 0..BUFFERS {
        server.lend(id);
    }
    server.accept(&listener)?;
    while !(server.ends && server.conns.is_empty()) {
        let cqe = next(&ring)?;
        if cqe.user_data == DOOR {
            server.accepted(cqe, &listener)?;
        } else if cqe.user_data == IGNORED {
            continue;
        } else if cqe.user_data & SEND != 0 {
            server.sent(cqe.user_data as u32 as RawFd, cqe)?;
        } else {
            server.received(cqe.user_data as RawFd, cqe)?;
        }
    }
    drop(lent);
    drop(ManuallyDrop::into_inner(memory));
    Ok(())
}

impl Server<'_> {
    fn lend(&mut self, id: u16) {
        // SAFETY: inside the memory, which stays as long as the ring works; nothing sends from it.
        unsafe {
            self.lent.lend(self.memory.add(usize::from(id) * OWN), OWN as u32, id);
        }
        self.lent.publish();
    }

    fn accept(&self, listener: &TcpListener) -> io::Result<()> {
        let flags = libc::SOCK_CLOEXEC as u32;
        let sqe = Sqe::accept_multishot(listener.as_raw_fd(), flags, Slot::Process);
        push(self.ring, sqe.user_data(DOOR))
    }

    fn accepted(&mut self, cqe: Cqe, listener: &TcpListener) -> io::Result<()> {
        match cqe.result() {
            Ok(fd) => {
                let fd = fd as RawFd;
                // SAFETY: a new descriptor that the kernel made for us.
                let stream = unsafe { TcpStream::from_raw_fd(fd) };
                stream.set_nodelay(true)?;
                let pieces = VecDeque::new();
                let conn = Conn { stream, pieces, receives: false, pauses: false, ends: false };
                self.conns.put(fd, conn);
                self.receive(fd)?;
            }
            Err(Errno::CONNABORTED) => {}
            Err(Errno::INVAL) => {
                self.ends = true;
                for conn in self.conns.all() {
                    let _ = conn.stream.shutdown(Shutdown::Both);
                }
                return self.feed();
            }
            Err(error) => return Err(error.into()),
        }
        if cqe.more() { Ok(()) } else { self.accept(listener) }
    }

    /// Gives a standing order, unless there is one or should be none.
    fn receive(&mut self, fd: RawFd) -> io::Result<()> {
        let Some(conn) = self.conns.get(fd) else { return Ok(()) };
        if conn.receives || conn.pauses || conn.ends {
            return Ok(());
        }
        conn.receives = true;
        push(self.ring, Sqe::recv_multishot(fd, self.lent.group(), 0).user_data(fd as u64))
    }

    fn received(&mut self, fd: RawFd, cqe: Cqe) -> io::Result<()> {
        let Some(conn) = self.conns.get(fd) else { return Ok(()) };
        conn.receives = cqe.more();
        match (cqe.result(), cqe.buffer()) {
            (Ok(count @ 1..), Some(id)) => {
                conn.pieces.push_back(Piece { id, at: 0, end: count as usize });
                let (count, was_paused) = (conn.pieces.len(), conn.pauses);
                conn.pauses = was_paused || count >= MOST;
                if conn.pauses && !was_paused && cqe.more() {
                    let stop = Sqe::cancel(fd as u64, CancelFlags::empty());
                    push(self.ring, stop.user_data(IGNORED))?;
                }
                if count == 1 {
                    self.send(fd)?;
                }
                return self.receive(fd);
            }
            // Withdrawn because of too many buffers, which may all be sent by now.
            (Err(Errno::CANCELED), _) => return self.receive(fd),
            // All buffers are on their way out: it goes on when one comes back.
            (Err(Errno::NOBUFS), _) => {
                self.starved.push(fd);
                return Ok(());
            }
            (_, Some(id)) => self.lend(id),
            _ => {}
        }
        self.finish(fd)
    }

    fn send(&mut self, fd: RawFd) -> io::Result<()> {
        let Some(conn) = self.conns.get(fd) else { return Ok(()) };
        let Some(piece) = conn.pieces.front() else { return Ok(()) };
        let len = (piece.end - piece.at) as u32;
        // SAFETY: a part of a buffer that was handed back, and is not lent again before `sent`.
        let sqe = unsafe {
            let from = self.memory.add(usize::from(piece.id) * OWN + piece.at);
            Sqe::send(fd, from, len, libc::MSG_NOSIGNAL as u32)
        };
        push(self.ring, sqe.user_data(fd as u64 | SEND))
    }

    fn sent(&mut self, fd: RawFd, cqe: Cqe) -> io::Result<()> {
        let Some(conn) = self.conns.get(fd) else { return Ok(()) };
        let Some(piece) = conn.pieces.front_mut() else { return Ok(()) };
        let is_done = match cqe.result() {
            Ok(count) => {
                piece.at += count as usize;
                piece.at == piece.end
            }
            Err(_) => {
                // The client is gone: what it sent before is of no use, and its order ends too.
                let _ = conn.stream.shutdown(Shutdown::Both);
                conn.ends = true;
                true
            }
        };
        let freed: Vec<u16> = match (conn.ends && cqe.result().is_err(), is_done) {
            (true, _) => conn.pieces.drain(..).map(|piece| piece.id).collect(),
            (false, true) => conn.pieces.pop_front().map(|piece| piece.id).into_iter().collect(),
            (false, false) => Vec::new(),
        };
        for id in freed {
            self.lend(id);
        }
        self.feed()?;
        self.send(fd)?;
        self.resume(fd)?;
        self.clear(fd);
        Ok(())
    }

    /// Renews the orders of those that found no buffer.
    fn feed(&mut self) -> io::Result<()> {
        for fd in std::mem::take(&mut self.starved) {
            // Another connection may have the number by now: then this does nothing.
            self.receive(fd)?;
        }
        Ok(())
    }

    fn resume(&mut self, fd: RawFd) -> io::Result<()> {
        let Some(conn) = self.conns.get(fd) else { return Ok(()) };
        if conn.pauses && conn.pieces.len() <= MOST / 2 {
            conn.pauses = false;
            return self.receive(fd);
        }
        Ok(())
    }

    fn finish(&mut self, fd: RawFd) -> io::Result<()> {
        if let Some(conn) = self.conns.get(fd) {
            conn.ends = true;
        }
        self.clear(fd);
        self.feed()
    }

    /// Closes a connection once nothing of it is in the kernel.
    fn clear(&mut self, fd: RawFd) {
        let over = |conn: &mut Conn| conn.ends && !conn.receives && conn.pieces.is_empty();
        if self.conns.get(fd).is_some_and(over) {
            self.conns.remove(fd);
        }
    }
}
