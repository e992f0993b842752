//! `uv_fs_event_t`: a path is watched by inotify. Source: the manual's page on them.
//!
//! A loop has one inotify descriptor, made by its first uv_fs_event_start and given back by
//! uv_loop_close. The kernel numbers what it watches; handles whose paths lead to the same file or
//! folder share a number, and [`Watches`] finds them by it. A callback may stop, start or close any
//! handle: those still to be called stand on a list that they take themselves off.

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_uint};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use uvring_core::driver::ready::IN;
use uvring_core::list::{self, Link};
use uvring_core::socket;

use crate::abi::*;
use crate::handle::{self, Handle};
use crate::loop_::{call, watch};
use crate::{mem, os, status};

/// What is asked of the kernel.
const MASK: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO);

/// What counts as a change. All else is a rename, as programs know it from libuv: also that a
/// folder is meant, and that the kernel watches no longer.
const CHANGES: ReadFlags = ReadFlags::ATTRIB.union(ReadFlags::MODIFY);

/// Room for what the kernel tells at once.
const ROOM: usize = 8192;

/// Room for the last part of a path, with its NUL.
const NAME: usize = 256;

/// One number of the kernel's, and the handles that share it.
struct Watched {
    wd: c_int,
    /// The next one in its bucket.
    next: Cell<*mut Watched>,
    /// The handles, by their `watchers`; during a report those that were called or are new.
    handles: Link,
    /// How many handles there are.
    count: Cell<usize>,
    /// Being reported: who reports frees it.
    is_busy: Cell<bool>,
}

/// A loop's watched files by number, in `inotify_watchers`. The kernel counts upwards, so the low
/// bits spread evenly.
struct Watches {
    buckets: Cell<*mut Cell<*mut Watched>>,
    /// A power of two.
    capacity: Cell<usize>,
    count: Cell<usize>,
}

impl Watches {
    /// An empty table in memory of its own; NULL when there is none.
    fn new() -> *mut Watches {
        const CAPACITY: usize = 16;
        let table = mem::alloc_one::<Watches>();
        let buckets = make_buckets(CAPACITY);
        // SAFETY: fresh blocks, each written or given back.
        unsafe {
            if table.is_null() || buckets.is_null() {
                mem::free(buckets.cast());
                mem::free(table.cast());
                return ptr::null_mut();
            }
            let (capacity, count) = (Cell::new(CAPACITY), Cell::new(0));
            table.write(Watches { buckets: Cell::new(buckets), capacity, count });
        }
        table
    }

    fn bucket(&self, wd: c_int) -> &Cell<*mut Watched> {
        let index = wd.cast_unsigned() as usize & (self.capacity.get() - 1);
        // SAFETY: there are `capacity` buckets, a power of two.
        unsafe { &*self.buckets.get().add(index) }
    }

    fn find(&self, wd: c_int) -> Option<&Watched> {
        // SAFETY: null, or a live record: records leave the table before they are freed.
        let mut next = unsafe { self.bucket(wd).get().as_ref() };
        while let Some(watched) = next {
            if watched.wd == wd {
                return Some(watched);
            }
            // SAFETY: as above.
            next = unsafe { watched.next.get().as_ref() };
        }
        None
    }

    /// The record of a number; a new one without handles if there is none.
    fn find_or_add(&self, wd: c_int) -> Option<&Watched> {
        if let Some(watched) = self.find(wd) {
            return Some(watched);
        }
        let watched = mem::alloc_one::<Watched>();
        if watched.is_null() {
            return None;
        }
        self.grow();
        let bucket = self.bucket(wd);
        // SAFETY: a fresh block, which stays in place; its list is made there.
        unsafe {
            watched.write(Watched {
                wd,
                next: Cell::new(bucket.get()),
                handles: Link::new(),
                count: Cell::new(0),
                is_busy: Cell::new(false),
            });
            list::init(&raw const (*watched).handles);
            bucket.set(watched);
            self.count.set(self.count.get() + 1);
            Some(&*watched)
        }
    }

    /// Keeps buckets short. Without memory they become longer, and nothing fails.
    fn grow(&self) {
        let old = self.capacity.get();
        if self.count.get() < old {
            return;
        }
        let buckets = make_buckets(old * 2);
        if buckets.is_null() {
            return;
        }
        let from = self.buckets.replace(buckets);
        self.capacity.set(old * 2);
        for index in 0..old {
            // SAFETY: the old table has `old` buckets of live records.
            unsafe {
                let mut next = (*from.add(index)).get();
                while let Some(watched) = next.as_ref() {
                    next = watched.next.get();
                    let bucket = self.bucket(watched.wd);
                    watched.next.set(bucket.get());
                    bucket.set(ptr::from_ref(watched).cast_mut());
                }
            }
        }
        // SAFETY: ours, and replaced.
        unsafe { mem::free(from.cast()) };
    }

