//! The doorbell: how other threads, and signal handlers, wake a loop.
//!
//! It is an eventfd that the loop watches edge-triggered and never reads, so being woken costs
//! the loop nothing beyond the event. Whoever has put something into one of the loop's inboxes
//! rings; the bell writes to the eventfd only when the loop sleeps and nobody has rung since.

use core::sync::atomic::{AtomicU32, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd};

use crate::Result;

/// The loop is running and will look at its inboxes before it sleeps.
const AWAKE: u32 = 0;
/// The loop sleeps, or is not being run: somebody may be polling its descriptor from outside.
const ASLEEP: u32 = 1;
/// As `ASLEEP`, and the eventfd has been written since.
const RUNG: u32 = 2;

/// Wakes one loop. Asleep at first, as a loop that is not being run is.
///
/// No wake-up is lost. A ringer puts its work into an inbox, then passes a fence, then looks at
/// the state. The loop stores `ASLEEP`, then passes a fence, then looks at its inboxes. The two
/// fences are sequentially consistent, so one comes first: if the ringer's, the loop sees the
/// work; if the loop's, the ringer sees `ASLEEP` and writes. Both may happen, which costs one turn.
#[derive(Debug)]
pub struct Doorbell {
    fd: OwnedFd,
    state: AtomicU32,
}

