//! epoll does not take regular files: they are always ready, so there is nothing to tell.
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use uvring_core::epoll::Epoll;

/// Tries to watch a file.
///
/// # Errors
/// EPERM, whatever the file holds.
pub fn add(file: &File) -> io::Result<()> {
    Ok(Epoll::new()?.add(file.as_raw_fd(), libc::EPOLLIN as u32, 0)?)
}
