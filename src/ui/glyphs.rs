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
pub const BLANK: Mark = Mark { glyph: ' ', ink: Ink::Text };

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
pub type PlaceOf<'a> = &'a dyn Fn(LaneId) -> Option<usize>;

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
mod tests {
    use super::*;

    const CELL: u64 = 1_000_000;

    fn cell(parts: &[(State, f64)], changes: u32) -> LaneCell {
        let mut states = [Nanos::ZERO; State::COUNT];
        for (state, share) in parts {
            states[state.index()] = Nanos((share * CELL as f64) as u64);
        }
        LaneCell { states, changes }
    }

    fn drawn(parts: &[(State, f64)], changes: u32, rows: usize) -> String {
        lane_column(&cell(parts, changes), 0, rows, false)[..rows].iter().map(|mark| mark.glyph).collect()
    }

    #[test]
    fn on_a_core_a_lane_is_inked_to_its_full_height() {
        for (state, column) in [
            (State::Running, "███"),
            (State::Native, "nnn"),
            (State::Starting, "sss"),
            (State::Pickling, "ppp"),
            (State::Unpickling, "uuu"),
        ] {
            assert_eq!(drawn(&[(state, 1.0)], 0, 3), column);
        }
    }

    #[test]
    fn off_a_core_a_lane_has_only_its_bottom_line() {
        for (state, column) in [
            (State::WaitingGil, "  ·"),
            (State::WaitingCore, "  !"),
            (State::Io, "  ~"),
            (State::WaitingLock, "  ="),
            (State::Sleeping, "  ?"),
            (State::WaitingWorld, "  \""),
            (State::Suspended, "  -"),
            (State::Ready, "  ,"),
            (State::Stopped, "  _"),
            (State::Idle, "   "),
            (State::Unborn, "   "),
            (State::Done, "   "),
        ] {
            assert_eq!(drawn(&[(state, 1.0)], 0, 3), column, "{state:?}");
        }
    }

    #[test]
    fn what_is_unknown_is_hatched_at_full_height_never_full_or_empty() {
        assert_eq!(drawn(&[(State::Unknown, 1.0)], 0, 3), "╱╱╱");
        assert_eq!(drawn(&[(State::Unknown, 0.6), (State::Running, 0.4)], 1, 2), "╱╱");
        assert_eq!(drawn(&[(State::Unknown, 0.4), (State::Running, 0.6)], 1, 1), "▅");
    }

    #[test]
    fn a_cell_that_holds_one_change_is_as_high_as_its_share() {
        use State::{Running, WaitingGil};
        assert_eq!(drawn(&[(Running, 0.5), (WaitingGil, 0.5)], 1, 1), "▄");
        assert_eq!(drawn(&[(Running, 0.54), (WaitingGil, 0.46)], 1, 3), " ▅█");
        assert_eq!(drawn(&[(Running, 0.16), (WaitingGil, 0.84)], 1, 3), "  ▄");
        assert_eq!(drawn(&[(Running, 0.01), (WaitingGil, 0.99)], 1, 3), "  ·");
    }

    #[test]
    fn a_cell_on_a_core_nearly_all_the_time_is_one_piece_however_often_it_was_interrupted() {
        assert_eq!(drawn(&[(State::Running, 0.96), (State::WaitingCore, 0.04)], 9, 2), "██");
        assert_eq!(drawn(&[(State::Running, 0.94), (State::WaitingCore, 0.06)], 9, 2), "▓▓");
        assert_eq!(drawn(&[(State::Running, 0.5), (State::Native, 0.5)], 9, 2), "▓▓", "two kinds are two pieces");
    }

    #[test]
    fn a_cell_with_more_than_two_changes_is_shaded_by_share_never_a_low_bar() {
        use State::{Running, WaitingGil};
        for (share, column) in [(0.25, "░░░"), (0.5, "▒▒▒"), (0.75, "▓▓▓"), (0.94, "▓▓▓"), (0.02, "  ·")]
        {
            assert_eq!(drawn(&[(Running, share), (WaitingGil, 1.0 - share)], 3, 3), column);
        }
        assert_eq!(drawn(&[(Running, 0.25), (WaitingGil, 0.75)], 2, 1), "▂");
    }

    #[test]
    fn a_letter_is_drawn_whole_or_not_at_all() {
        use State::{Io, Starting};
        assert_eq!(drawn(&[(Starting, 0.6), (Io, 0.4)], 1, 1), "s");
        assert_eq!(drawn(&[(Starting, 0.3), (Io, 0.7)], 1, 1), "~");
        assert_eq!(drawn(&[(Starting, 0.75), (Io, 0.25)], 1, 2), "▄s");
    }

