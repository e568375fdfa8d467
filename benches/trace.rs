//! The log under millions of events: how long a frame's windows take, how much memory an event.
//!
//! `cargo bench --bench trace`

use divan::{Bencher, black_box};
use gilscope::app::{self, Action, Ending, ModelChoice, News};
use gilscope::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId, Nanos, State};
use gilscope::model::{LockKind, Role};
use gilscope::session::Experiment;
use gilscope::trace::{CoreEvidence, LaneInfo, LockInfo, Trace};
use gilscope::ui;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const LANES: u32 = 64;
const COLUMNS: usize = 200;
const CORES: u16 = 8;
const MILLIONS: [u64; 2] = [1, 10];
/// Bytes that are gone through to have none of the log left in a cache.
const OTHERS: usize = 128 << 20;

/// Who shares a lock.
#[derive(Clone, Copy)]
enum Shape {
    /// All threads one lock: every event is a take or a drop.
    Threads,
    /// Each lane its own lock, with I/O in between.
    Processes,
}

fn trace(shape: Shape, events: u64) -> Trace {
    let mut trace = Trace::new(usize::MAX);
    let locks = match shape {
        Shape::Threads => 1,
        Shape::Processes => LANES,
    };
    for process in 0..locks {
        trace.add_lock(LockInfo { kind: LockKind::Gil, name: "GIL".into(), process, of_workers: true });
    }
    for lane in 0..LANES {
        let lock = LockId((lane % locks) as u16);
        let info = LaneInfo::new(format!("lane {lane}"), Role::Worker, Some(lock));
        trace.add_lane(LaneInfo { core_evidence: CoreEvidence::Heartbeat, ..info });
    }
    let mut at = Nanos::from_secs(1);
    trace.begin(at);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut holder: Option<LaneId> = None;
    let mut phase = vec![0; LANES as usize];
    for count in 0..events {
        at += Nanos(500 + next() % 4_000);
        let event = |lane: LaneId, line: u32, kind| Event {
            at,
            lane,
            core: CoreId(lane.0 as u16 % CORES),
            line: Line(line),
            kind,
        };
        let what = match (shape, holder) {
            (Shape::Threads, Some(lane)) => {
                holder = None;
                let kind =
                    EventKind::Drop { lock: LockId(0), to: State::WaitingGil, detail: Detail::None, requested: true };
                event(lane, 4, kind)
            }
            (Shape::Threads, None) => {
                let lane = LaneId((next() % u64::from(LANES)) as u32);
                holder = Some(lane);
                event(lane, 4, EventKind::Take { lock: LockId(0), to: State::Running })
            }
            (Shape::Processes, _) => {
                let lane = LaneId((next() % u64::from(LANES)) as u32);
                let lock = LockId(lane.0 as u16);
                let phase = &mut phase[lane.index()];
                *phase = (*phase + 1) % 3;
                let kind = match *phase {
                    1 => EventKind::State { to: State::WaitingGil, detail: Detail::None },
                    2 => EventKind::Take { lock, to: State::Running },
                    _ => EventKind::Drop { lock, to: State::Io, detail: Detail::Sleep, requested: false },
                };
                event(lane, 7, kind)
            }
        };
        trace.append(&what);
        if count % 4_096 == 0 {
            trace.advance(at);
        }
    }
    trace.end(at);
    trace
}

fn frame(trace: &Trace, from: Nanos, to: Nanos) {
    for (lane, _) in trace.lanes() {
        black_box(trace.lane_window(lane, from, to, COLUMNS));
    }
    for (lock, _) in trace.locks().take(4) {
        black_box(trace.lock_window(lock, from, to, COLUMNS));
    }
    for core in trace.cores() {
        black_box(trace.core_window(core, from, to, COLUMNS));
    }
}

/// A frame over the whole run.
#[divan::bench(args = MILLIONS)]
fn whole_run_threads(bencher: Bencher, millions: u64) {
    let trace = trace(Shape::Threads, millions * 1_000_000);
    bencher.bench_local(|| frame(&trace, trace.begin_at(), trace.now()));
}

/// A frame over the whole run.
#[divan::bench(args = MILLIONS)]
fn whole_run_processes(bencher: Bencher, millions: u64) {
    let trace = trace(Shape::Processes, millions * 1_000_000);
    bencher.bench_local(|| frame(&trace, trace.begin_at(), trace.now()));
}

/// A frame over a hundredth of the run, each time elsewhere.
#[divan::bench(args = MILLIONS)]
fn hundredth_threads(bencher: Bencher, millions: u64) {
    let trace = trace(Shape::Threads, millions * 1_000_000);
    let part = Nanos(trace.elapsed().0 / 100);
    let mut turn = 0;
    bencher.bench_local(|| {
        turn = (turn + 37) % 99;
        let from = trace.begin_at() + Nanos(part.0 * turn);
        frame(&trace, from, from + part);
    });
}

/// The meter's row.
#[divan::bench(args = MILLIONS)]
fn busy_whole_run(bencher: Bencher, millions: u64) {
    let trace = trace(Shape::Threads, millions * 1_000_000);
    bencher.bench_local(|| trace.busy_window(trace.begin_at(), trace.now(), COLUMNS));
}

/// What a million events cost to book, by the second.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn append_a_million() -> Trace {
    trace(Shape::Threads, 1_000_000)
}

fn main() {
    for (name, shape) in [("threads, one lock", Shape::Threads), ("processes, a lock each", Shape::Processes)] {
        for millions in MILLIONS {
            let bytes = trace(shape, millions * 1_000_000).bytes();
            println!("{name}, {millions} M events: {:.1} bytes an event", bytes as f64 / (millions as f64 * 1e6));
        }
    }
    divan::main();
}

