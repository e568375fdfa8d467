//! Every key, and how to read the picture.

use crate::app::action::{Action, Group};
use crate::app::{Screen, State, words};
use crate::event::State as LaneState;
use crate::text::lines::wrapped;

use super::super::canvas::Canvas;
use super::super::glyphs::{LEGEND, state_mark};
use super::super::theme::Ink;

/// Columns of a key's names.
const KEYS: u16 = 14;
/// Columns of one column of the page.
const COLUMN: u16 = 58;

enum Line {
    Blank,
    Heading(&'static str),
    Key(String, &'static str),
    State(LaneState),
    Text(&'static str),
    Said(String),
}

/// All there is to say, on lines of so many columns.
fn lines(state: &State, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::Heading("how to read it: ink is core time")];
    lines.extend(LEGEND.into_iter().map(Line::State));
    lines.extend([
        Line::Text("A cell is the sum of its time: half ink, half of it."),
        Line::Text("░▒▓ more than two changes in the cell, by share."),
        Line::Text("GIL: the holder's mark; │ one hand-off, ▒ more."),
        Line::Text("No GIL: work a ms it runs, of what one alone does."),
        Line::Text("Bands (many lanes): ░▒▓█ their mean on a core;"),
        Line::Text("the bottom line: what they do most off it."),
        Line::Text("Core rows are ours and exact; what all programs"),
        Line::Text("use is sampled five times a second at most."),
    ]);
    let said = format!("Who had a core: {}.", words::core_evidence(&state.origin));
    lines.extend(wrapped(&said, width.saturating_sub(2)).into_iter().map(Line::Said));
    // Of a program that is watched nothing can be chosen.
    let is_watched = state.screen == Screen::Watch && state.origin.program.is_some();
    for group in Group::ALL.into_iter().filter(|group| !(is_watched && *group == Group::Experiment)) {
        lines.push(Line::Blank);
        lines.push(Line::Heading(group.title()));
        for action in Action::ALL.iter().filter(|action| action.group() == group) {
            let keys = state.keymap.keys(*action);
            let all = keys.join(" ");
            let fits = all.chars().count() < usize::from(KEYS);
            lines.push(Line::Key(if fits { all } else { state.keymap.key(*action) }, action.description()));
        }
    }
    lines
}

/// The page as it is laid out on a screen of some size.
struct Page {
    lines: Vec<Line>,
    columns: usize,
    rows_used: usize,
    /// How far it can be scrolled.
    last: usize,
}

fn page(state: &State, (width, height): (u16, u16)) -> Page {
    let columns = usize::from((width / COLUMN).max(1));
    let mut lines = lines(state, usize::from(width) / columns);
    let rows = usize::from(height.saturating_sub(2)).max(1);
    if lines.len() > rows && matches!(lines.get(rows), Some(Line::Blank)) {
        // No gap at the head of a column.
        lines.remove(rows);
    }
    let needed = lines.len().div_ceil(columns).max(1);
    let rows_used = if needed <= rows { needed } else { rows };
    let last = lines.len().saturating_sub(rows_used * columns);
    Page { lines, columns, rows_used, last }
}

/// How many of its lines can be scrolled out of sight, on the screen as large as it is.
pub fn most_scrolled(state: &State) -> usize {
    page(state, state.size).last
}

/// The page, in as many columns as there is room for.
pub fn render(state: &State, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    canvas.row(0, width, 0, '─', Ink::Rule);
    canvas.text(1, 0, " help ", Ink::Strong);
    let Page { lines, columns, rows_used, last } = page(state, (width, height));
    let top = state.help.unwrap_or(0).min(last);
    for (index, line) in lines.iter().skip(top).take(rows_used * columns).enumerate() {
        let (column, row) = (index / rows_used, index % rows_used);
        let mut part = canvas.part(column as u16 * (width / columns as u16), 1 + row as u16, width / columns as u16, 1);
        draw(line, &mut part);
    }
    let more = if last > 0 { "↑↓ PgUp PgDn scroll   " } else { "" };
    canvas.text(1, height - 1, &format!("{more}any other key closes"), Ink::Dim);
}

fn draw(line: &Line, canvas: &mut Canvas) {
    match line {
        Line::Blank => {}
        Line::Heading(text) => _ = canvas.text(1, 0, text, Ink::Strong),
        Line::Key(keys, words) => {
            canvas.text_to(1, 0, KEYS, keys.trim(), Ink::Key);
            let end = canvas.width();
            canvas.text_to(KEYS + 1, 0, end, words, Ink::Text);
        }
        Line::State(state) => {
            let mark = state_mark(*state, 0);
            for x in 2..5 {
                canvas.set(x, 0, mark.glyph, mark.ink);
            }
            canvas.text(KEYS + 1, 0, state.words(), Ink::Text);
        }
        Line::Text(text) => _ = canvas.text(1, 0, text, Ink::Dim),
        Line::Said(text) => {
            let end = canvas.width() - 1;
            canvas.text_to(1, 0, end, text, Ink::Dim);
        }
    }
}
