//! Folders of the process and of its user, and its own file.

use core::ffi::{c_char, c_int};

use super::{bytes, env, put, room, users};
use crate::abi::*;
use crate::status;

/// Longest path of the kernel, with its NUL.
const PATH_SIZE: usize = libc::PATH_MAX as usize;

/// `path` without the slash at its end, unless that is all there is.
fn without_slash(path: &[u8]) -> &[u8] {
    match path {
        [start @ .., b'/'] if !start.is_empty() => start,
        _ => path,
    }
}

/// The user's home: environment variable HOME, or else what the password file says.
/// `UV_ENOBUFS`, and the size needed in `*size`, when it does not fit; `UV_EINVAL` when a pointer
/// is NULL or `*size` 0; `UV_ENOENT` when nobody knows. Not thread-safe.
/// Source: manual, misc, `uv_os_homedir`.
///
/// # Safety
/// `size` is NULL or valid for reads and writes, `buffer` NULL or valid for writes of `*size`
/// bytes; no other thread changes the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_homedir(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: the caller's word.
    unsafe {
        if room(buffer, size).is_none() {
            return UV_EINVAL;
        }
        if let Some(home) = env::value(c"HOME".as_ptr()) {
            return put(home, buffer, size);
        }
        users::with_home(|home| put(home, buffer, size))
    }
}

/// The folder for temporary files: the first that is set of environment variables TMPDIR, TMP, TEMP
/// and TEMPDIR, or else "/tmp"; without a slash at its end. Errors as for [`uv_os_homedir`]. Not
/// thread-safe.
/// Source: manual, misc, `uv_os_tmpdir`.
///
/// # Safety
/// As for [`uv_os_homedir`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_tmpdir(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: the caller's word.
    unsafe {
        let names = [c"TMPDIR", c"TMP", c"TEMP", c"TEMPDIR"];
        let found = names.iter().find_map(|name| env::value(name.as_ptr()));
        put(without_slash(found.unwrap_or(b"/tmp")), buffer, size)
    }
}

/// The working folder, without a slash at its end. `UV_ENOBUFS`, and the size needed in `*size`,
/// when it does not fit; `UV_EINVAL` when a pointer is NULL or `*size` 0; `UV_ENOENT` when it was
/// removed.
/// Source: manual, misc, `uv_cwd`.
///
/// # Safety
/// `size` is NULL or valid for reads and writes, `buffer` NULL or valid for writes of `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cwd(buffer: *mut c_char, size: *mut usize) -> c_int {
    let mut path = [0 as c_char; PATH_SIZE];
    // SAFETY: getcwd writes at most the size that is told, NUL included; the caller's word.
    unsafe {
        let Some(room) = room(buffer, size) else { return UV_EINVAL };
        if !libc::getcwd(path.as_mut_ptr(), PATH_SIZE).is_null() {
            return put(without_slash(bytes(path.as_ptr())), buffer, size);
        }
        // Longer than the kernel can say. The C library goes up folder by folder, if there is room.
        if room <= PATH_SIZE || libc::getcwd(buffer, room).is_null() {
            return status::last();
        }
        *size = bytes(buffer).len();
        0
    }
}

/// Changes the working folder. `UV_EINVAL` when `dir` is NULL, else as chdir(2).
/// Source: manual, misc, `uv_chdir`.
///
/// # Safety
/// `dir` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_chdir(dir: *const c_char) -> c_int {
    if dir.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word.
    status::check(unsafe { libc::chdir(dir) })
}

/// The path of the program that runs, cut to `*size` bytes with its NUL; `*size` becomes its
/// length. `UV_EINVAL` when a pointer is NULL or `*size` 0. Without /proc, as readlink(2).
/// Source: manual, misc, `uv_exepath`.
///
/// # Safety
/// As for [`uv_cwd`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_exepath(buffer: *mut c_char, size: *mut usize) -> c_int {
    // SAFETY: at most one byte less than the buffer has is read, then comes the NUL.
    unsafe {
        let Some(room) = room(buffer, size) else { return UV_EINVAL };
        let mut len = 0;
        if room > 1 {
            len = libc::readlink(c"/proc/self/exe".as_ptr(), buffer, room - 1);
        }
        let Ok(len) = usize::try_from(len) else { return status::last() };
        buffer.add(len).write(0);
        *size = len;
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_goes_but_not_the_root() {
        assert_eq!(without_slash(b"/a/"), b"/a");
        assert_eq!(without_slash(b"/a//"), b"/a/");
        assert_eq!(without_slash(b"/"), b"/");
        assert_eq!(without_slash(b""), b"");
    }

    #[test]
    fn the_program_and_its_folder() {
        let mut buffer = [0 as c_char; PATH_SIZE];
        let own = std::env::current_exe().expect("/proc");
        let own = own.as_os_str().as_encoded_bytes();
        // SAFETY: buffers of the size that is told.
        unsafe {
            for size in [1, 2, own.len(), own.len() + 1, PATH_SIZE] {
                let mut len = size;
                assert_eq!(uv_exepath(buffer.as_mut_ptr(), &mut len), 0);
                assert_eq!(len, own.len().min(size - 1));
                assert_eq!(bytes(buffer.as_ptr()), &own[..len]);
            }
            let mut len = PATH_SIZE;
            assert_eq!(uv_cwd(buffer.as_mut_ptr(), &mut len), 0);
            let here = std::env::current_dir().expect("a folder");
            assert_eq!(bytes(buffer.as_ptr()), here.as_os_str().as_encoded_bytes());
            assert_eq!(uv_chdir(core::ptr::null()), UV_EINVAL);
            assert_eq!(uv_chdir(c"/proc/no-such-folder".as_ptr()), UV_ENOENT);
        }
    }
}
