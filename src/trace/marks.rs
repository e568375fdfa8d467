//! What sums were, now and then, so that it can be told what they are of some time.

use std::collections::VecDeque;
use std::ops::Sub;

/// How far apart they are kept, and how many are.
const APART: u64 = 500_000_000;
const KEPT: usize = 128;

/// What the sums were, in the order of time.
pub(super) struct Marks<T>(VecDeque<(u64, T)>);

impl<T> Default for Marks<T> {
    fn default() -> Marks<T> {
        Marks(VecDeque::new())
    }
}

impl<T: Copy + Default + Sub<Output = T>> Marks<T> {
    /// They are that now.
    pub(super) fn mark(&mut self, at: u64, sums: T) {
        match self.0.back_mut() {
            Some((last, kept)) if *last / APART == at / APART => *kept = sums,
            _ => self.0.push_back((at, sums)),
        }
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// What they were by then; if that is longer ago than what is kept, the first that is.
    fn by(&self, at: u64) -> T {
        let later = self.0.partition_point(|(mark, _)| *mark < at);
        let first = || self.0.front().filter(|_| self.0.len() == KEPT);
        later.checked_sub(1).and_then(|last| self.0.get(last)).or_else(first).map_or(T::default(), |(_, it)| *it)
    }

    /// What came to them between two instants.
    pub(super) fn between(&self, from: u64, to: u64) -> T {
        self.by(to) - self.by(from)
    }
}
