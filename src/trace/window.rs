//! Rows of cells.

use std::ops::Range;

use super::column::{Column, Integral, Value};
use super::crowd::MEMBERS;
use super::lane::by_state;
use super::{CoreCell, LaneCell, Ledger, LockCell, Trace};
use crate::event::{CoreId, LaneId, LockId, Nanos, State};

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
        let boundaries: Vec<u64> = (0..=self.cells).map(|index| self.boundary(index)).collect();
        let (mut before, mut cell) = (Integral::default(), Integral::default());
        column.walk().along(&boundaries, |index, after| {
            if index == 0 {
                (before, cell) = (after.clone(), after.clone());
                return;
            }
            difference(&after.sums, &before.sums, &mut cell.sums);
            cell.count = after.count.saturating_sub(before.count);
            before.sums.copy_from_slice(&after.sums);
            before.count = after.count;
            show(index - 1, &cell);
        });
    }
}

fn difference(after: &[u64], before: &[u64], cell: &mut [u64]) {
    let mut owed = 0;
    for ((cell, after), before) in cell.iter_mut().zip(after).zip(before) {
        owed += before.saturating_sub(*after);
        *cell = after.saturating_sub(*before);
    }
    // Interpolated integrals are rounded, so one may go back by a nanosecond: the largest parts make up for it.
    while owed > 0
        && let Some(largest) = cell.iter_mut().max().filter(|largest| **largest > 0)
    {
        let pays = owed.min(*largest);
        *largest -= pays;
        owed -= pays;
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
                absent: Nanos(share.absent),
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

    /// Some workers together, by their places among [`Trace::workers`]: the sum of their rows, as exact as these.
    /// Whole crowds of workers cost no more than a lane each.
    pub fn workers_window(&self, workers: Range<usize>, from: Nanos, to: Nanos, cells: usize) -> Vec<Ledger> {
        let mut row = vec![Ledger::default(); cells];
        self.each_part(workers, &self.window(from, to, cells), |_, index, states| {
            row[index].0.iter_mut().zip(states).for_each(|(sum, time)| *sum += *time);
        });
        row
    }

    /// Shows each cell of each worker or whole crowd of workers: how many they are, which cell, how long by state.
    fn each_part(
        &self,
        workers: Range<usize>,
        window: &Window,
        mut show: impl FnMut(usize, usize, &[Nanos; State::COUNT]),
    ) {
        let end = workers.end.min(self.workers.len());
        let mut next = workers.start;
        while next < end {
            let crowd = next.checked_sub(MEMBERS).filter(|beyond| beyond.is_multiple_of(MEMBERS));
            let crowd = crowd.and_then(|beyond| self.crowds.get(beyond / MEMBERS));
            if let Some(crowd) = crowd.filter(|crowd| next + crowd.members() <= end) {
                let mut walk = crowd.walk();
                let mut before = walk.to(window.boundary(0));
                let mut cell = before;
                for index in 0..window.cells {
                    let after = walk.to(window.boundary(index + 1));
                    difference(&after, &before, &mut cell);
                    before = after;
                    show(crowd.members(), index, &cell.map(Nanos));
                }
                next += crowd.members();
            } else {
                let lane = &self.lanes[self.workers[next].index()];
                window.each(&lane.column, |index, cell| show(1, index, &by_state(&cell.sums)));
                next += 1;
            }
        }
    }

    /// How many cores' worth the workers occupied in each cell, as far as it was observed;
    /// `NaN` where nothing was: outside the run, or while every worker was unknown.
    pub fn busy_window(&self, from: Nanos, to: Nanos, cells: usize) -> Vec<f64> {
        let window = self.window(from, to, cells);
        let mut sums = vec![(0, u64::MAX); cells];
        let mut told_apart = true;
        self.each_part(0..self.workers.len(), &window, |lanes, index, states| {
            let (busy, unknown) = &mut sums[index];
            *busy += on_core(states);
            let lost = states[State::Unknown.index()].0;
            told_apart &= lanes == 1 || lost == 0;
            *unknown = lost.min(*unknown);
        });
        // Of a crowd it is not known which of its lanes were not observed.
        if !told_apart && sums.iter().any(|(_, unknown)| *unknown > 0) {
            sums.fill((0, u64::MAX));
            for lane in &self.workers {
                window.each(&self.lanes[lane.index()].column, |index, cell| {
                    let states = by_state(&cell.sums);
                    let (busy, unknown) = &mut sums[index];
                    *busy += on_core(&states);
                    *unknown = states[State::Unknown.index()].0.min(*unknown);
                });
            }
        }
        let share = |(index, (busy, unknown)): (usize, (u64, u64))| {
            let length = window.length(index);
            let observed = if unknown == u64::MAX { length } else { length.saturating_sub(unknown) };
            if observed == 0 { f64::NAN } else { busy as f64 / observed as f64 }
        };
        sums.into_iter().enumerate().map(share).collect()
    }
}

fn on_core(states: &[Nanos; State::COUNT]) -> u64 {
    State::ALL.into_iter().filter(|state| state.on_core()).map(|state| states[state.index()].0).sum()
}
