//! The examples that run until they are told to end, with clients of ours.

use crate::running::{PATIENCE, Running, eventually, example, is_alive};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use uvring_ffi_tests::programs::Backend;

fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The port at the end of a server's first line.
fn port_of(line: &str) -> u16 {
    line.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect(line)
}

/// A client of chat, over either kind of socket.
struct Client {
    hears: BufReader<Box<dyn Read>>,
    says: Box<dyn Write>,
}

impl Client {
    fn over_tcp(port: u16) -> Self {
        let stream = tcp(port);
        let hears: Box<dyn Read> = Box::new(stream.try_clone().unwrap());
        Self { hears: BufReader::new(hears), says: Box::new(stream) }
    }

    fn over_unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let hears: Box<dyn Read> = Box::new(stream.try_clone().unwrap());
        Self { hears: BufReader::new(hears), says: Box::new(stream) }
    }

    fn say(&mut self, text: &str) {
        self.says.write_all(text.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.hears.read_line(&mut line).unwrap();
        line
    }
}

fn chat(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let mut command = example("chat", backend);
    command.arg(&socket).arg("0");
    let (server, first) = Running::start(command);
    let port = port_of(&first);

    let mut one = Client::over_unix(&socket);
    eventually("nobody is served", || {
        // That it is on the list shows only in what others say to it.
        let _probe = Client::over_tcp(port);
        one.hear().ends_with(": came\n")
    });
    while !one.hear().ends_with(": left\n") {}
    let mut two = Client::over_tcp(port);
    let came = one.hear();
    let number_of_two = came.strip_suffix(": came\n").expect(&came).to_owned();
    let mut three = Client::over_unix(&socket);
    let came = one.hear();
    let number_of_three = came.strip_suffix(": came\n").expect(&came).to_owned();
    assert_eq!(two.hear(), came);

    // Everyone but who says it, over both kinds of sockets, in order.
    one.say("hello\n");
    assert_eq!(two.hear(), "1: hello\n");
    assert_eq!(three.hear(), "1: hello\n");
    two.say("a\nb\nhalf a ");
    two.say("line\n");
    for line in ["a", "b", "half a line"] {
        assert_eq!(one.hear(), format!("{number_of_two}: {line}\n"));
        assert_eq!(three.hear(), format!("{number_of_two}: {line}\n"));
    }
    // A line without end is cut; the rest is a line of its own.
    three.say(&format!("{}\n", "x".repeat(600)));
    assert_eq!(one.hear(), format!("{number_of_three}: {}\n", "x".repeat(511)));
    assert_eq!(one.hear(), format!("{number_of_three}: {}\n", "x".repeat(88)));
    drop(three);
    assert_eq!(one.hear(), format!("{number_of_three}: left\n"));

    // One who does not listen is dropped, and keeps nobody from talking.
    let silent = Client::over_tcp(port);
    assert!(one.hear().ends_with(": came\n"));
    let hundred = format!("{}\n", "y".repeat(500)).repeat(100);
    let mut is_dropped = false;
    for _ in 0..1000 {
        two.say(&hundred);
        let mut heard = 0;
        while heard < 100 {
            let line = one.hear();
            heard += i32::from(line.ends_with("yy\n"));
            is_dropped |= line.ends_with(": left\n");
        }
        if is_dropped {
            break;
        }
    }
    assert!(is_dropped, "it is sent more and more");
    drop((one, two, silent));
    server.no_fd_is_left();
    assert!(server.end().starts_with("chat: ok, "));
    assert!(!socket.exists(), "the socket's name stays");
}

fn udp_echo(backend: Backend) {
    let mut command = example("udp-echo", backend);
    command.arg("0");
    let (server, first) = Running::start(command);
    let port = port_of(&first);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(("127.0.0.1", port)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        })
        .collect();
    let mut room = vec![0; 65536];
    let mut check = |client: &UdpSocket, size: usize, byte: u8| {
        assert_eq!(client.recv(&mut room).unwrap(), size);
        assert!(room[..size].iter().all(|&other| other == byte));
    };
    for size in [0, 1, 1472, 1473, 9000] {
        for (byte, client) in (0..).zip(&clients) {
            client.send(&vec![byte; size]).unwrap();
        }
        for (byte, client) in (0..).zip(&clients) {
            check(client, size, byte);
        }
    }
    // The longest there can be; several at once would not fit into a socket.
    for (byte, client) in (0..).zip(&clients) {
        client.send(&[byte; 65507]).unwrap();
        check(client, 65507, byte);
    }
    // One that is gone when its echo comes.
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
    gone.send_to(b"x", ("127.0.0.1", port)).unwrap();
    drop(gone);
    clients[0].send(&[9; 11]).unwrap();
    check(&clients[0], 11, 9);
    server.no_fd_is_left();
    assert_eq!(server.end(), "udp-echo: ok, 50 echoed, 0 dropped");
}

