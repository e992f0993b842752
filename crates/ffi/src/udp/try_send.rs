//! Sending at once or not at all.

use core::ffi::{c_int, c_uint};
use core::mem::MaybeUninit;
use core::ptr;

use libc::{mmsghdr, sockaddr};

use super::control::{Options, Room};
use super::send::check;
use super::{bind_any, fd_of, sys};
use crate::abi::*;

/// `int uv_udp_try_send(uv_udp_t*, const uv_buf_t[], unsigned, const struct sockaddr*)`: sends one
/// datagram now.
///
/// # Returns
/// Bytes sent; `UV_EAGAIN`: not now, or requests wait before it; otherwise as uv_udp_send.
///
/// # Safety
/// As for uv_udp_send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_try_send(
    handle: *mut uv_udp_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    addr: *const sockaddr,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let udp = &*handle;
        let mut code = check(udp, bufs, nbufs, addr);
        if code == 0 && udp.send_queue_count.get() != 0 {
            code = UV_EAGAIN;
        }
        if code == 0 && !addr.is_null() {
            code = bind_any(udp, c_int::from((*addr).sa_family), 0);
        }
        if code != 0 {
            return code;
        }
        let header = sys::header(bufs, nbufs as usize, addr);
        sys::send(fd_of(udp), &header) as c_int
    }
}

/// `int uv_udp_try_send2(uv_udp_t*, unsigned, uv_buf_t*[], unsigned[], struct sockaddr*[],
/// unsigned)`: sends `count` datagrams now. `flags` must be 0.
///
/// # Returns
/// How many went out; a code when the first did not: `UV_EAGAIN`: not now, or requests wait before
/// it; `UV_EINVAL` for a `count` of 0, flags, a handle without a socket; otherwise as uv_udp_send
/// for any of the datagrams, and then none is sent.
///
/// # Safety
/// The three arrays have `count` entries (`addrs` may be NULL: all to the peer); otherwise as for
/// uv_udp_send.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_udp_try_send2(
    handle: *mut uv_udp_t,
    count: c_uint,
    bufs: *mut *mut uv_buf_t,
    nbufs: *mut c_uint,
    addrs: *mut *mut sockaddr,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { send_all(&*handle, count, (bufs, nbufs, addrs, ptr::null_mut()), flags) }
}

/// `int uvring_udp_try_send3(uv_udp_t*, unsigned, uv_buf_t*[], unsigned[], struct sockaddr*[], const
/// uvring_udp_send_opts_t*[], unsigned)`: uv_udp_try_send2 with options for each datagram; `opts`
/// and each of its entries may be NULL: none.
///
/// # Returns
/// As uv_udp_try_send2; for any of the datagrams, and then none is sent: `UV_EINVAL` for an unknown
/// flag, a value out of range and an IPv6 source of an IPv4 socket, `UV_ENOTSUP`: the kernel cuts no
/// segments (before Linux 4.18).
///
/// # Safety
/// As for uv_udp_try_send2; `opts` is NULL or has `count` entries, each NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_udp_try_send3(
    handle: *mut uv_udp_t,
    count: c_uint,
    bufs: *mut *mut uv_buf_t,
    nbufs: *mut c_uint,
    addrs: *mut *mut sockaddr,
    opts: *mut *const uvring_udp_send_opts_t,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { send_all(&*handle, count, (bufs, nbufs, addrs, opts), flags) }
}

/// Buffers, their counts, addresses, options; the latter two may be null.
type Arrays =
    (*mut *mut uv_buf_t, *mut c_uint, *mut *mut sockaddr, *mut *const uvring_udp_send_opts_t);

/// # Safety
/// As for [`uvring_udp_try_send3`].
unsafe fn send_all(udp: &uv_udp_t, count: c_uint, arrays: Arrays, flags: c_uint) -> c_int {
    let (bufs, nbufs, addrs, opts) = arrays;
    if udp.r#type.get() != UV_UDP || count == 0 || flags != 0 || fd_of(udp) == -1 {
        return UV_EINVAL;
    }
    // More than an int can count cannot be answered.
    let count = (count as usize).min(c_int::MAX as usize);
    let address = |index: usize| {
        // SAFETY: `addrs` is NULL or has `count` entries.
        if addrs.is_null() { ptr::null() } else { unsafe { (*addrs.add(index)).cast_const() } }
    };
    let options = |index: usize| {
        // SAFETY: `opts` is NULL or has `count` entries, each NULL or valid.
        if opts.is_null() { Ok(Options::NONE) } else { unsafe { Options::of(*opts.add(index)) } }
    };
    for index in 0..count {
        // SAFETY: the arrays have `count` entries.
        let mut code = unsafe { check(udp, *bufs.add(index), *nbufs.add(index), address(index)) };
        if code == 0 {
            code = options(index).map_or_else(|code| code, |options| options.fit(udp));
        }
        if code != 0 {
            return code;
        }
    }
    if udp.send_queue_count.get() != 0 {
        return UV_EAGAIN;
    }
    let mut sent = 0;
    while sent < count {
        let batch = (count - sent).min(sys::BATCH);
        let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; sys::BATCH];
        let mut rooms = [const { Room::new() }; sys::BATCH];
        // SAFETY: the arrays have `count` entries; the first `batch` headers are written before
        // they are used.
        let answer = unsafe {
            for ((slot, room), index) in headers.iter_mut().zip(&mut rooms).zip(sent..sent + batch)
            {
                let parts = *nbufs.add(index) as usize;
                let mut msg_hdr = sys::header(*bufs.add(index), parts, address(index));
                options(index).unwrap_or(Options::NONE).attach(udp, &mut msg_hdr, room);
                slot.write(mmsghdr { msg_hdr, msg_len: 0 });
            }
            let headers = core::slice::from_raw_parts_mut(headers.as_mut_ptr().cast(), batch);
            sys::sendmmsg(fd_of(udp), headers)
        };
        match usize::try_from(answer) {
            Err(_) if sent == 0 => return answer,
            Err(_) => break,
            Ok(n) => sent += n,
        }
        if (answer as usize) < batch {
            break;
        }
    }
    sent as c_int
}
