//! What this file makes and accepts is compared with the C library's own inet_ntop and inet_pton.

use super::*;
use proptest::prelude::*;
use std::ffi::CString;
use std::string::{String, ToString};

unsafe extern "C" {
    fn inet_ntop(
        af: c_int,
        src: *const c_void,
        dst: *mut c_char,
        size: libc::socklen_t,
    ) -> *const c_char;
    fn inet_pton(af: c_int, src: *const c_char, dst: *mut c_void) -> c_int;
}

fn ntop(af: c_int, src: &[u8], size: usize) -> Result<String, c_int> {
    let mut buf = [0x7f as c_char; 64];
    // SAFETY: `src` has the family's bytes and `buf` has at least `size`.
    let r = unsafe { uv_inet_ntop(af, src.as_ptr().cast(), buf.as_mut_ptr(), size) };
    if r != 0 {
        assert!(buf.iter().all(|&b| b == 0x7f), "written to on failure");
        return Err(r);
    }
    // SAFETY: success leaves a C string.
    Ok(unsafe { CStr::from_ptr(buf.as_ptr()) }.to_str().unwrap().to_string())
}

fn reference_ntop(af: c_int, src: &[u8]) -> String {
    let mut buf = [0 as c_char; 64];
    // SAFETY: `src` has the family's bytes and `buf` is long enough for any address.
    unsafe {
        assert!(!inet_ntop(af, src.as_ptr().cast(), buf.as_mut_ptr(), 64).is_null());
        CStr::from_ptr(buf.as_ptr()).to_str().unwrap().to_string()
    }
}

fn pton(af: c_int, text: &str) -> Option<[u8; 16]> {
    let text = CString::new(text).unwrap();
    let mut out = [0u8; 16];
    // SAFETY: a C string in, room for either family out.
    match unsafe { uv_inet_pton(af, text.as_ptr(), out.as_mut_ptr().cast()) } {
        0 => Some(out),
        code => {
            assert_eq!(code, UV_EINVAL);
            assert_eq!(out, [0; 16], "written to on failure");
            None
        }
    }
}

fn reference_pton(af: c_int, text: &str) -> Option<[u8; 16]> {
    let text = CString::new(text).unwrap();
    let mut out = [0u8; 16];
    // SAFETY: a C string in, room for either family out.
    let r = unsafe { inet_pton(af, text.as_ptr(), out.as_mut_ptr().cast()) };
    (r == 1).then_some(out)
}

/// Groups that are often zero, so that runs of every length and place come up.
fn sparse_groups() -> impl Strategy<Value = [u16; 8]> {
    prop::array::uniform8(prop_oneof![4 => Just(0u16), 1 => Just(0xffff), 2 => any::<u16>()])
}

