//! Tables, JSON and CSV of a run and of a comparison.
//!
//! `schema` says what a report contains, `build` fills it from a run's
//! record; the writers only lay it out.

mod build;
mod calibration;
mod comparison;
mod csv;
mod functions;
mod notes;
mod observed;
mod picture;
mod prices;
mod schema;
mod table;

use crate::text::steers;

/// JSON, which spells out only the first 32 control characters by itself: an equal document that a terminal
/// can be shown.
pub fn plain_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // Below is what JSON has between its strings (ends of lines), and nothing else.
        if c > ' ' && steers(c) { shown += &format!("\\u{:04x}", u32::from(c)) } else { shown.push(c) }
    }
    shown
}

pub use build::report;
pub use calibration::{StartUp, calibration_text};
pub use comparison::{ComparisonReport, ModelReport, bytes, comparison, gain, write_csv as write_comparison_csv};
pub use csv::write_csv;
pub use notes::{NotesReport, notes, notes_text};
pub use picture::text as comparison_text;
pub use prices::{Price, prices_text};
pub use schema::{Lane, Lock, Machine, Report, TaskResult};
pub use table::write_table;
