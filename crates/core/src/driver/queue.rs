//! A queue of watches, linked through [`Watch::rearm`], that may itself be moved.
//!
//! The elements form a circle without a head in it: the queue only knows where the circle starts.

use core::cell::Cell;
use core::mem::offset_of;
use core::ptr;

use crate::driver::watch::Watch;
use crate::list::{self, Link};

#[derive(Debug)]
pub(super) struct Queue {
    first: Cell<*const Link>,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Queue { first: Cell::new(ptr::null()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// # Safety
    /// `watch` is on no queue and stays in place until it is taken off.
    pub(super) unsafe fn push(&self, watch: &Watch) {
        let link = &raw const watch.rearm;
        // SAFETY: a link on no queue points at itself once initialised; elements are live.
        unsafe {
            list::init(link);
            if self.is_empty() {
                self.first.set(link);
            } else {
                // Before the first of a circle is at its end.
                list::push_back(self.first.get(), link);
            }
        }
    }

    /// # Safety
    /// `watch` is on this queue.
    pub(super) unsafe fn remove(&self, watch: &Watch) {
        let link = &raw const watch.rearm;
        // SAFETY: elements are live.
        unsafe {
            if ptr::eq(self.first.get(), link) {
                self.first.set(list::after(link, link).unwrap_or(ptr::null()));
            }
            list::remove(link);
        }
    }

    /// Takes off the watch that has waited longest.
    pub(super) fn take(&self) -> Option<&Watch> {
        let watch = self.first()?;
        // SAFETY: the first of the queue is on it.
        unsafe { self.remove(watch) };
        Some(watch)
    }

    /// The watch that has waited longest. It stays queued.
    pub(super) fn first(&self) -> Option<&Watch> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: elements are live watches, see `push`.
        Some(unsafe { &*self.first.get().byte_sub(offset_of!(Watch, rearm)).cast::<Watch>() })
    }
}
