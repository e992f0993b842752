//! The wheel against a sorted map: exact order, never early, never late, whatever happens.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::mem::MaybeUninit;

use proptest::prelude::*;
use uvring_core::list::{self, Link};
use uvring_core::wheel::{Entry, Wheel};

const TIMERS: usize = 48;

#[derive(Clone, Debug)]
enum Step {
    /// Stop and insert anew, due this much later than now (or earlier, if the clock allows).
    Start(usize, u64),
    /// Due at this very time, wherever that is.
    StartAt(usize, u64),
    Restart(usize, u64),
    RestartAt(usize, u64),
    Stop(usize),
    Repeat(usize, u64),
    Advance(u64),
    AdvanceTo(u64),
    Ask,
}

/// Spans of every magnitude, with the neighbours of the levels' borders among them.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..200,
        2 => 0u64..70_000,
        2 => (0u32..64, -2i64..3).prop_map(|(bit, by)| (1u64 << bit).wrapping_add_signed(by)),
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let timer = 0..TIMERS;
    prop_oneof![
        6 => (timer.clone(), span()).prop_map(|(t, s)| Step::Start(t, s)),
        1 => (timer.clone(), span()).prop_map(|(t, s)| Step::StartAt(t, s)),
        5 => (timer.clone(), span()).prop_map(|(t, s)| Step::Restart(t, s)),
        1 => (timer.clone(), span()).prop_map(|(t, s)| Step::RestartAt(t, s)),
        2 => timer.clone().prop_map(Step::Stop),
        2 => (timer, 1u64..100).prop_map(|(t, s)| Step::Repeat(t, s)),
        4 => (0u64..150).prop_map(Step::Advance),
        1 => span().prop_map(Step::Advance),
        1 => span().prop_map(Step::AdvanceTo),
        3 => Just(Step::Ask),
    ]
}

/// The wheel and its model, driven side by side.
struct Pair {
    entries: Box<[Entry]>,
    wheel: Box<MaybeUninit<Wheel>>,
    model: BTreeMap<(u64, u64), usize>,
    now: u64,
    start_id: u64,
}

impl Pair {
    fn new(now: u64) -> Self {
        let mut wheel = Box::new(MaybeUninit::<Wheel>::uninit());
        // What is not initialised on purpose must not matter.
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { wheel.as_mut_ptr().cast::<u8>().write_bytes(0xa5, size_of::<Wheel>()) };
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { Wheel::init(wheel.as_mut_ptr(), now) };
        let entries = (0..TIMERS).map(|_| Entry::new()).collect();
        Pair { entries, wheel, model: BTreeMap::new(), now, start_id: 0 }
    }

    fn wheel(&self) -> &Wheel {
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel.assume_init_ref() }
    }

    fn forget(&mut self, timer: usize) {
        self.model.retain(|_, &mut t| t != timer);
    }

    fn start(&mut self, timer: usize, due: u64) {
        self.forget(timer);
        self.start_id += 1;
        let entry = &self.entries[timer];
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel().remove(entry) };
        entry.due.set(due);
        entry.start_id.set(self.start_id);
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel().insert(entry) };
        self.model.insert((due, self.start_id), timer);
    }

    fn restart(&mut self, timer: usize, due: u64) {
        self.forget(timer);
        self.start_id += 1;
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel().restart(&self.entries[timer], due, self.start_id) };
        self.model.insert((due, self.start_id), timer);
    }

    fn stop(&mut self, timer: usize) {
        self.forget(timer);
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel().remove(&self.entries[timer]) };
    }

    /// Expires both at `now`, and then starts those again that repeat.
    fn expire(&mut self, now: u64) {
        self.now = now;
        let out = Link::new();
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { list::init(&out) };
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { self.wheel().expire(now, &out, |_| ()) };
        let mut got = vec![];
        // SAFETY: every entry outlives the wheel; heads and links are live.
        while let Some(link) = unsafe { list::pop_front(&out) } {
            // SAFETY: every entry outlives the wheel; heads and links are live.
            let entry = unsafe { &*Entry::from_link(link) };
            assert!(!entry.is_filed());
            let timer = self.entries.iter().position(|e| std::ptr::eq(e, entry)).unwrap();
            got.push(((entry.due.get(), entry.start_id.get()), timer));
        }
        let mut expected = vec![];
        while let Some(first) = self.model.first_entry().filter(|first| first.key().0 <= now) {
            expected.push(first.remove_entry());
        }
        assert_eq!(got, expected, "at {now}");
        for (_, timer) in got {
            let repeat = self.entries[timer].repeat.get();
            if repeat != 0 {
                self.restart(timer, now.saturating_add(repeat));
            }
        }
    }

    fn check(&self, exact: bool) {
        let wheel = self.wheel();
        let least = self.model.first_key_value().map(|(&(due, _), _)| due);
        let filed = self.entries.iter().filter(|entry| entry.is_filed()).count();
        assert_eq!(filed, self.model.len());
        assert_eq!(wheel.is_empty(), least.is_none());
        assert_eq!(wheel.earliest().is_some(), least.is_some());
        assert!(wheel.earliest() <= least, "{:?} > {least:?}", wheel.earliest());
        if exact {
            // SAFETY: every entry outlives the wheel; heads and links are live.
            let wake_at = unsafe { wheel.wake_at() };
            assert_eq!(wake_at.is_some(), least.is_some());
            assert!(wake_at <= least, "{wake_at:?} > {least:?}");
            // SAFETY: every entry outlives the wheel; heads and links are live.
            assert_eq!(unsafe { wheel.next_due() }, least);
            // SAFETY: every entry outlives the wheel; heads and links are live.
            assert_eq!(unsafe { wheel.next_due() }, least, "asked again");
            assert_eq!(wheel.earliest(), least, "known now");
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Start(timer, after) => self.start(timer, self.now.saturating_add(after)),
            Step::StartAt(timer, due) => self.start(timer, due),
            Step::Restart(timer, after) => self.restart(timer, self.now.saturating_add(after)),
            Step::RestartAt(timer, due) => self.restart(timer, due),
            Step::Stop(timer) => self.stop(timer),
            Step::Repeat(timer, every) => {
                self.entries[timer].repeat.set(every);
                self.restart(timer, self.now.saturating_add(every));
            }
            Step::Advance(by) => self.expire(self.now.saturating_add(by)),
            // A loop's clock does not go back, but the wheel must stand it.
            Step::AdvanceTo(now) => self.expire(now),
            Step::Ask => {}
        }
        self.check(matches!(step, Step::Ask));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_sorted_map(
        now in prop_oneof![Just(0u64), 0u64..100_000, any::<u64>()],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut pair = Pair::new(now);
        for step in &steps {
            pair.run(step);
        }
        for entry in &pair.entries {
            entry.repeat.set(0);
        }
        pair.expire(u64::MAX);
        pair.check(true);
        prop_assert!(pair.wheel().is_empty());
    }
}

