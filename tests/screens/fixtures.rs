//! Runs as one would see them, built by hand: the same on every machine.

use gilscope::app::{Ending, Machine, ModelChoice, News, State, WorkloadChoice, hear};
use gilscope::event::{CoreId, Detail, LaneId, Nanos, State as LaneState};
use gilscope::model::Role;
use gilscope::session::{Comparison, Experiment, Profile, Progress, Row, RunSummary};
use gilscope::trace::testing::TraceBuilder;
use gilscope::trace::{Ledger, Trace};
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
    let experiment = Experiment::new("sum-squares", model, workers);
    let workload = |id: &str, title: &str, bound, watch: &str| WorkloadChoice {
        id: id.to_owned(),
        title: title.to_owned(),
        bound,
        watch: watch.to_owned(),
        opens_streams: false,
        objections: Vec::new(),
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

/// One that puts items into a queue of the program's and one that takes them out more slowly.
pub fn queue(millis: f64) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL").lane("thread 1").line(7);
    let items = (millis / 10.0) as u32;
    let depth = |at: u32| at - at / 3;
    for item in 1..=items {
        builder = builder.running(ms(1.0)).queue(0, depth(item), true).state(LaneState::Io, ms(4.0));
    }
    builder = builder.state(LaneState::Idle, ms(millis / 2.0)).lane("thread 2").line(12);
    for item in 1..=items * 2 {
        builder = builder.state(LaneState::Io, ms(3.0)).running(ms(1.0));
        builder =
            if item <= items { builder } else { builder.queue(0, depth(items) * (items * 2 - item) / items, false) };
        builder = builder.state(LaneState::WaitingLock, ms(1.0));
    }
    builder.build()
}

/// Threads without a GIL that contend: the first the least.
pub fn free_threads(lanes: usize, millis: f64) -> Trace {
    let mut builder = TraceBuilder::new();
    for lane in 0..lanes {
        builder = builder.lane(&format!("thread {}", lane + 1)).core(lane as u16).line(8);
        for _ in 0..millis as usize {
            builder = builder.running(ms(1.0)).worked(41_000 - 2_000 * lane as u32, 0);
        }
    }
    builder.build()
}

/// Two processes of two threads each, a lock a process.
pub fn hybrid(millis: f64) -> Trace {
    let mut builder = TraceBuilder::new();
    for process in 0..2 {
        builder = builder.lock(&format!("GIL of process {}", process + 1));
        for thread in 0..2 {
            builder = builder.lane(&format!("p{} thread {}", process + 1, process * 2 + thread + 1));
            builder = builder.core(process as u16 * 2).line(8);
            let mut at = 0.0;
            let mut first = thread == 0;
            while at < millis {
                let turn = ms((5.0 + process as f64).min(millis - at));
                builder = if first { builder.running(turn) } else { builder.waiting(turn) };
                at += 5.0 + process as f64;
                first = !first;
            }
        }
    }
    builder.build()
}

/// A forkserver and the processes that it made, one after another.
pub fn forkserver(lanes: usize, millis: f64) -> Trace {
    let mut builder = TraceBuilder::new()
        .lane_as("forkserver", Role::Server)
        .core(0)
        .state_with(LaneState::Starting, Detail::Exec, ms(8.0))
        .state_with(LaneState::Starting, Detail::Import, ms(22.0))
        .state_with(LaneState::Io, Detail::Pipe, ms(millis - 30.0));
    for lane in 0..lanes {
        let unborn = 32.0 + 3.0 * lane as f64;
        builder = builder
            .lock(&format!("GIL of process {}", lane + 1))
            .lane(&format!("process {}", lane + 1))
            .core(lane as u16)
            .state(LaneState::Unborn, ms(unborn))
            .state_with(LaneState::Starting, Detail::Fork, ms(2.0))
            .state_with(LaneState::Starting, Detail::Connect, ms(6.0))
            .line(8)
            .running(ms(millis - unborn - 20.0))
            .state(LaneState::Idle, ms(12.0));
    }
    let mut log = builder.build();
    for lane in 1..=lanes {
        log.lane_mut(LaneId(lane as u32)).parent = Some(LaneId(0));
    }
    log
}

/// So many tasks on one event loop: each waits, is ready, has a turn, and has ended.
pub fn tasks(count: usize) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL");
    let turn = 0.05;
    let all = 60.0 + count as f64 * turn;
    for task in 0..count {
        let before = task as f64 * turn;
        builder = builder
            .lane(&format!("task {}", task + 1))
            .state(LaneState::Ready, ms(before))
            .running(ms(turn))
            .state(LaneState::Suspended, ms(30.0))
            .state(LaneState::Idle, ms(all - before - turn - 30.0));
    }
    builder.build()
}

