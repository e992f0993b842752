//! Names and messages of error codes. Source: the manual's page on error handling.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::abi::*;
use crate::mem;

/// Code, name, message. Programs compare the texts, so they are libuv's to the letter.
#[rustfmt::skip]
static ERRORS: &[(c_int, &CStr, &CStr)] = &[
    (UV_E2BIG, c"E2BIG", c"argument list too long"),
    (UV_EACCES, c"EACCES", c"permission denied"),
    (UV_EADDRINUSE, c"EADDRINUSE", c"address already in use"),
    (UV_EADDRNOTAVAIL, c"EADDRNOTAVAIL", c"address not available"),
    (UV_EAFNOSUPPORT, c"EAFNOSUPPORT", c"address family not supported"),
    (UV_EAGAIN, c"EAGAIN", c"resource temporarily unavailable"),
    (UV_EAI_ADDRFAMILY, c"EAI_ADDRFAMILY", c"address family not supported"),
    (UV_EAI_AGAIN, c"EAI_AGAIN", c"temporary failure"),
    (UV_EAI_BADFLAGS, c"EAI_BADFLAGS", c"bad ai_flags value"),
    (UV_EAI_BADHINTS, c"EAI_BADHINTS", c"invalid value for hints"),
    (UV_EAI_CANCELED, c"EAI_CANCELED", c"request canceled"),
    (UV_EAI_FAIL, c"EAI_FAIL", c"permanent failure"),
    (UV_EAI_FAMILY, c"EAI_FAMILY", c"ai_family not supported"),
    (UV_EAI_MEMORY, c"EAI_MEMORY", c"out of memory"),
    (UV_EAI_NODATA, c"EAI_NODATA", c"no address"),
    (UV_EAI_NONAME, c"EAI_NONAME", c"unknown node or service"),
    (UV_EAI_OVERFLOW, c"EAI_OVERFLOW", c"argument buffer overflow"),
    (UV_EAI_PROTOCOL, c"EAI_PROTOCOL", c"resolved protocol is unknown"),
    (UV_EAI_SERVICE, c"EAI_SERVICE", c"service not available for socket type"),
    (UV_EAI_SOCKTYPE, c"EAI_SOCKTYPE", c"socket type not supported"),
    (UV_EALREADY, c"EALREADY", c"connection already in progress"),
    (UV_EBADF, c"EBADF", c"bad file descriptor"),
    (UV_EBUSY, c"EBUSY", c"resource busy or locked"),
    (UV_ECANCELED, c"ECANCELED", c"operation canceled"),
    (UV_ECHARSET, c"ECHARSET", c"invalid Unicode character"),
    (UV_ECONNABORTED, c"ECONNABORTED", c"software caused connection abort"),
    (UV_ECONNREFUSED, c"ECONNREFUSED", c"connection refused"),
    (UV_ECONNRESET, c"ECONNRESET", c"connection reset by peer"),
    (UV_EDESTADDRREQ, c"EDESTADDRREQ", c"destination address required"),
    (UV_EEXIST, c"EEXIST", c"file already exists"),
    (UV_EFAULT, c"EFAULT", c"bad address in system call argument"),
    (UV_EFBIG, c"EFBIG", c"file too large"),
    (UV_EHOSTUNREACH, c"EHOSTUNREACH", c"host is unreachable"),
    (UV_EINTR, c"EINTR", c"interrupted system call"),
    (UV_EINVAL, c"EINVAL", c"invalid argument"),
    (UV_EIO, c"EIO", c"i/o error"),
    (UV_EISCONN, c"EISCONN", c"socket is already connected"),
    (UV_EISDIR, c"EISDIR", c"illegal operation on a directory"),
    (UV_ELOOP, c"ELOOP", c"too many symbolic links encountered"),
    (UV_EMFILE, c"EMFILE", c"too many open files"),
    (UV_EMSGSIZE, c"EMSGSIZE", c"message too long"),
    (UV_ENAMETOOLONG, c"ENAMETOOLONG", c"name too long"),
    (UV_ENETDOWN, c"ENETDOWN", c"network is down"),
    (UV_ENETUNREACH, c"ENETUNREACH", c"network is unreachable"),
    (UV_ENFILE, c"ENFILE", c"file table overflow"),
    (UV_ENOBUFS, c"ENOBUFS", c"no buffer space available"),
    (UV_ENODEV, c"ENODEV", c"no such device"),
    (UV_ENOENT, c"ENOENT", c"no such file or directory"),
    (UV_ENOMEM, c"ENOMEM", c"not enough memory"),
    (UV_ENONET, c"ENONET", c"machine is not on the network"),
    (UV_ENOPROTOOPT, c"ENOPROTOOPT", c"protocol not available"),
    (UV_ENOSPC, c"ENOSPC", c"no space left on device"),
    (UV_ENOSYS, c"ENOSYS", c"function not implemented"),
    (UV_ENOTCONN, c"ENOTCONN", c"socket is not connected"),
    (UV_ENOTDIR, c"ENOTDIR", c"not a directory"),
    (UV_ENOTEMPTY, c"ENOTEMPTY", c"directory not empty"),
    (UV_ENOTSOCK, c"ENOTSOCK", c"socket operation on non-socket"),
    (UV_ENOTSUP, c"ENOTSUP", c"operation not supported on socket"),
    (UV_EOVERFLOW, c"EOVERFLOW", c"value too large for defined data type"),
    (UV_EPERM, c"EPERM", c"operation not permitted"),
    (UV_EPIPE, c"EPIPE", c"broken pipe"),
    (UV_EPROTO, c"EPROTO", c"protocol error"),
    (UV_EPROTONOSUPPORT, c"EPROTONOSUPPORT", c"protocol not supported"),
    (UV_EPROTOTYPE, c"EPROTOTYPE", c"protocol wrong type for socket"),
    (UV_ERANGE, c"ERANGE", c"result too large"),
    (UV_EROFS, c"EROFS", c"read-only file system"),
    (UV_ESHUTDOWN, c"ESHUTDOWN", c"cannot send after transport endpoint shutdown"),
    (UV_ESPIPE, c"ESPIPE", c"invalid seek"),
    (UV_ESRCH, c"ESRCH", c"no such process"),
    (UV_ETIMEDOUT, c"ETIMEDOUT", c"connection timed out"),
    (UV_ETXTBSY, c"ETXTBSY", c"text file is busy"),
    (UV_EXDEV, c"EXDEV", c"cross-device link not permitted"),
    (UV_UNKNOWN, c"UNKNOWN", c"unknown error"),
    (UV_EOF, c"EOF", c"end of file"),
    (UV_ENXIO, c"ENXIO", c"no such device or address"),
    (UV_EMLINK, c"EMLINK", c"too many links"),
    (UV_EHOSTDOWN, c"EHOSTDOWN", c"host is down"),
    (UV_EREMOTEIO, c"EREMOTEIO", c"remote I/O error"),
    (UV_ENOTTY, c"ENOTTY", c"inappropriate ioctl for device"),
    (UV_EFTYPE, c"EFTYPE", c"inappropriate file type or format"),
    (UV_EILSEQ, c"EILSEQ", c"illegal byte sequence"),
    (UV_ESOCKTNOSUPPORT, c"ESOCKTNOSUPPORT", c"socket type not supported"),
    (UV_ENODATA, c"ENODATA", c"no data available"),
    (UV_EUNATCH, c"EUNATCH", c"protocol driver not attached"),
    (UV_ENOEXEC, c"ENOEXEC", c"exec format error"),
];

