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
//!   some do more than look at locks and at who has fallen asleep. A timer is always a little late; the next
//!   pass is due from when this one was, so that there are a thousand a second.
//! - While sleeps come and go unexplained, and not just one now and then, as
//!   often as seems bearable. Waits for a watched lock need no look: what the
//!   lock does tells of them afterwards ([`super::thread`]).
//! - The same after a process or an interpreter was born, for a while: the next one may live for some milliseconds only.
//! - Otherwise seldom, yet sooner than an interpreter can start: of a child that
//!   ends before anybody has looked at it nothing can be told.
//! - When it is looked where holders are ([`super::instants`]), and hardly else, while all is calm, as where threads
//!   take turns on the lock and do nothing else: for a while nobody was born and hardly a sleep went unexplained. The
//!   first few sleeps that do, or the first child, end the calm, and are all that it costs (of the first interpreter with a lock
//!   of its own, 5 to 25 ms unknown and not 3 to 10). To wake up is most of what watching such a program takes.
//! - At once when a ring is half full: nothing is to be lost.
//!
//! # Not chosen
//! To be woken by the rings when there is something new: what fills them are
//! hand-offs, so each wake-up would come at the one moment at which nobody
//! sleeps yet, and each interrupts the program. To pass in the middle of each
//! turn at the lock, when all who wait for it sleep: those it sees are those
//! that can be told of without it. To pass more often while anything happens
//! than while nothing does: a pass costs the program most where it is busy,
//! as each third one takes the core from a thread of it.

use std::time::Duration;

use crate::event::Nanos;

/// How often a lock is looked at that is sampled.
const SAMPLED: Nanos = Nanos::from_millis(1);
/// How often all else is seen to meanwhile.
const ELSE: Nanos = Nanos::from_millis(3);
/// How often a pass is made while sleeps go unexplained that are longer: those that are shorter cannot be seen.
const OFTEN: Nanos = Nanos::from_millis(3);
/// Unexplained time in short succession: so much of it makes it quick.
const MUCH: Nanos = Nanos::from_millis(10);
/// More is not counted: what is over is over.
const MOST: Nanos = Nanos::from_millis(30);
/// Of the time one part in so many may go unexplained without any of it adding up.
const BEARABLE: u64 = 4;
/// The same over some ten seconds, in which it shows what kind of program it is: so much ends the calm.
const SOME: Nanos = Nanos::from_millis(20);
const MOST_LONG: Nanos = Nanos::from_millis(120);
const NEGLIGIBLE: u64 = 100;
/// For how long after a birth further ones are looked for often.
const BROODY: Nanos = Nanos::from_secs(1);
/// How often else.
const SELDOM: Nanos = Nanos::from_millis(10);
/// How often where hardly anything happens that a pass could miss.
const CALM: Nanos = Nanos::from_millis(40);
/// For how long nobody must have been born: a program that starts others does so again, and they may be short.
const QUIET: Nanos = Nanos::from_secs(60);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Pace {
    /// The last pass, when it was due if something is sampled, and the last that was no mere look at locks.
    passed: Nanos,
    sample_due: Nanos,
    whole: Nanos,
    /// Whether there are passes that are mere looks at locks.
    looks: bool,
    /// The last birth of a process or an interpreter.
    born: Nanos,
    /// Sleeps that are over and whose reason nobody knows: of late, and in a longer time.
    unexplained: Leaking<BEARABLE>,
    unexplained_long: Leaking<NEGLIGIBLE>,
}

/// A sum from which one part in so many of the time that passes leaks away.
#[derive(Clone, Copy, Debug, Default)]
struct Leaking<const PARTS: u64> {
    last: Nanos,
    sum: Nanos,
}

impl<const PARTS: u64> Leaking<PARTS> {
    fn at(&self, now: Nanos) -> Nanos {
        Nanos(self.sum.0.saturating_sub(now.0.saturating_sub(self.last.0) / PARTS))
    }

    fn add(&mut self, at: Nanos, span: Nanos, most: Nanos) {
        (self.last, self.sum) = (self.last.max(at), (self.at(at) + span).min(most));
    }
}

/// When the next pass is due, and what may call for it earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long until then.
    pub span: Duration,
    /// Whether a mere look at locks follows: nothing else is to end so short a pause.
    pub is_nap: bool,
}

