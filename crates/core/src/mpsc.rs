//! An intrusive lock-free list: many threads push, one takes everything at once.
//!
//! It is a stack that only ever loses all of its nodes together, so no node can come back under a
//! push that is under way, and a push needs one compare-and-swap and no memory.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// A place on an [`Inbox`], embedded in whatever is handed over.
#[repr(transparent)]
#[derive(Debug)]
pub struct Node {
    next: AtomicPtr<Node>,
}

impl Node {
    /// A node on no list.
    pub const fn new() -> Self {
        Node { next: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

/// The list. All zero bytes are an empty one.
#[repr(transparent)]
#[derive(Debug)]
pub struct Inbox {
    newest: AtomicPtr<Node>,
}

impl Inbox {
    /// An empty list.
    pub const fn new() -> Self {
        Inbox { newest: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Adds `node`, from any thread or signal handler. True when the list was empty.
    ///
    /// # Safety
    /// `node` is valid and on no list, and stays in place until it has been taken.
    pub unsafe fn push(&self, node: *const Node) -> bool {
        // Relaxed: the value is only a guess that the exchange below checks; nothing behind it
        // is read.
        let mut newest = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: `node` is the caller's until the exchange succeeds.
            // Relaxed: the exchange below publishes it.
            unsafe { (*node).next.store(newest, Ordering::Relaxed) };
            // Release on success: whoever takes the list sees this node's link and all that its
            // owner wrote before pushing. A push on top of it is a read-modify-write, which
            // continues the release sequence, so one acquire by the taker covers every node.
            // Relaxed on failure: again only a guess.
            match self.newest.compare_exchange_weak(
                newest,
                node.cast_mut(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return newest.is_null(),
                Err(seen) => newest = seen,
            }
        }
    }

    /// Takes everything, in the order in which it was pushed. One thread at a time; costs a pass
    /// over the nodes.
    pub fn take(&self) -> Chain {
        if self.is_empty() {
            return Chain { first: ptr::null() };
        }
        // Acquire: pairs with the release of every push that is being taken. The empty list put
        // in place carries nothing, so no release.
        let mut from: *const Node = self.newest.swap(ptr::null_mut(), Ordering::Acquire);
        let mut first: *const Node = ptr::null();
        while !from.is_null() {
            // SAFETY: pushed nodes stay valid until they are taken, and taken ones are ours.
            // Relaxed: the acquire above made the links visible; nobody else touches them now.
            let next = unsafe { (*from).next.load(Ordering::Relaxed) };
            // SAFETY: as above.
            unsafe { (*from).next.store(first.cast_mut(), Ordering::Relaxed) };
            first = from;
            from = next;
        }
        Chain { first }
    }

    /// [`take`](Self::take) for whoever brings the nodes into an order of his own: the newest first,
    /// and no pass over them.
    pub fn take_newest_first(&self) -> Chain {
        // Acquire: as in `take`.
        Chain { first: self.newest.swap(ptr::null_mut(), Ordering::Acquire) }
    }

    /// Whether nothing is waiting. A push of another thread may change that at once; a loop that
    /// goes to sleep on it must have announced so before (see [`Doorbell`](crate::wake::Doorbell)).
    pub fn is_empty(&self) -> bool {
        // Relaxed: nothing is read through the pointer. Against a lost wake-up the fence in
        // `Doorbell::sleep`, before this load, orders it.
        self.newest.load(Ordering::Relaxed).is_null()
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Nodes that were taken. The link is read before a node is handed out, so the
/// receiver may push it again, or free it, at once. Dropping a chain forgets what is left of it.
#[derive(Debug)]
#[must_use = "nodes that are not looked at are forgotten"]
pub struct Chain {
    first: *const Node,
}

impl Chain {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }
}

impl Iterator for Chain {
    type Item = *const Node;

    fn next(&mut self) -> Option<*const Node> {
        if self.first.is_null() {
            return None;
        }
        let node = self.first;
        // SAFETY: a taken node stays valid until it has been handed out.
        // Relaxed: only this thread knows it.
        self.first = unsafe { (*node).next.load(Ordering::Relaxed) };
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::vec::Vec;

    use super::*;

    #[repr(C)]
    struct Item {
        node: Node,
        thread: usize,
        number: usize,
    }

    #[test]
    fn keeps_the_order_and_tells_the_first() {
        let inbox = Inbox::new();
        assert!(inbox.is_empty() && inbox.take().is_empty());
        let nodes = [const { Node::new() }; 3];
        // SAFETY: the nodes outlive the inbox and are pushed once each.
        let first: Vec<bool> = nodes.iter().map(|node| unsafe { inbox.push(node) }).collect();
        assert_eq!(first, [true, false, false]);
        let mut wanted = nodes.each_ref().map(ptr::from_ref);
        assert_eq!(inbox.take().collect::<Vec<_>>(), wanted);
        assert!(inbox.is_empty());
        for node in &nodes {
            // SAFETY: taken, so on no list.
            unsafe { inbox.push(node) };
        }
        wanted.reverse();
        assert_eq!(inbox.take_newest_first().collect::<Vec<_>>(), wanted);
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_node_may_be_pushed_again_while_the_chain_is_walked() {
        let inbox = Inbox::new();
        let nodes = [const { Node::new() }; 4];
        for node in &nodes {
            // SAFETY: the nodes outlive the inbox and are on no list.
            unsafe { inbox.push(node) };
        }
        let mut walked = 0;
        for node in inbox.take() {
            walked += 1;
            // SAFETY: taken, so on no list.
            unsafe { inbox.push(node) };
        }
        assert_eq!((walked, inbox.take().count()), (4, 4));
    }

    #[test]
    fn many_threads_lose_nothing_and_keep_their_own_order() {
        const THREADS: usize = 4;
        const EACH: usize = 20_000;
        let items: Vec<Vec<Item>> = (0..THREADS)
            .map(|thread| {
                (0..EACH).map(|number| Item { node: Node::new(), thread, number }).collect()
            })
            .collect();
        let inbox = Inbox::new();
        let mut next = [0; THREADS];
        thread::scope(|scope| {
            for mine in &items {
                let inbox = &inbox;
                scope.spawn(move || {
                    for item in mine {
                        // SAFETY: the items outlive the scope and are pushed once each.
                        unsafe { inbox.push(&raw const item.node) };
                    }
                });
            }
            let mut taken = 0;
            while taken < THREADS * EACH {
                for node in inbox.take() {
                    // SAFETY: the node is the first field of a live `Item`.
                    let item = unsafe { &*node.cast::<Item>() };
                    assert_eq!(item.number, next[item.thread]);
                    next[item.thread] += 1;
                    taken += 1;
                }
                thread::yield_now();
            }
        });
        assert!(inbox.is_empty());
        assert_eq!(next, [EACH; THREADS]);
    }
}