/// Length of the longest text for an unknown code, with its NUL.
const UNKNOWN_SIZE: usize = 32;

/// The text for one code that is not in the table, made when it is first asked for.
///
/// The caller of `uv_strerror` never frees what it gets, so each code's text is made once, kept,
/// and freed by `uv_library_shutdown`.
struct Unknown {
    next: *mut Unknown,
    code: c_int,
    text: [u8; UNKNOWN_SIZE],
}

static UNKNOWNS: AtomicPtr<Unknown> = AtomicPtr::new(ptr::null_mut());

/// "Unknown system error N" with its NUL, and its length without it.
///
/// Cut at 31 characters as libuv's is, which shortens numbers of eleven characters by one.
fn unknown_text(code: c_int) -> ([u8; UNKNOWN_SIZE], usize) {
    const PREFIX: &[u8] = b"Unknown system error ";
    let mut digits = [0u8; 11];
    let mut start = digits.len();
    let mut rest = code.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if code < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    let mut text = [0u8; UNKNOWN_SIZE];
    let mut len = 0;
    for &byte in PREFIX.iter().chain(&digits[start..]).take(UNKNOWN_SIZE - 1) {
        text[len] = byte;
        len += 1;
    }
    (text, len)
}

/// The kept text for a code outside the table. Static memory until `free_texts`.
fn unknown(code: c_int) -> *const c_char {
    let mut seen = UNKNOWNS.load(Ordering::Acquire);
    let mut node = seen;
    while !node.is_null() {
        // SAFETY: a published node is never changed, nor freed before the library is shut down.
        let known = unsafe { &*node };
        if known.code == code {
            return known.text.as_ptr().cast();
        }
        node = known.next;
    }
    let fresh = mem::alloc_one::<Unknown>();
    if fresh.is_null() {
        return c"Unknown system error".as_ptr();
    }
    loop {
        // SAFETY: `fresh` has room for one node and nobody else sees it yet.
        unsafe { fresh.write(Unknown { next: seen, code, text: unknown_text(code).0 }) };
        // Release: who finds the node finds its text. Two threads that ask for the same new code
        // at once may both add it; that costs a node and nothing else.
        match UNKNOWNS.compare_exchange_weak(seen, fresh, Ordering::Release, Ordering::Acquire) {
            // SAFETY: just written, and never freed before the library is shut down.
            Ok(_) => return unsafe { (&raw const (*fresh).text).cast() },
            Err(head) => seen = head,
        }
    }
}

