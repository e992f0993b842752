//! Closing what the driver watched. Nothing here forks: a child would inherit the descriptors, and
//! a close would not be the last one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[macro_use]
mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};

use common::{LONG, Loop, pair};
use uvring_core::driver::{Kind, Watch, ready};

on_both!(
    a_stale_event_does_not_reach_the_next_descriptor,
    close_after_unwatch_closes,
    unwatch_and_close_closes,
    a_port_is_free_after_unwatch_and_close,
);

fn a_stale_event_does_not_reach_the_next_descriptor(kind: Kind) {
    let l = Loop::new(kind);
    for flags in [0, ready::DRAINS] {
        for close_by_driver in [false, true] {
            let (a, b) = pair();
            let fd = a.into_raw_fd();
            let watch = l.watch(fd, ready::IN | flags);
            l.silent();
            (&b).write_all(b"x").unwrap();
            // The report is there, and not taken.
            l.driver.wait(LONG).unwrap();
            if close_by_driver {
                l.driver.unwatch_and_close(watch);
                l.driver.flush();
            } else {
                l.driver.unwatch(watch);
                // SAFETY: into_raw_fd gave it to us.
                unsafe { libc::close(fd) };
            }
            let (c, _d) = pair();
            // Not always: another test may have taken the number.
            let same = c.as_raw_fd() == fd;
            let next = l.watch(c.as_raw_fd(), ready::IN | flags);
            if let Some(event) = l.driver.next() {
                panic!("{event:?} for {next:?}, same number: {same}");
            }
            l.silent();
            l.driver.unwatch(next);
        }
    }
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.set_read_timeout(LONG).unwrap();
    server.set_nonblocking(true).unwrap();
    (server, client)
}

fn close_after_unwatch_closes(kind: Kind) {
    let l = Loop::new(kind);
    for flags in [0, ready::DRAINS] {
        // The peer sees the end although the loop never runs again.
        let (server, mut client) = tcp_pair();
        let watch = l.watch(server.as_raw_fd(), ready::IN | flags);
        l.silent();
        l.driver.unwatch(watch);
        drop(server);
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);

        // The port is free at once.
        let listening = listener();
        let address = listening.local_addr().unwrap();
        let watch = l.watch(listening.as_raw_fd(), ready::IN | flags);
        l.silent();
        l.driver.unwatch(watch);
        drop(listening);
        bind_without_reuse(address.port()).unwrap();
    }
}

/// bind(2) without SO_REUSEADDR, which std sets.
fn bind_without_reuse(port: u16) -> Result<(), std::io::Error> {
    // SAFETY: plain system calls on a socket of our own.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as u16;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
        let bound = libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32);
        let error = std::io::Error::last_os_error();
        libc::close(fd);
        if bound == 0 { Ok(()) } else { Err(error) }
    }
}

fn unwatch_and_close_closes(kind: Kind) {
    let l = Loop::new(kind);
    for armed in [false, true] {
        let (server, mut client) = tcp_pair();
        let watch = l.watch(server.into_raw_fd(), ready::IN | ready::DRAINS);
        if armed {
            l.silent();
        }
        l.driver.unwatch_and_close(watch);
        assert_eq!((watch.fd.get(), watch.interest()), (-1, 0));
        l.driver.flush();
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
        l.silent();
    }
    // On a watch that was never on.
    let (server, mut client) = tcp_pair();
    let watch = Watch::new();
    watch.fd.set(server.into_raw_fd());
    l.driver.unwatch_and_close(&watch);
    l.driver.flush();
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
    // And on nothing at all.
    l.driver.unwatch_and_close(&Watch::new());
    // A driver that goes without having waited again.
    let (server, mut client) = tcp_pair();
    let watch = l.watch(server.into_raw_fd(), ready::IN | ready::DRAINS);
    l.silent();
    l.driver.unwatch_and_close(watch);
    drop(l);
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
}

fn a_port_is_free_after_unwatch_and_close(kind: Kind) {
    let l = Loop::new(kind);
    let listening = listener();
    let port = listening.local_addr().unwrap().port();
    let watch = l.watch(listening.into_raw_fd(), ready::IN);
    l.silent();
    l.driver.unwatch_and_close(watch);
    l.driver.flush();
    bind_without_reuse(port).unwrap();
}
