//! The example HTTP server on every backend: right answers to good clients, and bad clients that
//! neither stop it nor make it keep an fd or a byte.

// A test says what is wrong by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use uvring_ffi_tests::programs::{Backend, Library, command, compile};
use uvring_ffi_tests::root;

const IDLE_MS: &str = "1500";

/// A running server; its folder goes with it.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
    _folder: tempfile::TempDir,
}

fn big() -> Vec<u8> {
    (0..8_000_000_u32).map(|i| (i % 251) as u8).collect()
}

/// A folder with a file of each kind, and ways out of it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("public")).unwrap();
    std::fs::create_dir(at("public/sub")).unwrap();
    std::fs::write(at("secret.txt"), "secret").unwrap();
    std::fs::write(at("public/a.txt"), "hello\n").unwrap();
    std::fs::write(at("public/a b.html"), "<p>").unwrap();
    std::fs::write(at("public/empty.css"), "").unwrap();
    std::fs::write(at("public/sub/index.html"), "<title>sub</title>").unwrap();
    std::fs::write(at("public/big.bin"), big()).unwrap();
    std::os::unix::fs::symlink("../secret.txt", at("public/out.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("public/etc.txt")).unwrap();
    std::os::unix::fs::symlink("a.txt", at("public/in.txt")).unwrap();
    folder
}

fn sources() -> Vec<PathBuf> {
    let mut sources = vec![PathBuf::from("c-examples/http-server.c")];
    let parts = std::fs::read_dir(root().join("c-examples/http")).unwrap();
    for part in parts.map(|part| part.unwrap().file_name()) {
        if Path::new(&part).extension().is_some_and(|end| end == "c") {
            sources.push(Path::new("c-examples/http").join(part));
        }
    }
    sources
}

impl Server {
    fn start(backend: Backend) -> Self {
        let program = compile("http-server", &sources(), Some(Library::Ours))
            .unwrap_or_else(|why| panic!("{why}"));
        let folder = folder();
        let mut command = command(&program, backend).unwrap_or_else(|why| panic!("{why}"));
        command.args(["--port", "0", "--seconds", "60", "--idle-ms", IDLE_MS, "--count-memory"]);
        command.arg("--root").arg(folder.path().join("public"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let first = line(&mut lines);
        let port = first.strip_prefix("listening on 127.0.0.1:").expect("the first line");
        let port = port.parse().expect("a port");
        Self { child, lines, port, _folder: folder }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends `text` on a fresh connection and reads until the server closes it.
    fn say(&self, text: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(text).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    fn status_of(&self, target: &str) -> u16 {
        let answer = self.say(
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        status(&answer)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// The server's own figures: connections, bytes held, fds open.
    fn figures(&mut self) -> [u64; 3] {
        self.signal(Signal::SIGUSR1);
        let line = line(&mut self.lines);
        let numbers: Vec<u64> = line
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        assert!(line.starts_with("status: ") && numbers.len() == 5, "{line}");
        [numbers[0], numbers[3], numbers[4]]
    }

    /// The figures once the last connection is gone.
    fn figures_at_rest(&mut self) -> [u64; 3] {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let figures = self.figures();
            if figures[0] == 0 {
                return figures;
            }
            assert!(Instant::now() < end, "connections stay: {figures:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it by SIGTERM; nothing may be left.
    fn end(mut self) {
        self.signal(Signal::SIGTERM);
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {rest}");
        let last = rest.lines().last().unwrap_or_default();
        let numbers: Vec<u64> = last
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        assert!(last.starts_with("end: ") && numbers.len() == 3, "{rest}");
        assert_eq!(numbers[0], 0, "bytes held: {rest}");
        assert_eq!(numbers[1], numbers[2], "fds open: {rest}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(&answer[..answer.len().min(16)]).into_owned();
    text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the head's end");
    &answer[end + 4..]
}

fn good_clients(backend: Backend) {
    let server = Server::start(backend);
    let close = "Host: x\r\nConnection: close\r\n\r\n";

    for (target, want) in [
        ("/a.txt", 200),
        ("/a%20b.html?x=1", 200),
        ("/in.txt", 200),
        ("/empty.css", 200),
        ("http://x/a.txt", 200),
        ("/sub/", 200),
        ("/sub", 301),
        ("/", 404),
        ("/none", 404),
        ("//etc/passwd", 404),
        ("/../secret.txt", 403),
        ("/sub/../../secret.txt", 403),
        ("/%2e%2e/secret.txt", 403),
        ("/..%2fsecret.txt", 403),
        ("/out.txt", 403),
        ("/etc.txt", 403),
        ("/a%00.txt", 400),
        ("/%zz", 400),
        ("a.txt", 400),
    ] {
        assert_eq!(server.status_of(target), want, "{target}");
    }

    let answer = server.say(format!("GET /a.txt HTTP/1.1\r\n{close}").as_bytes());
    assert_eq!(body(&answer), b"hello\n");
    let text = String::from_utf8(answer).unwrap();
    assert!(text.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
    let answer = server.say(format!("HEAD /big.bin HTTP/1.1\r\n{close}").as_bytes());
    assert!(String::from_utf8_lossy(&answer).contains("\r\nContent-Length: 8000000\r\n"));
    assert_eq!(body(&answer), b"");
    let answer = server.say(format!("DELETE /a.txt HTTP/1.1\r\n{close}").as_bytes());
    assert_eq!(status(&answer), 405);
    // 1.0 knows neither Host nor keep-alive.
    assert_eq!(body(&server.say(b"GET /a.txt HTTP/1.0\r\n\r\n")), b"hello\n");

    ranges(&server);

    // A pipeline: sent at once, answered in order.
    let mut pipeline = "GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n".repeat(30);
    pipeline += "HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n";
    pipeline += &format!("GET /sub/ HTTP/1.1\r\n{close}");
    let answer = String::from_utf8(server.say(pipeline.as_bytes())).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 32, "{answer}");
    assert_eq!(answer.matches("\r\n\r\nhello\n").count(), 30);
    assert!(answer.ends_with("\r\n\r\n<title>sub</title>"));

    // A request that comes byte by byte.
    let mut stream = server.connect();
    for byte in format!("GET /a.txt HTTP/1.1\r\n{close}").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(body(&answer), b"hello\n");

    // A slow reader gets every byte.
    let mut stream = server.connect();
    stream.write_all(format!("GET /big.bin HTTP/1.1\r\n{close}").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(body(&answer) == big(), "big.bin differs");
    server.end();
}

/// Single ranges are parts; what is no single range is answered whole.
fn ranges(server: &Server) {
    let whole = big();
    let size = whole.len();
    for (range, want) in [
        ("bytes=0-0", Some(0..1)),
        ("bytes=100-299999", Some(100..300_000)),
        ("Bytes=7999999-", Some(size - 1..size)),
        ("bytes=5-99999999999999999999999999", Some(5..size)),
        ("bytes=-3", Some(size - 3..size)),
        ("bytes=-99999999", Some(0..size)),
        ("bytes=0-1,4-5", None),
        ("bytes=3-2", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
    ] {
        let head = format!("GET /big.bin HTTP/1.0\r\nRange: {range}\r\n\r\n");
        let answer = server.say(head.as_bytes());
        let (code, part) = want.map_or((200, 0..size), |part| (206, part));
        assert_eq!(status(&answer), code, "{range}");
        assert!(body(&answer) == &whole[part.clone()], "{range}: other bytes");
        let says = format!("\r\nContent-Range: bytes {}-{}/{size}\r\n", part.start, part.end - 1);
        let text = String::from_utf8_lossy(&answer[..300.min(answer.len())]).into_owned();
        assert_eq!(text.contains(&says), code == 206, "{text}");
    }
    for (target, range) in
        [("/a.txt", "bytes=6-"), ("/a.txt", "bytes=-0"), ("/empty.css", "bytes=-1")]
    {
        let head = format!("GET {target} HTTP/1.0\r\nRange: {range}\r\n\r\n");
        let answer = server.say(head.as_bytes());
        assert_eq!(status(&answer), 416, "{target} {range}");
        assert!(String::from_utf8_lossy(&answer).contains("\r\nContent-Range: bytes */"));
    }
    let twice = server.say(b"GET /a.txt HTTP/1.0\r\nRange: bytes=0-0\r\nRange: bytes=1-1\r\n\r\n");
    assert_eq!(body(&twice), b"hello\n");
    let head = server.say(b"HEAD /a.txt HTTP/1.0\r\nRange: bytes=0-0\r\n\r\n");
    assert_eq!(status(&head), 200);
}

/// One of each kind of bad client.
fn misbehave(server: &Server) {
    let long = vec![b'a'; 100_000];
    for (text, want) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"[..], 400),
        (b"\0\0\0\0", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 413),
        (&[b"GET /", &long[..]].concat(), 414),
        (&[b"GET / HTTP/1.1\r\nX: ", &long[..]].concat(), 431),
        (
            &b"GET / HTTP/1.1\r\n"
                .iter()
                .copied()
                .chain(b"A: b\r\n".repeat(9999))
                .collect::<Vec<_>>(),
            431,
        ),
        (b"GET /half", 408),
    ] {
        let shown = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
        assert_eq!(status(&server.say(text)), want, "{shown}");
    }

    // Nothing at all: the server gives up.
    assert_eq!(server.say(b""), b"");

    // Half a request, then gone, in both ways; an answer that nobody takes.
    for (request, reset) in [
        ("GET /a", false),
        ("GET /a", true),
        ("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n", false),
        ("GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n", true),
    ] {
        for shut in [false, true] {
            let mut stream = server.connect();
            stream.write_all(request.as_bytes()).unwrap();
            if shut {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
            if reset {
                let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
                setsockopt(&stream, sockopt::Linger, &now).unwrap();
            }
        }
    }
    let mut stalled = server.connect();
    stalled.write_all(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();

    // Many at once that say nothing, and very many short ones.
    let silent: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for i in 0..1000 {
        let mut stream = server.connect();
        if i % 3 == 0 {
            stream.write_all(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        }
    }
    assert_eq!(server.status_of("/a.txt"), 200);
    drop(silent);
    // The stalled one is dropped for its idleness, not by us.
    std::thread::sleep(Duration::from_millis(100));
    drop(stalled);
}

fn bad_clients(backend: Backend) {
    let mut server = Server::start(backend);
    let mut rounds = Vec::new();
    for _ in 0..4 {
        misbehave(&server);
        rounds.push(server.figures_at_rest());
    }
    // The table of descriptors doubles with the most that are open at once, which timing decides;
    // a leak grows with every round.
    let grew_always =
        |what: usize| rounds.windows(2).all(|pair: &[[u64; 3]]| pair[1][what] > pair[0][what]);
    assert!(!grew_always(1), "bytes held grow: {rounds:?}");
    assert!(!grew_always(2), "fds open grow: {rounds:?}");
    assert_eq!(server.status_of("/a.txt"), 200);
    server.end();
}

/// A clean end while clients are in the middle of everything.
fn busy_end(backend: Backend) {
    let server = Server::start(backend);
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let requests: [&[u8]; 4] = [
        b"",
        b"GET /a",
        b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    for (i, client) in clients.iter_mut().enumerate() {
        client.write_all(requests[i % 4]).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    server.end();
}

macro_rules! on_each_backend {
    ($($test:ident)*) => {
        $(mod $test {
            use super::Backend;

            #[test]
            fn epoll() {
                super::$test(Backend::Epoll);
            }

            #[test]
            fn io_uring() {
                super::$test(Backend::IoUring);
            }

            #[test]
            fn denied() {
                super::$test(Backend::Denied);
            }
        })*
    };
}

on_each_backend! { good_clients bad_clients busy_end }
