//! UTF-16 to WTF-8 and back. Source: the manual's page on miscellaneous utilities, string
//! manipulation functions; the encodings: RFC 3629, and Simon Sapin's description of WTF-8.
//!
//! WTF-8 is UTF-8 that also has halves of surrogate pairs, three bytes each, so that any sequence
//! of 16-bit units can be told. What is longer than it need be, beyond U+10FFFF or broken off is
//! no WTF-8.

use core::ffi::{CStr, c_char, c_int};
use core::slice;

use crate::abi::*;
use crate::mem;

/// Longest sequence for one character.
const MOST_BYTES: usize = 4;

/// The characters of UTF-16, and single halves of pairs as they are.
fn characters(units: impl Iterator<Item = u16>) -> impl Iterator<Item = u32> {
    char::decode_utf16(units).map(|one| match one {
        Ok(character) => character.into(),
        Err(half) => u32::from(half.unpaired_surrogate()),
    })
}

/// The bytes of a character, and how many there are.
fn encode(character: u32) -> ([u8; MOST_BYTES], usize) {
    let six = |shift: u32| 0x80 | (character >> shift & 0x3f) as u8;
    match character {
        0..0x80 => ([character as u8, 0, 0, 0], 1),
        0x80..0x800 => ([0xc0 | (character >> 6) as u8, six(0), 0, 0], 2),
        0x800..0x10000 => ([0xe0 | (character >> 12) as u8, six(6), six(0), 0], 3),
        _ => ([0xf0 | (character >> 18 & 7) as u8, six(12), six(6), six(0)], 4),
    }
}

/// The first character of `bytes`, which is not empty, and what follows. None if there is none.
fn decode(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let (start, follow, least) = match first {
        0..0x80 => return Some((u32::from(first), rest)),
        0xc2..0xe0 => (first & 0x1f, 1, 0x80),
        0xe0..0xf0 => (first & 0x0f, 2, 0x800),
        0xf0..0xf5 => (first & 0x07, 3, 0x10000),
        _ => return None,
    };
    let mut character = u32::from(start);
    for _ in 0..follow {
        let (&next, behind) = rest.split_first()?;
        if next & 0xc0 != 0x80 {
            return None;
        }
        character = character << 6 | u32::from(next & 0x3f);
        rest = behind;
    }
    (least..0x11_0000).contains(&character).then_some((character, rest))
}

/// The units of a character: one, or a pair.
fn units(character: u32) -> ([u16; 2], usize) {
    match character.checked_sub(0x10000) {
        None => ([character as u16, 0], 1),
        Some(above) => ([0xd800 | (above >> 10) as u16, 0xdc00 | (above & 0x3ff) as u16], 2),
    }
}

/// `len` units, or those up to a NUL when `len` is negative.
///
/// # Safety
/// `utf16` is valid for reads of that many for `'u`; NULL has none.
unsafe fn given<'u>(utf16: *const u16, len: isize) -> &'u [u16] {
    if utf16.is_null() {
        return &[];
    }
    // SAFETY: the caller's word.
    unsafe {
        let len = usize::try_from(len).unwrap_or_else(|_| {
            let mut len = 0;
            while *utf16.add(len) != 0 {
                len += 1;
            }
            len
        });
        slice::from_raw_parts(utf16, len)
    }
}

fn length_as_wtf8(utf16: &[u16]) -> usize {
    characters(utf16.iter().copied()).map(|character| encode(character).1).sum()
}

/// The bytes that `utf16_len` units of UTF-16 have as WTF-8, without a NUL. With -1 the units end
/// at a NUL.
/// Source: manual, misc, `uv_utf16_length_as_wtf8`.
///
/// # Safety
/// `utf16` is NULL or valid for reads of `utf16_len` units, or up to a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_utf16_length_as_wtf8(utf16: *const u16, utf16_len: isize) -> usize {
    // SAFETY: the caller's word.
    length_as_wtf8(unsafe { given(utf16, utf16_len) })
}

