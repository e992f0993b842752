//! Where the pool's threads sleep: one bed for all threads for names, and one for each worker, so that
//! mostly the worker who lay down last is woken. What he had to do with is still in the cache; and
//! if he is only about to lie down, the kernel need not be asked.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use uvring_core::list::{self, Link};

use crate::status;
use crate::thread::{abort, must};

/// A count of wake-ups to come; only shared in place, between [`make`](Self::make) and
/// [`unmake`](Self::unmake).
pub(super) struct Bed(UnsafeCell<MaybeUninit<libc::sem_t>>);

impl Bed {
    pub(super) const fn new() -> Self {
        Bed(UnsafeCell::new(MaybeUninit::uninit()))
    }

    fn sem(&self) -> *mut libc::sem_t {
        self.0.get().cast()
    }

    /// # Safety
    /// Nobody uses it yet.
    pub(super) unsafe fn make(&self) {
        // SAFETY: the caller's promise.
        must(unsafe { libc::sem_init(self.sem(), 0, 0) });
    }

    /// # Safety
    /// It was made, and nobody uses it any more.
    pub(super) unsafe fn unmake(&self) {
        // SAFETY: the caller's promise.
        must(unsafe { libc::sem_destroy(self.sem()) });
    }

    /// Wakes one who sleeps, or will.
    pub(super) fn wake(&self) {
        // SAFETY: the pool makes its beds before any thread knows of them.
        must(unsafe { libc::sem_post(self.sem()) });
    }

    pub(super) fn lie_down(&self) {
        // SAFETY: as above. A signal that is handled meanwhile is no reason to get up.
        while unsafe { libc::sem_wait(self.sem()) } != 0 {
            if status::errno() != libc::EINTR {
                abort();
            }
        }
    }
}

/// A worker's bed, and its place among those in use.
pub(in super::super) struct Place {
    link: Link,
    bed: Bed,
}

impl Place {
    /// Puts one into memory of its own.
    ///
    /// # Safety
    /// `place` is valid for writes, and stays where it is.
    pub(super) unsafe fn make(place: *mut Place) {
        // SAFETY: the caller's promise.
        unsafe {
            place.write(Place { link: Link::new(), bed: Bed::new() });
            (*place).bed.make();
        }
    }

    /// # Safety
    /// As for [`Bed::unmake`].
    pub(super) unsafe fn unmake(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.bed.unmake() };
    }

    pub(in super::super) fn wake(&self) {
        self.bed.wake();
    }

    pub(in super::super) fn sleep(&self) {
        self.bed.lie_down();
    }
}

/// Each time after so many it is the turn of who sleeps longest: all workers are to have their share
/// sooner or later.
const TURN: u32 = 16;

/// The workers who sleep, or are about to, and whom nobody has woken yet: the last one last.
pub(super) struct Sleepers {
    list: Link,
    woken: u32,
}

impl Sleepers {
    pub(super) const fn new() -> Self {
        Sleepers { list: Link::new(), woken: 0 }
    }

    /// # Safety
    /// It stays where it is from now on.
    pub(super) unsafe fn init(&self) {
        // SAFETY: the caller's promise.
        unsafe { list::init(&raw const self.list) };
    }

    /// Adds a worker. [`init`](Self::init) was called, here and below.
    pub(super) fn push(&mut self, place: &'static Place) {
        // SAFETY: a worker adds itself once before it sleeps, and is woken by who takes it out.
        unsafe { list::push_back(&raw const self.list, &raw const place.link) };
    }

    /// Takes one out.
    pub(super) fn pop(&mut self) -> Option<&'static Place> {
        self.woken = (self.woken + 1) % TURN;
        // SAFETY: the list holds links of places, which outlive the workers they are for.
        unsafe {
            let link = if self.woken == 0 {
                list::pop_front(&raw const self.list)?
            } else {
                let last = list::last(&raw const self.list)?;
                list::remove(last);
                last
            };
            Some(&*link.byte_sub(core::mem::offset_of!(Place, link)).cast::<Place>())
        }
    }
}
