//! What a query answers: one cell of a row.

use crate::event::{LaneId, Nanos, State};

/// One cell of a lane's row: the integral of each state over the cell's time.
///
/// The sums of the states of a cell add up to the cell's time, to the
/// nanosecond; the cells of a row add up to the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneCell {
    /// How long the lane was in each state, by [`State::index`].
    pub states: [Nanos; State::COUNT],
    /// How many changes of state fell into the cell.
    pub changes: u32,
}

/// One cell of a lock's row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockCell {
    /// Whoever held the lock longest in this cell, and how long.
    pub owner: Option<(LaneId, Nanos)>,
    /// How long anybody held it.
    pub held: Nanos,
    /// How long it was held by an owner that had no core.
    pub held_off_core: Nanos,
    /// How much of the cell was not observed.
    pub unknown: Nanos,
    /// How much of it the lock was not there: it came later, or its process had ended.
    pub absent: Nanos,
    /// How often the owner changed to another than the last (CPython's `switch_number`).
    pub handoffs: u32,
}

/// One cell of a core's row: our own lanes on that core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreCell {
    /// Whichever lane was on the core longest in this cell, and how long.
    pub lane: Option<(LaneId, Nanos)>,
    /// How long any of our lanes was on it.
    pub busy: Nanos,
    /// How often another lane came onto it.
    pub changes: u32,
}

/// A stretch of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub from: Nanos,
    /// When it ended, or how far it has been recorded.
    pub to: Nanos,
    /// In which state the lane was.
    pub state: State,
    /// What more there is to say of it.
    pub detail: crate::event::Detail,
    /// At which line it began.
    pub line: crate::event::Line,
    /// On which core it began.
    pub core: crate::event::CoreId,
}
