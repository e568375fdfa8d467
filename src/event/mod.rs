//! The vocabulary every room shares: what a lane can be doing, which changes
//! are possible, and the one record that says a change happened.
//!
//! Nothing here knows who records events or who reads them. The words are
//! those of the screen, the JSON and the documentation; there is one word for
//! one thing.

mod ids;
mod nanos;
mod record;
mod state;

pub use ids::{CoreId, LaneId, Line, LockId, QueueId, TaskId};
pub use nanos::Nanos;
pub use record::{Event, EventKind, Packed, Unpackable};
pub use state::{Detail, State};
