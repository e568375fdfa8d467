//! The lock's row: whose turn it is.

use crate::app::words::percent;
use crate::app::{ModelChoice, State};
use crate::event::State as LaneState;
use crate::trace::{LockCell, Trace};

use super::super::canvas::Canvas;
use super::super::glyphs::lock_mark;
use super::super::theme::Ink;
use super::scene::Scene;

/// ```text
/// GIL       11111│3333│1111│4444│2222244444│22222222│4444  168 hand-offs/s
/// ```
/// Of several locks it says how many there are, and how much anybody waited. Where threads share them, each stands above
/// its threads; where each worker has its own, its row would only repeat the lane's.
pub fn render(state: &State, log: &Trace, scene: &Scene, canvas: &mut Canvas) {
    let left = scene.gutters.left;
    let Some((name, cells)) = &scene.lock else {
        let waits = percent(state.figures.share(LaneState::WaitingGil));
        let text = match scene.locks.len() {
            0 => "no lock".to_owned(),
            count => {
                let each = state.model_shown().is_none_or(ModelChoice::has_own_locks);
                let whose = if each { "one each" } else { "one a process" };
                let text = format!("{count} locks, {whose}   waiting for a lock: {waits}");
                let fits = text.chars().count() <= usize::from(canvas.width().saturating_sub(left));
                if fits { text } else { text.replace("   waiting for a lock", ", waiting") }
            }
        };
        let end = canvas.width();
        canvas.text_to(left, 0, end, &text, Ink::Text);
        return;
    };
    canvas.text_to(1, 0, left - 1, name, Ink::Strong);
    for y in 0..canvas.height() {
        turns(log, scene, cells, y, canvas);
    }
    let x = left + scene.gutters.cells + 1;
    let rate = state.figures.handoffs_per_second;
    let words = if scene.gutters.right >= 16 { " hand-offs/s" } else { "/s" };
    let figure = if rate < 9.95 && rate > 0.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    let end = canvas.width();
    canvas.text_to(x, 0, end, &format!("{figure}{words}"), Ink::Text);
}

/// Whose turn it is, cell by cell.
pub fn turns(log: &Trace, scene: &Scene, cells: &[LockCell], y: u16, canvas: &mut Canvas) {
    let place = |lane| scene.fold.place(log, lane);
    for (x, cell) in cells.iter().enumerate() {
        let mark = lock_mark(cell, scene.recorded(x), &place);
        canvas.set(scene.gutters.left + x as u16, y, mark.glyph, mark.ink);
    }
}
