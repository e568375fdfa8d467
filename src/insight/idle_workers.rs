//! Workers stand without a task.

use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, Nanos, State};

/// A quarter of the workers might as well not be there.
const SHARE: f64 = 0.25;

/// So many changes of a lane are looked at, from the beginning on.
const LOOKED_AT: usize = 1_000;

pub(super) const INSIGHT: Insight = Insight { id: "idle-workers", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let idle = facts.share(State::Idle);
    if !facts.trace.has_ended() || facts.workers.len() < 2 || idle < SHARE {
        return None;
    }
    let tasks: u64 = facts.workers.iter().map(|lane| facts.trace.tasks_started(*lane)).sum();
    if tasks >= facts.workers.len() as u64 {
        return enough_tasks(facts, idle);
    }
    let (tasks_noun, workers) = (if tasks == 1 { "task" } else { "tasks" }, facts.workers.len());
    Said::with(
        format!("For {} of their time workers had no task: {tasks} {tasks_noun} for {workers} workers.", percent(idle)),
        "Try: more and smaller tasks, or fewer workers.",
    )
}

/// There was one for each, and yet they stood: before the first came, or after the last.
fn enough_tasks(facts: &Facts, idle: f64) -> Option<Said> {
    let before: Nanos = facts.workers.iter().map(|lane| before_the_first(facts, *lane)).sum();
    let all = facts.time(State::Idle);
    let share = percent(idle);
    if before.0 * 2 > all.0 {
        let each = Nanos(before.0 / facts.workers.len() as u64);
        let sentence =
            format!("For {share} of their time workers had no task: the first came after {each} on average.");
        return match facts.are_threads() {
            true => Said::new(sentence),
            false => Said::with(sentence, "Try: smaller arguments: a task comes only when it has been sent."),
        };
    }
    Said::with(
        format!("For {share} of their time workers had no task any more: others were still at theirs."),
        "Try: smaller tasks, so that nobody is left with a long one.",
    )
}

/// How long a lane had nothing to do before its first task.
fn before_the_first(facts: &Facts, lane: LaneId) -> Nanos {
    let mut idle = Nanos::ZERO;
    for span in facts.trace.spans(lane, facts.trace.begin_at()).take(LOOKED_AT) {
        match span.state {
            State::Idle => idle += span.to - span.from,
            // Its process or thread gets going, and it takes what was sent.
            State::Unborn | State::Starting | State::Unpickling | State::WaitingCore => {}
            _ => break,
        }
    }
    idle
}
