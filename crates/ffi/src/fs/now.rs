//! One attempt at an operation on the loop's thread: from memory, or not at all.
//!
//! `None` is "not without waiting, perhaps": the operation goes another way, and nothing has
//! happened. `Some` is what the blocking call would have answered.
//!
//! What could wait, and why it does not:
//!
//! - Names that are not in memory: `RESOLVE_CACHED` gives up on them, and looks nothing up on a
//!   network or behind FUSE either.
//! - Opening a FIFO waits for its other end, opening a device for the device, and closing them again
//!   is seen by others. So a name is first resolved with `O_PATH`, which opens nothing, and only a
//!   file or a folder is then opened; with `O_NONBLOCK`, taken off again afterwards, should another
//!   have taken its place in between. On the mount of the root, where devices are rare, the first
//!   step is saved: what turns out to be a FIFO is opened once more by a worker, who waits. (The
//!   kernel refuses that short way, too, where any process has something mounted on a folder that it
//!   leads through, as private /tmp folders are made.)
//! - Opening, closing, and asking for attributes on a network or behind FUSE: only mounts known to
//!   be local are tried, see `mounts`; until that is known, `AT_STATX_DONT_SYNC` asks nobody.
//! - Data that is not in memory: `RWF_NOWAIT`. It does not cover direct reads, which wait for the
//!   device: those are not tried.
//! - Closing the last descriptor of an unlinked file frees its blocks, and closing one that was
//!   written to may write it out: only small files, or such as keep a name, open for reading.

use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use uvring_core::fd::IoVec;
use uvring_core::{Errno, file};

use super::route::Elsewhere;
use super::{mounts, opened, sys};
use crate::abi::*;
use crate::status;

/// What an attempt comes to: a result or an error code, or nothing.
pub(super) type Attempt<T> = Option<Result<T, c_int>>;

/// Most bytes that are read on the loop's thread in one go.
pub(super) const MAX_READ: usize = 128 << 10;
/// Freeing the blocks of a file of this size is still quick.
const SMALL: u64 = 1 << 20;

/// Opens of these kinds make or change files.
const CHANGES: c_int = libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);

/// Whether the error is what any way of asking would answer; others may be this way's own.
fn is_final(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOENT
            | Errno::NOTDIR
            | Errno::ACCESS
            | Errno::LOOP
            | Errno::NAMETOOLONG
            | Errno::ISDIR
            | Errno::ROFS
            | Errno::PERM
            | Errno::TXTBSY
    )
}

fn or_elsewhere<T>(error: Errno) -> Attempt<T> {
    is_final(error).then(|| Err(status::from_errno(error)))
}

/// The record of an open descriptor, as far as it is known without asking anybody.
fn peek(fd: c_int) -> Result<libc::statx, c_int> {
    const MASK: u32 = libc::STATX_BASIC_STATS | libc::STATX_BTIME | mounts::MASK;
    const FLAGS: c_int = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // The name for "this folder" must not make a folder's record out of a bad descriptor.
    if fd < 0 {
        return Err(UV_EBADF);
    }
    let mut record = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: an empty C string, and a record that all zeros are valid for.
    unsafe {
        match libc::statx(fd, c"".as_ptr(), FLAGS, MASK, record.as_mut_ptr()) {
            0 => Ok(record.assume_init()),
            _ => Err(status::last()),
        }
    }
}

/// On a worker: remembers what kind of mount the file is on that was just opened, and whether closing
/// it will be quick.
pub(super) fn learn(fd: c_int, flags: c_int) {
    mounts::learn_root();
    let record = peek(fd);
    if let Ok(record) = &record {
        // SAFETY: `to` has room for one record.
        mounts::learn(record, |to| unsafe { libc::fstatfs(fd, to) });
    }
    let light = record.is_ok_and(|record| is_light_and_near(&record, flags));
    opened::note(fd, flags, light);
}

fn is_file_or_folder(record: &libc::statx) -> bool {
    matches!(u32::from(record.stx_mode) & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR)
}

/// Whether the last close has little to free.
fn is_light(record: &libc::statx, flags: c_int) -> bool {
    flags & libc::O_ACCMODE == libc::O_RDONLY && record.stx_size <= SMALL
}

/// Whether the last close of what was just opened waits for nobody and has little to free.
fn is_light_and_near(record: &libc::statx, flags: c_int) -> bool {
    is_file_or_folder(record) && is_light(record, flags) && mounts::is_near(record)
}

