//! `UV_FS_EVENT_RECURSIVE`: a folder with all folders below it.
//!
//! inotify watches one folder at a time, so every folder below the handle's is watched too, on a
//! descriptor of the handle's own. A folder that appears may have been filled before it could be
//! watched. So what is found in it then is told as well, as `UV_RENAME`; the same may come a second
//! time, from the kernel.
//!
//! - Names are told as paths below the handle's folder; one longer than a path can be, as NULL.
//! - Symlinks are not followed. Folders that may not be read are left out.
//! - A folder that moves within the tree stays watched; one that leaves it does not.
//! - What inotify's limits keep from being watched (`UV_ENOSPC`, `UV_ENOMEM`, `UV_EMFILE`), fails
//!   uv_fs_event_start. Later the callback gets it as `status`, with the folder's name.
//! - Events that the kernel had no room for are `UV_ENOBUFS`, with NULL: the program should look at
//!   the whole tree. The tree is looked through here, too, so later events come again.
//!
//! - While the handle's own folder is not at its place (it was moved, say), new folders cannot be
//!   found: their `status` is `UV_ENOENT`.
//!
//! A folder is opened, watched under its name in /proc, and read: all three mean the same folder,
//! whatever happens to names meanwhile. Without /proc, uv_fs_event_start answers `UV_ENOENT`. The
//! handle's own folder is not kept open, or the kernel would not tell that it was deleted.

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{FileType, RawDir};
use uvring_core::driver::Watch;
use uvring_core::driver::ready::IN;
use uvring_core::list::{self, Link};
use uvring_core::{file, socket};

use super::folder::{Folder, Room, after_subtree, drop_all, is_inside};
use super::table::Table;
use super::{MASK, ROOM, kinds};
use crate::abi::*;
use crate::handle::Handle;
use crate::loop_::{call, watch};
use crate::{mem, status};

/// For the folders below: what happens to them themselves, their parents tell.
const INNER: WatchFlags = MASK
    .difference(WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF))
    .union(WatchFlags::ONLYDIR);

const OPEN: u32 = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NONBLOCK) as u32;

/// What a handle watches.
struct Tree {
    /// Of the inotify descriptor.
    watch: Watch,
    handle: Cell<*const uv_fs_event_t>,
    /// The whole path of the handle's folder: the program may change its own. A block.
    home: Cell<*mut c_char>,
    /// Which folder that is: device and inode.
    identity: (u64, u64),
    root: Cell<*mut Folder>,
    folders: Table<Folder>,
    /// Folders to be looked through, by their `todo`.
    todo: Link,
    /// The folder that the last event took from its place. If the next one does not say where it
    /// went, it has left the tree.
    moving: Cell<*mut Folder>,
    cookie: Cell<u32>,
    /// Counts how often the tree was looked through.
    round: Cell<u32>,
    /// Events are being handed out: who does that frees it.
    is_busy: Cell<bool>,
    /// The handle was stopped. Nothing is left but the memory.
    is_over: Cell<bool>,
}

/// Why folders are looked through.
#[derive(Clone, Copy, PartialEq)]
enum Why {
    /// The handle starts: errors end it, nothing is told.
    Start,
    /// They are new: what is in them is told.
    New,
    /// Events were lost: also folders that are known.
    Again,
}

/// The word of a handle that holds its tree, or 0.
pub(super) fn tree_of(handle: &uv_fs_event_t) -> &Cell<usize> {
    // SAFETY: all of the union's members are plain words, and fs_event uses no other.
    unsafe { &handle.u.words[0] }
}

/// Watches the handle's path with all below it; `None` when that is not wanted or not a folder.
pub(super) fn attach(this: &uv_fs_event_t, wants_all: bool) -> Option<Result<(), c_int>> {
    if !wants_all {
        return None;
    }
    // SAFETY: the handle's own copy, which ends with a NUL.
    let path = unsafe { CStr::from_ptr(this.path.get()) };
    let fd = match file::openat(file::CWD, path, OPEN, 0).map_err(status::from_errno) {
        Ok(fd) => fd,
        Err(UV_ENOTDIR) => return None,
        Err(code) => return Some(Err(code)),
    };
    let tree = Tree::open(this, fd);
    let _ = socket::close(fd);
    Some(tree.and_then(|tree| {
        let result = tree.start();
        if result.is_err() {
            tree.end();
        } else {
            tree_of(this).set(ptr::from_ref(tree) as usize);
        }
        result
    }))
}

