//! A limit on core time held a program back: that of a container, as a rule. Idle cores do not help who has used up what he
//! may have, and until the next period begins all of his threads stand still.

use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::engine::Allowance;
use crate::event::State;

/// Of the periods in which it ran, it had used up its share in so many: now and then everybody does.
const OFTEN: f64 = 0.1;

/// And stood without a core for so much of the time in which it was awake: else it was others of its group.
const WITHOUT: f64 = 0.05;

pub(super) const INSIGHT: Insight = Insight { id: "cpu-limited", of: Of::AnyProgram, find };

/// The limit, if it held the run back.
pub(super) fn limit(facts: &Facts) -> Option<Allowance> {
    let allowance = facts.books.allowance?;
    let is_held_back = allowance.throttled_share() >= OFTEN && facts.share_awake(State::WaitingCore) >= WITHOUT;
    Some(allowance).filter(|allowance| is_held_back && allowance.quota.is_some())
}

fn find(facts: &Facts) -> Option<Said> {
    let allowance = limit(facts)?;
    Said::with(
        format!(
            "A CPU limit held it back (!): of the {} {} that its control group may have, all was used up in {} of {} periods, \
             and {} stood without a core for {} of {}.",
            allowance.quota_in_words()?,
            if allowance.quota > Some(1.0) { "cores" } else { "core" },
            allowance.throttled,
            allowance.periods,
            facts.noun(),
            percent(facts.share_awake(State::WaitingCore)),
            facts.their_time(),
        ),
        "Try: a higher limit (cpu.max), or fewer threads that compute at once.",
    )
}
