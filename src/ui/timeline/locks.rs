//! The lock's row: whose turn it is.

use crate::app::words::percent;
use crate::app::{ModelChoice, State};
use crate::event::State as LaneState;

use super::super::canvas::Canvas;
use super::super::glyphs::lock_mark;
use super::super::theme::Ink;
use super::scene::Scene;

/// ```text
/// GIL       11111│3333│1111│4444│2222244444│22222222│4444  168 hand-offs/s
/// ```
/// Several locks are not drawn: nobody waits for another's. Then it says how much anybody waited.
pub fn render(state: &State, scene: &Scene, canvas: &mut Canvas) {
    let left = scene.gutters.left;
    let Some((name, cells)) = &scene.lock else {
        let waits = percent(state.figures.share(LaneState::WaitingGil));
        let text = match scene.locks.len() {
            0 => "no lock".to_owned(),
            count => {
                let each = state.model_shown().is_none_or(ModelChoice::has_own_locks);
                let whose = if each { "one each" } else { "one a process" };
                format!("{count} locks, {whose}   waiting for a lock: {waits}")
            }
        };
        canvas.text(left, 0, &text, Ink::Text);
        return;
    };
    canvas.text_to(1, 0, left - 1, name, Ink::Strong);
    for y in 0..canvas.height() {
        for (x, cell) in cells.iter().enumerate() {
            let mark = lock_mark(cell, scene.recorded(x), &scene.lanes);
            canvas.set(left + x as u16, y, mark.glyph, mark.ink);
        }
    }
    let x = left + scene.gutters.cells + 1;
    let rate = state.figures.handoffs_per_second;
    let words = if scene.gutters.right >= 16 { " hand-offs/s" } else { "/s" };
    let figure = if rate < 9.95 && rate > 0.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    let end = canvas.width();
    canvas.text_to(x, 0, end, &format!("{figure}{words}"), Ink::Text);
}
