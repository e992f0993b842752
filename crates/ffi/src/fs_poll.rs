//! `uv_fs_poll_t`: a path is looked at again and again. Source: the manual's page on them.
//!
//! All that a started handle needs is one [`Context`]: a timer, a stat request and the path. A
//! stop lets go of it at once; if its request is on its way, or its callback runs, it frees itself
//! when that is over. A handle counts such requests, and its closing waits for them.

use core::cell::Cell;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use uvring_core::list;

use crate::abi::*;
use crate::fs::request::uv_fs_req_cleanup;
use crate::fs::stat::uv_fs_stat;
use crate::handle::{self, Handle, flag};
use crate::loop_::call;
use crate::timer::{self, uv_timer_init, uv_timer_start};
use crate::{mem, os};

/// What came of the last look, while there was none.
const NONE_YET: c_int = 1;

/// What a started handle needs. The path follows it in the same block.
struct Context {
    handle: *const uv_fs_poll_t,
    callback: uv_fs_poll_cb,
    interval_ms: u64,
    /// When the last look began, by the loop's clock.
    began: Cell<u64>,
    /// 0, an error code or [`NONE_YET`].
    last: Cell<c_int>,
    /// The last record that could be had; zeros before.
    record: Cell<uv_stat_t>,
    /// From a look's beginning to the end of its callback.
    is_busy: Cell<bool>,
    timer: MaybeUninit<uv_timer_t>,
    req: MaybeUninit<uv_fs_t>,
}

impl Context {
    /// Where the path is.
    fn path(&self) -> *mut c_char {
        ptr::from_ref(self).cast_mut().wrapping_add(1).cast()
    }

    fn handle(&self) -> &uv_fs_poll_t {
        // SAFETY: a handle that is closing waits for its contexts.
        unsafe { &*self.handle }
    }

    fn timer(&self) -> *mut uv_timer_t {
        self.timer.as_ptr().cast_mut()
    }

    fn req(&self) -> *mut uv_fs_t {
        self.req.as_ptr().cast_mut()
    }

    /// Whether the handle was neither stopped nor started anew.
    fn is_current(&self) -> bool {
        ptr::eq(self.handle().poll_ctx.get().cast(), self)
    }

    /// Gives the block back.
    ///
    /// # Safety
    /// It is not busy, and not its handle's any more.
    unsafe fn free(&self) {
        // SAFETY: the timer was initialised, its callback is not needed again, and nobody else
        // knows it.
        unsafe {
            let timer = &*self.timer();
            timer::stop(timer);
            list::remove(&raw const timer.handle_queue);
            mem::free(ptr::from_ref(self).cast_mut().cast());
        }
    }
}

/// How many looks of a handle are under way, those of earlier starts included.
fn busy_count(this: &uv_fs_poll_t) -> &Cell<usize> {
    // SAFETY: the handle's scratch is plain words, which uv_fs_poll_init has cleared.
    unsafe { &this.u.words[0] }
}

/// `int uv_fs_poll_init(uv_loop_t*, uv_fs_poll_t*)`: makes the handle. Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_init(
    owner: *mut uv_loop_t,
    handle: *mut uv_fs_poll_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        handle::init(owner, handle.cast(), UV_FS_POLL);
        (*handle).poll_ctx.set(ptr::null_mut());
    }
    0
}