impl Pace {
    /// A pass begins. Says whether it is to see to everything, or just to look at locks.
    pub fn pass(&mut self, at: Nanos, sampling: bool) -> bool {
        (self.passed, self.looks) = (at, sampling);
        let due = self.sample_due + SAMPLED;
        // What was missed is not made up for.
        self.sample_due = if (due..due + SAMPLED).contains(&at) { due } else { at };
        let whole = !sampling || at >= self.whole + ELSE;
        if whole {
            self.whole = at;
        }
        whole
    }

    /// A process was born, or an interpreter.
    pub fn born(&mut self, at: Nanos) {
        self.born = self.born.max(at);
    }

    /// A sleep was over, and nobody knows its reason.
    pub fn unexplained(&mut self, since: Nanos, until: Nanos) {
        if until > since + OFTEN {
            self.unexplained.add(until, until - since, MOST);
            self.unexplained_long.add(until, until - since, MOST_LONG);
        }
    }

    fn is_calm(&self) -> bool {
        let is_quiet = self.born == Nanos::ZERO || self.born + QUIET <= self.passed;
        is_quiet && self.unexplained_long.at(self.passed) <= SOME
    }

    /// How long it is until the next pass.
    pub fn pause(&self, now: Nanos, sampling: bool) -> Pause {
        let is_broody = self.born != Nanos::ZERO && self.born + BROODY > self.passed;
        let due = match () {
            () if sampling => self.sample_due + SAMPLED,
            () if is_broody || self.unexplained.at(self.passed) > MUCH => self.passed + OFTEN,
            () if self.is_calm() => self.passed + CALM,
            () => self.passed + SELDOM,
        };
        // Where every pass is whole, each pause is one that an end must be able to end.
        let is_nap = sampling && self.looks && due < self.whole + ELSE;
        Pause { span: Duration::from(due.max(now) - now), is_nap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn pause(pace: &Pace, now: u64, sampling: bool) -> u128 {
        pace.pause(Nanos(now), sampling).span.as_micros()
    }

    #[test]
    fn a_pass_that_is_late_is_made_at_once() {
        let mut pace = Pace::default();
        pace.pass(Nanos(1_000 * MS), false);
        assert_eq!(pause(&pace, 1_000 * MS, false), 40_000);
        assert_eq!(pause(&pace, 1_004 * MS, false), 36_000);
        assert_eq!(pause(&pace, 1_050 * MS, false), 0);
    }

    #[test]
    fn sleeps_that_go_unexplained_make_it_quick_if_they_add_up_and_could_be_seen() {
        // Every so many milliseconds a sleep of so many; the pause then and a little later, in microseconds.
        for (every, lasts, soon, later) in
            [(10, 2, 40_000, 40_000), (50, 5, 40_000, 40_000), (50, 9, 10_000, 10_000), (10, 5, 3_000, 10_000)]
        {
            let mut pace = Pace::default();
            for end in (1_000..1_200).step_by(every) {
                pace.unexplained(Nanos((end - lasts) * MS), Nanos(end * MS));
            }
            for (at, span) in [(1_200, soon), (1_400, later), (11_200, 40_000)] {
                pace.pass(Nanos(at * MS), false);
                assert_eq!(pause(&pace, at * MS, false), span, "{lasts} ms every {every} ms, at {at} ms");
            }
        }
    }

    #[test]
    fn after_the_birth_of_a_process_passes_are_quick_for_a_while() {
        let mut pace = Pace::default();
        pace.born(Nanos(1_000 * MS));
        for (at, span) in [(1_001, 3_000), (1_999, 3_000), (2_001, 10_000), (60_999, 10_000), (61_000, 40_000)] {
            pace.pass(Nanos(at * MS), false);
            assert_eq!(pause(&pace, at * MS, false), span, "after {} ms", at - 1_000);
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
            now += (pause(&pace, now, true) as u64 + late) * 1_000;
        }
        assert!((975..=981).contains(&looks), "{looks}");
    }

    #[test]
    fn a_lock_is_sampled_each_millisecond_and_all_else_is_seen_to_at_every_third() {
        let mut pace = Pace::default();
        let whole: Vec<bool> = (0..7).map(|pass| pace.pass(Nanos((1_000 + pass) * MS), true)).collect();
        assert_eq!(whole, [true, false, false, true, false, false, true]);
        assert_eq!(pause(&pace, 1_006 * MS, true), 1_000);
        assert!(pace.pause(Nanos(1_006 * MS), true).is_nap, "the pass after a whole one is a look");
        assert!(!pace.pause(Nanos(1_006 * MS), false).is_nap);
        assert!(pace.pass(Nanos(1_007 * MS), false));
        assert!(!pace.pause(Nanos(1_007 * MS), true).is_nap, "where all is looked at an end ends the pause");
    }
}
