//! An intrusive circular list: two pointers, the layout of libuv's queue.
//!
//! A [`Link`] is embedded in whatever is listed; a list is a `Link` of its own
//! that serves as the head. Insertion and removal cost a few stores and never
//! look at the rest of the list. An unlinked link points at itself.
//!
//! Links are reached through raw pointers because the memory is the C caller's
//! and the element is recovered from its link by subtracting an offset.

use core::cell::Cell;
use core::ptr;

/// One element's place in a list, or a list's head.
#[repr(C)]
#[derive(Debug)]
pub struct Link {
    next: Cell<*const Link>,
    prev: Cell<*const Link>,
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    /// A link that is not initialised yet: [`init`] makes it point at itself once it has its place.
    pub const fn new() -> Self {
        Link { next: Cell::new(ptr::null()), prev: Cell::new(ptr::null()) }
    }
}

/// Makes `link` point at itself: an empty list, or an element on no list.
///
/// # Safety
/// `link` is valid for writes and does not move while it is linked.
pub unsafe fn init(link: *const Link) {
    // SAFETY: the caller vouches for `link`.
    unsafe {
        (*link).next.set(link);
        (*link).prev.set(link);
    }
}

/// Whether `link` is on no list (as an element) or has no elements (as a head).
/// A link that was zero-filled and never initialised counts as empty.
///
/// # Safety
/// `link` is valid for reads.
pub unsafe fn is_empty(link: *const Link) -> bool {
    // SAFETY: the caller vouches for `link`.
    let next = unsafe { (*link).next.get() };
    ptr::eq(next, link) || next.is_null()
}

/// Puts `link` at the end of the list `head`.
///
/// # Safety
/// Both are initialised and valid; `link` is on no list.
pub unsafe fn push_back(head: *const Link, link: *const Link) {
    // SAFETY: `head` and its last element are live links of one list.
    unsafe {
        let last = (*head).prev.get();
        (*link).next.set(head);
        (*link).prev.set(last);
        (*last).next.set(link);
        (*head).prev.set(link);
    }
}

/// Puts `link` at the start of the list `head`.
///
/// # Safety
/// As for [`push_back`].
pub unsafe fn push_front(head: *const Link, link: *const Link) {
    // SAFETY: as for `push_back`; the list is circular, so the front is the back of the first.
    unsafe { push_back((*head).next.get(), link) }
}

/// Takes `link` off its list and leaves it pointing at itself. Harmless on a link that is on no list.
///
/// # Safety
/// `link` is initialised, and its neighbours, if any, are live.
pub unsafe fn remove(link: *const Link) {
    // SAFETY: the neighbours of a linked element are live by the caller's word.
    unsafe {
        let (next, prev) = ((*link).next.get(), (*link).prev.get());
        (*prev).next.set(next);
        (*next).prev.set(prev);
        init(link);
    }
}

/// The first element, or `None` when the list is empty. The element stays listed.
///
/// # Safety
/// `head` is initialised and valid.
pub unsafe fn first(head: *const Link) -> Option<*const Link> {
    // SAFETY: the caller vouches for `head`.
    unsafe { if is_empty(head) { None } else { Some((*head).next.get()) } }
}

/// Takes the first element off the list.
///
/// # Safety
/// `head` is initialised and valid, and so are its elements.
pub unsafe fn pop_front(head: *const Link) -> Option<*const Link> {
    // SAFETY: the first element of a live list is live.
    unsafe {
        let link = first(head)?;
        remove(link);
        Some(link)
    }
}

/// The element after `link`, or `None` at the end of the list `head`.
///
/// # Safety
/// `link` is an element of `head`'s list.
pub unsafe fn after(head: *const Link, link: *const Link) -> Option<*const Link> {
    // SAFETY: `link` is live by the caller's word.
    let next = unsafe { (*link).next.get() };
    if ptr::eq(next, head) { None } else { Some(next) }
}

/// The last element, or `None` when the list is empty. The element stays listed.
///
/// # Safety
/// `head` is initialised and valid.
pub unsafe fn last(head: *const Link) -> Option<*const Link> {
    // SAFETY: the caller vouches for `head`.
    unsafe { if is_empty(head) { None } else { Some((*head).prev.get()) } }
}

