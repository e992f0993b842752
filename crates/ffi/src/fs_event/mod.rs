//! `uv_fs_event_t`: a path is watched by inotify. Source: the manual's page on them.
//!
//! A loop has one inotify descriptor, made by its first uv_fs_event_start and given back by
//! uv_loop_close. The kernel numbers what it watches; handles whose paths lead to the same file or
//! folder share a number, and [`Table`] finds them by it. A callback may stop, start or close any
//! handle: those still to be called stand on a list that they take themselves off.
//!
//! ```text
//!   mod        the functions; one file or folder for each handle
//!   recursive  a folder with all folders below it
//!   folder     those folders
//!   table      records by the kernel's number
//! ```

mod folder;
pub(crate) mod recursive;
mod table;

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_uint};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use uvring_core::driver::ready::IN;
use uvring_core::list::{self, Link};
use uvring_core::socket;

use self::table::{Numbered, Table};
use crate::abi::*;
use crate::handle::{self, Handle};
use crate::loop_::{call, option, watch};
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
    next: Cell<*mut Watched>,
    /// The handles, by their `watchers`; during a report those that were called or are new.
    handles: Link,
    /// How many handles there are.
    count: Cell<usize>,
    /// Being reported: who reports frees it.
    is_busy: Cell<bool>,
}

impl Numbered for Watched {
    fn wd(&self) -> c_int {
        self.wd
    }

    fn next(&self) -> &Cell<*mut Watched> {
        &self.next
    }
}

/// A loop's watched files, in `inotify_watchers`.
type Watches = Table<Watched>;

/// An empty table in memory of its own; NULL when there is none.
fn new_table() -> *mut Watches {
    let place = mem::alloc_one::<Watches>();
    match Watches::new() {
        // SAFETY: a fresh block.
        Some(table) if !place.is_null() => unsafe { place.write(table) },
        table => {
            if let Some(table) = table {
                table.release();
            }
            // SAFETY: ours, or null.
            unsafe { mem::free(place.cast()) };
            return ptr::null_mut();
        }
    }
    place
}

/// The record of a number; a new one without handles if there is none.
fn find_or_add(table: &Watches, wd: c_int) -> Option<&Watched> {
    if table.find(wd).is_none() {
        let watched = mem::alloc_one::<Watched>();
        if watched.is_null() {
            return None;
        }
        // SAFETY: a fresh block, which stays in place; its list is made there.
        unsafe {
            watched.write(Watched {
                wd,
                next: Cell::new(ptr::null_mut()),
                handles: Link::new(),
                count: Cell::new(0),
                is_busy: Cell::new(false),
            });
            list::init(&raw const (*watched).handles);
            table.insert(watched);
        }
    }
    table.find(wd)
}

/// Takes a record out, and frees it unless it is being reported.
fn drop_record(table: &Watches, watched: &Watched) {
    table.remove(watched);
    watched.count.set(0);
    if !watched.is_busy.get() {
        // SAFETY: out of its table, and nobody else has it.
        unsafe { mem::free(ptr::from_ref(watched).cast_mut().cast()) };
    }
}

/// Gives a table back, and all its records.
///
/// # Safety
/// It is a loop's no longer, and no handle is on a list of its records.
unsafe fn release_table(table: &Watches) {
    while let Some(watched) = table.any() {
        drop_record(table, watched);
    }
    table.release();
    // SAFETY: made by `new_table`, and freed once.
    unsafe { mem::free(ptr::from_ref(table).cast_mut().cast()) };
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
    let table = new_table();
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
            release_table(&*table);
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
    unsafe { release_table(table) };
}

/// The part of uv_loop_fork: the old descriptor is the parent's. Started handles watch their paths
/// anew.
///
/// # Errors
/// As uv_fs_event_start, from the first path that cannot be watched any more. Its handle stays
/// started and hears nothing; the other handles work.
pub(crate) fn after_fork(owner: &uv_loop_t) -> Result<(), c_int> {
    let trees = recursive::after_fork(owner);
    let Some(old) = table(owner) else { return trees };
    let old_fd = owner.inotify_fd.get();
    watch::close(owner, &owner.inotify_read_watcher);
    open(owner)?;
    let mut result = trees;
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
        release_table(old);
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
        recursive::tree_of(this).set(0);
    }
    0
}