/// Converts UTF-16 to WTF-8 with a NUL behind it.
///
/// - `wtf8_ptr` NULL: only the length goes to `*wtf8_len_ptr`.
/// - `*wtf8_ptr` NULL: memory is allocated, which the caller frees with the free() of
///   [`uv_replace_allocator`](crate::mem::uv_replace_allocator). `UV_ENOMEM` without any.
/// - otherwise `*wtf8_len_ptr` is the room in bytes without the NUL. `UV_ENOBUFS` when that is too
///   little: as many bytes as fit are there.
///
/// In each case `*wtf8_len_ptr`, which may be NULL in the first two, becomes the whole length
/// without the NUL.
/// Source: manual, misc, `uv_utf16_to_wtf8`.
///
/// # Safety
/// `utf16` as for [`uv_utf16_length_as_wtf8`]; the others are NULL or valid for reads and writes,
/// `*wtf8_ptr` for writes of one byte more than `*wtf8_len_ptr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_utf16_to_wtf8(
    utf16: *const u16,
    utf16_len: isize,
    wtf8_ptr: *mut *mut c_char,
    wtf8_len_ptr: *mut usize,
) -> c_int {
    // SAFETY: the caller's word; at most `room` bytes and a NUL are written.
    unsafe {
        let utf16 = given(utf16, utf16_len);
        let len = length_as_wtf8(utf16);
        let mut room = len;
        if !wtf8_ptr.is_null() {
            if (*wtf8_ptr).is_null() {
                *wtf8_ptr = mem::alloc(len + 1).cast();
                if (*wtf8_ptr).is_null() {
                    return UV_ENOMEM;
                }
            } else if wtf8_len_ptr.is_null() {
                return UV_EINVAL;
            } else {
                room = *wtf8_len_ptr;
            }
            let to = (*wtf8_ptr).cast::<u8>();
            let bytes = characters(utf16.iter().copied()).flat_map(|character| {
                let (bytes, count) = encode(character);
                bytes.into_iter().take(count)
            });
            for (index, byte) in bytes.take(room).enumerate() {
                to.add(index).write(byte);
            }
            to.add(len.min(room)).write(0);
        }
        if !wtf8_len_ptr.is_null() {
            *wtf8_len_ptr = len;
        }
        if len > room { UV_ENOBUFS } else { 0 }
    }
}

/// The units that WTF-8 has as UTF-16, with a NUL. `UV_EINVAL` when it is no WTF-8, or NULL.
/// Source: manual, misc, `uv_wtf8_length_as_utf16`.
///
/// # Safety
/// `wtf8` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_wtf8_length_as_utf16(wtf8: *const c_char) -> isize {
    if wtf8.is_null() {
        return UV_EINVAL as isize;
    }
    // SAFETY: the caller's word.
    let mut rest = unsafe { CStr::from_ptr(wtf8) }.to_bytes();
    // At most as many units as bytes, so it is no overflow.
    let mut len = 1;
    while !rest.is_empty() {
        let Some((character, behind)) = decode(rest) else { return UV_EINVAL as isize };
        len += units(character).1 as isize;
        rest = behind;
    }
    len
}

