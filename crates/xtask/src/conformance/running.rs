//! One program in its sandbox: started, waited for or ended, and what it printed.
use super::sandbox::Spec;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program in its sandbox.
pub(crate) struct Running {
    child: Child,
    output: File,
    since: Instant,
}

/// What a program left behind.
pub(crate) struct Finished {
    /// None when the watchdog ended it.
    pub(crate) status: Option<ExitStatus>,
    /// Everything it printed.
    pub(crate) output: String,
    pub(crate) seconds: f64,
}

impl Running {
    pub(crate) fn start(spec: &Spec) -> Result<Self> {
        let output = tempfile()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("sandbox")
            .arg(serde_json::to_string(spec)?)
            .stdin(Stdio::null())
            .stdout(Stdio::from(OwnedFd::from(output.try_clone()?)))
            .stderr(Stdio::from(OwnedFd::from(output.try_clone()?)))
            .spawn()
            .context("cannot start the sandbox")?;
        Ok(Self { child, output, since: Instant::now() })
    }

    /// Waits until it has ended, or ends it.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Finished> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break Some(status);
            }
            if self.since.elapsed() > limit {
                // The sandbox's init dies with its parent, and everything in it with init.
                self.child.kill()?;
                self.child.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let seconds = self.since.elapsed().as_secs_f64();
        let mut bytes = Vec::new();
        self.output.rewind()?;
        self.output.read_to_end(&mut bytes)?;
        Ok(Finished { status, output: String::from_utf8_lossy(&bytes).into_owned(), seconds })
    }
}

/// A file without a name.
fn tempfile() -> Result<File> {
    let fd = nix::sys::memfd::memfd_create(c"output", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?;
    Ok(File::from(fd))
}
