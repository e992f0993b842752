//! A TCP echo server on `Epoll` alone: one thread, no allocation per connection's turn.
//!
//! `echo_epoll [PORT]` serves 127.0.0.1 until it is killed; `echo_epoll --self-test` talks to
//! itself, checks every byte and ends.
#![allow(missing_docs, reason = "an example")]

use std::mem::MaybeUninit;
use std::time::Duration;

use uvring_core::epoll::{Epoll, Event};
use uvring_core::{Errno, Result, socket};

const IN: u32 = 0x1;
const OUT: u32 = 0x4;
const NOSIGNAL: u32 = 0x4000;

/// Bytes that are on their way back to one client.
struct Client {
    fd: i32,
    buf: Vec<u8>,
    sent: usize,
    filled: usize,
}

impl Client {
    /// Moves bytes until the socket has no more, or no room. False when the connection is over.
    fn turn(&mut self, epoll: &Epoll) -> bool {
        loop {
            while self.sent < self.filled {
                let rest = &self.buf[self.sent..self.filled];
                // SAFETY: the slice is readable.
                match unsafe { socket::send(self.fd, rest.as_ptr(), rest.len(), NOSIGNAL) } {
                    Ok(sent) => self.sent += sent,
                    // While it has no room for our bytes, its own are left where they are.
                    Err(Errno::AGAIN) => {
                        return epoll.modify(self.fd, OUT, self.fd as u64).is_ok();
                    }
                    Err(_) => return false,
                }
            }
            // SAFETY: the buffer is writable, and nobody else has it.
            match unsafe { socket::recv(self.fd, self.buf.as_mut_ptr(), self.buf.len()) } {
                Ok(0) => return false,
                Ok(nread) => (self.sent, self.filled) = (0, nread),
                Err(Errno::AGAIN) => return epoll.modify(self.fd, IN, self.fd as u64).is_ok(),
                Err(_) => return false,
            }
        }
    }
}

struct Server {
    epoll: Epoll,
    listener: i32,
    clients: Vec<Option<Client>>,
}

impl Server {
    fn new(port: u16) -> Result<Self> {
        let listener = socket::socket(2, 1, 0)?;
        let mut addr = [0u8; 16];
        addr[0] = 2;
        addr[2..4].copy_from_slice(&port.to_be_bytes());
        addr[4..8].copy_from_slice(&[127, 0, 0, 1]);
        // SAFETY: the address is readable for 16 bytes.
        unsafe { socket::bind(listener, addr.as_ptr(), 16) }?;
        socket::listen(listener, 511)?;
        let epoll = Epoll::new()?;
        epoll.add(listener, IN, listener as u64)?;
        Ok(Server { epoll, listener, clients: vec![] })
    }

    fn port(&self) -> Result<u16> {
        let (mut addr, mut len) = ([0u8; 16], 16);
        // SAFETY: both are writable, and `len` is the room that there is.
        unsafe { socket::getsockname(self.listener, addr.as_mut_ptr(), &raw mut len) }?;
        Ok(u16::from_be_bytes([addr[2], addr[3]]))
    }

    fn accept(&mut self) -> Result<()> {
        // A bound, so that a flood of connections does not starve those that are there.
        for _ in 0..64 {
            let fd = match socket::accept(self.listener) {
                Ok(fd) => fd,
                Err(Errno::AGAIN | Errno::CONNABORTED) => return Ok(()),
                Err(errno) => return Err(errno),
            };
            self.epoll.add(fd, IN, fd as u64)?;
            let index = fd as usize;
            if self.clients.len() <= index {
                self.clients.resize_with(index + 1, || None);
            }
            self.clients[index] = Some(Client { fd, buf: vec![0; 65536], sent: 0, filled: 0 });
        }
        Ok(())
    }

    /// One wait and what it brings. Returns how many connections ended.
    fn turn(&mut self, timeout: Option<Duration>) -> Result<usize> {
        let mut room = [MaybeUninit::<Event>::uninit(); 256];
        let events = match self.epoll.wait(&mut room, timeout) {
            Ok(events) => events,
            Err(Errno::INTR) => return Ok(0),
            Err(errno) => return Err(errno),
        };
        let mut ended = 0;
        for event in events {
            let fd = event.data.u64() as i32;
            if fd == self.listener {
                self.accept()?;
                continue;
            }
            let Some(slot) = self.clients.get_mut(fd as usize) else { continue };
            if slot.as_mut().is_some_and(|client| !client.turn(&self.epoll)) {
                *slot = None;
                // Closing also takes it out of the epoll set.
                socket::close(fd)?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

/// Clients in threads send more than any buffer holds, and compare what comes back.
fn self_test(mut server: Server) -> Result<()> {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    const CLIENTS: usize = 8;
    const BYTES: usize = 1 << 20;
    let port = server.port()?;
    let threads: Vec<_> = (0..CLIENTS)
        .map(|seed| {
            std::thread::spawn(move || -> std::io::Result<bool> {
                let mut stream = TcpStream::connect(("127.0.0.1", port))?;
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                let data: Vec<u8> =
                    (0..BYTES).map(|i| (i.wrapping_mul(31) + i / 251 + seed) as u8).collect();
                let mut writer = stream.try_clone()?;
                let sent = data.clone();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&sent)?;
                    writer.shutdown(std::net::Shutdown::Write)
                });
                let mut back = vec![];
                stream.read_to_end(&mut back)?;
                Ok(writing.join().is_ok_and(|wrote| wrote.is_ok()) && back == data)
            })
        })
        .collect();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut ended = 0;
    while ended < CLIENTS && std::time::Instant::now() < deadline {
        ended += server.turn(Some(Duration::from_millis(100)))?;
    }
    let intact =
        threads.into_iter().filter_map(|t| t.join().ok()).filter(|r| matches!(r, Ok(true))).count();
    println!("echo_epoll: {intact} of {CLIENTS} clients got their {BYTES} bytes back");
    if intact == CLIENTS { Ok(()) } else { Err(Errno::IO) }
}

fn main() -> std::process::ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let result = if argument == "--self-test" {
        Server::new(0).and_then(self_test)
    } else {
        Server::new(argument.parse().unwrap_or(7000)).and_then(|mut server| {
            println!("echo_epoll: 127.0.0.1:{}", server.port()?);
            loop {
                server.turn(None)?;
            }
        })
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(errno) => {
            eprintln!("echo_epoll: {errno}");
            std::process::ExitCode::FAILURE
        }
    }
}
