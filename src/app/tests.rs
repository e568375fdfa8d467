//! What keys and news do, one sentence each.

mod choosing;
mod comparing;
mod looking;
mod running;

use super::*;
use crate::event::{CoreId, LaneId, Nanos, State as LaneState};
use crate::session::{Comparison, Progress};
use crate::session::{Experiment, Length};
use crate::trace::Trace;
use crate::trace::testing::{BEGIN, TraceBuilder};
use crate::vm::Rules;
use crate::workload::Bound;

const MS: Nanos = Nanos::from_millis(1);

fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

fn lab() -> State {
    let experiment = Experiment::new("sum-squares", "threads", 2);
    let workload = |id: &str| WorkloadChoice {
        id: id.to_owned(),
        title: id.to_owned(),
        bound: Bound::Cpu,
        watch: "Watch this.".to_owned(),
        opens_streams: false,
        objections: Vec::new(),
    };
    let mut state = State::new(experiment, vec![workload("sum-squares"), workload("sleep")], ModelChoice::built_in());
    state.machine = Machine { cores: vec![CoreId(0), CoreId(1)], used: vec![None, None], own: None };
    hear(&mut state, None, News::Resized(120, 36));
    state
}

/// Two threads that take turns of ten milliseconds, so many each.
fn turns(each: usize, live: bool) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL").lane("thread 1");
    for _ in 0..each {
        builder = builder.running(ms(10)).waiting(ms(10));
    }
    builder = builder.lane("thread 2").line(8);
    for _ in 0..each {
        builder = builder.waiting(ms(10)).running(ms(10));
    }
    if live { builder.live().build() } else { builder.build() }
}

fn running(log: &Trace) -> State {
    let mut state = lab();
    update(&mut state, None, Action::RunOrStop);
    hear(&mut state, Some(log), News::Began);
    hear(&mut state, Some(log), News::Tick(log.now()));
    state
}

fn done(log: &Trace) -> State {
    let mut state = running(log);
    hear(&mut state, Some(log), News::Ended(Ending::Done));
    hear(&mut state, Some(log), News::BaselineBegan);
    hear(&mut state, Some(log), News::BaselineEnded(Ending::Done, log.elapsed()));
    state
}
