//! Small things about descriptors, buffers and the process. Source: the manual's pages on
//! miscellaneous utilities and on file system operations.

use core::ffi::{c_char, c_int, c_uint};
use core::mem::{self, MaybeUninit};

use crate::abi::*;

/// A `uv_buf_t` of `len` bytes at `base`. The memory stays the caller's.
///
/// # Safety
/// None needed: the pointer is not looked at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_buf_init(base: *mut c_char, len: c_uint) -> uv_buf_t {
    uv_buf_t { base, len: len as usize }
}

/// Whether the kernel would take this much in one call, which is what an `int` can answer for.
///
/// # Safety
/// `bufs` has `nbufs` entries.
pub(crate) unsafe fn is_sendable(bufs: *const uv_buf_t, nbufs: c_uint) -> bool {
    // SAFETY: the caller's promise.
    let bufs = unsafe { core::slice::from_raw_parts(bufs, nbufs as usize) };
    let total = bufs.iter().try_fold(0_usize, |sum, buf| sum.checked_add(buf.len));
    total.is_some_and(|total| total <= uvring_core::fd::MAX_LEN)
}

/// This process's id.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_getpid() -> uv_pid_t {
    // SAFETY: may be called at any time.
    unsafe { libc::getpid() }
}

/// The parent process's id.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_getppid() -> uv_pid_t {
    // SAFETY: may be called at any time.
    unsafe { libc::getppid() }
}

/// The system's handle of a C library descriptor: on Linux the same number.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_get_osfhandle(fd: c_int) -> uv_os_fd_t {
    fd
}

/// The C library's descriptor of a system handle: on Linux the same number.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_open_osfhandle(os_fd: uv_os_fd_t) -> c_int {
    os_fd
}

/// Which kind of handle suits the descriptor: `UV_TTY`, `UV_FILE` (regular files and character
/// devices), `UV_NAMED_PIPE` (FIFOs and unix streams), `UV_TCP`, `UV_UDP`, or
/// `UV_UNKNOWN_HANDLE`, also for what is no descriptor.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_guess_handle(file: uv_file) -> uv_handle_type {
    if file < 0 {
        return UV_UNKNOWN_HANDLE;
    }
    // SAFETY: may be asked about any number.
    if unsafe { libc::isatty(file) } == 1 {
        return UV_TTY;
    }
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` is valid for writes; on 0 it is filled.
    let mode = unsafe {
        if libc::fstat(file, stat.as_mut_ptr()) != 0 {
            return UV_UNKNOWN_HANDLE;
        }
        stat.assume_init().st_mode
    };
    match mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFCHR => UV_FILE,
        libc::S_IFIFO => UV_NAMED_PIPE,
        libc::S_IFSOCK => guess_socket(file),
        _ => UV_UNKNOWN_HANDLE,
    }
}

fn guess_socket(fd: c_int) -> uv_handle_type {
    let option = |name| {
        let mut value: c_int = 0;
        let mut len = mem::size_of::<c_int>() as libc::socklen_t;
        // SAFETY: `value` has `len` bytes.
        let answer = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut len)
        };
        if answer == 0 { Some(value) } else { None }
    };
    match (option(libc::SO_TYPE), option(libc::SO_DOMAIN)) {
        (Some(libc::SOCK_STREAM), Some(libc::AF_INET | libc::AF_INET6)) => UV_TCP,
        (Some(libc::SOCK_STREAM), Some(libc::AF_UNIX)) => UV_NAMED_PIPE,
        (Some(libc::SOCK_DGRAM), Some(libc::AF_INET | libc::AF_INET6)) => UV_UDP,
        _ => UV_UNKNOWN_HANDLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the descriptor is taken for; closes it.
    fn guess(fd: c_int) -> uv_handle_type {
        assert!(fd >= 0);
        // SAFETY: the descriptor is this test's own.
        unsafe {
            let kind = uv_guess_handle(fd);
            libc::close(fd);
            kind
        }
    }

    #[test]
    fn descriptors_are_told_apart() {
        use libc::{AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM};
        // SAFETY: plain system calls on this test's own descriptors.
        unsafe {
            assert_eq!(uv_guess_handle(-1), UV_UNKNOWN_HANDLE);
            assert_eq!(uv_guess_handle(c_int::MAX), UV_UNKNOWN_HANDLE);
            assert_eq!(guess(libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY)), UV_FILE);
            assert_eq!(guess(libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY)), UV_FILE);
            assert_eq!(guess(libc::open(c"/".as_ptr(), libc::O_RDONLY)), UV_UNKNOWN_HANDLE);
            assert_eq!(guess(libc::eventfd(0, 0)), UV_UNKNOWN_HANDLE);
            assert_eq!(guess(libc::socket(AF_INET, SOCK_STREAM, 0)), UV_TCP);
            assert_eq!(guess(libc::socket(AF_INET, SOCK_DGRAM, 0)), UV_UDP);
            assert_eq!(guess(libc::socket(AF_UNIX, SOCK_STREAM, 0)), UV_NAMED_PIPE);
            assert_eq!(guess(libc::socket(AF_UNIX, SOCK_DGRAM, 0)), UV_UNKNOWN_HANDLE);
            let v6 = libc::socket(AF_INET6, SOCK_DGRAM, 0);
            if v6 >= 0 {
                assert_eq!(guess(v6), UV_UDP);
            }
        }
    }
}
