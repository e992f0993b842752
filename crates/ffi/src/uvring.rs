//! What `uvring.h` offers beyond libuv's interface.

use core::ffi::{c_char, c_int};

use uvring_core::driver::Kind;

use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::loop_::option;
use crate::{loop_, stream};

/// `int uvring_loop_configure(uv_loop_t*, uvring_option, size_t value)`: `UVRING_BACKEND` before the
/// first handle is started, one of `UVRING_BACKEND_*`; `UVRING_SPIN_US`: microseconds to look for
/// events before sleeping; `UVRING_COALESCE`: 0 sends each write by itself;
/// `UVRING_FS_EVENT_RECURSIVE`: 1 gives the flag `UV_FS_EVENT_RECURSIVE` of uv_fs_event_start an
/// effect, for handles started from then on.
///
/// # Returns
/// 0; `UV_EINVAL` for a value out of range; `UV_EBUSY` when the backend cannot be changed any more;
/// `UV_ENOSYS` for an unknown option. A ring that the kernel refuses is no error: the loop runs on
/// epoll, see [`uvring_loop_backend_name`].
///
/// # Safety
/// `owner` is an initialised loop that is not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_loop_configure(
    owner: *mut uv_loop_t,
    option: uvring_option,
    value: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        match option {
            UVRING_BACKEND => match u32::try_from(value) {
                Ok(UVRING_BACKEND_AUTO | UVRING_BACKEND_EPOLL) => {
                    loop_::set_backend(owner, Kind::Epoll)
                }
                Ok(UVRING_BACKEND_IO_URING) => loop_::set_backend(owner, Kind::Uring),
                _ => UV_EINVAL,
            },
            UVRING_SPIN_US => match u32::try_from(value) {
                Ok(spin_us) => {
                    (*owner).inner().spin_us.set(spin_us);
                    0
                }
                Err(_) => UV_EINVAL,
            },
            UVRING_COALESCE => {
                (*owner).inner().coalesce.set(value != 0);
                0
            }
            UVRING_FS_EVENT_RECURSIVE => {
                let bits = (*owner).flags.get() & !option::RECURSIVE;
                (*owner).flags.set(if value == 0 { bits } else { bits | option::RECURSIVE });
                0
            }
            _ => UV_ENOSYS,
        }
    }
}

/// `const char* uvring_loop_backend_name(const uv_loop_t*)`: `"epoll"` or `"io_uring"`.
///
/// # Safety
/// `owner` is an initialised loop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_loop_backend_name(owner: *const uv_loop_t) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { loop_::backend_name(&*owner).as_ptr() }
}

/// `int uvring_stream_set_coalescing(uv_stream_t*, int on)`: whether what one callback writes on this
/// stream is gathered. On by default.
///
/// # Returns
/// 0; `UV_EINVAL` for a closing stream.
///
/// # Safety
/// `stream` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uvring_stream_set_coalescing(
    stream: *mut uv_stream_t,
    on: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let stream = unsafe { &*stream };
    if stream.is_closing() {
        return UV_EINVAL;
    }
    stream::send_deferred(stream);
    if on != 0 {
        stream.clear(flag::NO_COALESCE);
    } else {
        stream.set(flag::NO_COALESCE);
    }
    0
}

/// `const char* uvring_version(void)`: uvring's own version, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn uvring_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
