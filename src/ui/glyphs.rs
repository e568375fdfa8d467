//! From a cell of the log to what is drawn of it. Pure, and the heart of the
//! screen's promise: ink is core time.
//!
//! A lane is a column of one row to [`MOST_ROWS`]. On a core it is inked from the
//! bottom up, as high as its share of the cell; off a core only the bottom row
//! says what it waits for. A cell in which the lane changed state more than
//! twice, and was not on a core nearly all the time, is shaded at full height instead: four lanes at a quarter of their
//! height each would read as four lanes working side by side.

use crate::app::words::mark;
use crate::event::{LaneId, Nanos, State};
use crate::trace::{CoreCell, LaneCell, Ledger, LockCell};

use super::theme::Ink;

/// One cell of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What is drawn.
    pub glyph: char,
    /// What it means.
    pub ink: Ink,
}

/// Nothing to draw.
const BLANK: Mark = Mark { glyph: ' ', ink: Ink::Text };

/// The most rows a lane can have: two lanes fill a tall screen.
pub const MOST_ROWS: usize = 24;

/// A lane's core time below which a busy cell has no ink: it would be a shade darker than it is.
const TOO_LITTLE: f64 = 0.06;

const fn mark_of(glyph: char, ink: Ink) -> Mark {
    Mark { glyph, ink }
}

/// The glyph of a state: inked on a core, on the bottom row off it.
pub const fn state_mark(state: State, lane: usize) -> Mark {
    match state {
        State::Running => mark_of('█', Ink::Lane(lane)),
        State::Native => mark_of('n', Ink::LaneLetter(lane)),
        State::Starting => mark_of('s', Ink::OverheadLetter),
        State::Pickling => mark_of('p', Ink::OverheadLetter),
        State::Unpickling => mark_of('u', Ink::OverheadLetter),
        State::WaitingGil => mark_of('·', Ink::Waits),
        State::WaitingCore => mark_of('!', Ink::NoCore),
        State::Io => mark_of('~', Ink::Io),
        State::WaitingLock => mark_of('=', Ink::OwnLock),
        State::Sleeping => mark_of('?', Ink::Quiet),
        State::WaitingWorld => mark_of('"', Ink::Waits),
        State::Suspended => mark_of('-', Ink::Quiet),
        State::Ready => mark_of(',', Ink::Quiet),
        State::Stopped => mark_of('_', Ink::Quiet),
        State::Unknown => mark_of('╱', Ink::Unknown),
        State::Idle | State::Unborn | State::Done => BLANK,
    }
}

/// The states in the order of the legend.
pub const LEGEND: [State; 15] = [
    State::Running,
    State::WaitingGil,
    State::WaitingCore,
    State::Io,
    State::Native,
    State::Starting,
    State::Pickling,
    State::Unpickling,
    State::WaitingLock,
    State::Sleeping,
    State::WaitingWorld,
    State::Suspended,
    State::Ready,
    State::Stopped,
    State::Unknown,
];

/// Whether a cell holds too many changes to be drawn as one piece.
///
/// One in which the lane was on a core almost all the time is one piece all the same, as a lock's cell has an owner
/// at nine tenths: the kernel's own work interrupts every lane for some microseconds, and a wall is a wall.
pub fn is_shared(cell: &LaneCell) -> bool {
    cell.changes > 2 && !is_solid(cell)
}

/// Whether one kind of core time fills nineteen twentieths of what is recorded of a cell.
fn is_solid(cell: &LaneCell) -> bool {
    let recorded: u64 = cell.states.iter().map(|span| span.0).sum();
    let longest =
        State::ALL.into_iter().filter(|state| state.on_core()).map(|state| cell.states[state.index()].0).max();
    longest.is_some_and(|longest| longest > 0 && u128::from(longest) * 20 >= u128::from(recorded) * 19)
}

/// A lane's cell, from the top row to the bottom.
pub fn lane_column(cell: &LaneCell, lane: usize, rows: usize, ascii: bool) -> [Mark; MOST_ROWS] {
    let mut column = [BLANK; MOST_ROWS];
    let rows = rows.clamp(1, MOST_ROWS);
    let time = |state: State| cell.states[state.index()].0;
    let recorded: u64 = cell.states.iter().map(|span| span.0).sum();
    if recorded == 0 {
        return column;
    }
    let bottom = rows - 1;
    if time(State::Unknown) * 2 >= recorded {
        column[..rows].fill(state_mark(State::Unknown, lane));
        return column;
    }
    let longest = |on_core: bool| {
        let states = State::ALL.into_iter().filter(|state| state.on_core() == on_core && *state != State::Unknown);
        states.max_by_key(|state| time(*state)).unwrap_or(State::Idle)
    };
    let on: u64 = State::ALL.into_iter().filter(|state| state.on_core()).map(time).sum();
    let share = on as f64 / recorded as f64;
    let full = state_mark(longest(true), lane);
    let partial_ink = without_letter(full.ink);
    let off = state_mark(longest(false), lane);
    if is_shared(cell) {
        if share < TOO_LITTLE {
            column[bottom] = off;
        } else {
            column[..rows].fill(mark_of(shade(share), partial_ink));
        }
        return column;
    }
    const PARTS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
    let share = if cell.changes > 2 { 1.0 } else { share };
    let eighths = (share * 8.0 * rows as f64).round() as usize;
    let (whole, rest) = (eighths / 8, eighths % 8);
    column[rows - whole..rows].fill(full);
    if whole == 0 && rest == 0 {
        column[bottom] = off;
    } else if rest > 0 {
        let top = bottom - whole;
        // A part of a letter cannot be drawn; ASCII has no parts at all.
        let letter = full.glyph != '█' && whole == 0;
        column[top] = match (letter || ascii, rest >= 4) {
            (false, _) => mark_of(PARTS[rest - 1], partial_ink),
            (true, true) => full,
            (true, false) if whole == 0 => off,
            (true, false) => BLANK,
        };
    }
    column
}

