//! From one descriptor to another.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use super::request::{self, Operation};
use super::sys;
use crate::abi::*;

/// Bytes that go through this process at once when the kernel cannot do it alone.
const PIECE: usize = 16 << 10;

struct Sendfile;

impl Operation for Sendfile {
    const KIND: uv_fs_type = UV_FS_SENDFILE;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // The descriptor to read from stands in `flags`.
        let (to, from) = (req.file.get(), req.flags.get());
        let (mut offset, len) = (req.off.get(), req.bufsml.get()[0].len);
        let sent = match send(to, from, &mut offset, len) {
            // What is not a file, or takes no pages: by hand.
            Err(UV_EINVAL | UV_EIO | UV_ENOTSOCK | UV_EXDEV | UV_ESPIPE | UV_ENOSYS) => {
                copy_by_hand(to, from, &mut offset, len)
            }
            sent => sent,
        };
        req.off.set(offset);
        sent.map_or_else(|code| code as isize, |sent| sent as isize)
    }
}

/// At most `len` bytes from `offset` on, which moves along, to where `to` stands.
pub(super) fn send(to: c_int, from: c_int, offset: &mut i64, len: usize) -> Result<usize, c_int> {
    let len = len.min(sys::MAX_LEN);
    // SAFETY: `offset` is valid for reads and writes.
    sys::again(|| unsafe { libc::sendfile(to, from, offset, len) })
}

/// The same with reads and writes. What cannot be read at an offset is read as it comes. An error
/// after some bytes went across is left to the next call.
pub(super) fn copy_by_hand(
    to: c_int,
    from: c_int,
    offset: &mut i64,
    len: usize,
) -> Result<usize, c_int> {
    let mut piece = [MaybeUninit::<u8>::uninit(); PIECE];
    let start = piece.as_mut_ptr().cast::<c_void>();
    let mut total = 0;
    let mut seekable = true;
    let result = loop {
        let want = (len - total).min(PIECE);
        if want == 0 {
            break Ok(());
        }
        let got = sys::again(|| {
            // SAFETY: `start` has `want` bytes.
            unsafe {
                if seekable {
                    libc::pread(from, start, want, *offset)
                } else {
                    libc::read(from, start, want)
                }
            }
        });
        let got = match got {
            Ok(0) => break Ok(()),
            Ok(got) => got,
            Err(UV_ESPIPE) if seekable && total == 0 => {
                seekable = false;
                continue;
            }
            Err(code) => break Err(code),
        };
        // SAFETY: `got` bytes were read to there.
        match write_all(to, unsafe { core::slice::from_raw_parts(start.cast(), got) }) {
            Ok(()) => {}
            Err(code) => break Err(code),
        }
        *offset = offset.saturating_add(got as i64);
        total += got;
    };
    match result {
        Err(code) if total == 0 => Err(code),
        _ => Ok(total),
    }
}

/// Writes all of it, waiting where `to` does not block.
fn write_all(to: c_int, mut bytes: &[u8]) -> Result<(), c_int> {
    while !bytes.is_empty() {
        // SAFETY: the bytes are valid for reads.
        match sys::again(|| unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) }) {
            Ok(written) => bytes = &bytes[written..],
            Err(UV_EAGAIN) => {
                let mut watch = libc::pollfd { fd: to, events: libc::POLLOUT, revents: 0 };
                // SAFETY: one record.
                sys::again(|| unsafe { libc::poll(&mut watch, 1, -1) as isize })?;
            }
            Err(code) => return Err(code),
        }
    }
    Ok(())
}

/// `int uv_fs_sendfile(uv_loop_t*, uv_fs_t*, uv_file out_fd, uv_file in_fd, int64_t in_offset,
/// size_t length, uv_fs_cb)`: sendfile(2), `length` bytes from `in_offset` on, by hand where the
/// kernel cannot. The result is the number of bytes, which may be less. `UV_EINVAL` when `length` is
/// more than 2 GiB less a page.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_sendfile(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    out_fd: uv_file,
    in_fd: uv_file,
    in_offset: i64,
    length: usize,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Sendfile>(r#loop, req, cb, |req| {
            if length > sys::MAX_LEN {
                return UV_EINVAL;
            }
            req.file.set(out_fd);
            req.flags.set(in_fd);
            req.off.set(in_offset);
            let mut small = req.bufsml.get();
            small[0].len = length;
            req.bufsml.set(small);
            0
        })
    }
}
