//! The version of libuv whose API this is. Source: the manual's page on version checking.

use core::ffi::{c_char, c_uint};

use crate::abi::{UV_VERSION_MAJOR, UV_VERSION_MINOR, UV_VERSION_PATCH};

/// Major, minor and patch level in one number, eight bits each: what `UV_VERSION_HEX` was in the
/// header of the library that answers.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_version() -> c_uint {
    UV_VERSION_MAJOR << 16 | UV_VERSION_MINOR << 8 | UV_VERSION_PATCH
}

/// The version as text, "1.53.0". Static memory.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_version_string() -> *const c_char {
    c"1.53.0".as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_text_agree() {
        // SAFETY: the two functions ask nothing of the caller, and the text is a C string.
        unsafe {
            let n = uv_version();
            let text = std::format!("{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255);
            let s = core::ffi::CStr::from_ptr(uv_version_string());
            assert_eq!(s.to_str().unwrap(), text);
        }
    }
}
