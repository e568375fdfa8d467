//! A worker that waits for I/O waits a whole switch interval more at each
//! wake-up, behind one that computes: the convoy effect (bpo-7946). The one
//! that computes does not let go by itself, and is asked to only after an
//! interval.

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, Nanos, State};
use crate::text::printable;
use crate::trace::Span;

/// A habit, and no accident.
const WAKE_UPS: usize = 5;

/// So many of the wake-ups led into a wait of an interval.
const OFTEN: f64 = 0.6;

/// A wait counts as an interval from here on: timers differ by some hundredths.
const OF_INTERVAL: f64 = 0.9;

/// So many changes of a lane are looked at, from the beginning on.
const LOOKED_AT: usize = 4_000;

/// So many lanes that do I/O are looked at.
const LANES: usize = 32;

pub(super) const INSIGHT: Insight = Insight { id: "convoy", of: Of::AnyProgram, find };

/// What became of a lane's wake-ups.
struct WakeUps {
    lane: LaneId,
    all: usize,
    long: usize,
    waited: Nanos,
}

fn find(facts: &Facts) -> Option<Said> {
    let does_io = |lane: &&LaneId| {
        let lock = facts.trace.lane(**lane).lock;
        let ledger = facts.trace.lane_ledger(**lane);
        lock.is_some_and(|lock| facts.shared.contains_key(&lock))
            && ledger.0[State::Io.index()] > Nanos::ZERO
            && ledger.0[State::WaitingGil.index()] > Nanos::ZERO
    };
    let lanes = facts.workers.iter().filter(does_io).take(LANES);
    let worst = lanes.map(|lane| wake_ups(facts, *lane)).max_by_key(|wake_ups| wake_ups.waited)?;
    if worst.long < WAKE_UPS || (worst.long as f64) < worst.all as f64 * OFTEN {
        return None;
    }
    let blame = facts.trace.blame();
    let charged = || blame.iter().filter(|blame| blame.waiter == worst.lane);
    let most = charged().max_by_key(|blame| blame.ns)?;
    // The holder computes: it holds the lock longer than it waits for I/O.
    let holder = facts.trace.lane_ledger(most.holder);
    if holder.0[State::Running.index()] <= holder.0[State::Io.index()] {
        return None;
    }
    let share = ratio(most.ns, charged().map(|blame| blame.ns).sum());
    let name = |lane| printable(&facts.trace.lane(lane).name);
    Said::comparing(
        format!(
            "At {} of {} wake-ups from I/O {} waited a whole switch interval or more ({} on average); {} held the lock \
             for {} of that while it waited.",
            worst.long,
            worst.all,
            name(worst.lane),
            Nanos(worst.waited.0 / worst.long as u64),
            name(most.holder),
            percent(share),
        ),
        "Try: a shorter switch interval, or the worker that computes as a process.",
        "threads,processes",
    )
}

fn wake_ups(facts: &Facts, lane: LaneId) -> WakeUps {
    let trace = facts.trace;
    let long = Nanos((facts.switch_interval.0 as f64 * OF_INTERVAL) as u64);
    let mut found = WakeUps { lane, all: 0, long: 0, waited: Nanos::ZERO };
    let begin = trace.coarsened_before().unwrap_or(trace.begin_at());
    let mut before: Option<Span> = None;
    let mut at = Some(begin);
    for _ in 0..LOOKED_AT {
        let Some(span) = at.and_then(|at| trace.span_at(lane, at)) else { break };
        // What is still open may last longer.
        if span.to >= trace.now() {
            break;
        }
        if before.is_some_and(|before| before.state == State::Io) {
            found.all += 1;
            if span.state == State::WaitingGil && span.to - span.from >= long {
                found.long += 1;
                found.waited += span.to - span.from;
            }
        }
        at = Some(span.to);
        before = Some(span);
    }
    found
}
