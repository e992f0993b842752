//! Names of the system, of the host and of its network interfaces.

use core::ffi::{c_char, c_int, c_uint};
use core::mem::MaybeUninit;

use super::{bytes, put, put_text, room};
use crate::abi::*;
use crate::status;

/// Longest name of a host or of an interface, with its NUL and some to spare.
const NAME_SIZE: usize = 256;

/// Name, release and version of the system, and its machine. `UV_EINVAL` when `buffer` is NULL.
/// Source: manual, misc, `uv_os_uname`.
///
/// # Safety
/// `buffer` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_uname(buffer: *mut uv_utsname_t) -> c_int {
    if buffer.is_null() {
        return UV_EINVAL;
    }
    let mut own = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: `own` is valid for writes; `buffer` is by the caller's word.
    unsafe {
        // All texts are valid even when there is nothing to say.
        buffer.write_bytes(0, 1);
        if libc::uname(own.as_mut_ptr()) != 0 {
            return status::last();
        }
        let own = own.assume_init();
        for (from, to) in [
            (&own.sysname, &raw mut (*buffer).sysname),
            (&own.release, &raw mut (*buffer).release),
            (&own.version, &raw mut (*buffer).version),
            (&own.machine, &raw mut (*buffer).machine),
        ] {
            const { assert!(size_of::<libc::utsname>() / 6 < NAME_SIZE) };
            put_text(bytes(from.as_ptr()), to.cast());
        }
    }
    0
}

/// The host's name. `UV_ENOBUFS`, and the size needed in `*size`, when it does not fit;
/// `UV_EINVAL` when a pointer is NULL or `*size` 0.
/// Source: manual, misc, `uv_os_gethostname`.
///
/// # Safety
/// `size` is NULL or valid for reads and writes, `buffer` NULL or valid for writes of `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_gethostname(buffer: *mut c_char, size: *mut usize) -> c_int {
    let mut name = [0 as c_char; NAME_SIZE];
    // SAFETY: the last byte is never written, so that there is a NUL; the caller's word on the rest.
    unsafe {
        if room(buffer, size).is_none() {
            return UV_EINVAL;
        }
        if libc::gethostname(name.as_mut_ptr(), NAME_SIZE - 1) != 0 {
            return status::last();
        }
        put(bytes(name.as_ptr()), buffer, size)
    }
}

/// The name of network interface `ifindex`. `UV_ENXIO` when there is none, `UV_ENOBUFS`, and the
/// size needed in `*size`, when it does not fit; `UV_EINVAL` when a pointer is NULL or `*size` 0.
/// Source: manual, misc, `uv_if_indextoname`.
///
/// # Safety
/// As for [`uv_os_gethostname`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_if_indextoname(
    ifindex: c_uint,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    const { assert!(NAME_SIZE >= libc::IF_NAMESIZE) };
    let mut name = [0 as c_char; NAME_SIZE];
    // SAFETY: the name has room for more than IF_NAMESIZE bytes; the caller's word on the rest.
    unsafe {
        if room(buffer, size).is_none() {
            return UV_EINVAL;
        }
        if libc::if_indextoname(ifindex, name.as_mut_ptr()).is_null() {
            return status::last();
        }
        put(bytes(name.as_ptr()), buffer, size)
    }
}

/// What names the interface in a scoped IPv6 address ("fe80::1%eth0"): on Linux its name.
/// Source: manual, misc, `uv_if_indextoiid`.
///
/// # Safety
/// As for [`uv_os_gethostname`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_if_indextoiid(
    ifindex: c_uint,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: the caller's word.
    unsafe { uv_if_indextoname(ifindex, buffer, size) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_kernel_says_the_same() {
        let mut own = MaybeUninit::<uv_utsname_t>::uninit();
        let mut name = [0 as c_char; NAME_SIZE];
        let mut size = NAME_SIZE;
        // SAFETY: buffers of the size that is told.
        unsafe {
            assert_eq!(uv_os_uname(own.as_mut_ptr()), 0);
            let own = own.assume_init();
            let release = fs::read("/proc/sys/kernel/osrelease").expect("/proc");
            assert_eq!(bytes(own.release.as_ptr()), release.trim_ascii_end());
            assert_eq!(bytes(own.sysname.as_ptr()), b"Linux");
            assert_eq!(uv_os_gethostname(name.as_mut_ptr(), &mut size), 0);
            let host = fs::read("/proc/sys/kernel/hostname").expect("/proc");
            assert_eq!(bytes(name.as_ptr()), host.trim_ascii_end());
            assert_eq!(size, host.trim_ascii_end().len());
        }
    }

    #[test]
    fn interface_one_is_the_loopback() {
        let mut name = [0 as c_char; NAME_SIZE];
        // SAFETY: buffers of the size that is told.
        unsafe {
            let mut size = 2;
            assert_eq!(uv_if_indextoname(1, name.as_mut_ptr(), &mut size), UV_ENOBUFS);
            assert_eq!(size, 3);
            assert_eq!(uv_if_indextoiid(1, name.as_mut_ptr(), &mut size), 0);
            assert_eq!((size, bytes(name.as_ptr())), (2, &b"lo"[..]));
            size = NAME_SIZE;
            assert_eq!(uv_if_indextoname(u32::MAX, name.as_mut_ptr(), &mut size), UV_ENXIO);
            assert_eq!(uv_if_indextoname(0, name.as_mut_ptr(), &mut size), UV_ENXIO);
            assert_eq!(uv_if_indextoname(1, core::ptr::null_mut(), &mut size), UV_EINVAL);
        }
    }
}
