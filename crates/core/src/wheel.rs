//! A hierarchical timing wheel: timers in exact order, at a cost that does not grow with their number.
//!
//! Times are u64 milliseconds. A time is read as digits of six bits. An entry lies on the level of
//! the highest digit in which its time differs from the wheel's, in the slot that this digit names;
//! so every slot of a level lies after the wheel's time and before every slot of the level above,
//! and the first occupied slot of the lowest occupied level is the next one to come up. When a
//! slot above the lowest level comes up, its entries are filed again, lower down. Times more than
//! about two years away share one list.
//!
//! Putting a timer off is lazy: the entry stays where it is, and when its slot comes up it is filed
//! by the due time that it has then. A timer that is put off on every packet costs two stores each
//! time.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr;

use crate::fetch;
use crate::list::{self, Link};

/// Bits of a digit.
const BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << BITS;
/// Levels; beyond them is `FAR`.
const LEVELS: usize = 6;
/// Bits of a time that the levels tell apart: times that differ above are far from each other.
const SPAN: u32 = BITS * LEVELS as u32;

/// The list of entries whose due time had passed when they were filed.
const LATE: usize = LEVELS * SLOTS;
/// The list of entries that lie beyond the levels.
const FAR: usize = LATE + 1;
const HEADS: usize = FAR + 1;

/// The next due time of an empty wheel.
const NEVER: u64 = u64::MAX;

/// If a timer lies at most so many bytes behind the one that was started before it, they lie in an
/// array, one a connection, and the next ones are fetched `AHEAD` of time: a handle fills more than
/// two cache lines, and at 15 ns a start there is no time to wait for them.
const STRIDE: usize = 512;
const AHEAD: usize = 2048;

/// How many entries [`Wheel::wake_at`] looks at.
const GLANCE: usize = 32;

/// One timer, embedded in whatever it belongs to. All zero bytes are one that is not filed.
#[repr(C)]
#[derive(Debug)]
pub struct Entry {
    /// The place on a list: the wheel's, or the one that [`Wheel::expire`] put it on.
    pub link: Link,
    /// The time by which it is filed, never later than `due`; 0 when it is not in the wheel.
    placed: Cell<u64>,
    /// When it expires, in ms.
    pub due: Cell<u64>,
    /// The caller's.
    pub repeat: Cell<u64>,
    /// Orders entries that are due in the same millisecond.
    pub start_id: Cell<u64>,
}

const _: () = assert!(size_of::<Entry>() == 48);
const _: () = assert!(core::mem::offset_of!(Entry, due) == 24);
const _: () = assert!(core::mem::offset_of!(Entry, repeat) == 32);
const _: () = assert!(core::mem::offset_of!(Entry, start_id) == 40);
const _: () = assert!(size_of::<Wheel>() <= 6656);

impl Entry {
    /// An entry that is not filed.
    pub const fn new() -> Self {
        Entry {
            link: Link::new(),
            placed: Cell::new(0),
            due: Cell::new(0),
            repeat: Cell::new(0),
            start_id: Cell::new(0),
        }
    }

    /// The entry that a link of an expired list belongs to.
    pub fn from_link(link: *const Link) -> *const Entry {
        // The link is the first field.
        link.cast()
    }

    /// Whether it is in a wheel. One that has expired is not, even while it waits on a list.
    pub fn is_filed(&self) -> bool {
        self.placed.get() != 0
    }

    fn key(&self) -> (u64, u64) {
        (self.due.get(), self.start_id.get())
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

/// The slot that was filed in last: timers of one timeout, started one after another, share a slot.
#[derive(Clone, Copy)]
struct Crowd {
    /// The times of the slot: so many from this one.
    from: u64,
    span: u64,
    /// Initialised if `span` is not 0.
    head: *const Link,
}

impl Crowd {
    const NONE: Crowd = Crowd { from: 0, span: 0, head: ptr::null() };
}

/// The wheel. About 6 KiB; entries point into it, so it stays in place once it is initialised.
#[repr(C)]
pub struct Wheel {
    /// All that is due before this has expired, or is on the list `LATE`.
    now: Cell<u64>,
    /// The exact next due time, or `NEVER`; 0 when it is not known, so that no due time is less.
    next: Cell<u64>,
    /// Not later than any entry's place on the list `FAR`.
    far_from: Cell<u64>,
    crowd: Cell<Crowd>,
    /// A bit for each word of `occupied` that is not 0.
    levels: Cell<u64>,
    /// A bit for each head that has entries. Without it, the head is not even initialised. The
    /// last word is for `LATE` and `FAR`.
    occupied: [Cell<u64>; LEVELS + 1],
    heads: [UnsafeCell<MaybeUninit<Link>>; HEADS],
}

impl core::fmt::Debug for Wheel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Wheel")
            .field("now", &self.now.get())
            .field("levels", &self.levels.get())
            .finish_non_exhaustive()
    }
}

