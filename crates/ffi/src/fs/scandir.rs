//! All entries of a folder at once, in the order of their bytes.

use core::ffi::{CStr, c_char, c_int};

use super::entries::{self, Heap, Reader};
use super::request::{self, Operation};
use crate::abi::*;
use crate::mem;

struct Scandir;

impl Operation for Scandir {
    const KIND: uv_fs_type = UV_FS_SCANDIR;

    unsafe fn perform(req: &uv_fs_t) -> isize {
        let reader = mem::alloc_one::<Reader>();
        if reader.is_null() {
            return UV_ENOMEM as isize;
        }
        // SAFETY: the path is a C string; the reader is fresh, and freed once.
        let found = unsafe {
            let found = entries::open(req.path.get()).and_then(|fd| {
                Reader::init(reader, fd.get());
                collect(&mut *reader)
            });
            mem::free(reader.cast());
            found
        };
        match found.and_then(|(list, count)| sorted(list.bytes(), count).map(|at| (at, count))) {
            Ok((list, count)) => {
                req.ptr.set(list.cast());
                count as isize
            }
            Err(code) => code as isize,
        }
    }
}

/// Every entry as its kind in one byte and its name with NUL, and how many there are.
fn collect(reader: &mut Reader) -> Result<(Heap, usize), c_int> {
    let (mut list, mut count) = (Heap::new(), 0);
    while let Some(entry) = reader.peek()? {
        list.push(&[entry.kind as u8])?;
        list.push(entry.name.to_bytes_with_nul())?;
        reader.skip();
        count += 1;
    }
    Ok((list, count))
}

/// One block: an array of `count` entries in order, then their names. Null when there are none.
fn sorted(list: &[u8], count: usize) -> Result<*mut uv_dirent_t, c_int> {
    if count == 0 {
        return Ok(core::ptr::null_mut());
    }
    let head = count.checked_mul(size_of::<uv_dirent_t>()).ok_or(UV_ENOMEM)?;
    let block = mem::alloc(head.checked_add(list.len()).ok_or(UV_ENOMEM)?).cast::<uv_dirent_t>();
    if block.is_null() {
        return Err(UV_ENOMEM);
    }
    // SAFETY: the block has room for the array and the list; `collect` put `count` kinds and names
    // into the list.
    let array = unsafe {
        let names = block.cast::<u8>().add(head);
        names.copy_from_nonoverlapping(list.as_ptr(), list.len());
        let mut at = names;
        for index in 0..count {
            let name = at.add(1).cast::<c_char>();
            block.add(index).write(uv_dirent_t { name, r#type: at.read().into() });
            at = at.add(libc::strlen(name) + 2);
        }
        core::slice::from_raw_parts_mut(block, count)
    };
    array.sort_unstable_by(|a, b| {
        // SAFETY: all names are C strings within the block.
        unsafe { CStr::from_ptr(a.name).cmp(CStr::from_ptr(b.name)) }
    });
    Ok(block)
}

/// `int uv_fs_scandir(uv_loop_t*, uv_fs_t*, const char* path, int flags, uv_fs_cb)`: reads a whole
/// folder. The result is the number of entries, which [`uv_fs_scandir_next`] hands out. No flags
/// are defined.
///
/// # Safety
/// As for all `uv_fs_*`: see the module's page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_scandir(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    flags: c_int,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        request::with_path::<Scandir>(r#loop, req, path, cb, |req| {
            req.flags.set(flags);
        })
    }
}

/// `int uv_fs_scandir_next(uv_fs_t*, uv_dirent_t*)`: the next entry of a finished scan; its name
/// stays valid until cleanup. 0; `UV_EOF` after the last; the scan's error when it failed;
/// `UV_EINVAL` when one is NULL.
///
/// # Safety
/// `req` is NULL or a finished scan, `ent` NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_scandir_next(req: *mut uv_fs_t, ent: *mut uv_dirent_t) -> c_int {
    if req.is_null() || ent.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise; `ptr` has as many entries as the result says.
    unsafe {
        let req = &*req;
        let count = req.result.get();
        if count < 0 {
            return count as c_int;
        }
        let list = req.ptr.get().cast::<uv_dirent_t>();
        // Where the scan stands: the request has no other use for an offset.
        let next = req.off.get();
        if list.is_null() || next >= count as i64 {
            return UV_EOF;
        }
        ent.write(list.add(next as usize).read());
        req.off.set(next + 1);
    }
    0
}
