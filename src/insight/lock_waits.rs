//! Threads of a real program wait for the lock, though it is free at times: where requests come and go it is, and those that
//! are there at the same time wait for one another all the same.

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said, lock_bound};
use crate::event::{LaneId, Nanos, State};
use crate::text::printable;

/// Half of what two that only compute wait for one another, as in `lock_bound`.
const WAITS: f64 = 0.25;

/// At any time half a thread waits: less is a matter of moments.
const AT_ONCE: f64 = 0.5;

/// One who held the lock for so much of what all waited is to be named.
const ONE: f64 = 0.5;

/// From here on a lack of cores is worth saying too, as in `lock_bound`.
const NO_CORE: f64 = 0.1;

pub(super) const INSIGHT: Insight = Insight { id: "lock-waits", of: Of::AnyProgram, find };

/// Whether threads of a real program wait for the lock more than for cores, and much.
pub(super) fn is_worst(facts: &Facts) -> bool {
    let waits = facts.share_awake(State::WaitingGil);
    facts.is_program
        && waits >= WAITS
        && facts.at_once(&[State::WaitingGil]) >= AT_ONCE
        && waits > facts.share_awake(State::WaitingCore)
}

fn find(facts: &Facts) -> Option<Said> {
    if !is_worst(facts) || lock_bound::find(facts).is_some() {
        return None;
    }
    let waits = |lane: LaneId| {
        let ledger = facts.trace.lane_ledger(lane).0;
        let life: Nanos = State::ALL.into_iter().filter(|it| it.lives()).map(|it| ledger[it.index()]).sum();
        (ledger[State::WaitingGil.index()], life)
    };
    let most = facts.workers.iter().copied().max_by_key(|lane| waits(*lane).0)?;
    let (waited, life) = waits(most);
    let name = |lane| printable(&facts.trace.lane(lane).name);
    let mut sentence = format!(
        "Threads wait for the GIL for {} of {}, {} the most: {} of its life",
        percent(facts.share_awake(State::WaitingGil)),
        facts.their_time(),
        name(most),
        percent(ratio(waited, life)),
    );
    sentence += &held_by(facts).map_or_else(String::new, |(holder, share)| {
        format!(". {} held it for {} of what they waited", name(holder), percent(share))
    });
    let no_core = facts.share_awake(State::WaitingCore);
    if no_core >= NO_CORE {
        sentence += &format!(". For {} of the time a thread wanted a core (!)", percent(no_core));
    }
    sentence += ".";
    Said::with(
        sentence,
        "Try: fewer threads a process and more processes, or what holds the lock in a process of its own.",
    )
}

/// Who held it for most of what all waited, if it was one.
fn held_by(facts: &Facts) -> Option<(LaneId, f64)> {
    let blame = facts.trace.blame();
    let of = |lane: LaneId| blame.iter().filter(|it| it.holder == lane).map(|it| it.ns).sum::<Nanos>();
    let most = blame.iter().map(|it| it.holder).max_by_key(|holder| of(*holder))?;
    let share = ratio(of(most), facts.time(State::WaitingGil));
    (share >= ONE).then_some((most, share))
}
