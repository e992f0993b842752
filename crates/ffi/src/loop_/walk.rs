//! uv_walk, and the two functions that print handles for a person to read.

use core::ffi::{c_char, c_int, c_void};

use uvring_core::list::{self, Link};

use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::names;

/// Calls `each` for every handle, in the order of initialisation. `each` may close or open handles;
/// one that it opens is not visited.
///
/// # Safety
/// `owner` is an initialised loop.
unsafe fn for_each(owner: *mut uv_loop_t, mut each: impl FnMut(*mut uv_handle_t)) {
    // SAFETY: the list holds the `handle_queue` links of live handles. Each is put back before it
    // is shown, so that closing it inside `each` finds it on the loop's list.
    unsafe {
        let rest = Link::new();
        list::take(&raw const (*owner).handle_queue, &raw const rest);
        while let Some(link) = list::pop_front(&raw const rest) {
            list::push_back(&raw const (*owner).handle_queue, link);
            each(link.byte_sub(core::mem::offset_of!(uv_handle_t, handle_queue)).cast_mut().cast());
        }
    }
}

/// `void uv_walk(uv_loop_t*, uv_walk_cb, void*)`: calls `callback` with every handle but the
/// library's own.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_walk(owner: *mut uv_loop_t, callback: uv_walk_cb, arg: *mut c_void) {
    let Some(callback) = callback else { return };
    // SAFETY: the caller's promise; handles on the list are live.
    unsafe {
        for_each(owner, |handle| {
            if !(*handle).has(flag::INTERNAL) {
                callback(handle, arg);
            }
        });
    }
}

/// `void uv_print_all_handles(uv_loop_t*, FILE*)`: a line for each handle: `[RAI]` for referenced,
/// active, internal, the type, the address. NULL `stream` is stderr, NULL `owner` the default loop.
///
/// # Safety
/// `owner` is NULL or an initialised loop, `stream` NULL or an open stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_print_all_handles(owner: *mut uv_loop_t, stream: *mut libc::FILE) {
    // SAFETY: the caller's promise.
    unsafe { print(owner, stream, false) }
}

/// `void uv_print_active_handles(uv_loop_t*, FILE*)`: the same for active handles only.
///
/// # Safety
/// As for [`uv_print_all_handles`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_print_active_handles(owner: *mut uv_loop_t, stream: *mut libc::FILE) {
    // SAFETY: the caller's promise.
    unsafe { print(owner, stream, true) }
}

unsafe extern "C" {
    #[link_name = "stderr"]
    static STDERR: *mut libc::FILE;
}

/// # Safety
/// As for [`uv_print_all_handles`].
unsafe fn print(owner: *mut uv_loop_t, stream: *mut libc::FILE, only_active: bool) {
    // SAFETY: the format's conversions match the arguments; the rest is the caller's promise.
    unsafe {
        let owner = if owner.is_null() { super::life::uv_default_loop() } else { owner };
        let stream = if stream.is_null() { STDERR } else { stream };
        if owner.is_null() {
            return;
        }
        for_each(owner, |handle| {
            if only_active && !(*handle).has(flag::ACTIVE) {
                return;
            }
            let mark = |bit, mark: u8| c_int::from(if (*handle).has(bit) { mark } else { b'-' });
            let name = names::handle_name((*handle).r#type.get());
            let name: *const c_char = if name.is_null() { c"<unknown>".as_ptr() } else { name };
            libc::fprintf(
                stream,
                c"[%c%c%c] %-8s %p\n".as_ptr(),
                mark(flag::REF, b'R'),
                mark(flag::ACTIVE, b'A'),
                mark(flag::INTERNAL, b'I'),
                name,
                handle.cast::<c_void>(),
            );
        });
    }
}
