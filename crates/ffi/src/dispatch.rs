//! From events to handles: the one place that knows which watch and which operation is whose.

use core::mem::offset_of;

use uvring_core::driver::ready::OUT;
use uvring_core::driver::{Op, Watch};
use uvring_core::list;

use crate::abi::*;
use crate::loop_::watch::{of_link, tag};
use crate::{fs, fs_event, listen, poll, process, signal, stream, udp};

/// Readiness of a descriptor.
pub(crate) fn ready(owner: &uv_loop_t, watch: *const Watch, mask: u32) {
    // SAFETY: the driver hands out live watches only, and each stands at the offset that its tag
    // names.
    unsafe {
        match (*watch).tag.get() {
            tag::STREAM => {
                stream::ready(&*watch.byte_sub(offset_of!(uv_stream_t, io_watcher)).cast(), mask);
            }
            tag::LISTENER => {
                listen::accept_ready(&*watch.byte_sub(offset_of!(uv_stream_t, io_watcher)).cast());
            }
            tag::POLL => {
                poll::ready(&*watch.byte_sub(offset_of!(uv_poll_t, io_watcher)).cast(), mask)
            }
            tag::UDP => udp::ready(&*watch.byte_sub(offset_of!(uv_udp_t, io_watcher)).cast(), mask),
            tag::DOORBELL => {
                crate::r#async::run(owner);
            }
            tag::INOTIFY => fs_event::ready(owner),
            tag::INOTIFY_TREE => fs_event::recursive::ready(watch),
            tag::PROCESS | tag::SIGNAL => {
                let link = &raw const (*watch).pending;
                if list::is_empty(link) {
                    list::push_back(&raw const owner.inner().late, link);
                }
            }
            _ => {}
        }
    }
}

/// Children that ended and signals, when all else of the round was handed out: what a child wrote
/// is read before its end is told.
pub(crate) fn run_late(owner: &uv_loop_t) {
    // SAFETY: the list holds `pending` links of live watches; one that closes takes itself off.
    unsafe {
        while let Some(link) = list::pop_front(&raw const owner.inner().late) {
            let watch = of_link(link);
            match watch.tag.get() {
                tag::PROCESS => process::ended(watch),
                _ => signal::ready(owner),
            }
        }
    }
}

/// Sends what a handle has gathered.
pub(crate) fn send(handle: &uv_handle_t) {
    // SAFETY: the type says what the handle really is; only these two kinds gather.
    unsafe {
        match handle.r#type.get() {
            UV_UDP => udp::send_gathered(&*core::ptr::from_ref(handle).cast()),
            _ => stream::send(&*core::ptr::from_ref(handle).cast()),
        }
    }
}

/// A handle was fed: something of it finished without the kernel's saying so.
pub(crate) fn fed(owner: &uv_loop_t, watch: &Watch) {
    ready(owner, watch, OUT);
}

/// A request that finished within its call: only file operations do.
pub(crate) fn finished(_owner: &uv_loop_t, job: *const uv__work) {
    // SAFETY: put on the loop's list by a file request that is still in flight.
    unsafe { fs::request::deliver(job) };
}

/// An operation is done.
pub(crate) fn done(_owner: &uv_loop_t, op: *const Op, result: i32) {
    // SAFETY: an operation stands at this offset of a request in flight, a write or one on files.
    unsafe {
        let req = op.byte_sub(offset_of!(uv_req_t, reserved)).cast::<uv_req_t>();
        match (*req).r#type.get() {
            UV_FS => fs::ring::answered(req.cast(), result),
            _ => stream::write_done(&*req.cast(), result),
        }
    }
}
