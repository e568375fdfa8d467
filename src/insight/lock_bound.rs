//! The lock is what limits the run: it is hardly ever free, and others wait for it.

use super::facts::ratio;
use super::words::{mean, number, percent};
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, Nanos, State};

/// A fifth of its life free, and something else limits the run as well.
const HELD: f64 = 0.8;

/// Two workers that only compute wait half their time; half of that is where waiting is no accident any more.
const WAITS: f64 = 0.25;

/// From here on a lack of cores is worth saying too: less is the usual noise of a machine.
const NO_CORE: f64 = 0.1;

/// Whoever is awake for less than this part of its life is none of those that want the lock.
const AWAKE: f64 = 0.1;

pub(super) const INSIGHT: Insight = Insight { id: "lock-bound", of: Of::AnyProgram, find };

pub(super) fn find(facts: &Facts) -> Option<Said> {
    let waits = facts.share_awake(State::WaitingGil);
    let (mut held, mut life) = (Nanos::ZERO, Nanos::ZERO);
    for lock in facts.shared.keys() {
        let stats = facts.trace.lock_stats(*lock);
        held += stats.held;
        life += stats.held + stats.free;
    }
    if waits < WAITS || ratio(held, life) < HELD {
        return None;
    }
    let waiters = facts.at_once(&[State::WaitingGil]);
    let rest = contenders(facts, waiters) - 1;
    let time = facts.their_time();
    // Beside a program's own locks it is to be said which is meant.
    let lock = if facts.is_program { "GIL" } else { "lock" };
    let mut sentence = match facts.shared.len() {
        1 if waiters > rest as f64 - 0.5 => {
            let wait = if rest == 1 { "waits" } else { "wait" };
            format!("One thread holds the {lock}, {} {wait} ({} of all {time})", number(rest), percent(waits))
        }
        1 => format!("One thread holds the {lock}, {} of {rest} wait ({} of {time})", mean(waiters), percent(waits)),
        _ => {
            format!("In each process one thread holds its lock, the others wait: {} of all {time}", percent(waits))
        }
    };
    if facts.shared.len() == 1 {
        sentence += match (facts.trace.cores().len() > 1, facts.cores_busy() <= 1.2) {
            (true, true) => ". The work hops between cores but never fills more than one's worth",
            (true, false) => ". The work hops between cores",
            (false, _) => ". The work fills one core at most",
        };
    }
    let no_core = facts.share_awake(State::WaitingCore);
    if no_core >= NO_CORE {
        sentence += &format!(". For {} of the time a thread wanted a core (!)", percent(no_core));
    }
    sentence += ".";
    match facts.shared.len() {
        1 => Said::comparing(sentence, "Try: processes, each with a lock of its own.", "threads,processes"),
        _ => Said::comparing(sentence, "Try: more processes with fewer threads each.", "threads,processes"),
    }
}

/// How many threads want the lock, two at least. Of a real program not those that sleep nearly always, unless it is these
/// that wait.
fn contenders(facts: &Facts, waiters: f64) -> u64 {
    let all = facts.workers.len() as u64;
    if !facts.is_program {
        return all;
    }
    let is_awake = |lane: &&LaneId| {
        let ledger = facts.trace.lane_ledger(**lane).0;
        let time =
            |of: fn(State) -> bool| State::ALL.into_iter().filter(|it| of(*it)).map(|it| ledger[it.index()]).sum();
        ratio(time(State::awake), time(State::lives)) >= AWAKE
    };
    let awake = facts.workers.iter().filter(is_awake).count() as u64;
    if waiters < awake as f64 { awake.max(2) } else { all }
}
