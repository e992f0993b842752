//! Lines of the files in which the kernel tells about itself.

use core::ffi::{CStr, c_int};
use core::mem;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::{read, retry_on_intr};

use crate::status;

/// Bytes of a line that are seen. The longest line that matters, a processor's flags, has 2 KiB.
const SIZE: usize = 4096;
/// No file is followed for longer: /proc/cpuinfo of a thousand processors has 1.5 MB.
const MOST_BYTES: usize = 64 << 20;

/// A file, line by line.
pub(super) struct Lines {
    fd: OwnedFd,
    buffer: [u8; SIZE],
    /// What was read and not yet given out.
    start: usize,
    end: usize,
    /// The line's start was given out, the rest of it is passed over.
    cut: bool,
    left: usize,
}

impl Lines {
    /// Opens `path`; an error code if that fails.
    pub(super) fn open(path: &CStr) -> Result<Self, c_int> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
            .map_err(status::from_errno)?;
        Ok(Lines { fd, buffer: [0; SIZE], start: 0, end: 0, cut: false, left: MOST_BYTES })
    }

    /// The next line without its end, cut to 4096 bytes. None at the end of the file or where
    /// reading fails.
    pub(super) fn next_line(&mut self) -> Option<&[u8]> {
        let line = loop {
            let pending = self.buffer.get(self.start..self.end)?;
            if let Some(len) = pending.iter().position(|&byte| byte == b'\n') {
                let line = self.start..self.start + len;
                self.start = line.end + 1;
                if !mem::take(&mut self.cut) {
                    break line;
                }
            } else if pending.len() == SIZE {
                self.start = SIZE;
                if !mem::replace(&mut self.cut, true) {
                    break 0..SIZE;
                }
            } else if !self.fill() {
                let line = self.start..self.end;
                self.start = self.end;
                if self.cut || line.is_empty() {
                    return None;
                }
                break line;
            }
        };
        self.buffer.get(line)
    }

    /// Reads on. False at the end.
    fn fill(&mut self) -> bool {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let Some(room) = self.buffer.get_mut(self.end..) else { return false };
        let count = retry_on_intr(|| read(&self.fd, &mut *room)).unwrap_or(0).min(self.left);
        self.end += count;
        self.left -= count;
        count > 0
    }
}

/// The first line of `path`, as `read` understands it.
pub(super) fn first_line<T>(path: &CStr, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    Lines::open(path).ok()?.next_line().and_then(read)
}

/// What a line says behind `key`.
pub(super) fn after<'l>(line: &'l [u8], key: &[u8]) -> Option<&'l [u8]> {
    line.strip_prefix(key)
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The decimal number a text starts with. None without a digit or beyond 64 bits.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    match digits.clone().next() {
        Some(_) => digits.copied().try_fold(0, |sum, digit| add(sum, &digit)),
        None => None,
    }
}

/// The number a text starts with, with its decimals.
pub(super) fn decimal(text: &[u8]) -> Option<f64> {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let whole = number(parts.next()?)? as f64;
    let mut unit = 1.0;
    let decimals = parts.next().unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    let decimals = decimals.fold(0.0, |sum, digit| {
        unit *= 10.0;
        sum * 10.0 + f64::from(digit - b'0')
    });
    Some(whole + decimals / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::format;
    use std::io::Write;
    use std::string::String;
    use std::vec::Vec;

    /// All lines of a file with this content.
    fn lines(content: &[u8]) -> Vec<String> {
        let path = std::env::temp_dir().join(format!(
            "uvring-lines-{}-{}",
            std::process::id(),
            content.len()
        ));
        std::fs::File::create(&path).and_then(|mut file| file.write_all(content)).expect("file");
        let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL");
        let mut lines = Lines::open(&name).expect("just made");
        let mut found = Vec::new();
        while let Some(line) = lines.next_line() {
            found.push(String::from_utf8_lossy(line).into_owned());
        }
        std::fs::remove_file(&path).expect("just made");
        found
    }

    #[test]
    fn a_file_comes_line_by_line() {
        assert_eq!(lines(b""), Vec::<String>::new());
        assert_eq!(lines(b"a\n\nbc\nd"), ["a", "", "bc", "d"]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        for long in [SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 3 * SIZE + 7] {
            let content = format!("first\n{}\nlast line\n", "x".repeat(long));
            let found = lines(content.as_bytes());
            assert_eq!(found.len(), 3, "{long}");
            assert_eq!(found[1].len(), long.min(SIZE), "{long}");
            assert_eq!((&*found[0], &*found[2]), ("first", "last line"), "{long}");
            assert_eq!(lines("y".repeat(long).as_bytes())[0].len(), long.min(SIZE));
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        assert_eq!(Lines::open(c"/proc/no-such-file").err(), Some(crate::abi::UV_ENOENT));
        // A folder opens, and has no lines.
        assert!(first_line(c"/proc", |_| Some(())).is_none());
    }

    #[test]
    fn numbers() {
        assert_eq!(number(b"12 kB"), Some(12));
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(b"max"), None);
        assert_eq!(number(b""), None);
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(decimal(b"350735.47 23"), Some(350735.47));
        assert_eq!(decimal(b"3"), Some(3.0));
        assert_eq!(decimal(b"3."), Some(3.0));
        assert_eq!(decimal(b".5"), None);
        assert!(words(b" cpu0  1 2\t3 ").eq([&b"cpu0"[..], b"1", b"2", b"3"]));
    }
}
