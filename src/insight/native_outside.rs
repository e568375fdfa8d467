//! Native code runs outside the lock, so threads do fill several cores.

use super::words::mean;
use super::{Facts, Insight, Of, Said};
use crate::event::State;

/// A third of the workers' lives, nearly: less does not shape the run.
const SHARE: f64 = 0.3;

/// Under the lock one thread is at work; a fifth more is overlap and no rounding.
const AT_ONCE: f64 = 1.2;

pub(super) const INSIGHT: Insight = Insight { id: "native-outside-lock", of: Of::AnyProgram, find };

fn find(facts: &Facts) -> Option<Said> {
    let at_once = facts.at_once(&[State::Native]);
    if facts.shared.is_empty() || facts.share_awake(State::Native) < SHARE || at_once < AT_ONCE {
        return None;
    }
    Said::new(format!(
        "The C code lets the lock go: on average {} of {} threads are in it at once, on as many cores.",
        mean(at_once),
        facts.workers.len(),
    ))
}
