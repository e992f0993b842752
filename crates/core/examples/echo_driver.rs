//! A TCP echo server on [`Driver`], on either backend.
//!
//! `echo_driver [--backend epoll|io_uring] [--port PORT]` serves 127.0.0.1 until it is stopped;
//! `--self-test` serves a client of its own, checks every byte and ends.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::process::ExitCode;
use std::ptr;

use uvring_core::Errno;
use uvring_core::driver::{Driver, Event, Kind, Watch, ready};

#[path = "common/client.rs"]
mod client;

/// Descriptors above this are refused.
const TABLE: usize = 65536;
const BUFFER: usize = 4096;
/// Reads and writes of one connection before the others get their turn.
const TURNS: usize = 32;

struct Connection {
    // Boxed: a watch must not move while it is on.
    watch: Box<Watch>,
    stream: TcpStream,
    /// Received and not sent back yet.
    pending: Vec<u8>,
}

struct Server {
    // The driver is dropped before the table it was lent.
    driver: Driver,
    _table: Box<[Cell<*const Watch>]>,
    listener: TcpListener,
    listening: Box<Watch>,
    connections: Vec<Option<Connection>>,
    served: usize,
}

enum Progress {
    /// Nothing more for now.
    Waits(u32),
    /// There may be more.
    Yields,
    Ended,
}

impl Connection {
    fn step(&mut self) -> std::io::Result<Progress> {
        let mut buffer = [0; BUFFER];
        for _ in 0..TURNS {
            while !self.pending.is_empty() {
                match self.stream.write(&self.pending) {
                    Ok(sent) => drop(self.pending.drain(..sent)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Ok(Progress::Waits(ready::OUT));
                    }
                    Err(error) => return Err(error),
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Progress::Ended),
                Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Progress::Waits(ready::IN));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::Yields)
    }
}

impl Server {
    fn new(listener: TcpListener, kind: Kind) -> Result<Self, Errno> {
        listener.set_nonblocking(true).map_err(|_| Errno::BADF)?;
        let table: Box<[_]> = (0..TABLE).map(|_| Cell::new(ptr::null())).collect();
        let driver = Driver::new(kind)?;
        // SAFETY: the table lives in the same struct, is never resized, and goes after the driver.
        unsafe { driver.lend_table(table.as_ptr(), TABLE as u32) };
        let listening = Box::new(Watch::new());
        listening.fd.set(listener.as_raw_fd());
        // SAFETY: boxed, and lives as long as the driver.
        unsafe { driver.watch(&listening, ready::IN) }?;
        println!("on {:?}", driver.kind());
        let connections = Vec::new();
        Ok(Server { driver, _table: table, listener, listening, connections, served: 0 })
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            let watch = Box::new(Watch::new());
            let fd = stream.as_raw_fd();
            watch.fd.set(fd);
            if self.connections.len() <= fd as usize {
                self.connections.resize_with(fd as usize + 1, || None);
            }
            // SAFETY: boxed, and ended in `close`.
            if unsafe { self.driver.watch(&watch, ready::IN | ready::DRAINS) }.is_ok() {
                let connection = Connection { watch, stream, pending: Vec::new() };
                self.connections[fd as usize] = Some(connection);
            }
        }
    }

    fn serve(&mut self, fd: usize, mask: u32) {
        let Some(Some(connection)) = self.connections.get_mut(fd) else { return };
        match connection.step() {
            Ok(Progress::Waits(direction)) => {
                // SAFETY: the same watch, still in its box.
                let _ = unsafe { self.driver.watch(&connection.watch, direction | ready::DRAINS) };
            }
            Ok(Progress::Yields) => self.driver.again(&connection.watch, mask),
            Ok(Progress::Ended) | Err(_) => self.close(fd),
        }
    }

    fn close(&mut self, fd: usize) {
        if let Some(connection) = self.connections[fd].take() {
            // The driver closes the descriptor.
            let _ = connection.stream.into_raw_fd();
            self.driver.unwatch_and_close(&connection.watch);
            self.served += 1;
        }
    }

    /// Serves until `enough` connections have ended.
    fn run(&mut self, enough: usize) -> Result<(), Errno> {
        while self.served < enough {
            match self.driver.wait(None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            while let Some(event) = self.driver.next() {
                let Event::Ready(watch, mask) = event else { continue };
                if ptr::eq(watch, &raw const *self.listening) {
                    self.accept();
                } else {
                    // SAFETY: the driver reports only watches that are on, and those are in boxes.
                    let fd = unsafe { (*watch).fd.get() };
                    self.serve(fd as usize, mask);
                }
            }
        }
        self.driver.flush();
        Ok(())
    }
}

fn main() -> ExitCode {
    let mut kind = Kind::Epoll;
    let mut port = 0;
    let mut self_test = false;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.len()) {
            ("--self-test", _) => self_test = true,
            ("--backend", 1..) => match args.next().as_deref() {
                Some("epoll") => kind = Kind::Epoll,
                Some("io_uring") => kind = Kind::Uring,
                _ => return client::fail(&"--backend is epoll or io_uring"),
            },
            ("--port", 1..) => match args.next().and_then(|port| port.parse().ok()) {
                Some(number) => port = number,
                None => return client::fail(&"--port takes a number"),
            },
            _ => return client::fail(&"unknown argument"),
        }
    }
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => listener,
        Err(error) => return client::fail(&error),
    };
    let serve = |listener, enough| Server::new(listener, kind)?.run(enough);
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
