//! Operations that wait in the loop's ring.
//!
//! The op stands in the private bytes of the request. While it is in flight, `work_req.work` is what
//! takes its answer over, and `work_req.done` is empty: that tells it from a worker's job.

use core::ffi::c_int;
use core::ptr;

use uvring_core::driver::Op;

use super::request::{self, Operation};
use crate::abi::*;
use crate::req;

/// In the op's own words: uv_cancel has ended it.
const CANCELLED: usize = 0;

const _: () = assert!(
    size_of::<Op>() == size_of::<uv__req_scratch>()
        && align_of::<Op>() <= align_of::<uv__req_scratch>()
        && core::mem::offset_of!(uv_fs_t, reserved) == core::mem::offset_of!(uv_req_t, reserved)
);

fn op_of(req: &uv_fs_t) -> &Op {
    // SAFETY: as large and as aligned, as asserted above; plain words, so any bits will do.
    unsafe { &*(&raw const req.reserved).cast::<Op>() }
}

/// Gives it to the ring. False when there is none, or it has enough to do.
///
/// # Safety
/// As for [`Operation::perform`]; everything the request points at stays valid until the callback.
pub(super) unsafe fn submit<O: Operation>(owner: &uv_loop_t, request: &uv_fs_t) -> bool {
    let Some(entry) = O::entry(request) else { return false };
    let driver = owner.inner().driver();
    // SAFETY: the private bytes are free before a request starts; the rest is the caller's promise.
    unsafe {
        (&raw const request.reserved).cast_mut().cast::<Op>().write(Op::new());
        if driver.submit(op_of(request), &entry).is_err() {
            return false;
        }
        request.work_req.work.set(Some(landed::<O>));
        req::start(owner, ptr::from_ref(request).cast_mut().cast(), UV_FS);
    }
    if owner.inner().finished.polled.get() && owner.inner().thread.get() == 0 {
        // Whoever polls the descriptor may not come here first.
        driver.flush();
    }
    true
}

/// The ring's answer.
///
/// # Safety
/// The request was given to the ring, which is done with it.
pub(crate) unsafe fn answered(request: *const uv_fs_t, answer: c_int) {
    // SAFETY: the caller's promise; `submit` set what takes it over.
    unsafe {
        let job = &raw const (*request).work_req;
        (*request).result.set(answer as isize);
        if let Some(landed) = (*job).work.take() {
            landed(job.cast_mut());
        }
    }
}

unsafe extern "C" fn landed<O: Operation>(job: *mut uv__work) {
    // SAFETY: called by `answered`, so the job is part of a request in flight.
    unsafe {
        let request = &*request::of_job(job);
        let answer = request.result.get() as c_int;
        if op_of(request).user[CANCELLED].get() != 0 {
            if O::KIND == UV_FS_OPEN && answer >= 0 {
                libc::close(answer);
            }
            request.result.set(UV_ECANCELED as isize);
        } else if is_its_own(answer) {
            // As if it had never been there: from here on it is a worker's.
            let owner = &*request.r#loop.get();
            req::done(owner);
            match request::to_pool::<O>(request) {
                0 => return,
                code => {
                    req::start(owner, ptr::from_ref(request).cast_mut().cast(), UV_FS);
                    request.result.set(code as isize);
                }
            }
        } else {
            request.result.set(O::landed(request, answer));
        }
        request::done(job, 0);
    }
}

/// Answers that may be the ring's own: that it does not know the operation or the file cannot do it
/// this way, or that somebody broke it off.
fn is_its_own(answer: c_int) -> bool {
    matches!(answer, UV_EINVAL | UV_ENOTSUP | UV_EAGAIN | UV_EINTR | UV_ECANCELED)
}

/// Ends a request that the ring has and that has not begun: 0, or `UV_EBUSY`.
pub(super) fn cancel(request: &uv_fs_t) -> c_int {
    if request.work_req.work.get().is_none() {
        // Not the ring's: it is done, and waits for its callback.
        return UV_EBUSY;
    }
    // SAFETY: started, so it has a loop.
    let owner = unsafe { &*request.r#loop.get() };
    let op = op_of(request);
    if !owner.inner().driver().cancel_now(op) {
        return UV_EBUSY;
    }
    op.user[CANCELLED].set(1);
    0
}