/// Converts WTF-8 to UTF-16 with a NUL behind it: at most `utf16_len` units with the NUL. Ends
/// where the room does, or what is WTF-8.
/// Source: manual, misc, `uv_wtf8_to_utf16`.
///
/// # Safety
/// `wtf8` is NULL or a C string, `utf16` valid for writes of `utf16_len` units.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_wtf8_to_utf16(wtf8: *const c_char, utf16: *mut u16, utf16_len: usize) {
    let Some(room) = utf16_len.checked_sub(1) else { return };
    let mut at = 0;
    // SAFETY: the caller's word; `at` never goes beyond `room`, which leaves one for the NUL.
    unsafe {
        let mut rest = if wtf8.is_null() { &[] } else { CStr::from_ptr(wtf8).to_bytes() };
        while let Some((character, behind)) = decode(rest) {
            let (units, count) = units(character);
            if room - at < count {
                break;
            }
            for &unit in units.iter().take(count) {
                utf16.add(at).write(unit);
                at += 1;
            }
            rest = behind;
        }
        utf16.add(at).write(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::CString;
    use std::string::String;
    use std::vec::Vec;

    /// Converted there, with a canary behind each buffer.
    fn to_wtf8(utf16: &[u16], room: usize) -> (c_int, usize, Vec<u8>) {
        let mut buffer = std::vec![0xee_u8; room + 2];
        let mut to = buffer.as_mut_ptr().cast::<c_char>();
        let mut len = room;
        // SAFETY: the buffer has the room that is told, and one for the NUL.
        let code =
            unsafe { uv_utf16_to_wtf8(utf16.as_ptr(), utf16.len() as isize, &mut to, &mut len) };
        assert_eq!(buffer.pop(), Some(0xee));
        (code, len, buffer)
    }

    fn to_utf16(wtf8: &[u8]) -> Result<Vec<u16>, isize> {
        let text = CString::new(wtf8).expect("no NUL");
        // SAFETY: the buffer has one unit more than told.
        unsafe {
            let len = uv_wtf8_length_as_utf16(text.as_ptr());
            let Ok(size) = usize::try_from(len) else { return Err(len) };
            let mut buffer = std::vec![0xeeee_u16; size + 1];
            uv_wtf8_to_utf16(text.as_ptr(), buffer.as_mut_ptr(), size);
            assert_eq!(buffer.pop(), Some(0xeeee));
            assert_eq!(buffer.pop(), Some(0));
            Ok(buffer)
        }
    }

    proptest! {
        #[test]
        fn text_is_as_the_standard_library_has_it(text in "[^\0]*") {
            let utf16: Vec<u16> = text.encode_utf16().collect();
            prop_assert_eq!(to_utf16(text.as_bytes()), Ok(utf16.clone()));
            let (code, len, bytes) = to_wtf8(&utf16, text.len());
            prop_assert_eq!((code, len), (0, text.len()));
            prop_assert_eq!(&bytes[..len], text.as_bytes());
        }

        #[test]
        fn any_units_come_back(utf16 in prop::collection::vec(1_u16.., 0..40)) {
            let (_, len, _) = to_wtf8(&utf16, 0);
            let (code, again, bytes) = to_wtf8(&utf16, len);
            prop_assert_eq!((code, again, bytes[len]), (0, len, 0));
            prop_assert_eq!(to_utf16(&bytes[..len]), Ok(utf16));
        }

        #[test]
        fn a_small_buffer_has_the_start_and_says_the_length(
            utf16 in prop::collection::vec(any::<u16>(), 0..20), room in 0_usize..70
        ) {
            let (_, len, whole) = to_wtf8(&utf16, 80);
            let (code, told, bytes) = to_wtf8(&utf16, room);
            prop_assert_eq!((code, told), (if room < len { UV_ENOBUFS } else { 0 }, len));
            let there = room.min(len);
            prop_assert_eq!(&bytes[..there], &whole[..there]);
            prop_assert_eq!(bytes[there], 0);
        }

        #[test]
        fn utf8_and_only_utf8_is_taken(bytes in prop::collection::vec(1_u8.., 0..8)) {
            // Halves of pairs apart, which begin with 0xed and a byte from 0xa0 on.
            let half = bytes.windows(2).any(|pair| pair[0] == 0xed && pair[1] >= 0xa0);
            match String::from_utf8(bytes.clone()) {
                Ok(text) => prop_assert_eq!(to_utf16(&bytes), Ok(text.encode_utf16().collect())),
                Err(_) if half => {}
                Err(_) => prop_assert_eq!(to_utf16(&bytes), Err(UV_EINVAL as isize)),
            }
        }
    }

    #[test]
    fn what_is_not_wtf8_is_refused() {
        for bad in [
            &b"\xc0\x80"[..],
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf4\x90\x80\x80",
            b"\xf8",
            b"\xc2",
            b"\xe1\x80",
            b"\xf1\x80\x80",
            b"\xc2z",
            b"\x80",
            b"\xff",
        ] {
            assert_eq!(to_utf16(bad), Err(UV_EINVAL as isize), "{bad:x?}");
        }
        assert_eq!(to_utf16(b"\xed\xa0\xbd\xed\xb8\x80"), Ok(std::vec![0xd83d, 0xde00]));
        assert_eq!(to_utf16(b"\xf4\x8f\xbf\xbf"), Ok(std::vec![0xdbff, 0xdfff]));
    }

    #[test]
    fn memory_is_made_and_units_end_at_a_nul() {
        let units = [0x20ac, 0, 0x61];
        let mut made = core::ptr::null_mut();
        let mut len = 7;
        // SAFETY: the memory is freed once, by the default allocator.
        unsafe {
            assert_eq!(uv_utf16_to_wtf8(units.as_ptr(), -1, &mut made, &mut len), 0);
            assert_eq!((len, CStr::from_ptr(made).to_bytes()), (3, "€".as_bytes()));
            mem::free(made.cast());
            assert_eq!(uv_utf16_length_as_wtf8(units.as_ptr(), 3), 5);
            len = 0;
            let none = core::ptr::null_mut();
            assert_eq!(uv_utf16_to_wtf8(units.as_ptr(), 3, none, &mut len), 0);
            assert_eq!(len, 5);
            let mut short = [0xeeee_u16; 3];
            uv_wtf8_to_utf16(c"abc".as_ptr(), short.as_mut_ptr(), 2);
            assert_eq!(short, [0x61, 0, 0xeeee]);
            uv_wtf8_to_utf16(c"abc".as_ptr(), short.as_mut_ptr(), 0);
        }
    }
}
