//! Copying a file.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr;

use super::request::{self, Operation};
use super::send;
use super::sys::{self, Fd};
use crate::abi::*;

/// Bytes in one call, so that a copy gives way now and then.
const PIECE: usize = 1 << 30;

/// File systems that refuse to change modes unless asked to fake them.
const CIFS_MAGIC: u32 = 0xff53_4d42;
const SMB2_MAGIC: u32 = 0xfe53_4d42;

struct Copyfile;

impl Operation for Copyfile {
    const KIND: uv_fs_type = UV_FS_COPYFILE;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: both paths are C strings.
        match unsafe { copy(req.path.get(), req.new_path.get(), req.flags.get()) } {
            Ok(()) => 0,
            Err(code) => code as isize,
        }
    }
}

/// # Safety
/// Both are C strings.
unsafe fn copy(path: *const c_char, new_path: *const c_char, flags: c_int) -> Result<(), c_int> {
    // SAFETY: the caller's promise.
    unsafe {
        let from = Fd::open(|| libc::open(path, libc::O_RDONLY | libc::O_CLOEXEC))?;
        let source = stat(&from)?;
        if source.st_mode & libc::S_IFMT == libc::S_IFDIR {
            return Err(UV_EISDIR);
        }
        let exclusive = flags & UV_FS_COPYFILE_EXCL != 0;
        let (to, created) = open_target(new_path, exclusive, source.st_mode & 0o7777)?;
        let mut harmed = created;
        let result = stat(&to).and_then(|target| {
            if (source.st_dev, source.st_ino) == (target.st_dev, target.st_ino) {
                return Ok(());
            }
            let regular = target.st_mode & libc::S_IFMT == libc::S_IFREG;
            harmed &= regular;
            fill(&from, &source, &to, &target, flags, &mut harmed)
        });
        drop(to);
        // No file that looks like a copy and is none.
        if result.is_err() && harmed {
            libc::unlink(new_path);
        }
        result
    }
}

fn stat(fd: &Fd) -> Result<libc::stat, c_int> {
    let mut record = MaybeUninit::uninit();
    // SAFETY: valid for writes; filled when the call succeeds.
    unsafe {
        sys::again(|| libc::fstat(fd.get(), record.as_mut_ptr()) as isize)?;
        Ok(record.assume_init())
    }
}

/// Opens the target, and whether that made it.
///
/// # Safety
/// `path` is a C string.
unsafe fn open_target(
    path: *const c_char,
    exclusive: bool,
    mode: libc::mode_t,
) -> Result<(Fd, bool), c_int> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC;
    // SAFETY: the caller's promise.
    unsafe {
        match Fd::open(|| libc::open(path, flags | libc::O_EXCL, mode)) {
            Ok(fd) => Ok((fd, true)),
            Err(UV_EEXIST) if !exclusive => {
                Ok((Fd::open(|| libc::open(path, flags, mode))?, false))
            }
            Err(code) => Err(code),
        }
    }
}

/// Gives the target the source's mode and bytes. `harmed` is set before it loses its own.
fn fill(
    from: &Fd,
    source: &libc::stat,
    to: &Fd,
    target: &libc::stat,
    flags: c_int,
    harmed: &mut bool,
) -> Result<(), c_int> {
    let regular = target.st_mode & libc::S_IFMT == libc::S_IFREG;
    if regular {
        // First the owner: a set-user-id program must not become another user's.
        keep_owner(to, source, target);
        set_mode(to, source.st_mode & 0o7777)?;
    }
    if flags & (UV_FS_COPYFILE_FICLONE | UV_FS_COPYFILE_FICLONE_FORCE) != 0 {
        // SAFETY: two descriptors of ours.
        match sys::again(|| unsafe { libc::ioctl(to.get(), libc::FICLONE, from.get()) as isize }) {
            Ok(_) => return truncate(to, source.st_size),
            Err(code) if flags & UV_FS_COPYFILE_FICLONE_FORCE != 0 => return Err(code),
            Err(_) => {}
        }
    }
    if regular {
        *harmed = true;
        truncate(to, 0)?;
        keep_times(to, source);
    }
    transfer(from, to, source.st_size)
}

fn truncate(fd: &Fd, size: i64) -> Result<(), c_int> {
    // SAFETY: a descriptor of ours.
    sys::again(|| unsafe { libc::ftruncate(fd.get(), size) as isize }).map(|_| ())
}

