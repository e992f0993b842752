//! Operations on files, pipes and memory.

use core::ffi::{c_char, c_void};

use rustix::io_uring::{IoringFsyncFlags, SpliceFlags};

use super::{Opcode, Slot, Sqe};

impl Sqe {
    /// pread(2) at `offset`; `u64::MAX` is read(2).
    ///
    /// # Safety
    /// `buf` is writable for `len` bytes until the completion.
    pub unsafe fn read(fd: i32, buf: *mut u8, len: u32, offset: u64) -> Self {
        Sqe { addr: buf.addr() as u64, len, off: offset, ..Sqe::new(Opcode::Read, fd) }
    }

    /// pwrite(2) at `offset`; `u64::MAX` is write(2).
    ///
    /// # Safety
    /// `buf` is readable for `len` bytes until the completion.
    pub unsafe fn write(fd: i32, buf: *const u8, len: u32, offset: u64) -> Self {
        Sqe { addr: buf.addr() as u64, len, off: offset, ..Sqe::new(Opcode::Write, fd) }
    }

    /// preadv2(2) into `count` struct iovec, `flags` as there.
    ///
    /// # Safety
    /// The iovecs and what they name stay valid until the completion.
    pub unsafe fn readv(fd: i32, iov: *const c_void, count: u32, offset: u64, flags: i32) -> Self {
        Sqe {
            addr: iov.addr() as u64,
            len: count,
            off: offset,
            op_flags: flags as u32,
            ..Sqe::new(Opcode::Readv, fd)
        }
    }

    /// pwritev2(2) from `count` struct iovec, `flags` as there.
    ///
    /// # Safety
    /// As for [`readv`](Self::readv).
    pub unsafe fn writev(fd: i32, iov: *const c_void, count: u32, offset: u64, flags: i32) -> Self {
        Sqe {
            addr: iov.addr() as u64,
            len: count,
            off: offset,
            op_flags: flags as u32,
            ..Sqe::new(Opcode::Writev, fd)
        }
    }

    /// read(2) for each arrival into a buffer of `group`, until a completion without `more`. Linux 6.7.
    pub fn read_multishot(fd: i32, len: u32, group: u16, offset: u64) -> Self {
        Sqe { len, off: offset, ..Sqe::new(Opcode::ReadMultishot, fd) }.select_buffer(group)
    }

    /// fsync(2), or fdatasync(2) when `data_only`.
    pub fn fsync(fd: i32, data_only: bool) -> Self {
        let mut flags = IoringFsyncFlags::empty();
        flags.set(IoringFsyncFlags::DATASYNC, data_only);
        Sqe { op_flags: flags.bits(), ..Sqe::new(Opcode::Fsync, fd) }
    }

    /// sync_file_range(2).
    pub fn sync_file_range(fd: i32, offset: u64, len: u32, flags: u32) -> Self {
        Sqe { off: offset, len, op_flags: flags, ..Sqe::new(Opcode::SyncFileRange, fd) }
    }

    /// ftruncate(2), Linux 6.9.
    pub fn ftruncate(fd: i32, len: u64) -> Self {
        Sqe { off: len, ..Sqe::new(Opcode::Ftruncate, fd) }
    }

    /// fallocate(2).
    pub fn fallocate(fd: i32, mode: i32, offset: u64, len: u64) -> Self {
        Sqe { addr: len, len: mode as u32, off: offset, ..Sqe::new(Opcode::Fallocate, fd) }
    }

    /// posix_fadvise(2). The kernel takes 32 bits of the length.
    pub fn fadvise(fd: i32, offset: u64, len: u32, advice: u32) -> Self {
        Sqe { off: offset, len, op_flags: advice, ..Sqe::new(Opcode::Fadvise, fd) }
    }

    /// madvise(2). The kernel takes 32 bits of the length.
    ///
    /// # Safety
    /// The advice must suit whoever uses the memory: some of it throws contents away.
    pub unsafe fn madvise(addr: *mut c_void, len: u32, advice: u32) -> Self {
        Sqe { addr: addr.addr() as u64, len, op_flags: advice, ..Sqe::new(Opcode::Madvise, -1) }
    }

    /// openat(2).
    ///
    /// # Safety
    /// `path` is a C string that stays valid until the completion.
    pub unsafe fn openat(
        dir_fd: i32,
        path: *const c_char,
        flags: i32,
        mode: u32,
        slot: Slot,
    ) -> Self {
        Sqe {
            addr: path.addr() as u64,
            len: mode,
            op_flags: flags as u32,
            extra: slot.encode(),
            ..Sqe::new(Opcode::Openat, dir_fd)
        }
    }