/// `int uv_fs_event_start(uv_fs_event_t*, uv_fs_event_cb, const char* path, unsigned int flags)`:
/// calls whenever the file at `path` changes or, if it is a folder, an entry of it. What happens in
/// folders below is not told. The path is looked up now: the handle stays with the file it found,
/// wherever that moves. `flags` change nothing, as in libuv on Linux; only if the loop was told
/// `UVRING_FS_EVENT_RECURSIVE` (`uvring_loop_configure`), `UV_FS_EVENT_RECURSIVE` on a folder has
/// all folders below it watched, too, and new ones as they come; see the module `recursive`.
///
/// The callback's `filename` is the entry's name in the folder, or the last part of `path` when
/// `path` itself is meant; it is valid during the callback. `events` are `UV_CHANGE`, `UV_RENAME`
/// or both. `status` is 0, or says what a recursive handle may have missed and why.
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
    // SAFETY: the caller's promise.
    unsafe {
        let this = &*handle;
        if this.has(handle::flag::ACTIVE) || this.is_closing() || cb.is_none() || path.is_null() {
            return UV_EINVAL;
        }
        let size = libc::strlen(path) + 1;
        let copy = mem::alloc_array::<c_char>(size);
        if copy.is_null() {
            return UV_ENOMEM;
        }
        copy.copy_from_nonoverlapping(path, size);
        this.path.set(copy);
        let wants_all =
            flags & UV_FS_EVENT_RECURSIVE != 0 && this.owner().flags.get() & option::RECURSIVE != 0;
        let attached = match recursive::attach(this, wants_all) {
            Some(result) => result,
            None => attach(this),
        };
        if let Err(code) = attached {
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
    if table(owner).is_none() {
        open(owner)?;
    }
    let Some(table) = table(owner) else { return Err(UV_EINVAL) };
    // SAFETY: the handle's own copy, which ends with a NUL.
    let path = unsafe { CStr::from_ptr(this.path.get()) };
    let wd = inotify::add_watch(descriptor(owner), path, MASK).map_err(status::from_errno)?;
    let Some(watched) = find_or_add(table, wd) else {
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
    recursive::detach(this);
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
            drop_record(table, watched);
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
        let events = kinds(event.events());
        let is_last = event.events().contains(ReadFlags::IGNORED);
        report(owner, event.wd(), event.file_name(), events, is_last);
        // A callback may have forked and given the child's loop another descriptor.
        if reader.is_buffer_empty() || owner.inotify_fd.get() != fd {
            return;
        }
    }
}

/// What the program is told of what the kernel tells.
fn kinds(bits: ReadFlags) -> c_int {
    let change = if bits.intersects(CHANGES) { UV_CHANGE as c_int } else { 0 };
    let rename = if bits.intersects(!CHANGES) { UV_RENAME as c_int } else { 0 };
    change | rename
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

/// A copy of a path's last part: the callback may stop the handle, which frees the path.
struct Last([u8; NAME]);

impl Last {
    fn new() -> Self {
        Last([0; NAME])
    }

    /// # Safety
    /// `path` is a C string.
    unsafe fn of(&mut self, path: *const c_char) -> &CStr {
        // SAFETY: the caller's promise.
        let path = unsafe { os::bytes(path) };
        let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        let len = last.len().min(NAME - 1);
        self.0[..len].copy_from_slice(&last[..len]);
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// # Safety
/// `this` is a started handle.
unsafe fn call_one(owner: &uv_loop_t, this: &uv_fs_event_t, name: Option<&CStr>, events: c_int) {
    let Some(callback) = this.cb.get() else { return };
    let mut copy = Last::new();
    let name = match name {
        Some(name) => name.as_ptr(),
        // SAFETY: a started handle has a path.
        None => unsafe { copy.of(this.path.get()) }.as_ptr(),
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
        drop_record(table, watched);
    }
}
