//! When the next pass is to be made.
//!
//! # The problem
//! The kernel records by itself; what a thread sleeps in must be looked at
//! while it sleeps. Passes in quick succession see shorter sleeps and cost
//! more, and of threads that take turns on the lock nearly every pass sees
//! nothing new.
//!
//! # The choice
//! - While something is to be sampled, a pass each millisecond, of which only
//!   some do more than look at locks. A timer is always a little late; the next
//!   pass is due from when this one was, so that there are a thousand a second.
//! - While sleeps come and go unseen, as often as seems bearable. Those that a pass would have seen that came late tell
//!   nothing: more passes are late as often.
//! - While threads take turns, once a turn and in the middle of it: who has
//!   just lost the lock is asleep by then, and will be for some milliseconds
//!   more. Who is known to wait needs no look. If the next turn is overdue (the
//!   waiters begin their interval anew at each hand-off), often until it comes:
//!   who loses the lock then is not to be missed.
//! - While nothing happens, when the kernel's rings fill, or after a while that
//!   is shorter than what an interpreter needs to start: a child that ends
//!   before anybody has looked at it cannot be told anything of.
//!
//! # Not chosen
//! To be woken by the rings always: what fills them are hand-offs, so each
//! wake-up would come at the one moment at which nobody sleeps yet. And each
//! interrupts the program, so they are to be rare.

use std::time::Duration;

use crate::event::Nanos;

/// How often a lock is looked at that is sampled.
const SAMPLED: Nanos = Nanos::from_millis(1);
/// How often all else is seen to meanwhile.
const ELSE: Nanos = Nanos::from_millis(3);
/// How often a pass is made while sleeps go unseen that are longer: those that are shorter have no reason.
const OFTEN: Nanos = Nanos::from_millis(3);
/// For how long after one.
const ALERT: Nanos = Nanos::from_millis(60);
/// The middle of the turn after the present one, with CPython's own switch interval of 5 ms.
const MIDDLE: Nanos = Nanos::from_micros(7_500);
/// Until then the turn after the present one is overdue, not given up: with several waiters it may come so late.
const OVERDUE: Nanos = Nanos::from_micros(15_000);
/// How often while something happens, and no turns are taken.
const SELDOM: Nanos = Nanos::from_millis(6);
/// After so long without a record nothing happens.
const CALM: Nanos = Nanos::from_millis(40);
/// How often then.
const QUIET: Nanos = Nanos::from_millis(10);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Pace {
    /// The last pass, when it was due if something is sampled, and the last that was no mere look at locks.
    passed: Nanos,
    sample_due: Nanos,
    whole: Nanos,
    /// Whether there are passes that are mere looks at locks.
    looks: bool,
    /// The last record of any kind.
    record: Nanos,
    /// When the pass that has begun was due, and when the next one is.
    due: Nanos,
    next: Nanos,
    /// The last hand-off.
    turn: Nanos,
    /// The last sleep that was over before anybody had looked.
    unseen: Nanos,
}

/// When the next pass is due, and what may call for it earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long until then.
    pub span: Duration,
    /// Whether the kernel's rings end it.
    pub until_records: bool,
    /// Whether a mere look at locks follows: nothing else is to end so short a pause.
    pub is_nap: bool,
}

impl Pace {
    /// A pass begins. Says whether it is to see to everything, or just to look at locks.
    pub fn pass(&mut self, at: Nanos, sampling: bool) -> bool {
        (self.passed, self.looks, self.due) = (at, sampling, self.next);
        let due = self.sample_due + SAMPLED;
        // What was missed is not made up for.
        self.sample_due = if (due..due + SAMPLED).contains(&at) { due } else { at };
        let whole = !sampling || at >= self.whole + ELSE;
        if whole {
            self.whole = at;
        }
        whole
    }

    /// There were records, the last of them then.
    pub fn records(&mut self, at: Nanos) {
        self.record = self.record.max(at);
    }

    /// The lock changed hands.
    pub fn turn(&mut self, at: Nanos) {
        self.turn = self.turn.max(at);
    }

    /// A sleep was over before anybody looked at it.
    pub fn unseen(&mut self, since: Nanos, until: Nanos) {
        let is_for_being_late = (since..until).contains(&self.due);
        if until > since + OFTEN && !is_for_being_late {
            self.unseen = self.unseen.max(until);
        }
    }

