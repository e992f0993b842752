//! `uv_getnameinfo_t`: the name of an address.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

use super::from_resolver;
use crate::abi::*;
use crate::loop_::call;
use crate::{req, threadpool};

/// Bytes of an address of that family. None for one that has no names.
fn size_of_address(family: c_int) -> Option<usize> {
    match family {
        libc::AF_INET => Some(size_of::<sockaddr_in>()),
        libc::AF_INET6 => Some(size_of::<sockaddr_in6>()),
        _ => None,
    }
}

/// Copies an address into the request. False for a family that has no names.
///
/// # Safety
/// `req` is valid, `addr` valid for reads of an address of its family.
unsafe fn keep(req: *const uv_getnameinfo_t, addr: *const sockaddr) -> bool {
    // SAFETY: the caller's promise; no more is read than the family has.
    unsafe {
        let family = (&raw const (*addr).sa_family).read_unaligned();
        let Some(size) = size_of_address(family.into()) else {
            return false;
        };
        let mut storage = MaybeUninit::<sockaddr_storage>::zeroed();
        storage.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(addr.cast(), size);
        (*req).storage.set(storage.assume_init());
    }
    true
}

/// Asks the resolver and leaves the answer in the request. May wait for the network.
///
/// # Safety
/// `req` is valid and keeps an address.
unsafe fn look_up(req: *const uv_getnameinfo_t) {
    // SAFETY: the caller's promise; the two buffers are as long as is told.
    unsafe {
        let storage = (*req).storage.as_ptr();
        let size = size_of_address((*storage).ss_family.into()).unwrap_or(0);
        let (host, service) = (&(*req).host, &(*req).service);
        let answer = libc::getnameinfo(
            storage.cast(),
            size as socklen_t,
            host.as_ptr().cast(),
            size_of_val(host) as socklen_t,
            service.as_ptr().cast(),
            size_of_val(service) as socklen_t,
            (*req).flags.get(),
        );
        (*req).retcode.set(from_resolver(answer));
    }
}

/// Looks up the names of an address and of its port, as getnameinfo(3) does: at once when the
/// callback is NULL, and then `loop` is not looked at; otherwise on a worker thread, and the
/// callback comes from the loop. The address is copied; `flags` are the `NI_*` of netdb.h.
///
/// The names stand in `req->host` and `req->service` and come with the callback, or NULL with an
/// error.
///
/// # Returns
/// 0; `UV_EINVAL` when `req` or `addr` is NULL, for a family other than `AF_INET` and `AF_INET6`,
/// and for a callback without a loop; `UV_ENOMEM`, `UV_EAGAIN` when no worker can be started.
/// Without a callback also what the resolver answers (`UV_EAI_*`), which otherwise is the callback's
/// status; a cancelled request's is `UV_EAI_CANCELED`. Source: manual, dns, `uv_getnameinfo`.
///
/// # Safety
/// `addr` is NULL or an address of its family; `req` is NULL or valid, and with a callback stays so
/// until it has come; `loop` is then NULL or an initialised loop of this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getnameinfo(
    r#loop: *mut uv_loop_t,
    req: *mut uv_getnameinfo_t,
    getnameinfo_cb: uv_getnameinfo_cb,
    addr: *const sockaddr,
    flags: c_int,
) -> c_int {
    if req.is_null() || addr.is_null() || (getnameinfo_cb.is_some() && r#loop.is_null()) {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word. The request is complete before a worker can see it.
    unsafe {
        if !keep(req, addr) {
            return UV_EINVAL;
        }
        (*req).r#type.set(UV_GETNAMEINFO);
        (*req).r#loop.set(r#loop);
        (*req).getnameinfo_cb.set(getnameinfo_cb);
        (*req).flags.set(flags);
        (*req).retcode.set(0);
        // Whoever reads them after an error finds nothing.
        (*req).host.as_ptr().cast::<u8>().write(0);
        (*req).service.as_ptr().cast::<u8>().write(0);
        if getnameinfo_cb.is_none() {
            look_up(req);
            return (*req).retcode.get();
        }
        let owner = &*r#loop;
        req::start(owner, req.cast(), UV_GETNAMEINFO);
        let code = threadpool::submit_name(owner, &raw mut (*req).work_req, work, done);
        if code != 0 {
            req::done(owner);
        }
        code
    }
}

/// The request of its job.
fn of_job(job: *mut uv__work) -> *mut uv_getnameinfo_t {
    job.wrapping_byte_sub(core::mem::offset_of!(uv_getnameinfo_t, work_req)).cast()
}

unsafe extern "C" fn work(job: *mut uv__work) {
    // SAFETY: submitted by uv_getnameinfo, so the job is part of a request that keeps an address.
    unsafe { look_up(of_job(job)) };
}

unsafe extern "C" fn done(job: *mut uv__work, code: c_int) {
    let req = of_job(job);
    // SAFETY: as in `work`; the loop outlives the callback.
    unsafe {
        let owner = &*(*req).r#loop.get();
        req::done(owner);
        if code != 0 {
            // No worker has had it.
            (*req).retcode.set(UV_EAI_CANCELED);
        }
        let code = (*req).retcode.get();
        let (host, service) = match code {
            0 => (
                (*req).host.as_ptr().cast_const().cast(),
                (*req).service.as_ptr().cast_const().cast(),
            ),
            _ => (ptr::null(), ptr::null()),
        };
        if let Some(callback) = (*req).getnameinfo_cb.get() {
            call::out(owner, || callback(req, code, host, service));
        }
    }
}