/// `int uv_fs_poll_start(uv_fs_poll_t*, uv_fs_poll_cb, const char* path, unsigned int interval_ms)`:
/// looks at `path` now and every `interval_ms` (0 counts as 1), and calls when something differs
/// from the look before: anything of the record but the times of reading. The first look calls only
/// if it fails.
///
/// The callback's `status` is 0 or why the path cannot be looked at, told once for each reason;
/// `prev` is the last record that could be had (zeros if none), `curr` the new one (zeros with an
/// error). Both are valid during the callback.
///
/// # Returns
/// 0, also on a started handle, where nothing changes; `UV_EINVAL` when the handle is closing, or
/// `poll_cb` or `path` is NULL; `UV_ENOMEM`.
///
/// # Safety
/// `handle` is initialised; `path` is NULL or a C string, which is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_start(
    handle: *mut uv_fs_poll_t,
    poll_cb: uv_fs_poll_cb,
    path: *const c_char,
    interval: c_uint,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let this = &*handle;
        if this.is_closing() || poll_cb.is_none() || path.is_null() {
            return UV_EINVAL;
        }
        if this.has(flag::ACTIVE) {
            return 0;
        }
        let Some(context) = make(this, poll_cb, path, interval) else { return UV_ENOMEM };
        let code = look(context);
        if code != 0 {
            context.free();
            return code;
        }
        this.poll_ctx.set(ptr::from_ref(context).cast_mut().cast::<c_void>());
        this.start();
    }
    0
}

/// # Safety
/// `path` is a C string.
unsafe fn make<'c>(
    this: &uv_fs_poll_t,
    callback: uv_fs_poll_cb,
    path: *const c_char,
    interval: c_uint,
) -> Option<&'c Context> {
    // SAFETY: the caller's promise; the block has room for the path with its NUL, and zeros are a
    // record.
    unsafe {
        let path_size = libc::strlen(path) + 1;
        let block = mem::alloc(size_of::<Context>() + path_size).cast::<Context>();
        if block.is_null() {
            return None;
        }
        block.write(Context {
            handle: this,
            callback,
            interval_ms: u64::from(interval.max(1)),
            began: Cell::new(0),
            last: Cell::new(NONE_YET),
            record: Cell::new(core::mem::zeroed()),
            is_busy: Cell::new(false),
            timer: MaybeUninit::zeroed(),
            req: MaybeUninit::zeroed(),
        });
        let context = &*block;
        context.path().copy_from_nonoverlapping(path, path_size);
        uv_timer_init(this.owner().as_ptr(), context.timer());
        (*context.timer()).set(flag::INTERNAL);
        (*context.timer()).unreference();
        Some(context)
    }
}

/// Begins a look. 0, or why it could not be begun.
///
/// # Safety
/// `context` is not busy.
unsafe fn look(context: &Context) -> c_int {
    let this = context.handle();
    let owner = this.owner();
    context.began.set(owner.time.get());
    // SAFETY: the request is not in flight, and stays in place while the context is busy.
    let code =
        unsafe { uv_fs_stat(owner.as_ptr(), context.req(), context.path(), Some(stat_done)) };
    if code == 0 {
        context.is_busy.set(true);
        busy_count(this).set(busy_count(this).get() + 1);
    }
    code
}

unsafe extern "C" fn stat_done(req: *mut uv_fs_t) {
    // SAFETY: only contexts' requests have this callback. The record is read before it is cleaned
    // up.
    unsafe {
        let context = &*req.byte_sub(offset_of!(Context, req)).cast::<Context>();
        let status = (*req).result.get() as c_int;
        let record = (*req).statbuf.get();
        uv_fs_req_cleanup(req);
        compare(context, status, record);
        end(context);
    }
}

/// Tells the program what is new, if it still wants to know.
///
/// # Safety
/// `context` is busy, so that it outlives the callback.
unsafe fn compare(context: &Context, status: c_int, record: uv_stat_t) {
    if !context.is_current() || context.handle().is_closing() {
        return;
    }
    let before = context.record.get();
    let last = context.last.replace(status);
    let (curr, is_news) = if status != 0 {
        // SAFETY: zeros are a record.
        (unsafe { core::mem::zeroed() }, status != last)
    } else {
        context.record.set(record);
        (record, last < 0 || (last == 0 && differs(&before, &record)))
    };
    let Some(callback) = context.callback.filter(|_| is_news) else { return };
    let handle = context.handle().as_ptr();
    // SAFETY: the program's function, called with its own handle; both records are this frame's.
    call::out(context.handle().owner(), || unsafe {
        callback(handle, status, &raw const before, &raw const curr);
    });
}