impl Wheel {
    /// Makes `this` an empty wheel whose time is `now` ms. Writes about a hundred bytes of it.
    ///
    /// # Safety
    /// `this` is valid for writes and aligned; it may be uninitialised.
    pub unsafe fn init(this: *mut Wheel, now: u64) {
        // SAFETY: the caller's promise; `heads` may stay uninitialised.
        unsafe {
            (&raw mut (*this).now).write(Cell::new(now));
            (&raw mut (*this).next).write(Cell::new(NEVER));
            (&raw mut (*this).far_from).write(Cell::new(0));
            (&raw mut (*this).crowd).write(Cell::new(Crowd::NONE));
            (&raw mut (*this).levels).write(Cell::new(0));
            (&raw mut (*this).occupied).write([const { Cell::new(0) }; LEVELS + 1]);
        }
    }

    /// Whether nothing is filed.
    pub fn is_empty(&self) -> bool {
        self.levels.get() == 0
    }

    /// Files `entry` by its `due` and `start_id`, which the caller has set. One that is due
    /// already expires with the next [`expire`](Self::expire).
    ///
    /// # Safety
    /// `entry` is valid, on no list, and stays valid and in place until it has expired or is removed.
    pub unsafe fn insert(&self, entry: *const Entry) {
        // SAFETY: the caller's promise.
        unsafe { self.add(entry, (*entry).due.get()) };
    }

    /// # Safety
    /// As for [`insert`](Self::insert); `due` is the entry's.
    #[inline]
    unsafe fn add(&self, entry: *const Entry, due: u64) {
        self.heed(due);
        let head = match self.crowd.get() {
            crowd if due.wrapping_sub(crowd.from) < crowd.span => crowd.head,
            _ => self.open(due),
        };
        // SAFETY: the caller's promise; the head is initialised.
        unsafe {
            if entry.addr().wrapping_sub(list::before(head).addr()) < STRIDE {
                fetch::lines(entry.cast::<u8>().wrapping_add(AHEAD), 3);
            }
            put(entry, due, head, list::push_back);
        }
    }

    /// Takes `entry` out of the wheel, or off the list it was put on when it expired. Harmless on
    /// one that is in neither.
    ///
    /// # Safety
    /// `entry` is valid, and if it is filed, it is so in this wheel.
    pub unsafe fn remove(&self, entry: *const Entry) {
        // SAFETY: the caller's promise; elements of a list are live.
        unsafe {
            if (*entry).placed.replace(0) != 0 {
                self.forget((*entry).due.get());
                self.unlink(&raw const (*entry).link);
                if self.is_empty() {
                    self.next.set(NEVER);
                }
            } else if !list::is_empty(&raw const (*entry).link) {
                list::remove(&raw const (*entry).link);
            }
        }
    }

    /// Sets `entry`'s `due` and `start_id` and files it, wherever it was before. One that is filed
    /// and not due earlier than it was filed for stays in place.
    ///
    /// # Safety
    /// As for [`insert`](Self::insert), but for `entry` being on a list; if it is filed, it is so
    /// in this wheel.
    #[inline]
    pub unsafe fn restart(&self, entry: *const Entry, due: u64, start_id: u64) {
        // SAFETY: the caller's promise.
        let entry = unsafe { &*entry };
        let placed = entry.placed.get();
        if placed != 0 && due >= placed {
            self.forget(entry.due.get());
            self.heed(due);
            entry.due.set(due);
            entry.start_id.set(start_id);
            return;
        }
        // SAFETY: the caller's promise, and after `remove` the entry is on no list.
        unsafe {
            if placed != 0 || !list::is_empty(&raw const entry.link) {
                self.remove(entry);
            }
            entry.due.set(due);
            entry.start_id.set(start_id);
            self.add(entry, due);
        }
    }

    /// Advances the wheel to `now` and appends every entry with `due <= now` to the list `out`,
    /// ordered by `due`, then by `start_id`. They are not filed any more; [`remove`](Self::remove)
    /// takes one off `out`. A `now` in the wheel's past does not turn it back.
    ///
    /// `left` is told of each as it leaves the wheel, in no order: what it does to an entry then is
    /// spared a walk over `out`, which may hold more than the caches do.
    ///
    /// # Safety
    /// `out` is an initialised list head, and all filed entries are valid. `left` does not touch
    /// the wheel, nor any entry's link.
    pub unsafe fn expire(&self, now: u64, out: *const Link, left: impl Fn(&Entry)) {
        if self.next.get() <= now {
            self.next.set(0);
        }
        loop {
            let Some((head, start)) = self.first() else {
                self.next.set(NEVER);
                break;
            };
            if start > now {
                break;
            }
            // The late ones come first and leave the time alone.
            if head != LATE {
                self.advance(start);
            }
            let batch = Link::new();
            // SAFETY: the head is occupied, so it is initialised; entries are valid.
            unsafe {
                list::take(self.head(head), &raw const batch);
                self.mark(head, false);
                match head {
                    // One that was put off past the wheel's time has its turn in a slot.
                    LATE => {
                        let limit = now.min(self.now.get().saturating_sub(1));
                        self.sift(&raw const batch, limit, &left);
                    }
                    0..SLOTS => self.sift(&raw const batch, start, &left),
                    _ => self.refile(&raw const batch),
                }
                list::append(&raw const batch, out);
            }
            if head == LATE && self.now.get() > now {
                return;
            }
        }
        self.advance(self.now.get().max(now));
    }

