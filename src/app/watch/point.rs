//! What is pointed at on the Watch screen, and where to go from there: from row to row of the list, and in a lane from
//! wait to wait.
//!
//! In the lab a step goes to the next hand-off, whoever takes the lock. Here one lane is asked about, and a lock may
//! change hands thousands of times a second. So a step goes to the next wait of that lane that is long enough to be
//! seen in the picture.

use crate::event::{LaneId, Nanos, State as LaneState};
use crate::trace::Trace;

use super::super::state::State;
use super::super::words::foreign;
use super::rows::Row;

/// Waits shorter than this part of a cell are stepped over: there is nothing of them in the picture.
const SEEN: u64 = 8;

/// The lane pointed at: of the row picked, or of the first, whoever is meant at the cursor.
pub fn lane(state: &State, log: &Trace) -> Option<LaneId> {
    let rows = &state.watch.figures.rows;
    let Some(picked) = state.view.picked else {
        let row = rows.first()?;
        return row.lane_at(log, state.view.cursor.unwrap_or(log.now()));
    };
    match (row_of(rows, picked), state.view.cursor) {
        // Of those that were folded, the one that is meant changes with the cursor.
        (Some(at), Some(cursor)) => rows[at].lane_at(log, cursor),
        _ => Some(picked),
    }
}

/// At which place in the list a lane stands.
pub fn row_of(rows: &[Row], lane: LaneId) -> Option<usize> {
    rows.iter().position(|row| row.has(lane))
}

/// Picks the next row of the list, or the one before; at the ends it stays.
pub(super) fn pick(state: &mut State, log: &Trace, down: bool) {
    let rows = &state.watch.figures.rows;
    let at = state.view.picked.and_then(|lane| row_of(rows, lane));
    let next = match at {
        None => 0,
        Some(at) if down => (at + 1).min(rows.len().saturating_sub(1)),
        Some(at) => at.saturating_sub(1),
    };
    let instant = state.view.cursor.unwrap_or(log.now());
    state.view.picked = rows.get(next).and_then(|row| row.lane_at(log, instant));
}

/// Moves the cursor to the next or the previous wait of the lane pointed at.
pub(super) fn to_wait(state: &mut State, log: &Trace, forward: bool) {
    let Some(pointed) = lane(state, log) else { return };
    state.view.picked = Some(pointed);
    let rows = &state.watch.figures.rows;
    let lanes: Vec<LaneId> = match row_of(rows, pointed) {
        Some(at) => rows[at].lives.iter().map(|life| life.lane).collect(),
        None => vec![pointed],
    };
    let axis = state.view.axis;
    let least = Nanos(axis.cell.0 / SEEN);
    let cursor = state.view.cursor.unwrap_or_else(|| axis.at(axis.cells / 2).min(log.now()));
    // The wait that is pointed at already is not the one before.
    let waits = log.span_at(pointed, cursor).filter(|span| span.state == LaneState::WaitingGil);
    let from = waits.filter(|_| !forward).map_or(cursor, |span| span.from);
    let found = lanes.into_iter().filter_map(|lane| {
        let at = if forward {
            log.next_wait_longer_than(lane, from, least)
        } else {
            log.prev_wait_longer_than(lane, from, least)
        };
        at.filter(|at| *at < state.reach(log)).map(|at| (at, lane))
    });
    match if forward { found.min() } else { found.max() } {
        Some((at, lane)) => {
            state.view.picked = Some(lane);
            put_cursor(state, log, longest_hold(log, lane, at));
        }
        None => {
            let side = if forward { "later" } else { "earlier" };
            let name = foreign(&state.watch.name(log, pointed));
            let least = crate::app::words::span(least);
            let text = format!("{name} has no {side} wait for the lock of {least} or more.");
            state.message = Some(text);
        }
    }
}

/// Puts the cursor at an instant and shows it.
pub(super) fn put_cursor(state: &mut State, log: &Trace, at: Nanos) {
    let reach = state.reach(log);
    let at = at.min(reach - Nanos(1)).max(log.begin_at());
    state.view.cursor = Some(at);
    state.view.until = reach;
    state.view.axis = state.view.axis.showing(at, log.begin_at());
}

/// When the picture is frozen by hand: the cursor goes to the longest wait in the picture of whoever waits most, which is
/// what one froze it for. None if nobody waits there.
pub(super) fn longest_wait(state: &State, log: &Trace) -> Option<(LaneId, Nanos)> {
    let (from, to) = (state.view.axis.from, state.view.until.min(state.view.axis.to()));
    let waits = |lane: LaneId| {
        let spans = log.spans(lane, from).take_while(|span| span.from < to);
        let waits = spans.take(MOST_SPANS).filter(|span| span.state == LaneState::WaitingGil);
        waits.max_by_key(|span| span.to - span.from).map(|span| (lane, span.from.max(from)))
    };
    let waits = |lane: LaneId| waits(lane).map(|(lane, at)| (lane, longest_hold(log, lane, at)));
    let picked = state.view.picked.map(waits);
    let rows = state.watch.figures.rows.iter();
    let lanes = rows.flat_map(|row| &row.lives).filter(|life| life.meets(from, to)).map(|life| life.lane);
    picked.unwrap_or_else(|| lanes.take(MOST_LANES).find_map(waits))
}

/// Where in a wait the lock was held longest by one thread: it is asked about first.
pub(super) fn longest_hold(log: &Trace, lane: LaneId, at: Nanos) -> Nanos {
    let (Some(wait), Some(lock)) = (log.span_at(lane, at), log.lane(lane).lock) else { return at };
    let mut longest = (Nanos::ZERO, at);
    let mut from = wait.from;
    for _ in 0..MOST_HOLDS {
        let to = log.next_handoff(lock, from).unwrap_or(wait.to).min(wait.to);
        // Of the time until the lock goes to another it may have been free for a part.
        let held = log.lock_window(lock, from, to, 1).pop().map_or(Nanos::ZERO, |cell| cell.held);
        if held > longest.0 && log.owner_at(lock, from).is_some() {
            longest = (held, from);
        }
        if to <= from || to >= wait.to {
            break;
        }
        from = to;
    }
    longest.1
}

/// So many holds of a wait are looked through.
const MOST_HOLDS: usize = 1000;

/// So many lanes are looked through for a wait.
const MOST_LANES: usize = 32;

/// So many spans of each.
const MOST_SPANS: usize = 20_000;