/// Many timers in few slots, put off again and again, so that slots are sorted and glances end early.
#[test]
fn crowded_slots_keep_the_order() {
    let count = 5000u64;
    let mut wheel = Box::new(MaybeUninit::<Wheel>::uninit());
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { Wheel::init(wheel.as_mut_ptr(), 1000) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    let wheel = unsafe { wheel.assume_init_ref() };
    let entries: Vec<Entry> = (0..count).map(|_| Entry::new()).collect();
    let mut start_id = 0;
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        seed >> 33
    };
    for round in 0..4 {
        for entry in &entries {
            start_id += 1;
            let due = 1000 + 60_000 + round * 10 + random() % 16;
            // SAFETY: every entry outlives the wheel; heads and links are live.
            unsafe { wheel.restart(entry, due, start_id) };
        }
        // SAFETY: every entry outlives the wheel; heads and links are live.
        let bound = unsafe { wheel.wake_at() }.unwrap();
        assert!(bound > 1000 && bound <= 61_000 + round * 10 + 16);
    }
    let out = Link::new();
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { list::init(&out) };
    let mut seen = vec![];
    for now in (1000..62_000).step_by(7) {
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { wheel.expire(now, &out, |_| ()) };
        // SAFETY: every entry outlives the wheel; heads and links are live.
        while let Some(link) = unsafe { list::pop_front(&out) } {
            // SAFETY: every entry outlives the wheel; heads and links are live.
            let entry = unsafe { &*Entry::from_link(link) };
            assert!(entry.due.get() <= now && entry.due.get() + 7 > now, "early or late");
            seen.push((entry.due.get(), entry.start_id.get()));
        }
    }
    assert_eq!(seen.len() as u64, count);
    assert!(seen.is_sorted());
}

/// A callback may stop a timer that has expired with it and whose turn has not come.
#[test]
fn an_expired_entry_can_be_removed_or_started_again() {
    let mut wheel = Box::new(MaybeUninit::<Wheel>::uninit());
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { Wheel::init(wheel.as_mut_ptr(), 0) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    let wheel = unsafe { wheel.assume_init_ref() };
    let entries = [const { Entry::new() }; 3];
    for (id, entry) in entries.iter().enumerate() {
        // SAFETY: every entry outlives the wheel; heads and links are live.
        unsafe { wheel.restart(entry, 5, id as u64) };
    }
    let out = Link::new();
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { list::init(&out) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { wheel.expire(4, &out, |_| ()) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    assert!(unsafe { list::is_empty(&out) }, "early");
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { wheel.expire(5, &out, |_| ()) };
    assert!(wheel.is_empty());
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { wheel.remove(&entries[1]) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { wheel.remove(&entries[1]) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { wheel.restart(&entries[0], 9, 7) };
    assert!(!wheel.is_empty());
    // SAFETY: every entry outlives the wheel; heads and links are live.
    let left = unsafe { list::pop_front(&out) }.unwrap();
    assert!(std::ptr::eq(Entry::from_link(left), &entries[2]));
    // SAFETY: every entry outlives the wheel; heads and links are live.
    assert!(unsafe { list::is_empty(&out) });
    // SAFETY: every entry outlives the wheel; heads and links are live.
    unsafe { wheel.expire(8, &out, |_| ()) };
    // SAFETY: every entry outlives the wheel; heads and links are live.
    assert!(unsafe { list::is_empty(&out) });
    // SAFETY: every entry outlives the wheel; heads and links are live.
    assert_eq!(unsafe { wheel.next_due() }, Some(9));
}
