//! A thread for each connection, which sleeps in read(2): the kernel's scheduler is the event loop.
use crate::conn::{Accepted, OWN, accept};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};

/// Room for a buffer and a few calls; what is never touched costs no memory.
const STACK: usize = 64 * 1024;

/// Open connections, so that their threads can be woken at the end.
type Open = Mutex<HashMap<RawFd, Arc<TcpStream>>>;

pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    let open = Open::default();
    thread::scope(|scope| {
        let result = loop {
            let stream = match accept(&listener) {
                Ok(Accepted::One(stream)) => Arc::new(stream),
                Ok(Accepted::NoneNow) => continue,
                Ok(Accepted::Stop) => break Ok(()),
                Err(error) => break Err(error),
            };
            let fd = stream.as_raw_fd();
            lock(&open).insert(fd, Arc::clone(&stream));
            let open = &open;
            let run = move || {
                echo(&stream);
                // Before the descriptor is closed: its number may be given out again at once.
                lock(open).remove(&fd);
            };
            if let Err(error) = Builder::new().stack_size(STACK).spawn_scoped(scope, run) {
                break Err(error);
            }
        };
        // A blocked read wakes up when its connection is shut down.
        for stream in lock(&open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        result
    })
}

fn lock(open: &Open) -> std::sync::MutexGuard<'_, HashMap<RawFd, Arc<TcpStream>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The whole program of one connection, as simple as it can be: that is what the model is for.
fn echo(mut stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buf = [0; OWN];
    while let Ok(count @ 1..) = stream.read(&mut buf) {
        if stream.write_all(&buf[..count]).is_err() {
            return;
        }
    }
}
