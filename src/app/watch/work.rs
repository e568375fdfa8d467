//! How the observer gets on: how often the lock is taken, what was missed, and what was seen in a moment for which it was
//! watched exactly although that slows the program down.

use crate::engine::Status;
use crate::event::Nanos;

use super::super::words::count;

/// For how long a lock is watched on demand.
pub const MOMENT: &str = "0.1 s";

/// So much of a moment must have been watched for it to be told of, and so long it is waited for.
const ENOUGH: Nanos = Nanos::from_millis(50);
const AT_MOST: Nanos = Nanos::from_millis(1500);

/// From less watched time than this no rate is told.
const LEAST: Nanos = Nanos::from_millis(20);

/// What the observer says of its own work, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How often locks were taken while they were watched; where some are only looked at now and then, of these alone: others
    /// that are watched all the while say nothing of them.
    pub takes: u64,
    /// How long the one of them was watched that was watched longest.
    pub exact: Nanos,
    /// Takes, drops and hand-offs that must have been, and records that the kernel dropped.
    pub missed: u64,
    /// How often locks changed hands by CPython's own count, and how many of those times were not seen.
    pub switches: u64,
    /// See there.
    pub unseen: u64,
}

impl Work {
    /// As it says itself.
    pub fn of(status: &Status) -> Work {
        let is_any_sampled = status.locks.iter().any(|lock| lock.sampled_ns > Nanos::ZERO);
        let watched = || status.locks.iter().filter(|lock| !is_any_sampled || lock.sampled_ns > Nanos::ZERO);
        let exact = watched().map(|lock| lock.exact_ns).max().unwrap_or_default();
        let takes = watched().map(|lock| lock.exact_takes).sum();
        let switches = status.locks.iter().map(|lock| lock.switch_number).sum();
        let unseen = status.locks.iter().map(|lock| lock.switch_number.saturating_sub(lock.handoffs_seen)).sum();
        Work { takes, exact, missed: status.missed + status.records_lost, switches, unseen }
    }

    /// Takes since then, and how many a second of the time that was watched.
    fn since(&self, before: &Work) -> (u64, Option<f64>) {
        let takes = self.takes.saturating_sub(before.takes);
        let span = self.exact - before.exact;
        (takes, (span >= LEAST).then(|| takes as f64 / span.as_secs_f64()))
    }
}

/// The observer at work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AtWork {
    /// What it said last.
    work: Option<Work>,
    /// Takes a second when the lock was last watched.
    takes_per_second: Option<f64>,
    /// Both as they stand on the screen.
    shown: Option<(Work, Option<f64>)>,
    /// Since when it is to be watched for a moment, and what had been seen by then.
    moment: Option<(Nanos, Work)>,
}

impl AtWork {
    /// Whether it is watched for a moment just now.
    pub fn is_exact_once(&self) -> bool {
        self.moment.is_some()
    }

    /// It is to be watched for a moment.
    pub(super) fn exact_once(&mut self, now: Nanos) {
        self.moment = Some((now, self.work.unwrap_or_default()));
    }

    /// What stands on the screen is what it said last. Not called while the picture stands still.
    pub(super) fn show(&mut self) {
        self.shown = self.work.map(|work| (work, self.takes_per_second));
    }

    /// Takes in what it says, and whether the lock is sampled now. A moment that is over is told of.
    pub(super) fn said(&mut self, now: Nanos, work: Work, is_sampled: bool) -> Option<String> {
        let before = self.work.replace(work).unwrap_or_default();
        if let (_, Some(rate)) = work.since(&before) {
            self.takes_per_second = Some(rate);
        }
        let (since, before) = self.moment?;
        // While it goes on there is more of it each time it is said.
        let watched = work.exact - before.exact;
        if (watched < ENOUGH || !is_sampled) && now - since < AT_MOST {
            return None;
        }
        self.moment = None;
        let (takes, rate) = work.since(&before);
        let Some(rate) = rate else {
            return Some("The lock could not be watched exactly: it is sampled as before.".to_owned());
        };
        self.takes_per_second = Some(rate);
        let missed = work.missed.saturating_sub(before.missed);
        let now = if is_sampled { "Now it is sampled again." } else { "It goes on so." };
        Some(format!(
            "Watched exactly for {:.2} s: {takes} takes, {} a second, {missed} missed. {now}",
            watched.as_secs_f64(),
            count(rate),
        ))
    }

