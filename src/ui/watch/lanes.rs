//! The lock's row, and the lanes: those that are kept waiting most first.

use std::collections::BTreeSet;

use crate::app::view::Gutters;
use crate::app::watch::{Kind, Row};
use crate::app::words::{foreign, percent, sanitised};
use crate::app::{Axis, State, watch};
use crate::event::{Nanos, State as LaneState};
use crate::trace::{Ledger, LockInfo, Trace};

use super::super::canvas::Canvas;
use super::super::glyphs::{self, band_column, lane_column, lock_mark, world_mark};
use super::super::theme::Ink;
use super::rule;

/// The most rows of a lane, where there is room.
const MOST_ROWS: usize = 3;

/// Who was on a core for less of its time than this has nothing to show in height.
const HARDLY: f64 = 0.02;

/// So many of those that were folded into a row are drawn: the latest of those in the picture.
const MOST_DRAWN: usize = 256;

/// The part of the log that is drawn.
struct Picture {
    axis: Axis,
    to: Nanos,
    count: usize,
    /// Columns of the lanes' names.
    left: u16,
}

/// ```text
/// ─ most kept waiting first · 10 ms a cell ──────────────────── waits
/// GIL        aaaaaaaa▒▒▒▒aaaaaaaaaa▒▒▒▒▒aaaaaaaaaaaaaa╱╱▒▒▒▒▒aaaaaaa
/// worker-7   ~~~~········▒~~~~············▒~~~~~~~~~~~╱╱~~·········▒    44%
/// http ×213  ····▒····████····▒▒▒▒····████····▒▒▒▒▒▒·····████·▒▒····    41%
/// 31 idle threads folded · ╱ not observed  = wants the program's own lock
/// ```
pub fn render(state: &State, log: &Trace, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    if height < 3 {
        return;
    }
    let watch = &state.watch;
    let gutters = Gutters::of_watch(width);
    let axis = Axis { cells: gutters.cells, ..state.view.axis };
    let begin = log.begin_at();
    let until = state.view.until.min(state.reach(log));
    let count = usize::from(axis.cells).min(((until - axis.from).0).div_ceil(axis.cell.0.max(1)) as usize);
    let picture = Picture { axis, to: axis.at(count as u16), count, left: gutters.left };
    let (order, waits) = if log.has_gil() { ("most kept waiting first", "waits") } else { ("threads", "") };
    heading(state, &picture, order, waits, canvas);
    let recorded = |cell: usize| axis.at(cell as u16 + 1).min(until) - axis.at(cell as u16).max(begin);

    // Letters in the lock's row are those of the table; whoever has none is a dot.
    let place = |lane| watch.figures.places.get(&lane).copied();
    let locks: Vec<_> = log.gils().filter(|(_, info)| info.of_workers).collect();
    let most_locks = (height / 3).max(1) as usize;
    let mut y = 1;
    for (lock, info) in locks.iter().take(most_locks) {
        canvas.text_to(1, y, gutters.left - 1, &sanitised(&lock_name(info, locks.len() > 1)), Ink::Strong);
        for (x, cell) in log.lock_window(*lock, axis.from, picture.to, count).iter().enumerate() {
            let mark = lock_mark(cell, recorded(x), &place);
            let letter =
                cell.owner.filter(|_| mark.glyph.is_ascii_alphanumeric() || mark.glyph == '*').map(|(lane, _)| {
                    watch
                        .letter(lane)
                        .map_or(('•', Ink::Dim), |letter| (letter, Ink::Lane(place(lane).unwrap_or_default())))
                });
            let (glyph, ink) = letter.unwrap_or((mark.glyph, mark.ink));
            canvas.set(gutters.left + x as u16, y, glyph, ink);
        }
        y += 1;
    }

    let worlds: Vec<_> = log.worlds().collect();
    let several = worlds.len() > 1;
    for (world, info) in worlds.into_iter().take(most_locks.saturating_sub(usize::from(y) - 1).max(1)) {
        let name = sanitised(&world_name(info, several, usize::from(gutters.left) - 2));
        canvas.text_to(1, y, gutters.left - 1, &name, Ink::Strong);
        for (x, cell) in log.lock_window(world, axis.from, picture.to, count).iter().enumerate() {
            let mark = world_mark(cell, recorded(x));
            canvas.set(gutters.left + x as u16, y, mark.glyph, mark.ink);
        }
        canvas.text_before(
            width - 1,
            y,
            &format!("{}×", watch.figures.stopped.get(&world).copied().unwrap_or(0)),
            Ink::Dim,
        );
        y += 1;
    }

    let room = usize::from(height.saturating_sub(y)).saturating_sub(1);
    let all = &watch.figures.rows;
    let heights = heights(all, room, if state.view.big { glyphs::MOST_ROWS } else { MOST_ROWS });
    let (first, shown) = in_sight(&heights, room, wanted_first(state, all));
    let picked = watch::point::lane(state, log).filter(|_| state.view.picked.is_some());
    for (index, row) in all.iter().enumerate().skip(first).take(shown) {
        let rows = heights[index];
        let mut part = canvas.part(0, y, width, rows as u16);
        let is_picked = picked.is_some_and(|lane| row.has(lane));
        draw(state, log, row, (index, is_picked), &picture, &mut part);
        y += rows as u16;
    }
    let mut last = Vec::new();
    let (hidden, above) = (&all[first + shown..], first);
    let idle = watch.figures.idle.len() + hidden.iter().filter(|row| row.kind == Kind::Idle).count();
    let below = hidden.iter().filter(|row| row.kind != Kind::Idle).count();
    if above > 0 {
        last.push(format!("{above} more above"));
    }
    if below > 0 {
        last.push(format!("{below} more below"));
    }
    if idle > 0 {
        last.push(format!("{idle} idle thread{} folded", if idle == 1 { "" } else { "s" }));
    }
    if all.iter().any(|row| row.folded().is_some()) {
        last.push("×n ended".to_owned());
    }
    last.push("╱ not observed".to_owned());
    // Signs are explained in the help, too.
    while last.len() > 1 && last.join(" · ").chars().count() + 1 > usize::from(width) {
        last.pop();
    }
    let mut text = last.join(" · ");
    for sign in signs(canvas, &picture, y) {
        if text.chars().count() + 3 + sign.chars().count() > usize::from(width) {
            break;
        }
        text += "  ";
        text += &sign;
    }
    canvas.text(1, y, &text, Ink::Dim);
    cursor(state, &picture, height, canvas);
}

