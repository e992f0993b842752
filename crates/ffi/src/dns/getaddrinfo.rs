//! `uv_getaddrinfo_t`: the addresses of a name.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use libc::addrinfo;

use super::{from_resolver, idna};
use crate::abi::*;
use crate::loop_::call;
use crate::{mem, req, threadpool};

/// What is looked up. Without a name or without a service the pointer is NULL, as are the hints.
#[derive(Clone, Copy)]
struct Question {
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
}

/// Asks the resolver and leaves the answer in the request. May wait for the network.
///
/// # Safety
/// `req` is valid; the question's pointers are NULL or valid: C strings, and a record.
unsafe fn look_up(req: *const uv_getaddrinfo_t, question: Question) {
    let Question { node, service, hints } = question;
    let mut found = ptr::null_mut();
    // SAFETY: the caller's promise, and a place for the result.
    let code = from_resolver(unsafe { libc::getaddrinfo(node, service, hints, &mut found) });
    // SAFETY: the caller's promise.
    unsafe {
        (*req).addrinfo.set(if code == 0 { found } else { ptr::null_mut() });
        (*req).retcode.set(code);
    }
}

/// Copies the question into one block that the request keeps. False when there is no memory.
///
/// # Safety
/// `req` is valid; the question is as for `look_up` and has a name or a service.
unsafe fn keep(req: *const uv_getaddrinfo_t, question: Question) -> bool {
    let text = |from: *const c_char| {
        if from.is_null() {
            return &[][..];
        }
        // SAFETY: the caller's promise.
        unsafe { CStr::from_ptr(from) }.to_bytes_with_nul()
    };
    let (node, service) = (text(question.node), text(question.service));
    let head = if question.hints.is_null() { 0 } else { size_of::<addrinfo>() };
    let size = node.len().checked_add(service.len()).and_then(|size| size.checked_add(head));
    let block = size.map_or(ptr::null_mut(), mem::alloc).cast::<u8>();
    if block.is_null() {
        return false;
    }
    // SAFETY: the block has room for the three, one after the other; the first is aligned as
    // malloc aligns.
    unsafe {
        if !question.hints.is_null() {
            block.cast::<addrinfo>().copy_from_nonoverlapping(question.hints, 1);
            (*req).hints.set(block.cast());
        }
        let put = |at: *mut u8, text: &[u8]| {
            at.copy_from_nonoverlapping(text.as_ptr(), text.len());
            if text.is_empty() { ptr::null_mut() } else { at.cast::<c_char>() }
        };
        (*req).hostname.set(put(block.add(head), node));
        (*req).service.set(put(block.add(head + node.len()), service));
    }
    true
}

/// Gives the question back.
fn forget(req: &uv_getaddrinfo_t) {
    let hints = req.hints.replace(ptr::null_mut());
    let hostname = req.hostname.replace(ptr::null_mut());
    let service = req.service.replace(ptr::null_mut());
    let parts: [*mut c_void; 3] = [hints.cast(), hostname.cast(), service.cast()];
    // The block begins with the first that is there.
    if let Some(block) = parts.into_iter().find(|part| !part.is_null()) {
        // SAFETY: from `keep`, and no longer in the request.
        unsafe { mem::free(block) };
    }
}

