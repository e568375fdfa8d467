//! What the cursor points at, in words: state, since when, who held the lock meanwhile.

use crate::event::{LaneId, Line, State as LaneState};
use crate::trace::Trace;

use super::state::State;
use super::view::drawn_lanes;
use super::words::{instant, sanitised};

/// How many holders are named.
const NAMED: usize = 3;

/// The lane pointed at: the one picked, or the first.
pub fn lane(state: &State, log: &Trace) -> Option<LaneId> {
    let lanes = drawn_lanes(log);
    state.view.picked.filter(|picked| lanes.contains(picked)).or_else(|| lanes.first().copied())
}

/// The sentence at the cursor; none if nothing is pointed at.
pub fn sentence(state: &State, log: &Trace) -> Option<String> {
    let at = state.view.cursor?;
    let lane = lane(state, log)?;
    let begin = log.begin_at();
    let name = sanitised(&log.lane(lane).name);
    let when = instant(at - begin, state.view.axis.cell);
    let Some(span) = log.span_at(lane, at) else {
        return Some(format!("{when}  {name}: nothing recorded here"));
    };
    let mut text = format!("{when}  {name} {}", span.state.words());
    if matches!(span.state, LaneState::Unborn | LaneState::Done) {
        return Some(text);
    }
    let detail = span.detail.name();
    if !detail.is_empty() {
        text += &format!(" ({detail})");
    }
    let since = instant(span.from - begin, state.view.axis.cell);
    text += &format!(" since {since}, for {}", span.to - span.from);
    if span.state == LaneState::WaitingGil {
        let held = holders(log, lane, span);
        if !held.is_empty() {
            text += &format!("; meanwhile held by {held}");
        }
    }
    let line = log.line_at(lane, at);
    if line != Line::NONE {
        text += &format!(" · line {line}");
    }
    Some(text)
}

fn holders(log: &Trace, lane: LaneId, span: crate::trace::Span) -> String {
    let holders = log.holders_during(lane, span);
    let others = holders.len().saturating_sub(NAMED);
    let named = holders.iter().take(NAMED);
    let mut parts: Vec<String> =
        named.map(|(lane, held)| format!("{} {held}", sanitised(&log.lane(*lane).name))).collect();
    if others > 0 {
        parts.push(format!("{others} more"));
    }
    parts.join(", ")
}
