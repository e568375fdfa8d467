//! Giving up the oldest part of a column, its sums kept.

use super::{Block, Column, Mark, Value};

/// How many intervals the coarse part of a column has at most.
pub(in crate::trace) const INTERVALS: u64 = if cfg!(test) { 16 } else { 512 };

impl<V: Value> Column<V> {
    /// Since when the spans are known one by one, if not from the beginning.
    pub(in crate::trace) fn coarsened_before(&self) -> Option<u64> {
        (!self.coarse.is_empty()).then(|| self.starts[0])
    }

    /// About how many bytes [`Column::coarsen`] would free.
    pub(in crate::trace) fn bytes_before(&self, before: u64) -> usize {
        // Where marks are large they are few, so the blocks alone are a fair estimate.
        self.blocks_before(before) * size_of::<Block<V>>()
    }

    /// How many blocks end at or before an instant and can go: the first to stay must bear a mark.
    fn blocks_before(&self, before: u64) -> usize {
        let mut gone = self.starts.partition_point(|&start| start <= before).saturating_sub(1);
        while gone > 0 && self.blocks[gone].mark.is_none() {
            gone -= 1;
        }
        gone
    }

    /// Replaces the blocks that end before `before` by sums on a grid of `step`, counted from `begin`.
    ///
    /// The grid of an earlier call must have been the same or finer by a whole factor.
    pub(in crate::trace) fn coarsen(&mut self, begin: u64, before: u64, step: u64) {
        let gone = self.blocks_before(before);
        if gone > 0 {
            let fine = self.starts[gone];
            let from = self.coarse.last().map_or(begin, |(at, _)| at + step - (at - begin) % step);
            let mut walk = self.walk();
            let marks: Vec<(u64, Mark)> = (from..fine)
                .step_by(usize::try_from(step).unwrap_or(usize::MAX))
                .map(|at| {
                    let integral = walk.to(at);
                    (at, Mark { count: integral.count, sums: integral.sums.as_slice().into() })
                })
                .collect();
            self.coarse.extend(marks);
            self.bytes -= self.blocks.drain(..gone).map(|block| block.bytes()).sum::<usize>();
            self.starts.drain(..gone);
            self.blocks.shrink_to_fit();
            self.starts.shrink_to_fit();
        }
        self.coarse.retain(|(at, _)| (at - begin).is_multiple_of(step));
        self.coarse_bytes = self.coarse.iter().map(|(_, mark)| mark.bytes()).sum();
    }
}