/// Gives back what `attach` took, if it did.
pub(super) fn detach(this: &uv_fs_event_t) {
    // SAFETY: 0, or a tree of `attach`, which is the handle's until here.
    if let Some(tree) = unsafe { (tree_of(this).replace(0) as *const Tree).as_ref() } {
        tree.end();
    }
}

/// The part of uv_loop_fork: descriptors are the parent's, too, so each handle gets a new one.
///
/// # Errors
/// As uv_fs_event_start, of the first handle that cannot. It stays started and hears nothing.
pub(super) fn after_fork(owner: &uv_loop_t) -> Result<(), c_int> {
    let mut result = Ok(());
    // SAFETY: handles on the loop's list are live.
    unsafe {
        let head = &raw const owner.handle_queue;
        let mut next = list::first(head);
        while let Some(link) = next {
            next = list::after(head, link);
            let base = link.byte_sub(offset_of!(uv_handle_t, handle_queue)).cast::<uv_handle_t>();
            if (*base).r#type.get() == UV_FS_EVENT {
                let this = &*base.cast::<uv_fs_event_t>();
                if tree_of(this).get() != 0 {
                    detach(this);
                    let again = attach(this, true).unwrap_or(Err(UV_ENOTDIR));
                    result = result.and(again);
                }
            }
        }
    }
    result
}

/// The descriptor of a tree is readable.
pub(crate) fn ready(watch: *const Watch) {
    // SAFETY: by its tag it is a tree's, and a live watch's tree is live. `is_busy` keeps it so.
    unsafe {
        let tree = &*watch.byte_sub(offset_of!(Tree, watch)).cast::<Tree>();
        if tree.is_busy.replace(true) {
            return;
        }
        tree.hand_out();
        tree.is_busy.set(false);
        tree.free_if_over();
    }
}

impl Tree {
    /// A tree without folders, of the folder that is open.
    fn open(this: &uv_fs_event_t, root: c_int) -> Result<&'static Tree, c_int> {
        let info = file::fstat(root).map_err(status::from_errno)?;
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let fd = inotify::init(flags).map_err(status::from_errno)?;
        let home = real_path(root)?;
        let place = mem::alloc_one::<Tree>();
        let folders = match Table::new() {
            Some(folders) if !place.is_null() => folders,
            folders => {
                if let Some(folders) = folders {
                    folders.release();
                }
                // SAFETY: ours, or null.
                unsafe {
                    mem::free(home.cast());
                    mem::free(place.cast());
                }
                return Err(UV_ENOMEM);
            }
        };
        // SAFETY: a fresh block, which stays in place until `free_if_over`; its lists are made
        // there. The descriptor is the watch's from here on.
        unsafe {
            place.write(Tree {
                watch: Watch::new(),
                handle: Cell::new(this),
                home: Cell::new(home),
                identity: (info.st_dev, info.st_ino),
                root: Cell::new(ptr::null_mut()),
                folders,
                todo: Link::new(),
                moving: Cell::new(ptr::null_mut()),
                cookie: Cell::new(0),
                round: Cell::new(0),
                is_busy: Cell::new(false),
                is_over: Cell::new(false),
            });
            let tag = watch::tag::INOTIFY_TREE;
            watch::init(&raw mut (*place).watch, tag, fd.into_raw_fd());
            list::init(&raw const (*place).todo);
            Ok(&*place)
        }
    }

    /// Opens the handle's folder.
    fn open_home(&self) -> Result<c_int, c_int> {
        // SAFETY: the tree's own block, which ends with a NUL.
        let home = unsafe { CStr::from_ptr(self.home.get()) };
        let fd = file::openat(file::CWD, home, OPEN, 0).map_err(status::from_errno)?;
        match file::fstat(fd) {
            Ok(info) if (info.st_dev, info.st_ino) == self.identity => Ok(fd),
            _ => {
                let _ = socket::close(fd);
                Err(UV_ENOENT)
            }
        }
    }

    fn start(&self) -> Result<(), c_int> {
        let Some(root) = Folder::new(None, c"") else { return Err(UV_ENOMEM) };
        self.root.set(ptr::from_ref(root).cast_mut());
        self.look_through(root, Why::Start)?;
        watch::exactly(self.owner(), &self.watch, IN)
    }

    /// Stops everything, also in the middle of a report. The kernel forgets what it watches with
    /// the descriptor. (Taking back each watch would, after a fork, take it from the parent.)
    fn end(&self) {
        watch::close(self.owner(), &self.watch);
        let _ = socket::close(self.watch.fd.replace(-1));
        self.is_over.set(true);
        if !self.is_busy.get() {
            self.free_if_over();
        }
    }

    fn free_if_over(&self) {
        if !self.is_over.get() {
            return;
        }
        // SAFETY: folders are taken off `todo` and the table before they go; `moving` is one of the
        // tree or loose. Nobody has the tree any more: the handle let go of it.
        unsafe {
            while let Some(link) = list::pop_front(&raw const self.todo) {
                Folder::of_todo(link).drop_if_loose();
            }
            for top in [self.moving.get(), self.root.get()] {
                if let Some(top) = top.as_ref() {
                    drop_all(top, |_| {});
                }
            }
            self.folders.release();
            mem::free(self.home.get().cast());
            mem::free(ptr::from_ref(self).cast_mut().cast());
        }
    }

    fn owner(&self) -> &uv_loop_t {
        // SAFETY: a handle outlives its tree's activity, a loop its handles.
        unsafe { (*self.handle.get()).owner() }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: open until `end`, after which nobody asks.
        unsafe { BorrowedFd::borrow_raw(self.watch.fd.get()) }
    }

    /// Calls the program; nothing of the handle may be touched afterwards if the tree is over.
    fn tell(&self, name: Option<&CStr>, events: c_int, status: c_int) {
        // SAFETY: the tree is not over, so its handle is started.
        let this = unsafe { &*self.handle.get() };
        let Some(callback) = this.cb.get() else { return };
        let name = name.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the program's function, called with its own handle.
        call::out(this.owner(), || unsafe { callback(this.as_ptr(), name, events, status) });
    }

    /// The same, of an entry of a folder; or of the folder itself, when the name is empty.
    fn tell_of(&self, folder: &Folder, name: &CStr, events: c_int, status: c_int) {
        let mut room = Room::new();
        self.tell(room.path(folder, name), events, status);
    }
}