/// The ink of core time that is drawn as a part or a shade, where a letter has no place.
const fn without_letter(ink: Ink) -> Ink {
    match ink {
        Ink::LaneLetter(lane) => Ink::Lane(lane),
        Ink::OverheadLetter => Ink::Overhead,
        ink => ink,
    }
}

/// A band's cell, from the top row to the bottom: the mean of its lanes. Their share of core time is a shade, never a
/// height, since each lane had its own; where there is a row to spare, the bottom one says what they did most off a
/// core.
pub fn band_column(cell: &Ledger, place: usize, rows: usize) -> [Mark; MOST_ROWS] {
    let mut column = [BLANK; MOST_ROWS];
    let rows = rows.clamp(1, MOST_ROWS);
    let time = |state: State| cell.0[state.index()].0;
    let all: u64 = cell.0.iter().map(|span| span.0).sum();
    if all == 0 {
        return column;
    }
    if time(State::Unknown) * 2 >= all {
        column[..rows].fill(state_mark(State::Unknown, place));
        return column;
    }
    let longest = |on_core: bool| {
        let states = State::ALL.into_iter().filter(|state| state.on_core() == on_core && *state != State::Unknown);
        states.max_by_key(|state| time(*state)).unwrap_or(State::Idle)
    };
    let on: u64 = State::ALL.into_iter().filter(|state| state.on_core()).map(time).sum();
    let share = on as f64 / all as f64;
    let full = state_mark(longest(true), place);
    let off = state_mark(longest(false), place);
    let shade = match share {
        share if share < TOO_LITTLE => BLANK,
        share if share < 0.95 => mark_of(shade(share), without_letter(full.ink)),
        _ => full,
    };
    column[..rows].fill(shade);
    if share < TOO_LITTLE || rows > 1 && share < 0.95 {
        column[rows - 1] = off;
    }
    column
}

/// A share of less than all.
const fn shade(share: f64) -> char {
    match share {
        share if share < 1.0 / 3.0 => '░',
        share if share < 2.0 / 3.0 => '▒',
        _ => '▓',
    }
}

/// Whether too many owners share a lock's cell to name one.
pub fn is_turbulent(cell: &LockCell) -> bool {
    cell.handoffs > 1
}

/// Where a lane stands among those in sight; none if it does no task.
type PlaceOf<'a> = &'a dyn Fn(LaneId) -> Option<usize>;

/// A lock's cell. `recorded` is how much of it is recorded.
pub fn lock_mark(cell: &LockCell, recorded: Nanos, place: PlaceOf) -> Mark {
    let recorded = recorded.0;
    if recorded == 0 {
        return BLANK;
    }
    let mostly = |span: Nanos| span.0 * 2 >= recorded;
    if mostly(cell.unknown) {
        return mark_of('╱', Ink::Unknown);
    }
    if mostly(cell.held_off_core) {
        return mark_of('!', Ink::NoCore);
    }
    if let Some((owner, held)) = cell.owner
        && u128::from(held.0) * 10 >= u128::from(recorded) * 9
    {
        return owner_mark(place(owner));
    }
    match cell.handoffs {
        0 if cell.held.0 * 10 < recorded => BLANK,
        0 if !mostly(cell.held) => mark_of('░', Ink::Text),
        1 => mark_of('│', Ink::Text),
        _ => mark_of('▒', Ink::Text),
    }
}

/// A core's cell: which of our lanes was on it.
pub fn core_mark(cell: &CoreCell, recorded: Nanos, place: PlaceOf) -> Mark {
    let recorded = recorded.0;
    if recorded == 0 {
        return BLANK;
    }
    match cell.lane {
        Some((lane, span)) if span.0 * 2 >= recorded => owner_mark(place(lane)),
        _ if cell.busy.0 * 2 >= recorded => mark_of('▒', Ink::Text),
        _ if cell.busy.0 * 10 >= recorded => mark_of('░', Ink::Text),
        _ => BLANK,
    }
}

/// Whose it is.
fn owner_mark(place: Option<usize>) -> Mark {
    let in_sight = place.filter(|place| *place != usize::MAX);
    mark_of(mark(place), in_sight.map_or(Ink::Dim, Ink::Lane))
}

/// A world's cell: how much of it all threads but one stood still. However short that was, it leaves a mark.
pub fn world_mark(cell: &LockCell, recorded: Nanos) -> Mark {
    match recorded.0 {
        0 => BLANK,
        recorded if cell.unknown.0 * 2 >= recorded => mark_of('╱', Ink::Unknown),
        _ if cell.held == Nanos::ZERO => BLANK,
        recorded => mark_of(height_glyph((cell.held.0 as f64 / recorded as f64).max(0.01)), Ink::Waits),
    }
}

/// A share of full height, in one row; what is there is never drawn as nothing.
pub fn height_glyph(share: f64) -> char {
    const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    match share {
        share if share.is_nan() => '╱',
        share if share < 0.01 => ' ',
        share => HEIGHTS[((share * 8.0).round() as usize).clamp(1, 8)],
    }
}

#[cfg(test)]
mod tests;
