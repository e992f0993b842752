//! epoll, level-triggered: the kernel keeps the set, and names those that are ready as long as they
//! are. What is not read now is told again. Cost follows the active.
use crate::conn::{Conn, SHARED, Table, Turn, accept_all};
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use uvring_core::epoll::Epoll;

const READ: u32 = libc::EPOLLIN as u32;
const WRITE: u32 = libc::EPOLLOUT as u32;

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    let door = listener.as_raw_fd();
    epoll.add(door, READ, door as u64)?;
    let mut conns: Table<Conn> = Table::default();
    let mut buf = vec![0; SHARED];
    let mut events = [MaybeUninit::uninit(); 256];
    loop {
        for event in epoll.wait(&mut events, None)? {
            let fd = event.data.u64() as i32;
            if fd == door {
                if !accept_all(&listener, |stream| {
                    epoll.add(stream.as_raw_fd(), READ, stream.as_raw_fd() as u64)?;
                    conns.put(stream.as_raw_fd(), Conn::new(stream)?);
                    Ok(())
                })? {
                    return Ok(());
                }
                continue;
            }
            let Some(conn) = conns.get(fd) else { continue };
            let was_full = conn.is_full();
            match conn.turn(&mut buf) {
                // Closing the descriptor takes it out of the set.
                Turn::Closed => drop(conns.remove(fd)),
                _ if conn.is_full() == was_full => {}
                // While the client does not read, nothing more is read from it.
                _ => epoll.modify(fd, if was_full { READ } else { WRITE }, fd as u64)?,
            }
        }
    }
}