/// Handing out events.
impl Tree {
    /// Hands out what the kernel tells at once. If there is more, the next turn is told so.
    fn hand_out(&self) {
        let mut room = [MaybeUninit::uninit(); ROOM];
        let mut reader = Reader::new(self.descriptor(), &mut room);
        loop {
            let Ok(event) = reader.next() else {
                // Nothing more, so what moves does not come back.
                return self.left();
            };
            if self.is_moved(event.events(), event.cookie(), event.wd(), event.file_name()) {
                // As one change of two names.
            } else if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                self.lost();
            } else if let Some(folder) = self.folders.find(event.wd()) {
                self.happened(folder, event.events(), event.cookie(), event.file_name());
            }
            let is_whole = self.moving.get().is_null();
            if self.is_over.get() || (reader.is_buffer_empty() && is_whole) {
                return;
            }
        }
    }

    fn happened(&self, folder: &Folder, bits: ReadFlags, cookie: u32, name: Option<&CStr>) {
        let is_root = ptr::eq(folder, self.root.get());
        let Some(name) = name else {
            if is_root {
                let mut copy = super::Last::new();
                // SAFETY: the handle is started, so it has a path.
                let name = unsafe { copy.of((*self.handle.get()).path.get()) };
                self.tell(Some(name), kinds(bits), 0);
            } else if bits.contains(ReadFlags::UNMOUNT) {
                self.tell_of(folder, c"", kinds(bits), 0);
            }
            if !self.is_over.get() && bits.contains(ReadFlags::IGNORED) {
                self.forget(folder);
            }
            return;
        };
        let is_folder = bits.contains(ReadFlags::ISDIR);
        // Whether a folder came is in `kinds` too, but it is no reason for a rename.
        self.tell_of(folder, name, kinds(bits.difference(ReadFlags::ISDIR)), 0);
        if self.is_over.get() || !is_folder {
            return;
        }
        if bits.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            match Folder::new(Some(folder), name) {
                // What cannot be watched is told there; only a start fails.
                Some(new) => drop(self.look_through(new, Why::New)),
                None => self.tell_of(folder, name, 0, UV_ENOMEM),
            }
        } else if bits.contains(ReadFlags::MOVED_FROM) {
            let found = folder.child(name).map_or(ptr::null(), ptr::from_ref);
            self.moving.set(found.cast_mut());
            self.cookie.set(cookie);
        }
    }

    /// Whether the event says where the moving folder went. If it is another event, the folder has
    /// left the tree.
    fn is_moved(&self, bits: ReadFlags, cookie: u32, wd: c_int, name: Option<&CStr>) -> bool {
        // SAFETY: null, or a folder of the tree.
        let Some(moving) = (unsafe { self.moving.get().as_ref() }) else { return false };
        let target = self.folders.find(wd);
        let (Some(target), Some(name)) = (target, name) else {
            self.left();
            return false;
        };
        let is_pair = bits.contains(ReadFlags::MOVED_TO) && cookie == self.cookie.get();
        if !is_pair || is_inside(target, moving) || !moving.rename(name) {
            self.left();
            return false;
        }
        self.moving.set(ptr::null_mut());
        moving.move_to(target);
        self.tell_of(target, name, UV_RENAME as c_int, 0);
        true
    }

    /// What was moving is in the tree no more.
    fn left(&self) {
        // SAFETY: null, or a folder of the tree.
        if let Some(moving) = unsafe { self.moving.replace(ptr::null_mut()).as_ref() } {
            self.forget(moving);
        }
    }

    /// Watches a folder and all below it no longer.
    fn forget(&self, top: &Folder) {
        if ptr::eq(top, self.root.get()) {
            self.root.set(ptr::null_mut());
        }
        // The kernel may have stopped by itself.
        drop_all(top, |folder| {
            let _ = inotify::remove_watch(self.descriptor(), folder.wd.get());
            self.folders.remove(folder);
        });
    }

    /// The kernel had more to tell than it keeps.
    fn lost(&self) {
        // SAFETY: null, or a folder of the tree.
        if let Some(root) = unsafe { self.root.get().as_ref() } {
            let round = self.round.get().wrapping_add(1);
            self.round.set(round);
            // Errors were told; the tree may be over.
            let _ = self.look_through(root, Why::Again);
            let mut next = Some(root);
            while let Some(folder) = next {
                if self.is_over.get() {
                    return;
                }
                if folder.round.get() == round {
                    next = folder.first_child().or_else(|| after_subtree(folder));
                } else {
                    next = after_subtree(folder);
                    self.forget(folder);
                }
            }
        }
        if !self.is_over.get() {
            self.tell(None, 0, UV_ENOBUFS);
        }
    }
}