/// The element before `link`, or the head at the start of the list.
///
/// # Safety
/// `link` is an element of a list.
pub unsafe fn before(link: *const Link) -> *const Link {
    // SAFETY: the caller vouches for `link`.
    unsafe { (*link).prev.get() }
}

/// What is on both sides of `link`: the head, if `link` is the only element of its list.
///
/// # Safety
/// `link` is an element of a list.
pub unsafe fn only_neighbour(link: *const Link) -> Option<*const Link> {
    // SAFETY: the caller vouches for `link`.
    let (next, prev) = unsafe { ((*link).next.get(), (*link).prev.get()) };
    ptr::eq(next, prev).then_some(next)
}

/// Moves every element of `from` to the empty or uninitialised head `to`, in order and in constant time.
///
/// A callback that adds to `from` while `to` is walked is then seen only on the next walk.
///
/// # Safety
/// `from` is initialised and valid, `to` is valid and has no elements.
pub unsafe fn take(from: *const Link, to: *const Link) {
    // SAFETY: relinks the first and last element, which are live, to the new head.
    unsafe {
        init(to);
        if is_empty(from) {
            return;
        }
        let (head, tail) = ((*from).next.get(), (*from).prev.get());
        (*to).next.set(head);
        (*to).prev.set(tail);
        (*head).prev.set(to);
        (*tail).next.set(to);
        init(from);
    }
}

/// Moves every element of `from` to the end of the list `to`, in order and in constant time.
///
/// # Safety
/// Both are initialised and valid, and they are two lists.
pub unsafe fn append(from: *const Link, to: *const Link) {
    // SAFETY: relinks the ends of two lists, all live.
    unsafe {
        if is_empty(from) {
            return;
        }
        let (first, last) = ((*from).next.get(), (*from).prev.get());
        let end = (*to).prev.get();
        (*first).prev.set(end);
        (*end).next.set(first);
        (*last).next.set(to);
        (*to).prev.set(last);
        init(from);
    }
}

/// Sorts the list: a natural merge sort, which costs one pass when there is little to do. Elements
/// that are neither less nor greater keep their order. It allocates nothing and does not recurse.
///
/// # Safety
/// `head` is initialised and valid, and so are its elements; `less` does not change the list.
pub unsafe fn sort(head: *const Link, less: impl Fn(*const Link, *const Link) -> bool) {
    /// Bin `i` holds the merger of 2^i runs, so these are enough for any memory.
    const BINS: usize = 48;
    // SAFETY: every link followed is an element of the list, or null at the end of a run; the
    // backward pointers are left alone until the end and then all written.
    unsafe {
        if is_empty(head) {
            return;
        }
        let mut bins = [ptr::null::<Link>(); BINS];
        let mut rest = (*head).next.get();
        (*(*head).prev.get()).next.set(ptr::null());
        while !rest.is_null() {
            let mut run = rest;
            rest = cut_run(run, &less);
            // Older runs stand in the bins, so they go first.
            for bin in &mut bins {
                if bin.is_null() {
                    *bin = run;
                    run = ptr::null();
                    break;
                }
                run = merge(core::mem::replace(bin, ptr::null()), run, &less);
            }
            if !run.is_null() {
                bins[BINS - 1] = run;
            }
        }
        let mut sorted = ptr::null();
        for bin in bins {
            sorted = merge(bin, sorted, &less);
        }
        (*head).next.set(sorted);
        let (mut last, mut link) = (head, sorted);
        while !link.is_null() {
            (*link).prev.set(last);
            last = link;
            link = (*link).next.get();
        }
        (*last).next.set(head);
        (*head).prev.set(last);
    }
}

/// Ends the ascending run that starts at `link` with a null, and returns what follows it.
///
/// # Safety
/// `link` starts a null-terminated chain of live links.
unsafe fn cut_run(
    mut link: *const Link,
    less: &impl Fn(*const Link, *const Link) -> bool,
) -> *const Link {
    // SAFETY: the chain is live by the caller's word.
    unsafe {
        loop {
            let next = (*link).next.get();
            if next.is_null() {
                return next;
            }
            if less(next, link) {
                (*link).next.set(ptr::null());
                return next;
            }
            link = next;
        }
    }
}

