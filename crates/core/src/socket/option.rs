//! Socket options of type int, any level and name: the one call that rustix has no untyped form of.

use core::ffi::c_int;

use crate::{Errno, Result};

/// setsockopt(2) with an int.
///
/// # Errors
/// As setsockopt(2): `NOPROTOOPT`, `INVAL`, `NOTSOCK`, `BADF`.
pub fn setsockopt_int(fd: i32, level: i32, name: i32, value: i32) -> Result<()> {
    let size = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` is readable for `size` bytes.
    let status = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size) };
    if status == 0 { Ok(()) } else { Err(errno()) }
}

/// getsockopt(2) of an int. An option of one byte is widened; one that is larger than an int is
/// cut off after its first four bytes, as the kernel cuts it.
///
/// # Errors
/// As getsockopt(2): `NOPROTOOPT`, `NOTSOCK`, `BADF`.
pub fn getsockopt_int(fd: i32, level: i32, name: i32) -> Result<i32> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` is writable for `size` bytes, and `size` for reads and writes.
    let status =
        unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut size) };
    if status == 0 { Ok(value) } else { Err(errno()) }
}

fn errno() -> Errno {
    // SAFETY: libc hands out the address of this thread's errno.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}
