//! The example servers, each with its own self-test.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Beside the test's own folder, where cargo puts examples.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

fn self_test(name: &str, args: &[&str]) {
    let program = example(name);
    if !program.exists() {
        println!("skipped: {name} is not built; `cargo test` without `--test` builds it");
        return;
    }
    let mut child =
        Command::new(program).arg("--self-test").args(args).stdout(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {:?}: {said}", output.status);
    assert!(said.contains("ok: ") || said.contains("skipped: "), "{name}: {said}");
    print!("{said}");
}

#[test]
fn echo_ring() {
    self_test("echo_ring", &[]);
}

#[test]
fn echo_driver_on_epoll() {
    self_test("echo_driver", &["--backend", "epoll"]);
}

#[test]
fn echo_driver_on_io_uring() {
    self_test("echo_driver", &["--backend", "io_uring"]);
}
