//! Rows of cells.

use super::column::{Column, Integral, Value};
use super::lane::by_state;
use super::{CoreCell, LaneCell, LockCell, Trace};
use crate::event::{CoreId, LaneId, LockId, Nanos, State};
use crate::model::Role;

/// Equal parts of a stretch of time, as far as it is recorded.
pub(super) struct Window {
    from: u64,
    to: u64,
    cells: usize,
    begin: u64,
    now: u64,
}

impl Window {
    /// Where cell `index` begins, and the one before it ends.
    pub(super) fn boundary(&self, index: usize) -> u64 {
        let length = u128::from(self.to.saturating_sub(self.from));
        let at = self.from + (length * index as u128 / self.cells.max(1) as u128) as u64;
        at.clamp(self.begin, self.now)
    }

    /// How much of a cell is recorded.
    fn length(&self, index: usize) -> u64 {
        self.boundary(index + 1) - self.boundary(index)
    }

    /// Shows what lies in each cell, in order. `before` and `cell` are buffers that are used again.
    fn each<V: Value>(&self, column: &Column<V>, mut show: impl FnMut(usize, &Integral)) {
        let mut walk = column.walk();
        let mut before = walk.to(self.boundary(0)).clone();
        let mut cell = before.clone();
        for index in 0..self.cells {
            let after = walk.to(self.boundary(index + 1));
            difference(after, &before, &mut cell);
            before.sums.copy_from_slice(&after.sums);
            before.count = after.count;
            show(index, &cell);
        }
    }
}

fn difference(after: &Integral, before: &Integral, cell: &mut Integral) {
    let mut owed = 0;
    for ((cell, after), before) in cell.sums.iter_mut().zip(&after.sums).zip(&before.sums) {
        owed += before.saturating_sub(*after);
        *cell = after.saturating_sub(*before);
    }
    cell.count = after.count.saturating_sub(before.count);
    // Interpolated integrals are rounded, so one may go back by a nanosecond: the largest part makes up for it.
    if owed > 0
        && let Some(largest) = cell.sums.iter_mut().max()
    {
        *largest = largest.saturating_sub(owed);
    }
}

/// Rows of cells. Cell `i` of `n` begins at `from + (to - from) * i / n` and reaches to where the next begins;
/// only what lies between [`Trace::begin_at`] and [`Trace::now`] is in it.
impl Trace {
    pub(super) fn window(&self, from: Nanos, to: Nanos, cells: usize) -> Window {
        Window { from: from.0, to: to.0, cells, begin: self.begin_at().0, now: self.now.0 }
    }

    /// A lane's row.
    pub fn lane_window(&self, lane: LaneId, from: Nanos, to: Nanos, cells: usize) -> Vec<LaneCell> {
        let mut row = Vec::with_capacity(cells);
        self.window(from, to, cells).each(&self.lanes[lane.index()].column, |_, cell| {
            row.push(LaneCell { states: by_state(&cell.sums), changes: u32::try_from(cell.count).unwrap_or(u32::MAX) });
        });
        row
    }

    /// A lock's row. Of those who held it equally long in a cell, the lowest lane is named.
    pub fn lock_window(&self, lock: LockId, from: Nanos, to: Nanos, cells: usize) -> Vec<LockCell> {
        let holders = &self.locks[lock.index()].holders;
        let mut row = Vec::with_capacity(cells);
        self.window(from, to, cells).each(&holders.column, |_, cell| {
            let share = holders.share(cell);
            row.push(LockCell {
                owner: share.longest.map(|(lane, held)| (lane, Nanos(held))),
                held: Nanos(share.held),
                held_off_core: Nanos(share.off_core),
                unknown: Nanos(share.unknown),
                handoffs: share.changes,
            });
        });
        row
    }

    /// A core's row; all empty for a core that was never seen.
    pub fn core_window(&self, core: CoreId, from: Nanos, to: Nanos, cells: usize) -> Vec<CoreCell> {
        let Some(holders) = self.cores.get(&core) else { return vec![CoreCell::default(); cells] };
        let mut row = Vec::with_capacity(cells);
        self.window(from, to, cells).each(&holders.column, |_, cell| {
            let share = holders.share(cell);
            row.push(CoreCell {
                lane: share.longest.map(|(lane, held)| (lane, Nanos(held))),
                busy: Nanos(share.held),
                changes: share.changes,
            });
        });
        row
    }

    /// How many cores' worth the workers occupied in each cell, as far as it was observed;
    /// `NaN` where nothing was: outside the run, or while every worker was unknown.
    pub fn busy_window(&self, from: Nanos, to: Nanos, cells: usize) -> Vec<f64> {
        let window = self.window(from, to, cells);
        let mut sums = vec![(0, u64::MAX); cells];
        for lane in self.lanes.iter().filter(|lane| lane.info.role == Role::Worker) {
            window.each(&lane.column, |index, cell| {
                let states = by_state(&cell.sums);
                let (busy, unknown) = &mut sums[index];
                *busy += State::ALL
                    .into_iter()
                    .filter(|state| state.on_core())
                    .map(|state| states[state.index()].0)
                    .sum::<u64>();
                *unknown = states[State::Unknown.index()].0.min(*unknown);
            });
        }
        let share = |(index, (busy, unknown)): (usize, (u64, u64))| {
            let length = window.length(index);
            let observed = if unknown == u64::MAX { length } else { length.saturating_sub(unknown) };
            if observed == 0 { f64::NAN } else { busy as f64 / observed as f64 }
        };
        sums.into_iter().enumerate().map(share).collect()
    }
}
