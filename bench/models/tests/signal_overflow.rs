//! The signal-driven server when the queue of signals takes nothing: a process of its own, because
//! the limit is one of the process.
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use uvring_models::conn::{listen, stop};
use uvring_models::models::{named, signal_driven};

#[test]
fn no_byte_is_lost_when_signals_are() {
    let mut limit = getrlimit(Resource::Sigpending);
    limit.current = Some(0);
    setrlimit(Resource::Sigpending, limit).unwrap();
    let listener = listen().unwrap();
    let (port, own) = (listener.local_addr().unwrap().port(), listener.try_clone().unwrap());
    let server = thread::spawn(move || (named("sigio").unwrap().serve)(own));
    let mut conns: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()).collect();
    for round in 0..20_u8 {
        for conn in &mut conns {
            conn.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            conn.write_all(&[round; 5000]).unwrap();
        }
        for conn in &mut conns {
            let mut back = [0; 5000];
            conn.read_exact(&mut back).unwrap();
            assert_eq!(back, [round; 5000]);
        }
    }
    assert!(signal_driven::OVERFLOWS.load(Ordering::Relaxed) > 0, "the queue was never full");
    stop(&listener).unwrap();
    server.join().unwrap().unwrap();
}
