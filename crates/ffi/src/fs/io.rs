//! Open, close, read, write, and what makes written data last.

use core::ffi::{c_char, c_int, c_uint};

use uvring_core::driver::Request;
use uvring_core::file;

use super::request::{self, Operation};
use super::route::Elsewhere;
use super::{now, opened, sys};
use crate::abi::*;

/// A list of buffers is passed to the kernel as it is.
const _: () = {
    assert!(size_of::<uv_buf_t>() == size_of::<libc::iovec>());
    assert!(core::mem::offset_of!(uv_buf_t, base) == core::mem::offset_of!(libc::iovec, iov_base));
    assert!(core::mem::offset_of!(uv_buf_t, len) == core::mem::offset_of!(libc::iovec, iov_len));
};

/// Copying so many bytes takes as long as a small call.
const CALL_BYTES: usize = 16 << 10;

struct Open;

impl Operation for Open {
    const KIND: uv_fs_type = UV_FS_OPEN;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let flags = req.flags.get() | libc::O_CLOEXEC;
        let held = req.file.replace(-1);
        // SAFETY: the path is a C string.
        let fd = sys::int(unsafe { libc::open(req.path.get(), flags, req.mode.get()) });
        if held >= 0 {
            let _ = file::close(held);
        }
        match fd as c_int {
            failed if failed < 0 => {}
            fd if req.cb.get().is_some() => now::learn(fd, flags),
            fd => opened::note(fd, flags, false),
        }
        fd
    }

    unsafe fn attempt(req: &uv_fs_t, many: bool) -> Result<isize, Elsewhere> {
        // SAFETY: the path is a C string.
        match unsafe { now::open(req.path.get(), req.flags.get(), many) } {
            now::Opened::Done(result) => Ok(result.unwrap_or_else(|code| code) as isize),
            now::Opened::Elsewhere { held } => {
                req.file.set(held);
                Err(Elsewhere::Worker)
            }
        }
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        let flags = req.flags.get() | libc::O_CLOEXEC;
        let path = req.path.get();
        (req.file.get() < 0).then_some(Request::Open { path, flags, mode: req.mode.get() })
    }

    fn landed(req: &uv_fs_t, answer: c_int) -> isize {
        opened::note(answer, req.flags.get(), false);
        answer as isize
    }
}

struct Close;

impl Operation for Close {
    const KIND: uv_fs_type = UV_FS_CLOSE;
    // The descriptor is gone, and its number may be someone else's by now.
    const RETRY: bool = false;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        opened::forget(req.file.get());
        // SAFETY: the caller gives the descriptor up.
        match sys::int(unsafe { libc::close(req.file.get()) }) {
            code if code == UV_EINTR as isize => 0,
            code => code,
        }
    }

    unsafe fn attempt(req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        let closed = now::close(req.file.get()).ok_or(Elsewhere::Worker)?;
        Ok(closed.err().unwrap_or(0) as isize)
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        opened::forget(req.file.get());
        Some(Request::Close { fd: req.file.get() })
    }
}

struct Read;

impl Operation for Read {
    const KIND: uv_fs_type = UV_FS_READ;
    // Who waits at a pipe or terminal may want to see the signal.
    const RETRY: bool = false;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let (fd, offset) = (req.file.get(), req.off.get());
        let bufs = req.bufs.get().cast::<libc::iovec>();
        let count = (req.nbufs.get() as usize).min(sys::MAX_IOV) as c_int;
        // SAFETY: the list has that many buffers, each valid for writes.
        sys::result(unsafe {
            match (count, offset < 0) {
                (1, true) => libc::read(fd, (*bufs).iov_base, (*bufs).iov_len),
                (1, false) => libc::pread(fd, (*bufs).iov_base, (*bufs).iov_len, offset),
                (_, true) => libc::readv(fd, bufs, count),
                (_, false) => libc::preadv(fd, bufs, count, offset),
            }
        })
    }

    unsafe fn attempt(req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        let (bufs, count) = (req.bufs.get(), req.nbufs.get() as usize);
        // SAFETY: the list has that many buffers, each valid for writes.
        let got = unsafe { now::read(req.file.get(), bufs, count, req.off.get()) }?;
        Ok(got.map_or_else(|code| code as isize, |got| got as isize))
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        let (iov, count) = (req.bufs.get().cast(), req.nbufs.get());
        let offset = place(req.off.get());
        (count as usize <= sys::MAX_IOV).then_some(Request::Read {
            fd: req.file.get(),
            iov,
            count,
            offset,
        })
    }

    fn cost(req: &uv_fs_t) -> u32 {
        // SAFETY: as above.
        let list = unsafe {
            core::slice::from_raw_parts(req.bufs.get().cast_const(), req.nbufs.get() as usize)
        };
        let bytes = list.iter().fold(0usize, |sum, buf| sum.saturating_add(buf.len));
        1 + (bytes.min(now::MAX_READ) / CALL_BYTES) as u32
    }
}

