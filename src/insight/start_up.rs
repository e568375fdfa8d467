//! Start-up costs too much of what the workers do.

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{Nanos, State};

/// Half as long as the work: as many workers as cores then lose a third of what they could gain.
const OF_WORK: f64 = 0.5;

/// Less than a tenth of the workers' lives dominates nothing, however short the work.
const OF_LIVES: f64 = 0.1;

pub(super) const INSIGHT: Insight = Insight { id: "start-up-dominates", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let starting = facts.time(State::Starting);
    let work = facts.times(&[State::Running, State::Native, State::Io, State::Suspended]);
    // Early in a run there is nothing but start-up: only the whole of it tells.
    if !facts.trace.has_ended()
        || facts.share(State::Starting) < OF_LIVES
        || (work > Nanos::ZERO && ratio(starting, work) < OF_WORK)
    {
        return None;
    }
    let workers = facts.workers.len() as u64;
    let share = percent(facts.share(State::Starting));
    let (each, work) = (Nanos(starting.0 / workers), Nanos(work.0 / workers));
    let sentence = format!("Start-up took {share} of the workers' time: {each} each on average, for {work} of work.");
    if facts.are_threads() {
        return Said::with(sentence, "Try: more work for each worker.");
    }
    Said::comparing(sentence, "Try: more work for each worker, or threads, which start sooner.", "processes,threads")
}
