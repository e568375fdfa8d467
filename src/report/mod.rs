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

/// Text from elsewhere, such as a file's name or an exception's message, for a terminal: what would steer that instead
/// of being seen (control characters, changes of writing direction) is spelt out.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// The same for JSON, which spells out only the first 32 control characters by itself: an equal document that a terminal
/// can be shown.
pub fn plain_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // Below is what JSON has between its strings (ends of lines), and nothing else.
        if c > ' ' && steers(c) { shown += &format!("\\u{:04x}", u32::from(c)) } else { shown.push(c) }
    }
    shown
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
