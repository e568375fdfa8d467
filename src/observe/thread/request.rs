//! Who was made to drop the lock, and so waits for it until he has it again.
//!
//! # The problem
//! The first sleep after a drop is in most cases what the lock was dropped for: a call that sleeps. But one who computes
//! drops it because another has asked for it (`gil_drop_request`, Python/ceval_gil.c), sleeps until that one has it, and
//! then waits. Where all compute these sleeps were the only ones of no known reason, and where cores are short they were
//! long: the kernel does not record when he was woken, and he queues for a core.
//!
//! # The choice
//! Who waits asks as his interval runs out while nobody else has taken the lock, and sleeps again at once: the kernel's
//! records show that. If he slept while one thread had the lock, all the while and from the beginning, and that one drops it
//! within a moment of its own time from then on, it was made to.
//!
//! It is decided when that thread comes onto a core for the first time, not when it drops the lock: the record of the one
//! who asked may be the later one by some microseconds.
//!
//! # Not chosen
//! To read `gil_drop_request` itself: it is set for some microseconds. To take each drop after an interval for one that was
//! asked for: who came to wait later than the lock was taken has not asked yet.

use crate::event::{LockId, Nanos};

use super::hindsight::{AT_ONCE, Past, TIMER};
use super::{Reason, Thread};

/// Who is asked for the lock drops it within this time, if no native call lasts longer.
const PROMPT: Nanos = Nanos::from_millis(1);

/// A time in which a thread had a lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Had {
    lock: LockId,
    from: Nanos,
    until: Nanos,
    /// When it last came onto a core meanwhile.
    came: Option<Nanos>,
}

impl Past {
    /// Somebody slept for an interval, woke up, and sleeps again.
    pub fn asked(&mut self, since: Nanos, woke: Nanos) {
        super::hindsight::remember(&mut self.asks, (since, woke));
    }

    /// Whether who had the lock for this time was asked for it.
    fn was_asked(&self, had: &Had) -> bool {
        // Without a core it drops nothing.
        let is_prompt = |woke: Nanos| had.until - had.came.map_or(woke, |came| woke.max(came)) <= PROMPT;
        self.asks.iter().any(|(since, woke)| *since >= had.from && *woke <= had.until && is_prompt(*woke))
    }
}

impl Thread {
    /// It drops a lock.
    pub(super) fn had(&mut self, lock: LockId, until: Nanos) {
        self.had = Some(Had { lock, from: self.took, until, came: self.on_core });
    }

    /// Where it has just fallen asleep: since when it slept before, and until when, if that was for an interval and it
    /// sleeps again at once, as one does who waits.
    pub fn retries(&self, interval: Nanos) -> Option<(Nanos, Nanos)> {
        let (since, woke) = self.slept_last?;
        let again = self.sleep.as_ref()?.since;
        let is_late = woke - since > interval + TIMER && !self.is_waiting();
        let is_retry = interval > Nanos::ZERO && woke - since >= interval && !is_late && again - woke <= AT_ONCE;
        (is_retry && self.holds.is_none()).then_some((since, woke))
    }

    /// The lock that it dropped before the sleep in which it is, its first since then, and of which nothing is known.
    pub fn sleeps_after(&self) -> Option<LockId> {
        let is_first = self.sleeps == 1 && self.holds.is_none() && !self.boots;
        self.had.filter(|had| is_first && self.unresolved().is_some_and(|since| since >= had.until)).map(|had| had.lock)
    }

