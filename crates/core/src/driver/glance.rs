//! A look at many watches at once, by poll(2).

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;

use super::queue::Queue;
use super::watch::{Watch, ready};

/// Descriptors in one poll(2): as many as the kernel keeps on its stack.
const BATCH: usize = 30;

/// The bits of an interest that poll(2) and epoll know as reports.
pub(super) const MASK_BITS: u32 = 0xffff;

const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Takes all watches off the queue and tells of each what there is of what it wants; `None` when the
/// kernel did not say. `tell` may put it on another queue.
pub(super) fn glance(queue: &Queue, mut tell: impl FnMut(&Watch, Option<u32>)) {
    while let Some(first) = queue.take() {
        let mut batch = [Some(first); BATCH];
        batch[1..].fill_with(|| queue.take());
        let count = batch.iter().flatten().count();
        let mut asked = batch.map(|watch| question(watch.unwrap_or(first)));
        let answered = poll(&mut asked[..count], Some(&NO_TIME)).is_ok();
        for (watch, asked) in batch.into_iter().flatten().zip(&asked) {
            let mask = asked.revents().bits() as u32 & wanted(watch);
            tell(watch, answered.then_some(mask));
        }
    }
}

/// What of a report concerns the watch.
pub(super) fn wanted(watch: &Watch) -> u32 {
    (watch.interest.get() | ready::ERR | ready::HUP) & MASK_BITS
}

fn question(watch: &Watch) -> PollFd<'_> {
    let interest = PollFlags::from_bits_retain(watch.interest.get() as _);
    // SAFETY: used for one poll(2) only, which answers NVAL for what is no descriptor.
    PollFd::from_borrowed_fd(unsafe { BorrowedFd::borrow_raw(watch.fd.get()) }, interest)
}