/// Merges two ascending null-terminated chains; where they tie, `one` goes first.
///
/// # Safety
/// Both are null or start a null-terminated chain of live links.
unsafe fn merge(
    mut one: *const Link,
    mut other: *const Link,
    less: &impl Fn(*const Link, *const Link) -> bool,
) -> *const Link {
    let start = Link::new();
    let mut end: *const Link = &raw const start;
    // SAFETY: the chains are live by the caller's word, `end` is `start` or a link of them.
    unsafe {
        while !one.is_null() && !other.is_null() {
            let from = if less(other, one) { &mut other } else { &mut one };
            (*end).next.set(*from);
            end = *from;
            *from = (*end).next.get();
        }
        (*end).next.set(if one.is_null() { other } else { one });
    }
    start.next.get()
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::vec::Vec;

    use super::*;

    #[repr(C)]
    struct Item {
        link: Link,
        key: u32,
        number: usize,
    }

    /// A list of items with these keys, numbered as they stand in it.
    fn list(keys: &[u32]) -> (Box<Link>, Vec<Item>) {
        let head = Box::new(Link::new());
        let items: Vec<Item> = keys
            .iter()
            .enumerate()
            .map(|(number, &key)| Item { link: Link::new(), key, number })
            .collect();
        // SAFETY: neither the head nor the items move any more: both are on the heap.
        unsafe {
            init(&*head);
            items.iter().for_each(|item| push_back(&*head, &item.link));
        }
        (head, items)
    }

    /// The elements from first to last, checked against the same from last to first.
    fn walk(head: &Link) -> Vec<(u32, usize)> {
        let item = |link: *const Link| {
            // SAFETY: the link is the first field of a live item.
            let item = unsafe { &*link.cast::<Item>() };
            (item.key, item.number)
        };
        let (mut there, mut back) = (Vec::new(), Vec::new());
        // SAFETY: the head is initialised and the items are live.
        unsafe {
            let mut link = first(head);
            while let Some(at) = link {
                there.push(item(at));
                link = after(head, at);
            }
            let mut at = last(head).unwrap_or(head);
            while !ptr::eq(at, head) {
                back.push(item(at));
                at = before(at);
            }
        }
        back.reverse();
        assert_eq!(there, back);
        there
    }

    #[test]
    fn adds_removes_and_moves() {
        let (head, items) = list(&[1, 2, 3]);
        let other = Box::new(Link::new());
        // SAFETY: both heads and the items are live and in place.
        unsafe {
            assert!(is_empty(&*other), "zero-filled");
            assert_eq!(only_neighbour(&items[1].link), None);
            remove(&items[1].link);
            remove(&items[1].link);
            assert_eq!(walk(&head), [(1, 0), (3, 2)]);
            take(&*head, &*other);
            assert!(is_empty(&*head) && first(&*head).is_none() && last(&*head).is_none());
            push_front(&*head, &items[1].link);
            assert_eq!(only_neighbour(&items[1].link), Some(ptr::from_ref(&*head)));
            append(&*other, &*head);
            assert_eq!(walk(&head), [(2, 1), (1, 0), (3, 2)]);
            append(&*other, &*head);
            assert!(is_empty(&*other));
            assert_eq!(pop_front(&*head), Some(ptr::from_ref(&items[1].link)));
            assert_eq!(walk(&head), [(1, 0), (3, 2)]);
        }
    }

    #[test]
    fn sorts_as_the_standard_library_does() {
        let mut seed = 5u32;
        for len in (0..70).chain([1000, 4097]) {
            for range in [1, 3, 1 << 20] {
                let keys: Vec<u32> = (0..len)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (seed >> 8) % range
                    })
                    .collect();
                let (head, _items) = list(&keys);
                let mut expected = walk(&head);
                expected.sort_by_key(|&(key, _)| key);
                // SAFETY: the links are the first fields of live items.
                unsafe {
                    sort(&*head, |one, other| {
                        (*one.cast::<Item>()).key < (*other.cast::<Item>()).key
                    });
                }
                assert_eq!(walk(&head), expected, "{len} keys below {range}");
            }
        }
    }
}
