//! Tables, JSON and CSV of a run.
//!
//! `schema` says what a report contains, `build` fills it from a run's
//! record; the writers only lay it out.

mod build;
mod csv;
mod schema;
mod table;

pub use build::report;
pub use csv::write_csv;
pub use schema::{Lane, Lock, Machine, Report, TaskResult};
pub use table::write_table;