/// Frees the texts that were made for unknown codes. Part of `uv_library_shutdown`.
///
/// # Safety
/// No pointer that `uv_strerror` or `uv_err_name` returned is used any more.
pub(crate) unsafe fn free_texts() {
    let mut node = UNKNOWNS.swap(ptr::null_mut(), Ordering::Acquire);
    while !node.is_null() {
        // SAFETY: the list is this function's alone now, and its nodes came from `mem`.
        unsafe {
            let next = (*node).next;
            mem::free(node.cast());
            node = next;
        }
    }
}

fn find(code: c_int) -> Option<&'static (c_int, &'static CStr, &'static CStr)> {
    ERRORS.iter().find(|entry| entry.0 == code)
}

/// Copies as much of `text` as `buf` holds with a NUL; nothing when `buflen` is 0.
///
/// # Safety
/// `buf` is valid for writes of `buflen` bytes.
unsafe fn copy_text(text: &[u8], buf: *mut c_char, buflen: usize) {
    if buflen == 0 || buf.is_null() {
        return;
    }
    let len = text.len().min(buflen - 1);
    // SAFETY: `len` + 1 <= `buflen`, and a private text never overlaps the caller's buffer.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast(), buf, len);
        buf.add(len).write(0);
    }
}

/// The message of error code `err` (negative). Memory of the library, never to be freed; for a
/// code that is not libuv's, "Unknown system error N", valid until `uv_library_shutdown`.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_strerror(err: c_int) -> *const c_char {
    find(err).map_or_else(|| unknown(err), |entry| entry.2.as_ptr())
}

/// The name of error code `err` (negative), "ENOENT"; otherwise as [`uv_strerror`].
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_err_name(err: c_int) -> *const c_char {
    find(err).map_or_else(|| unknown(err), |entry| entry.1.as_ptr())
}

/// As [`uv_strerror`], into `buf` of `buflen` bytes: cut to fit, always with its NUL, untouched
/// when `buflen` is 0. Returns `buf`. Allocates nothing.
///
/// # Safety
/// `buf` is valid for writes of `buflen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_strerror_r(err: c_int, buf: *mut c_char, buflen: usize) -> *mut c_char {
    // SAFETY: the caller's word on `buf`.
    unsafe {
        match find(err) {
            Some(entry) => copy_text(entry.2.to_bytes(), buf, buflen),
            None => {
                let (text, len) = unknown_text(err);
                copy_text(&text[..len], buf, buflen);
            }
        }
    }
    buf
}

