//! `uv_random_t`: bytes nobody can guess, at once or from a worker thread. Source: the manual's page
//! on miscellaneous utilities.

use core::ffi::{c_int, c_uint, c_void};
use core::ptr;

use crate::abi::*;
use crate::loop_::call;
use crate::{req, status, threadpool};

/// No more at a time than getrandom(2) gives in one piece.
const PIECE: usize = 256;
/// No more at all: what an `int` counts.
const MOST: usize = c_int::MAX as usize;

/// Fills the memory, all of it or an error code. May wait for the system to gather its first.
///
/// # Safety
/// `buf` is valid for writes of `buflen` bytes.
unsafe fn fill(buf: *mut c_void, buflen: usize) -> c_int {
    let mut filled = 0;
    while filled < buflen {
        let most = (buflen - filled).min(PIECE);
        // SAFETY: the caller's word, `most` bytes are left.
        let count = unsafe { libc::getrandom(buf.byte_add(filled), most, 0) };
        match usize::try_from(count) {
            Ok(count) => filled += count,
            Err(_) if status::errno() == libc::EINTR => {}
            Err(_) => return status::last(),
        }
    }
    0
}

/// Fills `buf` with `buflen` random bytes: at once when `cb` is NULL, and `owner` and `req` are not
/// looked at; otherwise from a worker thread, and `cb` comes from the loop.
///
/// # Returns
/// 0; `UV_EINVAL` for `flags` other than 0, and when a pointer that is needed is NULL; `UV_E2BIG`
/// beyond `INT_MAX` bytes; `UV_ENOMEM`, `UV_EAGAIN` when no worker can be started. The bytes are
/// undefined after an error. Source: manual, misc, `uv_random`.
///
/// # Safety
/// `buf` is NULL or valid for writes of `buflen` bytes until it is done; with a callback, `owner`
/// is NULL or an initialised loop of this thread, and `req` NULL or valid until then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_random(
    r#loop: *mut uv_loop_t,
    req: *mut uv_random_t,
    buf: *mut c_void,
    buflen: usize,
    flags: c_uint,
    cb: uv_random_cb,
) -> c_int {
    if buflen > MOST {
        return UV_E2BIG;
    }
    if flags != 0 || (buf.is_null() && buflen > 0) {
        return UV_EINVAL;
    }
    if cb.is_none() {
        // SAFETY: the caller's word.
        return unsafe { fill(buf, buflen) };
    }
    if r#loop.is_null() || req.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word. The request is complete before a worker can see it.
    unsafe {
        let owner = &*r#loop;
        (*req).r#loop.set(r#loop);
        (*req).status.set(0);
        (*req).buf.set(buf);
        (*req).buflen.set(buflen);
        (*req).cb.set(cb);
        req::start(owner, req.cast(), UV_RANDOM);
        let code = threadpool::submit(owner, &raw mut (*req).work_req, work, done);
        if code != 0 {
            req::done(owner);
        }
        code
    }
}

/// The request of its job.
fn of_job(job: *mut uv__work) -> *mut uv_random_t {
    job.wrapping_byte_sub(core::mem::offset_of!(uv_random_t, work_req)).cast()
}

unsafe extern "C" fn work(job: *mut uv__work) {
    let req = of_job(job);
    // SAFETY: submitted by uv_random, so the job is part of a request, and the memory is valid.
    unsafe { (*req).status.set(fill((*req).buf.get(), (*req).buflen.get())) };
}

unsafe extern "C" fn done(job: *mut uv__work, code: c_int) {
    let req = of_job(job);
    // SAFETY: as in `work`; the loop outlives the callback.
    unsafe {
        let owner = &*(*req).r#loop.get();
        req::done(owner);
        let code = if code == 0 { (*req).status.get() } else { code };
        let (buf, len) = ((*req).buf.replace(ptr::null_mut()), (*req).buflen.get());
        if let Some(callback) = (*req).cb.get() {
            call::out(owner, || callback(req, code, buf, len));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_at_once() {
        let mut bytes = [0_u8; 1000];
        let none = ptr::null_mut();
        // SAFETY: memory of the size that is told, or refused.
        unsafe {
            let random = |buf: *mut c_void, len, flags| {
                uv_random(ptr::null_mut(), ptr::null_mut(), buf, len, flags, None)
            };
            let to = bytes.as_mut_ptr().cast();
            assert_eq!(random(to, bytes.len(), 0), 0);
            assert_eq!(random(to, 1, 1), UV_EINVAL);
            assert_eq!(random(none, 1, 0), UV_EINVAL);
            assert_eq!(random(none, 0, 0), 0);
            assert_eq!(random(to, MOST + 1, 0), UV_E2BIG);
        }
        // Each part was reached: 100 zeros in a row do not happen.
        assert!(bytes.chunks(100).all(|part| part.iter().any(|&byte| byte != 0)));
    }
}
