//! What is known about a file, and about the file system it is on.

use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;

use uvring_core::driver::Request;

use super::request::{self, Operation};
use super::route::Elsewhere;
use super::{mounts, now, sys};
use crate::abi::*;
use crate::mem;

/// What statx(2) is to tell.
const MASK: u32 = libc::STATX_BASIC_STATS | libc::STATX_BTIME | mounts::MASK;

struct Stat;

impl Operation for Stat {
    const KIND: uv_fs_type = UV_FS_STAT;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        unsafe { fill(req, libc::AT_FDCWD, req.path.get(), 0) }
    }

    unsafe fn attempt(req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        // SAFETY: the path is a C string.
        let record = unsafe { now::stat(req.path.get(), true) };
        Ok(attempted(req, record.ok_or(Elsewhere::Worker)?))
    }

    fn cost(_req: &uv_fs_t) -> u32 {
        2
    }

    const ROOM: usize = size_of::<libc::statx>();

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(statx(req, 0))
    }

    fn landed(req: &uv_fs_t, answer: c_int) -> isize {
        told(req, answer)
    }
}

struct Lstat;

impl Operation for Lstat {
    const KIND: uv_fs_type = UV_FS_LSTAT;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        unsafe { fill(req, libc::AT_FDCWD, req.path.get(), libc::AT_SYMLINK_NOFOLLOW) }
    }

    unsafe fn attempt(req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        // SAFETY: the path is a C string.
        let record = unsafe { now::stat(req.path.get(), false) };
        Ok(attempted(req, record.ok_or(Elsewhere::Worker)?))
    }

    fn cost(_req: &uv_fs_t) -> u32 {
        2
    }

    const ROOM: usize = size_of::<libc::statx>();

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(statx(req, libc::AT_SYMLINK_NOFOLLOW))
    }

    fn landed(req: &uv_fs_t, answer: c_int) -> isize {
        told(req, answer)
    }
}

/// An attempt at a look-up that waits for a worker. Whether it is done.
///
/// # Safety
/// `job` was given to `threadpool::submit_short`, this is its loop's thread, and no worker has it.
pub(crate) unsafe fn try_again(job: *mut uv__work) -> bool {
    // SAFETY: by the table of routes it is the job of one of these.
    let (req, answer) = unsafe {
        let req = &*request::of_job(job);
        match req.fs_type.get() {
            UV_FS_STAT => (req, Stat::attempt(req, false)),
            _ => (req, Lstat::attempt(req, false)),
        }
    };
    answer.map(|result| req.result.set(result)).is_ok()
}

struct Fstat;

impl Operation for Fstat {
    const KIND: uv_fs_type = UV_FS_FSTAT;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let fd = req.file.get();
        // The name for "this folder" must not make a folder's record out of a bad descriptor.
        if fd < 0 {
            return UV_EBADF as isize;
        }
        let nothing: &CStr = c"";
        // SAFETY: an empty C string.
        unsafe { fill(req, fd, nothing.as_ptr(), libc::AT_EMPTY_PATH) }
    }

    unsafe fn attempt(req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        Ok(attempted(req, now::fstat(req.file.get()).ok_or(Elsewhere::Worker)?))
    }
}

/// Takes over what an attempt came to.
fn attempted(req: &uv_fs_t, record: Result<libc::statx, c_int>) -> isize {
    match record {
        Ok(record) => {
            put(req, from_statx(&record));
            0
        }
        Err(code) => code as isize,
    }
}

/// What a ring is asked; the record goes behind the path.
fn statx(req: &uv_fs_t, flags: c_int) -> Request {
    // SAFETY: with a callback, the path was copied with room for a record.
    let out = unsafe { request::behind_path(req) };
    Request::Statx { path: req.path.get(), flags, mask: MASK, out }
}

/// The ring's answer.
fn told(req: &uv_fs_t, answer: c_int) -> isize {
    if answer == 0 {
        // SAFETY: on 0 the record is filled; it stands where `statx` said.
        let record = unsafe { request::behind_path(req).cast::<libc::statx>().read() };
        put(req, from_statx(&record));
    }
    answer as isize
}

fn put(req: &uv_fs_t, stat: uv_stat_t) {
    req.statbuf.set(stat);
    req.ptr.set(req.statbuf.as_ptr().cast());
}

/// Fills the request's record.
///
/// # Safety
/// `path` is a C string.
unsafe fn fill(req: &uv_fs_t, at: c_int, path: *const c_char, flags: c_int) -> isize {
    let mut record = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the caller's promise; `record` is valid for writes, and all zeros are a record too.
    let stat = unsafe {
        match sys::int(libc::statx(at, path, flags, MASK, record.as_mut_ptr())) {
            0 => {
                let record = record.assume_init();
                if req.cb.get().is_some() {
                    learn(&record, at, path, flags);
                }
                from_statx(&record)
            }
            // Some sandboxes know the older call only.
            code if code == UV_EPERM as isize || code == UV_ENOSYS as isize => {
                match older(at, path, flags) {
                    Ok(stat) => stat,
                    Err(code) => return code,
                }
            }
            code => return code,
        }
    };
    put(req, stat);
    0
}

