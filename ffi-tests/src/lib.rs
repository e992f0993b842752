//! What the tests share: the ABI's facts, the compilers, the built library.
//!
//! ```text
//!   tests/abi  tests/symbols  tests/tree      one proof each
//!   tests/behaviour  tests/http_server        C programs on libuv and on uvring
//!   tests/security                            mistakes of the past, one test each
//!   tests/nomem                               each allocation of each function fails in turn
//!   tests/examples                            the programs of c-examples
//!   tests/traces                              random ones
//!   programs                                  building and running those
//!   facts      cc      stage                  the JSON, C compilers, where the library is
//! ```
pub mod cc;
pub mod facts;
pub mod programs;

use std::path::{Path, PathBuf};

/// The workspace's folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where `cargo xtask build` puts the library: `$UVRING_STAGE`, or `stage` in cargo's target
/// folder.
///
/// # Errors
/// A message that says what to run, when the library is not there.
pub fn stage() -> Result<PathBuf, String> {
    let target = || match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    };
    let stage = std::env::var_os("UVRING_STAGE").map_or_else(|| target().join("stage"), Into::into);
    if stage.join("lib/libuvring.so.1").exists() {
        Ok(stage)
    } else {
        Err(format!(
            "no lib/libuvring.so.1 in {}: run `cargo xtask build`, or set UVRING_STAGE",
            stage.display()
        ))
    }
}
