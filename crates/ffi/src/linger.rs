//! How long it pays to look at memory before going to sleep.
//!
//! Waiting in a loop buys a wake-up's time with CPU time, so it is bounded, learned from what the
//! last waits brought, and never done by a thread that shares its only CPU with whom it waits for.

use core::sync::atomic::{AtomicU8, Ordering};

use uvring_core::clock;

use crate::os::cpu;

/// How long a wait lasts: at first, at most, and what is too short to bother.
const START_NS: u64 = 20_000;
const MAX_NS: u64 = 50_000;
const MIN_NS: u64 = 2_000;

/// The first wait after a time without. Whoever is waited for is asleep as well then, and to wake it
/// takes 100 us and more on a virtual machine that is not alone on its host. Were it shorter, both
/// would go on sleeping because the other does.
const TRIAL_NS: u64 = 200_000;

/// A sleep that a wait might have spared. Two wake-ups are in it, the other thread's and one's own.
const SHORT_SLEEP_NS: u64 = 2 * TRIAL_NS;

/// Most short sleeps that go by before waiting is tried again.
const MAX_PATIENCE: u32 = 1024;

/// Looks at memory between two looks at the clock.
const LOOKS: u32 = 32;

/// Whether the control group grants the process the time of more than one CPU.
static GRANTED: AtomicU8 = AtomicU8::new(NOT_ASKED);
const NOT_ASKED: u8 = 0;
const SEVERAL: u8 = 1;
const ONE: u8 = 2;

/// Asks the control group. Once is enough: it reads files.
pub(crate) fn learn_quota() -> bool {
    // SAFETY: needs nothing.
    let several = unsafe { cpu::uv_available_parallelism() } > 1;
    // Relaxed: a value alone, nothing stands behind it.
    GRANTED.store(if several { SEVERAL } else { ONE }, Ordering::Relaxed);
    several
}

/// Whether the calling thread may wait in a loop: somebody else has a CPU to run on.
fn is_allowed() -> bool {
    let several = match GRANTED.load(Ordering::Relaxed) {
        NOT_ASKED => learn_quota(),
        answer => answer == SEVERAL,
    };
    several && cpu::may_move()
}

/// Whether all threads of the process share one CPU, as far as the calling thread's share tells: what
/// one gives to another then costs a switch and saves nothing.
pub(crate) fn is_alone() -> bool {
    !is_allowed()
}

/// What a waiter has learned so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    /// How long the next wait lasts; 0: not at all.
    budget_ns: u64,
    /// Short sleeps still to come before waiting is tried again, and how many it was last time.
    short_sleeps: u32,
    patience: u32,
    /// Whether there was more than one CPU when it was last asked.
    allowed: bool,
}

impl Linger {
    /// Knows nothing: the first short sleep makes it try.
    pub(crate) const fn new() -> Self {
        Linger { budget_ns: 0, short_sleeps: 1, patience: 1, allowed: true }
    }

    /// As [`new`](Self::new), but tries at once where waiting makes sense at all.
    pub(crate) fn eager() -> Self {
        let mut linger = Linger::new();
        linger.slept(Some(0));
        linger
    }

    /// Whether there was one CPU only when it was last asked.
    pub(crate) fn is_alone(&self) -> bool {
        !self.allowed
    }

    /// How long to wait now; 0: not at all.
    pub(crate) fn budget_ns(&self) -> u64 {
        self.budget_ns
    }

