//! The life of a file request: what is set up, where it runs, and what cleanup gives back.
//!
//! With a callback the request owns copies of its paths and buffer list; without one it points at
//! the caller's, and nothing is allocated for them.

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr;

use uvring_core::driver::Request;

use super::ring;
use super::route::{self, Elsewhere};
use crate::abi::*;
use crate::loop_::{call, finished, option};
use crate::{r#async, mem, req, threadpool};

/// One kind of file operation.
pub(super) trait Operation {
    /// Its name in C.
    const KIND: uv_fs_type;
    /// Whether it is done again after a signal interrupted it.
    const RETRY: bool = true;

    /// Does it now, on whatever thread this is: the result, or an error code.
    ///
    /// # Safety
    /// `req` was set up by this operation's `uv_fs_*` function; what it points at is valid.
    unsafe fn perform(req: &uv_fs_t) -> isize;

    /// Does it now if that takes no waiting, on the loop's thread: the result, or an error code.
    /// With `many` under way, only if it takes no more calls than a worker would make.
    ///
    /// # Errors
    /// Where it has to go; nothing has happened then.
    ///
    /// # Safety
    /// As for [`perform`](Self::perform).
    unsafe fn attempt(_req: &uv_fs_t, _many: bool) -> Result<isize, Elsewhere> {
        Err(Elsewhere::Worker)
    }

    /// The same for a ring, if that can do it.
    fn entry(_req: &uv_fs_t) -> Option<Request> {
        None
    }

    /// What the ring's answer means.
    fn landed(_req: &uv_fs_t, answer: c_int) -> isize {
        answer as isize
    }

    /// Bytes behind the path, for what the ring writes.
    const ROOM: usize = 0;

    /// How many small calls an attempt is worth.
    fn cost(_req: &uv_fs_t) -> u32 {
        1
    }
}

/// What stands behind a path is aligned to so many bytes, as all blocks are.
const ALIGN: usize = 8;

/// Sets up what all kinds have.
///
/// # Errors
/// `UV_EINVAL`: no request, or a callback without a loop.
///
/// # Safety
/// `req` is NULL or valid for writes; `owner` is NULL or a loop.
unsafe fn begin<'r, O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    cb: uv_fs_cb,
) -> Result<&'r uv_fs_t, c_int> {
    if req.is_null() {
        return Err(UV_EINVAL);
    }
    // SAFETY: the caller's promise; all fields are cells of plain values, so any bits will do.
    let req = unsafe { &*req };
    req.r#type.set(UV_FS);
    req.fs_type.set(O::KIND);
    req.r#loop.set(owner);
    req.cb.set(cb);
    req.result.set(0);
    req.ptr.set(ptr::null_mut());
    req.path.set(ptr::null());
    req.new_path.set(ptr::null());
    req.bufs.set(ptr::null_mut());
    req.nbufs.set(0);
    req.off.set(0);
    req.work_req.work.set(None);
    req.work_req.done.set(None);
    if cb.is_some() && owner.is_null() {
        return Err(UV_EINVAL);
    }
    Ok(req)
}

/// An operation on a descriptor, or on none. `set` fills in what is special about it and may
/// refuse.
///
/// # Safety
/// As the `uv_fs_*` function asks.
pub(super) unsafe fn plain<O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    cb: uv_fs_cb,
    set: impl FnOnce(&uv_fs_t) -> c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let req = match begin::<O>(owner, req, cb) {
            Ok(req) => req,
            Err(code) => return code,
        };
        match set(req) {
            0 => finish::<O>(req),
            code => {
                cleanup(req);
                req.result.set(code as isize);
                code
            }
        }
    }
}

/// An operation on a path.
///
/// # Safety
/// As for [`plain`]; `path` is NULL or a C string.
pub(super) unsafe fn with_path<O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    cb: uv_fs_cb,
    set: impl FnOnce(&uv_fs_t),
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        plain::<O>(owner, req, cb, |req| {
            set(req);
            keep_path(req, path, O::ROOM)
        })
    }
}

