//! The examples that end by themselves: with real input, beside the same program on libuv, sh, or
//! what is known.

use crate::running::{example, on_libuv, program};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use uvring_ffi_tests::programs::{Backend, Library};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(output: &Output) -> Vec<String> {
    let mut lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Runs it with this as its input.
fn fed(mut command: Command, input: Vec<u8>) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        // It may end before it has read all.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

/// The programs that check themselves.
fn own_checks(backend: Backend) {
    for (name, arg, want) in [
        ("tcp-echo", Some("--self-test"), "tcp-echo: ok, 100000 bytes echoed"),
        ("udp-echo", Some("--self-test"), "udp-echo: ok, 5 echoed, 0 dropped"),
        ("timers", None, "timers: ok, 5 ticks"),
        ("async", None, "async: ok, 1000 results"),
    ] {
        let output = example(name, backend).args(arg).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        assert_eq!(text(&output.stdout).lines().last(), Some(want));
    }
}

/// They use nothing but libuv's own interface.
#[test]
fn all_compile_with_libuv() {
    for name in fs::read_dir(uvring_ffi_tests::root().join("c-examples")).unwrap() {
        let name = name.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".c").filter(|name| *name != "http-server") {
            program(name, Library::Reference);
        }
    }
}

/// A mistake in the arguments is answered with the usage, on the right stream.
fn usage(backend: Backend) {
    let examples: [(&str, &[&str]); 9] = [
        ("chat", &[]),
        ("udp-echo", &["1", "2"]),
        ("spawn-pipe", &["|"]),
        ("tty-raw", &["x"]),
        ("ipc-worker", &["0", "0"]),
        ("cp-tree", &["-n", "0", "a", "b"]),
        ("watch", &["-r"]),
        ("resolve", &[]),
        ("work", &["0"]),
    ];
    for (name, args) in examples {
        let output = example(name, backend).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
        assert!(text(&output.stderr).starts_with("usage: "), "{name}: {output:?}");
    }
}

fn cat(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let big: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    fs::write(at("big"), &big).unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("small"), "small\n").unwrap();

    let output = example("cat", backend).args([at("small"), at("empty"), at("big")]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout == [b"small\n", &big[..]].concat(), "the bytes differ");

    let mut command = example("cat", backend);
    command.args([&at("none"), "-", &at("small"), &at("")]);
    let output = fed(command, big.clone());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout == [&big[..], b"small\n"].concat(), "the bytes differ");
    let errors = text(&output.stderr);
    let folder_error = format!("cat: {}: illegal operation on a directory\n", at(""));
    assert_eq!(errors, format!("cat: {}: no such file or directory\n{folder_error}", at("none")));

    // Nobody reads what it writes, and a device that is full.
    let mut child = example("cat", backend).arg(at("big")).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = example("cat", backend).arg(at("small")).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

fn work(backend: Backend) {
    for (limit, want) in [("1", 0), ("2", 0), ("3", 1), ("100", 25), ("1000000", 78498)] {
        let output = example("work", backend).arg(limit).output().unwrap();
        assert_eq!(text(&output.stdout), format!("work: {want} primes below {limit}\n"));
        assert!(output.status.success());
    }
}

/// What it cancels is not counted, and nothing waits for it.
fn work_interrupted(backend: Backend) {
    use nix::sys::signal::{Signal, kill};
    use std::io::{BufRead, BufReader};

    let mut command = example("work", backend);
    command.arg("20000000").env("UV_THREADPOOL_SIZE", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut first).unwrap();
    assert!(first.ends_with(" of 64 pieces left\n"), "{first}");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).ends_with(" pieces were not counted\n"), "{output:?}");
}

fn resolve(backend: Backend) {
    let long = "x".repeat(300);
    let args = ["localhost", "127.0.0.1", "::1", "127.0.0.2", &long, "localhost"];
    let have = example("resolve", backend).args(args).output().unwrap();
    let want = on_libuv("resolve", &args);
    assert_eq!(lines(&have), lines(&want));
    assert_eq!(have.status.code(), Some(1), "{have:?}");
    assert_eq!(text(&have.stderr), text(&want.stderr));
    assert!(lines(&have).contains(&"localhost has address 127.0.0.1".to_owned()), "{have:?}");
    assert!(text(&have.stdout).contains("127.0.0.1 has name localhost\n"), "{have:?}");
    let have = example("resolve", backend).args(vec!["localhost"; 200]).output().unwrap();
    assert!(have.status.success());
    assert!(lines(&have).len() >= 200);
}

fn spawn_pipe(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words");
    fs::write(&words, "pear\napple\npear\nfig\napple\npear\n".repeat(5000)).unwrap();
    let words = words.to_str().unwrap();
    let input = b"line\n".repeat(200_000);
    let cases: [&[&str]; 9] = [
        &["sort", words, "|", "uniq", "-c", "|", "sort", "-rn"],
        &["cat", "|", "cat", "|", "cat", "|", "wc", "-c"],
        &["yes", "|", "head", "-n", "3"],
        &["cat", words],
        &["sh", "-c", "exit 3"],
        &["sh", "-c", "exit 3", "|", "cat"],
        &["cat", words, "|", "sh", "-c", "kill -9 $$"],
        &["no-such-program-at-all", "|", "wc", "-c"],
        &["cat", words, "|", "no-such-program-at-all"],
    ];
    for words in cases {
        let quoted: Vec<_> = words
            .iter()
            .map(|word| if *word == "|" { "|".to_owned() } else { format!("'{word}'") })
            .collect();
        let mut sh = Command::new("sh");
        sh.arg("-c").arg(quoted.join(" "));
        let want = fed(sh, input.clone());
        let mut ours = example("spawn-pipe", backend);
        ours.args(words);
        let have = fed(ours, input.clone());
        assert_eq!(text(&have.stdout), text(&want.stdout), "{words:?}");
        // A shell whose last program was killed says 128 + N, as we do.
        assert_eq!(have.status.code(), want.status.code(), "{words:?}: {have:?}");
    }
}

