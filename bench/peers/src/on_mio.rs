//! mio: epoll, edge-triggered, without tasks; one buffer for all.
use crate::{READ, ready};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};

const DOOR: Token = Token(usize::MAX);

struct Conn {
    stream: TcpStream,
    /// Read, and not taken by the kernel yet.
    rest: Vec<u8>,
}

pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut listener, DOOR, Interest::READABLE)?;
    ready("mio", "epoll", listener.local_addr()?.port());
    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut buf = vec![0; READ];
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &events {
            if event.token() != DOOR {
                let place = event.token().0;
                if let Some(conn) = &mut conns[place]
                    && echo(conn, &mut buf).is_err()
                {
                    conns[place] = None;
                    free.push(place);
                }
                continue;
            }
            loop {
                let mut stream = match listener.accept() {
                    Ok((stream, _)) => stream,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                stream.set_nodelay(true)?;
                let place = free.pop().unwrap_or_else(|| {
                    conns.push(None);
                    conns.len() - 1
                });
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(place), both)?;
                conns[place] = Some(Conn { stream, rest: Vec::new() });
            }
        }
    }
}

/// Until nothing is left to read, as edges want it. An error ends the connection.
fn echo(conn: &mut Conn, buf: &mut [u8]) -> io::Result<()> {
    loop {
        if !conn.rest.is_empty() {
            let Some(sent) = now(conn.stream.write(&conn.rest))? else { return Ok(()) };
            conn.rest.drain(..sent);
            continue;
        }
        let Some(count) = now(conn.stream.read(buf))? else { return Ok(()) };
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let sent = now(conn.stream.write(&buf[..count]))?.unwrap_or(0);
        conn.rest.extend_from_slice(&buf[sent..count]);
    }
}

fn now(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
