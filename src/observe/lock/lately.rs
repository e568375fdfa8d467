//! How much of the last seconds a lock was held that is only looked at: the share of the looks that met it held.
//!
//! Not chosen: the time from each take that was seen to the drop. Where a thread is seen to sleep it has dropped the lock,
//! and until the next look nobody knows whether another has it: of a lock that changes hands ten times between two looks half
//! of what it was held was missed.

use std::collections::VecDeque;

use crate::event::Nanos;

/// So much is looked back on.
const LATELY: Nanos = Nanos::from_secs(3);
/// Of fewer looks no share is told.
const LEAST: u64 = 50;

/// How many looks there were by when, and in how many of them it was held.
#[derive(Debug, Default)]
pub(super) struct Lately(VecDeque<(Nanos, u64, u64)>);

impl Lately {
    /// The share of late, by the sums that stand now.
    pub(super) fn share(&mut self, now: Nanos, (looks, held): (u64, u64)) -> Option<f64> {
        // The last that is older than what is looked back on is where that begins.
        while self.0.get(1).is_some_and(|(at, ..)| *at + LATELY <= now) {
            self.0.pop_front();
        }
        self.0.push_back((now, looks, held));
        let (_, first_looks, first_held) = *self.0.front()?;
        let of = looks - first_looks;
        (of >= LEAST).then(|| (held - first_held) as f64 / of as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_share_of_the_looks_of_the_last_seconds() {
        let (mut lately, ms) = (Lately::default(), Nanos::from_millis);
        assert_eq!(lately.share(ms(0), (0, 0)), None);
        assert_eq!(lately.share(ms(30), (30, 30)), None, "too few");
        assert_eq!(lately.share(ms(1000), (1000, 500)), Some(0.5));
        assert_eq!(lately.share(ms(3000), (3000, 2500)), Some(2500.0 / 3000.0));
        assert_eq!(lately.share(ms(4100), (4000, 2500)), Some(2000.0 / 3000.0), "from when there were 1000 on");
        assert_eq!(lately.share(ms(60_000), (4000, 2500)), None, "it was not looked at");
    }
}
