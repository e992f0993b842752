//! What the kernel watches, by the number it gave.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr;

use crate::mem;

/// A record with a number, which stands in one table at most.
pub(super) trait Numbered: Sized {
    /// The kernel's number.
    fn wd(&self) -> c_int;
    /// The next one in its bucket; the table's.
    fn next(&self) -> &Cell<*mut Self>;
}

/// Records by number; it does not own them. The kernel counts upwards, so the low bits spread
/// evenly.
pub(super) struct Table<T: Numbered> {
    buckets: Cell<*mut Cell<*mut T>>,
    /// A power of two.
    capacity: Cell<usize>,
    count: Cell<usize>,
}

impl<T: Numbered> Table<T> {
    /// An empty table, if there is memory.
    pub(super) fn new() -> Option<Self> {
        const CAPACITY: usize = 16;
        let buckets = make_buckets(CAPACITY);
        (!buckets.is_null()).then(|| Table {
            buckets: Cell::new(buckets),
            capacity: Cell::new(CAPACITY),
            count: Cell::new(0),
        })
    }

    fn bucket(&self, wd: c_int) -> &Cell<*mut T> {
        let index = wd.cast_unsigned() as usize & (self.capacity.get() - 1);
        // SAFETY: there are `capacity` buckets, a power of two.
        unsafe { &*self.buckets.get().add(index) }
    }

    pub(super) fn find(&self, wd: c_int) -> Option<&T> {
        // SAFETY: null, or a live record: records leave the table before they are freed.
        let mut next = unsafe { self.bucket(wd).get().as_ref() };
        while let Some(record) = next {
            if record.wd() == wd {
                return Some(record);
            }
            // SAFETY: as above.
            next = unsafe { record.next().get().as_ref() };
        }
        None
    }

    /// Puts a record in.
    ///
    /// # Safety
    /// It is live, in no table, and stays in place until it is removed.
    pub(super) unsafe fn insert(&self, record: *mut T) {
        self.grow();
        // SAFETY: the caller's promise.
        let (wd, next) = unsafe { ((*record).wd(), (*record).next()) };
        let bucket = self.bucket(wd);
        next.set(bucket.replace(record));
        self.count.set(self.count.get() + 1);
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
                let mut next: *mut T = (*from.add(index)).get();
                while let Some(record) = next.as_ref() {
                    next = record.next().get();
                    let bucket = self.bucket(record.wd());
                    record.next().set(bucket.replace(ptr::from_ref(record).cast_mut()));
                }
            }
        }
        // SAFETY: ours, and replaced.
        unsafe { mem::free(from.cast()) };
    }

    /// Takes a record out, if it is in.
    pub(super) fn remove(&self, record: &T) {
        let mut place = self.bucket(record.wd());
        // SAFETY: live records, ending with null.
        while let Some(other) = unsafe { place.get().as_ref() } {
            if ptr::eq(other, record) {
                place.set(record.next().get());
                self.count.set(self.count.get() - 1);
                return;
            }
            place = other.next();
        }
    }

    /// Any of the records.
    pub(super) fn any(&self) -> Option<&T> {
        (0..self.capacity.get()).find_map(|index| {
            // SAFETY: within the table; null or live.
            unsafe { (*self.buckets.get().add(index)).get().as_ref() }
        })
    }

    /// Gives its memory back. The table is not used any more.
    pub(super) fn release(&self) {
        // SAFETY: ours, and freed once.
        unsafe { mem::free(self.buckets.replace(ptr::null_mut()).cast()) };
    }
}

fn make_buckets<T>(count: usize) -> *mut Cell<*mut T> {
    mem::calloc(count, size_of::<Cell<*mut T>>()).cast()
}
