//! The lanes, those first that are kept waiting most, below the rows of their locks.

use crate::app::watch::{Kind, Row};
use crate::app::words::{foreign, percent, sanitised};
use crate::app::{State, watch};
use crate::event::{Nanos, State as LaneState};
use crate::text::names::fitting;
use crate::trace::{Ledger, Trace};

use super::super::canvas::Canvas;
use super::super::glyphs::{self, band_column, lane_column};
use super::super::theme::Ink;
use super::legend::{self, Drawn};
use super::picture::Picture;
use super::{locks, rule};

/// The most rows of a lane, where there is room.
const MOST_ROWS: usize = 3;

/// Who was on a core for less of its time than this has nothing to show in height.
const HARDLY: f64 = 0.02;

/// So many of those that were folded into a row are drawn: the latest of those in the picture.
const MOST_DRAWN: usize = 256;

/// ```text
/// ─ most kept waiting first · 10 ms a cell ──────────────────── waits
/// GIL        aaaaaaaa▒▒▒▒aaaaaaaaaa▒▒▒▒▒aaaaaaaaaaaaaa╱╱▒▒▒▒▒aaaaaaa
/// worker-7   ~~~~········▒~~~~············▒~~~~~~~~~~~╱╱~~·········▒    44%
/// http ×213  ····▒····████····▒▒▒▒····████····▒▒▒▒▒▒·····████·▒▒····    41%
/// 31 idle threads folded · ╱ not observed  = wants the program's own lock
/// ```
pub fn render(state: &State, log: &Trace, picture: &Picture, explained: usize, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    if height < 3 {
        return;
    }
    let (order, waits) = if log.has_gil() { ("most kept waiting first", "waits") } else { ("threads", "") };
    heading(state, picture, order, waits, canvas);

    let all = &state.watch.figures.rows;
    let most = if state.view.big { glyphs::MOST_ROWS } else { MOST_ROWS };
    let listed = picture.locks.in_picture.len();
    let most_locks = locks::most(height);
    let worlds: Vec<_> = log.worlds().collect();
    let worlds = &worlds[..worlds.len().min(most_locks.saturating_sub(listed).max(1))];
    let mut locks = listed.min(most_locks);
    let room = usize::from(height - 2).saturating_sub(locks + worlds.len());
    // What the lanes leave is for further locks.
    let left_over = room.saturating_sub(heights(all, room, most).iter().sum());
    locks += left_over.min(listed - locks);
    let room = usize::from(height - 2).saturating_sub(locks + worlds.len());
    let heights = heights(all, room, most);
    let (first, shown) = in_sight(&heights, room, wanted_first(state, all));

    let lanes_at = 1 + (locks + worlds.len()) as u16;
    let mut y = lanes_at;
    let picked = watch::point::lane(state, log).filter(|_| state.view.picked.is_some());
    for (index, row) in all.iter().enumerate().skip(first).take(shown) {
        let rows = heights[index];
        let mut part = canvas.part(0, y, width, rows as u16);
        let is_picked = picked.is_some_and(|lane| row.has(lane));
        draw(state, log, row, (index, is_picked), picture, &mut part);
        y += rows as u16;
    }

    // Whose letter nothing explains has none.
    let in_sight = &all[first..first + shown];
    let place = |lane| state.watch.figures.places.get(&lane).copied();
    let letter = |lane| {
        let is_named = place(lane).is_some_and(|place| place < explained) || in_sight.iter().any(|row| row.has(lane));
        state.watch.letter(lane).filter(|_| is_named).map(|letter| (letter, place(lane).unwrap_or_default()))
    };
    locks::gils(log, picture, locks, &letter, &mut canvas.part(0, 1, width, locks as u16));
    locks::worlds(state, log, picture, worlds, &mut canvas.part(0, 1 + locks as u16, width, worlds.len() as u16));

    let (hidden, above) = (&all[first + shown..], first);
    let idle = state.watch.figures.idle.len() + hidden.iter().filter(|row| row.kind == Kind::Idle).count();
    let below = hidden.iter().filter(|row| row.kind != Kind::Idle).count();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (more, elsewhere) = (listed - locks, picture.locks.elsewhere);
    let told = [
        (above, format!("{above} more above")),
        (below, format!("{below} more below")),
        (more, format!("{more} more lock{}", plural(more))),
        (elsewhere, format!("{elsewhere} lock{} before or after", plural(elsewhere))),
        (idle, format!("{idle} idle thread{} folded", plural(idle))),
        (in_sight.iter().filter(|row| row.folded().is_some()).count(), "×n ended".to_owned()),
    ];
    let told = told.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    let drawn =
        Drawn { columns: picture.left..picture.left + picture.axis.cells, locks: 1..lanes_at, lanes: lanes_at..y };
    let text = legend::line(told, &drawn, state.look.wording, canvas);
    canvas.part(0, y, width, 1).verbatim().text(1, 0, &text, Ink::Dim);
    cursor(state, picture, y, canvas);
}