fn bytes_of(groups: [u16; 8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (pair, group) in bytes.chunks_exact_mut(2).zip(groups) {
        pair.copy_from_slice(&group.to_be_bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn ipv4_text_is_the_c_librarys(bytes: [u8; 4]) {
        let text = ntop(libc::AF_INET, &bytes, 16).unwrap();
        prop_assert_eq!(&text, &reference_ntop(libc::AF_INET, &bytes));
        prop_assert_eq!(&pton(libc::AF_INET, &text).unwrap()[..4], &bytes);
        prop_assert_eq!(ntop(libc::AF_INET, &bytes, text.len()), Err(UV_ENOSPC));
        prop_assert!(ntop(libc::AF_INET, &bytes, text.len() + 1).is_ok());
    }

    #[test]
    fn ipv6_text_is_the_c_librarys(groups in sparse_groups()) {
        let bytes = bytes_of(groups);
        let text = ntop(libc::AF_INET6, &bytes, 46).unwrap();
        prop_assert_eq!(&text, &reference_ntop(libc::AF_INET6, &bytes));
        prop_assert_eq!(pton(libc::AF_INET6, &text).unwrap(), bytes);
        prop_assert_eq!(ntop(libc::AF_INET6, &bytes, text.len()), Err(UV_ENOSPC));
        prop_assert!(ntop(libc::AF_INET6, &bytes, text.len() + 1).is_ok());
    }

    #[test]
    fn ipv4_accepts_what_the_c_library_accepts(text in "([0-9]{0,4}[.]){0,4}[0-9]{0,4}[x. ]?") {
        prop_assert_eq!(pton(libc::AF_INET, &text), reference_pton(libc::AF_INET, &text));
    }

    #[test]
    fn ipv6_accepts_what_the_c_library_accepts(
        text in "([0-9a-fA-Fg]{0,5}:{1,2}){0,9}([0-9a-f]{0,4}|[0-9]{1,3}([.][0-9]{1,3}){3})"
    ) {
        prop_assert_eq!(pton(libc::AF_INET6, &text), reference_pton(libc::AF_INET6, &text));
    }

    #[test]
    fn any_bytes_are_answered(text in "[^\0]*") {
        prop_assert_eq!(pton(libc::AF_INET, &text), reference_pton(libc::AF_INET, &text));
        if !text.contains('%') {
            prop_assert_eq!(pton(libc::AF_INET6, &text), reference_pton(libc::AF_INET6, &text));
        }
    }

    #[test]
    fn a_zone_changes_nothing(groups in sparse_groups(), zone in "[^\0]{0,70}") {
        let text = reference_ntop(libc::AF_INET6, &bytes_of(groups));
        let zoned = std::format!("{text}%{zone}");
        prop_assert_eq!(pton(libc::AF_INET6, &zoned), Some(bytes_of(groups)));
    }
}

#[test]
fn longest_text_fits() {
    let text = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255";
    assert_eq!(text.len() + 1, TEXT_SIZE);
    assert_eq!(pton(libc::AF_INET6, text), Some([0xff; 16]));
    assert!(ntop(libc::AF_INET6, &[0xff; 16], 40).is_ok());
}

#[test]
fn null_and_unknown_families_are_answered() {
    let null = ptr::null();
    let mut buf = [0 as c_char; 64];
    let dst = buf.as_mut_ptr();
    // SAFETY: NULL is answered everywhere, and the buffer is long enough.
    unsafe {
        assert_eq!(uv_inet_pton(libc::AF_INET, null, dst.cast()), UV_EINVAL);
        assert_eq!(uv_inet_pton(42, c"::1".as_ptr(), dst.cast()), UV_EAFNOSUPPORT);
        assert_eq!(uv_inet_ntop(42, dst.cast(), dst, 64), UV_EAFNOSUPPORT);
        assert_eq!(uv_inet_ntop(libc::AF_INET, dst.cast(), dst, 0), UV_ENOSPC);
        assert_eq!(uv_ip4_addr(null, 0, dst.cast()), UV_EINVAL);
        assert_eq!(uv_ip6_addr(null, 0, dst.cast()), UV_EINVAL);
        assert_eq!(uv_ip4_addr(c"1.2.3.4".as_ptr(), 0, ptr::null_mut()), UV_EINVAL);
        assert_eq!(uv_ip_name(null.cast(), dst, 64), UV_EINVAL);
    }
}

#[test]
fn addresses_are_filled_and_named() {
    // SAFETY: zero bytes are valid for both records.
    let (mut v4, mut v6) =
        unsafe { (core::mem::zeroed::<sockaddr_in>(), core::mem::zeroed::<sockaddr_in6>()) };
    let mut buf = [0 as c_char; 64];
    // SAFETY: C strings, valid records and a buffer of the size that is given.
    unsafe {
        assert_eq!(uv_ip4_addr(c"192.168.0.1".as_ptr(), 80, &mut v4), 0);
        assert_eq!(v4.sin_port, 80u16.to_be());
        assert_eq!(uv_ip_name((&raw const v4).cast(), buf.as_mut_ptr(), 16), 0);
        assert_eq!(CStr::from_ptr(buf.as_ptr()), c"192.168.0.1");

        assert_eq!(uv_ip6_addr(c"fe80::1%lo".as_ptr(), 80, &mut v6), 0);
        assert_eq!(v6.sin6_scope_id, libc::if_nametoindex(c"lo".as_ptr()));
        assert_eq!(uv_ip6_addr(c"fe80::1%no-such".as_ptr(), 80, &mut v6), 0);
        assert_eq!(v6.sin6_scope_id, 0);
        assert_eq!(uv_ip_name((&raw const v6).cast(), buf.as_mut_ptr(), 46), 0);
        assert_eq!(CStr::from_ptr(buf.as_ptr()), c"fe80::1");

        v4.sin_family = libc::AF_UNIX as libc::sa_family_t;
        assert_eq!(uv_ip_name((&raw const v4).cast(), buf.as_mut_ptr(), 64), UV_EAFNOSUPPORT);
        assert_eq!(uv_ip4_addr(c"x".as_ptr(), 80, &mut v4), UV_EINVAL);
        assert_eq!((v4.sin_family, v4.sin_addr.s_addr), (libc::AF_INET as _, 0));
    }
}
