//! Descriptors of handles: which one, and how large its buffers are.

use core::ffi::c_int;

use uvring_core::socket;

use crate::abi::*;
use crate::handle::{Handle, watch_of};
use crate::{status, stream, udp};

/// `int uv_fileno(const uv_handle_t*, uv_os_fd_t*)`: the descriptor of a TCP, pipe, TTY, UDP or
/// poll handle. What the handle has yet to send goes out first, so that a program that uses the
/// descriptor itself keeps the order.
///
/// # Returns
/// 0; `UV_EINVAL` for other handles, `UV_EBADF` when there is no descriptor or the handle is closing.
///
/// # Safety
/// `handle` is an initialised handle, `fd` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fileno(handle: *const uv_handle_t, fd: *mut uv_os_fd_t) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(watch) = watch_of(handle) else { return UV_EINVAL };
        if (*handle).is_closing() || (*watch).fd.get() == -1 {
            return UV_EBADF;
        }
        match (*handle).r#type.get() {
            UV_TCP | UV_NAMED_PIPE | UV_TTY => {
                stream::send_deferred(&*handle.cast::<uv_stream_t>());
            }
            UV_UDP => udp::send_gathered(&*handle.cast::<uv_udp_t>()),
            _ => {}
        }
        *fd = (*watch).fd.get();
        0
    }
}

/// `int uv_send_buffer_size(uv_handle_t*, int*)`: reads SO_SNDBUF into a 0 and sets it otherwise.
/// Linux keeps twice what is set.
///
/// # Returns
/// 0; `UV_EINVAL` for NULL or a handle without a socket; what getsockopt(2) or setsockopt(2) says.
///
/// # Safety
/// `handle` is NULL or an initialised handle, `value` is NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_send_buffer_size(handle: *mut uv_handle_t, value: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { buffer_size(handle, libc::SO_SNDBUF, value) }
}

/// `int uv_recv_buffer_size(uv_handle_t*, int*)`: as [`uv_send_buffer_size`], for SO_RCVBUF.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_recv_buffer_size(handle: *mut uv_handle_t, value: *mut c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { buffer_size(handle, libc::SO_RCVBUF, value) }
}

/// # Safety
/// As for [`uv_send_buffer_size`].
unsafe fn buffer_size(handle: *mut uv_handle_t, option: c_int, value: *mut c_int) -> c_int {
    if handle.is_null() || value.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: not NULL, so initialised and valid.
    unsafe {
        if !matches!((*handle).r#type.get(), UV_TCP | UV_NAMED_PIPE | UV_UDP) {
            return UV_ENOTSUP;
        }
        let Some(watch) = watch_of(handle) else { return UV_EINVAL };
        let fd = (*watch).fd.get();
        let result = if *value == 0 {
            socket::getsockopt_int(fd, libc::SOL_SOCKET, option).map(|size| *value = size)
        } else {
            socket::setsockopt_int(fd, libc::SOL_SOCKET, option, *value)
        };
        status::from_result(result)
    }
}
