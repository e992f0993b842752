//! What the functions of the system do when memory runs out: `UV_ENOMEM`, nothing in the caller's
//! places, nothing left behind. A program of its own, since the allocator is one for all.

#![allow(clippy::panic, reason = "a test")]

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use uvring_ffi::abi::*;
use uvring_ffi::os::{cpu_info, env, net_interfaces, title, users};
use uvring_ffi::{dl, mem, wtf8};

/// Blocks that are out, and how many more there will be.
static LIVE: AtomicIsize = AtomicIsize::new(0);
static LEFT: AtomicIsize = AtomicIsize::new(isize::MAX);

fn give(block: *mut c_void) -> *mut c_void {
    LIVE.fetch_add(isize::from(!block.is_null()), Relaxed);
    block
}

fn is_over() -> bool {
    LEFT.fetch_sub(1, Relaxed) <= 0
}

unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    if is_over() { ptr::null_mut() } else { give(unsafe { libc::malloc(size) }) }
}

unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    if is_over() { ptr::null_mut() } else { give(unsafe { libc::calloc(count, size) }) }
}

unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if is_over() {
        return ptr::null_mut();
    }
    LIVE.fetch_sub(isize::from(!block.is_null()), Relaxed);
    // SAFETY: the caller's word.
    give(unsafe { libc::realloc(block, size) })
}

unsafe extern "C" fn free(block: *mut c_void) {
    LIVE.fetch_sub(isize::from(!block.is_null()), Relaxed);
    // SAFETY: the caller's word.
    unsafe { libc::free(block) };
}

/// Runs `call` with memory for 0, 1, 2 … blocks until it succeeds, which must not be at once.
/// `call` frees what it got.
fn until_enough(name: &str, mut call: impl FnMut() -> c_int) {
    for blocks in 0..8 {
        LEFT.store(blocks, Relaxed);
        let code = call();
        LEFT.store(isize::MAX, Relaxed);
        assert_eq!(LIVE.load(Relaxed), 0, "{name} with {blocks} blocks leaves some behind");
        if code == 0 {
            assert!(blocks > 0, "{name} needs no memory");
            return;
        }
        assert_eq!(code, UV_ENOMEM, "{name} with {blocks} blocks");
    }
    panic!("{name} never has enough");
}

/// A function that fills a list and the one that frees it.
fn list<T>(
    name: &str,
    get: unsafe extern "C" fn(*mut *mut T, *mut c_int) -> c_int,
    free: unsafe extern "C" fn(*mut T, c_int),
) {
    until_enough(name, || {
        let (mut records, mut count) = (ptr::dangling_mut(), -1);
        // SAFETY: valid places; what was given is freed once.
        unsafe {
            let code = get(&mut records, &mut count);
            if code != 0 {
                assert!(records.is_null() && count == 0, "{name}");
            }
            free(records, count);
            code
        }
    });
}

fn has_address() -> bool {
    let (mut records, mut count) = (ptr::null_mut(), 0);
    // SAFETY: valid places; what was given is freed once.
    unsafe {
        assert_eq!(net_interfaces::uv_interface_addresses(&mut records, &mut count), 0);
        net_interfaces::uv_free_interface_addresses(records, count);
    }
    count > 0
}

fn users_and_groups() {
    until_enough("passwd", || {
        let mut pwd = MaybeUninit::<uv_passwd_t>::zeroed();
        // SAFETY: a valid place; zeros are freed as well as what was given.
        unsafe {
            let code = users::uv_os_get_passwd2(pwd.as_mut_ptr(), 0);
            users::uv_os_free_passwd(pwd.as_mut_ptr());
            code
        }
    });
    until_enough("group", || {
        let mut grp = MaybeUninit::<uv_group_t>::zeroed();
        // SAFETY: as above.
        unsafe {
            let code = users::uv_os_get_group(grp.as_mut_ptr(), 0);
            users::uv_os_free_group(grp.as_mut_ptr());
            code
        }
    });
}

fn texts() {
    until_enough("utf16", || {
        let mut made: *mut c_char = ptr::null_mut();
        let text = [0x20ac, 0];
        // SAFETY: a text with its NUL; what was made is freed once.
        unsafe {
            let code = wtf8::uv_utf16_to_wtf8(text.as_ptr(), -1, &mut made, ptr::null_mut());
            free(made.cast());
            code
        }
    });
    LEFT.store(0, Relaxed);
    let mut lib = MaybeUninit::<uv_lib_t>::uninit();
    // SAFETY: closed after the failure.
    unsafe {
        assert_eq!(dl::uv_dlopen(c"/no/such".as_ptr(), lib.as_mut_ptr()), -1);
        let text = std::ffi::CStr::from_ptr(dl::uv_dlerror(lib.as_ptr()));
        assert!(text.to_string_lossy().contains("memory"), "{text:?}");
        dl::uv_dlclose(lib.as_mut_ptr());
    }
    LEFT.store(isize::MAX, Relaxed);
    assert_eq!(LIVE.load(Relaxed), 0);
}

fn arguments() {
    let mut text = *b"prog\0arg\0";
    let first: *mut c_char = text.as_mut_ptr().cast();
    let mut argv = [first, first.wrapping_add(5), ptr::null_mut()];
    // SAFETY: arguments as main() gets them; they outlive the title.
    unsafe {
        LEFT.store(0, Relaxed);
        assert_eq!(title::uv_setup_args(2, argv.as_mut_ptr()), argv.as_mut_ptr());
        assert_eq!(title::uv_set_process_title(c"x".as_ptr()), UV_ENOBUFS);
        LEFT.store(isize::MAX, Relaxed);
        assert_ne!(title::uv_setup_args(2, argv.as_mut_ptr()), argv.as_mut_ptr());
    }
    assert_eq!(LIVE.load(Relaxed), 1);
    uvring_ffi::close::uv_library_shutdown();
    assert_eq!(LIVE.load(Relaxed), 0);
}

#[test]
fn every_failing_allocation_is_an_answer() {
    // SAFETY: no other thread of this program is inside the library.
    let code =
        unsafe { mem::uv_replace_allocator(Some(malloc), Some(realloc), Some(calloc), Some(free)) };
    assert_eq!(code, 0);
    list("cpu_info", cpu_info::uv_cpu_info, cpu_info::uv_free_cpu_info);
    list("environ", env::uv_os_environ, env::uv_os_free_environ);
    if has_address() {
        list(
            "interface_addresses",
            net_interfaces::uv_interface_addresses,
            net_interfaces::uv_free_interface_addresses,
        );
    } else {
        println!("interface_addresses left out: no interface here has an address");
    }
    users_and_groups();
    texts();
    arguments();
}