struct Write;

impl Operation for Write {
    const KIND: uv_fs_type = UV_FS_WRITE;

    /// Writes all of it, in as many calls as that takes. An error after some bytes went out is
    /// left to the next request.
    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the list has that many buffers, each valid for reads.
        let mut bufs = unsafe {
            core::slice::from_raw_parts(req.bufs.get().cast_const(), req.nbufs.get() as usize)
        };
        let mut offset = req.off.get();
        let mut total = 0usize;
        // How much of the first buffer is written already.
        let mut skip = 0usize;
        while !bufs.is_empty() {
            let count = if skip > 0 { 1 } else { bufs.len().min(sys::MAX_IOV) };
            let part = &bufs[..count];
            // SAFETY: as above.
            let written = match sys::again(|| unsafe { write_once(req, part, skip, offset) }) {
                Ok(written) => written,
                Err(code) if total == 0 => return code as isize,
                Err(_) => break,
            };
            total += written;
            if offset >= 0 {
                offset = offset.saturating_add(written as i64);
            }
            let wanted = part.iter().any(|buf| buf.len > skip);
            if written == 0 && wanted {
                break;
            }
            (bufs, skip) = past(bufs, skip + written, count);
        }
        total as isize
    }

    unsafe fn attempt(req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        let direct = opened::of(req.file.get()) & opened::DIRECT != 0;
        Err(if direct { Elsewhere::Ring } else { Elsewhere::Worker })
    }

    fn cost(_req: &uv_fs_t) -> u32 {
        0
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        let (iov, count) = (req.bufs.get().cast(), req.nbufs.get());
        let offset = place(req.off.get());
        (count as usize <= sys::MAX_IOV).then_some(Request::Write {
            fd: req.file.get(),
            iov,
            count,
            offset,
        })
    }
}

/// An offset as the ring has it.
fn place(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(u64::MAX)
}

/// One attempt: a list of buffers, or what is left of one.
///
/// # Safety
/// The buffers are valid for reads.
unsafe fn write_once(req: &uv_fs_t, part: &[uv_buf_t], skip: usize, offset: i64) -> isize {
    let fd = req.file.get();
    // SAFETY: the caller's promise; `skip` is less than the length of the only buffer.
    unsafe {
        if let [buf] = part {
            let (start, len) = (buf.base.wrapping_add(skip).cast(), buf.len - skip);
            return match offset < 0 {
                true => libc::write(fd, start, len),
                false => libc::pwrite(fd, start, len, offset),
            };
        }
        let (list, count) = (part.as_ptr().cast::<libc::iovec>(), part.len() as c_int);
        match offset < 0 {
            true => libc::writev(fd, list, count),
            false => libc::pwritev(fd, list, count, offset),
        }
    }
}

/// What is left after `done` bytes from the start of the first buffer on, of which no more than
/// `count` were tried: buffers, and how much of the first is gone.
fn past(bufs: &[uv_buf_t], mut done: usize, count: usize) -> (&[uv_buf_t], usize) {
    let mut whole = 0;
    while whole < count && bufs[whole].len <= done {
        done -= bufs[whole].len;
        whole += 1;
    }
    (&bufs[whole..], done)
}

struct Fsync;