    /// openat2(2) with a struct open_how of `how_len` bytes.
    ///
    /// # Safety
    /// `path` is a C string and `how` readable for `how_len` bytes, both until the completion.
    pub unsafe fn openat2(
        dir_fd: i32,
        path: *const c_char,
        how: *const c_void,
        how_len: u32,
        slot: Slot,
    ) -> Self {
        Sqe {
            addr: path.addr() as u64,
            off: how.addr() as u64,
            len: how_len,
            extra: slot.encode(),
            ..Sqe::new(Opcode::Openat2, dir_fd)
        }
    }

    /// close(2).
    pub fn close(fd: i32) -> Self {
        Sqe::new(Opcode::Close, fd)
    }

    /// Empties a place in the ring's table of registered files.
    pub fn close_registered(index: u32) -> Self {
        Sqe { extra: index.wrapping_add(1), ..Sqe::new(Opcode::Close, 0) }
    }

    /// statx(2).
    ///
    /// # Safety
    /// `path` is a C string and `out` a struct statx, both valid until the completion.
    pub unsafe fn statx(
        dir_fd: i32,
        path: *const c_char,
        flags: i32,
        mask: u32,
        out: *mut c_void,
    ) -> Self {
        Sqe {
            addr: path.addr() as u64,
            off: out.addr() as u64,
            len: mask,
            op_flags: flags as u32,
            ..Sqe::new(Opcode::Statx, dir_fd)
        }
    }

    /// renameat2(2).
    ///
    /// # Safety
    /// Both paths are C strings that stay valid until the completion.
    pub unsafe fn renameat(
        old_dir_fd: i32,
        old_path: *const c_char,
        new_dir_fd: i32,
        new_path: *const c_char,
        flags: u32,
    ) -> Self {
        Sqe {
            addr: old_path.addr() as u64,
            len: new_dir_fd as u32,
            off: new_path.addr() as u64,
            op_flags: flags,
            ..Sqe::new(Opcode::Renameat, old_dir_fd)
        }
    }

    /// linkat(2).
    ///
    /// # Safety
    /// As for [`renameat`](Self::renameat).
    pub unsafe fn linkat(
        old_dir_fd: i32,
        old_path: *const c_char,
        new_dir_fd: i32,
        new_path: *const c_char,
        flags: u32,
    ) -> Self {
        Sqe {
            addr: old_path.addr() as u64,
            len: new_dir_fd as u32,
            off: new_path.addr() as u64,
            op_flags: flags,
            ..Sqe::new(Opcode::Linkat, old_dir_fd)
        }
    }

    /// symlinkat(2): makes `link` in `dir_fd`, pointing to `target`.
    ///
    /// # Safety
    /// As for [`renameat`](Self::renameat).
    pub unsafe fn symlinkat(target: *const c_char, dir_fd: i32, link: *const c_char) -> Self {
        Sqe {
            addr: target.addr() as u64,
            off: link.addr() as u64,
            ..Sqe::new(Opcode::Symlinkat, dir_fd)
        }
    }

    /// unlinkat(2).
    ///
    /// # Safety
    /// `path` is a C string that stays valid until the completion.
    pub unsafe fn unlinkat(dir_fd: i32, path: *const c_char, flags: i32) -> Self {
        Sqe {
            addr: path.addr() as u64,
            op_flags: flags as u32,
            ..Sqe::new(Opcode::Unlinkat, dir_fd)
        }
    }

    /// mkdirat(2).
    ///
    /// # Safety
    /// As for [`unlinkat`](Self::unlinkat).
    pub unsafe fn mkdirat(dir_fd: i32, path: *const c_char, mode: u32) -> Self {
        Sqe { addr: path.addr() as u64, len: mode, ..Sqe::new(Opcode::Mkdirat, dir_fd) }
    }

    /// splice(2); an offset of -1 means the descriptor's own. `in_registered`: `fd_in` is a place
    /// in the ring's table of registered files.
    pub fn splice(
        fd_in: i32,
        offset_in: i64,
        fd_out: i32,
        offset_out: i64,
        len: u32,
        flags: u32,
        in_registered: bool,
    ) -> Self {
        Sqe {
            off: offset_out as u64,
            addr: offset_in as u64,
            len,
            op_flags: flags | registered_bit(in_registered),
            extra: fd_in as u32,
            ..Sqe::new(Opcode::Splice, fd_out)
        }
    }

    /// tee(2).
    pub fn tee(fd_in: i32, fd_out: i32, len: u32, flags: u32, in_registered: bool) -> Self {
        Sqe {
            len,
            op_flags: flags | registered_bit(in_registered),
            extra: fd_in as u32,
            ..Sqe::new(Opcode::Tee, fd_out)
        }
    }
}

fn registered_bit(registered: bool) -> u32 {
    if registered { SpliceFlags::FD_IN_FIXED.bits() } else { 0 }
}