    /// How long it is until the next pass.
    pub fn pause(&mut self, now: Nanos, sampling: bool) -> Pause {
        let recent = |at: Nanos, span: Nanos| at != Nanos::ZERO && at + span > self.passed;
        let (due, until_records) = match () {
            () if sampling => (self.sample_due + SAMPLED, false),
            () if recent(self.unseen, ALERT) => (self.passed + OFTEN, false),
            () if recent(self.turn, OVERDUE) => ((self.turn + MIDDLE).max(self.passed + OFTEN), false),
            () if recent(self.record, CALM) => (self.passed + SELDOM, false),
            () => (self.passed + QUIET, true),
        };
        self.next = due;
        // Where every pass is whole, each pause is one that an end must be able to end.
        let is_nap = sampling && self.looks && due < self.whole + ELSE;
        Pause { span: Duration::from(due.max(now) - now), until_records, is_nap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn pause(pace: &mut Pace, now: u64, sampling: bool) -> (u128, bool) {
        let Pause { span, until_records, .. } = pace.pause(Nanos(now), sampling);
        (span.as_micros(), until_records)
    }

    #[test]
    fn a_pass_falls_into_the_middle_of_each_turn() {
        let mut pace = Pace::default();
        let begin = 1_000 * MS;
        // Somebody takes over every 5.15 ms; passes are made when they are due.
        let turns: Vec<u64> = (0..200).map(|turn| begin + turn * 5_150_000).collect();
        let mut now = begin + 1;
        let mut passes = Vec::new();
        while now < turns[199] {
            pace.pass(Nanos(now), false);
            for turn in turns.iter().filter(|turn| **turn <= now) {
                pace.turn(Nanos(*turn));
                pace.records(Nanos(*turn));
            }
            passes.push(now);
            now += pace.pause(Nanos(now), false).span.as_nanos() as u64;
        }
        let phases: Vec<u64> = passes.iter().skip(1).map(|at| (at - begin) % 5_150_000).collect();
        assert!(phases.iter().all(|phase| (1_500_000..4_000_000).contains(phase)), "{phases:?}");
        assert!((190..=201).contains(&passes.len()), "one a turn: {}", passes.len());
    }

    #[test]
    fn a_turn_that_comes_late_is_awaited_and_makes_nothing_quick() {
        let mut pace = Pace::default();
        // With four threads one turn in eight is as long as this; who has lost the lock sleeps 5 ms, a moment later.
        let mut turns = vec![1_000 * MS];
        for turn in 1..400 {
            let late = if turn % 8 == 0 { 2_450_000 } else { 0 };
            turns.push(turns[turn - 1] + 5_150_000 + late);
        }
        let mut now = turns[0] + MS;
        let (mut passes, mut before) = (0, 0);
        while now < turns[399] {
            pace.pass(Nanos(now), false);
            passes += 1;
            // What is a moment old is told; what is over was seen if there was a pass since it began.
            for turn in turns.iter().filter(|turn| **turn + MS <= now) {
                pace.turn(Nanos(*turn));
                pace.records(Nanos(*turn));
            }
            for since in turns.iter().map(|turn| turn + 60_000).filter(|since| *since >= before) {
                if since + 5 * MS <= now {
                    pace.unseen(Nanos(since), Nanos(since + 5 * MS));
                }
            }
            before = now;
            now += pace.pause(Nanos(now), false).span.as_nanos() as u64;
        }
        assert!((395..=480).contains(&passes), "some more than one a turn: {passes}");
        assert_eq!(pace.unseen, Nanos::ZERO, "every sleep was looked at");
    }

    #[test]
    fn nothing_happens_and_nothing_is_done_until_the_rings_fill() {
        let mut pace = Pace::default();
        pace.pass(Nanos(1_000 * MS), false);
        assert_eq!(pause(&mut pace, 1_000 * MS, false), (10_000, true));
        pace.records(Nanos(999 * MS));
        assert_eq!(pause(&mut pace, 1_000 * MS, false), (6_000, false));
        assert_eq!(pause(&mut pace, 1_050 * MS, false), (0, false), "late is at once");
    }

    #[test]
    fn sleeps_that_go_unseen_make_it_quick_unless_they_are_shorter_than_it_could_see() {
        let mut pace = Pace::default();
        pace.pass(Nanos(1_000 * MS), false);
        pace.records(Nanos(1_000 * MS));
        pace.unseen(Nanos(999 * MS), Nanos(1_000 * MS));
        assert_eq!(pause(&mut pace, 1_000 * MS, false), (6_000, false));
        pace.unseen(Nanos(996 * MS), Nanos(1_000 * MS));
        assert_eq!(pause(&mut pace, 1_000 * MS, false), (3_000, false));
        pace.pass(Nanos(1_100 * MS), false);
        pace.records(Nanos(1_100 * MS));
        assert_eq!(pause(&mut pace, 1_100 * MS, false), (6_000, false));
    }

    #[test]
    fn sleeps_that_go_unseen_because_a_pass_comes_late_make_nothing_quick() {
        for (late, quick) in [(true, false), (false, true)] {
            let mut pace = Pace::default();
            pace.pass(Nanos(1_000 * MS), false);
            pace.records(Nanos(1_000 * MS));
            assert_eq!(pause(&mut pace, 1_000 * MS, false), (6_000, false));
            let now = if late { 1_009 * MS } else { 1_006 * MS };
            pace.pass(Nanos(now), false);
            pace.records(Nanos(now));
            pace.unseen(Nanos(now - 4 * MS), Nanos(now - 10));
            let span = if quick { 3_000 } else { 6_000 };
            assert_eq!(pause(&mut pace, now, false), (span, false), "due after 6 ms, made after {} µs", now / 1_000);
        }
    }

    #[test]
    fn a_thousand_looks_a_second_are_made_however_late_each_is() {
        let mut pace = Pace::default();
        let (mut now, mut looks) = (1_000 * MS, 0);
        while now < 2_000 * MS {
            pace.pass(Nanos(now), true);
            looks += 1;
            // The look itself takes a while, and the timer is late, once by far too much.
            let late = if looks == 500 { 20_000 } else { 230 };
            now += 40_000;
            now += (pause(&mut pace, now, true).0 as u64 + late) * 1_000;
        }
        assert!((975..=981).contains(&looks), "{looks}");
    }

    #[test]
    fn a_lock_is_sampled_each_millisecond_and_all_else_is_seen_to_at_every_third() {
        let mut pace = Pace::default();
        let whole: Vec<bool> = (0..7).map(|pass| pace.pass(Nanos((1_000 + pass) * MS), true)).collect();
        assert_eq!(whole, [true, false, false, true, false, false, true]);
        assert_eq!(pause(&mut pace, 1_006 * MS, true), (1_000, false));
        assert!(pace.pause(Nanos(1_006 * MS), true).is_nap, "the pass after a whole one is a look");
        assert!(!pace.pause(Nanos(1_006 * MS), false).is_nap);
        assert!(pace.pass(Nanos(1_007 * MS), false));
        assert!(!pace.pause(Nanos(1_007 * MS), true).is_nap, "where all is looked at an end ends the pause");
    }
}
