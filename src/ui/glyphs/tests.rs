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
    assert_eq!((drawn(&[(Starting, 1.0)], 2), drawn(&[(Unknown, 0.5), (Running, 0.5)], 2)), ("ss".into(), "╱╱".into()));
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
