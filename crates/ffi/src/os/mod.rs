//! The system around the loop: processors, memory, network interfaces, names, users, environment,
//! folders, usage, title and priority of the process. Source: the manual's page on miscellaneous
//! utilities.
//!
//! Texts go out in one way: the caller says how large his buffer is, and learns the length of the
//! text or, with `UV_ENOBUFS`, the size that would do.

mod cgroup;
mod proc;

pub mod cpu;
pub mod cpu_info;
pub mod dirs;
pub mod env;
pub mod memory;
pub mod names;
pub mod net_interfaces;
pub mod priority;
pub mod title;
pub mod usage;
pub mod users;

use core::ffi::{CStr, c_char, c_int};
use core::ptr;

use crate::abi::*;

/// The size of the caller's buffer, if there is one and it has room for a NUL at least.
///
/// # Safety
/// `size` is NULL or valid for reads.
unsafe fn room(buffer: *mut c_char, size: *mut usize) -> Option<usize> {
    if buffer.is_null() || size.is_null() {
        return None;
    }
    // SAFETY: not NULL, so valid by the caller's word.
    Some(unsafe { *size }).filter(|&size| size > 0)
}

/// Copies `text` and a NUL: 0, `*size` its length. `UV_ENOBUFS` when there is too little room, and
/// `*size` says how much is needed, the NUL included. `UV_EINVAL` without a buffer.
///
/// # Safety
/// `size` is NULL or valid for reads and writes; `buffer` is NULL or valid for writes of `*size`
/// bytes, none of them part of `text`.
pub(crate) unsafe fn put(text: &[u8], buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: the caller's word; `text` and its NUL are copied only where they fit.
    unsafe {
        let Some(room) = room(buffer, size) else { return UV_EINVAL };
        if text.len() >= room {
            *size = text.len() + 1;
            return UV_ENOBUFS;
        }
        put_text(text, buffer);
        *size = text.len();
        0
    }
}

/// Copies `text` and a NUL; the first byte behind them.
///
/// # Safety
/// `to` is valid for writes of one byte more than `text` has, none of them part of `text`.
unsafe fn put_text(text: &[u8], to: *mut c_char) -> *mut c_char {
    // SAFETY: the caller's word.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast(), to, text.len());
        to.add(text.len()).write(0);
        to.add(text.len() + 1)
    }
}

/// The bytes of a C string; none for NULL.
///
/// # Safety
/// `text` is NULL or a C string that stays as it is for `'t`.
pub(crate) unsafe fn bytes<'t>(text: *const c_char) -> &'t [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: the caller's word.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_with_its_nul_or_says_what_it_needs() {
        let mut buffer = [1 as c_char; 5];
        let mut size = 4;
        // SAFETY: every size is at most the buffer's.
        unsafe {
            assert_eq!(put(b"abcd", buffer.as_mut_ptr(), &mut size), UV_ENOBUFS);
            assert_eq!((size, buffer), (5, [1; 5]));
            assert_eq!(put(b"abcd", buffer.as_mut_ptr(), &mut size), 0);
            assert_eq!((size, bytes(buffer.as_ptr())), (4, &b"abcd"[..]));
            size = 0;
            assert_eq!(put(b"", buffer.as_mut_ptr(), &mut size), UV_EINVAL);
            assert_eq!(put(b"", ptr::null_mut(), &mut size), UV_EINVAL);
            assert_eq!(put(b"", buffer.as_mut_ptr(), ptr::null_mut()), UV_EINVAL);
            assert_eq!(bytes(ptr::null()), b"");
        }
    }
}
