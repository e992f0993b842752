//! Short jobs that a loop does itself instead of waiting for the workers.

use uvring_core::list::Link;

use super::{Job, SHORT, hand_back, pool};
use crate::abi::*;

/// So many in a row at most: the loop has descriptors to see to.
const IN_A_ROW: u32 = 8;

/// Does short jobs of the loop that no worker has begun. `attempt` does a job, or says that it would
/// wait. Whether any was done: its callback is due.
pub(crate) fn help(owner: &uv_loop_t, attempt: impl Fn(*mut uv__work) -> bool) -> bool {
    let mark = owner.as_ptr().map_addr(|address| address | SHORT);
    // SAFETY: a link in the queue is that of a job that waits.
    let is_ours = |link: *const Link| unsafe { (*Job::of_link(link)).r#loop.get() == mark };
    for count in 0..IN_A_ROW {
        if count > 0 && !pool::has_waiting() {
            return true;
        }
        let Some(link) = pool::take_oldest(is_ours) else { return count != 0 };
        // SAFETY: taken off the queue on its loop's thread, so that it is nobody else's; it is given
        // back to the queue or handed back to the loop, which is awake and needs no telling.
        unsafe {
            let job = Job::of_link(link);
            if !attempt(job) {
                pool::put_back(link);
                return count != 0;
            }
            // As when a worker has begun it: too late to cancel.
            (*job).work.set(None);
            let _ = hand_back(job, 0);
        }
    }
    true
}
