//! What the program printed.

use crate::app::watch::Reading;
use crate::app::words::sanitised;
use crate::app::{Action, State};

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::rule;

/// Its last lines, or those further up. What controls a terminal is shown, not obeyed.
pub fn render(state: &State, reading: Reading, canvas: &mut Canvas) {
    if canvas.height() < 2 {
        return;
    }
    let printed = &state.watch.output;
    let shown = reading.shown(printed, usize::from(canvas.height() - 1));
    let heading = if state.watch.typing { "output · TYPING into the program" } else { "output" };
    rule(canvas, 0, heading, &place(state, reading, &shown));
    let mut canvas = canvas.part(0, 1, canvas.width(), canvas.height() - 1).verbatim();
    for (y, line) in printed.lines[shown.clone()].iter().enumerate() {
        canvas.text_to(1, y as u16, canvas.width(), &sanitised(line), Ink::Text);
    }
    if let Some((line, column)) = printed.caret.filter(|_| state.watch.typing)
        && shown.contains(&line)
    {
        let (x, y) = (1 + column, (line - shown.start) as u16);
        let under = canvas.glyph(x, y);
        canvas.set(x, y, under, Ink::Chosen);
    }
    if printed.lines.is_empty() && !state.watch.typing {
        canvas.text(1, 0, "nothing so far", Ink::Dim);
    }
}

/// Which of all lines these are; and, where they are the first that are kept, that they were not the first.
fn place(state: &State, reading: Reading, shown: &std::ops::Range<usize>) -> String {
    let printed = &state.watch.output;
    let all = printed.left_out + printed.lines.len() as u64;
    if shown.len() as u64 == all || state.watch.typing {
        return String::new();
    }
    let number = |index: usize| printed.left_out + index as u64;
    let lines = format!("lines {}–{} of {all}", number(shown.start) + 1, number(shown.end));
    match reading {
        Reading::Upto(_) if shown.start == 0 && printed.left_out > 0 => format!("{lines} · none before is kept"),
        Reading::Upto(_) => format!("{lines} · {} follows", state.keymap.key(Action::ToEnd)),
        Reading::End => lines,
    }
}
