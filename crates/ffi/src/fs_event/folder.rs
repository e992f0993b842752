//! The folders of a recursive handle: who is in whom, and under what name.

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int};
use core::mem::offset_of;
use core::ptr;

use uvring_core::list::{self, Link};

use super::table::Numbered;
use crate::mem;

/// One folder. Loose until it is watched; then on its parent's list.
pub(super) struct Folder {
    /// The kernel's number; -1: loose.
    pub(super) wd: Cell<c_int>,
    next: Cell<*mut Folder>,
    /// Null for the handle's own.
    parent: Cell<*const Folder>,
    /// A block of its own.
    name: Cell<*mut c_char>,
    /// Those in it that are watched, by their `place`.
    children: Link,
    place: Link,
    /// On the list of those to be looked through.
    pub(super) todo: Link,
    /// When it was looked through last.
    pub(super) round: Cell<u32>,
}

impl Numbered for Folder {
    fn wd(&self) -> c_int {
        self.wd.get()
    }

    fn next(&self) -> &Cell<*mut Folder> {
        &self.next
    }
}

/// A copy of a name; NULL without memory.
fn copy(name: &CStr) -> *mut c_char {
    let size = name.count_bytes() + 1;
    let block = mem::alloc_array::<c_char>(size);
    if !block.is_null() {
        // SAFETY: a fresh block of that size.
        unsafe { block.copy_from_nonoverlapping(name.as_ptr(), size) };
    }
    block
}

impl Folder {
    /// A loose folder, if there is memory. The parent outlives it.
    pub(super) fn new(parent: Option<&Folder>, name: &CStr) -> Option<&'static Folder> {
        let (place, name) = (mem::alloc_one::<Folder>(), copy(name));
        // SAFETY: fresh blocks, written in place or given back.
        unsafe {
            if place.is_null() || name.is_null() {
                mem::free(place.cast());
                mem::free(name.cast());
                return None;
            }
            place.write(Folder {
                wd: Cell::new(-1),
                next: Cell::new(ptr::null_mut()),
                parent: Cell::new(parent.map_or(ptr::null(), ptr::from_ref)),
                name: Cell::new(name),
                children: Link::new(),
                place: Link::new(),
                todo: Link::new(),
                round: Cell::new(0),
            });
            for link in
                [&raw const (*place).children, &raw const (*place).place, &raw const (*place).todo]
            {
                list::init(link);
            }
            Some(&*place)
        }
    }

    /// # Safety
    /// `link` is the `todo` of a live folder.
    pub(super) unsafe fn of_todo<'f>(link: *const Link) -> &'f Folder {
        // SAFETY: the caller's promise.
        unsafe { &*link.byte_sub(offset_of!(Folder, todo)).cast() }
    }

    /// # Safety
    /// `link` is the `place` of a live folder.
    unsafe fn of_place<'f>(link: *const Link) -> &'f Folder {
        // SAFETY: the caller's promise.
        unsafe { &*link.byte_sub(offset_of!(Folder, place)).cast() }
    }

    pub(super) fn parent(&self) -> Option<&Folder> {
        // SAFETY: null, or live: who drops a folder drops what is in it.
        unsafe { self.parent.get().as_ref() }
    }

    pub(super) fn name(&self) -> &CStr {
        // SAFETY: its own block, which ends with a NUL.
        unsafe { CStr::from_ptr(self.name.get()) }
    }

    /// Whether there was memory for the new name.
    pub(super) fn rename(&self, name: &CStr) -> bool {
        let new = copy(name);
        if new.is_null() {
            return false;
        }
        // SAFETY: its own block.
        unsafe { mem::free(self.name.replace(new).cast()) };
        true
    }

    /// Puts it into a folder, which is not in it.
    pub(super) fn move_to(&self, parent: &Folder) {
        self.parent.set(parent);
        // SAFETY: `new` initialised the links.
        unsafe {
            list::remove(&raw const self.place);
            list::push_back(&raw const parent.children, &raw const self.place);
        }
    }

    pub(super) fn first_child(&self) -> Option<&Folder> {
        // SAFETY: the list holds the places of live folders.
        unsafe { list::first(&raw const self.children).map(|link| Self::of_place(link)) }
    }

    /// The folder of this name in it; the last that came, should there have been several.
    pub(super) fn child(&self, name: &CStr) -> Option<&Folder> {
        let mut found = None;
        let mut next = self.first_child();
        while let Some(child) = next {
            if child.name() == name {
                found = Some(child);
            }
            next = self.child_after(child);
        }
        found
    }

    fn child_after(&self, child: &Folder) -> Option<&Folder> {
        let head = &raw const self.children;
        // SAFETY: `child` is on this list, of places of live folders.
        unsafe { list::after(head, &raw const child.place).map(|link| Self::of_place(link)) }
    }

    /// Frees it if it was never watched.
    ///
    /// # Safety
    /// It is not used any more if it is loose.
    pub(super) unsafe fn drop_if_loose(&self) {
        if self.wd.get() == -1 && self.parent().is_some() {
            // SAFETY: the caller's promise.
            unsafe { self.free() };
        }
    }

    /// # Safety
    /// Nothing is in it, and it is not used any more.
    unsafe fn free(&self) {
        // SAFETY: the caller's promise; its own blocks.
        unsafe {
            list::remove(&raw const self.place);
            list::remove(&raw const self.todo);
            mem::free(self.name.get().cast());
            mem::free(ptr::from_ref(self).cast_mut().cast());
        }
    }
}

