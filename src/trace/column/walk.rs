//! Integrals at instants that come in order.

use super::{Column, Integral, Mark, Place, Value};

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
        if to < self.column.starts[0] {
            self.interpolate(to);
            return &self.out;
        }
        self.jump_towards(to);
        self.step_towards(to);
        self.out.sums.copy_from_slice(&self.sums);
        self.out.sums[self.value.key()] += to.saturating_sub(self.start);
        self.out.count = self.count;
        &self.out
    }

    /// Takes the shortcut over marks, if there is one ahead.
    fn jump_towards(&mut self, to: u64) {
        let ahead = self.place.block + 1;
        if self.column.starts.get(ahead).is_none_or(|&start| start >= to) {
            return;
        }
        // Cells follow each other: the block wanted is often near.
        let starts = &self.column.starts;
        let mut reach = 1;
        while starts.get(ahead + reach).is_some_and(|&start| start < to) {
            reach *= 2;
        }
        let (mut low, mut high) = (ahead + reach / 2, (ahead + reach).min(starts.len()));
        while low < high {
            let middle = low.midpoint(high);
            if starts[middle] < to { low = middle + 1 } else { high = middle }
        }
        let mut block = low - 1;
        while block > self.place.block && self.column.blocks[block].mark.is_none() {
            block -= 1;
        }
        if block > self.place.block {
            self.jump(block);
        }
    }

    fn jump(&mut self, block: usize) {
        let Some(mark) = &self.column.blocks[block].mark else { return };
        self.place = Place { block, index: 0 };
        self.start = mark.at;
        self.value = self.column.value(self.place);
        self.sums[..mark.sums.len()].copy_from_slice(&mark.sums);
        self.sums[mark.sums.len()..].fill(0);
        self.count = mark.count;
    }

    /// Span by span to the last that begins before `to`.
    fn step_towards(&mut self, to: u64) {
        loop {
            let block = &self.column.blocks[self.place.block];
            let origin = self.column.starts[self.place.block];
            let len = usize::from(block.len);
            while self.place.index + 1 < len {
                let start = origin + u64::from(block.at[self.place.index + 1]);
                if start >= to {
                    return;
                }
                self.place.index += 1;
                self.enter(start, block.value[self.place.index]);
            }
            match self.column.starts.get(self.place.block + 1) {
                Some(&start) if start < to => {
                    self.place = Place { block: self.place.block + 1, index: 0 };
                    self.enter(start, self.column.value(self.place));
                }
                _ => return,
            }
        }
    }

    #[inline]
    fn enter(&mut self, start: u64, value: V) {
        self.sums[self.value.key()] += start - self.start;
        self.count += u64::from(value.counts(self.value));
        self.start = start;
        self.value = value;
    }

    /// Between two marks of the coarse part: in proportion, and the sums add up to the time.
    fn interpolate(&mut self, to: u64) {
        let coarse = &self.column.coarse;
        let next = coarse.partition_point(|mark| mark.at <= to);
        let from: &Mark = &coarse[next.saturating_sub(1)];
        let Some(until) = coarse.get(next).or(self.column.blocks[0].mark.as_ref()) else { return };
        let (passed, whole) = (u128::from(to.saturating_sub(from.at)), u128::from(until.at - from.at).max(1));
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
