//! The only conversion from the kernel's error numbers to libuv's negative codes.
//!
//! The codes themselves are in `abi::errno`.

use core::ffi::c_int;

use uvring_core::Errno;

/// The code of a failed system call.
pub(crate) fn from_errno(error: Errno) -> c_int {
    -error.raw_os_error()
}

/// The code of a pthread call's answer: 0 stays 0.
pub(crate) fn from_pthread(answer: c_int) -> c_int {
    -answer
}

/// 0 or the code.
pub(crate) fn from_result(result: uvring_core::Result<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => from_errno(error),
    }
}

/// The code of the C library call that just failed.
pub(crate) fn last() -> c_int {
    -errno()
}

/// What a C library call answered, or, when that was -1, the code of its failure.
pub(crate) fn check(answer: c_int) -> c_int {
    if answer == -1 { last() } else { answer }
}

/// This thread's errno.
pub(crate) fn errno() -> c_int {
    // SAFETY: the address of the calling thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

/// Sets this thread's errno.
pub(crate) fn set_errno(value: c_int) {
    // SAFETY: as for `errno`.
    unsafe { *libc::__errno_location() = value };
}
