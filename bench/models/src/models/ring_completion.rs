//! io_uring as it is meant: the kernel reads and writes, and tells when it is done. A read that
//! waits needs its buffer from the beginning, so every idle connection holds one. Cost follows the active.
use super::ring::{DOOR, ENTRIES, next, push};
use crate::conn::{OWN, Table};
use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr::null_mut;
use uvring_core::Errno;
use uvring_core::uring::{Config, Ring, Slot, Sqe};

/// A connection with exactly one operation in the kernel: a receive, or a send of what came.
struct Conn {
    stream: TcpStream,
    /// Only the kernel touches it, but for the moment between two operations.
    buf: Box<[u8]>,
    /// What is to be sent: from `at` to `end`. Equal: it receives.
    at: usize,
    end: usize,
}

impl Conn {
    fn receive(&mut self, ring: &Ring) -> io::Result<()> {
        let fd = self.stream.as_raw_fd();
        (self.at, self.end) = (0, 0);
        // SAFETY: the buffer lives until the operation is complete: `run` removes a connection only
        // then, and never drops the table before.
        let sqe = unsafe { Sqe::recv(fd, self.buf.as_mut_ptr(), OWN as u32, 0) };
        push(ring, sqe.user_data(fd as u64))
    }

    fn send(&mut self, ring: &Ring) -> io::Result<()> {
        let fd = self.stream.as_raw_fd();
        let rest = &self.buf[self.at..self.end];
        // SAFETY: as in `receive`; the bytes stay as they are until then.
        let sqe =
            unsafe { Sqe::send(fd, rest.as_ptr(), rest.len() as u32, libc::MSG_NOSIGNAL as u32) };
        push(ring, sqe.user_data(fd as u64))
    }

    /// Goes on after `count` bytes were transferred.
    fn proceed(&mut self, count: usize, ring: &Ring) -> io::Result<()> {
        if self.end == 0 {
            self.end = count
        } else {
            self.at += count
        }
        if self.at == self.end { self.receive(ring) } else { self.send(ring) }
    }
}

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    run(&Ring::new(&Config::new(ENTRIES))?, &listener)
}

/// The same on any ring.
pub(super) fn run(ring: &Ring, listener: &TcpListener) -> io::Result<()> {
    // An error leaves operations behind that still write into the buffers: then they are never freed.
    let mut conns: ManuallyDrop<Table<Conn>> = ManuallyDrop::default();
    let mut ends = false;
    accept(ring, listener)?;
    while !(ends && conns.is_empty()) {
        let cqe = next(ring)?;
        if cqe.user_data != DOOR {
            let fd = cqe.user_data as RawFd;
            let Some(conn) = conns.get(fd) else { continue };
            match cqe.result() {
                Ok(count @ 1..) => conn.proceed(count as usize, ring)?,
                // Nothing of it is in the kernel any more.
                Ok(0) | Err(_) => drop(conns.remove(fd)),
            }
            continue;
        }
        match cqe.result() {
            Ok(fd) => {
                // SAFETY: a new descriptor that the kernel made for us.
                let stream = unsafe { TcpStream::from_raw_fd(fd as RawFd) };
                stream.set_nodelay(true)?;
                let buf = vec![0; OWN].into_boxed_slice();
                let mut conn = Conn { stream, buf, at: 0, end: 0 };
                conn.receive(ring)?;
                conns.put(fd as RawFd, conn);
                accept(ring, listener)?;
            }
            Err(Errno::CONNABORTED) => accept(ring, listener)?,
            // The listening socket was shut down; so is everything, which ends what still waits.
            Err(Errno::INVAL) => {
                ends = true;
                for conn in conns.all() {
                    let _ = conn.stream.shutdown(Shutdown::Both);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn accept(ring: &Ring, listener: &TcpListener) -> io::Result<()> {
    let flags = libc::SOCK_CLOEXEC as u32;
    // SAFETY: null addresses are not written.
    let sqe =
        unsafe { Sqe::accept(listener.as_raw_fd(), null_mut(), null_mut(), flags, Slot::Process) };
    push(ring, sqe.user_data(DOOR))
}
