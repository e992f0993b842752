//! Internet addresses as text. Source: the manual's page on miscellaneous utilities.
//!
//! Text is parsed and made here, not by the C library, so that what is accepted does not depend on
//! it: four decimal numbers without leading zeros, or RFC 4291 with an optional `%zone`.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;

use libc::{sockaddr, sockaddr_in, sockaddr_in6};

use crate::abi::*;

/// Longest IPv6 text with its NUL: six groups and a dotted quad.
const TEXT_SIZE: usize = 46;

/// Text under construction. Never longer than its buffer: the longest text is 45 bytes.
struct Text {
    bytes: [u8; TEXT_SIZE],
    len: usize,
}

impl Text {
    fn new() -> Self {
        Text { bytes: [0; TEXT_SIZE], len: 0 }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn decimal(&mut self, n: u8) {
        if n >= 100 {
            self.push(b'0' + n / 100);
        }
        if n >= 10 {
            self.push(b'0' + n / 10 % 10);
        }
        self.push(b'0' + n % 10);
    }

    fn hex(&mut self, n: u16) {
        let mut started = false;
        for shift in [12, 8, 4, 0] {
            let digit = (n >> shift & 15) as usize;
            started |= digit != 0 || shift == 0;
            if started {
                self.push(b"0123456789abcdef"[digit]);
            }
        }
    }

    fn ipv4(&mut self, octets: [u8; 4]) {
        for (i, octet) in octets.into_iter().enumerate() {
            if i > 0 {
                self.push(b'.');
            }
            self.decimal(octet);
        }
    }

    /// RFC 5952, and the last 32 bits as a dotted quad when the first 96 are those of a
    /// v4-compatible or v4-mapped address.
    fn ipv6(&mut self, groups: [u16; 8]) {
        let (start, len) = longest_zero_run(&groups);
        let quad = start == 0 && (len == 6 || (len == 5 && groups[5] == 0xffff));
        let count = if quad { 6 } else { 8 };
        let mut i = 0;
        while i < count {
            if len > 0 && i == start {
                self.push(b':');
                i += len;
                if i == 8 {
                    self.push(b':');
                }
                continue;
            }
            if i > 0 {
                self.push(b':');
            }
            self.hex(groups[i]);
            i += 1;
        }
        if quad {
            self.push(b':');
            let [a, b] = groups[6].to_be_bytes();
            let [c, d] = groups[7].to_be_bytes();
            self.ipv4([a, b, c, d]);
        }
    }

    /// Copies the text and its NUL to `dst`: `UV_ENOSPC`, and nothing written, when it does not fit.
    ///
    /// # Safety
    /// `dst` is NULL or valid for writes of `size` bytes.
    unsafe fn put(&self, dst: *mut c_char, size: usize) -> c_int {
        if self.len >= size {
            return UV_ENOSPC;
        }
        if dst.is_null() {
            return UV_EINVAL;
        }
        // SAFETY: `len` + 1 <= `size`, and a private buffer never overlaps the caller's.
        unsafe {
            ptr::copy_nonoverlapping(self.bytes.as_ptr().cast(), dst, self.len);
            dst.add(self.len).write(0);
        }
        0
    }
}

/// Start and length of the first of the longest runs of two zero groups or more; length 0 if none.
fn longest_zero_run(groups: &[u16; 8]) -> (usize, usize) {
    let (mut best_start, mut best_len) = (0, 1);
    let mut len = 0;
    for (i, &group) in groups.iter().enumerate() {
        len = if group == 0 { len + 1 } else { 0 };
        if len > best_len {
            (best_start, best_len) = (i + 1 - len, len);
        }
    }
    if best_len >= 2 { (best_start, best_len) } else { (0, 0) }
}

/// Four decimal numbers of up to three digits without leading zeros.
fn parse_ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|&b| b == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 || (part.len() > 1 && part[0] == b'0') {
            return None;
        }
        let mut n = 0u16;
        for &b in part {
            n = n * 10 + u16::from(char::from(b).to_digit(10)? as u8);
        }
        *octet = u8::try_from(n).ok()?;
    }
    if parts.next().is_some() { None } else { Some(octets) }
}

/// Up to four hexadecimal digits.
fn parse_group(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter().try_fold(0u16, |n, &b| Some(n << 4 | char::from(b).to_digit(16)? as u16))
}