    /// It comes onto a core after that sleep: if it was asked for the lock, of this past, it has waited since it fell asleep.
    pub fn waits_if_asked(&mut self, at: Nanos, past: &Past) {
        if let Some(had) = self.had.take().filter(|had| past.was_asked(had)) {
            self.explain(at, Reason::WantsLock(had.lock));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{CoreId, EventKind, LaneId, State};

    use super::super::Awake;
    use super::*;

    const GIL: LockId = LockId(0);
    const CORE: CoreId = CoreId(1);
    const US: u64 = 1_000;
    const MS: u64 = 1_000_000;
    const INTERVAL: Nanos = Nanos(5 * MS);

    fn at(micros: u64) -> Nanos {
        Nanos(micros * US)
    }

    /// One who slept from `since`, woke up then, and fell asleep again.
    fn waiter(since: Nanos, woke: Nanos, again: Nanos) -> Thread {
        let mut thread = Thread::new(Nanos(0), false, Awake::Native);
        thread.switch_out(since, CORE, false);
        thread.switch_in(woke, CORE);
        thread.switch_out(again, CORE, false);
        thread
    }

    /// What is told of one who had the lock from 1 ms to 6.09 ms and slept then for 3 ms, of a lock of this past.
    fn after_its_drop(past: &Past) -> (Vec<(u64, State)>, Option<LockId>) {
        since_it_came(400, past)
    }

    /// The same, if it came onto its core then.
    fn since_it_came(came: u64, past: &Past) -> (Vec<(u64, State)>, Option<LockId>) {
        let mut thread = Thread::new(Nanos(0), false, Awake::Native);
        thread.switch_in(at(900), CORE);
        thread.take(at(1_000), GIL);
        thread.switch_out(at(1_100), CORE, true);
        thread.switch_in(at(came.max(1_200)), CORE);
        thread.drop_lock(at(6_090));
        assert_eq!(thread.sleeps_after(), None, "it is awake");
        thread.switch_out(at(6_100), CORE, false);
        assert_eq!(thread.sleeps_after(), Some(GIL));
        thread.waits_if_asked(at(9_100), past);
        thread.switch_in(at(9_100), CORE);
        let mut states = Vec::new();
        thread.tell(LaneId(0), &mut |event| match event.kind {
            EventKind::State { to, .. } if event.at >= at(6_100) => states.push((event.at.0 / US, to)),
            _ => {}
        });
        (states, thread.wants())
    }

    #[test]
    fn who_slept_an_interval_and_sleeps_again_at_once_asks() {
        let asks = |since, woke, again| waiter(at(since), at(woke), at(again)).retries(INTERVAL);
        assert_eq!(asks(1_000, 6_070, 6_075), Some((at(1_000), at(6_070))));
        assert_eq!(asks(1_000, 5_900, 5_905), None, "that was no interval");
        assert_eq!(asks(1_000, 6_070, 6_300), None, "it did something in between");
        assert_eq!(asks(1_000, 9_000, 9_005), None, "it may have slept in anything");
        let mut known = Thread::new(Nanos(0), false, Awake::Native);
        known.switch_out(at(1_000), CORE, false);
        known.explain(at(2_000), Reason::WantsLock(GIL));
        known.switch_in(at(9_000), CORE);
        known.switch_out(at(9_005), CORE, false);
        assert_eq!(known.retries(INTERVAL), Some((at(1_000), at(9_000))), "it queued for a core, and is known to wait");
        assert_eq!(known.retries(Nanos::ZERO), None, "the interval is not known");
    }

    #[test]
    fn who_was_asked_for_the_lock_waits_from_when_it_dropped_it() {
        let past = |asks: &[(u64, u64)]| {
            let mut past = Past { interval: INTERVAL, ..Past::default() };
            asks.iter().for_each(|(since, woke)| past.asked(at(*since), at(*woke)));
            past
        };
        let waits = (vec![(6_100, State::WaitingGil)], Some(GIL));
        assert_eq!(after_its_drop(&past(&[(1_010, 6_070)])), waits);
        assert_eq!(after_its_drop(&past(&[(1_010, 6_070), (1_200, 6_260)])), waits, "another asked later");
        assert_eq!(
            since_it_came(6_080, &past(&[(900, 6_070), (1_010, 5_000)])),
            waits,
            "it had no core since it was asked"
        );
        let sleeps = (vec![(6_100, State::Sleeping), (9_100, State::Native)], None);
        for (what, asks) in [
            ("nobody asked", &[][..]),
            ("it slept before that one took the lock: its interval begins anew", &[(900, 6_070)]),
            ("it asked after the drop", &[(1_200, 6_260)]),
            ("too long before: the drop was for something else", &[(1_010, 5_000)]),
        ] {
            assert_eq!(after_its_drop(&past(asks)), sleeps, "{what}");
        }
    }

    #[test]
    fn only_the_first_sleep_after_a_drop_tells() {
        let mut thread = Thread::new(Nanos(0), false, Awake::Native);
        thread.take(at(1_000), GIL);
        thread.drop_lock(at(6_090));
        thread.switch_out(at(6_100), CORE, false);
        thread.switch_in(at(6_200), CORE);
        thread.switch_out(at(6_210), CORE, false);
        assert_eq!(thread.sleeps_after(), None);
    }
}
