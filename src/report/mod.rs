//! Tables, JSON and CSV of a run.
//!
//! `schema` says what a report contains, `build` fills it from a run's
//! record; the writers only lay it out.

mod build;
mod csv;
mod schema;
mod table;

/// Text from elsewhere, such as a file's name or an exception's message, for a terminal: what would steer that instead
/// of being seen (control characters, changes of writing direction) is spelt out.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => shown.extend(c.escape_default()),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(c.escape_default())
            }
            c => shown.push(c),
        }
    }
    shown
}

pub use build::report;
pub use csv::write_csv;
pub use schema::{Lane, Lock, Machine, Report, TaskResult};
pub use table::write_table;
