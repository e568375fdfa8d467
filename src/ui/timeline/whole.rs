//! The whole run in one row: how many cores were busy, and which part the picture shows.

use crate::app::{Axis, Phase, State, axis};
use crate::trace::Trace;

use super::super::canvas::Canvas;
use super::super::glyphs::height_glyph;
use super::super::theme::Ink;
use super::scene::Scene;

/// ```text
/// whole run ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂
/// ```
pub fn render(state: &State, log: &Trace, scene: &Scene, canvas: &mut Canvas) {
    if canvas.height() == 0 {
        return;
    }
    let left = scene.gutters.left;
    canvas.text(1, 0, "whole run", Ink::Dim);
    let until = state.figures.until.min(log.now());
    let recorded = until - scene.begin;
    // While it runs, the row is as long as the run should be, and shrinks by steps if it lasts longer.
    let expected = match state.phase {
        Phase::Running => state.length.target().unwrap_or_default().max(recorded),
        _ => recorded,
    };
    let axis =
        Axis { from: scene.begin, cell: axis::fitting(expected, scene.gutters.cells), cells: scene.gutters.cells };
    let count = recorded.0.div_ceil(axis.cell.0.max(1)).min(u64::from(axis.cells)) as usize;
    let cores = state.machine.cores.len().max(1) as f64;
    let shown = |cell: u16| axis.at(cell) < scene.axis.to() && axis.at(cell.saturating_add(1)) > scene.axis.from;
    let all = scene.axis.from <= scene.begin && scene.axis.to() >= until;
    let busy = log.busy_window(axis.from, axis.at(count as u16), count);
    for (x, busy) in (0..).zip(busy) {
        let ink = if shown(x) && !all { Ink::Key } else { Ink::Meter };
        canvas.set(left + x, 0, height_glyph(busy / cores), ink);
    }
}