/// Connects, and reads who serves.
fn served_by(port: u16) -> (BufReader<TcpStream>, i32) {
    let mut stream = BufReader::new(tcp(port));
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let pid = line.trim_end().strip_prefix("worker ").and_then(|pid| pid.parse().ok());
    (stream, pid.expect(&line))
}

fn echoes(client: &mut BufReader<TcpStream>, text: &[u8]) {
    client.get_mut().write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    client.read_exact(&mut back).unwrap();
    assert_eq!(back, text);
}

fn ipc_worker(backend: Backend) {
    let mut command = example("ipc-worker", backend);
    command.args(["0", "3"]);
    let (server, first) = Running::start(command);
    assert!(first.starts_with("3 workers on "), "{first}");
    let port = port_of(&first);
    let mut clients: Vec<_> = (0..30).map(|_| served_by(port)).collect();
    let pids: BTreeSet<i32> = clients.iter().map(|(_, pid)| *pid).collect();
    assert_eq!(pids.len(), 3, "{pids:?}");
    assert!(!pids.contains(&server.pid().as_raw()), "the master serves");
    for (client, _) in &mut clients {
        echoes(client, &[7; 10_000]);
    }

    // A worker dies with its clients; the others take over.
    let victim = *pids.first().unwrap();
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    for (client, pid) in &mut clients {
        if *pid == victim {
            assert!(!matches!(client.read(&mut [0; 1]), Ok(1)), "a dead worker speaks");
        } else {
            echoes(client, b"still there");
        }
    }
    // The master has noticed when it has reaped it.
    eventually("nobody waits for the worker", || kill(Pid::from_raw(victim), None).is_err());
    for _ in 0..10 {
        assert_ne!(served_by(port).1, victim);
    }
    drop(clients);
    let last = server.end();
    assert_eq!(last, "ipc-worker: ok, 40 connections handed over");
    for pid in pids {
        assert!(!is_alive(pid), "worker {pid} stays");
    }
}

/// A master that cannot say good-bye takes its workers along all the same.
fn ipc_worker_killed(backend: Backend) {
    let mut command = example("ipc-worker", backend);
    command.args(["0", "2"]);
    let (server, first) = Running::start(command);
    let port = port_of(&first);
    let pids = [served_by(port).1, served_by(port).1];
    drop(server);
    for pid in pids {
        eventually("a worker stays", || !is_alive(pid));
    }
}

/// Reads lines until each of these was seen, in this order.
fn sees(watcher: &Running, path: &Path, want: &[&str]) {
    for want in want {
        let want = format!("{} {want}", path.display());
        while watcher.line() != want {}
    }
}

fn watch(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(other.path().join("file"), "x").unwrap();
    let mut command = example("watch", backend);
    command.arg(folder.path()).arg(other.path().join("file"));
    let (watcher, first) = Running::start(command);
    assert_eq!(first, "watching 2");

    fs::write(at("new"), "text").unwrap();
    sees(&watcher, folder.path(), &["rename new", "change new"]);
    fs::rename(at("new"), at("old")).unwrap();
    sees(&watcher, folder.path(), &["rename new", "rename old"]);
    fs::remove_file(at("old")).unwrap();
    sees(&watcher, folder.path(), &["rename old"]);
    fs::create_dir(at("sub")).unwrap();
    sees(&watcher, folder.path(), &["rename sub"]);
    fs::write(other.path().join("file"), "y").unwrap();
    sees(&watcher, &other.path().join("file"), &["change file"]);
    watcher.no_fd_is_left();
    assert!(watcher.end().starts_with("watch: ok, "));

    let output = example("watch", backend).arg(at("none")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such file"));
}

/// With the library told so in the environment, -r means folders below, too.
fn watch_recursive(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("old")).unwrap();
    for (setting, is_heard) in [("1", true), ("0", false)] {
        let mut command = example("watch", backend);
        command.arg("-r").arg(folder.path()).env("UVRING_FS_EVENT_RECURSIVE", setting);
        let (watcher, _) = Running::start(command);
        fs::create_dir_all(at("a/b/c")).unwrap();
        fs::write(at("a/b/c/file"), "x").unwrap();
        fs::write(at("old/file"), "x").unwrap();
        if is_heard {
            sees(&watcher, folder.path(), &["rename a", "rename a/b/c/file"]);
        }
        fs::remove_dir_all(at("a")).unwrap();
        fs::write(at("mark"), "x").unwrap();
        let mark = format!("{} rename mark", folder.path().display());
        let mut below = 0;
        loop {
            let line = watcher.line();
            if line == mark {
                break;
            }
            below += usize::from(line.contains("old/file"));
        }
        assert_eq!(below > 0, is_heard);
        fs::remove_file(at("mark")).unwrap();
        watcher.no_fd_is_left();
        watcher.end();
    }
}

on_each_backend! { watch_recursive chat udp_echo ipc_worker ipc_worker_killed watch }
