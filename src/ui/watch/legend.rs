//! The line below the lanes: what is not in sight, and what the marks mean that are.
//!
//! All marks are in the help. Here stand those alone that are in the picture now: one that is explained and not there is
//! looked for in vain. What was not observed comes first, for of that nothing else may be believed; of the others those are
//! kept that cover most, and if there is no room for one the line says so by its end.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::app::Wording;
use crate::event::State;

use super::super::canvas::Canvas;
use super::super::glyphs::{LEGEND, state_mark};

/// Where the picture has been drawn.
pub(super) struct Drawn {
    pub(super) columns: Range<u16>,
    /// The rows of locks.
    pub(super) locks: Range<u16>,
    /// Those of lanes.
    pub(super) lanes: Range<u16>,
}

/// Before the marks those first that say least by themselves.
const FIRST: [State; 3] = [State::Unknown, State::WaitingLock, State::Io];

/// How much of a cell a lane had a core, where it changed too often to say when.
const SHADES: [char; 3] = ['░', '▒', '▓'];

/// What the marks in a lock's row mean that are no letters.
const OF_LOCKS: [(char, &str); 4] =
    [('│', "one hand-off"), ('▒', "several"), ('░', "held for a part"), ('•', "by others")];

/// That a mark was left out.
const CUT: &str = " …";

/// What is told, and then the marks that have been drawn, as far as there is room for them.
pub(super) fn line(mut told: Vec<String>, drawn: &Drawn, wording: Wording, canvas: &Canvas) -> String {
    let width = usize::from(canvas.width().saturating_sub(1));
    let length = |text: &str| text.chars().count();
    let mut is_cut = false;
    let counts = loop {
        let text = wording.say(&told.join(" · ")).into_owned();
        if length(&text) <= width || told.pop().is_none() {
            break text;
        }
        is_cut = true;
    };
    let mut marks = marks(drawn, canvas);
    marks.iter_mut().for_each(|mark| mark.text = wording.say(&mark.text).into_owned());
    let mut by_count: Vec<usize> = (0..marks.len()).collect();
    by_count.sort_by_key(|index| (marks[*index].is_fine, std::cmp::Reverse(marks[*index].cells)));
    let chosen = |room: usize| {
        let mut used = length(&counts);
        let mut chosen: Vec<usize> = by_count.clone();
        chosen.retain(|index| {
            let more = length(&marks[*index].text) + if used > 0 { 2 } else { 0 };
            let fits = used + more <= room;
            used += if fits { more } else { 0 };
            fits
        });
        chosen.sort_unstable();
        chosen
    };
    let mut kept = chosen(width);
    is_cut |= kept.len() < marks.len();
    if is_cut {
        kept = chosen(width.saturating_sub(length(CUT)));
    }
    let counts = Some(counts).filter(|counts| !counts.is_empty());
    let parts: Vec<&str> =
        counts.iter().map(String::as_str).chain(kept.iter().map(|index| marks[*index].text.as_str())).collect();
    let text = parts.join("  ");
    match is_cut && length(&text) + length(CUT) <= width {
        true => text + CUT,
        false => text,
    }
}

/// A mark that has been drawn, and what it means.
struct Mark {
    /// How many cells it covers.
    cells: usize,
    /// Whether it tells how finely something is drawn: what lanes do tells more.
    is_fine: bool,
    text: String,
}

