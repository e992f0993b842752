//! Sending at once or not at all.

use core::ffi::{c_int, c_uint};
use core::mem::MaybeUninit;
use core::ptr;

use libc::{mmsghdr, sockaddr};

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
        sys::sendmsg(fd_of(udp), &header) as c_int
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
    let udp = unsafe { &*handle };
    if udp.r#type.get() != UV_UDP || count == 0 || flags != 0 || fd_of(udp) == -1 {
        return UV_EINVAL;
    }
    // More than an int can count cannot be answered.
    let count = (count as usize).min(c_int::MAX as usize);
    let address = |index: usize| {
        // SAFETY: `addrs` is NULL or has `count` entries.
        if addrs.is_null() { ptr::null() } else { unsafe { (*addrs.add(index)).cast_const() } }
    };
    for index in 0..count {
        // SAFETY: the arrays have `count` entries.
        let code = unsafe { check(udp, *bufs.add(index), *nbufs.add(index), address(index)) };
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
        // SAFETY: the arrays have `count` entries; the first `batch` headers are written before
        // they are used.
        let answer = unsafe {
            for (slot, index) in headers.iter_mut().zip(sent..sent + batch) {
                let parts = *nbufs.add(index) as usize;
                let msg_hdr = sys::header(*bufs.add(index), parts, address(index));
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
