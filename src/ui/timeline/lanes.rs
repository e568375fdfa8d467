//! The lanes themselves, or bands of them, and the locks that stand above the threads that share them.

use crate::app::words::{self, count, mark, percent};
use crate::app::{Figures, State};
use crate::event::{LaneId, State as LaneState};
use crate::trace::{Ledger, Trace};

use super::super::canvas::Canvas;
use super::super::glyphs::{MOST_ROWS, Mark, band_column, lane_column};
use super::super::theme::Ink;
use super::locks;
use super::scene::{Body, Scene, SceneRow};

/// Below this part of what one alone gets done a figure stands out.
const SLOW: f64 = 0.8;

/// ```text
///           █████      ████
/// thread 1  █████     ▅████▇                              runs  24%
///           █████▄····██████···················           waits 76%
/// ```
pub fn render(state: &State, log: &Trace, scene: &Scene, height: u16, canvas: &mut Canvas) {
    let mut y = 0;
    for row in &scene.rows {
        let rows = if matches!(row.body, Body::Lock { .. }) { 1 } else { height };
        let mut part = canvas.part(0, y, canvas.width(), rows);
        draw(state, log, scene, row, &mut part);
        y += rows;
    }
    cursor(scene, scene.gutters.left, canvas);
}

fn draw(state: &State, log: &Trace, scene: &Scene, row: &SceneRow, canvas: &mut Canvas) {
    name(scene, row, canvas);
    let rows = usize::from(canvas.height());
    let left = scene.gutters.left;
    let x = left + scene.gutters.cells + 1;
    match &row.body {
        Body::Lock { cells } => locks::turns(log, scene, cells, 0, canvas),
        Body::Lane { lane, end, cells } => {
            columns(cells.iter().map(|cell| lane_column(cell, row.place, rows, state.look.ascii)), left, canvas);
            match end {
                Some(end) => {
                    let text = format!("× {}", words::end_in_short(end));
                    canvas.text(x, canvas.height() / 2, &text, Ink::Bad);
                }
                None => {
                    let figures = &state.figures;
                    if let Some(rate) = figures.lane_work(*lane).filter(|_| scene.gutters.right >= 10) {
                        return work(state, *lane, rate, x, canvas);
                    }
                    shares(scene, figures.lane_life(*lane), x, canvas);
                }
            }
        }
        Body::Band { workers, cells } => {
            columns(cells.iter().map(|cell| band_column(cell, row.place, rows)), left, canvas);
            let lanes = &log.workers()[workers.clone()];
            let lost = lanes.iter().filter(|lane| state.figures.lost.binary_search(lane).is_ok()).count();
            if lost > 0 {
                canvas.text(x, canvas.height() / 2, &format!("× {lost} died"), Ink::Bad);
                return;
            }
            shares(scene, Some(&state.figures.sum_of(lanes)), x, canvas);
        }
    }
}

/// The row's name with its mark, and the tree it hangs in.
fn name(scene: &Scene, row: &SceneRow, canvas: &mut Canvas) {
    let (left, height) = (scene.gutters.left, canvas.height());
    let middle = height / 2;
    if let Body::Lock { .. } = row.body {
        canvas.text_to(1, 0, left - 1, &row.name, Ink::Strong);
        return;
    }
    let (sign, ink) = if row.picked { ('▸', Ink::Strong) } else { (' ', Ink::Text) };
    canvas.set(0, middle, sign, Ink::Key);
    let mut x = 1;
    if scene.fold.is_marked() {
        canvas.set(1, middle, mark(Some(row.place)), Ink::Lane(row.place));
        x = 3;
    }
    canvas.text_to(x, middle, left - 1, fitting(row, usize::from((left - 1).saturating_sub(x))), ink);
    let (above, below) = (row.name.starts_with(['├', '└']), row.name.starts_with('├'));
    for y in 0..height {
        if y < middle && above || y > middle && below {
            canvas.set(x, y, '│', ink);
        }
    }
}

