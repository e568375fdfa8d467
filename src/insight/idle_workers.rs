//! Workers stand without a task.

use super::words::percent;
use super::{Facts, Insight, Said};
use crate::event::State;

/// A quarter of the workers might as well not be there.
const SHARE: f64 = 0.25;

pub(super) const INSIGHT: Insight = Insight { id: "idle-workers", find };

fn find(facts: &Facts) -> Option<Said> {
    let idle = facts.share(State::Idle);
    if !facts.trace.has_ended() || facts.workers.len() < 2 || idle < SHARE {
        return None;
    }
    let tasks: u64 = facts.workers.iter().map(|lane| facts.trace.tasks_started(*lane)).sum();
    let (tasks_noun, workers) = (if tasks == 1 { "task" } else { "tasks" }, facts.workers.len());
    Said::with(
        format!("For {} of their time workers had no task: {tasks} {tasks_noun} for {workers} workers.", percent(idle)),
        "Try: more and smaller tasks, or fewer workers.",
    )
}
