//! What the cursor points at, in words: state, since when, who held the lock meanwhile.

use std::ops::Range;

use crate::event::{LaneId, Line, Nanos, State as LaneState};
use crate::insight::words::place_of;
use crate::trace::{Span, Trace};

use super::action::Action;
use super::compare::Screen;
use super::rows::{Fold, band_name, place};
use super::state::State;
use super::watch;
use super::words::{count, foreign, instant, percent, sanitised};

/// How many holders are named.
const NAMED: usize = 3;

/// Where a holder was seen is told if it was not longer than this ago.
const NEARBY: Nanos = Nanos::from_millis(500);

/// How often a lane says how far it has come, at least: nothing is known of less.
const SAID_EVERY: Nanos = Nanos::from_millis(2);

/// The lane pointed at: the one picked, or the first.
pub fn lane(state: &State, log: &Trace) -> Option<LaneId> {
    if state.screen == Screen::Watch {
        return watch::point::lane(state, log);
    }
    let fold = Fold::of(state, log);
    let in_sight = |lane: &LaneId| fold.place(log, *lane).is_some_and(|place| place != usize::MAX);
    let first = || log.workers().get(fold.workers.start).or_else(|| log.others().first()).copied();
    state.view.picked.filter(in_sight).or_else(first)
}

/// The band pointed at, where lanes are folded: its workers by their places.
pub fn band(state: &State, log: &Trace) -> Option<Range<usize>> {
    if state.screen == Screen::Watch {
        return None;
    }
    let fold = Fold::of(state, log);
    let place = lane(state, log).and_then(|lane| place(log, lane)).filter(|_| fold.is_folded())?;
    fold.band(place)
}