/// So many tasks of one event loop.
const TASKS: u32 = 10_000;

/// Tasks that are awaiting, ready and running in turns, until there are so many events.
fn coroutines(events: u64) -> Trace {
    let mut trace = Trace::new(usize::MAX);
    let lock = trace.add_lock(LockInfo { kind: LockKind::Gil, name: "GIL".into(), process: 0, of_workers: true });
    trace.add_lane(LaneInfo::new("loop", Role::Loop, Some(lock)));
    for task in 1..=TASKS {
        trace.add_lane(LaneInfo::new(format!("task {task}"), Role::Worker, Some(lock)));
    }
    let mut at = Nanos::from_secs(1);
    trace.begin(at);
    for count in 0..events / 3 {
        let lane = LaneId(1 + (count * 7919 % u64::from(TASKS)) as u32);
        for to in [State::Ready, State::Running, State::Suspended] {
            at += Nanos(700);
            let kind = EventKind::State { to, detail: Detail::None };
            trace.append(&Event { at, lane, core: CoreId(0), line: Line(4), kind });
        }
        if count % 1_024 == 0 {
            trace.advance(at);
        }
    }
    trace.advance(at);
    trace
}

/// A lab in the midst of a run of that log.
fn live(trace: &Trace) -> app::State {
    let mut state = app::State::new(experiment("threads", TASKS), Vec::new(), ModelChoice::built_in());
    app::hear(&mut state, None, News::Resized(120, 36));
    app::update(&mut state, None, Action::RunOrStop);
    app::hear(&mut state, Some(trace), News::Began);
    app::hear(&mut state, Some(trace), News::Tick(trace.now()));
    state
}

/// One drawing of the lab with ten thousand lanes in bands. Thirty a second may take a tenth of a core: 3.3 ms each.
#[divan::bench(args = MILLIONS)]
fn ten_thousand_lanes_frame(bencher: Bencher, millions: u64) {
    let trace = coroutines(millions * 1_000_000);
    let state = live(&trace);
    let area = Rect::new(0, 0, 120, 36);
    let mut buffer = Buffer::empty(area);
    bencher.bench_local(|| ui::render(&state, Some(&trace), area, &mut buffer));
}

/// A tick of a live run of ten thousand lanes at which the figures are read anew: four times a second.
#[divan::bench(args = MILLIONS)]
fn ten_thousand_lanes_figures(bencher: Bencher, millions: u64) {
    let trace = coroutines(millions * 1_000_000);
    let mut state = live(&trace);
    let mut now = trace.now();
    bencher.bench_local(|| {
        now += Nanos::from_millis(300);
        app::hear(&mut state, Some(&trace), News::Tick(now))
    });
}

/// The mean of all ten thousand over the whole run, as one band.
#[divan::bench(args = MILLIONS)]
fn ten_thousand_lanes_in_one_band(bencher: Bencher, millions: u64) {
    let trace = coroutines(millions * 1_000_000);
    bencher.bench_local(|| trace.workers_window(0..TASKS as usize, trace.begin_at(), trace.now(), COLUMNS));
}

fn experiment(model: &str, workers: u32) -> Experiment {
    Experiment::new("sum-squares", model, workers)
}

/// A lab at the end of a run of that log.
fn ended(trace: &Trace) -> app::State {
    let mut state = app::State::new(experiment("threads", LANES), Vec::new(), ModelChoice::built_in());
    app::hear(&mut state, None, News::Resized(200, 60));
    app::update(&mut state, None, Action::RunOrStop);
    app::hear(&mut state, Some(trace), News::Began);
    app::hear(&mut state, Some(trace), News::Tick(trace.now()));
    app::hear(&mut state, Some(trace), News::Ended(Ending::Done));
    state
}

/// The whole screen at the end of such a run: every query and every cell.
#[divan::bench(args = MILLIONS)]
fn full_frame_200x60(bencher: Bencher, millions: u64) {
    let trace = trace(Shape::Threads, millions * 1_000_000);
    let state = ended(&trace);
    let area = Rect::new(0, 0, 200, 60);
    let mut buffer = Buffer::empty(area);
    bencher.bench_local(|| ui::render(&state, Some(&trace), area, &mut buffer));
}

/// The same after something else had the caches: the first frame after a zoom, or after a while.
#[divan::bench(args = MILLIONS)]
fn cold_frame_200x60(bencher: Bencher, millions: u64) {
    let trace = trace(Shape::Threads, millions * 1_000_000);
    let state = ended(&trace);
    let area = Rect::new(0, 0, 200, 60);
    let mut buffer = Buffer::empty(area);
    let mut other = vec![1_u64; OTHERS / 8];
    bencher
        .with_inputs(|| other.iter_mut().for_each(|word| *word = black_box(*word + 1)))
        .bench_local_values(|()| ui::render(&state, Some(&trace), area, &mut buffer));
}

/// The windows of a frame over the whole run, with cold caches.
#[divan::bench(args = MILLIONS)]
fn cold_whole_run_threads(bencher: Bencher, millions: u64) {
    cold_windows(bencher, &trace(Shape::Threads, millions * 1_000_000));
}

/// The windows of a frame over the whole run, with cold caches.
#[divan::bench(args = MILLIONS)]
fn cold_whole_run_processes(bencher: Bencher, millions: u64) {
    cold_windows(bencher, &trace(Shape::Processes, millions * 1_000_000));
}

fn cold_windows(bencher: Bencher, trace: &Trace) {
    let mut other = vec![1_u64; OTHERS / 8];
    bencher
        .with_inputs(|| other.iter_mut().for_each(|word| *word = black_box(*word + 1)))
        .bench_local_values(|()| frame(trace, trace.begin_at(), trace.now()));
}