    /// How often the lock is taken, if there is one, and what was missed, in few words; none before anything is known. Of a
    /// lock that is only looked at most takes are seen by nobody: what is known is how often it changed hands unseen.
    pub fn words(&self, has_lock: bool, is_sampled: bool, wide: bool) -> Option<String> {
        let (work, rate) = self.shown?;
        let rate = rate.filter(|_| has_lock).map(|rate| {
            let when = if is_sampled && wide { " when watched" } else { "" };
            format!("{} takes/s{when} · ", count(rate))
        });
        let missed = match (has_lock && is_sampled, wide) {
            (false, _) => format!("{} missed", work.missed),
            (true, true) => {
                let before = if work.missed > 0 { format!("{} missed · ", work.missed) } else { String::new() };
                format!("{before}{} of {} hand-offs unseen", count(work.unseen as f64), count(work.switches as f64))
            }
            (true, false) => format!("{} unseen", count(work.unseen as f64)),
        };
        Some(rate.unwrap_or_default() + &missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, LockStatus};
    use crate::event::LockId;
    use crate::model::LockKind;

    fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    fn words(at_work: &AtWork, is_sampled: bool, wide: bool) -> Option<String> {
        let mut at_work = at_work.clone();
        at_work.show();
        at_work.words(true, is_sampled, wide)
    }

    fn work(hits: u64, exact: u64, missed: u64) -> Work {
        Work { takes: hits / 2, exact: ms(exact), missed, switches: hits / 2, unseen: hits / 4 }
    }

    #[test]
    fn a_lock_that_is_watched_all_the_while_says_nothing_of_those_that_are_not() {
        let lock = |exact, takes, sampled| LockStatus {
            lock: LockId(0),
            kind: LockKind::Gil,
            engine: Engine::Exact,
            exact_ns: ms(exact),
            exact_takes: takes,
            sampled_ns: ms(sampled),
            looks: 0,
            looks_held: 0,
            exact_held_ns: Nanos::ZERO,
            held_lately: None,
            switch_number: 0,
            handoffs_seen: 0,
            counted_ns: Nanos::ZERO,
            switch_interval_ns: None,
        };
        let status = |locks| Status { locks, ..Status::default() };
        let of = |locks| Work::of(&status(locks));
        let both = of(vec![lock(5_000, 7, 0), lock(200, 900, 4_800)]);
        assert_eq!((both.takes, both.exact), (900, ms(200)));
        let watched = of(vec![lock(5_000, 7, 0), lock(4_000, 90, 0)]);
        assert_eq!((watched.takes, watched.exact), (97, ms(5_000)));
    }

    #[test]
    fn the_rate_is_that_of_the_time_in_which_the_lock_was_watched() {
        let mut at_work = AtWork::default();
        assert_eq!(words(&at_work, false, true), None);
        at_work.said(ms(250), work(0, 0, 0), false);
        assert_eq!(words(&at_work, false, true).as_deref(), Some("0 missed"), "nothing is known of its rate");
        at_work.said(ms(500), work(2_000, 250, 0), false);
        assert_eq!(words(&at_work, false, true).as_deref(), Some("4.0k takes/s · 0 missed"));
        // It was watched for a part of that time, and is sampled now: the rate is that of then.
        at_work.said(ms(750), work(5_000, 350, 2), true);
        at_work.said(ms(1000), work(5_000, 350, 2), true);
        assert_eq!(
            words(&at_work, true, true).as_deref(),
            Some("15k takes/s when watched · 2 missed · 1.2k of 2.5k hand-offs unseen")
        );
        assert_eq!(words(&at_work, true, false).as_deref(), Some("15k takes/s · 1.2k unseen"));
        // On the screen it stands until it is shown anew, and without a lock there is no rate.
        assert_eq!(at_work.words(true, true, true), None);
        at_work.show();
        at_work.said(ms(1250), work(9_000, 450, 3), true);
        assert_eq!(at_work.words(true, true, false).as_deref(), Some("15k takes/s · 1.2k unseen"));
        assert_eq!(at_work.words(false, true, false).as_deref(), Some("2 missed"));
    }

    #[test]
    fn a_moment_is_on_until_it_is_told_what_was_seen() {
        let mut at_work = AtWork::default();
        at_work.said(ms(1000), work(1_000, 100, 1), true);
        at_work.exact_once(ms(1100));
        assert!(at_work.is_exact_once());
        assert_eq!(at_work.said(ms(1250), work(1_400, 120, 1), true), None, "it has just begun");
        assert_eq!(at_work.said(ms(1350), work(3_000, 180, 1), false), None, "it goes on");
        let said = at_work.said(ms(1500), work(4_000, 200, 1), true).expect("it is over");
        assert_eq!(said, "Watched exactly for 0.10 s: 1500 takes, 15k a second, 0 missed. Now it is sampled again.");
        assert!(!at_work.is_exact_once());
        assert_eq!(at_work.said(ms(1750), work(4_000, 200, 1), true), None);
    }

    #[test]
    fn a_lock_that_cannot_be_watched_is_said_to_be() {
        let mut at_work = AtWork::default();
        at_work.said(ms(1000), work(0, 0, 0), true);
        at_work.exact_once(ms(1100));
        assert_eq!(at_work.said(ms(2000), work(0, 0, 0), true), None);
        assert!(at_work.said(ms(3000), work(0, 0, 0), true).is_some_and(|said| said.contains("could not be watched")));
    }
}
