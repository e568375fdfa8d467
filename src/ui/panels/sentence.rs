//! What is seen, and the next key.

use crate::app::{Phase, State};

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// As many lines as there is room for; the last is cut off with `…` if there are more.
pub fn render(state: &State, lines: &[String], canvas: &mut Canvas) {
    let ink = match state.phase {
        Phase::Failed(_) => Ink::Bad,
        _ => Ink::Strong,
    };
    let rows = usize::from(canvas.height());
    for (y, line) in lines.iter().take(rows).enumerate() {
        let cut = y + 1 == rows && lines.len() > rows;
        let text = if cut { format!("{line} …") } else { line.clone() };
        let end = canvas.width();
        canvas.text_to(1, y as u16, end, &text, ink);
    }
}