/// Looks up the addresses of a name, of a service, or of both, as getaddrinfo(3) does: at once when
/// the callback is NULL, and then `loop` is not looked at; otherwise on a worker thread, and the
/// callback comes from the loop. Name, service and hints are copied.
///
/// The addresses stand in `req->addrinfo` and come with the callback; the caller gives them back
/// with `uv_freeaddrinfo`. A name that is not ASCII is looked up in punycode.
///
/// # Returns
/// 0; `UV_EINVAL` when `req` is NULL, when neither name nor service is given, when the name is
/// empty, is no UTF-8 or is longer than 255 bytes in ASCII, and for a callback without a loop;
/// `UV_ENOMEM`, `UV_EAGAIN` when no worker can be started. Without a callback also what the resolver
/// answers (`UV_EAI_*`), which otherwise is the callback's status; a cancelled request's is
/// `UV_EAI_CANCELED`. Source: manual, dns, `uv_getaddrinfo`.
///
/// # Safety
/// `node` and `service` are NULL or C strings, `hints` is NULL or valid; `req` is NULL or valid, and
/// with a callback stays so until it has come; `loop` is then NULL or an initialised loop of this
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getaddrinfo(
    r#loop: *mut uv_loop_t,
    req: *mut uv_getaddrinfo_t,
    getaddrinfo_cb: uv_getaddrinfo_cb,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
) -> c_int {
    if req.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's word. A caller that frees the result after an error finds none.
    unsafe { (*req).addrinfo.set(ptr::null_mut()) };
    if (node.is_null() && service.is_null()) || (getaddrinfo_cb.is_some() && r#loop.is_null()) {
        return UV_EINVAL;
    }
    let mut bytes = [0; idna::SIZE];
    let mut question = Question { node, service, hints };
    if !node.is_null() {
        // SAFETY: the caller's word.
        match idna::to_ascii(unsafe { CStr::from_ptr(node) }.to_bytes(), &mut bytes) {
            Some(name) => question.node = name.as_ptr(),
            None => return UV_EINVAL,
        }
    }
    // SAFETY: the caller's word. The request is complete before a worker can see it.
    unsafe {
        (*req).r#type.set(UV_GETADDRINFO);
        (*req).r#loop.set(r#loop);
        (*req).cb.set(getaddrinfo_cb);
        (*req).hints.set(ptr::null_mut());
        (*req).hostname.set(ptr::null_mut());
        (*req).service.set(ptr::null_mut());
        (*req).retcode.set(0);
        if getaddrinfo_cb.is_none() {
            look_up(req, question);
            return (*req).retcode.get();
        }
        if !keep(req, question) {
            return UV_ENOMEM;
        }
        let owner = &*r#loop;
        req::start(owner, req.cast(), UV_GETADDRINFO);
        let code = threadpool::submit_name(owner, &raw mut (*req).work_req, work, done);
        if code != 0 {
            req::done(owner);
            forget(&*req);
        }
        code
    }
}

/// The request of its job.
fn of_job(job: *mut uv__work) -> *mut uv_getaddrinfo_t {
    job.wrapping_byte_sub(core::mem::offset_of!(uv_getaddrinfo_t, work_req)).cast()
}

unsafe extern "C" fn work(job: *mut uv__work) {
    let req = of_job(job);
    // SAFETY: submitted by uv_getaddrinfo, so the job is part of a request that keeps its question.
    unsafe {
        let (node, service) = ((*req).hostname.get(), (*req).service.get());
        look_up(req, Question { node, service, hints: (*req).hints.get() });
    }
}

unsafe extern "C" fn done(job: *mut uv__work, code: c_int) {
    let req = of_job(job);
    // SAFETY: as in `work`; the loop outlives the callback.
    unsafe {
        let owner = &*(*req).r#loop.get();
        req::done(owner);
        forget(&*req);
        if code != 0 {
            // No worker has had it.
            (*req).retcode.set(UV_EAI_CANCELED);
        }
        let (code, found) = ((*req).retcode.get(), (*req).addrinfo.get());
        if let Some(callback) = (*req).cb.get() {
            call::out(owner, || callback(req, code, found));
        }
    }
}

/// `void uv_freeaddrinfo(struct addrinfo*)`: gives back what `uv_getaddrinfo` found. NULL is
/// nothing. Source: manual, dns, `uv_freeaddrinfo`.
///
/// # Safety
/// `ai` is NULL or from `uv_getaddrinfo`, and given back once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_freeaddrinfo(ai: *mut addrinfo) {
    if !ai.is_null() {
        // SAFETY: the caller's word; the resolver has made it.
        unsafe { libc::freeaddrinfo(ai) };
    }
}
