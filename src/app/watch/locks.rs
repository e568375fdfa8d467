//! Which locks the Watch screen shows, and which of them is held most.
//!
//! A program that forks has a lock for each process, and a pool that exchanges its workers has had hundreds of which a
//! handful live. So those that have nothing in the picture are no rows of it, and of those that have, the ones come first
//! for which somebody waits.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::event::{LockId, Nanos, State};
use crate::trace::{LockInfo, Trace};

/// A lock is held for a part of at least so much: else whoever lives for a moment and holds his own all the while would
/// stand for a lock that is never free.
const LEAST_TIME: Nanos = Nanos::from_secs(1);

/// The locks of workers, as they are in a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Those that were there at some time in the picture, in the order in which they are shown.
    pub in_picture: Vec<LockId>,
    /// How many others there have been, before it or after.
    pub elsewhere: usize,
}

/// The lock that is held most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MostHeld {
    /// Which.
    pub lock: LockId,
    /// For which share of the time, 0 to 1.
    pub share: f64,
    /// Of how many: those that are there now or, if none is any more, all.
    pub of: usize,
}

/// Which locks are in the picture between two instants, of a log of which nothing after `reach` is shown.
pub fn in_picture(log: &Trace, from: Nanos, to: Nanos, reach: Nanos) -> Locks {
    let all: Vec<(LockId, &LockInfo)> = log.gils().filter(|(_, info)| info.of_workers).collect();
    let (from, to) = (from.max(log.begin_at()), to.min(reach));
    if all.len() < 2 || to <= from {
        return Locks { in_picture: all.into_iter().map(|(lock, _)| lock).collect(), elsewhere: 0 };
    }
    let mut rows: Vec<(LockId, &LockInfo, Nanos)> = Vec::new();
    let mut elsewhere = 0;
    for (lock, info) in all {
        match there(log, lock, from, to) {
            Some(held) => rows.push((lock, info, held)),
            None => elsewhere += usize::from(there(log, lock, log.begin_at(), reach).is_some()),
        }
    }
    let waited = waited(log, from, to);
    // Figures that differ in what nobody reads do not change the order.
    let percent = ((to - from).0 / 100).max(1);
    let whole = |span: u64| Reverse((span + percent / 2) / percent);
    rows.sort_by_cached_key(|(lock, info, held)| {
        let is_first = info.process == 0 && info.interpreter().is_none();
        let lives = there(log, *lock, to - Nanos(1), to).is_some();
        (!is_first, whole(waited.get(lock).copied().unwrap_or(0)), whole(held.0), !lives, *lock)
    });
    Locks { in_picture: rows.into_iter().map(|(lock, ..)| lock).collect(), elsewhere }
}

/// How long a lock was held between two instants; none if it was not there.
fn there(log: &Trace, lock: LockId, from: Nanos, to: Nanos) -> Option<Nanos> {
    let cell = log.lock_window(lock, from, to, 1).pop()?;
    (cell.absent < to - from).then_some(cell.held)
}

/// How long threads waited for each lock.
fn waited(log: &Trace, from: Nanos, to: Nanos) -> HashMap<LockId, u64> {
    let mut waited: HashMap<LockId, u64> = HashMap::new();
    for (lane, info) in log.lanes() {
        if let Some(lock) = info.lock {
            *waited.entry(lock).or_default() += log.lane_ledger_between(lane, from, to).0[State::WaitingGil.index()].0;
        }
    }
    waited
}

/// The lock that is held most since `from`, by what the log knows or, of those that are only looked at, by what the `looks`
/// tell. None if that was not observed, or there is no lock.
pub(super) fn most_held(log: &Trace, from: Nanos, looks: &[(LockId, f64)]) -> Option<MostHeld> {
    let now = log.now();
    let all: Vec<LockId> = log.gils().map(|(lock, _)| lock).collect();
    let live = |lock: &LockId| now > from && there(log, *lock, now - Nanos(1), now).is_some();
    let living: Vec<LockId> = all.iter().copied().filter(live).collect();
    let several = all.len() > 1;
    let asked = if living.is_empty() { all } else { living };
    let of = asked.len();
    let share = |lock: LockId| {
        if let Some((_, share)) = looks.iter().find(|(looked_at, _)| *looked_at == lock) {
            return Some(*share);
        }
        let cell = log.lock_window(lock, from, now, 1).pop()?;
        let known = (now - from) - cell.unknown;
        let observed = known - cell.absent;
        // One alone is there as long as its program is.
        let time = if several { observed.max(known.min(LEAST_TIME)) } else { observed };
        (observed > Nanos::ZERO).then(|| cell.held.0 as f64 / time.0 as f64)
    };
    let shares = asked.into_iter().filter_map(|lock| share(lock).map(|share| MostHeld { lock, share, of }));
    shares.max_by(|one, other| one.share.total_cmp(&other.share).then(other.lock.cmp(&one.lock)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::State as LaneState;
    use crate::trace::testing::{TraceBuilder, forks};

    fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    #[test]
    fn locks_that_have_ended_are_in_the_pictures_of_their_time_alone() {
        let log = forks();
        let begin = log.begin_at();
        let seen = |from, to| in_picture(&log, begin + ms(from), begin + ms(to), log.now());
        let ids = |ids: &[u16]| ids.iter().copied().map(LockId).collect::<Vec<_>>();
        assert_eq!(seen(505, 525), Locks { in_picture: ids(&[0, 52, 53, 51]), elsewhere: 97 });
        // In the latest somebody waits.
        assert_eq!(seen(980, 1000), Locks { in_picture: ids(&[0, 100, 99]), elsewhere: 98 });
        // Frozen, of those that came later nothing is known.
        let then = in_picture(&log, begin + ms(505), begin + ms(525), begin + ms(525));
        assert_eq!(then, Locks { in_picture: ids(&[0, 52, 53, 51]), elsewhere: 50 });
    }

    #[test]
    fn whoever_lives_for_a_moment_holds_no_lock_all_the_time() {
        let log = forks();
        let held = most_held(&log, log.begin_at(), &[]).expect("there are locks");
        assert_eq!((held.lock, held.of), (LockId(0), 3), "those that live");
        assert!((held.share - 0.2).abs() < 1e-6, "{held:?}");
        let looked = most_held(&log, log.begin_at(), &[(LockId(0), 0.3), (LockId(99), 0.9), (LockId(7), 1.0)]);
        assert_eq!(looked, Some(MostHeld { lock: LockId(99), share: 0.9, of: 3 }));
    }

    #[test]
    fn one_lock_is_in_every_picture_and_held_for_as_long_as_it_was_there() {
        let log =
            TraceBuilder::new().lock_between("GIL", ms(50), ms(1000)).lane("main").state(LaneState::Unborn, ms(50));
        let log = log.running(ms(50)).live().build();
        let begin = log.begin_at();
        assert_eq!(in_picture(&log, begin, begin + ms(10), log.now()).in_picture, [LockId(0)]);
        assert_eq!(most_held(&log, begin, &[]), Some(MostHeld { lock: LockId(0), share: 1.0, of: 1 }));
        assert_eq!(most_held(&TraceBuilder::new().lane("main").running(ms(5)).build(), begin, &[]), None);
    }
}
