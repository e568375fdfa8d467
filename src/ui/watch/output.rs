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
    let lines = &state.watch.output;
    rule(canvas, 0, "output", "");
    let room = usize::from(canvas.height() - 1);
    let end = lines.len().saturating_sub(scroll).max(room.min(lines.len()));
    for (y, line) in lines[end.saturating_sub(room)..end].iter().enumerate() {
        canvas.text_to(1, 1 + y as u16, canvas.width(), &sanitised(line), Ink::Text);
    }
    if lines.is_empty() {
        canvas.text(1, 1, "nothing so far", Ink::Dim);
    }
}
