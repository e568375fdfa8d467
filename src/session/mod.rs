//! An experiment (workload × model × settings) and its run, live and afterwards.

mod comparer;
mod comparison;
mod director;
mod experiment;
mod interpreter;
mod length;
mod memory;
mod miniature;
mod notes;
mod patience;
mod places;
mod record;
mod run;
pub mod selftest;
mod size;
mod summary;
#[cfg(test)]
mod testing;
mod wants;

pub use comparer::{Comparer, ComparisonNotice, Contest};
pub use comparison::{Absent, Comparison, Ideal, Profile, Progress, Row, RunSummary, Spread, median};
pub use director::{Baseline, Director, Launch, Notice, Stage, is_whole};
pub use experiment::{Experiment, format_duration, parse_duration};
pub use interpreter::Interpreter;
pub use length::Length;
pub use miniature::{Interpreters, Miniature};
pub use notes::{NotesFigure, NotesTable};
pub use patience::{BASELINE_AT_MOST, Expected, UNATTENDED_AT_MOST};
pub use places::{Held, HeldIn, InTask, Look, Looks, OfLane, Places, held_by_lane, ran_by_lane};
pub use record::{Phase, Record, is_fault};
pub use run::Run;
pub use size::{Sizing, Step};
pub use wants::Wants;
