//! Where the workers' time went: one bar a model, a state's glyph for its share.

use crate::app::words::percent;
use crate::event::State;
use crate::session::{Comparison, Row};

use super::super::canvas::Canvas;
use super::super::glyphs::{LEGEND, state_mark};
use super::super::theme::Ink;
use super::Columns;

/// The median of each state's share over the runs, stacked.
pub fn render(index: usize, row: &Row, columns: Columns, canvas: &mut Canvas) {
    let mut x = columns.left;
    let end = columns.left + columns.cells;
    let mut sum = 0.0;
    for state in LEGEND.into_iter().chain([State::Idle]) {
        let Some(share) = row.median_of(|run| Some(run.share(state))) else { continue };
        sum += share;
        let mark = state_mark(state, index);
        // From where the states before it end to where it ends, both rounded: the bar is never longer than the whole.
        let until = columns.left + (sum * f64::from(columns.cells)).round() as u16;
        canvas.row(x, until.min(end), 0, mark.glyph, mark.ink);
        x = until.min(end).max(x);
    }
    let runs = row.median_of(|run| Some(run.share(State::Running) + run.share(State::Native)));
    if let Some(runs) = runs {
        let x = end + 1;
        canvas.text_to(x, 0, x + columns.right, &format!("works {}", percent(runs)), Ink::Text);
    }
}

/// What the glyphs mean, as far as they occur.
pub fn legend(comparison: &Comparison, canvas: &mut Canvas) {
    let mut x = 1;
    for state in LEGEND {
        let occurs = comparison.rows.iter().flat_map(Row::whole).any(|run| run.share(state) >= 0.005);
        if !occurs {
            continue;
        }
        let mark = state_mark(state, 0);
        let words = state.words();
        if x + 2 + words.chars().count() as u16 > canvas.width() {
            break;
        }
        canvas.set(x, 0, mark.glyph, mark.ink);
        x = canvas.text(x + 2, 0, words, Ink::Dim) + 2;
    }
}
