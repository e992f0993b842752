//! Non-blocking reads of every connection in turn, for ever: no waiting, and nothing but waste
//! while nobody speaks. Cost follows the registered.
use crate::conn::{Conn, SHARED, Turn, accept_all};
use std::io;
use std::net::TcpListener;

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut conns: Vec<Conn> = Vec::new();
    let mut buf = vec![0; SHARED];
    while accept_all(&listener, |stream| {
        conns.push(Conn::new(stream)?);
        Ok(())
    })? {
        conns.retain_mut(|conn| conn.turn(&mut buf) != Turn::Closed);
    }
    Ok(())
}
