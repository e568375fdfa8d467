//! What threads were seen to wait for that slept in a lock of the program's own, or since the world was stopped.
//!
//! It is seen once a sleep at most, so what is kept are samples: enough of them to tell what a thread waited for at an
//! instant of the last minute or so, and what most waits are for.

use std::collections::{HashMap, VecDeque};

use crate::event::{LaneId, Nanos};
use crate::observe::parking::Wanted;

/// How many samples are kept.
const MOST_SAMPLES: usize = 8192;

/// What threads were seen to wait for, by lane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// In the order of time.
    samples: VecDeque<(Nanos, LaneId, Wanted)>,
}

impl Wants {
    /// The lane was seen at `at` to wait for this.
    pub fn saw(&mut self, at: Nanos, lane: LaneId, what: Wanted) {
        if self.samples.len() >= MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, lane, what));
    }

    /// What a lane was seen to wait for within a span of time, nearest to `at`.
    pub fn seen_within(&self, lane: LaneId, from: Nanos, to: Nanos, at: Nanos) -> Option<&str> {
        let first = self.samples.partition_point(|(seen, ..)| *seen < from);
        let within = self.samples.range(first..).take_while(|(seen, ..)| *seen <= to);
        let apart = |seen: Nanos| seen.max(at) - seen.min(at);
        within.filter(|(_, of, _)| *of == lane).min_by_key(|(seen, ..)| apart(*seen)).map(|(.., what)| &*what.words)
    }

    /// For which lock most waits were since then, and its share in all waits of which that was seen, 0 to 1.
    pub fn most_for_a_lock(&self, from: Nanos) -> Option<(&str, f64)> {
        let first = self.samples.partition_point(|(seen, ..)| *seen < from);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let locks = self.samples.range(first..).map(|(.., what)| what).filter(|what| what.is_lock);
        locks.for_each(|what| *counts.entry(&what.words).or_default() += 1);
        let all: usize = counts.values().sum();
        let most = counts.into_iter().max_by(|(one, a), (other, b)| a.cmp(b).then_with(|| other.cmp(one)))?;
        Some((most.0, most.1 as f64 / all as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lane_waits_for_is_found_by_the_instant_and_what_most_wait_for_by_count() {
        let ms = Nanos::from_millis;
        let mut wants = Wants::default();
        for step in 1..=10 {
            let what = if step % 5 == 0 { "a threading.Lock" } else { "the lock of a dict object" };
            wants.saw(ms(step * 10), LaneId((step % 2) as u32), Wanted { words: what.into(), is_lock: true });
        }
        assert_eq!(wants.seen_within(LaneId(1), ms(45), ms(55), ms(50)), Some("a threading.Lock"));
        assert_eq!(wants.seen_within(LaneId(0), ms(45), ms(55), ms(50)), None);
        assert_eq!(wants.most_for_a_lock(ms(0)), Some(("the lock of a dict object", 0.8)));
        assert_eq!(wants.most_for_a_lock(ms(95)), Some(("a threading.Lock", 1.0)));
        assert_eq!(wants.most_for_a_lock(ms(101)), None);
        for step in 0..=MOST_SAMPLES as u64 {
            wants.saw(ms(200 + step), LaneId(0), Wanted { words: "the end of main".into(), is_lock: false });
        }
        assert_eq!(wants.most_for_a_lock(ms(150)), None, "an end is no lock");
        assert_eq!(wants.samples.len(), MOST_SAMPLES);
    }
}