impl Operation for Fsync {
    const KIND: uv_fs_type = UV_FS_FSYNC;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: any number may be asked for.
        sys::int(unsafe { libc::fsync(req.file.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Sync { fd: req.file.get(), data_only: false })
    }
}

struct Fdatasync;

impl Operation for Fdatasync {
    const KIND: uv_fs_type = UV_FS_FDATASYNC;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: any number may be asked for.
        sys::int(unsafe { libc::fdatasync(req.file.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        Some(Request::Sync { fd: req.file.get(), data_only: true })
    }
}

struct Ftruncate;

impl Operation for Ftruncate {
    const KIND: uv_fs_type = UV_FS_FTRUNCATE;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: any number may be asked for.
        sys::int(unsafe { libc::ftruncate(req.file.get(), req.off.get()) })
    }

    fn entry(req: &uv_fs_t) -> Option<Request> {
        let len = u64::try_from(req.off.get()).ok()?;
        Some(Request::Truncate { fd: req.file.get(), len })
    }
}

/// `int uv_fs_open(uv_loop_t*, uv_fs_t*, const char* path, int flags, int mode, uv_fs_cb)`:
/// open(2), close-on-exec. The result is the descriptor.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_open(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    flags: c_int,
    mode: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Open>(r#loop, req, path, cb, |req| {
            req.flags.set(flags);
            req.mode.set(mode as libc::mode_t);
            req.file.set(-1);
        })
    }
}

/// `int uv_fs_close(uv_loop_t*, uv_fs_t*, uv_file, uv_fs_cb)`: close(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page. Nobody else uses the descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_close(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { on_file::<Close>(r#loop, req, file, cb) }
}

/// An operation that needs nothing but a descriptor.
///
/// # Safety
/// As the `uv_fs_*` function asks.
unsafe fn on_file<O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<O>(owner, req, cb, |req| {
            req.file.set(file);
            0
        })
    }
}

/// `int uv_fs_read(uv_loop_t*, uv_fs_t*, uv_file, const uv_buf_t bufs[], unsigned nbufs, int64_t
/// offset, uv_fs_cb)`: preadv(2), or readv(2) at the file's own position when `offset` (in bytes)
/// is negative. The result is the number of bytes, 0 at the end. Of more than 1024 buffers the
/// first 1024 are filled. `UV_EINVAL` when there are no buffers.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page. The buffers stay valid until the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_read(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    offset: i64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { transfer::<Read>(r#loop, req, file, (bufs, nbufs), offset, cb, usize::MAX) }
}

/// `int uv_fs_write(uv_loop_t*, uv_fs_t*, uv_file, const uv_buf_t bufs[], unsigned nbufs, int64_t
/// offset, uv_fs_cb)`: pwritev(2), or writev(2) at the file's own position when `offset` (in
/// bytes) is negative. The result is the number of bytes. `UV_EINVAL` when there are no buffers, or
/// more than 2 GiB less a page in them.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page. The buffers stay valid until the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_write(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    offset: i64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { transfer::<Write>(r#loop, req, file, (bufs, nbufs), offset, cb, sys::MAX_LEN) }
}

/// At most `limit` bytes.
///
/// # Safety
/// As for [`uv_fs_read`] and [`uv_fs_write`].
unsafe fn transfer<O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    (bufs, nbufs): (*const uv_buf_t, c_uint),
    offset: i64,
    cb: uv_fs_cb,
    limit: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<O>(owner, req, cb, |req| {
            req.file.set(file);
            req.off.set(offset);
            request::keep_bufs(req, bufs, nbufs, limit)
        })
    }
}

/// `int uv_fs_fsync(uv_loop_t*, uv_fs_t*, uv_file, uv_fs_cb)`: fsync(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fsync(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { on_file::<Fsync>(r#loop, req, file, cb) }
}

/// `int uv_fs_fdatasync(uv_loop_t*, uv_fs_t*, uv_file, uv_fs_cb)`: fdatasync(2).
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_fdatasync(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { on_file::<Fdatasync>(r#loop, req, file, cb) }
}

/// `int uv_fs_ftruncate(uv_loop_t*, uv_fs_t*, uv_file, int64_t offset, uv_fs_cb)`: ftruncate(2) to
/// `offset` bytes.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_ftruncate(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    offset: i64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Ftruncate>(r#loop, req, cb, |req| {
            req.file.set(file);
            req.off.set(offset);
            0
        })
    }
}