    /// Takes a record out, and frees it unless it is being reported.
    fn drop_record(&self, watched: &Watched) {
        let mut place = self.bucket(watched.wd);
        // SAFETY: live records, ending with null.
        unsafe {
            while let Some(other) = place.get().as_ref() {
                if ptr::eq(other, watched) {
                    place.set(watched.next.get());
                    self.count.set(self.count.get() - 1);
                    break;
                }
                place = &other.next;
            }
            watched.count.set(0);
            if !watched.is_busy.get() {
                mem::free(ptr::from_ref(watched).cast_mut().cast());
            }
        }
    }

    /// Gives the table back, and all its records.
    ///
    /// # Safety
    /// It is a loop's no longer, and no handle is on a list of its records.
    unsafe fn release(&self) {
        for index in 0..self.capacity.get() {
            // SAFETY: within the table; live records.
            unsafe {
                while let Some(watched) = (*self.buckets.get().add(index)).get().as_ref() {
                    self.drop_record(watched);
                }
            }
        }
        // SAFETY: ours, and freed once.
        unsafe {
            mem::free(self.buckets.get().cast());
            mem::free(ptr::from_ref(self).cast_mut().cast());
        }
    }
}

fn make_buckets(count: usize) -> *mut Cell<*mut Watched> {
    mem::calloc(count, size_of::<Cell<*mut Watched>>()).cast()
}

/// The loop's table, if it was made.
fn table(owner: &uv_loop_t) -> Option<&Watches> {
    // SAFETY: null, or made by `open` and live until `release`.
    unsafe { owner.inotify_watchers.get().cast::<Watches>().as_ref() }
}

fn descriptor(owner: &uv_loop_t) -> BorrowedFd<'_> {
    // SAFETY: a loop with a table has a descriptor, which is open until `release`.
    unsafe { BorrowedFd::borrow_raw(owner.inotify_fd.get()) }
}

/// Makes a descriptor and an empty table, and watches the descriptor. What the loop had before is
/// the caller's to give back.
fn open(owner: &uv_loop_t) -> Result<(), c_int> {
    let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
    let fd = inotify::init(flags).map_err(status::from_errno)?;
    let table = Watches::new();
    if table.is_null() {
        return Err(UV_ENOMEM);
    }
    let fd = fd.into_raw_fd();
    let watch = &owner.inotify_read_watcher;
    // SAFETY: the watch is part of the loop and off; the table is fresh.
    unsafe {
        watch::init(ptr::from_ref(watch).cast_mut(), watch::tag::INOTIFY, fd);
        if let Err(code) = watch::exactly(owner, watch, IN) {
            watch.fd.set(-1);
            let _ = socket::close(fd);
            (*table).release();
            return Err(code);
        }
    }
    owner.inotify_watchers.set(table.cast());
    owner.inotify_fd.set(fd);
    Ok(())
}

/// The part of uv_loop_close: no handle is open.
pub(crate) fn release(owner: &uv_loop_t) {
    let Some(table) = table(owner) else { return };
    watch::close(owner, &owner.inotify_read_watcher);
    owner.inotify_read_watcher.fd.set(-1);
    owner.inotify_watchers.set(ptr::null_mut());
    let _ = socket::close(owner.inotify_fd.replace(-1));
    // SAFETY: taken off the loop; handles that were closed have left their records.
    unsafe { table.release() };
}

/// The part of uv_loop_fork: the old descriptor is the parent's. Started handles watch their paths
/// anew.
///
/// # Errors
/// As uv_fs_event_start, from the first path that cannot be watched any more. Its handle stays
/// started and hears nothing; the other handles work.
pub(crate) fn after_fork(owner: &uv_loop_t) -> Result<(), c_int> {
    let Some(old) = table(owner) else { return Ok(()) };
    let old_fd = owner.inotify_fd.get();
    watch::close(owner, &owner.inotify_read_watcher);
    open(owner)?;
    let mut result = Ok(());
    // SAFETY: handles on the loop's list are live. When each has left its old record, the old
    // table may go.
    unsafe {
        let head = &raw const owner.handle_queue;
        let mut next = list::first(head);
        while let Some(link) = next {
            next = list::after(head, link);
            let base = link.byte_sub(offset_of!(uv_handle_t, handle_queue)).cast::<uv_handle_t>();
            if (*base).r#type.get() != UV_FS_EVENT {
                continue;
            }
            let this = &*base.cast::<uv_fs_event_t>();
            if this.wd.replace(-1) != -1 {
                list::remove(&raw const this.watchers);
                result = result.and(attach(this));
            }
        }
        old.release();
    }
    let _ = socket::close(old_fd);
    result
}

