//! The workers want more cores than there are.

use super::words::{mean, percent};
use super::{Facts, Insight, Of, Said};
use crate::event::State;

/// So many cores more than there are: rounding and short bursts stay below.
const OVER: f64 = 0.5;

/// Below a tenth it costs less than other programs do.
const WITHOUT: f64 = 0.1;

pub(super) const INSIGHT: Insight = Insight { id: "oversubscribed", of: Of::AnyProgram, find };

fn find(facts: &Facts) -> Option<Said> {
    let wanted = facts.cores_busy() + facts.at_once(&[State::WaitingCore]);
    let without = facts.share_awake(State::WaitingCore);
    // Wanting no more than there are and lacking one all the same is other programs' doing.
    if wanted <= facts.cores as f64 + OVER || without < WITHOUT {
        return None;
    }
    Said::with(
        format!(
            "{} {} wanted {} cores at once where {}: {} of {} they stood without one (!).",
            facts.workers.len(),
            facts.noun(),
            mean(wanted),
            facts.cores_in_words(),
            percent(without),
            facts.their_time(),
        ),
        "Try: as many workers as cores.",
    )
}
