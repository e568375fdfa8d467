//! The core rows: which of our lanes was where. What all programs use stands beside them, sampled.

use crate::app::words::percent;
use crate::app::{Phase, State};
use crate::trace::Trace;

use super::super::canvas::Canvas;
use super::super::glyphs::core_mark;
use super::super::theme::Ink;
use super::scene::Scene;

/// ```text
/// core 0    11111     111111                         all: 31% sampled
/// ```
pub fn render(state: &State, log: &Trace, scene: &Scene, canvas: &mut Canvas) {
    let place = |lane| scene.fold.place(log, lane);
    let left = scene.gutters.left;
    for (y, (core, cells)) in (0..).zip(&scene.cores) {
        canvas.text(1, y, &format!("core {core}"), Ink::Dim);
        for (x, cell) in cells.iter().enumerate() {
            let mark = core_mark(cell, scene.recorded(x), &place);
            if mark.glyph != ' ' {
                canvas.set(left + x as u16, y, mark.glyph, mark.ink);
            }
        }
        let place = state.machine.cores.iter().position(|known| known == core);
        let used = place.and_then(|place| state.machine.used.get(place).copied().flatten());
        let x = left + scene.gutters.cells + 1;
        // It is of this second, so it stands beside a picture of this second alone.
        let live = state.phase == Phase::Running && state.view.frozen.is_none();
        let Some(used) = used.filter(|_| live) else { continue };
        let figure = percent(f64::from(used));
        let text =
            if scene.gutters.right >= 16 { format!("all{figure:>5} sampled") } else { format!("all{figure:>5} ±") };
        let end = canvas.width();
        canvas.text_to(x, y, end, &text, Ink::Dim);
    }
}
