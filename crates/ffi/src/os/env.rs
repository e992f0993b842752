//! The environment of the process. Not thread-safe, as the C library's is not.

use core::ffi::{c_char, c_int};
use core::mem;
use core::ptr;

use super::{bytes, put, put_text, room};
use crate::abi::*;
use crate::mem as heap;
use crate::status;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// The value of `name`, if it is there.
///
/// # Safety
/// `name` is a C string; nobody changes the environment while the value is in use.
pub(super) unsafe fn value<'v>(name: *const c_char) -> Option<&'v [u8]> {
    // SAFETY: the caller's word.
    unsafe {
        let value = libc::getenv(name);
        (!value.is_null()).then(|| bytes(value))
    }
}

/// The value of environment variable `name`. `UV_ENOENT` when there is none, `UV_ENOBUFS`, and the
/// size needed in `*size`, when it does not fit; `UV_EINVAL` when a pointer is NULL or `*size` 0.
/// Source: manual, misc, `uv_os_getenv`.
///
/// # Safety
/// `name` is NULL or a C string, `size` NULL or valid for reads and writes, `buffer` NULL or valid
/// for writes of `*size` bytes; no other thread changes the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_getenv(
    name: *const c_char,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: the caller's word.
    unsafe {
        if name.is_null() || room(buffer, size).is_none() {
            return UV_EINVAL;
        }
        match value(name) {
            Some(value) => put(value, buffer, size),
            None => UV_ENOENT,
        }
    }
}

/// Sets environment variable `name` to `value`, which may be empty. `UV_EINVAL` when either is NULL
/// or `name` is empty or has a '='; `UV_ENOMEM`.
/// Source: manual, misc, `uv_os_setenv`.
///
/// # Safety
/// Both are NULL or C strings; no other thread uses the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_setenv(name: *const c_char, value: *const c_char) -> c_int {
    if name.is_null() || value.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word.
    status::check(unsafe { libc::setenv(name, value, 1) })
}

/// Removes environment variable `name`; 0 also when there is none. `UV_EINVAL` when `name` is NULL,
/// empty or has a '='.
/// Source: manual, misc, `uv_os_unsetenv`.
///
/// # Safety
/// `name` is NULL or a C string; no other thread uses the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_unsetenv(name: *const c_char) -> c_int {
    if name.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word.
    status::check(unsafe { libc::unsetenv(name) })
}

/// Name and value of each variable. What has no '=' is none; a name may be empty.
///
/// # Safety
/// Nobody changes the environment while the iterator or what it gave is in use.
unsafe fn variables<'v>() -> impl Iterator<Item = (&'v [u8], &'v [u8])> {
    // SAFETY: the environment is NULL or a list of C strings that a NULL ends.
    let mut next = unsafe { environ };
    core::iter::from_fn(move || {
        // SAFETY: as above; `next` does not go beyond the end.
        unsafe {
            if next.is_null() || (*next).is_null() {
                return None;
            }
            let text = bytes(*next);
            next = next.add(1);
            Some(text)
        }
    })
    .filter_map(|text| {
        let at = text.iter().position(|&byte| byte == b'=')?;
        Some((text.get(..at)?, text.get(at + 1..)?))
    })
}

/// All variables in `*envitems`, to be freed with [`uv_os_free_environ`]; `*count` of them.
/// With an error (`UV_ENOMEM`, `UV_EINVAL` when a pointer is NULL) there are none.
/// Source: manual, misc, `uv_os_environ`.
///
/// # Safety
/// Both are NULL or valid for writes; no other thread changes the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_environ(
    envitems: *mut *mut uv_env_item_t,
    count: *mut c_int,
) -> c_int {
    if envitems.is_null() || count.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: not NULL, so valid by the caller's word; the block has room for all records, the
    // texts behind them, and one byte more, so that it is one even without variables.
    unsafe {
        envitems.write(ptr::null_mut());
        count.write(0);
        let (mut found, mut size) = (0, 1);
        for (name, value) in variables() {
            found += 1;
            size += mem::size_of::<uv_env_item_t>() + name.len() + value.len() + 2;
        }
        let records: *mut uv_env_item_t = heap::alloc(size).cast();
        if records.is_null() {
            return UV_ENOMEM;
        }
        let mut text: *mut c_char = records.add(found).cast();
        for (index, (name, value)) in variables().enumerate() {
            let behind = put_text(name, text);
            records.add(index).write(uv_env_item_t { name: text, value: behind });
            text = put_text(value, behind);
        }
        envitems.write(records);
        count.write(c_int::try_from(found).unwrap_or(c_int::MAX));
    }
    0
}

/// Frees what [`uv_os_environ`] gave. NULL is fine.
///
/// # Safety
/// `envitems` is NULL or came from there and was not freed since.
#[unsafe(no_mangle)]
#[allow(unused_variables, reason = "the name is for the header; records and texts are one block")]
pub unsafe extern "C" fn uv_os_free_environ(envitems: *mut uv_env_item_t, count: c_int) {
    // SAFETY: the caller's word.
    unsafe { heap::free(envitems.cast()) };
}