/// An operation on two paths.
///
/// # Safety
/// As for [`plain`]; both paths are NULL or C strings.
pub(super) unsafe fn with_paths<O: Operation>(
    owner: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    cb: uv_fs_cb,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        plain::<O>(owner, req, cb, |req| {
            req.flags.set(flags);
            keep_paths(req, path, new_path)
        })
    }
}

/// # Safety
/// `path` is NULL or a C string.
unsafe fn keep_path(req: &uv_fs_t, path: *const c_char, room: usize) -> c_int {
    if path.is_null() {
        return UV_EINVAL;
    }
    if req.cb.get().is_none() {
        req.path.set(path);
        return 0;
    }
    // SAFETY: the caller's promise.
    unsafe { copy_path(req, path, room) }
}

/// Gives the request a copy of `path` of its own, with so much room behind it for [`behind_path`].
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn copy_path(req: &uv_fs_t, path: *const c_char, room: usize) -> c_int {
    // SAFETY: the caller's promise; the block has room for the path with its NUL.
    unsafe {
        let size = libc::strlen(path) + 1;
        let whole = if room == 0 { size } else { size.next_multiple_of(ALIGN) + room };
        let copy: *mut c_char = mem::alloc(whole).cast();
        if copy.is_null() {
            return UV_ENOMEM;
        }
        copy.copy_from_nonoverlapping(path, size);
        req.path.set(copy);
    }
    0
}

/// The room behind the request's own copy of its path.
///
/// # Safety
/// The copy was made with room.
pub(super) unsafe fn behind_path(req: &uv_fs_t) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe {
        let path = req.path.get().cast_mut();
        path.add((libc::strlen(path) + 1).next_multiple_of(ALIGN)).cast()
    }
}

/// Both in one block, the first at its start.
///
/// # Safety
/// Both are NULL or C strings.
pub(super) unsafe fn keep_paths(
    req: &uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
) -> c_int {
    if path.is_null() || new_path.is_null() {
        return UV_EINVAL;
    }
    if req.cb.get().is_none() {
        req.path.set(path);
        req.new_path.set(new_path);
        return 0;
    }
    // SAFETY: the caller's promise; the block has room for both with their NULs.
    unsafe {
        let (first, second) = (libc::strlen(path) + 1, libc::strlen(new_path) + 1);
        let block: *mut c_char = mem::alloc(first + second).cast();
        if block.is_null() {
            return UV_ENOMEM;
        }
        block.copy_from_nonoverlapping(path, first);
        block.add(first).copy_from_nonoverlapping(new_path, second);
        req.path.set(block);
        req.new_path.set(block.add(first));
    }
    0
}

/// Keeps a buffer list: the caller's own without a callback, a copy with one. `UV_EINVAL` when
/// there are none, or more than `limit` bytes in them.
///
/// # Safety
/// `bufs` is NULL or has `nbufs` elements.
pub(super) unsafe fn keep_bufs(
    req: &uv_fs_t,
    bufs: *const uv_buf_t,
    nbufs: c_uint,
    limit: usize,
) -> c_int {
    if bufs.is_null() || nbufs == 0 || c_int::try_from(nbufs).is_err() {
        return UV_EINVAL;
    }
    // SAFETY: the caller's promise.
    let all = unsafe { core::slice::from_raw_parts(bufs, nbufs as usize) };
    if all.iter().fold(0usize, |sum, buf| sum.saturating_add(buf.len)) > limit {
        return UV_EINVAL;
    }
    let list = if req.cb.get().is_none() {
        bufs.cast_mut()
    } else {
        let small = req.bufsml.as_ptr().cast::<uv_buf_t>();
        let few = nbufs as usize <= req.bufsml.get().len();
        let list = if few { small } else { mem::alloc_array(nbufs as usize) };
        if list.is_null() {
            return UV_ENOMEM;
        }
        // SAFETY: the caller's promise; `list` has room for as many.
        unsafe { ptr::copy(bufs, list, nbufs as usize) };
        list
    };
    req.bufs.set(list);
    req.nbufs.set(nbufs);
    0
}