impl Doorbell {
    /// eventfd2(2), non-blocking and close-on-exec.
    ///
    /// # Errors
    /// `MFILE`, `NFILE`, `NOMEM`.
    pub fn new() -> Result<Self> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Doorbell { fd, state: AtomicU32::new(ASLEEP) })
    }

    /// The eventfd, to be watched for input with `EDGE`. Nobody reads it.
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Says that an inbox has something, after putting it there. From any thread and from signal
    /// handlers; leaves `errno` alone. Many rings before the loop is [`awake`](Self::awake) write once.
    pub fn ring(&self) {
        // SeqCst fence: orders the caller's push before the load below, against the fence in
        // `sleep` (see the type's description).
        fence(Ordering::SeqCst);
        // Relaxed: the fence does the ordering, and the exchange checks the value again.
        if self.state.load(Ordering::Relaxed) != ASLEEP {
            return;
        }
        // Only the winner writes. Relaxed: the write's own wake-up carries the order to the loop,
        // and the pushed work is published by the inbox.
        let won =
            self.state.compare_exchange(ASLEEP, RUNG, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if won {
            // The counter would have to be written 2^64 times to be full. A signal cannot break
            // the call off, because it never waits.
            let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        }
    }

    /// Whether the loop is awake and will look at its inboxes before it sleeps. Asked after putting
    /// something there, yes means that there is no need to ring.
    pub fn is_awake(&self) -> bool {
        // SeqCst fence and relaxed load: as in `ring`.
        fence(Ordering::SeqCst);
        self.state.load(Ordering::Relaxed) == AWAKE
    }

    /// Before a wait that may block, and when leaving the loop: from now on, ringing writes.
    ///
    /// The caller looks at its inboxes AFTER this. If one has something, it does not block; and if
    /// it is leaving the loop, it rings, so that the descriptor shows it to whoever polls it.
    pub fn sleep(&self) {
        // Relaxed: the fence does the ordering. Over `RUNG` as well: the write that it stands for
        // has been made or is just being made, and at worst a second one follows.
        self.state.store(ASLEEP, Ordering::Relaxed);
        // SeqCst fence: orders the store before the caller's look at its inboxes.
        fence(Ordering::SeqCst);
    }

    /// After a wait: ringing costs the ringer nothing until the next [`sleep`](Self::sleep), and
    /// the caller looks at its inboxes after this and before that.
    pub fn awake(&self) {
        // Relaxed: a ringer that still sees `ASLEEP` writes once in vain; one that sees `AWAKE`
        // relies on the next `sleep` and the look that follows it.
        self.state.store(AWAKE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::epoll::Epoll;
    use crate::mpsc::{Inbox, Node};

    const IN_EDGE: u32 = 1 | 1 << 31;

    fn written(bell: &Doorbell) -> u64 {
        let mut count = [0; 8];
        match rustix::io::read(&bell.fd, &mut count) {
            Ok(_) => u64::from_ne_bytes(count),
            Err(_) => 0,
        }
    }

    #[test]
    fn writes_only_when_needed() {
        let bell = Doorbell::new().unwrap();
        bell.ring();
        bell.ring();
        assert_eq!(written(&bell), 1, "rung twice while the loop is not run");
        assert!(!bell.is_awake());
        bell.awake();
        assert!(bell.is_awake());
        bell.ring();
        assert_eq!(written(&bell), 0, "rung while awake");
        bell.sleep();
        assert!(!bell.is_awake());
        for _ in 0..100 {
            bell.ring();
        }
        assert_eq!(written(&bell), 1, "rung a hundred times asleep");
        bell.awake();
        bell.sleep();
        bell.ring();
        assert_eq!(written(&bell), 1, "asleep again");
    }

    #[test]
    fn an_outside_poller_sees_it_and_each_sleep_gives_a_new_edge() {
        let bell = Doorbell::new().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(bell.fd(), IN_EDGE, 7).unwrap();
        let mut room = [const { core::mem::MaybeUninit::uninit() }; 4];
        for _ in 0..3 {
            bell.ring();
            // SAFETY: the epoll descriptor is open.
            let outside = unsafe { rustix::fd::BorrowedFd::borrow_raw(epoll.fd()) };
            let mut fds = [PollFd::from_borrowed_fd(outside, PollFlags::IN)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            assert_eq!(poll(&mut fds, Some(&now)).unwrap(), 1);
            assert_eq!(epoll.wait(&mut room, Some(Duration::ZERO)).unwrap().len(), 1);
            bell.awake();
            bell.sleep();
            assert_eq!(poll(&mut fds, Some(&now)).unwrap(), 0, "the edge is used up");
        }
    }

    /// Threads push and ring, in bursts and alone, against a loop that sleeps whenever it may.
    /// Every wait is bounded, and one that times out with work waiting is a lost wake-up.
    #[test]
    fn loses_no_wake_up() {
        const THREADS: usize = 4;
        const EACH: usize = 30_000;
        static INBOX: Inbox = Inbox::new();
        let bell = Doorbell::new().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(bell.fd(), IN_EDGE, 0).unwrap();
        let nodes: std::vec::Vec<std::vec::Vec<Node>> =
            (0..THREADS).map(|_| (0..EACH).map(|_| Node::new()).collect()).collect();
        let (waits, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for (thread, mine) in nodes.iter().enumerate() {
                let (bell, stop) = (&bell, &stop);
                scope.spawn(move || {
                    for (number, node) in mine.iter().enumerate() {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        // SAFETY: the nodes outlive the scope and are pushed once each.
                        unsafe { INBOX.push(node) };
                        bell.ring();
                        // A pause now and then lets the loop fall asleep at every point.
                        if (number + thread) % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut room = [const { core::mem::MaybeUninit::uninit() }; 4];
            let (mut taken, deadline) = (0, Instant::now() + Duration::from_secs(60));
            while taken < THREADS * EACH && Instant::now() < deadline {
                bell.sleep();
                let timeout = if INBOX.is_empty() { 2 } else { 0 };
                let events =
                    epoll.wait(&mut room, Some(Duration::from_secs(timeout))).unwrap().len();
                waits.fetch_add(1, Ordering::Relaxed);
                if timeout > 0 && events == 0 && !INBOX.is_empty() {
                    stop.store(true, Ordering::Relaxed);
                    panic!("a wake-up was lost after {taken} nodes");
                }
                bell.awake();
                taken += INBOX.take().count();
            }
            stop.store(true, Ordering::Relaxed);
            assert_eq!(taken, THREADS * EACH);
        });
        std::println!("{} waits for {} nodes", waits.into_inner(), THREADS * EACH);
    }
}
