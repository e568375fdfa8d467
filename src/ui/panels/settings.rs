//! The settings seldom used, over the middle of the screen.

use crate::app::{State, words};
use crate::text::lines::wrapped;

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// ```text
/// ─ settings seldom used ─────────────────────
///   rules        3.10: may switch at loops and calls
/// ▸ tasks        as many as workers
///   start-up     as CPython 3.13.0
///
///   core times   the kernel's switch records
/// ```
pub fn render(state: &State, line: usize, canvas: &mut Canvas) {
    // Narrow columns left beside it would look like part of it.
    let width = if canvas.width() < 72 { canvas.width() } else { 56 };
    let (x, y) = ((canvas.width() - width) / 2, canvas.height() / 3);
    let mut panel = canvas.part(x, y, width, 10);
    panel.clear();
    panel.row(0, width, 0, '─', Ink::Rule);
    panel.text(1, 0, " settings seldom used ", Ink::Strong);
    let tasks = match state.experiment.tasks {
        None => "as many as workers".to_owned(),
        Some(1) => "1".to_owned(),
        Some(tasks) => tasks.to_string(),
    };
    let lines = [
        ("rules", words::rules(state.experiment.rules).to_owned()),
        ("tasks", tasks),
        ("start-up", words::start_up(&state.experiment)),
    ];
    for (index, (name, value)) in lines.iter().enumerate() {
        let y = 2 + index as u16;
        let ink = if index == line { Ink::Chosen } else { Ink::Text };
        if index == line {
            panel.row(1, width.saturating_sub(1), y, ' ', ink);
            panel.set(1, y, '▸', ink);
        }
        panel.text(3, y, name, ink);
        panel.text(15, y, value, ink);
    }
    panel.text(3, 6, "core times", Ink::Dim);
    let evidence = wrapped(&words::core_evidence(&state.origin), usize::from(width.saturating_sub(16)));
    for (y, line) in (6..9).zip(&evidence) {
        panel.text(15, y, line, Ink::Dim);
    }
    panel.row(0, width, 9, '─', Ink::Rule);
}
