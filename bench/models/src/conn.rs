//! What the servers share: accepting, one echo without waiting, connections found by descriptor.
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

/// Bytes read at once where all connections share one buffer.
pub const SHARED: usize = 64 * 1024;
/// Bytes of a buffer where each connection needs one of its own, idle or not.
pub const OWN: usize = 4096;
/// More waiting connections than clients open before they look for an answer.
const BACKLOG: i32 = 4096;

/// Listens on a free port of 127.0.0.1.
///
/// # Errors
/// As bind(2) and listen(2).
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // Again, for a longer queue than std asks for.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Ends the server that accepts from this socket, or from a duplicate of it.
///
/// # Errors
/// As shutdown(2): `NotConnected` when it ended before.
pub fn stop(listener: &TcpListener) -> io::Result<()> {
    Ok(rustix::net::shutdown(listener, rustix::net::Shutdown::Both)?)
}

/// What accepting gave.
#[derive(Debug)]
pub enum Accepted {
    /// A connection.
    One(TcpStream),
    /// Nothing is waiting.
    NoneNow,
    /// The listening socket was shut down.
    Stop,
}

/// Accepts one connection.
///
/// # Errors
/// As accept(2), but for what only concerns a client that is gone again.
pub fn accept(listener: &TcpListener) -> io::Result<Accepted> {
    loop {
        let error = match listener.accept() {
            Ok((stream, _)) => return Ok(Accepted::One(stream)),
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(libc::EAGAIN) => return Ok(Accepted::NoneNow),
            Some(libc::EINVAL) => return Ok(Accepted::Stop),
            Some(libc::ECONNABORTED) => {}
            _ => return Err(error),
        }
    }
}

/// Accepts all that wait; false when the server is to end.
///
/// # Errors
/// As [`accept`], and what `take` failed with.
pub fn accept_all(
    listener: &TcpListener,
    mut take: impl FnMut(TcpStream) -> io::Result<()>,
) -> io::Result<bool> {
    loop {
        match accept(listener)? {
            Accepted::One(stream) => take(stream)?,
            Accepted::NoneNow => return Ok(true),
            Accepted::Stop => return Ok(false),
        }
    }
}

/// How an attempt to echo ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Something was echoed; there may be more.
    Echoed,
    /// Nothing is there to read.
    Empty,
    /// The kernel takes no more bytes: nothing is read until it does.
    Full,
    /// The client is gone.
    Closed,
}

/// A connection that never blocks.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    /// Read, and not taken by the kernel yet. Empty, and without memory, nearly always.
    rest: Vec<u8>,
}

impl Conn {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// As fcntl(2) and setsockopt(2).
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Conn { stream, rest: Vec::new() })
    }

    /// Its descriptor.
    pub fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether it waits for room to write instead of for bytes to read.
    pub fn is_full(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Ends it for the client, whoever else still holds the descriptor.
    pub fn shut(&self) {
        // Fails when the client was faster, which is as good.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Sends what is left of the last echo, or reads once and sends that.
    pub fn turn(&mut self, buf: &mut [u8]) -> Turn {
        if self.is_full() {
            let rest = std::mem::take(&mut self.rest);
            return self.send(&rest);
        }
        match self.stream.read(buf) {
            Ok(0) => Turn::Closed,
            Ok(count) => self.send(&buf[..count]),
            Err(error) if is_not_now(&error) => Turn::Empty,
            Err(_) => Turn::Closed,
        }
    }

    /// Echoes until there is nothing to read or no room to write: whoever is told of changes only
    /// must not stop before.
    pub fn drain(&mut self, buf: &mut [u8]) -> Turn {
        loop {
            let turn = self.turn(buf);
            if turn != Turn::Echoed {
                return turn;
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Turn {
        let sent = match self.stream.write(bytes) {
            Ok(sent) => sent,
            Err(error) if is_not_now(&error) => 0,
            Err(_) => return Turn::Closed,
        };
        if sent == bytes.len() {
            return Turn::Echoed;
        }
        self.rest = bytes[sent..].to_vec();
        Turn::Full
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Connections, found by their descriptor.
#[derive(Debug)]
pub struct Table<T>(Vec<Option<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(Vec::new())
    }
}

impl<T> Table<T> {
    /// Adds one.
    pub fn put(&mut self, fd: RawFd, conn: T) {
        let place = fd as usize;
        if place >= self.0.len() {
            self.0.resize_with(place + 1, || None);
        }
        self.0[place] = Some(conn);
    }

    /// The one with this descriptor.
    pub fn get(&mut self, fd: RawFd) -> Option<&mut T> {
        self.0.get_mut(fd as usize)?.as_mut()
    }

    /// Takes it out.
    pub fn remove(&mut self, fd: RawFd) -> Option<T> {
        self.0.get_mut(fd as usize)?.take()
    }

    /// All of them.
    pub fn all(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}
