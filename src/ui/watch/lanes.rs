//! The lock's row, and those lanes that are kept waiting most.

use crate::app::view::Gutters;
use crate::app::words::{percent, sanitised};
use crate::app::{Axis, State};
use crate::event::{LaneId, Nanos};
use crate::trace::Trace;

use super::super::canvas::Canvas;
use super::super::glyphs::{lane_column, lock_mark};
use super::super::theme::Ink;
use super::rule;

/// Columns of the lanes' names.
const NAMES: u16 = Gutters::WATCH_NAMES;

/// The most rows of a lane, where there is room.
const MOST_ROWS: usize = 3;

/// ```text
/// ─ most kept waiting first · 10 ms a cell ──────────────────── waits
/// GIL        aaaaaaaa▒▒▒▒aaaaaaaaaa▒▒▒▒▒aaaaaaaaaaaaaa╱╱▒▒▒▒▒aaaaaaa
/// worker-7   ~~~~········▒~~~~············▒~~~~~~~~~~~╱╱~~·········▒    44%
/// 31 idle threads folded · ╱ not observed
/// ```
pub fn render(state: &State, log: &Trace, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    if height < 3 {
        return;
    }
    let watch = &state.watch;
    let cells = Gutters::of_watch(width).cells;
    let axis = Axis { cells, ..state.view.axis };
    let begin = log.begin_at();
    let until = state.view.until.min(log.now());
    let count = usize::from(cells).min(((until - axis.from).0).div_ceil(axis.cell.0.max(1)) as usize);
    let to = axis.at(count as u16);
    let (order, waits) = if log.locks().len() > 0 { ("most kept waiting first", "waits") } else { ("threads", "") };
    rule(canvas, 0, &format!("{order} · {} a cell", axis.cell), waits);
    let recorded = |cell: usize| axis.at(cell as u16 + 1).min(until) - axis.at(cell as u16).max(begin);

    // Letters in the lock's row are those of the table; whoever has none is a dot.
    let lettered: Vec<LaneId> = watch.figures.holders.iter().map(|holder| holder.lane).collect();
    let place = |lane| lettered.iter().position(|it| *it == lane);
    let locks: Vec<_> = log.locks().filter(|(_, info)| info.of_workers).collect();
    let most_locks = (height / 3).max(1) as usize;
    let mut y = 1;
    for (lock, info) in locks.iter().take(most_locks) {
        canvas.text_to(1, y, NAMES - 1, &sanitised(&info.name), Ink::Strong);
        for (x, cell) in log.lock_window(*lock, axis.from, to, count).iter().enumerate() {
            let mark = lock_mark(cell, recorded(x), &place);
            let letter = cell.owner.filter(|_| mark.glyph.is_ascii_alphanumeric()).map(|(lane, _)| {
                watch
                    .letter(lane)
                    .map_or(('•', Ink::Dim), |letter| (letter, Ink::Lane(place(lane).unwrap_or_default())))
            });
            let (glyph, ink) = letter.unwrap_or((mark.glyph, mark.ink));
            canvas.set(NAMES + x as u16, y, glyph, ink);
        }
        y += 1;
    }

    let folded = usize::from(watch.figures.idle > 0);
    let room = usize::from(height.saturating_sub(y)).saturating_sub(1);
    let waiters = &watch.figures.waiters;
    let rows = (room / waiters.len().max(1)).clamp(1, MOST_ROWS);
    let room = room / rows;
    let first = watch.scroll.min(waiters.len().saturating_sub(room));
    for (place, (lane, waits)) in waiters.iter().enumerate().skip(first).take(room) {
        let place = lettered.iter().position(|it| it == lane).unwrap_or(place);
        let mut part = canvas.part(0, y, width, rows as u16);
        row(state, log, (*lane, place, *waits), (&axis, to, count), rows, &mut part);
        y += rows as u16;
    }
    let below = waiters.len().saturating_sub(first + room);
    let mut last = Vec::new();
    if below > 0 {
        last.push(format!("{below} more below"));
    }
    if folded > 0 {
        let idle = watch.figures.idle;
        last.push(format!("{idle} idle thread{} folded", if idle == 1 { "" } else { "s" }));
    }
    last.push("╱ not observed".to_owned());
    canvas.text(1, y, &last.join(" · "), Ink::Dim);
    cursor(state, &axis, height, canvas);
}

fn row(
    state: &State,
    log: &Trace,
    (lane, place, waits): (LaneId, usize, f64),
    (axis, to, count): (&Axis, Nanos, usize),
    rows: usize,
    canvas: &mut Canvas,
) {
    let info = log.lane(lane);
    let y = rows as u16 / 2;
    let picked = state.view.picked == Some(lane);
    canvas.set(0, y, if picked { '▸' } else { ' ' }, Ink::Key);
    canvas.text_to(1, y, NAMES - 1, &sanitised(&info.name), if picked { Ink::Strong } else { Ink::Text });
    for (x, cell) in log.lane_window(lane, axis.from, to, count).iter().enumerate() {
        for (row, mark) in lane_column(cell, place, rows, state.look.ascii).iter().take(rows).enumerate() {
            canvas.set(NAMES + x as u16, row as u16, mark.glyph, mark.ink);
        }
    }
    let width = canvas.width();
    match &info.end {
        Some(end) => _ = canvas.text_before(width - 1, y, &sanitised(end), Ink::Bad),
        None if info.lock.is_some() => _ = canvas.text_before(width - 1, y, &percent(waits), Ink::Waits),
        None => {}
    }
}

fn cursor(state: &State, axis: &Axis, height: u16, canvas: &mut Canvas) {
    let Some(cell) = state.view.cursor.and_then(|at| axis.cell_of(at)) else { return };
    for y in 1..height {
        if canvas.glyph(NAMES + cell, y) == ' ' {
            canvas.set(NAMES + cell, y, '╎', Ink::Key);
        }
    }
}