/// `int uv_fs_event_init(uv_loop_t*, uv_fs_event_t*)`: makes the handle. Always 0.
///
/// # Safety
/// `owner` is an initialised loop, `handle` valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_init(
    owner: *mut uv_loop_t,
    handle: *mut uv_fs_event_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        handle::init(owner, handle.cast(), UV_FS_EVENT);
        let this = &*handle;
        this.path.set(ptr::null_mut());
        this.cb.set(None);
        this.wd.set(-1);
        list::init(&raw const this.watchers);
    }
    0
}

/// `int uv_fs_event_start(uv_fs_event_t*, uv_fs_event_cb, const char* path, unsigned int flags)`:
/// calls whenever the file at `path` changes or, if it is a folder, an entry of it. What happens in
/// folders below is not told. The path is looked up now: the handle stays with the file it found,
/// wherever that moves. `flags` are accepted and change nothing on Linux.
///
/// The callback's `filename` is the entry's name in the folder, or the last part of `path` when
/// `path` itself is meant; it is valid during the callback. `events` are `UV_CHANGE`, `UV_RENAME`
/// or both. `status` is 0.
///
/// # Returns
/// 0; `UV_EINVAL` when the handle is started or closing, or `cb` or `path` is NULL; `UV_ENOENT`,
/// `UV_EACCES`, `UV_ENOSPC` and what else inotify_add_watch(2) says; `UV_EMFILE`, `UV_ENOMEM`.
///
/// # Safety
/// `handle` is initialised; `path` is NULL or a C string, which is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_start(
    handle: *mut uv_fs_event_t,
    cb: uv_fs_event_cb,
    path: *const c_char,
    flags: c_uint,
) -> c_int {
    let _ = flags;
    // SAFETY: the caller's promise.
    unsafe {
        let this = &*handle;
        if this.has(handle::flag::ACTIVE) || this.is_closing() || cb.is_none() || path.is_null() {
            return UV_EINVAL;
        }
        if table(this.owner()).is_none()
            && let Err(code) = open(this.owner())
        {
            return code;
        }
        let size = libc::strlen(path) + 1;
        let copy = mem::alloc_array::<c_char>(size);
        if copy.is_null() {
            return UV_ENOMEM;
        }
        copy.copy_from_nonoverlapping(path, size);
        this.path.set(copy);
        if let Err(code) = attach(this) {
            this.path.set(ptr::null_mut());
            mem::free(copy.cast());
            return code;
        }
        this.cb.set(cb);
        this.start();
    }
    0
}

/// Has the kernel watch the handle's path, and puts the handle where its number leads.
fn attach(this: &uv_fs_event_t) -> Result<(), c_int> {
    let owner = this.owner();
    let Some(table) = table(owner) else { return Err(UV_EINVAL) };
    // SAFETY: the handle's own copy, which ends with a NUL.
    let path = unsafe { CStr::from_ptr(this.path.get()) };
    let wd = inotify::add_watch(descriptor(owner), path, MASK).map_err(status::from_errno)?;
    let Some(watched) = table.find_or_add(wd) else {
        // Nobody else has this number, or there would be a record.
        let _ = inotify::remove_watch(descriptor(owner), wd);
        return Err(UV_ENOMEM);
    };
    watched.count.set(watched.count.get() + 1);
    this.wd.set(wd);
    // SAFETY: the handle was on no list, and leaves this one before it goes away.
    unsafe { list::push_back(&raw const watched.handles, &raw const this.watchers) };
    Ok(())
}

/// `int uv_fs_event_stop(uv_fs_event_t*)`: the callback is not called any more. Always 0.
///
/// # Safety
/// `handle` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_event_stop(handle: *mut uv_fs_event_t) -> c_int {
    // SAFETY: the caller's promise.
    stop(unsafe { &*handle });
    0
}

