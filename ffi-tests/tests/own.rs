//! What uvring adds, which libuv has not: C programs that check it themselves, on every backend.

// A test says what is wrong by panicking.
#![allow(clippy::panic)]

use uvring_ffi_tests::programs::{BACKENDS, Library, printed};

/// Runs every section of `program`; what a section skips is printed.
fn holds(program: &str, least: usize) {
    let must = |outcome: Result<String, String>| outcome.unwrap_or_else(|why| panic!("{why}"));
    let list = must(printed(program, "--list", Library::Ours, BACKENDS[0]));
    let sections: Vec<_> = list.lines().filter(|line| !line.starts_with("exit status")).collect();
    assert!(sections.len() >= least, "{program}: {list}");
    for backend in BACKENDS {
        for section in &sections {
            let said = must(printed(program, section, Library::Ours, backend));
            let end = format!("end of {section}\nexit status: 0");
            assert!(said.contains(&end), "{program} {section} on {backend:?}:\n{said}");
            for line in said.lines().filter(|line| line.starts_with("skipped: ")) {
                println!("{program} {section} on {backend:?}: {line}");
            }
        }
    }
}

#[test]
fn cgroups() {
    holds("own_cgroups", 2);
}

#[test]
fn udp() {
    holds("own_udp", 9);
}