/// A tree of all that can be in one, with names that are hard to read.
fn tree(root: &Path) {
    let file = |path: &Path, bytes: &[u8], mode: u32| {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(root).unwrap();
    for i in 0..20_u8 {
        let folder = root.join(format!("folder {i}"));
        fs::create_dir(&folder).unwrap();
        for j in 0..40 {
            file(&folder.join(format!("{j}.txt")), &vec![i; 100 * j], 0o644);
        }
    }
    fs::create_dir(root.join("empty")).unwrap();
    let odd = root.join(OsStr::from_bytes(b"not \xff utf-8\nand two lines"));
    fs::create_dir(&odd).unwrap();
    file(&odd.join("x".repeat(255)), b"long name", 0o600);
    file(&root.join("program"), b"#!/bin/sh\n", 0o755);
    file(&root.join("none may"), b"secret", 0o000);
    file(&root.join("big"), &vec![42; 5_000_000], 0o640);
    symlink("program", root.join("link")).unwrap();
    symlink("/no/such/thing", root.join("dangling")).unwrap();
    symlink(".", root.join("circle")).unwrap();
    let mut deep = root.to_path_buf();
    for i in 0..40 {
        deep.push(i.to_string());
        fs::create_dir(&deep).unwrap();
    }
    let closed = root.join("read-only");
    fs::create_dir(&closed).unwrap();
    file(&closed.join("file"), b"x", 0o444);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
}

/// Everything below a folder: kind and mode, and what it holds.
fn inventory(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        let info = fs::symlink_metadata(&path).unwrap();
        let holds = if info.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else if info.is_symlink() {
            fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
        } else {
            fs::read(&path).unwrap_or_else(|why| format!("{why}").into_bytes())
        };
        found.insert(path.strip_prefix(root).unwrap().to_path_buf(), (info.mode(), holds));
    }
    found
}

fn cp_tree(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    tree(&from);
    if !nix::unistd::geteuid().is_root() {
        // Nobody else could read it.
        fs::remove_file(from.join("none may")).unwrap();
    }
    let want = inventory(&from);
    for in_flight in ["1", "4", "1000"] {
        let to = folder.path().join(in_flight);
        let mut command = example("cp-tree", backend);
        command.args(["-n", in_flight]).arg(&from).arg(&to);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        assert!(said.ends_with(" 64 folders, 3 links, 0 errors\n"), "{said}");
        let have = inventory(&to);
        assert!(have.keys().eq(want.keys()), "other names");
        for (path, what) in &want {
            assert!(have[path] == *what, "{} differs", path.display());
        }
    }
    open_up(folder.path());
}

/// So that the temporary folder can be removed by who may not do everything.
fn open_up(folder: &Path) {
    for name in ["from", "1", "4", "1000"] {
        let closed = folder.join(name).join("read-only");
        fs::set_permissions(closed, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn cp_tree_mistakes(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::create_dir_all(from.join("sub")).unwrap();
    fs::write(from.join("sub/file"), "x").unwrap();
    nix::unistd::mkfifo(&from.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let run = |from: &Path, to: &Path| {
        let output = example("cp-tree", backend).arg(from).arg(to).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };

    // A thing that is none of the three kinds; the rest is there.
    let to = folder.path().join("to");
    let (code, said, complained) = run(&from, &to);
    assert_eq!(code, Some(1));
    assert_eq!(said, "cp-tree: 1 files, 2 folders, 0 links, 1 errors\n");
    assert!(complained.ends_with("fifo: not a file, folder or symlink\n"), "{complained}");
    assert_eq!(fs::read(to.join("sub/file")).unwrap(), b"x");
    fs::remove_file(from.join("fifo")).unwrap();

    // Into itself: everything but the copy is copied, once.
    let inner = from.join("sub/copy");
    let (code, said, complained) = run(&from, &inner);
    assert_eq!(code, Some(1), "{said}{complained}");
    assert!(complained.ends_with("sub/copy: not copied into itself\n"), "{complained}");
    assert_eq!(fs::read(inner.join("sub/file")).unwrap(), b"x");
    assert!(!inner.join("sub/copy").exists());

    let exists = run(&from, &to);
    assert_eq!((exists.0, exists.1.as_str()), (Some(1), ""));
    assert!(exists.2.ends_with("file already exists\n"), "{}", exists.2);
    let missing = run(&folder.path().join("none"), &folder.path().join("x"));
    assert!(missing.2.ends_with("no such file or directory\n"), "{}", missing.2);
    let file = run(&to.join("sub/file"), &folder.path().join("x"));
    assert!(file.2.ends_with("not a directory\n"), "{}", file.2);
}

on_each_backend! {
    own_checks usage cat work work_interrupted resolve spawn_pipe cp_tree cp_tree_mistakes
}