/// With how many rows all those have one that did something lately, beside the locks, the heading and the last line.
pub fn least(state: &State, log: &Trace, picture: &Picture, room: u16) -> u16 {
    let locks = picture.locks.in_picture.len().min(locks::most(room)) + log.worlds().count();
    let busy = state.watch.figures.rows.iter().filter(|row| row.kind != Kind::Idle).count();
    u16::try_from(2 + locks + busy).unwrap_or(u16::MAX)
}

/// How high each row is drawn. Height is for core time: whoever hardly has any stands on one line, however much room
/// there is, and those that did nothing get lines before others grow beyond what is usual.
fn heights(rows: &[Row], room: usize, most: usize) -> Vec<usize> {
    let is_tall = |row: &Row| row.kind != Kind::Idle && row.runs >= HARDLY;
    let tall = rows.iter().filter(|row| is_tall(row)).count();
    let idle = rows.iter().filter(|row| row.kind == Kind::Idle).count();
    let each = |lines: usize| room.saturating_sub(lines) / tall.max(1);
    let usual = each(rows.len() - tall - idle).min(MOST_ROWS);
    let height = each(rows.len() - tall).max(usual).clamp(1, most);
    rows.iter().map(|row| if is_tall(row) { height } else { 1 }).collect()
}

/// Which row is wanted at the top, and which must be in sight: the one pointed at.
fn wanted_first(state: &State, rows: &[Row]) -> (usize, Option<usize>) {
    let picked = state.view.picked.filter(|_| state.view.cursor.is_some());
    (state.watch.scroll, picked.and_then(|lane| watch::point::row_of(rows, lane)))
}

/// The first of the rows in sight, and how many there is room for.
fn in_sight(heights: &[usize], room: usize, (wanted, picked): (usize, Option<usize>)) -> (usize, usize) {
    let fitting = |first: usize| {
        let mut left = room;
        let fits = |height: &&usize| {
            let fits = **height <= left;
            left = left.saturating_sub(**height);
            fits
        };
        heights.get(first..).unwrap_or_default().iter().take_while(fits).count()
    };
    let mut first = wanted.min(heights.len().saturating_sub(1));
    // No room is wasted at the end of the list.
    while first > 0 && first - 1 + fitting(first - 1) >= heights.len() {
        first -= 1;
    }
    if let Some(picked) = picked {
        first = first.min(picked);
        while first < picked && first + fitting(first) <= picked {
            first += 1;
        }
    }
    (first, fitting(first))
}

/// A row's name with, of those that ended, how many they are; the number is kept where the name is cut.
fn name(state: &State, row: &Row, columns: std::ops::Range<u16>, y: u16, ink: Ink, canvas: &mut Canvas) {
    let count = row.folded().map(|count| format!(" ×{count}")).unwrap_or_default();
    let room = usize::from(columns.end - columns.start).saturating_sub(count.chars().count());
    let name = fitting(&sanitised(&row.name), room, state.watch.names().map(sanitised));
    let x = canvas.text_to(columns.start, y, columns.end, &foreign(&name), ink);
    canvas.text(x, y, &count, ink);
}

fn draw(state: &State, log: &Trace, row: &Row, (index, picked): (usize, bool), picture: &Picture, canvas: &mut Canvas) {
    let rows = usize::from(canvas.height());
    let (y, left) = (canvas.height() / 2, picture.left);
    canvas.set(0, y, if picked { '▸' } else { ' ' }, Ink::Key);
    let ink = match (picked, row.kind) {
        (true, _) => Ink::Strong,
        (false, Kind::Active | Kind::Main) => Ink::Text,
        (false, Kind::Ended | Kind::Idle) => Ink::Dim,
    };
    let first = row.lives.first().map(|life| life.lane);
    let held = first.and_then(|lane| Some((state.watch.letter(lane)?, *state.watch.figures.places.get(&lane)?)));
    if let Some((letter, place)) = held {
        canvas.set(1, y, letter, Ink::Lane(place));
    }
    name(state, row, picture.names_at(log)..left - 1, y, ink, canvas);
    let Some(first) = first else { return };
    let place = held.map_or(index, |(_, place)| place);
    if row.folded().is_some() {
        for (x, cell) in together(log, row, picture).iter().enumerate() {
            for (y, mark) in band_column(cell, place, rows).iter().take(rows).enumerate() {
                canvas.set(left + x as u16, y as u16, mark.glyph, mark.ink);
            }
        }
    } else {
        for (x, cell) in log.lane_window(first, picture.axis.from, picture.to, picture.count).iter().enumerate() {
            for (y, mark) in lane_column(cell, place, rows, state.look.ascii).iter().take(rows).enumerate() {
                canvas.set(left + x as u16, y as u16, mark.glyph, mark.ink);
            }
        }
    }
    let width = canvas.width();
    let info = log.lane(first);
    match &info.end {
        // Frozen, it stands as it stood then.
        Some(end) if row.folded().is_none() && row.lives.iter().all(|life| life.to.is_some()) => {
            _ = canvas.text_before(width - 1, y, &foreign(end), Ink::Bad)
        }
        _ if info.lock.is_some() => _ = canvas.text_before(width - 1, y, &percent(row.waits), Ink::Waits),
        _ => {}
    }
}

