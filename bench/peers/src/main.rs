//! The echo server of the bench on other event loops: `peers NAME`, one thread each.
//!
//! Every one is written as its own documentation does it, with one buffer of 64 KiB for each
//! connection or, where the library allows it, for all.
mod on_compio;
mod on_mio;
mod on_monoio;
mod on_tokio;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;

/// Bytes asked for at once, as in the bench's own servers.
const READ: usize = 64 * 1024;
/// No server lives longer.
const LIFETIME_S: u32 = 90;

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    begin()?;
    match name.as_str() {
        "tokio" => on_tokio::serve(listen()?),
        "mio" => on_mio::serve(listen()?),
        "monoio" => on_monoio::serve(listen()?),
        "compio" => on_compio::serve(listen()?),
        _ => Err(io::Error::other("usage: peers tokio|mio|monoio|compio")),
    }
}

/// Tells which library and which interface of the kernel serves, and the port.
fn ready(library: &str, backend: &str, port: u16) {
    println!("library {library} {backend}\nready {port}");
}

/// A hard bound in time, no orphan if the runner dies, enough descriptors, one core.
fn begin() -> io::Result<()> {
    // SAFETY: integers only, and structs of integers that outlive the calls and for which zero is
    // a value.
    unsafe {
        libc::alarm(LIFETIME_S);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        if let Some(cpu) = std::env::var("BENCH_CPU").ok().and_then(|text| text.parse().ok()) {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            if libc::sched_setaffinity(0, size_of_val(&set), &set) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // Again, for a longer queue than std asks for.
    // SAFETY: integers only.
    if unsafe { libc::listen(listener.as_raw_fd(), 4096) } != 0 {
        return Err(io::Error::last_os_error());
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}
