//! When a file was read and changed last.

use core::ffi::{c_char, c_int};

use super::request::{self, Operation};
use super::sys;
use crate::abi::*;

struct Utime;

impl Operation for Utime {
    const KIND: uv_fs_type = UV_FS_UTIME;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let times = both(req);
        // SAFETY: the path is a C string, and there are two times.
        sys::int(unsafe { libc::utimensat(libc::AT_FDCWD, req.path.get(), times.as_ptr(), 0) })
    }
}

struct Futime;

impl Operation for Futime {
    const KIND: uv_fs_type = UV_FS_FUTIME;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let times = both(req);
        // SAFETY: any number may be asked for, and there are two times.
        sys::int(unsafe { libc::futimens(req.file.get(), times.as_ptr()) })
    }
}

struct Lutime;

impl Operation for Lutime {
    const KIND: uv_fs_type = UV_FS_LUTIME;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let times = both(req);
        let (path, flags) = (req.path.get(), libc::AT_SYMLINK_NOFOLLOW);
        // SAFETY: the path is a C string, and there are two times.
        sys::int(unsafe { libc::utimensat(libc::AT_FDCWD, path, times.as_ptr(), flags) })
    }
}

fn both(req: &uv_fs_t) -> [libc::timespec; 2] {
    [timespec(req.atime.get()), timespec(req.mtime.get())]
}

/// Seconds since 1970; `UV_FS_UTIME_NOW` is infinite and `UV_FS_UTIME_OMIT` is not a number.
fn timespec(seconds: f64) -> libc::timespec {
    if seconds.is_nan() {
        return libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT };
    }
    if seconds.is_infinite() {
        return libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW };
    }
    // A time that is too far away becomes the farthest, and the kernel the file system's farthest.
    let whole = seconds as i64;
    let nanos = ((seconds - whole as f64) * 1e9) as i64;
    let (tv_sec, nanos) = if nanos < 0 {
        (whole.saturating_sub(1), nanos.saturating_add(1_000_000_000))
    } else {
        (whole, nanos)
    };
    libc::timespec { tv_sec: tv_sec as libc::time_t, tv_nsec: nanos.clamp(0, 999_999_999) as _ }
}

/// `int uv_fs_utime(uv_loop_t*, uv_fs_t*, const char* path, double atime, double mtime, uv_fs_cb)`:
/// utimensat(2). Times are seconds since 1970; `UV_FS_UTIME_NOW` and `UV_FS_UTIME_OMIT` are
/// understood.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_utime(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    atime: f64,
    mtime: f64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Utime>(r#loop, req, path, cb, |req| {
            req.atime.set(atime);
            req.mtime.set(mtime);
        })
    }
}

/// `int uv_fs_futime(uv_loop_t*, uv_fs_t*, uv_file, double atime, double mtime, uv_fs_cb)`: as
/// [`uv_fs_utime`], of an open file.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_futime(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    file: uv_file,
    atime: f64,
    mtime: f64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Futime>(r#loop, req, cb, |req| {
            req.file.set(file);
            req.atime.set(atime);
            req.mtime.set(mtime);
            0
        })
    }
}

/// `int uv_fs_lutime(uv_loop_t*, uv_fs_t*, const char* path, double atime, double mtime,
/// uv_fs_cb)`: as [`uv_fs_utime`], but of a symbolic link itself.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_lutime(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    atime: f64,
    mtime: f64,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Lutime>(r#loop, req, path, cb, |req| {
            req.atime.set(atime);
            req.mtime.set(mtime);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seconds: f64) -> (i64, i64) {
        let time = timespec(seconds);
        (time.tv_sec, time.tv_nsec)
    }

    #[test]
    fn a_fraction_counts_up_from_the_second_below() {
        assert_eq!(pair(1.25), (1, 250_000_000));
        assert_eq!(pair(-1.25), (-2, 750_000_000));
        assert_eq!(pair(-14_245_440.25), (-14_245_441, 750_000_000));
        assert_eq!(pair(-2.0), (-2, 0));
        assert_eq!(pair(0.0), (0, 0));
    }

    #[test]
    fn now_and_omit() {
        assert_eq!(timespec(f64::NAN).tv_nsec, libc::UTIME_OMIT);
        assert_eq!(timespec(f64::INFINITY).tv_nsec, libc::UTIME_NOW);
        assert_eq!(timespec(f64::NEG_INFINITY).tv_nsec, libc::UTIME_NOW);
    }

    #[test]
    fn no_number_makes_nanoseconds_out_of_range() {
        for seconds in [1e300, -1e300, 9.3e18, -9.3e18, f64::MAX, f64::MIN, 1e-300, -1e-300] {
            let nanos = timespec(seconds).tv_nsec;
            assert!((0..1_000_000_000).contains(&nanos), "{seconds}: {nanos}");
        }
    }
}
