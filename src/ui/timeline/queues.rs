//! The program's own queues: how many items each holds, by height.

use crate::app::words::count;

use super::super::canvas::Canvas;
use super::super::glyphs::height_glyph;
use super::super::theme::Ink;
use super::scene::Scene;

/// The least height that has a mark.
const LEAST: f64 = 0.01;

/// ```text
/// queue 1   ▁▂▂▃▄▅▆▇█▇▆▅▄▃▂▂▁                        depth 3, most 17
/// ```
/// The height is the mean of the cell, and full height the most it ever held.
pub fn render(scene: &Scene, canvas: &mut Canvas) {
    let left = scene.gutters.left;
    for (y, (stats, cells)) in (0..).zip(scene.queues.iter().take(usize::from(canvas.height()))) {
        canvas.text_to(1, y, left - 1, &stats.name, Ink::Text);
        let full = f64::from(stats.max_depth.max(1));
        for (x, cell) in (0..).zip(cells) {
            // What was there only for a moment is seen all the same.
            let height = if cell.most > 0 { (cell.mean / full).max(LEAST) } else { 0.0 };
            let glyph = height_glyph(height);
            if glyph != ' ' {
                canvas.set(left + x, y, glyph, Ink::Meter);
            }
        }
        let (depth, most) = (count(stats.depth.into()), count(stats.max_depth.into()));
        let text = match scene.gutters.right {
            0..10 => format!("≤{most}"),
            10..16 => format!("{depth} most {most}"),
            _ => format!("depth {depth}, most {most}"),
        };
        let end = canvas.width();
        canvas.text_to(left + scene.gutters.cells + 1, y, end, &text, Ink::Dim);
    }
}
