//! What changes what is looked at: the cursor, the part of the run, the picked lane.

use crate::event::{LaneId, Nanos};
use crate::trace::Trace;

use super::super::axis;
use super::super::compare::Screen;
use super::super::cursor;
use super::super::news::gutters;
use super::super::rows::{Fold, Row, place, rows, worker_locks};
use super::super::state::{Phase, State};
use super::super::view::Zoom;
use super::super::words;
use super::Action;
use super::choose::step;

/// Actions that change what is looked at.
pub(super) fn look(state: &mut State, log: Option<&Trace>, action: Action) {
    let Some(log) = log else {
        state.message = Some("There is nothing to look at yet.".to_owned());
        return;
    };
    let live = state.phase == Phase::Running && state.view.frozen.is_none();
    let begin = log.begin_at();
    match action {
        Action::Freeze if state.view.frozen.is_some() => unfreeze(state),
        Action::Freeze => freeze(state, log),
        Action::NextHandoff => to_handoff(state, log, true),
        Action::PreviousHandoff => to_handoff(state, log, false),
        Action::CursorRight => move_cursor(state, log, 1),
        Action::CursorLeft => move_cursor(state, log, -1),
        Action::PanRight | Action::PanLeft => {
            still(state, log);
            let half = i64::from(state.view.axis.cells / 2).max(1);
            let by = if action == Action::PanRight { half } else { -half };
            let cursor = state.view.cursor.and_then(|at| state.view.axis.cell_of(at));
            if by < 0 || state.view.axis.panned(by, begin).from < state.reach(log) {
                state.view.axis = state.view.axis.panned(by, begin);
            }
            if let Some(cell) = cursor {
                state.view.cursor = Some(state.view.axis.at(cell));
            }
        }
        Action::ToBegin | Action::ToEnd => {
            still(state, log);
            let at = if action == Action::ToBegin { begin } else { state.reach(log) - Nanos(1) };
            point_at(state, log, at);
        }
        Action::ZoomIn | Action::ZoomOut => {
            let cell = state.view.axis.cell;
            let cell = if action == Action::ZoomIn { axis::shorter(cell) } else { axis::longer(cell) };
            state.view.zoom = Zoom::Cell(cell);
            if live {
                state.view.next = Nanos::ZERO;
            } else {
                let about = state.view.cursor.unwrap_or_else(|| middle(state, log));
                state.view.axis = state.view.axis.zoomed(cell, about, begin);
                state.view.until = state.reach(log);
            }
        }
        Action::WholeRun => {
            let cells = gutters(state, Some(log)).cells;
            if live {
                state.view.zoom = if state.view.zoom == Zoom::Whole { Zoom::Turns } else { Zoom::Whole };
                state.view.next = Nanos::ZERO;
            } else if state.view.zoom == Zoom::Whole && state.view.is_whole(log.begin_at(), state.reach(log)) {
                let cell = axis::step_at_least(Nanos(state.experiment.switch_interval.0 / 5));
                let about = state.view.cursor.unwrap_or_else(|| middle(state, log));
                state.view.zoom = Zoom::Cell(cell);
                state.view.axis = state.view.axis.zoomed(cell, about, begin);
            } else {
                state.view.show_whole(begin, state.reach(log), cells);
            }
        }
        Action::NextLane => pick(state, log, 1),
        Action::PreviousLane => pick(state, log, -1),
        Action::ScrollDown => {
            let last = rows(state, log).len().saturating_sub(1);
            state.view.scroll = (state.view.scroll + 1).min(last);
        }
        Action::ScrollUp => state.view.scroll = state.view.scroll.saturating_sub(1),
        Action::Unfold => unfold(state, log),
        Action::NextTrigger => {
            state.view.trigger = state.view.trigger.next();
            state.view.next = Nanos::ZERO;
        }
        _ => {}
    }
}

fn middle(state: &State, log: &Trace) -> Nanos {
    let axis = state.view.axis;
    axis.at(axis.cells / 2).min(state.reach(log) - Nanos(1)).max(log.begin_at())
}

/// Stops a live picture from being exchanged.
fn still(state: &mut State, log: &Trace) {
    if state.phase == Phase::Running && state.view.frozen.is_none() {
        state.view.freeze(log);
    }
}

