//! Turning arguments and results into bytes and back costs too much.

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{Nanos, State};
use crate::model::Role;

/// A fifth of the workers' lives, or of the run on the side that sends: from there on it can cost more than a
/// fifth worker brings.
const SHARE: f64 = 0.2;

/// Of the run; below that nobody would notice, however short the work.
const LEAST: f64 = 0.05;

const BYTES: [State; 2] = [State::Pickling, State::Unpickling];

pub(super) const INSIGHT: Insight = Insight { id: "pickling-dominates", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let workers: f64 = BYTES.iter().map(|state| facts.share(*state)).sum();
    let senders = facts.trace.lanes().filter(|(_, info)| matches!(info.role, Role::Main | Role::Master));
    let sending = senders.map(|(lane, _)| {
        let ledger = facts.trace.lane_ledger(lane);
        let kept_waiting = ledger.0[State::WaitingCore.index()];
        (BYTES.iter().map(|state| ledger.0[state.index()]).sum::<Nanos>(), kept_waiting)
    });
    let (sending, kept_waiting) = sending.max().unwrap_or_default();
    // Judged by the time it was not kept off its core: how busy the machine is with other things does not decide it.
    let judged = ratio(sending, facts.elapsed() - kept_waiting);
    let sending = ratio(sending, facts.elapsed());
    if workers.max(judged) < SHARE {
        return more_than_the_work(facts);
    }
    let whose =
        if workers >= sending { "the workers' time" } else { "the run in the process that hands out the tasks" };
    said(format!(
        "Turning arguments and results into bytes and back took {} of {whose}.",
        percent(workers.max(sending))
    ))
}

/// It can be little beside start-up and waiting for cores, and still be more than what it was done for.
fn more_than_the_work(facts: &Facts) -> Option<Said> {
    let in_lane = |lane| -> Nanos {
        let ledger = facts.trace.lane_ledger(lane);
        BYTES.iter().map(|state| ledger.0[state.index()]).sum()
    };
    let bytes: Nanos = facts.trace.lanes().map(|(lane, _)| in_lane(lane)).sum();
    let work = facts.times(&[State::Running, State::Native, State::Io, State::Suspended]);
    if !facts.trace.has_ended() || bytes <= work || ratio(bytes, facts.elapsed()) < LEAST {
        return None;
    }
    said(format!("Turning arguments and results into bytes and back took {bytes}, the work itself {work}."))
}

fn said(sentence: String) -> Option<Said> {
    Said::comparing(sentence, "Try: to send less, or threads, which share their memory.", "processes,threads")
}
