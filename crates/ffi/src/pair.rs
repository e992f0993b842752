//! Pairs of connected descriptors without a handle: `uv_pipe` and `uv_socketpair`. Source: the
//! manual's pages on pipes and on TCP.

use core::ffi::c_int;

use crate::abi::*;
use crate::status;

const NONBLOCK: c_int = UV_NONBLOCK_PIPE as c_int;

/// Makes `fd` non-blocking. 0 or an error code.
fn set_nonblocking(fd: c_int) -> c_int {
    // SAFETY: fcntl on a descriptor that was just made.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags == -1 {
            return status::last();
        }
        if libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) == -1 {
            return status::last();
        }
    }
    0
}

/// Hands the pair out, or closes both when an end that was to be non-blocking cannot be.
///
/// # Safety
/// `out` is valid for writes of two descriptors.
unsafe fn finish(pair: [c_int; 2], nonblock: [bool; 2], out: *mut c_int) -> c_int {
    for (fd, wanted) in pair.into_iter().zip(nonblock) {
        let code = if wanted { set_nonblocking(fd) } else { 0 };
        if code != 0 {
            // SAFETY: both were just made and nobody else knows them.
            unsafe {
                libc::close(pair[0]);
                libc::close(pair[1]);
            }
            return code;
        }
    }
    // SAFETY: the caller's word on `out`.
    unsafe { out.cast::<[c_int; 2]>().write_unaligned(pair) };
    0
}

/// Makes a pipe: `fds[0]` reads what `fds[1]` writes. Both are close-on-exec.
///
/// `UV_NONBLOCK_PIPE` in `read_flags` or `write_flags` makes that end non-blocking; other bits are
/// ignored. 0 or an error code, and then `fds` is untouched. `UV_EINVAL` when `fds` is NULL.
///
/// # Safety
/// `fds` is NULL or has room for two descriptors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe(
    fds: *mut uv_file,
    read_flags: c_int,
    write_flags: c_int,
) -> c_int {
    if fds.is_null() {
        return UV_EINVAL;
    }
    let mut pair = [-1; 2];
    // SAFETY: `pair` has room for two descriptors.
    if unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_CLOEXEC) } == -1 {
        return status::last();
    }
    // SAFETY: the caller's word on `fds`.
    unsafe { finish(pair, [read_flags & NONBLOCK != 0, write_flags & NONBLOCK != 0], fds) }
}

/// Makes a pair of connected unix sockets of this `type` and `protocol`. Both are close-on-exec.
///
/// `UV_NONBLOCK_PIPE` in `flags0` or `flags1` makes that socket non-blocking; other bits are
/// ignored. 0 or an error code, and then `socket_vector` is untouched. `UV_EINVAL` when it is NULL.
///
/// # Safety
/// `socket_vector` is NULL or has room for two descriptors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_socketpair(
    r#type: c_int,
    protocol: c_int,
    socket_vector: *mut uv_os_sock_t,
    flags0: c_int,
    flags1: c_int,
) -> c_int {
    if socket_vector.is_null() {
        return UV_EINVAL;
    }
    let mut pair = [-1; 2];
    let kind = r#type | libc::SOCK_CLOEXEC;
    // SAFETY: `pair` has room for two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, protocol, pair.as_mut_ptr()) } == -1 {
        return status::last();
    }
    // SAFETY: the caller's word on `socket_vector`.
    unsafe { finish(pair, [flags0 & NONBLOCK != 0, flags1 & NONBLOCK != 0], socket_vector) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the two descriptors are non-blocking; checks close-on-exec and closes them.
    fn look(fds: [c_int; 2]) -> [bool; 2] {
        fds.map(|fd| {
            // SAFETY: the descriptors are this test's own.
            unsafe {
                assert_eq!(libc::fcntl(fd, libc::F_GETFD), libc::FD_CLOEXEC);
                let flags = libc::fcntl(fd, libc::F_GETFL);
                libc::close(fd);
                flags & libc::O_NONBLOCK != 0
            }
        })
    }

    #[test]
    fn each_end_has_its_own_flag() {
        let mut fds = [-1; 2];
        let out = fds.as_mut_ptr();
        for (a, b) in [(0, 0), (NONBLOCK, 0), (0, NONBLOCK), (NONBLOCK, NONBLOCK), (0x800, 1)] {
            // SAFETY: room for two descriptors.
            unsafe {
                assert_eq!(uv_pipe(out, a, b), 0);
                assert_eq!(look(fds), [a == NONBLOCK, b == NONBLOCK]);
                assert_eq!(uv_socketpair(libc::SOCK_STREAM, 0, out, a, b), 0);
                assert_eq!(look(fds), [a == NONBLOCK, b == NONBLOCK]);
            }
        }
    }

    #[test]
    fn impossible_pairs_are_refused() {
        let mut fds = [-7; 2];
        // SAFETY: room for two descriptors; NULL is answered.
        unsafe {
            assert_eq!(uv_socketpair(99, 0, fds.as_mut_ptr(), 0, 0), UV_EINVAL);
            assert_eq!(uv_socketpair(1, 77, fds.as_mut_ptr(), 0, 0), UV_EPROTONOSUPPORT);
            assert_eq!(uv_socketpair(1, 0, core::ptr::null_mut(), 0, 0), UV_EINVAL);
            assert_eq!(uv_pipe(core::ptr::null_mut(), 0, 0), UV_EINVAL);
        }
        assert_eq!(fds, [-7; 2]);
    }
}