/// Finding folders.
impl Tree {
    /// Watches a folder and all below it. A loose one that is known already or is none is dropped.
    fn look_through(&self, top: &Folder, why: Why) -> Result<(), c_int> {
        let home = self.open_home();
        let result = self.look_through_at(home, top, why);
        if let Ok(home) = home {
            let _ = socket::close(home);
        }
        result
    }

    fn look_through_at(
        &self,
        home: Result<c_int, c_int>,
        top: &Folder,
        why: Why,
    ) -> Result<(), c_int> {
        // SAFETY: `todo` is the tree's; folders are on it once, when they are made or here.
        unsafe {
            list::push_back(&raw const self.todo, &raw const top.todo);
            while let Some(link) = list::pop_front(&raw const self.todo) {
                let folder = Folder::of_todo(link);
                let result = home.and_then(|home| self.look_into(home, folder, why));
                if why != Why::Start
                    && let Err(code) = result
                {
                    self.tell_of(folder, c"", 0, code);
                }
                folder.drop_if_loose();
                if self.is_over.get() {
                    return Ok(());
                }
                if why == Why::Start {
                    result?;
                }
            }
        }
        Ok(())
    }

    /// Watches one folder, and puts those in it on the list.
    fn look_into(&self, home: c_int, folder: &Folder, why: Why) -> Result<(), c_int> {
        let mut room = Room::new();
        let path = match folder.parent() {
            Some(_) => room.path(folder, c"").ok_or(UV_ENAMETOOLONG)?,
            None => c".",
        };
        let nofollow = libc::O_NOFOLLOW as u32;
        let fd = match file::openat(home, path, OPEN | nofollow, 0) {
            Ok(fd) => fd,
            Err(error) => return forgive(status::from_errno(error)),
        };
        let result = self.watch(folder, fd, why).and_then(|known| match known {
            Some(folder) => self.read(folder, fd, why),
            None => Ok(()),
        });
        let _ = socket::close(fd);
        result
    }