/// Colon-separated groups, the last two perhaps as a dotted quad. Empty text is no groups.
/// Returns how many of `groups` were filled.
fn parse_groups(text: &[u8], groups: &mut [u16; 8], quad_allowed: bool) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let mut count = 0;
    let mut rest = Some(text);
    while let Some(s) = rest {
        let end = s.iter().position(|&b| b == b':');
        let part = end.map_or(s, |n| &s[..n]);
        rest = end.map(|n| &s[n + 1..]);
        if rest.is_none() && quad_allowed && part.contains(&b'.') {
            let [a, b, c, d] = parse_ipv4(part)?;
            *groups.get_mut(count)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(count + 1)? = u16::from_be_bytes([c, d]);
            return Some(count + 2);
        }
        *groups.get_mut(count)? = parse_group(part)?;
        count += 1;
    }
    Some(count)
}

fn parse_ipv6(text: &[u8]) -> Option<[u8; 16]> {
    let mut groups = [0u16; 8];
    match text.windows(2).position(|pair| pair == b"::") {
        None => {
            if parse_groups(text, &mut groups, true)? != 8 {
                return None;
            }
        }
        Some(gap) => {
            let mut tail = [0u16; 8];
            let before = parse_groups(&text[..gap], &mut groups, false)?;
            let after = parse_groups(&text[gap + 2..], &mut tail, true)?;
            // "::" stands for at least one group.
            if before + after > 7 {
                return None;
            }
            groups[8 - after..].copy_from_slice(&tail[..after]);
        }
    }
    let mut bytes = [0u8; 16];
    for (pair, group) in bytes.chunks_exact_mut(2).zip(groups) {
        pair.copy_from_slice(&group.to_be_bytes());
    }
    Some(bytes)
}

/// Address and zone: what stands before and after the first `%`.
fn split_zone(text: &CStr) -> (&[u8], Option<&CStr>) {
    let bytes = text.to_bytes_with_nul();
    match bytes.iter().position(|&b| b == b'%') {
        Some(n) => (&bytes[..n], CStr::from_bytes_with_nul(&bytes[n + 1..]).ok()),
        None => (text.to_bytes(), None),
    }
}

/// An IPv4 address from text, or `UV_EINVAL`.
///
/// # Safety
/// `ip` is NULL or a C string.
pub(crate) unsafe fn ipv4_from_text(ip: *const c_char) -> Result<Ipv4Addr, c_int> {
    if ip.is_null() {
        return Err(UV_EINVAL);
    }
    // SAFETY: a C string by the caller's word.
    let text = unsafe { CStr::from_ptr(ip) };
    parse_ipv4(text.to_bytes()).map(Ipv4Addr::from).ok_or(UV_EINVAL)
}

/// An IPv6 address from text, the zone after a `%` ignored, or `UV_EINVAL`.
///
/// # Safety
/// `ip` is NULL or a C string.
pub(crate) unsafe fn ipv6_from_text(ip: *const c_char) -> Result<Ipv6Addr, c_int> {
    if ip.is_null() {
        return Err(UV_EINVAL);
    }
    // SAFETY: a C string by the caller's word.
    let text = unsafe { CStr::from_ptr(ip) };
    parse_ipv6(split_zone(text).0).map(Ipv6Addr::from).ok_or(UV_EINVAL)
}

/// Fills `addr` with the IPv4 address `ip` and `port` (host order, its low 16 bits).
///
/// `UV_EINVAL` when the text is no address, or a pointer is NULL.
///
/// # Safety
/// `ip` is NULL or a C string, `addr` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip4_addr(
    ip: *const c_char,
    port: c_int,
    addr: *mut sockaddr_in,
) -> c_int {
    if addr.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word on `ip`.
    let parsed = unsafe { ipv4_from_text(ip) };
    let ip = parsed.unwrap_or(Ipv4Addr::UNSPECIFIED);
    // SAFETY: not NULL, so valid by the caller's word. Filled on failure too, as libuv does.
    unsafe {
        addr.write(sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: (port as u16).to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
            sin_zero: [0; 8],
        });
    }
    parsed.err().unwrap_or(0)
}

/// Fills `addr` with the IPv6 address `ip`, `port` (host order, its low 16 bits) and the index of
/// the interface that a `%zone` names; a zone that names none is index 0.
///
/// `UV_EINVAL` when the text is no address, or a pointer is NULL.
///
/// # Safety
/// `ip` is NULL or a C string, `addr` is NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip6_addr(
    ip: *const c_char,
    port: c_int,
    addr: *mut sockaddr_in6,
) -> c_int {
    if addr.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word on `ip`.
    let parsed = unsafe { ipv6_from_text(ip) };
    let mut scope_id = 0;
    if !ip.is_null() {
        // SAFETY: a C string by the caller's word; so is its tail.
        unsafe {
            if let (_, Some(zone)) = split_zone(CStr::from_ptr(ip)) {
                scope_id = libc::if_nametoindex(zone.as_ptr());
            }
        }
    }
    let address = parsed.unwrap_or(Ipv6Addr::UNSPECIFIED);
    // SAFETY: not NULL, so valid by the caller's word. Filled on failure too, as libuv does.
    unsafe {
        addr.write(sockaddr_in6 {
            sin6_family: libc::AF_INET6 as libc::sa_family_t,
            sin6_port: (port as u16).to_be(),
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: address.octets() },
            sin6_scope_id: scope_id,
        });
    }
    parsed.err().unwrap_or(0)
}