    #[test]
    fn ascii_has_whole_rows_only() {
        use State::{Running, WaitingGil};
        let drawn = |share: f64| -> String {
            let cell = cell(&[(Running, share), (WaitingGil, 1.0 - share)], 1);
            lane_column(&cell, 0, 2, true)[..2].iter().map(|mark| super::super::ascii::ascii_or(mark.glyph)).collect()
        };
        assert_eq!((drawn(1.0), drawn(0.8), drawn(0.6)), ("##".into(), "##".into(), " #".into()));
        assert_eq!((drawn(0.3), drawn(0.1)), (" #".into(), " .".into()));
    }

    /// Lanes 1 and 2 do tasks.
    fn place(lane: LaneId) -> Option<usize> {
        [LaneId(1), LaneId(2)].iter().position(|known| *known == lane)
    }

    #[test]
    fn a_band_is_shaded_by_its_share_and_says_below_what_the_others_do() {
        use State::{Running, Starting, Suspended, Unknown, WaitingGil};
        let drawn = |parts: &[(State, f64)], rows: usize| -> String {
            let band = Ledger(cell(parts, 0).states);
            band_column(&band, 0, rows)[..rows].iter().map(|mark| mark.glyph).collect()
        };
        for (share, one, two) in
            [(0.01, "·", " ·"), (0.25, "░", "░·"), (0.5, "▒", "▒·"), (0.8, "▓", "▓·"), (0.97, "█", "██")]
        {
            let parts = [(Running, share), (WaitingGil, 1.0 - share)];
            assert_eq!((drawn(&parts, 1).as_str(), drawn(&parts, 2).as_str()), (one, two), "{share}");
        }
        assert_eq!(drawn(&[(Suspended, 0.6), (WaitingGil, 0.38), (Running, 0.02)], 1), "-");
        assert_eq!(
            (drawn(&[(Starting, 1.0)], 2), drawn(&[(Unknown, 0.5), (Running, 0.5)], 2)),
            ("ss".into(), "╱╱".into())
        );
        assert_eq!(drawn(&[], 2), "  ");
    }

    fn lock(owner: u32, held: f64, handoffs: u32) -> LockCell {
        let held = Nanos((held * CELL as f64) as u64);
        LockCell { owner: Some((LaneId(owner), held)), held, handoffs, ..LockCell::default() }
    }

    #[test]
    fn a_lock_names_an_owner_at_ninety_percent_or_more_only() {
        let glyph = |cell: &LockCell| lock_mark(cell, Nanos(CELL), &place).glyph;
        assert_eq!(glyph(&lock(2, 0.9, 0)), '2');
        assert_eq!(glyph(&lock(2, 0.9, 1)), '2');
        assert_eq!(glyph(&lock(2, 0.89, 1)), '│');
        assert_eq!(glyph(&lock(2, 0.89, 2)), '▒');
        assert_eq!(glyph(&lock(0, 1.0, 0)), '0');
        assert_eq!(glyph(&lock(1, 0.3, 0)), '░');
        assert_eq!(glyph(&lock(1, 0.01, 0)), ' ');
        assert_eq!(glyph(&LockCell::default()), ' ');
    }

    #[test]
    fn an_owner_without_a_core_and_an_unobserved_lock_are_told_apart_from_an_owner() {
        let off = LockCell { held_off_core: Nanos(CELL / 2), ..lock(1, 1.0, 0) };
        assert_eq!(lock_mark(&off, Nanos(CELL), &place).glyph, '!');
        let unknown = LockCell { unknown: Nanos(CELL / 2), ..lock(1, 0.5, 0) };
        assert_eq!(lock_mark(&unknown, Nanos(CELL), &place).glyph, '╱');
    }

    #[test]
    fn a_core_names_the_lane_that_had_it_for_half_the_cell() {
        let core = |share: f64, busy: f64| {
            let span = |share: f64| Nanos((share * CELL as f64) as u64);
            let cell = CoreCell { lane: Some((LaneId(2), span(share))), busy: span(busy), changes: 1 };
            core_mark(&cell, Nanos(CELL), &place).glyph
        };
        assert_eq!((core(0.5, 0.5), core(0.4, 0.8), core(0.2, 0.2), core(0.01, 0.01)), ('2', '▒', '░', ' '));
    }

    #[test]
    fn what_is_there_has_a_height_and_what_is_unknown_is_hatched() {
        assert_eq!([0.0, 0.02, 0.25, 1.0, 1.3, f64::NAN].map(height_glyph), [' ', '▁', '▂', '█', '█', '╱']);
    }
}
