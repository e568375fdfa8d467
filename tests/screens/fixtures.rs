//! Runs as one would see them, built by hand: the same on every machine.

use gilscope::app::{Ending, Machine, ModelChoice, News, State, WorkloadChoice, hear};
use gilscope::event::{CoreId, Nanos, State as LaneState};
use gilscope::session::Experiment;
use gilscope::trace::Trace;
use gilscope::trace::testing::TraceBuilder;
use gilscope::vm::Rules;
use gilscope::workload::Bound;

const SOURCE: &str = "\
# /// gilscope
# title = \"sum of squares\"
# ///

def work(n):
    total = 0
    for i in range(n):
        total += i**2
    return total
";

fn ms(millis: f64) -> Nanos {
    Nanos((millis * 1e6) as u64)
}

/// A lab with four cores, ready to run.
pub fn lab(model: &str, workers: u32) -> State {
    let experiment = Experiment {
        workload: "sum-squares".to_owned(),
        model: model.to_owned(),
        workers,
        processes: None,
        tasks: None,
        args: Vec::new(),
        switch_interval: Nanos::from_millis(5),
        rules: Rules::V3_10,
    };
    let workload = |id: &str, title: &str, bound, watch: &str| WorkloadChoice {
        id: id.to_owned(),
        title: title.to_owned(),
        bound,
        watch: watch.to_owned(),
    };
    let workloads = vec![
        workload("sum-squares", "sum of squares", Bound::Cpu, "Four lanes take turns on one lock."),
        workload("sleep", "short sleep", Bound::Io, "The waits overlap."),
    ];
    let mut state = State::new(experiment, workloads, ModelChoice::built_in());
    hear(&mut state, None, News::Loaded(SOURCE.to_owned()));
    let used = vec![Some(0.31), Some(0.28), Some(0.22), Some(0.27)];
    let machine = Machine { cores: (0..4).map(CoreId).collect(), used, own: Some(0.008) };
    hear(&mut state, None, News::Machine(machine));
    state
}

/// The next number of a sequence that looks like chance and is none.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Threads that take turns on one lock, on whichever core, for so long.
pub fn threads(lanes: usize, millis: f64, over: bool) -> Trace {
    let mut seed = 7;
    let mut turns: Vec<(usize, f64, u16)> = Vec::new();
    let (mut at, mut owner) = (0.0, 0);
    while at < millis {
        let length = (5.15 + (next(&mut seed) % 100) as f64 / 300.0).min(millis - at);
        turns.push((owner, length, (next(&mut seed) % 4) as u16));
        at += length;
        if lanes > 1 {
            owner = (owner + 1 + next(&mut seed) as usize % (lanes - 1)) % lanes;
        }
    }
    let mut builder = TraceBuilder::new().lock("GIL");
    for lane in 0..lanes {
        builder = builder.lane(&format!("thread {}", lane + 1)).line(7);
        let mut waits = 0.0;
        for (owner, length, core) in &turns {
            if *owner == lane {
                if waits > 0.0 {
                    builder = builder.waiting(ms(waits));
                }
                builder = builder.core(*core).line(8).running(ms(*length)).line(7);
                waits = 0.0;
            } else {
                waits += length;
            }
        }
        if waits > 0.0 {
            builder = builder.waiting(ms(waits));
        }
    }
    if over { builder.build() } else { builder.live().build() }
}

/// Processes that start, each with its own lock, and run side by side.
pub fn processes(lanes: usize, millis: f64) -> Trace {
    let mut builder = TraceBuilder::new();
    for lane in 0..lanes {
        builder = builder
            .lock(&format!("GIL of process {}", lane + 1))
            .lane(&format!("process {}", lane + 1))
            .core(lane as u16)
            .state(LaneState::Starting, ms(70.0 + lane as f64 * 4.0))
            .state(LaneState::Unpickling, ms(1.0))
            .line(8)
            .running(ms(millis - 90.0 - lane as f64 * 7.0))
            .state(LaneState::Pickling, ms(1.0))
            .state(LaneState::Idle, ms(18.0 + lane as f64 * 3.0));
    }
    builder.build()
}

/// Tells the state that a run has begun and how far it has come.
pub fn begin(state: &mut State, log: &Trace) {
    hear(state, Some(log), News::Resized(state.size.0, state.size.1));
    hear(state, Some(log), News::Began);
    hear(state, Some(log), News::Tick(log.now()));
    hear(state, Some(log), News::Lines(vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.31, 0.69, 0.0]));
}

/// The same, to its end, the baseline having taken so long.
pub fn finish(state: &mut State, log: &Trace, baseline: f64) {
    begin(state, log);
    hear(state, Some(log), News::Ended(Ending::Done));
    hear(state, Some(log), News::BaselineBegan);
    hear(state, Some(log), News::BaselineEnded(Ending::Done, ms(baseline)));
}
