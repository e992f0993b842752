//! A loop's beginning and end.
//!
//! A fresh loop costs an epoll instance and two allocations' worth of untouched memory: the
//! doorbell, a ring and the descriptor table come with the first handle that needs them.

use core::cell::{Cell, OnceCell, UnsafeCell};
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use uvring_core::driver::Driver;
use uvring_core::list::{self, Link};
use uvring_core::mpsc::Inbox;
use uvring_core::wheel::Wheel;

use super::finished::Finished;
use super::{Inner, Metrics, config, registry};
use crate::abi::*;
use crate::handle::{Handle, flag};
use crate::linger::Linger;
use crate::{mem, status};

/// `int uv_loop_init(uv_loop_t*)`: makes a loop of zeroed or uninitialised memory; `data` is kept.
///
/// # Returns
/// 0; `UV_ENOMEM`, `UV_EMFILE`, `UV_ENFILE`.
///
/// # Safety
/// `owner` is valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_init(owner: *mut uv_loop_t) -> c_int {
    let settings = config::Settings::from_environment();
    let inner = mem::alloc(size_of::<Inner>()).cast::<Inner>();
    if inner.is_null() {
        return UV_ENOMEM;
    }
    let driver = match Driver::new(settings.kind) {
        Ok(driver) => driver,
        Err(error) => {
            // SAFETY: our own block, of which nothing was made yet.
            unsafe { mem::free(inner.cast()) };
            return status::from_errno(error);
        }
    };
    // SAFETY: both are valid for writes; all-zero bytes are a valid uv_loop_t.
    unsafe {
        let data = (*owner).data.get();
        ptr::write_bytes(owner, 0, 1);
        (*owner).data.set(data);
        (*owner).update_time();
        make_inner(inner, owner, driver, &settings);
        (*owner).internal_fields.set(inner.cast());
        init_lists(owner);
        (*owner).async_wfd.set(-1);
        (*owner).signal_pipefd.set([-1, -1]);
        (*owner).emfile_fd.set(-1);
        (*owner).inotify_fd.set(-1);
        if settings.recursive {
            (*owner).flags.set(super::option::RECURSIVE);
        }
        config::show_descriptor(&*owner);
        super::watch::init(&raw mut (*owner).async_io_watcher, super::watch::tag::DOORBELL, -1);
        super::watch::init(&raw mut (*owner).signal_io_watcher, 0, -1);
        super::watch::init(&raw mut (*owner).inotify_read_watcher, 0, -1);
        registry::add(&*inner);
    }
    0
}

/// # Safety
/// `inner` is valid for writes, `owner` the loop it is for.
unsafe fn make_inner(
    inner: *mut Inner,
    owner: *mut uv_loop_t,
    driver: Driver,
    settings: &config::Settings,
) {
    // SAFETY: every field is written once, in place; the wheel is large and initialises itself.
    unsafe {
        (&raw mut (*inner).driver).write(UnsafeCell::new(driver));
        Wheel::init(&raw mut (*inner).wheel, (*owner).time.get());
        (&raw mut (*inner).ripe).write(Link::new());
        list::init(&raw const (*inner).ripe);
        (&raw mut (*inner).inbox).write(Inbox::new());
        (&raw mut (*inner).doorbell).write(OnceCell::new());
        (&raw mut (*inner).woken).write(Link::new());
        list::init(&raw const (*inner).woken);
        (&raw mut (*inner).async_counter).write(Cell::new(0));
        (&raw mut (*inner).depth).write(Cell::new(0));
        (&raw mut (*inner).serial).write(Cell::new(0));
        (&raw mut (*inner).lent).write(Cell::new((0, 0)));
        (&raw mut (*inner).coalesce).write(Cell::new(settings.coalesce));
        (&raw mut (*inner).spin_us).write(Cell::new(settings.spin_us));
        (&raw mut (*inner).jobs).write(Cell::new(0));
        (&raw mut (*inner).told).write(Cell::new(false));
        (&raw mut (*inner).linger).write(Cell::new(Linger::new()));
        (&raw mut (*inner).asked_ns).write(Cell::new(0));
        (&raw mut (*inner).send).write(crate::dispatch::send);
        (&raw mut (*inner).batch).write(Cell::new(0));
        (&raw mut (*inner).held).write(Link::new());
        list::init(&raw const (*inner).held);
        (&raw mut (*inner).sent).write(Link::new());
        list::init(&raw const (*inner).sent);
        (&raw mut (*inner).datagram).write(Cell::new((ptr::null(), ptr::null())));
        (&raw mut (*inner).metrics).write(Metrics::default());
        (&raw mut (*inner).finished).write(Finished::new());
        (*inner).finished.init();
        (&raw mut (*inner).late).write(Link::new());
        list::init(&raw const (*inner).late);
        (&raw mut (*inner).signals).write(Cell::new(ptr::null_mut()));
        (&raw mut (*inner).place).write(Link::new());
        (&raw mut (*inner).thread).write(Cell::new(0));
        (&raw mut (*inner).owner).write(Cell::new(owner));
    }
}

/// # Safety
/// `owner` is valid.
unsafe fn init_lists(owner: *mut uv_loop_t) {
    // SAFETY: the heads are part of the loop and stay where they are.
    unsafe {
        for head in [
            &raw const (*owner).handle_queue,
            &raw const (*owner).pending_queue,
            &raw const (*owner).watcher_queue,
            &raw const (*owner).wq,
            &raw const (*owner).process_handles,
            &raw const (*owner).prepare_handles,
            &raw const (*owner).check_handles,
            &raw const (*owner).idle_handles,
            &raw const (*owner).async_handles,
        ] {
            list::init(head);
        }
    }
}