/// As [`uv_err_name`], into `buf` as [`uv_strerror_r`] does.
///
/// # Safety
/// `buf` is valid for writes of `buflen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_err_name_r(err: c_int, buf: *mut c_char, buflen: usize) -> *mut c_char {
    // SAFETY: the caller's word on `buf`.
    unsafe {
        match find(err) {
            Some(entry) => copy_text(entry.1.to_bytes(), buf, buflen),
            None => {
                let (text, len) = unknown_text(err);
                copy_text(&text[..len], buf, buflen);
            }
        }
    }
    buf
}

/// libuv's code for the system's error number: its negative. What is negative already, or 0, stays.
///
/// # Safety
/// None needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_translate_sys_error(sys_errno: c_int) -> c_int {
    if sys_errno <= 0 { sys_errno } else { -sys_errno }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;

    fn text(s: *const c_char) -> String {
        // SAFETY: the functions under test return C strings.
        unsafe { CStr::from_ptr(s) }.to_str().unwrap().into()
    }

    #[test]
    fn known_codes() {
        // SAFETY: these functions ask nothing of the caller.
        unsafe {
            assert_eq!(text(uv_err_name(UV_ENOENT)), "ENOENT");
            assert_eq!(text(uv_strerror(UV_ENOENT)), "no such file or directory");
            assert_eq!(text(uv_err_name(UV_EOF)), "EOF");
            assert_eq!(text(uv_strerror(UV_EAI_NONAME)), "unknown node or service");
        }
    }

    #[test]
    fn every_code_is_there_once() {
        for (i, entry) in ERRORS.iter().enumerate() {
            assert!(entry.0 < 0);
            assert!(ERRORS[i + 1..].iter().all(|other| other.0 != entry.0 && other.1 != entry.1));
        }
        assert_eq!(ERRORS.len(), 85);
    }

    #[test]
    fn an_unknown_code_is_made_once() {
        // SAFETY: these functions ask nothing of the caller.
        unsafe {
            let first = uv_strerror(-100_001);
            assert_eq!(text(first), "Unknown system error -100001");
            assert_eq!(first, uv_strerror(-100_001));
            assert_eq!(first, uv_err_name(-100_001));
            assert_ne!(first, uv_strerror(-100_002));
            assert_eq!(text(uv_strerror(0)), "Unknown system error 0");
        }
    }

    #[test]
    fn unknown_codes_from_many_threads() {
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for code in 5000..5100 {
                        // SAFETY: asks nothing of the caller.
                        let t = text(unsafe { uv_strerror(code) });
                        assert_eq!(t, std::format!("Unknown system error {code}"));
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn unknown_numbers_are_printed_as_printf_does(code: i32) {
            let (buf, len) = unknown_text(code);
            let mut expect = std::format!("Unknown system error {code}");
            expect.truncate(31);
            prop_assert_eq!(core::str::from_utf8(&buf[..len]).unwrap(), expect);
            prop_assert_eq!(buf[len], 0);
        }

        #[test]
        fn texts_are_cut_to_the_buffer(size in 0usize..40, code in -130i32..10) {
            let mut buf = [0x55u8; 64];
            // SAFETY: `buf` has more than `size` bytes, and the code asks nothing of the caller.
            let whole = unsafe {
                uv_strerror_r(code, buf.as_mut_ptr().cast(), size);
                text(uv_strerror(code))
            };
            if size > 0 {
                let got = CStr::from_bytes_until_nul(&buf).unwrap().to_str().unwrap();
                prop_assert_eq!(got, &whole[..whole.len().min(size - 1)]);
            }
            prop_assert!(buf[size..].iter().all(|&b| b == 0x55));
        }

        #[test]
        fn translation_is_never_positive(code: i32) {
            // SAFETY: asks nothing of the caller.
            let r = unsafe { uv_translate_sys_error(code) };
            prop_assert!(r <= 0);
            prop_assert!(r == code || r == code.wrapping_neg());
        }
    }
}