/// The buffer list is not needed any more: many programs do not clean up after a read or write.
fn release_bufs(req: &uv_fs_t) {
    let list = req.bufs.replace(ptr::null_mut());
    let owned = req.cb.get().is_some() && list != req.bufsml.as_ptr().cast();
    if owned {
        // SAFETY: with a callback the list is NULL, the request's own array, or from `keep_bufs`.
        unsafe { mem::free(list.cast()) };
    }
}

/// Runs it here when there is no callback; else sends it on its route.
///
/// # Safety
/// As for [`Operation::perform`]; with a callback everything the request points at stays valid
/// until then.
unsafe fn finish<O: Operation>(req: &uv_fs_t) -> c_int {
    if req.cb.get().is_none() {
        // SAFETY: the caller's promise.
        unsafe { run::<O>(req) };
        release_bufs(req);
        // More than an int can say stands in `result`.
        return c_int::try_from(req.result.get()).unwrap_or(c_int::MAX);
    }
    // SAFETY: the caller's promise; `begin` made sure of the loop.
    unsafe {
        let owner = &*req.r#loop.get();
        let finished = &owner.inner().finished;
        let route = route::of(O::KIND);
        let under_way = under_way(owner, O::KIND);
        let many = finished.waiting() >= route.many
            || under_way.is_some_and(|count| count.get() >= route.follow);
        let shares = many && (route.alone || !finished.is_alone());
        let tries = route.now && !shares && finished.take_calls(O::cost(req));
        let elsewhere = match if tries { O::attempt(req, many) } else { Err(route.then) } {
            Ok(result) => {
                req.result.set(result);
                finish_later(owner, req);
                return 0;
            }
            Err(elsewhere) => elsewhere,
        };
        count_under_way(owner, req, true);
        let polled = route.polled && owner.flags.get() & option::SQPOLL != 0;
        if (elsewhere == Elsewhere::Ring || polled) && ring::submit::<O>(owner, req) {
            return 0;
        }
        to_pool::<O>(req)
    }
}

/// How many operations of the kind are under way elsewhere, if they are counted.
fn under_way(owner: &uv_loop_t, kind: uv_fs_type) -> Option<&Cell<u32>> {
    match kind {
        UV_FS_STAT | UV_FS_LSTAT => Some(&owner.inner().finished.looking),
        UV_FS_OPEN => Some(&owner.inner().finished.opening),
        _ => None,
    }
}

/// Counts an operation that goes elsewhere, or is back from there. The offset, which these kinds
/// have no other use for, says whether it is counted.
fn count_under_way(owner: &uv_loop_t, req: &uv_fs_t, goes: bool) {
    let Some(count) = under_way(owner, req.fs_type.get()) else { return };
    match (req.off.replace(i64::from(goes)) != 0, goes) {
        (false, true) => count.set(count.get() + 1),
        (true, false) => count.set(count.get().saturating_sub(1)),
        _ => {}
    }
}

/// It is done; its callback comes from the loop.
///
/// # Safety
/// As for [`finish`].
unsafe fn finish_later(owner: &uv_loop_t, request: &uv_fs_t) {
    // SAFETY: the request is not in flight, and stays valid until its callback.
    unsafe {
        req::start(owner, ptr::from_ref(request).cast_mut().cast(), UV_FS);
        if finished::push(owner, &raw const request.work_req) {
            r#async::wake_poller(owner);
        }
    }
}

/// Hands out a request that [`finish_later`] has put aside.
///
/// # Safety
/// `job` is the job of such a request, taken off the list.
pub(crate) unsafe fn deliver(job: *const uv__work) {
    // SAFETY: the caller's promise; its status is no more than its result.
    unsafe { done(job.cast_mut(), 0) };
}

/// # Safety
/// As for [`Operation::perform`].
unsafe fn run<O: Operation>(req: &uv_fs_t) {
    loop {
        // SAFETY: the caller's promise.
        let result = unsafe { O::perform(req) };
        if result != UV_EINTR as isize || !O::RETRY {
            req.result.set(result);
            return;
        }
    }
}