/// Whether `folder` is `other` or somewhere in it.
pub(super) fn is_inside(folder: &Folder, other: &Folder) -> bool {
    let mut next = Some(folder);
    while let Some(folder) = next {
        if ptr::eq(folder, other) {
            return true;
        }
        next = folder.parent();
    }
    false
}

/// The first folder behind all that is in this one; none behind the last.
pub(super) fn after_subtree(folder: &Folder) -> Option<&Folder> {
    let mut folder = folder;
    while let Some(parent) = folder.parent() {
        if let Some(next) = parent.child_after(folder) {
            return Some(next);
        }
        folder = parent;
    }
    None
}

/// Frees a folder and all in it, the innermost first; `before` sees each.
pub(super) fn drop_all(top: &Folder, before: impl Fn(&Folder)) {
    let mut folder = top;
    loop {
        while let Some(child) = folder.first_child() {
            folder = child;
        }
        let (parent, is_top) = (folder.parent.get(), ptr::eq(folder, top));
        before(folder);
        // SAFETY: nothing is in it. The parent is live, and below or at `top`, unless this is it.
        unsafe {
            folder.free();
            if is_top {
                return;
            }
            folder = &*parent;
        }
    }
}

/// Room for a path and its NUL.
pub(super) struct Room([u8; Room::SIZE]);

impl Room {
    const SIZE: usize = libc::PATH_MAX as usize;

    pub(super) fn new() -> Self {
        Room([0; Room::SIZE])
    }

    /// The path of what is called `name` in `folder`, or of the folder itself if that is empty,
    /// below the handle's own folder; none if it is too long.
    pub(super) fn path(&mut self, folder: &Folder, name: &CStr) -> Option<&CStr> {
        let mut at = Room::SIZE - 1;
        let mut next = Some(folder);
        let mut part = name.to_bytes();
        loop {
            if !part.is_empty() {
                let slash = usize::from(at != Room::SIZE - 1);
                at = at.checked_sub(part.len() + slash)?;
                self.0[at..at + part.len()].copy_from_slice(part);
                if slash == 1 {
                    self.0[at + part.len()] = b'/';
                }
            }
            let Some(folder) = next else { break };
            part = folder.name().to_bytes();
            next = folder.parent();
        }
        CStr::from_bytes_until_nul(&self.0[at..]).ok()
    }
}