    /// Sets the time, and with it what lies where.
    fn advance(&self, now: u64) {
        self.now.set(now);
        self.crowd.set(Crowd::NONE);
    }

    /// A lower bound of the next due time; 0 when something is late. Looks at no entry.
    pub fn earliest(&self) -> Option<u64> {
        if self.next.get() != 0 {
            return self.known();
        }
        self.first().map(|(_, start)| start)
    }

    /// When to wake up: the next due time if finding it takes a look at a few entries only, and
    /// otherwise the time at which a crowded slot comes up. Never later than the next due time,
    /// and later than the wheel's time unless something is due.
    ///
    /// # Safety
    /// All filed entries are valid.
    pub unsafe fn wake_at(&self) -> Option<u64> {
        // SAFETY: the caller's promise.
        unsafe { self.search(GLANCE) }
    }

    /// The exact next due time. May look at all entries of one slot; the result is kept until the
    /// entry that it stems from is put off, removed or expires.
    ///
    /// # Safety
    /// All filed entries are valid.
    pub unsafe fn next_due(&self) -> Option<u64> {
        // SAFETY: the caller's promise.
        unsafe { self.search(usize::MAX) }
    }

    /// The next due time, or when `limit` entries were looked at without finding it, the time at
    /// which the slot comes up. Files entries that were put off on the way.
    ///
    /// # Safety
    /// All filed entries are valid.
    unsafe fn search(&self, limit: usize) -> Option<u64> {
        if self.next.get() != 0 {
            return self.known();
        }
        let mut looks = limit;
        loop {
            let (index, start) = self.first()?;
            let head = self.head(index);
            let mut least = None;
            // SAFETY: the head is occupied, so it is initialised; entries are valid. `link` is
            // advanced before the entry it points at may be moved away.
            unsafe {
                let mut link = list::first(head);
                while let Some(at) = link {
                    if looks == 0 {
                        return Some(start);
                    }
                    looks -= 1;
                    link = list::after(head, at);
                    let entry = Entry::from_link(at);
                    let due = (*entry).due.get();
                    if self.spot(due) == index {
                        least = Some(least.map_or(due, |least: u64| least.min(due)));
                    } else {
                        self.unlink(at);
                        put(entry, due, self.open(due), list::push_back);
                    }
                }
            }
            if let Some(least) = least {
                self.next.set(least);
                return Some(least);
            }
        }
    }

    /// An entry that was due at `due` is going: it may have been the next one.
    fn forget(&self, due: u64) {
        if due == self.next.get() {
            self.next.set(0);
        }
    }

    /// An entry that is due at `due` has come.
    fn heed(&self, due: u64) {
        if due < self.next.get() {
            self.next.set(due);
        }
    }

