//! What the program printed.

use crate::app::State;
use crate::app::words::sanitised;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::rule;

/// Its last lines, or those further up. What controls a terminal is shown, not obeyed.
pub fn render(state: &State, scroll: usize, canvas: &mut Canvas) {
    if canvas.height() < 2 {
        return;
    }
    let lines = &state.watch.output.lines;
    let heading = if state.watch.typing { "output · TYPING into the program" } else { "output" };
    rule(canvas, 0, heading, "");
    let room = usize::from(canvas.height() - 1);
    let end = lines.len().saturating_sub(scroll).max(room.min(lines.len()));
    let first = end.saturating_sub(room);
    for (y, line) in lines[first..end].iter().enumerate() {
        canvas.text_to(1, 1 + y as u16, canvas.width(), &sanitised(line), Ink::Text);
    }
    if let Some((line, column)) = state.watch.output.caret.filter(|_| state.watch.typing)
        && (first..end).contains(&line)
    {
        let (x, y) = (1 + column, 1 + (line - first) as u16);
        let under = canvas.glyph(x, y);
        canvas.set(x, y, under, Ink::Chosen);
    }
    if lines.is_empty() && !state.watch.typing {
        canvas.text(1, 1, "nothing so far", Ink::Dim);
    }
}
