//! What a watch is to the ring: its state, and the entries that arm and end its poll.

use super::token::Token;
use crate::driver::glance;
pub(super) use crate::driver::glance::MASK_BITS;
use crate::driver::watch::{Watch, ready};
use crate::uring::Sqe;
use crate::uring::sqe::{CancelFlags, SqeFlags};

/// Bits of `Watch::state`: a poll of the watch's generation is in the kernel (or in the queue to
/// it); the watch is on `todo`; the watch is on `again`. Above, the mask to be reported again.
pub(super) const ARMED: u32 = 1;
pub(super) const QUEUED: u32 = 2;
pub(super) const AGAIN: u32 = 4;
pub(super) const SETTLED: u32 = 8;
pub(super) const MASK_SHIFT: u32 = 8;

pub(super) fn has(watch: &Watch, bits: u32) -> bool {
    watch.state.get() & bits != 0
}

pub(super) fn clear(watch: &Watch, bits: u32) {
    watch.state.set(watch.state.get() & !bits);
}

pub(super) fn poll_token(watch: &Watch) -> Token {
    Token::Poll { fd: watch.fd.get(), generation: watch.generation.get() }
}

pub(super) fn poll(watch: &Watch) -> Sqe {
    let interest = watch.interest.get();
    let events = interest & MASK_BITS | ready::ERR | ready::HUP;
    let fd = watch.fd.get();
    let sqe = if interest & ready::DRAINS != 0 {
        // An end that arrives together with data is seen only this way.
        let events = events | ready::RDHUP;
        if has(watch, SETTLED) {
            Sqe::poll_multishot(fd, events)
        } else {
            Sqe::poll_add(fd, events)
        }
    } else if interest & ready::EDGE != 0 {
        Sqe::poll_multishot(fd, events)
    } else {
        Sqe::poll_add(fd, events)
    };
    sqe.user_data(poll_token(watch).encode())
}

/// Cancels rather than removes: removing fails while the poll is about to report, and leaves it armed.
pub(super) fn cancel(poll: Token) -> Sqe {
    let carry = match poll {
        Token::Poll { fd, generation } => Token::Cancel { fd, generation },
        _ => Token::None,
    };
    Sqe::cancel(poll.encode(), CancelFlags::empty())
        .user_data(carry.encode())
        .flags(SqeFlags::CQE_SKIP_SUCCESS)
}

pub(super) fn cancel_poll(watch: &Watch) -> Sqe {
    cancel(poll_token(watch))
}

/// What of `mask` the watch asked for. A watcher that drains also learns of the end: having seen
/// `RDHUP` it must not stop at a short read.
pub(super) fn wanted(watch: &Watch, mask: u32) -> u32 {
    let interest = watch.interest.get();
    let wanted = mask & glance::wanted(watch);
    if wanted != 0 && interest & ready::DRAINS != 0 { wanted | mask & ready::RDHUP } else { wanted }
}
