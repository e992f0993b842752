//! Host names to ASCII: RFC 3490's way of writing labels, by the punycode of RFC 3492.
//!
//! Nothing is folded or mapped besides the other full stops of RFC 3490, section 3.1: capital
//! letters stay, and so does every character that a stricter reading would refuse.
//!
//! It fails closed. Text that is no UTF-8, has a NUL, is empty or does not fit makes no name at
//! all, so that nobody looks up the first part of a name (CVE-2024-24806).

use core::ffi::CStr;

/// Room for a name with its NUL: the longest is 255 bytes.
pub(super) const SIZE: usize = 256;
/// A character makes at least one byte of the name, and takes four at most.
const MOST_INPUT: usize = 4 * (SIZE - 1);

/// What a label begins with when punycode follows.
const PREFIX: &[u8] = b"xn--";

// RFC 3492, section 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// A name under construction.
struct Name<'b> {
    bytes: &'b mut [u8; SIZE],
    len: usize,
}

impl<'b> Name<'b> {
    /// None when only the NUL's place is left.
    fn push(&mut self, byte: u8) -> Option<()> {
        if self.len + 1 >= SIZE {
            return None;
        }
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    fn extend(&mut self, bytes: impl IntoIterator<Item = u8>) -> Option<()> {
        bytes.into_iter().try_for_each(|byte| self.push(byte))
    }

    /// As a C string: without a NUL inside.
    fn finish(self) -> Option<&'b CStr> {
        *self.bytes.get_mut(self.len)? = 0;
        CStr::from_bytes_with_nul(self.bytes.get(..=self.len)?).ok()
    }
}

/// Writes the ASCII form of `name` to `bytes`. None when there is none.
pub(super) fn to_ascii<'b>(name: &[u8], bytes: &'b mut [u8; SIZE]) -> Option<&'b CStr> {
    if name.is_empty() || name.len() > MOST_INPUT {
        return None;
    }
    let mut to = Name { bytes, len: 0 };
    for (i, label) in core::str::from_utf8(name).ok()?.split(is_stop).enumerate() {
        if i > 0 {
            to.push(b'.')?;
        }
        if label.is_ascii() {
            to.extend(label.bytes())?;
        } else {
            encode(label, &mut to)?;
        }
    }
    to.finish()
}