/// The record behind a name, `flags` of open(2) deciding what is followed.
///
/// # Safety
/// `path` is a C string.
unsafe fn look_up(path: *const c_char, flags: c_int) -> Attempt<libc::statx> {
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    let fd = match file::openat_cached(file::CWD, path, (libc::O_PATH | flags) as u32, 0) {
        Ok(fd) => fd,
        Err(error) => return or_elsewhere(error),
    };
    let record = peek(fd);
    let _ = file::close(fd);
    record.ok().filter(mounts::is_near).map(Ok)
}

/// What opening comes to.
pub(super) enum Opened {
    Done(Result<c_int, c_int>),
    /// It has to be opened by a worker, who closes `held` (-1: nothing) when he has: the same was
    /// opened here without waiting, and whoever waits at its other end has seen that.
    Elsewhere {
        held: c_int,
    },
}

impl Opened {
    const ELSEWHERE: Self = Opened::Elsewhere { held: -1 };

    fn failed(error: Errno) -> Self {
        or_elsewhere(error).map_or(Self::ELSEWHERE, Opened::Done)
    }
}

/// How many opens go the long way at once, after the short one was found closed.
static DETOURS: AtomicU32 = AtomicU32::new(0);
const DETOUR: u32 = 16;

/// Whether this open may go the short way.
fn is_short_way_open() -> bool {
    // Relaxed: a hint, and it does not matter who counts.
    let left = DETOURS.load(Ordering::Relaxed);
    if left > 0 {
        DETOURS.store(left - 1, Ordering::Relaxed);
    }
    left == 0 && mounts::root_is_near()
}

/// open(2), close-on-exec. With `short`, the short way or none.
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn open(path: *const c_char, flags: c_int, short: bool) -> Opened {
    if flags & (CHANGES | libc::O_PATH) != 0 {
        return Opened::ELSEWHERE;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(path) };
    let now = (flags | libc::O_NONBLOCK) as u32;
    let mut again = false;
    if name.to_bytes().first() == Some(&b'/') && is_short_way_open() {
        match file::openat_cached_here(file::CWD, name, now, 0) {
            Ok(fd) => return settle(fd, flags, None),
            Err(Errno::XDEV) => {}
            // Not in memory, or closed.
            Err(Errno::AGAIN) => again = true,
            Err(error) => return Opened::failed(error),
        }
    }
    if short {
        if again {
            DETOURS.store(DETOUR, Ordering::Relaxed);
        }
        return Opened::ELSEWHERE;
    }
    // SAFETY: the caller's promise.
    let record = match unsafe { look_up(path, flags & (libc::O_DIRECTORY | libc::O_NOFOLLOW)) } {
        Some(Ok(record)) if is_file_or_folder(&record) => record,
        Some(Err(code)) => return Opened::Done(Err(code)),
        _ => return Opened::ELSEWHERE,
    };
    match file::openat_cached(file::CWD, name, now, 0) {
        Ok(fd) => {
            if again {
                DETOURS.store(DETOUR, Ordering::Relaxed);
            }
            settle(fd, flags, Some(record))
        }
        Err(error) => Opened::failed(error),
    }
}

/// Makes a descriptor that was opened without waiting what `flags` say.
fn settle(fd: c_int, flags: c_int, record: Option<libc::statx>) -> Opened {
    let record = match record.map_or_else(|| peek(fd), Ok) {
        Ok(record) if is_file_or_folder(&record) => record,
        _ => return Opened::Elsewhere { held: fd },
    };
    let keep = flags & (libc::O_APPEND | libc::O_DIRECT | libc::O_NOATIME);
    // SAFETY: the descriptor is ours.
    if flags & libc::O_NONBLOCK == 0 && unsafe { libc::fcntl(fd, libc::F_SETFL, keep) } != 0 {
        return Opened::Elsewhere { held: fd };
    }
    opened::note(fd, flags, is_light_and_near(&record, flags));
    Opened::Done(Ok(fd))
}

/// stat(2), or lstat(2) when a link at the end is not followed.
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn stat(path: *const c_char, follow: bool) -> Attempt<libc::statx> {
    // SAFETY: the caller's promise.
    unsafe { look_up(path, if follow { 0 } else { libc::O_NOFOLLOW }) }
}