/// On a worker: remembers what kind of mount this is, so that the next time it may be tried at once.
///
/// # Safety
/// `path` is a C string.
unsafe fn learn(record: &libc::statx, at: c_int, path: *const c_char, flags: c_int) {
    if u32::from(record.stx_mode) & libc::S_IFMT == libc::S_IFLNK {
        // statfs(2) would tell of the mount that the link leads to.
        return;
    }
    // SAFETY: the caller's promise; `to` has room for one record.
    mounts::learn(record, |to| unsafe {
        if flags & libc::AT_EMPTY_PATH != 0 {
            libc::fstatfs(at, to)
        } else {
            libc::statfs(path, to)
        }
    });
}

fn from_statx(record: &libc::statx) -> uv_stat_t {
    let time = |time: &libc::statx_timestamp| uv_timespec_t {
        tv_sec: time.tv_sec as _,
        tv_nsec: time.tv_nsec as _,
    };
    uv_stat_t {
        st_dev: libc::makedev(record.stx_dev_major, record.stx_dev_minor) as u64,
        st_mode: record.stx_mode.into(),
        st_nlink: record.stx_nlink.into(),
        st_uid: record.stx_uid.into(),
        st_gid: record.stx_gid.into(),
        st_rdev: libc::makedev(record.stx_rdev_major, record.stx_rdev_minor) as u64,
        st_ino: record.stx_ino,
        st_size: record.stx_size,
        st_blksize: record.stx_blksize.into(),
        st_blocks: record.stx_blocks,
        st_flags: 0,
        st_gen: 0,
        st_atim: time(&record.stx_atime),
        st_mtim: time(&record.stx_mtime),
        st_ctim: time(&record.stx_ctime),
        st_birthtim: time(&record.stx_btime),
    }
}

/// The same from fstatat(2), which does not know when a file was made: that stays 0.
///
/// # Safety
/// `path` is a C string.
unsafe fn older(at: c_int, path: *const c_char, flags: c_int) -> Result<uv_stat_t, isize> {
    let mut record = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the caller's promise; on 0 the record is filled.
    let record = unsafe {
        match sys::int(libc::fstatat(at, path, record.as_mut_ptr(), flags)) {
            0 => record.assume_init(),
            code => return Err(code),
        }
    };
    Ok(uv_stat_t {
        st_dev: record.st_dev as u64,
        st_mode: record.st_mode.into(),
        st_nlink: record.st_nlink as u64,
        st_uid: record.st_uid.into(),
        st_gid: record.st_gid.into(),
        st_rdev: record.st_rdev as u64,
        st_ino: record.st_ino as u64,
        st_size: record.st_size as u64,
        st_blksize: record.st_blksize as u64,
        st_blocks: record.st_blocks as u64,
        st_flags: 0,
        st_gen: 0,
        st_atim: uv_timespec_t { tv_sec: record.st_atime as _, tv_nsec: record.st_atime_nsec as _ },
        st_mtim: uv_timespec_t { tv_sec: record.st_mtime as _, tv_nsec: record.st_mtime_nsec as _ },
        st_ctim: uv_timespec_t { tv_sec: record.st_ctime as _, tv_nsec: record.st_ctime_nsec as _ },
        st_birthtim: uv_timespec_t { tv_sec: 0, tv_nsec: 0 },
    })
}

struct Statfs;

impl Operation for Statfs {
    const KIND: uv_fs_type = UV_FS_STATFS;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let mut record = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the path is a C string; on 0 the record is filled.
        let record = unsafe {
            match sys::int(libc::statfs(req.path.get(), record.as_mut_ptr())) {
                0 => record.assume_init(),
                code => return code,
            }
        };
        let place = mem::alloc_one::<uv_statfs_t>();
        if place.is_null() {
            return UV_ENOMEM as isize;
        }
        // SAFETY: fresh from the allocator.
        unsafe {
            place.write(uv_statfs_t {
                f_type: record.f_type as u64,
                f_bsize: record.f_bsize as u64,
                f_blocks: record.f_blocks,
                f_bfree: record.f_bfree,
                f_bavail: record.f_bavail,
                f_files: record.f_files,
                f_ffree: record.f_ffree,
                f_frsize: record.f_frsize as u64,
                f_spare: [0; 3],
            });
        }
        req.ptr.set(place.cast());
        0
    }
}

/// `int uv_fs_stat(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: statx(2) into `statbuf`,
/// which `ptr` then points at. The time of birth is 0 where it is not known.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_stat(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Stat>(r#loop, req, path, cb, |req| req.flags.set(0)) }
}

/// `int uv_fs_lstat(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: as [`uv_fs_stat`], but of
/// a symbolic link itself.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_lstat(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Lstat>(r#loop, req, path, cb, |req| req.flags.set(0)) }
}

/// `int uv_fs_fstat(uv_loop_t*, uv_fs_t*, uv_file, uv_fs_cb)`: as [`uv_fs_stat`], of an open file.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fstat(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Fstat>(r#loop, req, cb, |req| {
            req.file.set(file);
            0
        })
    }
}

/// `int uv_fs_statfs(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: statfs(2). On success
/// `ptr` is a `uv_statfs_t` that cleanup frees.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_statfs(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Statfs>(r#loop, req, path, cb, |_| {}) }
}