/// A row's name; of a band whose name has no room, which lanes it is made of.
fn fitting(row: &SceneRow, room: usize) -> &str {
    match (&row.body, row.name.rsplit_once(' ')) {
        (Body::Band { .. }, Some((_, which))) if row.name.chars().count() > room => which,
        _ => &row.name,
    }
}

fn columns(columns: impl Iterator<Item = [Mark; MOST_ROWS]>, left: u16, canvas: &mut Canvas) {
    let height = canvas.height();
    for (x, column) in (0..).zip(columns) {
        for (y, mark) in (0..height).zip(column) {
            if mark.glyph != ' ' {
                canvas.set(left + x, y, mark.glyph, mark.ink);
            }
        }
    }
}

/// What it did with its life: ran, or was in C code if that was more, and what else most.
fn shares(scene: &Scene, life: Option<&Ledger>, x: u16, canvas: &mut Canvas) {
    let Some((life, (work, done))) = life.and_then(|life| Some((life, Figures::work_in(life)?))) else { return };
    let other = Figures::else_in(life, work);
    let height = canvas.height();
    let middle = height / 2;
    let (first, second) = if height >= 3 { (middle, middle + 1) } else { (0, 1) };
    if scene.gutters.right < 10 {
        canvas.text(x, middle, &format!("{:>4}", percent(done)), Ink::Text);
        return;
    }
    canvas.text(x, first, &figure(short(work), done), Ink::Text);
    if let Some((other, share)) = other.filter(|_| height > 1) {
        let ink = if other == LaneState::WaitingGil { Ink::Waits } else { Ink::Dim };
        canvas.text(x, second, &figure(short(other), share), ink);
    }
}

/// The figures of a lane that needs no GIL. It may run all the time and get little done, so how much is what tells:
/// beside one alone, if that is known.
///
/// ```text
/// runs  99%
/// work  68%      or      99k/ms
/// ```
fn work(state: &State, lane: LaneId, rate: f64, x: u16, canvas: &mut Canvas) {
    let height = canvas.height();
    let first = if height >= 3 { height / 2 } else { 0 };
    let runs = state.figures.lane_share(lane, LaneState::Running).unwrap_or(0.0);
    canvas.text(x, first, &figure("runs", runs), Ink::Text);
    let other = state.figures.lane_life(lane).and_then(|life| Figures::else_in(life, LaneState::Running));
    let text = match state.alone {
        Some(alone) => figure("work", rate / alone),
        None => format!("{:>9}", format!("{}/ms", count(rate))),
    };
    let slow = state.alone.is_some_and(|alone| rate < alone * SLOW);
    if height > 1 {
        canvas.text(x, first + 1, &text, if slow { Ink::Waits } else { Ink::Dim });
    }
    if let Some((other, share)) = other.filter(|(_, share)| height > 2 && *share >= 0.05) {
        canvas.text(x, first - 1, &figure(short(other), share), Ink::Dim);
    }
}

/// A word and a share, right-aligned among its like; a long word before `100%` keeps its space.
fn figure(word: &str, share: f64) -> String {
    let share = percent(share);
    let room = 9usize.saturating_sub(word.len() + 1);
    format!("{word} {share:>room$}")
}

/// A state in so few letters that a figure fits beside it.
const fn short(state: LaneState) -> &'static str {
    match state {
        LaneState::Starting => "start",
        LaneState::Pickling | LaneState::Unpickling => "pickl",
        LaneState::WaitingGil => "waits",
        LaneState::WaitingCore => "core!",
        LaneState::Io => "I/O",
        LaneState::Running => "runs",
        LaneState::Native => "in C",
        LaneState::WaitingLock => "lock",
        LaneState::Sleeping => "sleep",
        LaneState::WaitingWorld => "stop",
        LaneState::Suspended => "await",
        LaneState::Stopped => "halt",
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
