//! A network that nobody else uses: no port is taken, and no connection of an earlier row lingers
//! in anyone's way.
use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::process::{Command, Stdio};

/// Moves this process, and what it starts from now on, into a network of its own with only a
/// loopback interface. Without the right to do so it stays where it is, and says so.
///
/// Must be called before threads are started.
pub(crate) fn enter_own() -> Result<()> {
    let before = File::open("/proc/self/ns/net").context("/proc/self/ns/net")?;
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        eprintln!("bench: no network of its own ({error}): ports are shared with the machine");
        return Ok(());
    }
    if loopback_up() {
        return Ok(());
    }
    eprintln!("bench: no network of its own (`ip link set lo up` fails): ports are shared");
    setns(before, CloneFlags::CLONE_NEWNET).context("setns")
}

fn loopback_up() -> bool {
    let mut command = Command::new("ip");
    command.args(["link", "set", "lo", "up"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
