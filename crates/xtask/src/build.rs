//! `cargo xtask build`: the library as it would be installed, below target/stage.
use anyhow::Result;

/// Builds and stages.
pub(crate) fn run(_debug: bool) -> Result<()> {
    anyhow::bail!("not there yet")
}
