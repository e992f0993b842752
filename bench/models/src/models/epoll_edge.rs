//! epoll, edge-triggered: the kernel tells of changes only. Whoever is told must read until EAGAIN,
//! at the price of one more read(2); whoever stops before is never told again. Cost follows the active.
use crate::conn::{Conn, OWN, SHARED, Table, Turn, accept_all};
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use uvring_core::epoll::Epoll;

/// Both directions at once: the set is never changed again, a change of either is told.
const BOTH: u32 = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32;

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    serve_with(&listener, |conn, buf| conn.drain(buf))
}

/// The mistake: one read for each change, with a buffer that a client can fill.
pub(super) fn serve_undrained(listener: TcpListener) -> io::Result<()> {
    serve_with(&listener, |conn, buf| conn.turn(&mut buf[..OWN]))
}

fn serve_with(listener: &TcpListener, echo: fn(&mut Conn, &mut [u8]) -> Turn) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    let door = listener.as_raw_fd();
    epoll.add(door, BOTH, door as u64)?;
    let mut conns: Table<Conn> = Table::default();
    let mut buf = vec![0; SHARED];
    let mut events = [MaybeUninit::uninit(); 256];
    loop {
        for event in epoll.wait(&mut events, None)? {
            let fd = event.data.u64() as i32;
            if fd == door {
                // To the end, here too: a second connection in the queue is no change.
                if !accept_all(listener, |stream| {
                    // What came before it was added is told at once.
                    epoll.add(stream.as_raw_fd(), BOTH, stream.as_raw_fd() as u64)?;
                    conns.put(stream.as_raw_fd(), Conn::new(stream)?);
                    Ok(())
                })? {
                    return Ok(());
                }
            } else if conns.get(fd).is_some_and(|conn| echo(conn, &mut buf) == Turn::Closed) {
                conns.remove(fd);
            }
        }
    }
}
