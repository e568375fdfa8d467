//! The log: everything above it, live or replayed, asks it and nothing else.

mod cell;
mod stats;

pub use cell::{CoreCell, LaneCell, LockCell, Span};
pub use stats::{Blame, Distribution, Ledger, LockStats};
