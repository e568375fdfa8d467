//! Integrals at instants that come in order.

use super::{BLOCK, Column, Integral, PART, Place, Value};

/// Goes through a column in the order of time; what was summed on the way is kept.
pub(in crate::trace) struct Walk<'a, V> {
    column: &'a Column<V>,
    /// The span it has come to, and the sums at that span's start.
    place: Place,
    start: u64,
    value: V,
    sums: Vec<u64>,
    count: u64,
    out: Integral,
}

impl<'a, V: Value> Walk<'a, V> {
    pub(super) fn new(column: &'a Column<V>) -> Walk<'a, V> {
        let mut walk = Walk {
            column,
            place: column.first(),
            start: 0,
            value: V::default(),
            sums: vec![0; column.total.sums.len()],
            count: 0,
            out: Integral { sums: vec![0; column.total.sums.len()], count: 0 },
        };
        walk.jump(0);
        walk
    }

    /// The integral up to `to`, which is not before the last one asked for.
    pub(in crate::trace) fn to(&mut self, to: u64) -> &Integral {
        let block = self.block_before(to, self.place.block);
        let part = self.part_before(to, block);
        self.reach(to, self.last_before(to, block, part))
    }

    /// Shows the integral up to each of some instants, which come in order.
    ///
    /// Where each of them lies is looked up in passes over all of them: the block, the part of the block, the
    /// span. Within a pass no look-up waits for another, so the processor fetches many lines of memory at once; one
    /// instant after another it would wait for each in turn, and in a long log nearly each is a line that no cache has.
    pub(in crate::trace) fn along(&mut self, instants: &[u64], mut show: impl FnMut(usize, &Integral)) {
        let mut block = self.place.block;
        let blocks = instants.iter().map(|&to| {
            block = self.block_before(to, block);
            Place { block, index: 0 }
        });
        let mut goals: Vec<Place> = blocks.collect();
        for (goal, &to) in goals.iter_mut().zip(instants) {
            goal.index = self.part_before(to, goal.block);
        }
        for (goal, &to) in goals.iter_mut().zip(instants) {
            *goal = self.last_before(to, goal.block, goal.index);
        }
        for (index, (goal, &to)) in goals.into_iter().zip(instants).enumerate() {
            show(index, self.reach(to, goal));
        }
    }

    /// The integral up to `to`, before which the span at `goal` is the last to begin.
    fn reach(&mut self, to: u64, goal: Place) -> &Integral {
        if to < self.column.starts[0] {
            self.interpolate(to);
            return &self.out;
        }
        if goal != self.place {
            self.go(goal);
        }
        self.out.sums.copy_from_slice(&self.sums);
        self.out.sums[self.value.key()] += to.saturating_sub(self.start);
        self.out.count = self.count;
        &self.out
    }

    /// The last block that begins before `to`, at or after `here`. Cells follow each other: it is often near.
    fn block_before(&self, to: u64, here: usize) -> usize {
        let starts = &self.column.starts;
        let mut reach = 1;
        while starts.get(here + reach).is_some_and(|&start| start < to) {
            reach *= 2;
        }
        let (mut low, mut high) = (here + reach / 2, (here + reach).min(starts.len()));
        while low < high {
            let middle = low.midpoint(high);
            if starts[middle] < to { low = middle + 1 } else { high = middle }
        }
        low.saturating_sub(1).max(here)
    }

    /// The part of the block in which the last span begins that begins before `to`: its first span.
    fn part_before(&self, to: u64, block: usize) -> usize {
        let signs = &self.column.blocks[block].signs;
        count_before(signs, self.offset(to, block)).saturating_sub(1) * PART
    }

    /// The last span in that part of the block that begins before `to`, or the block's first.
    fn last_before(&self, to: u64, block: usize, part: usize) -> Place {
        let starts = &self.column.blocks[block].at[part..part + PART];
        Place { block, index: part + count_before(starts, self.offset(to, block)).saturating_sub(1) }
    }

    /// How long after a block's beginning an instant is. What is not filled yet is before none.
    fn offset(&self, to: u64, block: usize) -> u32 {
        u32::try_from(to.saturating_sub(self.column.starts[block])).unwrap_or(u32::MAX)
    }

    /// To a span not before the present one: from here, from the mark before it, or from the mark after it,
    /// whichever is nearest.
    fn go(&mut self, goal: Place) {
        let blocks = &self.column.blocks;
        let marked = |block: &usize| blocks[*block].mark.is_some();
        let before = (self.place.block + 1..=goal.block).rev().find(marked);
        if let Some(before) = before {
            self.jump(before);
        }
        let ahead = (goal.block - self.place.block) * BLOCK + goal.index - self.place.index;
        let reach = (ahead + goal.index) / BLOCK;
        if ahead > BLOCK / 2
            && let Some(after) = (goal.block + 1..blocks.len().min(goal.block + 2 + reach)).find(marked)
            && (after - goal.block) * BLOCK - goal.index < ahead
        {
            self.jump(after);
        }
        while self.place.block < goal.block {
            self.forward_to(usize::from(blocks[self.place.block].len) - 1);
            self.place = Place { block: self.place.block + 1, index: 0 };
            self.enter(self.column.starts[self.place.block], blocks[self.place.block].value[0]);
        }
        while self.place.block > goal.block {
            self.back_to(0);
            let block = self.place.block - 1;
            self.place = Place { block, index: usize::from(blocks[block].len) - 1 };
            self.leave(self.column.start(self.place), self.column.value(self.place));
        }
        if goal.index > self.place.index { self.forward_to(goal.index) } else { self.back_to(goal.index) }
    }

    /// To the mark at the beginning of a block.
    fn jump(&mut self, block: usize) {
        let Some(mark) = &self.column.blocks[block].mark else { return };
        self.place = Place { block, index: 0 };
        self.start = self.column.starts[block];
        self.value = self.column.value(self.place);
        self.sums[..mark.sums.len()].copy_from_slice(&mark.sums);
        self.sums[mark.sums.len()..].fill(0);
        self.count = mark.count;
    }

    /// Within the block, to a later span. The loops keep what changes in locals, that is, in registers.
    fn forward_to(&mut self, index: usize) {
        let block = &self.column.blocks[self.place.block];
        let origin = self.column.starts[self.place.block];
        let steps = self.place.index + 1..index + 1;
        let (mut start, mut value, mut count) = (self.start, self.value, self.count);
        let sums = self.sums.as_mut_slice();
        for (offset, next) in block.at[steps.clone()].iter().zip(&block.value[steps]) {
            let next_start = origin + u64::from(*offset);
            sums[value.key()] += next_start - start;
            count += u64::from(next.counts(value));
            (start, value) = (next_start, *next);
        }
        (self.start, self.value, self.count) = (start, value, count);
        self.place.index = index;
    }

    /// Within the block, to an earlier span: the inverse.
    fn back_to(&mut self, index: usize) {
        let block = &self.column.blocks[self.place.block];
        let origin = self.column.starts[self.place.block];
        let steps = index..self.place.index;
        let (mut start, mut value, mut count) = (self.start, self.value, self.count);
        let sums = self.sums.as_mut_slice();
        for (offset, before) in block.at[steps.clone()].iter().zip(&block.value[steps]).rev() {
            let before_start = origin + u64::from(*offset);
            count -= u64::from(value.counts(*before));
            sums[before.key()] -= start - before_start;
            (start, value) = (before_start, *before);
        }
        (self.start, self.value, self.count) = (start, value, count);
        self.place.index = index;
    }

    #[inline]
    fn enter(&mut self, start: u64, value: V) {
        self.sums[self.value.key()] += start - self.start;
        self.count += u64::from(value.counts(self.value));
        (self.start, self.value) = (start, value);
    }

    /// The inverse of [`Walk::enter`].
    #[inline]
    fn leave(&mut self, start: u64, value: V) {
        self.count -= u64::from(self.value.counts(value));
        self.sums[value.key()] -= self.start - start;
        (self.start, self.value) = (start, value);
    }

    /// Between two marks of the coarse part: in proportion, and the sums add up to the time.
    fn interpolate(&mut self, to: u64) {
        let coarse = &self.column.coarse;
        let next = coarse.partition_point(|(at, _)| *at <= to);
        let (from_at, from) = &coarse[next.saturating_sub(1)];
        let fine = self.column.blocks[0].mark.as_ref().map(|mark| (self.column.starts[0], mark));
        let Some((until_at, until)) = coarse.get(next).map(|(at, mark)| (*at, mark)).or(fine) else { return };
        let (passed, whole) = (u128::from(to.saturating_sub(*from_at)), u128::from(until_at - from_at).max(1));
        let share = |part: u64| (u128::from(part) * passed / whole) as u64;
        // Rounding the running total instead of each part makes the parts add up.
        let (mut part, mut shared) = (0, 0);
        for (key, out) in self.out.sums.iter_mut().enumerate() {
            let before = from.sums.get(key).copied().unwrap_or(0);
            part += until.sums.get(key).copied().unwrap_or(0) - before;
            *out = before + share(part) - shared;
            shared = share(part);
        }
        self.out.count = from.count + share(until.count - from.count);
    }
}

/// Counting all of a few is quicker than a binary search, which waits for memory at each step.
fn count_before(starts: &[u32], offset: u32) -> usize {
    starts.iter().map(|&start| u32::from(start < offset)).sum::<u32>() as usize
}
