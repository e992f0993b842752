//! The entries of a folder, straight from the kernel.

use core::ffi::{CStr, c_char, c_int};

use super::sys;
use crate::abi::*;
use crate::mem;

/// Bytes that are asked for at once: what the C library takes too.
const BLOCK: usize = 32 << 10;

/// Where the parts of a kernel record lie: its length, the kind of entry, the name.
const LENGTH_AT: usize = 16;
const KIND_AT: usize = 18;
const NAME_AT: usize = 19;

/// One entry, until the reader moves on.
pub(super) struct Entry<'b> {
    pub(super) name: &'b CStr,
    pub(super) kind: uv_dirent_type_t,
    /// What it takes in the block.
    length: usize,
}

/// Reads one folder. It is large, and lives on the heap.
pub(super) struct Reader {
    fd: c_int,
    at: usize,
    end: usize,
    block: [u64; BLOCK / 8],
}

impl Reader {
    /// Sets up a reader in place. The descriptor stays the caller's.
    ///
    /// # Safety
    /// `place` is valid for writes.
    pub(super) unsafe fn init(place: *mut Self, fd: c_int) {
        // SAFETY: the caller's promise; any bits are a block.
        unsafe {
            (&raw mut (*place).fd).write(fd);
            (&raw mut (*place).at).write(0);
            (&raw mut (*place).end).write(0);
            (&raw mut (*place).block).write_bytes(0, 1);
        }
    }

    pub(super) fn fd(&self) -> c_int {
        self.fd
    }

    /// The entry that comes next, other than `.` and `..`; `None` at the end. It stays next until
    /// [`Reader::skip`].
    pub(super) fn peek(&mut self) -> Result<Option<Entry<'_>>, c_int> {
        loop {
            if self.at >= self.end && !self.fill()? {
                return Ok(None);
            }
            let (length, itself) = match self.parse() {
                Some(entry) => (entry.length, matches!(entry.name.to_bytes(), b"." | b"..")),
                None => return Err(UV_EIO),
            };
            if !itself {
                return Ok(self.parse());
            }
            self.at += length;
        }
    }

    /// Moves past the entry that [`Reader::peek`] showed.
    pub(super) fn skip(&mut self) {
        if let Some(length) = self.parse().map(|entry| entry.length) {
            self.at += length;
        }
    }

    /// Asks the kernel for more: whether there was any.
    fn fill(&mut self) -> Result<bool, c_int> {
        let (fd, block) = (self.fd, self.block.as_mut_ptr());
        let len = sys::again(|| {
            // SAFETY: `block` has as many bytes.
            unsafe { libc::syscall(libc::SYS_getdents64, fd, block, BLOCK) as isize }
        })?;
        self.at = 0;
        self.end = len.min(BLOCK);
        Ok(len > 0)
    }

    /// The record at hand.
    fn parse(&self) -> Option<Entry<'_>> {
        // SAFETY: plain bytes, all initialised.
        let block = unsafe { core::slice::from_raw_parts(self.block.as_ptr().cast::<u8>(), BLOCK) };
        let rest = block.get(self.at..self.end)?;
        let length = u16::from_ne_bytes([*rest.get(LENGTH_AT)?, *rest.get(LENGTH_AT + 1)?]).into();
        let name = CStr::from_bytes_until_nul(rest.get(NAME_AT..length)?).ok()?;
        Some(Entry { name, kind: kind(*rest.get(KIND_AT)?), length })
    }
}

fn kind(from: u8) -> uv_dirent_type_t {
    match from {
        libc::DT_REG => UV_DIRENT_FILE,
        libc::DT_DIR => UV_DIRENT_DIR,
        libc::DT_LNK => UV_DIRENT_LINK,
        libc::DT_FIFO => UV_DIRENT_FIFO,
        libc::DT_SOCK => UV_DIRENT_SOCKET,
        libc::DT_CHR => UV_DIRENT_CHAR,
        libc::DT_BLK => UV_DIRENT_BLOCK,
        _ => UV_DIRENT_UNKNOWN,
    }
}

/// Opens a folder for reading.
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn open(path: *const c_char) -> Result<sys::Fd, c_int> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the caller's promise.
    sys::Fd::open(|| unsafe { libc::open(path, flags) })
}

/// Bytes on the heap that grow.
pub(super) struct Heap {
    start: *mut u8,
    len: usize,
    room: usize,
}

impl Heap {
    pub(super) const fn new() -> Self {
        Heap { start: core::ptr::null_mut(), len: 0, room: 0 }
    }

    /// Appends `bytes`; when there is no memory all is as before.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), c_int> {
        let len = self.len.checked_add(bytes.len()).ok_or(UV_ENOMEM)?;
        if len > self.room {
            let room = len.max(self.room.saturating_mul(2)).max(256);
            // SAFETY: the block is null or ours.
            let start = unsafe { mem::realloc(self.start.cast(), room) };
            if start.is_null() {
                return Err(UV_ENOMEM);
            }
            self.start = start.cast();
            self.room = room;
        }
        // SAFETY: there is room for all of it.
        unsafe { self.start.add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len = len;
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: that many were written.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }

    /// Hands the block over, to be freed by `mem::free`; null when nothing was pushed.
    pub(super) fn release(self) -> *mut u8 {
        core::mem::ManuallyDrop::new(self).start
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: null or ours, and freed once.
        unsafe { mem::free(self.start.cast()) };
    }
}
