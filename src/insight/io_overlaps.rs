//! The waits for I/O overlap, since nobody holds the lock while waiting.

use super::words::mean;
use super::{Facts, Insight, Of, Said};
use crate::event::State;

/// Waiting is what the run is about if the workers did it half their lives.
const WAITS: f64 = 0.5;

/// One after another, one worker waits at any time; half as many again is overlap and no rounding.
const AT_ONCE: f64 = 1.5;

pub(super) const INSIGHT: Insight = Insight { id: "io-overlaps", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let (io, suspended) = (facts.share(State::Io), facts.share(State::Suspended));
    let at_once = facts.at_once(&[State::Io, State::Suspended]);
    if io + suspended < WAITS || at_once < AT_ONCE {
        return None;
    }
    let (at_once, all) = (mean(at_once), facts.workers.len());
    Said::new(if suspended > io {
        format!("On average {at_once} of {all} tasks await at once: one thread is enough for all their waits.")
    } else if facts.shared.is_empty() {
        format!("On average {at_once} of {all} workers wait for I/O at once, so the waits overlap.")
    } else {
        format!("Whoever waits for I/O lets the lock go: on average {at_once} of {all} waits go on at once.")
    })
}