/// A look is over: waits for the next one, or gives up what is left of a stopped handle's.
///
/// # Safety
/// `context` is busy and nothing of it is in use.
unsafe fn end(context: &Context) {
    let this = context.handle();
    context.is_busy.set(false);
    busy_count(this).set(busy_count(this).get() - 1);
    if context.is_current() {
        let passed = this.owner().time.get().saturating_sub(context.began.get());
        let left = context.interval_ms - passed % context.interval_ms;
        // SAFETY: an initialised timer, which cannot refuse.
        unsafe { uv_timer_start(context.timer(), Some(timer_due), left, 0) };
        return;
    }
    // SAFETY: not busy, not the handle's.
    unsafe { context.free() };
    if this.is_closing() && busy_count(this).get() == 0 {
        handle::finish_later(this.base());
    }
}

unsafe extern "C" fn timer_due(timer: *mut uv_timer_t) {
    // SAFETY: only contexts' timers have this callback, and only between looks.
    unsafe {
        let context = &*timer.byte_sub(offset_of!(Context, timer)).cast::<Context>();
        let code = look(context);
        if code != 0 {
            // Told like any other reason why there is no record.
            let this = context.handle();
            context.is_busy.set(true);
            busy_count(this).set(busy_count(this).get() + 1);
            compare(context, code, context.record.get());
            end(context);
        }
    }
}

/// Whether two records tell of a change.
fn differs(a: &uv_stat_t, b: &uv_stat_t) -> bool {
    let words = |stat: &uv_stat_t| {
        [
            stat.st_dev,
            stat.st_ino,
            stat.st_mode,
            stat.st_nlink,
            stat.st_uid,
            stat.st_gid,
            stat.st_size,
            stat.st_flags,
            stat.st_gen,
        ]
    };
    let times = |stat: &uv_stat_t| {
        [stat.st_mtim, stat.st_ctim, stat.st_birthtim].map(|time| (time.tv_sec, time.tv_nsec))
    };
    words(a) != words(b) || times(a) != times(b)
}

/// `int uv_fs_poll_stop(uv_fs_poll_t*)`: the callback is not called any more. Always 0.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_stop(handle: *mut uv_fs_poll_t) -> c_int {
    // SAFETY: the caller's promise.
    stop(unsafe { &*handle });
    0
}

fn stop(this: &uv_fs_poll_t) {
    if !this.has(flag::ACTIVE) {
        return;
    }
    this.stop();
    let context = this.poll_ctx.replace(ptr::null_mut()).cast::<Context>();
    // SAFETY: a started handle has a context, which is its own no longer; a busy one frees itself.
    unsafe {
        if !(*context).is_busy.get() {
            (*context).free();
        }
    }
}

/// The part of uv_close. Whether the close callback may come; if not, the last look that ends
/// sees to it.
pub(crate) fn close(this: &uv_fs_poll_t) -> bool {
    stop(this);
    busy_count(this).get() == 0
}

/// `int uv_fs_poll_getpath(uv_fs_poll_t*, char* buffer, size_t* size)`: the path that the handle
/// was started with, and a NUL. `size` is the room in bytes, then the length without the NUL; with
/// `UV_ENOBUFS` the room needed, the NUL included.
///
/// # Returns
/// 0; `UV_ENOBUFS`; `UV_EINVAL` when the handle is not started (`size` is 0 then), an argument is
/// NULL or there is no room at all.
///
/// # Safety
/// `handle` is initialised; `size` is NULL or valid, `buffer` NULL or valid for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_poll_getpath(
    handle: *mut uv_fs_poll_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: the caller's promise; a started handle has a context.
    unsafe {
        if !(*handle).has(flag::ACTIVE) {
            if !size.is_null() {
                *size = 0;
            }
            return UV_EINVAL;
        }
        let context = &*(*handle).poll_ctx.get().cast::<Context>();
        os::put(os::bytes(context.path()), buffer, size)
    }
}
