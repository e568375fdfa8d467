//! One coroutine keeps the event loop while others are ready to go on.

use super::words::number;
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, Line, Nanos, State};
use crate::text::printable;
use crate::trace::Span;

/// What asyncio itself calls slow (`loop.slow_callback_duration`).
const SLOW: Nanos = Nanos::from_millis(100);

/// So many lanes that were ready are looked at: those that were so longest.
const LANES: usize = 4;

/// So many changes of such a lane are looked at.
const LOOKED_AT: usize = 2_000;

/// What one does who has the loop: a blocking call keeps it as much as computing does.
const BUSY: [State; 4] = [State::Running, State::Io, State::Native, State::WaitingCore];

pub(super) const INSIGHT: Insight = Insight { id: "loop-blocked", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    if facts.time(State::Ready) < SLOW {
        return None;
    }
    let trace = facts.trace;
    let in_states = |lane: LaneId, states: &[State]| -> Nanos {
        let ledger = trace.lane_ledger(lane);
        states.iter().map(|state| ledger.0[state.index()]).sum()
    };
    let with = |states: &[State]| -> Vec<(LaneId, Nanos)> {
        let lanes = facts.workers.iter().map(|lane| (*lane, in_states(*lane, states)));
        lanes.filter(|(_, time)| *time >= SLOW).collect()
    };
    let mut ready = with(&[State::Ready]);
    ready.sort_by_key(|(lane, time)| (std::cmp::Reverse(*time), *lane));
    let busy = with(&BUSY);
    let mut worst: Option<(LaneId, Span, Nanos)> = None;
    for (lane, _) in ready.into_iter().take(LANES) {
        for wait in long_waits(facts, lane) {
            for (other, _) in busy.iter().filter(|(other, _)| *other != lane) {
                if let Some((span, overlap)) = longest_within(facts, *other, wait)
                    && worst.is_none_or(|(_, _, longest)| overlap > longest)
                {
                    worst = Some((*other, span, overlap));
                }
            }
        }
    }
    let (blocker, span, overlap) = worst.filter(|(_, _, overlap)| *overlap >= SLOW)?;
    let middle = span.from + Nanos((span.to - span.from).0 / 2);
    let is_ready = |lane: &&LaneId| trace.span_at(**lane, middle).is_some_and(|span| span.state == State::Ready);
    let others = facts.workers.iter().filter(is_ready).count().max(1) as u64;
    let line = match trace.line_at(blocker, middle) {
        Line::NONE => String::new(),
        line => format!(", at line {line},"),
    };
    let (were, noun) = if others == 1 { ("was", "other") } else { ("were", "others") };
    Said::with(
        format!(
            "{} kept the loop for {overlap} at a stretch{line} while {} {noun} {were} ready to go on.",
            printable(&trace.lane(blocker).name),
            number(others),
        ),
        match span.state {
            // Computing takes the loop's core and lock in another thread, too.
            State::Running => "Try: the computation in pieces with await asyncio.sleep(0) between, or in a process.",
            _ => "Try: the awaitable counterpart of the blocking call, or asyncio.to_thread.",
        },
    )
}

/// The stretches in which a lane was ready for long.
fn long_waits(facts: &Facts, lane: LaneId) -> Vec<Span> {
    facts
        .spans(lane)
        .take(LOOKED_AT)
        .filter(|span| span.state == State::Ready && span.to - span.from >= SLOW)
        .take(16)
        .collect()
}

/// The longest stretch within a wait in which a lane had the loop, with how much of it lies within.
fn longest_within(facts: &Facts, lane: LaneId, wait: Span) -> Option<(Span, Nanos)> {
    facts
        .trace
        .spans(lane, wait.from)
        .take_while(|span| span.from < wait.to)
        .take(LOOKED_AT)
        .filter(|span| BUSY.contains(&span.state))
        .map(|span| (span, span.to.min(wait.to) - span.from.max(wait.from)))
        .max_by_key(|(_, overlap)| *overlap)
}
