//! The lanes themselves.

use crate::app::State;
use crate::app::view::UNMARKED;
use crate::app::words::{count, mark, percent};
use crate::event::State as LaneState;

use super::super::canvas::Canvas;
use super::super::glyphs::lane_column;
use super::super::theme::Ink;
use super::scene::{LaneRow, Scene};

/// Below this part of what one alone gets done a figure stands out.
const SLOW: f64 = 0.8;

/// ```text
///           █████      ████
/// thread 1  █████     ▅████▇                              runs  24%
///           █████▄····██████···················           waits 76%
/// ```
pub fn render(state: &State, scene: &Scene, height: u16, canvas: &mut Canvas) {
    for (index, row) in scene.rows.iter().enumerate() {
        let mut part = canvas.part(0, index as u16 * height, canvas.width(), height);
        lane(state, scene, row, height, &mut part);
    }
    cursor(scene, scene.gutters.left, canvas);
}

fn lane(state: &State, scene: &Scene, row: &LaneRow, height: u16, canvas: &mut Canvas) {
    let left = scene.gutters.left;
    let middle = height / 2;
    let (sign, ink) = if row.picked { ('▸', Ink::Strong) } else { (' ', Ink::Text) };
    canvas.set(0, middle, sign, Ink::Key);
    let mut x = 1;
    if scene.lanes.len() > UNMARKED {
        canvas.set(1, middle, mark(&scene.lanes, row.lane), Ink::Lane(row.place));
        x = 3;
    }
    canvas.text_to(x, middle, left - 1, &row.name, ink);
    for (x, cell) in row.cells.iter().enumerate() {
        let column = lane_column(cell, row.place, usize::from(height), state.look.ascii);
        for (y, mark) in column.iter().take(usize::from(height)).enumerate() {
            if mark.glyph != ' ' {
                canvas.set(left + x as u16, y as u16, mark.glyph, mark.ink);
            }
        }
    }
    let x = left + scene.gutters.cells + 1;
    if let Some(end) = &row.end {
        canvas.text(x, middle, &format!("× {}", end.trim_start_matches("killed by ")), Ink::Bad);
        return;
    }
    let Some(runs) = state.figures.lane_share(row.lane, LaneState::Running) else { return };
    let (first, second) = if height >= 3 { (middle, middle + 1) } else { (0, 1) };
    if scene.gutters.right < 10 {
        canvas.text(x, middle, &format!("{:>4}", percent(runs)), Ink::Text);
        return;
    }
    if let Some(rate) = state.figures.lane_work(row.lane) {
        work(state, row, rate, (x, first, height), canvas);
        return;
    }
    let other = state.figures.lane_else(row.lane);
    canvas.text(x, first, &format!("{:<5}{:>4}", "runs", percent(runs)), Ink::Text);
    if let Some((other, share)) = other.filter(|_| height > 1) {
        let ink = if other == LaneState::WaitingGil { Ink::Waits } else { Ink::Dim };
        canvas.text(x, second, &format!("{:<5}{:>4}", short(other), percent(share)), ink);
    }
}

/// The figures of a lane that needs no GIL. It may run all the time and get little done, so how much is what tells:
/// beside one alone, if that is known.
///
/// ```text
/// runs  99%
/// work  68%      or      99k/ms
/// ```
fn work(state: &State, row: &LaneRow, rate: f64, (x, first, height): (u16, u16, u16), canvas: &mut Canvas) {
    let runs = state.figures.lane_share(row.lane, LaneState::Running).unwrap_or(0.0);
    canvas.text(x, first, &format!("{:<5}{:>4}", "runs", percent(runs)), Ink::Text);
    let text = match state.alone {
        Some(alone) => format!("{:<5}{:>4}", "work", percent(rate / alone)),
        None => format!("{:>9}", format!("{}/ms", count(rate))),
    };
    let slow = state.alone.is_some_and(|alone| rate < alone * SLOW);
    if height > 1 {
        canvas.text(x, first + 1, &text, if slow { Ink::Waits } else { Ink::Dim });
    }
    if let Some((other, share)) = state.figures.lane_else(row.lane).filter(|(_, share)| height > 2 && *share >= 0.05) {
        canvas.text(x, first - 1, &format!("{:<5}{:>4}", short(other), percent(share)), Ink::Dim);
    }
}

/// A state in so few letters that a figure fits beside it.
const fn short(state: LaneState) -> &'static str {
    match state {
        LaneState::Starting => "start",
        LaneState::Pickling | LaneState::Unpickling => "pickl",
        LaneState::WaitingGil => "waits",
        LaneState::WaitingCore => "core!",
        LaneState::Io => "I/O",
        LaneState::Native => "C",
        LaneState::WaitingLock => "lock",
        LaneState::Suspended => "await",
        LaneState::Unknown => "?",
        other => other.words(),
    }
}

/// A thin line through what is blank, so that the cursor hides nothing that was recorded.
fn cursor(scene: &Scene, left: u16, canvas: &mut Canvas) {
    let Some(cell) = scene.cursor else { return };
    for y in 0..canvas.height() {
        if canvas.glyph(left + cell, y) == ' ' {
            canvas.set(left + cell, y, '┊', Ink::Key);
        }
    }
}