    /// Learns from a wait: twice as long next time when it was worth it, half as long when it was
    /// not. When it keeps failing, as it does on a busy machine, it is given up for longer and
    /// longer. A long trial proves nothing before shorter waits succeed.
    pub(crate) fn waited(&mut self, found: bool) {
        if self.budget_ns > MAX_NS {
            if found {
                self.budget_ns = MAX_NS;
            } else {
                self.give_up();
            }
        } else if found {
            self.budget_ns = (self.budget_ns * 2).clamp(START_NS, MAX_NS);
            self.patience = (self.patience / 2).max(1);
        } else if self.budget_ns / 2 >= MIN_NS {
            self.budget_ns /= 2;
        } else {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.budget_ns = 0;
        self.patience = (self.patience * 2).min(MAX_PATIENCE);
        self.short_sleeps = self.patience;
    }

    /// Whether the length of a sleep matters now: to read the clock costs, too.
    pub(crate) fn is_learning(&self) -> bool {
        self.budget_ns == 0 && self.allowed
    }

    /// Learns from a sleep that ended with what was waited for: after enough that a wait would have
    /// spared, waiting is tried again. `None`: nobody looked how long it was.
    pub(crate) fn slept(&mut self, duration_ns: Option<u64>) {
        self.slept_as(duration_ns, is_allowed);
    }

    fn slept_as(&mut self, duration_ns: Option<u64>, is_allowed: impl Fn() -> bool) {
        let short = duration_ns.is_some_and(|duration| duration <= SHORT_SLEEP_NS);
        if self.budget_ns != 0 || (self.allowed && !short) {
            return;
        }
        self.short_sleeps = self.short_sleeps.saturating_sub(1);
        if self.short_sleeps > 0 {
            return;
        }
        self.allowed = is_allowed();
        if self.allowed {
            self.budget_ns = duration_ns.unwrap_or(0).clamp(START_NS, TRIAL_NS);
        } else {
            self.give_up();
        }
    }
}

/// Looks until `found` says yes, for `budget_ns` at most. Whether it did.
pub(crate) fn look(budget_ns: u64, found: impl Fn() -> bool) -> bool {
    let end = clock::now_ns() + budget_ns;
    loop {
        for _ in 0..LOOKS {
            if found() {
                return true;
            }
            core::hint::spin_loop();
        }
        if clock::now_ns() >= end {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 10 000 sleeps of so many ns: what the waits tried meanwhile took in all, if `found` tells
    /// of each, by its length, whether it was worth it.
    fn waits(sleep_ns: u64, found: impl Fn(u64) -> bool) -> u64 {
        let mut linger = Linger::new();
        let mut waited_ns = 0;
        for _ in 0..10_000 {
            linger.slept_as(Some(sleep_ns), || true);
            while linger.budget_ns() > 0 {
                let budget_ns = linger.budget_ns();
                waited_ns += budget_ns;
                linger.waited(found(budget_ns));
            }
        }
        assert_eq!(linger.patience, MAX_PATIENCE);
        waited_ns
    }

    #[test]
    fn waits_that_bring_nothing_are_given_up_for_longer_and_longer() {
        // A few tenths of a microsecond for each sleep, and less the longer it goes on.
        assert!(waits(10_000, |_| false) < 1_000_000);
        assert!(waits(SHORT_SLEEP_NS, |_| false) < 10_000_000);
    }

    #[test]
    fn a_long_trial_alone_does_not_make_bold() {
        // Jobs of 100 us on all CPUs: they are over within a trial, and waiting takes their time.
        assert!(waits(100_000, |budget_ns| budget_ns >= 100_000) < 10_000_000);
    }

    #[test]
    fn success_makes_bold_within_bounds() {
        let mut linger = Linger::new();
        assert_eq!(linger.budget_ns(), 0, "nothing is spent on a guess");
        linger.slept_as(Some(SHORT_SLEEP_NS + 1), || true);
        assert_eq!(linger.budget_ns(), 0, "a long sleep was right");
        linger.slept_as(Some(SHORT_SLEEP_NS), || true);
        assert_eq!(linger.budget_ns(), TRIAL_NS, "both may be asleep");
        for _ in 0..100 {
            linger.waited(true);
            assert_eq!(linger.budget_ns(), MAX_NS);
        }
        linger.waited(false);
        assert_eq!(linger.budget_ns(), MAX_NS / 2, "one failure is no reason to give up");
    }

    #[test]
    fn never_on_one_cpu() {
        let mut linger = Linger::new();
        let asked = core::cell::Cell::new(0);
        for _ in 0..10_000 {
            linger.slept_as(Some(10), || {
                asked.set(asked.get() + 1);
                false
            });
            assert_eq!(linger.budget_ns(), 0);
        }
        assert!(asked.get() < 30, "asked {} times", asked.get());
        assert!(!linger.is_learning());
        for _ in 0..=MAX_PATIENCE {
            linger.slept_as(None, || true);
        }
        assert_eq!(linger.budget_ns(), START_NS, "more CPUs are noticed some time");
    }

    #[test]
    fn a_look_ends() {
        let start = clock::now_ns();
        assert!(!look(1_000_000, || false));
        assert!(clock::now_ns() - start >= 1_000_000);
        assert!(look(u64::MAX / 2, || true));
    }
}
