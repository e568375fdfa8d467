//! What the cursor points at, in words: state, since when, who held the lock meanwhile.

use crate::event::{LaneId, Line, Nanos, State as LaneState};
use crate::trace::{Span, Trace};

use super::state::State;
use super::view::drawn_lanes;
use super::words::{count, instant, percent, sanitised};

/// How many holders are named.
const NAMED: usize = 3;

/// How often a lane says how far it has come, at least: nothing is known of less.
const SAID_EVERY: Nanos = Nanos::from_millis(2);

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
    if span.state == LaneState::WaitingGil {
        text += &format!(", {}{}", span.to - span.from, blame(log, lane, span, at));
    } else {
        let since = instant(span.from - begin, state.view.axis.cell);
        text += &format!(" since {since}, for {}", span.to - span.from);
    }
    let line = log.line_at(lane, at);
    if line != Line::NONE {
        text += &format!(" · line {line}");
    }
    if span.state == LaneState::Running && log.lane(lane).lock.is_none() {
        text += &work_here(state, log, lane, at);
    }
    Some(text)
}

/// How much a lane gets done about there.
fn work_here(state: &State, log: &Trace, lane: LaneId, at: Nanos) -> String {
    let half = Nanos(state.view.axis.cell.0 / 2).max(SAID_EVERY);
    let Some(rate) = log.progress(lane, at - half, at + half).per_ms() else { return String::new() };
    let beside = state.alone.map_or(String::new(), |alone| format!(", {} of one alone", percent(rate / alone)));
    format!(" · gets {} instructions a ms done{beside}", count(rate))
}

/// For whom a lane waits: who holds the lock at the cursor and at which line, how much of this wait that was and how
/// much it was in all; then who else held it during this wait.
fn blame(log: &Trace, lane: LaneId, span: Span, at: Nanos) -> String {
    let name = |lane: LaneId| sanitised(&log.lane(lane).name);
    let mut held = log.holders_during(lane, span);
    let mut text = String::new();
    let owner = log.lane(lane).lock.and_then(|lock| log.owner_at(lock, at)).map(|(owner, _)| owner);
    if let Some(place) = held.iter().position(|(holder, _)| Some(*holder) == owner) {
        let (holder, of_this) = held.remove(place);
        text += &format!("; held here by {}", name(holder));
        let line = log.line_at(holder, at);
        if line != Line::NONE {
            text += &format!(" at line {line}");
        }
        let charged = log.blame().into_iter().filter(|blame| blame.waiter == lane && blame.holder == holder);
        let in_all: Nanos = charged.map(|blame| blame.ns).sum();
        text += &format!(": {of_this} of it, {in_all} in all while {} waited", name(lane));
    }
    if !held.is_empty() {
        let others = held.len().saturating_sub(NAMED);
        let mut parts: Vec<String> =
            held.iter().take(NAMED).map(|(lane, held)| format!("{} {held}", name(*lane))).collect();
        if others > 0 {
            parts.push(format!("{others} more"));
        }
        let also = if text.is_empty() { "; meanwhile held by" } else { "; before or after by" };
        text += &format!("{also} {}", parts.join(", "));
    }
    text
}
