//! Tables, JSON and CSV of a run and of a comparison.
//!
//! `schema` says what a report contains, `build` fills it from a run's
//! record; the writers only lay it out.

mod build;
mod comparison;
mod csv;
mod notes;
mod picture;
mod prices;
mod schema;
mod table;

pub use build::report;
pub use comparison::{ComparisonReport, ModelReport, bytes, comparison, gain, write_csv as write_comparison_csv};
pub use csv::write_csv;
pub use notes::{NotesReport, notes, notes_text};
pub use picture::text as comparison_text;
pub use prices::{Price, prices_text};
pub use schema::{Lane, Lock, Machine, Report, TaskResult};
pub use table::write_table;
