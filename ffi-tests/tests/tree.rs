//! `uv/tree.h`: a C program that holds the trees against an array, built as C and as C++.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use uvring_ffi_tests::cc::{COMPILERS, run};
use uvring_ffi_tests::root;

#[test]
fn trees_agree_with_an_array() {
    let dir = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for compiler in COMPILERS.iter().filter(|compiler| compiler.is_here()) {
        let program = dir.path().join(compiler.program);
        let mut build = Command::new(compiler.program);
        build
            .args(["-O1", "-Wall", "-Wextra", "-pedantic", "-Werror"])
            .arg(format!("-std={}", compiler.standards[0]))
            .arg("-I")
            .arg(root().join("include"))
            .args(["-x", compiler.language])
            .arg(root().join("ffi-tests/c/tree.c"))
            .arg("-o")
            .arg(&program);
        run(&mut build).unwrap();
        run(&mut Command::new(&program)).unwrap();
        ran += 1;
    }
    assert!(ran > 0, "no compiler at all");
}