/// Has a worker do it. 0 or an error code.
///
/// # Safety
/// As for [`finish`].
pub(super) unsafe fn to_pool<O: Operation>(request: &uv_fs_t) -> c_int {
    // SAFETY: `begin` made sure of the loop; the request stays valid until its callback.
    unsafe {
        let owner = &*request.r#loop.get();
        let whole = ptr::from_ref(request).cast_mut();
        req::start(owner, whole.cast(), UV_FS);
        let submit =
            if route::of(O::KIND).helps { threadpool::submit_short } else { threadpool::submit };
        let code = submit(owner, &raw mut (*whole).work_req, work::<O>, done);
        if code != 0 {
            req::done(owner);
            count_under_way(owner, request, false);
            drop_held(request);
            cleanup(request);
        }
        code
    }
}

/// Closes what an attempt at opening left for a worker who does not come.
fn drop_held(request: &uv_fs_t) {
    if request.fs_type.get() == UV_FS_OPEN && request.file.get() >= 0 {
        let _ = uvring_core::file::close(request.file.replace(-1));
    }
}

/// The request of its job.
pub(super) fn of_job(job: *mut uv__work) -> *mut uv_fs_t {
    job.wrapping_byte_sub(core::mem::offset_of!(uv_fs_t, work_req)).cast()
}

unsafe extern "C" fn work<O: Operation>(job: *mut uv__work) {
    // SAFETY: submitted by `to_pool`, so the job is part of a request that was set up.
    unsafe { run::<O>(&*of_job(job)) };
}

/// Calls back.
///
/// # Safety
/// `job` is the job of a request in flight that nobody works on any more.
pub(super) unsafe extern "C" fn done(job: *mut uv__work, status: c_int) {
    let request = of_job(job);
    // SAFETY: as in `work`; the loop outlives the callback.
    unsafe {
        let owner = &*(*request).r#loop.get();
        req::done(owner);
        count_under_way(owner, &*request, false);
        if status == UV_ECANCELED {
            // What it took for itself on the way to the worker.
            drop_held(&*request);
            (*request).result.set(UV_ECANCELED as isize);
        }
        release_bufs(&*request);
        if let Some(callback) = (*request).cb.get() {
            call::out(owner, || callback(request));
        }
    }
}

/// A file request's part of uv_cancel: 0, or `UV_EBUSY` when it has begun or is done.
///
/// # Safety
/// `request` was started, and its callback has not returned.
pub(crate) unsafe fn cancel(request: *mut uv_fs_t) -> c_int {
    // SAFETY: the caller's promise. Without this function it never went to a worker.
    unsafe {
        if (*request).work_req.done.get().is_none() {
            return ring::cancel(&*request);
        }
        threadpool::cancel_work(&raw mut (*request).work_req)
    }
}

/// Gives back what the request holds. Twice is harmless.
///
/// # Safety
/// `req` was set up, and is not in flight.
unsafe fn cleanup(req: &uv_fs_t) {
    release_bufs(req);
    let kind = req.fs_type.get();
    let path = req.path.replace(ptr::null());
    let new_path = req.new_path.replace(ptr::null());
    let result = req.ptr.replace(ptr::null_mut());
    // SAFETY: these are the blocks that the request owns, by the rules at the top of this file; a
    // directory is given back by closing it, and a stat record is part of the request.
    unsafe {
        if req.cb.get().is_some() || matches!(kind, UV_FS_MKDTEMP | UV_FS_MKSTEMP) {
            mem::free(path.cast_mut().cast());
        }
        match kind {
            // The names of the entries.
            UV_FS_READDIR => mem::free(new_path.cast_mut().cast()),
            UV_FS_SCANDIR | UV_FS_READLINK | UV_FS_REALPATH | UV_FS_STATFS => mem::free(result),
            _ => {}
        }
    }
}

/// `void uv_fs_req_cleanup(uv_fs_t*)`: gives back the memory that a finished request holds. To be
/// called after every request; NULL and a second call do nothing.
///
/// # Safety
/// `req` is NULL or was given to a `uv_fs_*` function, and is not in flight.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_req_cleanup(req: *mut uv_fs_t) {
    // SAFETY: the caller's promise.
    unsafe {
        if !req.is_null() {
            cleanup(&*req);
        }
    }
}
