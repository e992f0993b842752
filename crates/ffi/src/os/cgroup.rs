//! The control group that limits this process, of the first or of the second version.
//!
//! A limit of any folder on the way up to the root holds too, so a caller looks at each. That also
//! serves a container that sees only its own part: the path names folders which are not there, and
//! its limits are in the root.

use core::ffi::CStr;

use super::proc::{Lines, first_line, words};

/// Longest name of a folder, with a file's name and a NUL.
const SIZE: usize = 4096;

/// How a group's files are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A folder of the control group file system.
pub(super) struct Group {
    pub(super) version: Version,
    path: [u8; SIZE],
    /// How much of `path` is the mount point, and how much the folder.
    root: usize,
    len: usize,
}

impl Group {
    /// The group in which `controller` ("cpu", "memory") holds this process. None without control
    /// groups.
    pub(super) fn of_process(controller: &str) -> Option<Self> {
        let mut lines = Lines::open(c"/proc/self/cgroup").ok()?;
        let mut second = None;
        while let Some(line) = lines.next_line() {
            let mut parts = line.splitn(3, |&byte| byte == b':').skip(1);
            let (Some(names), Some(path)) = (parts.next(), parts.next()) else { continue };
            if names.split(|&byte| byte == b',').any(|name| name == controller.as_bytes()) {
                return Self::new(Version::One, &[b"/sys/fs/cgroup/", controller.as_bytes()], path);
            }
            if names.is_empty() {
                second = Self::new(Version::Two, &[b"/sys/fs/cgroup"], path);
            }
        }
        second
    }

    fn new(version: Version, mount: &[&[u8]], folder: &[u8]) -> Option<Self> {
        let mut group = Group { version, path: [0; SIZE], root: 0, len: 0 };
        for part in mount {
            group.len = group.append(part)?;
        }
        group.root = group.len;
        group.len = group.append(folder.strip_suffix(b"/").unwrap_or(folder))?;
        Some(group)
    }

    /// Writes `text` behind the folder's name; where it ends.
    fn append(&mut self, text: &[u8]) -> Option<usize> {
        let end = self.len.checked_add(text.len())?;
        self.path.get_mut(self.len..end)?.copy_from_slice(text);
        Some(end)
    }

    /// The first line of one of the folder's files, as `read` understands it.
    pub(super) fn file<T>(
        &mut self,
        name: &CStr,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let folder = self.len;
        self.len = self.append(b"/")?;
        let end = self.append(name.to_bytes_with_nul());
        self.len = folder;
        let path = CStr::from_bytes_with_nul(self.path.get(..end?)?).ok()?;
        first_line(path, read)
    }

    /// Goes to the folder above. False at the root.
    pub(super) fn up(&mut self) -> bool {
        if self.len <= self.root {
            return false;
        }
        let below = self.path.get(self.root..self.len).unwrap_or_default();
        self.len = self.root + below.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        true
    }

    /// The least of what `read` finds in this folder and in those above.
    pub(super) fn least<T: Ord>(mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        let mut least = read(&mut self);
        while self.up() {
            let here = read(&mut self);
            least = match (least, here) {
                (Some(least), Some(here)) => Some(least.min(here)),
                (least, here) => least.or(here),
            };
        }
        least
    }
}

/// How many whole processors the limit on processor time is worth, 1 at least. None without limit.
pub(super) fn processors() -> Option<u64> {
    Group::of_process("cpu")?.least(|group| {
        let (quota, period) = match group.version {
            Version::One => {
                let number = |line: &[u8]| super::proc::number(line);
                (
                    group.file(c"cpu.cfs_quota_us", number)?,
                    group.file(c"cpu.cfs_period_us", number)?,
                )
            }
            Version::Two => group.file(c"cpu.max", |line| {
                let mut numbers = words(line).map(super::proc::number);
                Some((numbers.next()??, numbers.next()??))
            })?,
        };
        Some(quota.checked_div(period)?.max(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn way_up(version: Version, mount: &[&[u8]], folder: &str) -> Vec<std::string::String> {
        let mut group = Group::new(version, mount, folder.as_bytes()).expect("short");
        let mut way = Vec::new();
        loop {
            let name = &group.path[..group.len];
            way.push(std::string::String::from_utf8_lossy(name).into_owned());
            if !group.up() {
                return way;
            }
        }
    }

    #[test]
    fn the_way_up_ends_at_the_mount_point() {
        let v1: &[&[u8]] = &[b"/m/", b"cpu"];
        assert_eq!(way_up(Version::One, v1, "/"), ["/m/cpu"]);
        assert_eq!(way_up(Version::One, v1, ""), ["/m/cpu"]);
        assert_eq!(way_up(Version::Two, &[b"/m"], "/a/b"), ["/m/a/b", "/m/a", "/m"]);
        // A process outside of its namespace's root.
        assert_eq!(way_up(Version::Two, &[b"/m"], "/../x"), ["/m/../x", "/m/..", "/m"]);
        assert_eq!(way_up(Version::Two, &[b"/m"], "odd"), ["/modd", "/m"]);
    }

    #[test]
    fn a_name_that_is_too_long_is_no_group() {
        let long = [b'x'; SIZE];
        assert!(Group::new(Version::Two, &[b"/m"], &long).is_none());
        let mut almost = Group::new(Version::Two, &[], &long[..SIZE - 4]).expect("fits");
        assert!(almost.file(c"cpu.max", |_| Some(())).is_none());
        assert_eq!(almost.len, SIZE - 4);
    }
}
