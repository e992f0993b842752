//! What needs no network: numbers, names that no resolver sees, errors.

use core::ffi::CStr;
use core::mem::zeroed;
use core::ptr::{null, null_mut};

use libc::{addrinfo, sockaddr_in, sockaddr_in6};
use std::ffi::CString;
use std::string::String;

use super::getaddrinfo::*;
use super::getnameinfo::*;
use super::*;

const NUMBERS: c_int = libc::AI_NUMERICHOST | libc::AI_NUMERICSERV;

/// The code, and the addresses without a network.
fn look_up(node: Option<&CStr>, service: Option<&CStr>, hints: &addrinfo) -> (c_int, String) {
    // SAFETY: zero bytes are a valid request; the texts are C strings; the result is given back.
    unsafe {
        let mut req: uv_getaddrinfo_t = zeroed();
        // What an error leaves is not what was there.
        req.addrinfo.set(core::ptr::dangling_mut());
        let text = |text: Option<&CStr>| text.map_or(null(), CStr::as_ptr);
        let code = uv_getaddrinfo(null_mut(), &mut req, None, text(node), text(service), hints);
        let found = req.addrinfo.get();
        assert_eq!(code == 0, !found.is_null());
        let mut addresses = String::new();
        let mut one = found;
        while let Some(record) = one.as_ref() {
            addresses += &address(record);
            one = record.ai_next;
        }
        uv_freeaddrinfo(found);
        (code, addresses)
    }
}

fn address(record: &addrinfo) -> String {
    // SAFETY: an address is as long as its family says.
    unsafe {
        match record.ai_family {
            libc::AF_INET => {
                let addr = &*record.ai_addr.cast::<sockaddr_in>();
                let ip = core::net::Ipv4Addr::from_bits(u32::from_be(addr.sin_addr.s_addr));
                std::format!("{ip}:{} ", u16::from_be(addr.sin_port))
            }
            libc::AF_INET6 => {
                let addr = &*record.ai_addr.cast::<sockaddr_in6>();
                let ip = core::net::Ipv6Addr::from(addr.sin6_addr.s6_addr);
                std::format!("[{ip}]:{} ", u16::from_be(addr.sin6_port))
            }
            family => std::format!("family {family} "),
        }
    }
}

fn hints(flags: c_int) -> addrinfo {
    // SAFETY: zero bytes are hints that ask for nothing.
    let mut hints: addrinfo = unsafe { zeroed() };
    hints.ai_flags = flags;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints
}

#[test]
fn numbers_need_no_resolver() {
    let hints = hints(NUMBERS);
    let answer = |node, service| look_up(node, service, &hints);
    assert_eq!(answer(Some(c"127.0.0.1"), Some(c"80")), (0, "127.0.0.1:80 ".into()));
    assert_eq!(answer(Some(c"::1"), None), (0, "[::1]:0 ".into()));
    // Another full stop is a full stop.
    assert_eq!(answer(Some(c"127\u{3002}0.0.1"), Some(c"1")), (0, "127.0.0.1:1 ".into()));
    assert_eq!(answer(None, Some(c"80")).0, 0);
    assert_eq!(answer(Some(c"localhost"), None), (UV_EAI_NONAME, String::new()));
    assert_eq!(answer(Some(c"127.0.0.1"), Some(c"http")), (UV_EAI_NONAME, String::new()));
}

#[test]
fn hints_are_heeded() {
    let mut six = hints(NUMBERS);
    six.ai_family = libc::AF_INET6;
    assert!(matches!(look_up(Some(c"127.0.0.1"), None, &six).0, UV_EAI_ADDRFAMILY | UV_EAI_NONAME));
    six.ai_family = 200;
    assert_eq!(look_up(Some(c"::1"), None, &six).0, UV_EAI_FAMILY);
    let mut odd = hints(1 << 30);
    assert_eq!(look_up(Some(c"::1"), None, &odd).0, UV_EAI_BADFLAGS);
    odd = hints(NUMBERS);
    odd.ai_socktype = 77;
    assert_eq!(look_up(Some(c"::1"), None, &odd).0, UV_EAI_SOCKTYPE);
}

/// CVE-2024-24806: a name that begins like an address and is cut must not become that address.
#[test]
fn no_name_is_cut() {
    let hints = hints(NUMBERS);
    for len in [253, 254, 255, 256, 257, 1000, 100_000] {
        let start = "0x7f000001.";
        let name = CString::new(String::from(start) + &"a".repeat(len - start.len())).unwrap();
        let expected = if len <= 255 { UV_EAI_NONAME } else { UV_EINVAL };
        assert_eq!(look_up(Some(&name), None, &hints), (expected, String::new()), "{len}");
        // Zeros before a number: whole, or not looked up at all.
        let number = CString::new("0".repeat(len - 1) + "1").unwrap();
        let (code, addresses) = look_up(Some(&number), None, &hints);
        if len <= 255 {
            assert_eq!((code, addresses.as_str()), (0, "0.0.0.1:0 "), "{len}");
        } else {
            assert_eq!(code, UV_EINVAL, "{len}");
        }
    }
}

