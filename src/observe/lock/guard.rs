//! When a lock is written so often that to watch it would slow the program.

use std::collections::VecDeque;

use crate::event::Nanos;

/// So many writes ...
pub(super) const MOST_HITS: usize = 200;
/// ... within this time are too many: a thousand takes a second.
const WITHIN: Nanos = Nanos::from_millis(100);
/// So many more are borne once: an interpreter that starts reads hundreds of files, and drops the lock for each.
/// They cost the program some 70 ms in a virtual machine, less on bare metal.
pub(super) const ALLOWANCE: usize = 5_000;

/// Trips when a lock is written too often.
#[derive(Debug)]
pub struct Guard {
    last: VecDeque<Nanos>,
    allowance: usize,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard { last: VecDeque::new(), allowance: ALLOWANCE }
    }
}

impl Guard {
    /// One more write. Says whether it is one too many.
    pub fn hit(&mut self, at: Nanos) -> bool {
        if self.last.len() == MOST_HITS {
            self.last.pop_front();
        }
        self.last.push_back(at);
        let too_often = self.last.len() == MOST_HITS && self.last.front().is_some_and(|first| at - *first <= WITHIN);
        if too_often && self.allowance > 0 {
            self.allowance -= 1;
            return false;
        }
        too_often
    }

    /// Forgets the last writes; what was borne stays borne.
    pub fn reset(&mut self) {
        self.last.clear();
    }
}
