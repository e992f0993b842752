//! Every server echoes whatever it gets, survives clients that go away, and ends when it is told to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use uvring_models::conn::{listen, stop};
use uvring_models::files::no_ring;
use uvring_models::models::{ALL, Model, named};

const LIMIT: Duration = Duration::from_secs(30);

struct Server {
    model: &'static Model,
    /// A duplicate of the socket that the server has.
    listener: TcpListener,
    port: u16,
    ended: Receiver<std::io::Result<()>>,
}

impl Server {
    fn start(model: &'static Model) -> Self {
        let listener = listen().unwrap();
        let (port, own) = (listener.local_addr().unwrap().port(), listener.try_clone().unwrap());
        let (tell, ended) = channel();
        thread::spawn(move || tell.send((model.serve)(own)));
        Server { model, listener, port, ended }
    }

    fn connect(&self) -> TcpStream {
        let conn = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        conn.set_read_timeout(Some(LIMIT)).unwrap();
        conn.set_write_timeout(Some(LIMIT)).unwrap();
        conn
    }

    /// It must end in time, and without an error.
    fn stop(self) {
        stop(&self.listener).unwrap();
        let ended = self.ended.recv_timeout(LIMIT);
        ended.unwrap_or_else(|_| panic!("{} does not end", self.model.name)).unwrap();
    }
}

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|place| ((place + seed) % 251) as u8).collect()
}

/// Writes in one thread and reads in this one: more than the kernel's buffers hold must go round.
fn echo(conn: &TcpStream, sent: Vec<u8>, name: &str) {
    let mut back = vec![0; sent.len()];
    thread::scope(|scope| {
        let mut writer = conn;
        let all = &sent;
        scope.spawn(move || writer.write_all(all).unwrap());
        let mut reader = conn;
        reader.read_exact(&mut back).unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    assert!(back == sent, "{name}: {} bytes came back changed", sent.len());
}

fn right() -> impl Iterator<Item = &'static Model> {
    let no_ring = no_ring();
    ALL.iter().filter(move |model| match &no_ring {
        Some(error) if model.name.starts_with("ring") => {
            println!("skipped: {}: {error}", model.name);
            false
        }
        _ => !model.is_wrong,
    })
}

#[test]
fn names_are_unique_and_found() {
    for model in ALL {
        assert_eq!(ALL.iter().filter(|other| other.name == model.name).count(), 1);
        assert_eq!(named(model.name).unwrap().what, model.what);
    }
    assert_eq!(ALL.iter().filter(|model| !model.is_wrong).count(), 11);
}

#[test]
fn many_sizes_on_several_connections_beside_idle_ones() {
    for model in right() {
        let server = Server::start(model);
        let _idle: Vec<TcpStream> = (0..5).map(|_| server.connect()).collect();
        thread::scope(|scope| {
            for nth in 0..4 {
                let conn = server.connect();
                scope.spawn(move || {
                    for size in [1, 2, 63, 64, 4095, 4096, 4097, 65_536, 100_000, 1 << 20] {
                        echo(&conn, bytes(size, nth), model.name);
                    }
                });
            }
        });
        server.stop();
    }
}

#[test]
fn a_slow_reader_gets_everything_and_holds_up_nobody() {
    for model in right() {
        let server = Server::start(model);
        let (slow, quick) = (server.connect(), server.connect());
        let sent = bytes(8 << 20, 3);
        thread::scope(|scope| {
            // Nobody reads yet: the server's side fills up, and it must stop reading.
            let writer = scope.spawn(|| (&slow).write_all(&sent).unwrap());
            for _ in 0..50 {
                echo(&quick, bytes(64, 1), model.name);
            }
            let mut back = vec![0; sent.len()];
            (&slow).read_exact(&mut back).unwrap_or_else(|e| panic!("{}: {e}", model.name));
            assert!(back == sent, "{}: bytes came back changed", model.name);
            writer.join().unwrap();
        });
        server.stop();
    }
}

#[test]
fn clients_that_leave_are_no_trouble() {
    for model in right() {
        let server = Server::start(model);
        for nth in 0..40 {
            let conn = server.connect();
            echo(&conn, bytes(100, nth), model.name);
            match nth % 3 {
                // Gone with an answer on the way: the server meets a reset.
                0 => (&conn).write_all(&bytes(50_000, nth)).unwrap(),
                // Half closed: the server closes its half, and so the client sees the end.
                1 => {
                    conn.shutdown(Shutdown::Write).unwrap();
                    assert_eq!((&conn).read_to_end(&mut Vec::new()).unwrap(), 0, "{}", model.name);
                }
                _ => {}
            }
        }
        echo(&server.connect(), bytes(1000, 9), model.name);
        server.stop();
    }
}

#[test]
fn connections_are_closed_when_the_server_ends() {
    for model in right() {
        let server = Server::start(model);
        let conn = server.connect();
        echo(&conn, bytes(10, 0), model.name);
        server.stop();
        let end = (&conn).read_to_end(&mut Vec::new());
        let is_reset = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(
            matches!(&end, Ok(0)) || end.as_ref().is_err_and(is_reset),
            "{}: {end:?}",
            model.name
        );
    }
}

/// The mistake is real: of a burst that is larger than one read, the rest stays in the kernel until
/// something else comes. The server that drains gets the same burst right.
#[test]
fn an_edge_that_is_not_drained_strands_bytes() {
    let burst = 16 * 1024;
    let whole = |name: &str| {
        let server = Server::start(named(name).unwrap());
        let conn = server.connect();
        // Its first byte says that it is accepted, so the burst is one change.
        echo(&conn, bytes(1, 0), name);
        (&conn).write_all(&bytes(burst, 0)).unwrap();
        conn.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let (mut got, mut buf) = (0, vec![0; burst]);
        while got < burst {
            match (&conn).read(&mut buf) {
                Ok(count @ 1..) => got += count,
                _ => break,
            }
        }
        server.stop();
        got
    };
    assert!(whole("epoll-edge-undrained") < burst);
    assert_eq!(whole("epoll-edge"), burst);
    assert_eq!(whole("epoll-level"), burst);
}
