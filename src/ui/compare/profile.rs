//! Cores busy over time: two rows a model on one common axis.

use crate::app::Axis;
use crate::app::words::percent;
use crate::event::{Nanos, State as LaneState};
use crate::session::{Comparison, Row, RunSummary};

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::super::timeline::ruler;
use super::{Columns, gain};

/// Eighths of a cell, from the bottom.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// From here on a state is worth naming beside the picture.
const WORTH_NAMING: f64 = 0.05;

/// The picture of the run nearest to the median, whiskers to the shortest and longest, and the figures.
pub fn render(comparison: &Comparison, index: usize, row: &Row, cell: Nanos, columns: Columns, canvas: &mut Canvas) {
    let (Some(run), Some(elapsed)) = (row.typical(), row.elapsed()) else { return };
    let left = columns.left;
    let profile = run.profile.on_axis(run.elapsed, cell, usize::from(columns.cells));
    for (x, (busy, starting)) in (left..).zip(profile.into_iter().flatten()) {
        let eighths = (f64::from(busy) / comparison.cores.max(1) as f64 * 16.0).round().clamp(0.0, 16.0) as usize;
        // Whatever was busy at all leaves a mark.
        let eighths = if busy > 0.0 { eighths.max(1) } else { eighths };
        for (y, eighths) in [(0, eighths.saturating_sub(8)), (1, eighths.min(8))] {
            match eighths {
                0 => {}
                _ if starting > busy / 2.0 => canvas.set(x, y, 's', Ink::OverheadLetter),
                _ => canvas.set(x, y, BLOCKS[eighths], Ink::Lane(index)),
            }
        }
    }
    if row.whole().count() > 1 {
        let column = |at: Nanos| (at.0 / cell.0.max(1)).min(u64::from(columns.cells) - 1) as u16;
        let (min, max) = (column(elapsed.min), column(elapsed.max));
        for cell in min..=max {
            let glyph = if cell == min || cell == max { '│' } else { '─' };
            // Ink is core time: a whisker stands only where there is none.
            if canvas.glyph(left + cell, 0) == ' ' {
                canvas.set(left + cell, 0, glyph, Ink::Text);
            }
        }
    }
    let x = left + columns.cells + 1;
    let end = x + columns.right;
    let (said, ink) = match row.disturbed(comparison.cores) {
        Some(why) if why.chars().count() > usize::from(columns.right) => ("disturbed: redo".to_owned(), Ink::Bad),
        Some(why) => (why, Ink::Bad),
        None => (reason(run), Ink::Dim),
    };
    canvas.text_to(x, 0, end, &said, ink);
    let median = elapsed.median.to_string();
    let gain = gain(comparison, row);
    let ink = if gain == "no gain" { Ink::Text } else { Ink::Strong };
    let x = canvas.text(x, 1, &format!("{median:<7}"), Ink::Strong);
    let x = canvas.text_to(x + 1, 1, end, &gain, ink);
    if columns.right >= 30 && row.whole().count() > 1 {
        let whiskers = format!("{} – {}", elapsed.min, elapsed.max);
        canvas.text_to(x + 2, 1, end, &whiskers, Ink::Dim);
    }
}

/// What the workers did most beside running.
fn reason(run: &RunSummary) -> String {
    let reasons = run.reasons();
    let Some((state, share)) = reasons.first().filter(|(_, share)| *share >= WORTH_NAMING) else {
        return String::new();
    };
    let words = match state {
        LaneState::Starting => "start-up",
        LaneState::WaitingGil => "waits GIL",
        LaneState::WaitingLock => "own lock",
        LaneState::Sleeping => "sleeps",
        LaneState::WaitingWorld => "stop-the-world",
        LaneState::Native => "C code",
        LaneState::Io => "I/O",
        state => state.words(),
    };
    format!("{words} {}", percent(*share))
}

/// The time axis below the models.
pub fn axis(cell: Nanos, columns: Columns, canvas: &mut Canvas) {
    let axis = Axis { from: Nanos::ZERO, cell, cells: columns.cells };
    for (cell, label) in ruler::labels(axis, Nanos::ZERO) {
        if cell + label.chars().count() as u16 <= columns.cells + 6 {
            canvas.text(columns.left + cell, 0, &label, Ink::Dim);
        }
    }
}