/// What those did that are folded into a row, while they lived.
fn together(log: &Trace, row: &Row, picture: &Picture) -> Vec<Ledger> {
    let mut cells = vec![Ledger::default(); picture.count];
    let inside = row.lives.iter().rev().filter(|life| life.meets(picture.axis.from, picture.to));
    for life in inside.take(MOST_DRAWN) {
        // Only the cells in which it lived are asked for.
        let cell = |at: Nanos| picture.axis.cell_of(at).map(usize::from);
        let first = cell(life.from).unwrap_or(0).min(picture.count);
        let last = life.to.and_then(cell).map_or(picture.count, |cell| (cell + 1).min(picture.count));
        let (from, to) = (picture.axis.at(first as u16), picture.axis.at(last as u16));
        let window = log.lane_window(life.lane, from, to, last.saturating_sub(first));
        for (sum, cell) in cells[first..].iter_mut().zip(window) {
            for state in
                LaneState::ALL.into_iter().filter(|state| !matches!(state, LaneState::Unborn | LaneState::Done))
            {
                sum.0[state.index()] += cell.states[state.index()];
            }
        }
    }
    cells
}

/// The rule above the picture, with the mark of the cursor's column, since rows may be full of ink. The heading gives way
/// to it: to the right, or where there is no room, to fewer words.
fn heading(state: &State, picture: &Picture, order: &str, right: &str, canvas: &mut Canvas) {
    let cell = format!("{} a cell", picture.axis.cell);
    let whole = format!("{order} · {cell}");
    let length = |text: &str| text.chars().count() as u16 + 2;
    let mark = state.view.cursor.and_then(|at| picture.axis.cell_of(at)).map(|cell| picture.left + cell);
    let end = canvas.width().saturating_sub(length(right) + 1);
    let (x, text) = match mark {
        Some(mark) if mark > length(&whole) => (1, &whole),
        Some(mark) if mark + 1 + length(&whole) <= end => (mark + 1, &whole),
        Some(mark) if mark > length(&cell) => (1, &cell),
        Some(mark) => (mark + 1, &cell),
        None => (1, &whole),
    };
    rule(canvas, 0, "", right);
    canvas.text_to(x, 0, end.max(x), &format!(" {text} "), Ink::Dim);
    if let Some(mark) = mark {
        canvas.set(mark, 0, '▾', Ink::Key);
    }
}

/// Through what is blank above `bottom`, where the lanes end.
fn cursor(state: &State, picture: &Picture, bottom: u16, canvas: &mut Canvas) {
    let Some(cell) = state.view.cursor.and_then(|at| picture.axis.cell_of(at)) else { return };
    let x = picture.left + cell;
    for y in 1..bottom {
        if canvas.glyph(x, y) == ' ' {
            canvas.set(x, y, '╎', Ink::Key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pointed_at_is_in_sight_and_no_room_is_wasted() {
        let heights = [3, 3, 3, 1, 1];
        assert_eq!(in_sight(&heights, 7, (0, None)), (0, 2));
        assert_eq!(in_sight(&heights, 7, (4, None)), (2, 3));
        assert_eq!(in_sight(&heights, 7, (0, Some(2))), (1, 3));
        assert_eq!(in_sight(&heights, 7, (0, Some(4))), (2, 3));
        assert_eq!(in_sight(&heights, 7, (3, Some(0))), (0, 2));
        assert_eq!(in_sight(&[], 7, (0, None)), (0, 0));
        assert_eq!(in_sight(&heights, 0, (0, Some(4))), (4, 0));
    }

    #[test]
    fn height_is_for_those_with_core_time_and_the_room_they_leave_for_the_idle() {
        let row = |kind, runs| Row { name: String::new(), lives: Vec::new(), waits: 0.0, runs, kind };
        let rows = |tall: usize, flat: usize, idle: usize| {
            let rows = std::iter::repeat_n(row(Kind::Active, 0.5), tall);
            let rows = rows.chain(std::iter::repeat_n(row(Kind::Active, 0.001), flat));
            rows.chain(std::iter::repeat_n(row(Kind::Idle, 0.0), idle)).collect::<Vec<Row>>()
        };
        assert_eq!(heights(&rows(1, 2, 1), 50, 24), [24, 1, 1, 1]);
        // Little room: the usual height, and of the idle as many as fit.
        assert_eq!(heights(&rows(2, 4, 30), 12, 24)[..3], [3, 3, 1]);
        assert_eq!(heights(&rows(2, 4, 30), 5, 24)[..3], [1, 1, 1]);
        assert_eq!(heights(&rows(2, 4, 30), 52, 24)[..3], [9, 9, 1]);
        assert_eq!(heights(&rows(2, 4, 30), 52, 3)[..3], [3, 3, 1]);
        assert_eq!(heights(&[], 52, 3), [0_usize; 0]);
    }
}
