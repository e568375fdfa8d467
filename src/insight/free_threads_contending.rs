//! Threads without a GIL run at once and yet get little done: what they want another of them has locked, or has stored
//! to since, and its memory goes from core to core.

use super::words::{mean, percent};
use super::{Facts, Insight, Of, Said};
use crate::event::State;
use crate::trace::Progress;

/// Half their lives they run, or could if they had a core: what waits anyway is not slowed down by objects.
const RUNS: f64 = 0.5;

/// Of a thousand instructions so many found what they wanted in another's hands. Each costs the time of ten or more, since
/// memory comes from another core, so this is where a hundredth of the time is lost.
const OF_A_THOUSAND: f64 = 1.0;

/// A fifth less than one alone is more than two cores differ by, or than one differs from itself.
const SLOWED: f64 = 0.8;

/// From here on they do not all run: less is the usual noise of a machine.
const NO_CORE: f64 = 0.1;

pub(super) const INSIGHT: Insight = Insight { id: "free-threads-contending", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let free = facts.workers.iter().filter(|lane| facts.trace.lane(**lane).lock.is_none());
    let done: Vec<Progress> = free.map(|lane| facts.trace.lane_progress(*lane)).collect();
    let sum = done.iter().copied().fold(Progress::default(), std::ops::Add::add);
    let rate = sum.per_ms()?;
    let met = sum.contended as f64 * 1000.0 / sum.instructions.max(1) as f64;
    if done.len() < 2 || facts.share(State::Running) + facts.share(State::WaitingCore) < RUNS || met < OF_A_THOUSAND {
        return None;
    }
    let often = format!("{} of 1000 instructions found what they wanted in another thread's hands", mean(met));
    let without = facts.share(State::WaitingCore);
    let (all, but) = match without >= NO_CORE {
        true => (
            "No lock stands above the threads",
            format!(" For {} of the time they wanted a core (!).", percent(without)),
        ),
        false => ("All threads run", String::new()),
    };
    let sentence = match facts.alone.map(|alone| rate / alone) {
        Some(share) if share > SLOWED => return None,
        Some(share) => format!(
            "{all}, but each gets {} done in a millisecond of what one alone does: {often}.{but}",
            percent(share)
        ),
        None => format!("{all}, but they contend for what they share: {often}.{but}"),
    };
    Said::with(sentence, "Try: let each thread sum up for itself, and add that once.")
}
