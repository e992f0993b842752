//! select(2): three sets of bits, written by the program and read by the kernel up to the highest
//! descriptor, in every call. Cost follows the registered, and the sets end at `FD_SETSIZE`.
use crate::conn::{Conn, SHARED, Table, Turn, accept_all};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::null_mut;

/// A set of descriptors below `FD_SETSIZE`.
struct Set(libc::fd_set);

impl Set {
    fn new() -> Self {
        // SAFETY: an array of integers; all zero is the empty set.
        Set(unsafe { std::mem::zeroed() })
    }

    fn add(&mut self, fd: RawFd) {
        assert!(fits(fd), "select: descriptor {fd}");
        // SAFETY: the place is inside the set, as was just checked.
        unsafe { libc::FD_SET(fd, &mut self.0) }
    }

    fn has(&self, fd: RawFd) -> bool {
        // SAFETY: the place is inside the set.
        fits(fd) && unsafe { libc::FD_ISSET(fd, &self.0) }
    }
}

/// A greater descriptor would be written behind the set: the C macro does not look.
fn fits(fd: RawFd) -> bool {
    (0..libc::FD_SETSIZE as RawFd).contains(&fd)
}

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let door = listener.as_raw_fd();
    let mut conns: Table<Conn> = Table::default();
    let mut buf = vec![0; SHARED];
    loop {
        // The kernel overwrites the sets with its answer, so they are made anew each time.
        let (mut readable, mut writable) = (Set::new(), Set::new());
        let mut highest = door;
        readable.add(door);
        for conn in conns.all() {
            let set = if conn.is_full() { &mut writable } else { &mut readable };
            set.add(conn.fd());
            highest = highest.max(conn.fd());
        }
        wait(highest, &mut readable, &mut writable)?;
        for fd in (0..=highest).filter(|&fd| readable.has(fd) || writable.has(fd)) {
            if let Some(conn) = conns.get(fd)
                && conn.turn(&mut buf) == Turn::Closed
            {
                conns.remove(fd);
            }
        }
        if readable.has(door)
            && !accept_all(&listener, |stream| {
                // One that does not fit into a set is closed: nobody would ever hear it.
                if fits(stream.as_raw_fd()) {
                    conns.put(stream.as_raw_fd(), Conn::new(stream)?);
                }
                Ok(())
            })?
        {
            return Ok(());
        }
    }
}

fn wait(highest: RawFd, readable: &mut Set, writable: &mut Set) -> io::Result<()> {
    // SAFETY: the sets outlive the call, and `highest` is below FD_SETSIZE.
    let count = unsafe {
        libc::select(highest + 1, &mut readable.0, &mut writable.0, null_mut(), null_mut())
    };
    if count < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
