//! What each model costs: memory, start-up, hand-offs, context switches, cores busy.

use crate::event::Nanos;
use crate::report::bytes;
use crate::session::Row;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::Columns;

/// Each column's name, and the same where columns are narrow.
const HEADINGS: [(&str, &str); 6] = [
    ("memory", "memory"),
    ("start-up", "start"),
    ("hand-offs", "handoff"),
    ("voluntary", "vol"),
    ("involuntary", "invol"),
    ("cores busy", "cores"),
];

/// How many columns there are, and how wide each: where there is little room the last goes, which the profiles show.
fn grid(columns: Columns) -> (usize, u16) {
    let all = HEADINGS.len() as u16;
    let count = if columns.cells / all < 9 { all - 1 } else { all };
    (usize::from(count), (columns.cells / count).min(14))
}

/// Above the first model, in the legend's row.
pub fn heading(columns: Columns, canvas: &mut Canvas) {
    let (count, width) = grid(columns);
    for (index, (long, short)) in (1..).zip(HEADINGS.into_iter().take(count)) {
        canvas.text_before(columns.left + index * width, 0, if width > 10 { long } else { short }, Ink::Dim);
    }
}

/// What the headings do not say.
pub fn legend(canvas: &mut Canvas) {
    let all = [
        "medians · context switches: voluntary, it waited; involuntary, its core taken · start-up a worker",
        "medians · start-up a worker · voluntary: it waited; else its core was taken",
        "medians · vol: it waited; invol: its core was taken",
    ];
    let room = usize::from(canvas.width().saturating_sub(1));
    let text = all.into_iter().find(|text| text.chars().count() <= room).unwrap_or("medians");
    canvas.text_to(1, 0, canvas.width(), text, Ink::Dim);
}

/// The medians over the runs; `?` for what is not known.
pub fn render(row: &Row, columns: Columns, canvas: &mut Canvas) {
    let (shown, width) = grid(columns);
    let count = |value: Option<f64>| value.map_or("?".to_owned(), |value| format!("{value:.0}"));
    let memory = row.median_of(|run| run.peak_pss.or(run.peak_rss).map(|bytes| bytes as f64));
    let start_up = row.median_of(|run| Some(run.startup.0 as f64));
    let figures = [
        memory.map_or("?".to_owned(), |memory| bytes(memory as u64)),
        match start_up.map(|span| Nanos(span as u64)) {
            None => "?".to_owned(),
            Some(Nanos::ZERO) => "–".to_owned(),
            Some(span) => span.to_string(),
        },
        count(row.median_of(|run| Some(run.handoffs as f64))),
        count(row.median_of(|run| run.voluntary.map(|count| count as f64))),
        count(row.median_of(|run| run.involuntary.map(|count| count as f64))),
        row.median_of(|run| Some(run.cores_busy)).map_or("?".to_owned(), |busy| format!("{busy:.2}")),
    ];
    for (index, figure) in (1..).zip(figures.into_iter().take(shown)) {
        canvas.text_before(columns.left + index * width, 0, &figure, Ink::Text);
    }
}
