//! poll(2): select without the bound. The list stays as it is between calls, but the kernel reads
//! all of it each time, and the program looks through it for the answer. Cost follows the registered.
use crate::conn::{Conn, SHARED, Turn, accept_all};
use libc::{POLLIN, POLLOUT, pollfd};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut conns: Vec<Conn> = Vec::new();
    // The listening socket stands behind the connections, so that both lists count alike.
    let door = pollfd { fd: listener.as_raw_fd(), events: POLLIN, revents: 0 };
    let mut list: Vec<pollfd> = vec![door];
    let mut buf = vec![0; SHARED];
    loop {
        // SAFETY: the list is exclusively borrowed, with its true length.
        let count = unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, -1) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        // Backwards: the last one takes the place of one that is removed.
        for place in (0..conns.len()).rev() {
            if list[place].revents == 0 {
                continue;
            }
            if conns[place].turn(&mut buf) == Turn::Closed {
                conns.swap_remove(place);
                list.remove(conns.len());
                if let Some(moved) = conns.get(place) {
                    list[place] = entry(moved);
                }
            } else {
                list[place] = entry(&conns[place]);
            }
        }
        let at = conns.len();
        if list[at].revents != 0 {
            list.truncate(at);
            if !accept_all(&listener, |stream| {
                let conn = Conn::new(stream)?;
                list.push(entry(&conn));
                conns.push(conn);
                Ok(())
            })? {
                return Ok(());
            }
            list.push(door);
        }
    }
}

fn entry(conn: &Conn) -> pollfd {
    let events = if conn.is_full() { POLLOUT } else { POLLIN };
    pollfd { fd: conn.fd(), events, revents: 0 }
}
