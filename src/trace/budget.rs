//! Staying within the memory that was granted.

use super::Trace;
use super::column::INTERVALS;
use crate::event::Nanos;

/// The first grid of the coarse part: about a millisecond.
pub(super) const FINEST: u64 = if cfg!(test) { 16 } else { 1 << 20 };

impl Trace {
    /// The memory it occupies: everything that grows with the events.
    pub fn bytes(&self) -> usize {
        let lanes = self.lanes.iter().map(|lane| lane.column.bytes() + lane.progress.bytes()).sum::<usize>();
        let locks = self.locks.iter().map(|lock| lock.holders.bytes() + lock.hold.bytes() + lock.wait.bytes());
        let cores = self.cores.values().map(|core| core.bytes());
        let queues = self.queues.values().map(|queue| queue.bytes());
        let crowds = self.crowds.iter().map(|crowd| crowd.bytes());
        lanes + locks.sum::<usize>() + cores.sum::<usize>() + queues.sum::<usize>() + crowds.sum::<usize>()
    }

    /// Before this instant the log has been coarsened: sums are exact, cells are proportional shares of intervals,
    /// and single spans are no longer known. `None` as long as everything is.
    pub fn coarsened_before(&self) -> Option<Nanos> {
        let lanes = self.lanes.iter().filter_map(|lane| lane.column.coarsened_before());
        let locks = self.locks.iter().filter_map(|lock| lock.holders.column.coarsened_before());
        let cores = self.cores.values().filter_map(|core| core.column.coarsened_before());
        let work = self.lanes.iter().filter_map(|lane| lane.progress.coarsened_before());
        let queues = self.queues.values().filter_map(|queue| queue.coarsened_before());
        let crowds = self.crowds.iter().filter_map(|crowd| crowd.coarsened_before());
        lanes.chain(locks).chain(cores).chain(work).chain(queues).chain(crowds).max().map(Nanos)
    }

    /// Gives up the oldest eighth, and what is beyond the budget, once there is more than granted.
    pub(super) fn keep_to_budget(&mut self) {
        let bytes = self.bytes();
        if bytes <= self.budget {
            return;
        }
        let wanted = bytes - self.budget + self.budget / 8;
        let begin = self.begin_at().0;
        let (mut low, mut high) = (begin, self.now.0);
        while low < high {
            let middle = low.midpoint(high);
            if self.bytes_before(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        if self.bytes_before(low) == 0 {
            return;
        }
        while (low - begin) / self.step >= INTERVALS {
            self.step *= 2;
        }
        let step = self.step;
        for lane in &mut self.lanes {
            lane.column.coarsen(begin, low, step);
            lane.progress.coarsen(begin, low, step);
        }
        self.locks.iter_mut().for_each(|lock| lock.holders.column.coarsen(begin, low, step));
        self.cores.values_mut().for_each(|core| core.column.coarsen(begin, low, step));
        self.queues.values_mut().for_each(|queue| queue.coarsen(begin, low, step));
        self.crowds.iter_mut().for_each(|crowd| crowd.coarsen(low));
    }

    fn bytes_before(&self, at: u64) -> usize {
        let lanes = self.lanes.iter().map(|lane| lane.column.bytes_before(at) + lane.progress.bytes_before(at));
        let lanes = lanes.sum::<usize>();
        let locks = self.locks.iter().map(|lock| lock.holders.column.bytes_before(at)).sum::<usize>();
        let queues = self.queues.values().map(|queue| queue.bytes_before(at)).sum::<usize>();
        let cores = self.cores.values().map(|core| core.column.bytes_before(at)).sum::<usize>();
        lanes + locks + queues + cores + self.crowds.iter().map(|crowd| crowd.bytes_before(at)).sum::<usize>()
    }
}