#[test]
fn what_cannot_be_asked() {
    let hints = hints(0);
    for name in [c"", c"\xc3", c"\xed\xa0\x80.com"] {
        assert_eq!(look_up(Some(name), None, &hints), (UV_EINVAL, String::new()));
    }
    assert_eq!(look_up(None, None, &hints), (UV_EINVAL, String::new()));

    unsafe extern "C" fn never(_: *mut uv_getaddrinfo_t, _: c_int, _: *mut addrinfo) {}
    unsafe extern "C" fn never_name(
        _: *mut uv_getnameinfo_t,
        _: c_int,
        _: *const core::ffi::c_char,
        _: *const core::ffi::c_char,
    ) {
    }
    // SAFETY: NULL pointers are answered; zero bytes are valid requests and addresses.
    unsafe {
        let (none, name) = (null_mut(), c"::1".as_ptr());
        assert_eq!(uv_getaddrinfo(none, null_mut(), None, name, null(), null()), UV_EINVAL);
        let mut req: uv_getaddrinfo_t = zeroed();
        let code = uv_getaddrinfo(none, &mut req, Some(never), name, null(), null());
        assert_eq!(code, UV_EINVAL);
        uv_freeaddrinfo(null_mut());

        let mut addr: sockaddr_in = zeroed();
        let to = (&raw const addr).cast();
        let mut req: uv_getnameinfo_t = zeroed();
        assert_eq!(uv_getnameinfo(none, null_mut(), None, to, 0), UV_EINVAL);
        assert_eq!(uv_getnameinfo(none, &mut req, None, null(), 0), UV_EINVAL);
        for family in [libc::AF_UNSPEC, libc::AF_UNIX, 200] {
            addr.sin_family = family as libc::sa_family_t;
            let to = (&raw const addr).cast();
            assert_eq!(uv_getnameinfo(none, &mut req, None, to, 0), UV_EINVAL);
        }
        addr.sin_family = libc::AF_INET as libc::sa_family_t;
        let to = (&raw const addr).cast();
        assert_eq!(uv_getnameinfo(none, &mut req, Some(never_name), to, 0), UV_EINVAL);
    }
}

#[test]
fn numbers_of_an_address() {
    let name = |addr: *const libc::sockaddr, flags| {
        // SAFETY: zero bytes are a valid request; the names end with a NUL.
        unsafe {
            let mut req: uv_getnameinfo_t = zeroed();
            let code = uv_getnameinfo(null_mut(), &mut req, None, addr, flags);
            let host = CStr::from_ptr(req.host.as_ptr().cast());
            let service = CStr::from_ptr(req.service.as_ptr().cast());
            let text = |text: &CStr| String::from(text.to_str().unwrap());
            (code, text(host), text(service))
        }
    };
    let answer =
        |code, host: &str, service: &str| (code, String::from(host), String::from(service));
    // SAFETY: zero bytes are addresses.
    let (mut four, mut six): (sockaddr_in, sockaddr_in6) = unsafe { zeroed() };
    four.sin_family = libc::AF_INET as libc::sa_family_t;
    four.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    four.sin_port = 80_u16.to_be();
    six.sin6_family = libc::AF_INET6 as libc::sa_family_t;
    six.sin6_addr.s6_addr[15] = 1;
    six.sin6_port = 65535_u16.to_be();
    let (four, six) = ((&raw const four).cast(), (&raw const six).cast());
    let numbers = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
    assert_eq!(name(four, numbers), answer(0, "127.0.0.1", "80"));
    assert_eq!(name(six, numbers), answer(0, "::1", "65535"));
    assert_eq!(name(four, 1 << 30), answer(UV_EAI_BADFLAGS, "", ""));
}

#[test]
fn each_answer_has_its_code() {
    assert_eq!(from_resolver(0), 0);
    status::set_errno(libc::EMFILE);
    assert_eq!(from_resolver(libc::EAI_SYSTEM), UV_EMFILE);
    status::set_errno(0);
    assert_eq!(from_resolver(libc::EAI_SYSTEM), UV_EAI_FAIL);
    assert_eq!(from_resolver(libc::EAI_AGAIN), UV_EAI_AGAIN);
    for answer in -200..=200 {
        let code = from_resolver(answer);
        assert!(answer == 0 || (-3014..=-3000).contains(&code), "{answer}: {code}");
    }
}