/// The sentence at the cursor; none if nothing is pointed at.
pub fn sentence(state: &State, log: &Trace) -> Option<String> {
    let at = state.view.cursor?;
    let lane = lane(state, log)?;
    let begin = log.begin_at();
    // Of several processes each is known to others by its number.
    let other = |pid: &u32| state.origin.program.as_ref().is_some_and(|program| program.pid != *pid);
    let pid = log.lane(lane).pid.filter(other).map_or_else(String::new, |pid| format!(" (pid {pid})"));
    let name = format!("{}{pid}", name(state, log, lane));
    let when = instant(at - begin, state.view.axis.cell);
    if let Some(band) = band(state, log) {
        return Some(format!("{when}  {}", mean(state, log, &band, at)));
    }
    let Some((span, goes_on)) = span(state, log, lane, at) else {
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
        let so_far = if goes_on { " so far" } else { "" };
        text += &format!(", {}{so_far}{}", span.to - span.from, blame(state, log, lane, span, at));
    } else {
        let since = instant(span.from - begin, state.view.axis.cell);
        text += &format!(" since {since}, for {}", span.to - span.from);
        match span.state {
            LaneState::Running => {
                text += &match log.lane(lane).lock {
                    Some(_) => seen_in(state, log, lane, at),
                    None => seen_between(state, lane, (span.from, span.to), at),
                };
                text += &taken_from(state, log, lane, at);
            }
            LaneState::WaitingLock => {
                let what = state.watch.wants.seen_within(lane, span.from, span.to, at);
                text += &what.map_or_else(String::new, |what| format!(": {}", foreign(what)));
            }
            LaneState::WaitingWorld => text += &stopped_by(state, log, lane, span),
            _ => {}
        }
        if log.world_of(lane).and_then(|world| log.owner_at(world, at)).is_some_and(|(owner, _)| owner == lane) {
            text += "; it has stopped the world";
        }
    }
    if span.state == LaneState::Starting {
        text += &birth(state, log, lane);
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

/// What a lane is called: of a real program that is the program's own name for it.
fn name(state: &State, log: &Trace, lane: LaneId) -> String {
    let name = state.watch.name(log, lane);
    if state.origin.program.is_some() { foreign(&name) } else { sanitised(&name) }
}

/// What a lane was at an instant, as far as the picture reaches: the run goes on while it stands still. And whether that
/// was not over by then.
fn span(state: &State, log: &Trace, lane: LaneId, at: Nanos) -> Option<(Span, bool)> {
    let reach = state.reach(log);
    let span = log.span_at(lane, at).filter(|span| span.from < reach)?;
    Some((Span { to: span.to.min(reach), ..span }, span.to >= reach && !log.has_ended()))
}

/// From whom a lane that holds its lock took it over, where the cursor stands at that hand-off: within the cell.
fn taken_from(state: &State, log: &Trace, lane: LaneId, at: Nanos) -> String {
    let from = || {
        let lock = log.lane(lane).lock?;
        log.owner_at(lock, at).filter(|(owner, _)| *owner == lane)?;
        let took = log.prev_handoff(lock, at + Nanos(1)).filter(|took| at - *took < state.view.axis.cell)?;
        let before = log.prev_handoff(lock, took).unwrap_or(log.begin_at());
        log.owner_at(lock, before).map(|(owner, _)| owner).filter(|owner| *owner != lane)
    };
    from().map_or(String::new(), |owner| format!(" · took the lock over from {}", name(state, log, owner)))
}

/// How much a lane gets done about there.
fn work_here(state: &State, log: &Trace, lane: LaneId, at: Nanos) -> String {
    let half = Nanos(state.view.axis.cell.0 / 2).max(SAID_EVERY);
    let Some(rate) = log.progress(lane, at - half, at + half).per_ms() else { return String::new() };
    let beside = state.alone.map_or(String::new(), |alone| format!(", {} of one alone", percent(rate / alone)));
    format!(" · gets {} instructions a ms done{beside}", count(rate))
}

/// What a band does in the cell at the cursor: the mean of its lanes.
fn mean(state: &State, log: &Trace, band: &Range<usize>, at: Nanos) -> String {
    let name = band_name(log, band);
    let axis = state.view.axis;
    let from = axis.cell_of(at).map_or(at, |cell| axis.at(cell));
    let cell = log.workers_window(band.clone(), from, from + axis.cell, 1).pop().unwrap_or_default();
    let all: Nanos = cell.0.iter().copied().sum();
    if all == Nanos::ZERO {
        return format!("{name}: nothing recorded here");
    }
    let mut parts: Vec<(LaneState, Nanos)> =
        LaneState::ALL.into_iter().map(|state| (state, cell.0[state.index()])).filter(|(_, time)| time.0 > 0).collect();
    parts.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    let parts: Vec<String> = parts
        .into_iter()
        .take(NAMED + 1)
        .map(|(state, time)| format!("{} {}", state.words(), percent(time.0 as f64 / all.0 as f64)))
        .collect();
    format!("{name} in this cell: {} · {} unfolds them", parts.join(", "), state.keymap.key(Action::Unfold))
}

/// Who made a lane, and how long each step of its birth took, as far as it has come.
fn birth(state: &State, log: &Trace, lane: LaneId) -> String {
    let mut text = String::new();
    if let Some(parent) = log.lane(lane).parent {
        text += &format!(" · made by {}", name(state, log, parent));
    }
    let mut steps: Vec<(&str, Nanos)> = Vec::new();
    for span in log.spans(lane, log.begin_at()) {
        match span.state {
            LaneState::Unborn => {}
            LaneState::Starting | LaneState::WaitingCore => {
                let step = match span.detail.name() {
                    "" if span.state == LaneState::WaitingCore => "no core",
                    "" => "start",
                    name => name,
                };
                let length = span.to - span.from;
                match steps.iter_mut().find(|(known, _)| *known == step) {
                    Some((_, sum)) => *sum += length,
                    None => steps.push((step, length)),
                }
            }
            _ => break,
        }
    }
    if steps.len() > 1 {
        let steps: Vec<String> = steps.into_iter().map(|(step, length)| format!("{step} {length}")).collect();
        text += &format!(": {}", steps.join(", "));
    }
    text
}

/// Who had stopped the world while a lane waited for it to go on, and for how long.
fn stopped_by(state: &State, log: &Trace, lane: LaneId, span: Span) -> String {
    let Some(world) = log.world_of(lane) else { return String::new() };
    let by: Vec<String> = log
        .held_during(world, span)
        .into_iter()
        .filter(|(by, _)| *by != lane)
        .take(NAMED)
        .map(|(by, held)| format!("; {} had it stopped for {held} of that", name(state, log, by)))
        .collect();
    by.concat()
}

/// In which function a holder of the lock was, as far as it was seen while it held it, or how much earlier or later.
fn seen_in(state: &State, log: &Trace, holder: LaneId, at: Nanos) -> String {
    let lock = log.lane(holder).lock;
    let Some((_, since)) = lock.and_then(|lock| log.owner_at(lock, at)).filter(|(owner, _)| *owner == holder) else {
        return String::new();
    };
    let until = lock.and_then(|lock| log.next_handoff(lock, at)).unwrap_or(log.now()).min(state.reach(log));
    seen_between(state, holder, (since, until), at)
}

/// In which function a lane was seen while it held its lock or, without one, ran; or how much earlier or later.
fn seen_between(state: &State, holder: LaneId, (since, until): (Nanos, Nanos), at: Nanos) -> String {
    let places = &state.watch.places;
    if let Some((place, _)) = places.seen_within(holder, since, until, at) {
        return format!(" in {}", foreign(&place_of(place)));
    }
    match places.seen_within(holder, at - NEARBY, at + NEARBY, at) {
        Some((place, seen)) => {
            let (apart, side) = if seen < at { (at - seen, "before") } else { (seen - at, "after") };
            format!(" (seen {apart} {side} in {})", foreign(&place_of(place)))
        }
        None => String::new(),
    }
}

/// For whom a lane waits: who holds the lock at the cursor and at which line, how much of this wait that was and how
/// much it was in all; then who else held it during this wait.
fn blame(state: &State, log: &Trace, lane: LaneId, span: Span, at: Nanos) -> String {
    let name = |lane: LaneId| name(state, log, lane);
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
        text += &seen_in(state, log, holder, at);
        let blame = if state.is_frozen() { &state.view.frozen_blame } else { &log.blame() };
        let charged = blame.iter().filter(|blame| blame.waiter == lane && blame.holder == holder);
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
    // Who has no lane, or was not seen to take it, has no name; and the lock may have been free.
    if text.is_empty() && state.origin.program.is_some() {
        text += "; it is not known who held it meanwhile, if anyone did";
    }
    text
}
