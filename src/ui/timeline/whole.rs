//! The whole run in one row: how many cores were busy, and which part the picture shows.

use crate::app::State;

use super::super::canvas::Canvas;
use super::super::glyphs::height_glyph;
use super::super::theme::Ink;
use super::scene::Scene;

/// ```text
/// whole run ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂
/// ```
/// Its cells are figures: read from the log four times a second, not at each drawing.
pub fn render(state: &State, scene: &Scene, canvas: &mut Canvas) {
    if canvas.height() == 0 {
        return;
    }
    let left = scene.gutters.left;
    canvas.text(1, 0, "whole run", Ink::Dim);
    let whole = &state.figures.whole;
    let cores = state.machine.cores.len().max(1) as f64;
    let axis = whole.axis;
    let shown = |cell: u16| axis.at(cell) < scene.axis.to() && axis.at(cell.saturating_add(1)) > scene.axis.from;
    let all = scene.axis.from <= scene.begin && scene.axis.to() >= state.figures.until;
    for (x, busy) in (0..scene.gutters.cells).zip(&whole.busy) {
        let ink = if shown(x) && !all { Ink::Key } else { Ink::Meter };
        canvas.set(left + x, 0, height_glyph(busy / cores), ink);
    }
}