/// Who may not give files away keeps the copy.
fn keep_owner(fd: &Fd, source: &libc::stat, target: &libc::stat) {
    if (source.st_uid, source.st_gid) != (target.st_uid, target.st_gid) {
        // SAFETY: a descriptor of ours.
        unsafe { libc::fchown(fd.get(), source.st_uid, source.st_gid) };
    }
}

/// As libuv does it before the bytes, which are a change of their own: the source's time of the last
/// reading stays, and that of an empty file's last change.
fn keep_times(fd: &Fd, source: &libc::stat) {
    let times = [
        libc::timespec { tv_sec: source.st_atime, tv_nsec: source.st_atime_nsec },
        libc::timespec { tv_sec: source.st_mtime, tv_nsec: source.st_mtime_nsec },
    ];
    // SAFETY: a descriptor of ours and two times.
    unsafe { libc::futimens(fd.get(), times.as_ptr()) };
}

fn set_mode(fd: &Fd, mode: libc::mode_t) -> Result<(), c_int> {
    // SAFETY: a descriptor of ours.
    match sys::again(|| unsafe { libc::fchmod(fd.get(), mode) as isize }) {
        Err(UV_EPERM) if keeps_no_modes(fd) => Ok(()),
        other => other.map(|_| ()),
    }
}

fn keeps_no_modes(fd: &Fd) -> bool {
    let mut record = MaybeUninit::<libc::statfs>::uninit();
    // Of 32 bits, however wide the field; some platforms sign-extend it.
    // SAFETY: valid for writes; filled on 0.
    let kind = unsafe {
        if libc::fstatfs(fd.get(), record.as_mut_ptr()) != 0 {
            return false;
        }
        record.assume_init().f_type as u32
    };
    matches!(kind, CIFS_MAGIC | SMB2_MAGIC)
}

/// A way to move some bytes: offset in the source, most bytes; how many went.
type Mover = fn(&Fd, &Fd, &mut i64, usize) -> Result<usize, c_int>;

/// Copies `size` bytes, fewer when the source turns out to be shorter. Each way is used until it
/// says that it does not know these files.
fn transfer(from: &Fd, to: &Fd, size: i64) -> Result<(), c_int> {
    let ways: [Mover; 3] = [
        copy_range,
        |from, to, offset, len| send::send(to.get(), from.get(), offset, len),
        |from, to, offset, len| send::copy_by_hand(to.get(), from.get(), offset, len),
    ];
    let mut offset = 0;
    for (index, way) in ways.iter().enumerate() {
        let last = index + 1 == ways.len();
        while offset < size {
            let len = usize::try_from(size - offset).unwrap_or(PIECE).min(PIECE);
            match way(from, to, &mut offset, len) {
                // Some file systems answer 0 where they mean no.
                Ok(0) if offset == 0 && !last => break,
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(code) if !last && unsupported(code) => break,
                Err(code) => return Err(code),
            }
        }
    }
    Ok(())
}

fn unsupported(code: c_int) -> bool {
    matches!(
        code,
        UV_ENOSYS
            | UV_EXDEV
            | UV_EINVAL
            | UV_ENOTSUP
            | UV_EPERM
            | UV_EACCES
            | UV_ETXTBSY
            | UV_EBADF
            | UV_EOVERFLOW
            | UV_ESPIPE
    )
}

fn copy_range(from: &Fd, to: &Fd, offset: &mut i64, len: usize) -> Result<usize, c_int> {
    sys::again(|| {
        let to_here = ptr::null_mut();
        // SAFETY: two descriptors of ours; `offset` is valid for reads and writes.
        unsafe { libc::copy_file_range(from.get(), offset, to.get(), to_here, len, 0) }
    })
}

/// `int uv_fs_copyfile(uv_loop_t*, uv_fs_t*, const char* path, const char* new_path, int flags,
/// uv_fs_cb)`: copies a file's bytes, mode and times and, where the process may, its owner.
/// `UV_FS_COPYFILE_EXCL`: `UV_EEXIST` when there is one already. `UV_FS_COPYFILE_FICLONE`: shares
/// the blocks when the file system can; `UV_FS_COPYFILE_FICLONE_FORCE`: or fails. `UV_EINVAL` for
/// other flags. A copy that fails halfway is removed.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_copyfile(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    flags: c_int,
    cb: uv_fs_cb,
) -> c_int {
    let known = UV_FS_COPYFILE_EXCL | UV_FS_COPYFILE_FICLONE | UV_FS_COPYFILE_FICLONE_FORCE;
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Copyfile>(r#loop, req, cb, |req| {
            if flags & !known != 0 {
                return UV_EINVAL;
            }
            req.flags.set(flags);
            request::keep_paths(req, path, new_path)
        })
    }
}
