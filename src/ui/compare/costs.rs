//! What each model costs: memory, start-up, hand-offs, context switches.

use crate::event::Nanos;
use crate::report::bytes;
use crate::session::Row;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::Columns;

const HEADINGS: [&str; 5] = ["memory", "start-up", "hand-offs", "waited", "preempted"];

/// The same where columns are narrow.
const SHORT: [&str; 5] = ["memory", "start", "handoff", "waited", "preempt"];

/// A column's width: as much as fits beside the names.
fn column(columns: Columns) -> u16 {
    (columns.cells / HEADINGS.len() as u16).min(14)
}

/// Above the first model, in the legend's row.
pub fn heading(columns: Columns, canvas: &mut Canvas) {
    let width = column(columns);
    let headings = if width > 10 { HEADINGS } else { SHORT };
    for (index, heading) in (1..).zip(headings) {
        canvas.text_before(columns.left + index * width, 0, heading, Ink::Dim);
    }
}

/// What the headings do not say.
pub fn legend(canvas: &mut Canvas) {
    let text = "medians · start-up a worker · context switches: because it waited, although it could go on";
    canvas.text_to(1, 0, canvas.width(), text, Ink::Dim);
}

/// The medians over the runs; `?` for what is not known.
pub fn render(row: &Row, columns: Columns, canvas: &mut Canvas) {
    let width = column(columns);
    let count = |value: Option<f64>| value.map_or("?".to_owned(), |value| format!("{value:.0}"));
    let memory = row.median_of(|run| run.peak_pss.or(run.peak_rss).map(|bytes| bytes as f64));
    let start_up = row.median_of(|run| Some(run.startup.0 as f64));
    let figures = [
        memory.map_or("?".to_owned(), |memory| bytes(memory as u64)),
        start_up.map_or("?".to_owned(), |span| Nanos(span as u64).to_string()),
        count(row.median_of(|run| Some(run.handoffs as f64))),
        count(row.median_of(|run| run.voluntary.map(|count| count as f64))),
        count(row.median_of(|run| run.involuntary.map(|count| count as f64))),
    ];
    for (index, figure) in (1..).zip(figures) {
        canvas.text_before(columns.left + index * width, 0, &figure, Ink::Text);
    }
}
