//! UTF-16 and WTF-8: not there yet.

use core::ffi::{c_char, c_int};

use crate::abi::*;

/// Not there yet: 0.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_utf16_length_as_wtf8(utf16: *const u16, utf16_len: isize) -> usize {
    0
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_utf16_to_wtf8(
    utf16: *const u16,
    utf16_len: isize,
    wtf8_ptr: *mut *mut c_char,
    wtf8_len_ptr: *mut usize,
) -> c_int {
    UV_ENOSYS
}

/// Not there yet: `UV_ENOSYS`.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_wtf8_length_as_utf16(wtf8: *const c_char) -> isize {
    UV_ENOSYS as isize
}

/// Not there yet: nothing is done.
///
/// # Safety
/// Reads and writes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_wtf8_to_utf16(wtf8: *const c_char, utf16: *mut u16, utf16_len: usize) {}