/// fstat(2).
pub(super) fn fstat(fd: c_int) -> Attempt<libc::statx> {
    match peek(fd) {
        Ok(record) => mounts::is_near(&record).then_some(Ok(record)),
        Err(UV_EBADF) => Some(Err(UV_EBADF)),
        Err(_) => None,
    }
}

/// close(2).
pub(super) fn close(fd: c_int) -> Attempt<()> {
    if opened::forget(fd) & opened::LIGHT == 0 {
        let record = match peek(fd) {
            Ok(record) => record,
            Err(UV_EBADF) => return Some(Err(UV_EBADF)),
            Err(_) => return None,
        };
        // SAFETY: any number may be asked for.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        let light = is_light(&record, flags)
            || flags & libc::O_ACCMODE == libc::O_RDONLY && record.stx_nlink > 0;
        if flags < 0 || !light || !is_file_or_folder(&record) || !mounts::is_near(&record) {
            return None;
        }
    }
    // SAFETY: the caller gives the descriptor up.
    Some(match status::check(unsafe { libc::close(fd) }) {
        code if code < 0 && code != UV_EINTR => Err(code),
        _ => Ok(()),
    })
}

/// preadv(2), or readv(2) for a negative offset. Never fewer bytes than the blocking call gives.
///
/// # Safety
/// The list has `count` buffers, each valid for writes.
pub(super) unsafe fn read(
    fd: c_int,
    bufs: *const uv_buf_t,
    count: usize,
    offset: i64,
) -> Result<Result<usize, c_int>, Elsewhere> {
    // SAFETY: the caller's promise.
    let list = unsafe { core::slice::from_raw_parts(bufs, count) };
    let wanted = list.iter().fold(0usize, |sum, buf| sum.saturating_add(buf.len));
    if count > sys::MAX_IOV {
        return Err(Elsewhere::Worker);
    }
    if is_direct(fd) {
        return Err(Elsewhere::Ring);
    }
    // The ring, too, copies what is in memory on this thread.
    if wanted > MAX_READ {
        return Err(Elsewhere::Worker);
    }
    let offset = offset.max(-1);
    // SAFETY: the caller's promise; a buffer is what the kernel calls an iovec.
    match unsafe { file::preadv2(fd, bufs.cast::<IoVec>(), count, offset, file::RWF_NOWAIT) } {
        Ok(got) if got == 0 || got == wanted || is_all(fd, offset, got) => Ok(Ok(got)),
        Ok(got) => {
            if offset < 0 {
                // SAFETY: back to where the file stood, for whoever reads it next.
                unsafe { libc::lseek(fd, -(got as i64), libc::SEEK_CUR) };
            }
            Err(Elsewhere::Ring)
        }
        Err(error @ (Errno::BADF | Errno::ISDIR | Errno::IO | Errno::SPIPE | Errno::FAULT)) => {
            Ok(Err(status::from_errno(error)))
        }
        // Not in memory, or nothing has come yet.
        Err(Errno::AGAIN) => Err(Elsewhere::Ring),
        Err(_) => Err(Elsewhere::Worker),
    }
}

/// Whether reads of the descriptor go past the page cache.
fn is_direct(fd: c_int) -> bool {
    match opened::of(fd) & (opened::BUFFERED | opened::DIRECT) {
        // SAFETY: any number may be asked for.
        0 => match unsafe { libc::fcntl(fd, libc::F_GETFL) } {
            -1 => false,
            flags => flags & libc::O_DIRECT != 0,
        },
        known => known == opened::DIRECT,
    }
}

/// Whether `got` bytes, fewer than asked for, are all there is. Of a file they may only be those
/// that are in memory; whoever sees a short read takes it for the end.
fn is_all(fd: c_int, offset: i64, got: usize) -> bool {
    let Ok(record) = peek(fd) else { return false };
    if u32::from(record.stx_mode) & libc::S_IFMT != libc::S_IFREG {
        return true;
    }
    let end = match offset {
        // SAFETY: only asks where the file stands.
        -1 => unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) },
        _ => offset.saturating_add(got as i64),
    };
    let mut byte = 0u8;
    let one = IoVec { base: &raw mut byte, len: 1 };
    // SAFETY: one buffer of one byte.
    end >= 0 && unsafe { file::preadv2(fd, &raw const one, 1, end, file::RWF_NOWAIT) } == Ok(0)
}
