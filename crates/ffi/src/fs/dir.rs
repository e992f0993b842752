//! Reading a folder piece by piece.

use core::ffi::{c_char, c_int};

use super::entries::{self, Heap, Reader};
use super::request::{self, Operation};
use crate::abi::*;
use crate::mem;

/// An open folder: what C sees of it, then what it does not.
#[repr(C)]
struct Dir {
    public: uv_dir_t,
    reader: Reader,
}

struct Opendir;

impl Operation for Opendir {
    const KIND: uv_fs_type = UV_FS_OPENDIR;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        // SAFETY: the path is a C string.
        let fd = match unsafe { entries::open(req.path.get()) } {
            Ok(fd) => fd,
            Err(code) => return code as isize,
        };
        let dir = mem::alloc_one::<Dir>();
        if dir.is_null() {
            return UV_ENOMEM as isize;
        }
        // SAFETY: fresh from the allocator; all zeros are a `uv_dir_t`.
        unsafe {
            (&raw mut (*dir).public).write_bytes(0, 1);
            Reader::init(&raw mut (*dir).reader, fd.release());
        }
        req.ptr.set(dir.cast());
        0
    }
}

struct Readdir;

impl Operation for Readdir {
    const KIND: uv_fs_type = UV_FS_READDIR;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let dir = req.ptr.get().cast::<Dir>();
        // SAFETY: `ptr` is a folder from `Opendir`, which no other request uses meanwhile; its
        // `dirents` has `nentries` elements.
        let (wanted, reader) = unsafe {
            let public = &raw const (*dir).public;
            let wanted = core::ptr::slice_from_raw_parts_mut((*public).dirents, (*public).nentries);
            (wanted, &mut (*dir).reader)
        };
        // All names lie in one block, which the request keeps until cleanup.
        let mut names = Heap::new();
        let mut count = 0;
        while count < wanted.len() {
            let stored = match reader.peek() {
                Ok(None) => break,
                Ok(Some(entry)) => names.push(entry.name.to_bytes_with_nul()).map(|()| entry.kind),
                Err(code) => Err(code),
            };
            match stored {
                // SAFETY: in bounds of the caller's array.
                Ok(kind) => unsafe {
                    (&raw mut (*wanted.cast::<uv_dirent_t>().add(count)).r#type).write(kind)
                },
                Err(code) if count == 0 => return code as isize,
                // The next request meets it again.
                Err(_) => break,
            }
            reader.skip();
            count += 1;
        }
        let start = names.release().cast::<c_char>();
        let mut name = start.cast_const();
        for index in 0..count {
            // SAFETY: in bounds of the caller's array; the names follow each other in order.
            unsafe {
                (&raw mut (*wanted.cast::<uv_dirent_t>().add(index)).name).write(name);
                name = name.add(libc::strlen(name) + 1);
            }
        }
        req.new_path.set(start);
        count as isize
    }
}

struct Closedir;

impl Operation for Closedir {
    const KIND: uv_fs_type = UV_FS_CLOSEDIR;
    // What was freed is not freed again.
    const RETRY: bool = false;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let dir = req.ptr.replace(core::ptr::null_mut()).cast::<Dir>();
        // SAFETY: `ptr` is a folder from `Opendir`, given up by its owner.
        unsafe {
            libc::close((*dir).reader.fd());
            mem::free(dir.cast());
        }
        0
    }
}

/// `int uv_fs_opendir(uv_loop_t*, uv_fs_t*, const char* path, uv_fs_cb)`: opens a folder. On
/// success `ptr` is a `uv_dir_t`, which `uv_fs_closedir` frees, not cleanup.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_opendir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { request::with_path::<Opendir>(r#loop, req, path, cb, |_| {}) }
}

/// `int uv_fs_readdir(uv_loop_t*, uv_fs_t*, uv_dir_t*, uv_fs_cb)`: the next entries, other than
/// `.` and `..`, into `dir->dirents`, at most `dir->nentries` of them. The result is their number,
/// 0 at the end; the names stay valid until cleanup. `UV_EINVAL` when `dir` or its `dirents` is
/// NULL.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page. `dir` is NULL or an open folder that no other
/// request uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_readdir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    dir: *mut uv_dir_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Readdir>(r#loop, req, cb, |req| {
            if dir.is_null() || (*dir).dirents.is_null() {
                return UV_EINVAL;
            }
            req.ptr.set(dir.cast());
            0
        })
    }
}

/// `int uv_fs_closedir(uv_loop_t*, uv_fs_t*, uv_dir_t*, uv_fs_cb)`: closes a folder and frees it.
/// `UV_EINVAL` when `dir` is NULL.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page. `dir` is NULL or an open folder that no other
/// request uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_closedir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    dir: *mut uv_dir_t,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::plain::<Closedir>(r#loop, req, cb, |req| {
            if dir.is_null() {
                return UV_EINVAL;
            }
            req.ptr.set(dir.cast());
            0
        })
    }
}
