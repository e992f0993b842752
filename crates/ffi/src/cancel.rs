//! uv_cancel: the one place that knows how each kind of request is ended early.

use core::ffi::c_int;

use crate::abi::*;
use crate::{fs, stream, threadpool};

/// `int uv_cancel(uv_req_t*)`: ends a request that has not finished. Its callback still comes, with
/// `UV_ECANCELED`.
///
/// # Returns
/// 0; `UV_EBUSY` when it cannot be stopped any more; `UV_EINVAL` for a kind that cannot be cancelled.
///
/// # Safety
/// `req` is a request that was started and whose callback has not returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cancel(req: *mut uv_req_t) -> c_int {
    // SAFETY: the type says what the request really is.
    unsafe {
        match (*req).r#type.get() {
            UV_WRITE => stream::cancel_write(req.cast()),
            UV_FS => fs::request::cancel(req.cast()),
            UV_WORK => threadpool::cancel_work(&raw mut (*req.cast::<uv_work_t>()).work_req),
            UV_RANDOM => threadpool::cancel_work(&raw mut (*req.cast::<uv_random_t>()).work_req),
            UV_GETADDRINFO => {
                threadpool::cancel_work(&raw mut (*req.cast::<uv_getaddrinfo_t>()).work_req)
            }
            UV_GETNAMEINFO => {
                threadpool::cancel_work(&raw mut (*req.cast::<uv_getnameinfo_t>()).work_req)
            }
            _ => UV_EINVAL,
        }
    }
}