/// So many threads without a lock on four cores: each wants a core, has it for a while, and sleeps.
pub fn without_a_lock(count: usize) -> Trace {
    let mut builder = TraceBuilder::new();
    let turn = 1200.0 / count as f64;
    for lane in 0..count {
        let before = (lane / 4) as f64 * turn;
        builder = builder
            .lane(&format!("thread {}", lane + 1))
            .core(lane as u16 % 4)
            .state(LaneState::Io, ms(before / 2.0))
            .state(LaneState::WaitingCore, ms(before / 2.0))
            .running(ms(turn))
            .state(LaneState::Io, ms((300.0 - before - turn).max(0.0)));
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

/// A run of so long: start-up, then so many cores busy, each worker running or waiting for the lock.
fn summary(millis: f64, start_up: f64, busy: f32, handoffs: u64) -> RunSummary {
    let cells = 64;
    let cell = ms(millis / f64::from(cells));
    let starting = (start_up / millis * f64::from(cells)).round() as usize;
    let mut ledger = Ledger([Nanos::ZERO; LaneState::COUNT]);
    let all = 4.0 * millis;
    let started = 4.0 * start_up;
    let ran = (millis - start_up) * f64::from(busy);
    ledger.0[LaneState::Starting.index()] = ms(started);
    ledger.0[LaneState::Running.index()] = ms(ran);
    ledger.0[LaneState::WaitingGil.index()] = ms((all - started - ran).max(0.0));
    RunSummary {
        elapsed: ms(millis),
        workers: 4,
        ledger,
        cores_busy: f64::from(busy),
        handoffs,
        voluntary: Some(handoffs * 2 + 11),
        involuntary: None,
        peak_rss: Some(9 << 20),
        peak_pss: Some(if start_up > 10.0 { 31 << 20 } else { 8 << 20 }),
        startup: ms(start_up),
        first_work: Some(ms(start_up + 1.0)),
        profile: Profile {
            cell,
            busy: (0..cells as usize).map(|index| if index < starting { 2.0 } else { busy }).collect(),
            starting: (0..cells as usize).map(|index| if index < starting { 2.0 } else { 0.0 }).collect(),
        },
        observed: None,
        failure: None,
    }
}

/// One at a time, threads, processes and a model that is refused; all runs over, or some of them.
pub fn comparison(state: &State, over: bool) -> Comparison {
    let runs = |count: usize, millis: f64, start_up: f64, busy: f32, handoffs: u64| -> Vec<RunSummary> {
        (0..count).map(|run| summary(millis + run as f64 * millis / 60.0, start_up, busy, handoffs)).collect()
    };
    let row = |model: &str, label: &str, runs| Row {
        model: model.to_owned(),
        label: label.to_owned(),
        runs,
        refusal: None,
        ..Row::default()
    };
    let mut refused = row("coroutines", "coroutines", Vec::new());
    refused.refusal = Some("coroutines need an 'async def work'; sum-squares has none".to_owned());
    let count = if over { 5 } else { 2 };
    let mut failed = summary(300.0, 2.0, 1.0, 10);
    failed.failure = Some("task 2: ZeroDivisionError: division by zero (line 8)".to_owned());
    Comparison {
        title: "sum of squares".to_owned(),
        experiment: state.experiment.baseline(),
        cores: 4,
        repeats: 5,
        rows: vec![
            row("sequential", "one at a time", {
                let mut runs = runs(count, 2980.0, 0.0, 1.0, 0);
                // Alone, nobody waits.
                runs.iter_mut().for_each(|run| run.ledger.0[LaneState::WaitingGil.index()] = Nanos::ZERO);
                runs
            }),
            row("threads", "4 threads", runs(count, 3020.0, 1.0, 1.0, 588)),
            row("processes", "4 processes", runs(if over { 5 } else { 0 }, 840.0, 70.0, 3.9, 0)),
            row("hybrid", "2 x 2 threads", if over { vec![failed] } else { Vec::new() }),
            refused,
        ],
        absent: Vec::new(),
        progress: if over { Progress::Done } else { Progress::Running { row: 2, repeat: 1 } },
        done: if over { 16 } else { 4 },
        total: if over { 16 } else { 20 },
        time_left: (!over).then(|| ms(31_400.0)),
        expected: None,
    }
}
