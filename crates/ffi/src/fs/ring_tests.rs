//! What a ring answers rarely: errors of the device, and an open that ends after it was cancelled.

use core::ffi::{c_int, c_void};
use core::mem::zeroed;
use core::ptr::null;
use std::vec::Vec;

use uvring_core::driver::sim::Step;
use uvring_core::driver::{Driver, Kind};

use super::entry::uv_fs_unlink;
use super::io::*;
use super::request::uv_fs_req_cleanup;
use super::stat::uv_fs_stat;
use crate::abi::*;
use crate::cancel::uv_cancel;
use crate::loop_::life::{uv_loop_close, uv_loop_init};
use crate::loop_::option;
use crate::loop_::run::uv_run;

unsafe extern "C" fn count(req: *mut uv_fs_t) {
    // SAFETY: `data` is a count that outlives the request.
    unsafe { *(*req).data.get().cast::<u32>() += 1 };
}

/// Starts one request on a loop whose ring acts out `steps`, and runs it to its end.
fn played(
    steps: Vec<Step>,
    start: impl FnOnce(*mut uv_loop_t, *mut uv_fs_t, uv_fs_cb) -> c_int,
    then: impl FnOnce(*mut uv_fs_t),
) -> isize {
    let mut called = 0u32;
    // SAFETY: all zeros are a loop and a request to be made; both outlive the run. The driver is
    // replaced before anything uses it, and all goes to the ring of one that may be polled.
    unsafe {
        let (mut owner, mut req) = (zeroed::<uv_loop_t>(), zeroed::<uv_fs_t>());
        assert_eq!(uv_loop_init(&mut owner), 0);
        *owner.inner().driver.get() = Driver::sim(Kind::Uring, steps.leak());
        owner.flags.set(owner.flags.get() | option::SQPOLL);
        req.data.set((&raw mut called).cast::<c_void>());
        assert_eq!(start(&mut owner, &mut req, Some(count)), 0);
        assert_eq!(called, 0, "called back from within the call");
        then(&mut req);
        assert_eq!(uv_run(&mut owner, UV_RUN_DEFAULT), 0);
        assert_eq!(called, 1);
        let result = req.result.get();
        uv_fs_req_cleanup(&mut req);
        assert_eq!(uv_loop_close(&mut owner), 0);
        result
    }
}

#[test]
fn errors_of_the_device_arrive() {
    let mut bytes = [0u8; 16];
    for error in [libc::EIO, libc::EDQUOT, libc::ENOSPC, libc::EFBIG, libc::ESTALE] {
        let buf = uv_buf_t { base: bytes.as_mut_ptr().cast(), len: bytes.len() };
        let answer = || std::vec![Step::Turn, Step::Done(0, -error)];
        // SAFETY: what the requests name outlives them; the numbers are never used.
        let results = unsafe {
            [
                played(answer(), |l, r, cb| uv_fs_write(l, r, 1000, &buf, 1, 0, cb), |_| {}),
                played(answer(), |l, r, cb| uv_fs_fsync(l, r, 1000, cb), |_| {}),
                played(answer(), |l, r, cb| uv_fs_ftruncate(l, r, 1000, 5, cb), |_| {}),
                played(answer(), |l, r, cb| uv_fs_unlink(l, r, c"/none".as_ptr(), cb), |_| {}),
            ]
        };
        assert_eq!(results, [-error as isize; 4]);
    }
}

#[test]
fn a_short_write_is_told() {
    let mut bytes = [0u8; 16];
    let buf = uv_buf_t { base: bytes.as_mut_ptr().cast(), len: bytes.len() };
    let steps = std::vec![Step::Done(0, 7)];
    // SAFETY: as above.
    let result =
        unsafe { played(steps, |l, r, cb| uv_fs_write(l, r, 1000, &buf, 1, -1, cb), |_| {}) };
    assert_eq!(result, 7);
}

#[test]
fn a_cancelled_open_leaves_no_descriptor() {
    // SAFETY: plain calls; the descriptor is this test's until the request takes it.
    unsafe {
        let fd = libc::fcntl(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR), libc::F_DUPFD, 900);
        let path = c"/none".as_ptr();
        let open = |l, r, cb| uv_fs_open(l, r, path, libc::O_RDWR | libc::O_CREAT, 0o600, cb);
        let cancel = |req: *mut uv_fs_t| assert_eq!(uv_cancel(req.cast()), 0);
        // It ends all the same, with a descriptor that nobody waits for.
        let result = played(std::vec![Step::Done(0, fd)], open, cancel);
        assert_eq!(result, UV_ECANCELED as isize);
        assert_eq!(libc::fcntl(fd, libc::F_GETFD), -1, "left open");
        // It never began.
        assert_eq!(played(std::vec![Step::Turn], open, cancel), UV_ECANCELED as isize);
    }
}

#[test]
fn a_record_that_failed_is_not_taken_over() {
    // Others are under way, so it follows them to the ring.
    let steps = std::vec![Step::Done(0, -libc::EIO)];
    // SAFETY: as above.
    let result = unsafe {
        played(
            steps,
            |l, r, cb| {
                let owner = &*l;
                owner.inner().finished.looking.set(1);
                let code = uv_fs_stat(l, r, c"/".as_ptr(), cb);
                assert_eq!((*r).ptr.get().cast_const(), null());
                code
            },
            |_| {},
        )
    };
    assert_eq!(result, UV_EIO as isize);
}