/// The marks that have been drawn.
fn marks(drawn: &Drawn, canvas: &Canvas) -> Vec<Mark> {
    let count = |rows: &Range<u16>| {
        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        let cells = rows.clone().flat_map(|y| drawn.columns.clone().map(move |x| (x, y)));
        cells.for_each(|(x, y)| *counts.entry(canvas.glyph(x, y)).or_default() += 1);
        counts
    };
    let (of_locks, of_lanes) = (count(&drawn.locks), count(&drawn.lanes));
    let covers = |counts: &BTreeMap<char, usize>, glyph: char| counts.get(&glyph).copied().unwrap_or(0);
    // In both kinds of rows these two mean the same; a letter in a lock's row is somebody's.
    let state = |state: State| {
        let glyph = state_mark(state, 0).glyph;
        let both = matches!(state, State::Unknown | State::WaitingCore);
        let cells = covers(&of_lanes, glyph) + if both { covers(&of_locks, glyph) } else { 0 };
        let cells = if state == State::Unknown && cells > 0 { usize::MAX } else { cells };
        Mark { cells, is_fine: false, text: format!("{glyph} {}", state.words()) }
    };
    // Ink is a core's time: that needs no words.
    let rest = LEGEND.into_iter().filter(|state| !FIRST.contains(state) && *state != State::Running);
    let mut marks: Vec<Mark> = FIRST.into_iter().chain(rest).map(state).collect();
    let shades: Vec<char> = SHADES.into_iter().filter(|shade| covers(&of_lanes, *shade) > 0).collect();
    let text = format!("{} had a core for a part", shades.iter().collect::<String>());
    marks.push(Mark { cells: shades.iter().map(|shade| covers(&of_lanes, *shade)).sum(), is_fine: true, text });
    let of_lock: Vec<(char, &str)> = OF_LOCKS.into_iter().filter(|(glyph, _)| covers(&of_locks, *glyph) > 0).collect();
    let words: Vec<String> = of_lock.iter().map(|(glyph, words)| format!("{glyph} {words}")).collect();
    let cells = of_lock.iter().map(|(glyph, _)| covers(&of_locks, *glyph)).sum();
    marks.push(Mark { cells, is_fine: true, text: format!("GIL: {}", words.join(", ")) });
    marks.retain(|mark| mark.cells > 0);
    marks
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::*;
    use crate::app::{Depth, ThemeName};
    use crate::ui::theme::{Ink, Paint};

    fn legend(width: u16, told: &[&str], locks: &str, lanes: &str) -> String {
        let area = Rect::new(0, 0, width, 4);
        let mut buf = Buffer::empty(area);
        let mut canvas = Canvas::new(&mut buf, area, Paint::new(ThemeName::Dark, Depth::None));
        canvas.text(0, 1, locks, Ink::Text);
        canvas.text(0, 2, lanes, Ink::Text);
        let drawn = Drawn { columns: 0..width, locks: 1..2, lanes: 2..3 };
        line(told.iter().map(|text| (*text).to_owned()).collect(), &drawn, Wording::Plain, &canvas)
    }

    #[test]
    fn the_marks_that_are_drawn_are_explained_and_no_others() {
        assert_eq!(legend(120, &[], "aaa  nsp", "██·· ~"), "~ waits for I/O  · waits for the GIL");
        assert_eq!(legend(120, &["2 more below"], "", "╱n"), "2 more below  ╱ not observed  n C code, lock free");
        assert_eq!(
            legend(120, &[], "a│a▒!", "█▒▁"),
            "! wants a core  ▒ had a core for a part  GIL: │ one hand-off, ▒ several"
        );
        assert_eq!(legend(120, &[], "", "██"), "");
    }

    #[test]
    fn where_there_is_no_room_for_all_of_them_the_commonest_are_kept_and_the_line_says_so() {
        let drawn = "╱~···??";
        assert_eq!(
            legend(90, &[], "", drawn),
            "╱ not observed  ~ waits for I/O  · waits for the GIL  ? sleeps, reason not seen"
        );
        assert_eq!(legend(79, &[], "", drawn), "╱ not observed  · waits for the GIL  ? sleeps, reason not seen …");
        assert_eq!(legend(40, &[], "", drawn), "╱ not observed  · waits for the GIL …");
        // What lanes do tells more than how finely it is drawn.
        assert_eq!(legend(30, &[], "│▒▒▒▒▒", "~"), "~ waits for I/O …");
        assert_eq!(legend(16, &["17 more below", "3 idle threads folded"], "", drawn), "17 more below …");
    }
}
