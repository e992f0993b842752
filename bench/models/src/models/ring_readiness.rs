//! io_uring as a poll: it says who is ready, the program reads and writes with system calls of its
//! own. One report for each asking, so that what was left is told again, as with epoll's levels; asking
//! costs an entry in the queue and no system call. Cost follows the active.
use super::ring::{DOOR, ENTRIES, next, push};
use crate::conn::{Conn, SHARED, Table, Turn, accept_all};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use uvring_core::uring::{Config, Ring, Sqe};

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let ring = Ring::new(&Config::new(ENTRIES))?;
    let mut conns: Table<Conn> = Table::default();
    let mut buf = vec![0; SHARED];
    watch_door(&ring, &listener)?;
    loop {
        let cqe = next(&ring)?;
        if cqe.user_data == DOOR {
            if !accept_all(&listener, |stream| {
                let conn = Conn::new(stream)?;
                watch(&ring, &conn)?;
                conns.put(conn.fd(), conn);
                Ok(())
            })? {
                break;
            }
            watch_door(&ring, &listener)?;
            continue;
        }
        let fd = cqe.user_data as RawFd;
        let Some(conn) = conns.get(fd) else { continue };
        match conn.turn(&mut buf) {
            Turn::Closed => drop(conns.remove(fd)),
            _ => watch(&ring, conn)?,
        }
    }
    // The ring's polls keep the connections open a while after the descriptors are closed.
    conns.all().for_each(|conn| conn.shut());
    Ok(())
}

fn watch_door(ring: &Ring, listener: &TcpListener) -> io::Result<()> {
    push(ring, Sqe::poll_add(listener.as_raw_fd(), libc::POLLIN as u32).user_data(DOOR))
}

fn watch(ring: &Ring, conn: &Conn) -> io::Result<()> {
    let events = if conn.is_full() { libc::POLLOUT } else { libc::POLLIN };
    push(ring, Sqe::poll_add(conn.fd(), events as u32).user_data(conn.fd() as u64))
}