/// The full stops: ASCII, ideographic, fullwidth, halfwidth ideographic.
fn is_stop(character: char) -> bool {
    matches!(character, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// RFC 3492, section 6.3, with the prefix. `label` has a character that is not ASCII.
fn encode(label: &str, to: &mut Name) -> Option<()> {
    to.extend(PREFIX.iter().copied())?;
    to.extend(label.bytes().filter(u8::is_ascii))?;
    let basic = u32::try_from(label.bytes().filter(u8::is_ascii).count()).ok()?;
    let total = u32::try_from(label.chars().count()).ok()?;
    if basic > 0 {
        to.push(b'-')?;
    }
    let (mut n, mut delta, mut bias) = (INITIAL_N, 0_u32, INITIAL_BIAS);
    let mut handled = basic;
    while handled < total {
        let next = label.chars().map(u32::from).filter(|&c| c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for c in label.chars().map(u32::from) {
            if c < n {
                delta = delta.checked_add(1)?;
            } else if c == n {
                number(delta, bias, to)?;
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(())
}

/// A number of variable length: section 3.3.
fn number(mut value: u32, bias: u32, to: &mut Name) -> Option<()> {
    let mut k = BASE;
    loop {
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if value < threshold {
            return to.push(digit(value)?);
        }
        let above = value - threshold;
        to.push(digit(threshold + above % (BASE - threshold))?)?;
        value = above / (BASE - threshold);
        k += BASE;
    }
}

fn digit(value: u32) -> Option<u8> {
    b"abcdefghijklmnopqrstuvwxyz0123456789".get(value as usize).copied()
}

/// The next bias: section 3.4. `points` is 1 or more.
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = delta / if first { DAMP } else { 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::String;

    use super::*;

    fn ascii(name: impl AsRef<[u8]>) -> Option<String> {
        let mut bytes = [0xaa; SIZE];
        to_ascii(name.as_ref(), &mut bytes).map(|name| name.to_str().unwrap().into())
    }

    #[track_caller]
    fn becomes(name: &str, expected: &str) {
        assert_eq!(ascii(name).as_deref(), Some(expected));
        // What is ASCII stays as it is.
        assert_eq!(ascii(expected).as_deref(), Some(expected));
    }

    #[test]
    fn ascii_stays() {
        for name in [".", ".com", "localhost", "Example.COM.", "a..b", "127.0.0.1", "fe80::1%lo"] {
            becomes(name, name);
        }
    }

    #[test]
    fn labels_of_their_own() {
        becomes("bücher.example", "xn--bcher-kva.example");
        becomes("ü.ü.", "xn--tda.xn--tda.");
        becomes(".ü", ".xn--tda");
        becomes("faß.de", "xn--fa-hia.de");
        becomes("💩.la", "xn--ls8h.la");
        becomes("a\u{3002}b\u{ff0e}c\u{ff61}d", "a.b.c.d");
        becomes("\u{3002}", ".");
        becomes("ü\u{3002}ü", "xn--tda.xn--tda");
    }

    /// RFC 3492, section 7.1.
    #[test]
    fn samples_of_the_rfc() {
        becomes("ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn");
        becomes("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye");
        becomes("Pročprostěnemluvíčesky", "xn--Proprostnemluvesky-uyb24dma41a");
        becomes("3年B組金八先生", "xn--3B-ww4c5e180e575a65lsy2b");
        becomes("安室奈美恵-with-SUPER-MONKEYS", "xn---with-SUPER-MONKEYS-pc58ag80a8qai00g7n9n");
        becomes("MajiでKoiする5秒前", "xn--MajiKoi5-783gue6qz075azm5e");
        becomes("そのスピードで", "xn--d9juau41awczczp");
        becomes("-> $1.00 <-", "-> $1.00 <-");
    }

    #[test]
    fn what_is_no_name() {
        let wrong: &[&[u8]] = &[
            b"",
            b"a\0b",
            b"\0",
            // Longer than need be, halves of surrogate pairs, beyond U+10FFFF.
            b"\xc0\x80.com",
            b"\xc0\xae",
            b"\xe0\x80\xae",
            b"\xed\xa0\x80",
            b"\xed\xbf\xbf",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            // Broken off, at the end and before more.
            b"\xc3",
            b"a.\xe2\x98",
            b"\xf0\x9f\x92",
            b"\xe2\x98.com",
            b"\xbf",
            b"\xff",
        ];
        for name in wrong {
            assert_eq!(ascii(name), None, "{name:x?}");
        }
    }

    #[test]
    fn whole_or_not_at_all() {
        for len in 1..=2000 {
            let name = "a".repeat(len);
            assert_eq!(ascii(&name), (len < SIZE).then_some(name), "{len}");
            // Dots at the end are part of it.
            assert_eq!(ascii(".".repeat(len)).is_some(), len < SIZE, "{len}");
        }
    }

    #[test]
    fn growth_counts() {
        // `ü` is two bytes, `xn--tda` seven.
        let name = |ascii: usize| "a".repeat(ascii) + ".ü";
        assert_eq!(ascii(name(247)), Some("a".repeat(247) + ".xn--tda"));
        assert_eq!(ascii(name(248)), None);
        // Short of the limit in bytes, far beyond it as ASCII.
        assert_eq!(ascii("ü.".repeat(60)), None);
        assert_eq!(ascii("ü.".repeat(31)).map(|name| name.len()), Some(31 * 8));
        assert_eq!(ascii("ü.".repeat(32)), None);
        // More bytes than the limit before, fewer after: each repetition is one digit.
        assert!("好".repeat(100).len() > SIZE);
        assert!(ascii("好".repeat(100)).is_some_and(|name| name.len() < 120));
        assert_eq!(ascii("好".repeat(300)), None);
        assert_eq!(ascii("\u{10ffff}".repeat(2000)), None);
    }

    /// A character of any kind, full stops often.
    fn character() -> impl Strategy<Value = char> {
        let stops = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}', '-', '\u{10ffff}', '\u{80}'];
        prop_oneof![proptest::sample::select(stops.to_vec()), any::<char>()]
    }

    proptest! {
        #[test]
        fn a_name_fits_and_stays(text in proptest::collection::vec(character(), 1..150)) {
            let text: String = text.into_iter().filter(|&c| c != '\0').collect();
            if let Some(name) = ascii(&text) {
                prop_assert!(name.is_ascii() && name.len() < SIZE);
                prop_assert!(name.len() >= text.chars().count());
                prop_assert_eq!(name.matches('.').count(), text.matches(is_stop).count());
                prop_assert_eq!(ascii(&name), Some(name));
            } else {
                // Nothing short is refused: five bytes at most for one character, and the prefix.
                prop_assert!(text.is_empty() || text.chars().count() > 20);
            }
        }

        #[test]
        fn bytes_that_are_no_text_make_no_name(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = core::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0);
            prop_assert!(text || ascii(&bytes).is_none());
        }
    }
}
