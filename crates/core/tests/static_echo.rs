//! Core without std and without libc: the static echo server is built, looked into, and run.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test may")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use object::{Object, ObjectSection, ObjectSymbol};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/static-echo");

fn build(profile: &str, folder: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static-echo");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--profile", profile, "--manifest-path"])
        .arg(Path::new(SOURCE).join("Cargo.toml"))
        // Flags meant for the workspace, sanitizers say, need what this program does without.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join(folder).join("static-echo")
}

/// Ends the server, and only it, whatever the test comes to.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Path) -> (Server, u16) {
    let mut child = Command::new(program).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let server = Server(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (server, line.trim().parse().unwrap_or_else(|_| panic!("no port in {line:?}")))
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn echoes(port: u16) {
    let mut clients: Vec<TcpStream> = (0..20).map(|_| connect(port)).collect();
    for round in 0..20u8 {
        for (i, client) in clients.iter_mut().enumerate() {
            let sent: Vec<u8> =
                (0..997).map(|n| (n as u8).wrapping_mul(7) ^ round ^ i as u8).collect();
            client.write_all(&sent).unwrap();
            let mut got = vec![0; sent.len()];
            client.read_exact(&mut got).unwrap();
            assert!(got == sent, "client {i}, round {round}");
        }
    }
    // Descriptors are given back: far more connections one after the other than fit at a time.
    drop(clients);
    for n in 0..200u8 {
        let mut client = connect(port);
        client.write_all(&[n]).unwrap();
        let mut got = [0];
        client.read_exact(&mut got).unwrap();
        assert_eq!(got, [n]);
    }
}

/// Statically linked, asking for no interpreter and no symbol, and with nothing of libc or std in it.
fn check(bytes: &[u8]) {
    let elf = object::File::parse(bytes).unwrap();
    let sections: Vec<&str> = elf.sections().filter_map(|section| section.name().ok()).collect();
    for absent in [".interp", ".dynamic", ".dynsym", ".init_array"] {
        assert!(!sections.contains(&absent), "{absent} in {sections:?}");
    }
    assert_eq!(elf.imports().unwrap().len(), 0);
    for symbol in elf.symbols() {
        let name = symbol.name().unwrap_or("");
        assert!(!symbol.is_undefined() || name.is_empty(), "{name} is undefined");
        for foreign in ["__libc", "malloc", "__rust_alloc", "_ZN3std", "pthread"] {
            assert!(!name.contains(foreign), "{name}");
        }
    }
}

#[test]
fn a_static_server_without_std_and_libc() {
    // The unoptimised one has its symbols still.
    let debug = build("dev", "debug");
    let bytes = std::fs::read(&debug).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    assert!(elf.symbols().any(|symbol| symbol.name() == Ok("_start")), "symbols to look at");
    check(&bytes);
    let release = build("release", "release");
    let bytes = std::fs::read(&release).unwrap();
    check(&bytes);
    println!("static-echo: {} bytes", bytes.len());
    for program in [debug, release] {
        let (mut server, port) = start(&program);
        echoes(port);
        assert!(server.0.try_wait().unwrap().is_none(), "it ended by itself");
    }
}

#[test]
fn it_refuses_what_is_no_port() {
    let program = build("release", "release");
    for wrong in ["x", "65536", "-1", "1 "] {
        let output = Command::new(&program).arg(wrong).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{wrong:?}");
    }
}