fn freeze(state: &mut State, log: &Trace) {
    if state.phase != Phase::Running && state.view.cursor.is_some() {
        state.view.cursor = None;
        return;
    }
    still(state, log);
    state.view.cursor = Some(middle(state, log));
}

pub(super) fn unfreeze(state: &mut State) {
    state.view.frozen = None;
    state.view.cursor = None;
    state.view.next = Nanos::ZERO;
}

fn point_at(state: &mut State, log: &Trace, at: Nanos) {
    let at = at.min(state.reach(log) - Nanos(1)).max(log.begin_at());
    state.view.cursor = Some(at);
    state.view.until = state.reach(log);
    state.view.axis = state.view.axis.showing(at, log.begin_at());
}

fn move_cursor(state: &mut State, log: &Trace, by: i64) {
    still(state, log);
    let Some(cursor) = state.view.cursor else {
        point_at(state, log, middle(state, log));
        return;
    };
    let axis = state.view.axis;
    // From cell to cell, at the cell's beginning, so that what is pointed at is what the cell begins with.
    let edge = axis.cell_of(cursor).map_or(cursor, |cell| axis.at(cell));
    let at = if by > 0 { edge + axis.cell } else { edge - axis.cell };
    if axis.cell_of(at).is_none() {
        state.view.axis = axis.panned(by, log.begin_at());
    }
    point_at(state, log, at);
}

fn to_handoff(state: &mut State, log: &Trace, forward: bool) {
    still(state, log);
    let from = state.view.cursor.unwrap_or_else(|| middle(state, log));
    let picked = cursor::lane(state, log);
    let lock = picked.and_then(|lane| log.lane(lane).lock).or_else(|| worker_locks(log).first().copied());
    let at = lock.and_then(|lock| if forward { log.next_handoff(lock, from) } else { log.prev_handoff(lock, from) });
    let at = at.filter(|at| *at < state.reach(log));
    match at {
        Some(at) => {
            point_at(state, log, at);
            if let Some((owner, _)) =
                lock.and_then(|lock| log.owner_at(lock, at)).filter(|(lane, _)| place(log, *lane).is_some())
            {
                state.view.picked = Some(owner);
            }
        }
        None => {
            let side = if forward { "later" } else { "earlier" };
            state.message = Some(format!("There is no {side} hand-off of this lock."));
        }
    }
}

/// The first lane of a row; a lock has none.
fn first_lane(log: &Trace, row: &Row) -> Option<LaneId> {
    match row {
        Row::Lane(lane) => Some(*lane),
        Row::Band(band) => log.workers().get(band.start).copied(),
        Row::Lock(_) => None,
    }
}

fn pick(state: &mut State, log: &Trace, by: i64) {
    let lanes: Vec<LaneId> = rows(state, log).iter().filter_map(|row| first_lane(log, row)).collect();
    // The first lane is pointed at before any is picked.
    let current = if state.view.cursor.is_none() && state.view.picked.is_none() {
        None
    } else {
        let first_of_row = match cursor::band(state, log) {
            Some(band) => log.workers().get(band.start).copied(),
            None => cursor::lane(state, log),
        };
        Some(lanes.iter().position(|lane| Some(*lane) == first_of_row).unwrap_or(0))
    };
    let next = match current {
        None => Some(0),
        current => step(&lanes, current, by),
    };
    let Some(lane) = next.and_then(|next| lanes.get(next).copied()) else { return };
    state.view.picked = Some(lane);
    state.view.next = Nanos::ZERO;
    // With a cursor the sentence is about the lane already.
    if state.view.cursor.is_none() && state.screen == Screen::Lab {
        state.message = Some(words::picked(state, log, lane));
    }
}

/// Shows the lanes of the band pointed at, or in the end folds all of them again.
fn unfold(state: &mut State, log: &Trace) {
    let fold = Fold::of(state, log);
    if let Some(band) = cursor::band(state, log) {
        state.view.picked = log.workers().get(band.start).copied();
        state.view.unfolded = Some(band);
    } else if fold.is_folded() {
        state.message = Some("Pick a band to unfold; what makes the lanes is none.".to_owned());
    } else if state.view.unfolded.take().is_none() {
        state.message = Some("The lanes stand one by one already.".to_owned());
    }
    state.view.scroll = 0;
}