    /// The next due time, which is known.
    fn known(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.next.get())
    }

    /// Which head an entry due at `due` belongs to, as seen from the wheel's time.
    fn spot(&self, due: u64) -> usize {
        let now = self.now.get();
        if due < now {
            return LATE;
        }
        // The lowest bit stands for "no digit differs", which is the lowest level, too.
        let level = (((due ^ now) | 1).ilog2() / BITS) as usize;
        if level >= LEVELS {
            return FAR;
        }
        level * SLOTS + (due >> (level as u32 * BITS)) as usize % SLOTS
    }

    /// The first head that comes up, and when.
    fn first(&self) -> Option<(usize, u64)> {
        if self.occupied[LEVELS].get() & 1 << (LATE % SLOTS) != 0 {
            return Some((LATE, 0));
        }
        let level = self.levels.get().trailing_zeros() as usize;
        if level > LEVELS {
            return None;
        }
        if level == LEVELS {
            return Some((FAR, self.far_from.get() >> SPAN << SPAN));
        }
        let slot = u64::from(self.occupied[level].get().trailing_zeros());
        let shift = level as u32 * BITS;
        let above = self.now.get() >> (shift + BITS) << (shift + BITS);
        Some((level * SLOTS + slot as usize, above | slot << shift))
    }

    fn head(&self, index: usize) -> *const Link {
        self.heads[index].get().cast()
    }

    fn mark(&self, index: usize, occupied: bool) {
        if !occupied {
            self.crowd.set(Crowd::NONE);
        }
        let (word, bit) = (&self.occupied[index / SLOTS], 1u64 << (index % SLOTS));
        word.set(if occupied { word.get() | bit } else { word.get() & !bit });
        let level = 1 << (index / SLOTS);
        let levels = self.levels.get() & !level;
        self.levels.set(if word.get() != 0 { levels | level } else { levels });
    }

    /// The head for what is due at `due`, ready to take it.
    #[cold]
    fn open(&self, due: u64) -> *const Link {
        let index = self.spot(due);
        let head = self.head(index);
        let empty = self.occupied[index / SLOTS].get() & 1 << (index % SLOTS) == 0;
        if empty {
            // SAFETY: the head is ours, and nothing points at it.
            unsafe { list::init(head) };
            self.mark(index, true);
        }
        if index == FAR && (empty || due < self.far_from.get()) {
            self.far_from.set(due);
        }
        if index < LATE {
            let shift = (index / SLOTS) as u32 * BITS;
            self.crowd.set(Crowd { from: due >> shift << shift, span: 1 << shift, head });
        }
        head
    }

    /// Takes `link` off its list, and notes if that was the last one in its slot.
    ///
    /// # Safety
    /// `link` is a filed entry's.
    unsafe fn unlink(&self, link: *const Link) {
        // SAFETY: neighbours of a filed entry are live.
        unsafe {
            let head = list::only_neighbour(link);
            list::remove(link);
            // On a list that is being worked on the neighbour is no head of ours.
            if let Some(head) = head {
                let offset = head.addr().wrapping_sub((&raw const self.heads).addr());
                if offset < size_of_val(&self.heads) {
                    self.mark(offset / size_of::<Link>(), false);
                }
            }
        }
    }

    /// Leaves those entries of `batch` that are due by `limit`, sorted, and files the others.
    ///
    /// # Safety
    /// `batch` is an initialised list of filed entries.
    unsafe fn sift(&self, batch: *const Link, limit: u64, left: &impl Fn(&Entry)) {
        // SAFETY: `link` is advanced before the entry it points at may be moved away.
        unsafe {
            let (mut sorted, mut last) = (true, (0, 0));
            let mut link = list::first(batch);
            while let Some(at) = link {
                link = list::after(batch, at);
                let entry = &*Entry::from_link(at);
                let key = entry.key();
                if key.0 <= limit {
                    entry.placed.set(0);
                    left(entry);
                    sorted &= last <= key;
                    last = key;
                } else {
                    list::remove(at);
                    put(entry, key.0, self.open(key.0), list::push_back);
                }
            }
            if !sorted {
                list::sort(batch, |one, other| {
                    (*Entry::from_link(one)).key() < (*Entry::from_link(other)).key()
                });
            }
        }
    }

    /// Files all of `batch` again, starting from both ends: the next entry at either is usually not
    /// in the cache, and so two of them are fetched at a time.
    ///
    /// # Safety
    /// `batch` is an initialised list of filed entries.
    unsafe fn refile(&self, batch: *const Link) {
        // SAFETY: the neighbours are read before an entry is relinked, and the batch's own pointers
        // are not looked at again before it is made empty.
        unsafe {
            let (Some(mut front), Some(mut back)) = (list::first(batch), list::last(batch)) else {
                return;
            };
            while !ptr::eq(front, back) {
                let (after, before) = (list::after(batch, front), list::before(back));
                self.refile_one(front, list::push_back);
                self.refile_one(back, list::push_front);
                match after {
                    Some(after) if !ptr::eq(after, back) => (front, back) = (after, before),
                    _ => return list::init(batch),
                }
            }
            self.refile_one(front, list::push_back);
            list::init(batch);
        }
    }

    /// # Safety
    /// `link` is a valid entry's, whose list is not looked at again.
    unsafe fn refile_one(&self, link: *const Link, push: unsafe fn(*const Link, *const Link)) {
        let entry = Entry::from_link(link);
        // SAFETY: the caller's promise.
        unsafe {
            let due = (*entry).due.get();
            put(entry, due, self.open(due), push);
        }
    }
}

/// Puts `entry`, which is due at `due`, on the list `head` at the end that `push` says.
///
/// # Safety
/// `entry` is valid and on no list; `head` is initialised.
#[inline]
unsafe fn put(
    entry: *const Entry,
    due: u64,
    head: *const Link,
    push: unsafe fn(*const Link, *const Link),
) {
    // SAFETY: the caller's promise.
    unsafe {
        // 0 would say that it is not filed, and nothing is lost by a place 1 for a due time 0.
        (*entry).placed.set(due.max(1));
        push(head, &raw const (*entry).link);
    }
}
