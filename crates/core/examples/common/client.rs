//! The client that the examples' self-test runs against their server, in a thread.

use std::fmt::Display;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use uvring_core::Errno;

const CONNECTIONS: usize = 20;
/// Below, at and far above what the servers take in one read.
const SIZES: [usize; 5] = [1, 64, 4096, 4097, 300_000];

/// Says what went wrong.
pub(crate) fn fail(error: &dyn Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Runs `serve` until the client's connections have ended, and says `ok` when every byte came back.
pub(crate) fn checked(
    listener: TcpListener,
    serve: impl FnOnce(TcpListener, usize) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let address = listener.local_addr().map_err(|_| Errno::INVAL)?;
    let client = std::thread::spawn(move || {
        let result = talk(address);
        if let Err(error) = &result {
            // The server would wait for ever.
            eprintln!("client: {error}");
            std::process::exit(1);
        }
    });
    serve(listener, CONNECTIONS)?;
    client.join().map_err(|_| Errno::IO)?;
    println!("ok: {CONNECTIONS} connections");
    Ok(())
}

fn talk(address: SocketAddr) -> std::io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        streams.push(stream);
    }
    for (number, mut stream) in streams.into_iter().enumerate() {
        for size in SIZES {
            let sent: Vec<u8> = (0..size).map(|n| (n * 31 + n / 256 + number) as u8).collect();
            let mut writer = stream.try_clone()?;
            let mut received = vec![0; size];
            std::thread::scope(|scope| {
                let written = scope.spawn(|| writer.write_all(&sent));
                let read = stream.read_exact(&mut received);
                let written = written.join().map_err(|_| std::io::ErrorKind::Other)?;
                written.and(read)
            })?;
            if received != sent {
                return Err(std::io::Error::other("other bytes came back"));
            }
        }
    }
    Ok(())
}