/// `int uv_loop_close(uv_loop_t*)`: gives everything back. The memory is the program's again.
///
/// # Returns
/// 0; `UV_EBUSY` while handles are open or requests in flight.
///
/// # Safety
/// `owner` is an initialised loop that is not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_close(owner: *mut uv_loop_t) -> c_int {
    // SAFETY: the caller's promise; handles on the list are live.
    unsafe {
        if crate::req::any(&*owner) {
            return UV_EBUSY;
        }
        let head = &raw const (*owner).handle_queue;
        let mut next = list::first(head);
        while let Some(link) = next {
            let handle = link.byte_sub(core::mem::offset_of!(uv_handle_t, handle_queue));
            if !(*handle.cast::<uv_handle_t>()).has(flag::INTERNAL) {
                return UV_EBUSY;
            }
            next = list::after(head, link);
        }
        crate::threadpool::release_loop(owner);
        crate::signal::pipe::release(&*owner);
        crate::fs_event::release(&*owner);
        let inner = (*owner).internal_fields.get().cast::<Inner>();
        registry::remove(&*inner);
        if (*owner).emfile_fd.get() != -1 {
            let _ = uvring_core::socket::close((*owner).emfile_fd.replace(-1));
        }
        (*inner).driver().unwatch(&(*owner).async_io_watcher);
        ptr::drop_in_place(inner);
        mem::free(inner.cast());
        mem::free((*owner).watchers.replace(ptr::null_mut()).cast());
        (*owner).nwatchers.set(0);
        (*owner).internal_fields.set(ptr::null_mut());
        (*owner).backend_fd.set(-1);
        let _ =
            DEFAULT.compare_exchange(owner, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed);
    }
    0
}

/// `uv_loop_t* uv_loop_new(void)`: a loop in memory of the library's; NULL on failure. Deprecated:
/// [`uv_loop_init`] takes memory of the program's.
#[unsafe(no_mangle)]
pub extern "C" fn uv_loop_new() -> *mut uv_loop_t {
    let owner = mem::calloc(1, size_of::<uv_loop_t>()).cast::<uv_loop_t>();
    if owner.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: our own block; given back when it did not become a loop.
    unsafe {
        if uv_loop_init(owner) != 0 {
            mem::free(owner.cast());
            return ptr::null_mut();
        }
    }
    owner
}

/// `void uv_loop_delete(uv_loop_t*)`: closes a loop of [`uv_loop_new`] and frees it. Deprecated.
///
/// # Safety
/// `owner` came from uv_loop_new or uv_default_loop and has no open handles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_delete(owner: *mut uv_loop_t) {
    // SAFETY: the caller's promise. The default loop's memory is static.
    unsafe {
        let is_default = DEFAULT.load(Ordering::Acquire) == owner;
        if uv_loop_close(owner) == 0 && !is_default {
            mem::free(owner.cast());
        }
    }
}

/// Memory for the default loop, and the loop itself once it is open.
struct DefaultLoop(UnsafeCell<core::mem::MaybeUninit<uv_loop_t>>);

// SAFETY: the loop in it is used by one thread at a time, which is uv_default_loop's contract.
unsafe impl Sync for DefaultLoop {}

static DEFAULT_MEMORY: DefaultLoop = DefaultLoop(UnsafeCell::new(core::mem::MaybeUninit::zeroed()));
static DEFAULT: AtomicPtr<uv_loop_t> = AtomicPtr::new(ptr::null_mut());

/// `uv_loop_t* uv_default_loop(void)`: the process's own loop, made at the first call; NULL when it
/// cannot be made. Not thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn uv_default_loop() -> *mut uv_loop_t {
    let open = DEFAULT.load(Ordering::Acquire);
    if !open.is_null() {
        return open;
    }
    let owner = DEFAULT_MEMORY.0.get().cast::<uv_loop_t>();
    // SAFETY: static memory of the right size that no open loop uses.
    if unsafe { uv_loop_init(owner) } != 0 {
        return ptr::null_mut();
    }
    DEFAULT.store(owner, Ordering::Release);
    owner
}

/// `int uv_loop_fork(uv_loop_t*)`: makes the loop usable in the child of a fork. Its handles are the
/// child's; descriptors are shared with the parent.
///
/// # Returns
/// 0; what making a new epoll instance or eventfd says.
///
/// # Safety
/// `owner` is an initialised loop that does not run in this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_fork(owner: *mut uv_loop_t) -> c_int {
    // SAFETY: the caller's promise; nobody holds a reference to the driver between turns.
    unsafe {
        let inner = (*owner).internal_fields.get().cast::<Inner>();
        if let Err(error) = (*(*inner).driver.get()).after_fork() {
            return status::from_errno(error);
        }
        config::show_descriptor(&*owner);
        if let Err(code) = crate::signal::pipe::after_fork(&*owner) {
            return code;
        }
        let watching = crate::fs_event::after_fork(&*owner);
        if (*inner).doorbell.get().is_some() {
            // The eventfd is the parent's too: ringing it would wake the parent.
            (*inner).driver().unwatch(&(*owner).async_io_watcher);
            drop((*inner).doorbell.take());
            (*owner).async_wfd.set(-1);
            if let Err(code) = crate::r#async::want_doorbell(&*owner) {
                return code;
            }
            if super::poll::is_told(&*owner)
                && let Some(bell) = (*inner).doorbell.get()
            {
                bell.ring();
            }
        }
        // All else works, even if a path cannot be watched any more.
        watching.err().unwrap_or(0)
    }
}