/// With how many rows all those have one that did something lately, beside the locks, the heading and the last line.
pub fn least(state: &State, log: &Trace) -> u16 {
    let locks = log.gils().filter(|(_, info)| info.of_workers).count() + log.worlds().count();
    let busy = state.watch.figures.rows.iter().filter(|row| row.kind != Kind::Idle).count();
    u16::try_from(2 + locks + busy).unwrap_or(u16::MAX)
}

/// The signs of waiting that are in the picture above row `bottom`, and what they mean: those first that say least by
/// themselves.
fn signs(canvas: &Canvas, picture: &Picture, bottom: u16) -> Vec<String> {
    let columns = picture.left..picture.left + picture.axis.cells;
    let drawn: BTreeSet<char> =
        columns.flat_map(|x| (1..bottom).map(move |y| (x, y))).map(|(x, y)| canvas.glyph(x, y)).collect();
    let first = [LaneState::WaitingLock, LaneState::Io];
    let rest = glyphs::LEGEND.into_iter().filter(|state| !first.contains(state));
    let off_core = first.into_iter().chain(rest).filter(|state| !state.on_core() && *state != LaneState::Unknown);
    let marks = off_core.map(|state| (glyphs::state_mark(state, 0).glyph, state));
    marks
        .filter(|(glyph, _)| drawn.contains(glyph))
        .map(|(glyph, state)| format!("{glyph} {}", state.words()))
        .collect()
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

/// A lock's name in the column of names: of several, by the number of its process and, if it is not the main one, of its
/// interpreter. A process that has executed another program had another lock before: the later ones bear the program's name.
fn lock_name(info: &LockInfo, several: bool) -> String {
    if !several {
        return info.name.clone();
    }
    let program = info.name.find(" (").map_or("", |at| &info.name[at..]);
    let interpreter = interpreter(info).map_or(String::new(), |id| format!(".{id}"));
    format!("GIL {}{interpreter}{program}", info.process + 1)
}

/// The number of the subinterpreter that a lock or a world is of.
fn interpreter(info: &LockInfo) -> Option<&str> {
    let name = info.name.split_once(" (").map_or(&*info.name, |(name, _)| name);
    name.rsplit_once("interpreter ").map(|(_, id)| id)
}

/// A world's name in the column of names, shorter where there is no room for all of it.
fn world_name(info: &LockInfo, several: bool, room: usize) -> String {
    let number = match (several, interpreter(info)) {
        (false, _) => String::new(),
        (true, None) => format!(" {}", info.process + 1),
        (true, Some(id)) => format!(" {}.{id}", info.process + 1),
    };
    let whole = format!("stop-the-world{number}");
    if whole.len() <= room { whole } else { format!("stops{number}") }
}

/// A row's name with, of those that ended, how many they are; the number is kept where the name is cut.
fn name(row: &Row, canvas: &mut Canvas, y: u16, left: u16, ink: Ink) {
    let count = row.folded().map(|count| format!(" ×{count}")).unwrap_or_default();
    // What tells threads of one name apart stands at its end, too.
    let (name, number) = match row.name.rsplit_once(' ') {
        Some((name, number)) if row.folded().is_none() && number.len() >= 4 && is_number(number) => {
            (name, format!(" {number}"))
        }
        _ => (row.name.as_str(), count),
    };
    let end = (left - 1).saturating_sub(number.chars().count() as u16);
    let x = canvas.text_to(1, y, end, &foreign(name), ink);
    canvas.text(x, y, &number, ink);
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
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
    name(row, canvas, y, left, ink);
    let Some(first) = row.lives.first().map(|life| life.lane) else { return };
    let place = state.watch.figures.places.get(&first).copied().unwrap_or(index);
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

fn cursor(state: &State, picture: &Picture, height: u16, canvas: &mut Canvas) {
    let Some(cell) = state.view.cursor.and_then(|at| picture.axis.cell_of(at)) else { return };
    let x = picture.left + cell;
    for y in 1..height.saturating_sub(1) {
        if canvas.glyph(x, y) == ' ' {
            canvas.set(x, y, '╎', Ink::Key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LockKind;

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

    #[test]
    fn several_locks_are_told_by_their_numbers() {
        let name = |name: &str, process, several| {
            lock_name(&LockInfo { kind: LockKind::Gil, name: name.to_owned(), process, of_workers: true }, several)
        };
        assert_eq!(name("GIL", 0, false), "GIL");
        assert_eq!(name("GIL", 0, true), "GIL 1");
        assert_eq!(name("GIL of process 3", 2, true), "GIL 3");
        assert_eq!(name("GIL of process 3, interpreter 2", 2, true), "GIL 3.2");
        assert_eq!(name("GIL of interpreter 2", 0, true), "GIL 1.2");
        assert_eq!(name("GIL (next.py)", 0, true), "GIL 1 (next.py)");
        assert_eq!(name("GIL of process 3, interpreter 2 (next.py, 2)", 2, true), "GIL 3.2 (next.py, 2)");
    }

    #[test]
    fn a_world_s_name_is_cut_to_a_word() {
        let info = |process| LockInfo { kind: LockKind::StopTheWorld, name: String::new(), process, of_workers: true };
        assert_eq!(world_name(&info(0), false, 14), "stop-the-world");
        assert_eq!(world_name(&info(0), false, 10), "stops");
        assert_eq!(world_name(&info(1), true, 22), "stop-the-world 2");
        assert_eq!(world_name(&info(1), true, 14), "stops 2");
        let of_sub = LockInfo { name: "stop-the-world of interpreter 3".to_owned(), ..info(0) };
        assert_eq!(
            (world_name(&of_sub, true, 22), world_name(&of_sub, true, 14)),
            ("stop-the-world 1.3".into(), "stops 1.3".into())
        );
    }
}