/// The address in `src` as text in `dst`. `UV_ENOSPC` when `size` bytes are too few.
///
/// # Safety
/// `src` is NULL (`UV_EINVAL`) or valid, `dst` is valid for writes of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip4_name(
    src: *const sockaddr_in,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    if src.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: `src` is valid, and the caller's word on `dst`.
    unsafe { uv_inet_ntop(libc::AF_INET, (&raw const (*src).sin_addr).cast(), dst, size) }
}

/// The address in `src` as text in `dst`, without a zone. `UV_ENOSPC` when `size` bytes are too few.
///
/// # Safety
/// As for [`uv_ip4_name`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip6_name(
    src: *const sockaddr_in6,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    if src.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: `src` is valid, and the caller's word on `dst`.
    unsafe { uv_inet_ntop(libc::AF_INET6, (&raw const (*src).sin6_addr).cast(), dst, size) }
}

/// [`uv_ip4_name`] or [`uv_ip6_name`] after the family of `src`; `UV_EAFNOSUPPORT` for any other.
///
/// # Safety
/// `src` is NULL (`UV_EINVAL`) or a valid address of its family, `dst` is valid for writes of
/// `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_ip_name(src: *const sockaddr, dst: *mut c_char, size: usize) -> c_int {
    if src.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: `src` is valid for its family, and the caller's word on `dst`.
    unsafe {
        match c_int::from((*src).sa_family) {
            libc::AF_INET => uv_ip4_name(src.cast(), dst, size),
            libc::AF_INET6 => uv_ip6_name(src.cast(), dst, size),
            _ => UV_EAFNOSUPPORT,
        }
    }
}

/// The binary address `src` of family `af` as text in `dst`, as inet_ntop(3).
///
/// `UV_ENOSPC` (and nothing written) when `size` bytes are too few for the text and its NUL,
/// `UV_EAFNOSUPPORT` for a family other than `AF_INET` and `AF_INET6`.
///
/// # Safety
/// `src` is NULL (`UV_EINVAL`) or has the 4 or 16 bytes of its family, `dst` is valid for writes
/// of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_inet_ntop(
    af: c_int,
    src: *const c_void,
    dst: *mut c_char,
    size: usize,
) -> c_int {
    if af != libc::AF_INET && af != libc::AF_INET6 {
        return UV_EAFNOSUPPORT;
    }
    if src.is_null() {
        return UV_EINVAL;
    }
    let mut text = Text::new();
    // SAFETY: `src` has the bytes of its family and may be unaligned; the caller's word on `dst`.
    unsafe {
        if af == libc::AF_INET {
            text.ipv4(src.cast::<[u8; 4]>().read_unaligned());
        } else {
            text.ipv6(Ipv6Addr::from(src.cast::<[u8; 16]>().read_unaligned()).segments());
        }
        text.put(dst, size)
    }
}

/// The text `src` as a binary address of family `af` in `dst` (4 or 16 bytes), as inet_pton(3); an
/// IPv6 address may have a `%zone`, which is ignored.
///
/// `UV_EINVAL` when the text is no such address or a pointer is NULL, `UV_EAFNOSUPPORT` for a
/// family other than `AF_INET` and `AF_INET6`. Nothing is written on failure.
///
/// # Safety
/// `src` is NULL or a C string, `dst` is NULL or valid for writes of the bytes of its family.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_inet_pton(af: c_int, src: *const c_char, dst: *mut c_void) -> c_int {
    if src.is_null() || dst.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: neither is NULL, so both are valid by the caller's word; `dst` may be unaligned.
    unsafe {
        match af {
            libc::AF_INET => match ipv4_from_text(src) {
                Ok(ip) => dst.cast::<[u8; 4]>().write_unaligned(ip.octets()),
                Err(code) => return code,
            },
            libc::AF_INET6 => match ipv6_from_text(src) {
                Ok(ip) => dst.cast::<[u8; 16]>().write_unaligned(ip.octets()),
                Err(code) => return code,
            },
            _ => return UV_EAFNOSUPPORT,
        }
    }
    0
}

#[cfg(test)]
mod tests;