/// Stops a handle, also one that is about to be called.
pub(crate) fn stop(this: &uv_fs_event_t) {
    if !this.has(handle::flag::ACTIVE) {
        return;
    }
    this.stop();
    let owner = this.owner();
    let wd = this.wd.replace(-1);
    // SAFETY: the link is initialised. The path is the handle's own.
    unsafe {
        list::remove(&raw const this.watchers);
        mem::free(this.path.replace(ptr::null_mut()).cast());
    }
    if let Some(table) = table(owner)
        && let Some(watched) = table.find(wd)
    {
        watched.count.set(watched.count.get() - 1);
        if watched.count.get() == 0 {
            // It may be gone already, which the kernel has yet to tell us.
            let _ = inotify::remove_watch(descriptor(owner), wd);
            table.drop_record(watched);
        }
    }
}

/// `int uv_fs_event_getpath(uv_fs_event_t*, char* buffer, size_t* size)`: the path that the handle
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
pub unsafe extern "C" fn uv_fs_event_getpath(
    handle: *mut uv_fs_event_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if !(*handle).has(handle::flag::ACTIVE) {
            if !size.is_null() {
                *size = 0;
            }
            return UV_EINVAL;
        }
        os::put(os::bytes((*handle).path.get()), buffer, size)
    }
}

/// The descriptor is readable: hands out what the kernel tells at once. If there is more, the next
/// turn is told so.
pub(crate) fn ready(owner: &uv_loop_t) {
    let fd = owner.inotify_fd.get();
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut reader = Reader::new(descriptor(owner), &mut room);
    while let Ok(event) = reader.next() {
        let mut events = 0;
        if event.events().intersects(CHANGES) {
            events |= UV_CHANGE as c_int;
        }
        if event.events().intersects(!CHANGES) {
            events |= UV_RENAME as c_int;
        }
        let is_last = event.events().contains(ReadFlags::IGNORED);
        report(owner, event.wd(), event.file_name(), events, is_last);
        // A callback may have forked and given the child's loop another descriptor.
        if reader.is_buffer_empty() || owner.inotify_fd.get() != fd {
            return;
        }
    }
}

/// Calls the handles of a number.
fn report(owner: &uv_loop_t, wd: c_int, name: Option<&CStr>, events: c_int, is_last: bool) {
    let Some(watched) = table(owner).and_then(|table| table.find(wd)) else { return };
    let due = Link::new();
    watched.is_busy.set(true);
    // SAFETY: the lists hold `watchers` of live handles; one that stops takes itself off, so `due`
    // is empty when it goes away. `is_busy` keeps the record in place.
    unsafe {
        list::init(&raw const due);
        list::take(&raw const watched.handles, &raw const due);
        while let Some(link) = list::pop_front(&raw const due) {
            let this = &*link.byte_sub(offset_of!(uv_fs_event_t, watchers)).cast();
            list::push_back(&raw const watched.handles, link);
            call_one(owner, this, name, events);
        }
        watched.is_busy.set(false);
        if watched.count.get() == 0 {
            // All were stopped; the record has left its table.
            mem::free(ptr::from_ref(watched).cast_mut().cast());
        } else if is_last {
            forget(owner, watched);
        }
    }
}

/// # Safety
/// `this` is a started handle.
unsafe fn call_one(owner: &uv_loop_t, this: &uv_fs_event_t, name: Option<&CStr>, events: c_int) {
    let Some(callback) = this.cb.get() else { return };
    // The callback may stop the handle, which frees the path.
    let mut copy: [c_char; NAME] = [0; NAME];
    let name = match name {
        Some(name) => name.as_ptr(),
        None => {
            // SAFETY: a started handle has a path.
            let path = unsafe { os::bytes(this.path.get()) };
            let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
            for (to, &byte) in copy[..NAME - 1].iter_mut().zip(last) {
                *to = byte.cast_signed();
            }
            copy.as_ptr()
        }
    };
    // SAFETY: the program's function, called with its own handle.
    call::out(owner, || unsafe { callback(this.as_ptr(), name, events, 0) });
}

/// The kernel watches no longer, because the file is gone. Its handles stay started, as programs
/// expect, and are on no record.
fn forget(owner: &uv_loop_t, watched: &Watched) {
    // SAFETY: the list holds `watchers` of live handles.
    unsafe {
        while let Some(link) = list::pop_front(&raw const watched.handles) {
            let this = &*link.byte_sub(offset_of!(uv_fs_event_t, watchers)).cast::<uv_fs_event_t>();
            this.wd.set(-1);
        }
    }
    if let Some(table) = table(owner) {
        table.drop_record(watched);
    }
}
