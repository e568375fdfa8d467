//! The part of the log that is drawn on the Watch screen.

use crate::app::view::Gutters;
use crate::app::watch::locks::{self, Locks};
use crate::app::{Axis, State};
use crate::event::Nanos;
use crate::trace::Trace;

/// What is drawn, and where.
pub(super) struct Picture {
    pub(super) axis: Axis,
    pub(super) to: Nanos,
    pub(super) count: usize,
    /// Columns of the lanes' names.
    pub(super) left: u16,
    /// The locks that are in it.
    pub(super) locks: Locks,
    begin: Nanos,
    until: Nanos,
}

impl Picture {
    /// What is looked at, on a screen so wide.
    pub(super) fn of(state: &State, log: &Trace, width: u16) -> Picture {
        let gutters = Gutters::of_watch(width);
        let axis = Axis { cells: gutters.cells, ..state.view.axis };
        let reach = state.reach(log);
        let until = state.view.until.min(reach);
        let count = usize::from(axis.cells).min(((until - axis.from).0).div_ceil(axis.cell.0.max(1)) as usize);
        let to = axis.at(count as u16);
        let locks = locks::in_picture(log, axis.from, to.min(until), reach);
        Picture { axis, to, count, left: gutters.left, locks, begin: log.begin_at(), until }
    }

    /// How much of a cell is recorded.
    pub(super) fn recorded(&self, cell: usize) -> Nanos {
        self.axis.at(cell as u16 + 1).min(self.until) - self.axis.at(cell as u16).max(self.begin)
    }

    /// The column in which the names of lanes begin. Where there is a lock, its letters stand before them, as in the table.
    pub(super) fn names_at(&self, log: &Trace) -> u16 {
        if log.has_gil() { 3 } else { 1 }
    }
}
