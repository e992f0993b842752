//! A TCP echo server on [`Ring`] alone: multishot accept, then receive and send in turn.
//!
//! `echo_ring [PORT]` serves 127.0.0.1 until it is stopped; `echo_ring --self-test` serves a
//! client of its own, checks every byte and ends.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use uvring_core::Errno;
use uvring_core::uring::{Config, Ring, Slot, Sqe};

#[path = "common/client.rs"]
mod client;

const ACCEPT: u64 = u64::MAX;
const BUFFER: usize = 4096;
const SOCK_CLOEXEC: u32 = 0o2_000_000;
const MSG_NOSIGNAL: u32 = 0x4000;

/// One connection. Its descriptor is what its requests carry, so it is found by number.
struct Connection {
    // On the heap of its own: the kernel writes here while the table may grow.
    buffer: Box<[u8; BUFFER]>,
    received: usize,
    sent: usize,
}

struct Server {
    ring: Ring,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    /// Connections that ended.
    served: usize,
}

impl Server {
    fn new(listener: TcpListener) -> Result<Self, Errno> {
        let ring = Ring::new(&Config::new(256))?;
        let server = Server { ring, listener, connections: Vec::new(), served: 0 };
        server.accept()?;
        Ok(server)
    }

    fn push(&self, sqe: Sqe) -> Result<(), Errno> {
        if self.ring.push(sqe) == Err(Errno::BUSY) {
            self.ring.submit()?;
            return self.ring.push(sqe);
        }
        Ok(())
    }

    fn accept(&self) -> Result<(), Errno> {
        let fd = self.listener.as_raw_fd();
        self.push(Sqe::accept_multishot(fd, SOCK_CLOEXEC, Slot::Process).user_data(ACCEPT))
    }

    fn receive(&mut self, fd: i32) -> Result<(), Errno> {
        let Some(Some(connection)) = self.connections.get_mut(fd as usize) else { return Ok(()) };
        connection.received = 0;
        connection.sent = 0;
        let buffer = connection.buffer.as_mut_ptr();
        // SAFETY: the buffer lives until the connection is removed, which happens on a completion,
        // when nothing of it is in flight.
        let sqe = unsafe { Sqe::recv(fd, buffer, BUFFER as u32, 0) };
        self.push(sqe.user_data(fd as u64))
    }

    fn send(&mut self, fd: i32) -> Result<(), Errno> {
        let Some(Some(connection)) = self.connections.get(fd as usize) else { return Ok(()) };
        let rest = &connection.buffer[connection.sent..connection.received];
        // SAFETY: as in `receive`.
        let sqe = unsafe { Sqe::send(fd, rest.as_ptr(), rest.len() as u32, MSG_NOSIGNAL) };
        self.push(sqe.user_data(fd as u64))
    }

    fn close(&mut self, fd: i32) -> Result<(), Errno> {
        self.connections[fd as usize] = None;
        self.served += 1;
        self.push(Sqe::close(fd).user_data(ACCEPT - 1))
    }

    fn on_accept(&mut self, result: Result<u32, Errno>, more: bool) -> Result<(), Errno> {
        if let Ok(fd) = result {
            let index = fd as usize;
            if self.connections.len() <= index {
                self.connections.resize_with(index + 1, || None);
            }
            self.connections[index] =
                Some(Connection { buffer: Box::new([0; BUFFER]), received: 0, sent: 0 });
            self.receive(fd as i32)?;
        }
        if more { Ok(()) } else { self.accept() }
    }

    fn on_connection(&mut self, fd: i32, result: Result<u32, Errno>) -> Result<(), Errno> {
        let Some(Some(connection)) = self.connections.get_mut(fd as usize) else { return Ok(()) };
        match result {
            Ok(0) | Err(_) => self.close(fd),
            Ok(count) if connection.received == 0 => {
                connection.received = count as usize;
                self.send(fd)
            }
            Ok(count) => {
                connection.sent += count as usize;
                if connection.sent < connection.received { self.send(fd) } else { self.receive(fd) }
            }
        }
    }

    /// Serves until `enough` connections have ended.
    fn run(&mut self, enough: usize) -> Result<(), Errno> {
        while self.served < enough {
            match self.ring.enter(None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            while let Some(cqe) = self.ring.pop() {
                match cqe.user_data {
                    ACCEPT => self.on_accept(cqe.result(), cqe.more())?,
                    fd if fd < ACCEPT - 1 => self.on_connection(fd as i32, cqe.result())?,
                    _ => {}
                }
            }
        }
        // The last close goes out, too.
        self.ring.look().map(drop)
    }
}

fn serve(listener: TcpListener, enough: usize) -> Result<(), Errno> {
    Server::new(listener)?.run(enough)
}

fn main() -> ExitCode {
    let self_test = std::env::args().any(|arg| arg == "--self-test");
    if let (true, Err(error)) = (self_test, Ring::new(&Config::new(8))) {
        println!("skipped: the kernel refuses io_uring: {error}");
        return ExitCode::SUCCESS;
    }
    let port = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(0);
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => listener,
        Err(error) => return client::fail(&error),
    };
    let result = if self_test {
        client::checked(listener, serve)
    } else {
        println!("listening on {:?}", listener.local_addr());
        serve(listener, usize::MAX)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => client::fail(&error),
    }
}
