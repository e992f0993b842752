//! tty-raw on a terminal of its own.

use crate::running::{example, wait};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use uvring_ffi_tests::programs::Backend;

nix::ioctl_write_int_bad!(take_terminal, nix::libc::TIOCSCTTY);
nix::ioctl_write_ptr_bad!(set_size, nix::libc::TIOCSWINSZ, Winsize);

/// A terminal, and tty-raw on it as a shell would start it.
struct Session {
    master: File,
    slave: OwnedFd,
    before: Termios,
    child: Child,
}

fn size(ws_col: u16, ws_row: u16) -> Winsize {
    Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Session {
    fn start(backend: Backend) -> Self {
        let pty = openpty(Some(&size(80, 24)), None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let mut command = example("tty-raw", backend);
        command.stdin(Stdio::from(pty.slave.try_clone().unwrap()));
        command.stdout(Stdio::from(pty.slave.try_clone().unwrap()));
        let slave = pty.slave.as_raw_fd();
        // SAFETY: only async-signal-safe calls are made between fork and exec. The terminal has to
        // be the child's own for changes of its size to be told.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                take_terminal(slave, 0)?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        Self { master: File::from(pty.master), slave: pty.slave, before, child }
    }

    /// Reads exactly this.
    fn shows(&mut self, want: &str) {
        let mut have = vec![0; want.len()];
        self.master.read_exact(&mut have).unwrap();
        assert_eq!(String::from_utf8_lossy(&have), want);
    }

    fn press(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    fn is_raw(&self) -> bool {
        let now = tcgetattr(&self.slave).unwrap();
        !now.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    fn ended(&mut self, code: i32) {
        let status = wait(&mut self.child);
        assert_eq!(status.code(), Some(code), "{status}");
        assert_eq!(tcgetattr(&self.slave).unwrap(), self.before, "the terminal is not as it was");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tty_raw(backend: Backend) {
    let mut session = Session::start(backend);
    session.shows("any key; q ends\r\nwindow: 80 x 24\r\n");
    assert!(session.is_raw());
    session.press(b"a");
    session.shows("61  'a'\r\n");
    // An arrow key, Ctrl-Z and Return, which mean nothing to the kernel now; a letter of two bytes.
    session.press(b"\x1b[A\x1a\r\xc3\xa9\x7f");
    session.shows("1b  ESC\r\n5b  '['\r\n41  'A'\r\n1a  Ctrl-Z\r\n0d  Ctrl-M\r\n");
    session.shows("c3  part of UTF-8\r\na9  part of UTF-8\r\n7f  Backspace\r\n");
    let new_size = size(100, 30);
    // SAFETY: the descriptor is open and the size is read during the call.
    unsafe { set_size(session.master.as_raw_fd(), &raw const new_size) }.unwrap();
    session.shows("window: 100 x 30\r\n");
    session.press(b"\x03");
    session.shows("03  Ctrl-C\r\ntty-raw: ok, 10 bytes\r\n");
    session.ended(0);
}

/// It gives the terminal back when it is told to end, too.
fn tty_raw_terminated(backend: Backend) {
    let mut session = Session::start(backend);
    session.shows("any key; q ends\r\nwindow: 80 x 24\r\n");
    assert!(session.is_raw());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(session.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    session.shows("tty-raw: ok, 0 bytes\r\n");
    session.ended(0);
}

fn no_terminal(backend: Backend) {
    let output = example("tty-raw", backend).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "tty-raw: input and output must be a terminal\n"
    );
}

on_each_backend! { tty_raw tty_raw_terminated no_terminal }