    /// Has the kernel watch a folder. Returns the one to be read: another one, if it is known and
    /// has moved; none, if there is nothing new in it.
    fn watch<'f>(
        &'f self,
        folder: &'f Folder,
        fd: c_int,
        why: Why,
    ) -> Result<Option<&'f Folder>, c_int> {
        let mut room = [0; 32];
        let mask = if folder.parent().is_none() { MASK } else { INNER };
        let wd = match inotify::add_watch(self.descriptor(), proc_path(fd, &mut room), mask) {
            Ok(wd) => wd,
            // Without the first one there is nothing to hear.
            Err(error) if folder.parent().is_none() => return Err(status::from_errno(error)),
            Err(error) => return forgive(status::from_errno(error)).map(|()| None),
        };
        let Some(known) = self.folders.find(wd) else {
            folder.wd.set(wd);
            folder.round.set(self.round.get());
            // SAFETY: it is loose, and leaves the table before it goes.
            unsafe { self.folders.insert(ptr::from_ref(folder).cast_mut()) };
            if let Some(parent) = folder.parent() {
                folder.move_to(parent);
            }
            return Ok(Some(folder));
        };
        let is_new_to_round = known.round.replace(self.round.get()) != self.round.get();
        if !ptr::eq(known, folder)
            && let Some(parent) = folder.parent()
        {
            // The same folder twice, by a mount, must not become its own parent.
            if is_inside(parent, known) || !known.rename(folder.name()) {
                return Ok(None);
            }
            known.move_to(parent);
        }
        Ok((why == Why::Again && is_new_to_round).then_some(known))
    }

    /// Puts the folders in a folder on the list; tells of everything in a new one.
    fn read(&self, folder: &Folder, fd: c_int, why: Why) -> Result<(), c_int> {
        let mut room = [MaybeUninit::uninit(); ROOM];
        // SAFETY: open until `look_into` closes it.
        let mut entries = RawDir::new(unsafe { BorrowedFd::borrow_raw(fd) }, &mut room);
        while let Some(entry) = entries.next() {
            let entry = match entry.map_err(status::from_errno) {
                Ok(entry) => entry,
                Err(code) => return forgive(code),
            };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if why == Why::New {
                self.tell_of(folder, name, UV_RENAME as c_int, 0);
                if self.is_over.get() {
                    return Ok(());
                }
            }
            if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                let inner = Folder::new(Some(folder), name).ok_or(UV_ENOMEM)?;
                // SAFETY: a new folder is on no list, and taken off before it goes.
                unsafe { list::push_back(&raw const self.todo, &raw const inner.todo) };
            }
        }
        Ok(())
    }
}

/// Folders that are gone already, are none, or may not be read, are nobody's mistake.
fn forgive(code: c_int) -> Result<(), c_int> {
    match code {
        UV_ENOENT | UV_ENOTDIR | UV_ELOOP | UV_EACCES | UV_EPERM => Ok(()),
        code => Err(code),
    }
}

/// The path of an open folder, in a block.
fn real_path(fd: c_int) -> Result<*mut c_char, c_int> {
    let mut room = [MaybeUninit::<u8>::uninit(); libc::PATH_MAX as usize];
    let mut name = [0; 32];
    let (path, rest) =
        rustix::fs::readlinkat_raw(rustix::fs::CWD, proc_path(fd, &mut name), &mut room)
            .map_err(status::from_errno)?;
    if rest.is_empty() {
        return Err(UV_ENAMETOOLONG);
    }
    let block = mem::alloc_array::<c_char>(path.len() + 1);
    if block.is_null() {
        return Err(UV_ENOMEM);
    }
    // SAFETY: a fresh block with room for the path and its NUL.
    unsafe {
        block.copy_from_nonoverlapping(path.as_ptr().cast(), path.len());
        block.add(path.len()).write(0);
    }
    Ok(block)
}

/// `/proc/self/fd/N`: the folder that is open, whatever its name is by now.
fn proc_path(fd: c_int, room: &mut [u8; 32]) -> &CStr {
    const START: &[u8] = b"/proc/self/fd/";
    let mut at = room.len() - 1;
    let mut rest = fd.unsigned_abs();
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= START.len();
    room[at..at + START.len()].copy_from_slice(START);
    CStr::from_bytes_until_nul(&room[at..]).unwrap_or(c"")
}
