//! Interpreter processes, with the real binary: each pool does its tasks, each
//! ending is told, nothing is left behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gilscope::calibration::{Costs, Phases};
use gilscope::event::{Detail, Event, EventKind, LaneId, Line, LockId, Nanos, State, TaskId};
use gilscope::interp::{Controller, LaneEnd, Report, RunSpec, ServerError, StartError, TaskOutcome};
use gilscope::model::{self, Role};
use gilscope::record::Collector;
use gilscope::trace::{Anomalies, LaneInfo, LockInfo, Trace};
use gilscope::vm::Rules;
use gilscope::workload::ArgValue;
use rustix::process::{Pid, Signal, kill_process};

const SQUARES: &str = "def work(n):
    total = 0
    for i in range(n):
        total += i * i
    return total
";

const ENDLESS: &str = "def work(n):
    while True:
        n += 1
";

/// All a coroutine's lane can be: it awaits, computes, blocks the loop, waits for one of its own tasks.
const AWAITING: &str = "import asyncio, time
async def part(n):
    await asyncio.sleep(0.001)
    return n
async def work(n, task):
    for i in range(n):
        await asyncio.sleep(0.002)
        if task == 0:
            time.sleep(0.05)
    await asyncio.sleep(0)
    return sum(await asyncio.gather(*[part(i) for i in range(n)]))
";

/// Every model, with a small number of workers.
const MODELS: [(&str, u32); 9] = [
    ("sequential", 1),
    ("threads", 2),
    ("processes", 2),
    ("processes:fork", 2),
    ("processes:forkserver", 2),
    ("free-threads", 2),
    ("subinterpreters", 2),
    ("hybrid", 4),
    ("coroutines", 2),
];

/// Generous: a loaded machine must not fail a test.
const DEADLINE: Duration = Duration::from_secs(30);

/// The same for coroutines: with an `async def` that calls `work` where there is none.
fn source_for(model: &str, source: &str) -> String {
    let plain = model != "coroutines" || source.contains("async def");
    let parameters = source.split_once("def work(").and_then(|(_, rest)| rest.split_once(')')).map(|(it, _)| it);
    match parameters {
        Some(it) if !plain => format!("{source}\nasync def work_async({it}):\n    return work({it})\n"),
        _ => source.to_owned(),
    }
}

fn spec(model: &str, workers: u32, source: &str, n: i64, tasks: u32) -> RunSpec {
    RunSpec {
        plan: model::find(model).unwrap().plan(workers).unwrap(),
        source: source_for(model, source),
        file: "test.py".to_owned(),
        args: vec![("n".to_owned(), ArgValue::Int(n))],
        tasks,
        rules: Rules::V3_10,
        interval: Nanos::from_millis(1),
        costs: Costs::default(),
        record: true,
    }
}

fn start(spec: RunSpec) -> Controller {
    Controller::start_program(Path::new(env!("CARGO_BIN_EXE_gilscope")), spec).unwrap()
}

/// A run and what has been heard of it.
struct Run {
    controller: Controller,
    collector: Collector,
    reports: Vec<Report>,
    events: Vec<Event>,
}

impl Run {
    fn go(spec: RunSpec) -> Run {
        let mut controller = start(spec);
        let collector = Collector::new(controller.region(), None);
        controller.wait_ready(Nanos::from(DEADLINE)).unwrap();
        controller.go().unwrap();
        Run { controller, collector, reports: Vec::new(), events: Vec::new() }
    }

    fn poll(&mut self) {
        self.controller.wait(Nanos::from_millis(5));
        self.reports.extend(self.controller.poll());
        self.collector.poll(|event| self.events.push(event));
    }

    fn until(&mut self, what: &str, mut yes: impl FnMut(&Run) -> bool) {
        let began = Instant::now();
        while !yes(self) {
            assert!(began.elapsed() < DEADLINE, "not within 30 s: {what}; {:?}", self.reports);
            self.poll();
        }
    }

    fn until_over(mut self) -> Run {
        self.until("the end", |run| run.controller.is_over());
        self.finish()
    }

    fn finish(mut self) -> Run {
        self.reports.extend(self.controller.poll());
        self.collector.finish(|event| self.events.push(event));
        self.events.sort_by_key(|event| event.at);
        self
    }

    fn of_model(model: &str, workers: u32, source: &str, n: i64, tasks: u32) -> Run {
        Run::go(spec(model, workers, source, n, tasks)).until_over()
    }

    fn outcomes(&self) -> BTreeMap<TaskId, TaskOutcome> {
        let mut outcomes = BTreeMap::new();
        for report in &self.reports {
            if let Report::TaskDone { task, outcome } = report {
                assert_eq!(outcomes.insert(*task, outcome.clone()), None, "told twice: {task:?}");
            }
        }
        outcomes
    }

    fn ends(&self) -> BTreeMap<LaneId, LaneEnd> {
        let mut ends = BTreeMap::new();
        for report in &self.reports {
            if let Report::LaneEnded { lane, how } = report {
                assert_eq!(ends.insert(*lane, how.clone()), None, "ended twice: {lane:?}");
            }
        }
        assert_eq!(ends.len(), self.controller.plan().lanes.len(), "every lane's end is told");
        ends
    }

    fn started(&self) -> Option<Nanos> {
        self.reports.iter().find_map(|report| if let Report::Started { at } = report { Some(*at) } else { None })
    }

    fn finished(&self) -> Option<Nanos> {
        self.reports.iter().find_map(|report| if let Report::Finished { at } = report { Some(*at) } else { None })
    }

    fn takes(&self, lane: u32) -> usize {
        let is_take = |event: &&Event| event.lane == LaneId(lane) && matches!(event.kind, EventKind::Take { .. });
        self.events.iter().filter(is_take).count()
    }

    /// What holds of every recording.
    fn check(&self) {
        assert_eq!(self.collector.tally().dropped, 0);
        let mut states: BTreeMap<LaneId, State> = BTreeMap::new();
        let mut owners: BTreeMap<LockId, LaneId> = BTreeMap::new();
        for event in &self.events {
            let to = match event.kind {
                EventKind::State { to, .. } => to,
                EventKind::ReadySince { .. } => State::Ready,
                EventKind::Take { lock, to } => {
                    assert_eq!(owners.insert(lock, event.lane), None, "two owners at {event:?}");
                    to
                }
                EventKind::Drop { lock, to, .. } => {
                    assert_eq!(owners.remove(&lock), Some(event.lane), "dropped by another at {event:?}");
                    to
                }
                _ => continue,
            };
            let from = states.insert(event.lane, to).unwrap_or(State::Unborn);
            assert!(from.may_become(to), "{from:?} became {to:?} at {event:?}");
            if to == State::Done {
                owners.retain(|_, owner| *owner != event.lane);
            }
        }
        for lane in &self.controller.plan().lanes {
            assert_eq!(states.get(&lane.id), Some(&State::Done), "{}", lane.name);
        }
    }

    fn order(&self, lane: u32) -> Vec<String> {
        let mut order = Vec::new();
        for event in self.events.iter().filter(|event| event.lane == LaneId(lane)) {
            let word = match event.kind {
                EventKind::State { to: State::Starting, detail } => format!("starting/{}", detail.name()),
                EventKind::State { to, .. } | EventKind::Take { to, .. } | EventKind::Drop { to, .. } => {
                    to.name().to_owned()
                }
                _ => continue,
            };
            if order.last() != Some(&word) {
                order.push(word);
            }
        }
        order
    }
}

fn squares(n: i64) -> TaskOutcome {
    TaskOutcome::Repr((0..n).map(|i| i * i).sum::<i64>().to_string())
}

/// Whether a process exists and is more than a zombie.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn until_gone(pids: &[u32]) {
    let began = Instant::now();
    while pids.iter().any(|pid| lives(*pid)) {
        assert!(began.elapsed() < DEADLINE, "still there: {pids:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn what_each_model_records_keeps_the_invariants_of_the_log() {
    let of_squares = ["sequential", "threads", "processes", "coroutines"].map(|model| (model, SQUARES, 100_000));
    for (model, source, n) in of_squares.into_iter().chain([("coroutines", AWAITING, 3)]) {
        let run = Run::of_model(model, 3, source, n, 7);
        let mut trace = Trace::default();
        let plan = run.controller.plan();
        for lock in &plan.locks {
            trace.add_lock(LockInfo::from(lock));
        }
        for lane in &plan.lanes {
            trace.add_lane(LaneInfo::new(lane.name.clone(), lane.role, lane.lock));
        }
        trace.begin(run.started().unwrap());
        run.events.iter().for_each(|event| trace.append(event));
        trace.end(run.finished().unwrap());
        assert_eq!(trace.check(), Ok(()), "{model}");
        assert_eq!(trace.anomalies(), Anomalies::default(), "{model}");
        assert_eq!(trace.elapsed(), run.finished().unwrap() - run.started().unwrap());
    }
}

#[test]
fn every_pool_does_every_task_and_ends_in_order() {
    for (model, workers) in MODELS {
        let run = Run::of_model(model, workers, SQUARES, 20_000, 7);
        assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), vec![squares(20_000); 7], "{model}");
        assert!(run.ends().values().all(LaneEnd::is_done), "{model}: {:?}", run.ends());
        assert!(run.started().unwrap() < run.finished().unwrap(), "{model}");
        assert_eq!(run.reports.last(), Some(&Report::Ended { how: LaneEnd::Done }), "{model}");
        run.check();
        until_gone(&run.controller.pids().values().copied().collect::<Vec<_>>());
    }
}

#[test]
fn every_task_is_recorded_between_start_and_finish_by_a_worker() {
    for (model, workers) in MODELS {
        let run = Run::of_model(model, workers, SQUARES, 1_000, 5);
        let mut tasks = BTreeSet::new();
        for event in &run.events {
            if let EventKind::TaskEnded { task, ok: true } = event.kind {
                assert_eq!(run.controller.plan().lanes[event.lane.index()].role, Role::Worker);
                assert!(run.started().unwrap() <= event.at && event.at <= run.finished().unwrap(), "{model}");
                tasks.insert(task);
            }
        }
        assert_eq!(tasks.len(), 5, "{model}");
        assert_eq!(run.controller.region().started_at(), run.started());
    }
}

#[test]
fn coroutines_are_ready_while_one_blocks_the_loop_and_the_lock_is_the_loops() {
    let run = Run::of_model("coroutines", 3, AWAITING, 3, 3);
    run.check();
    assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), vec![TaskOutcome::Repr("3".into()); 3]);
    assert!((1..=3).all(|lane| run.takes(lane) == 0) && run.takes(0) > 0);
    let order = run.order(1);
    assert_eq!(order[..3], ["running", "suspended", "running"], "{order:?}");
    let blocked = order.windows(3).filter(|it| *it == ["running", "io", "running"]).count();
    assert_eq!(blocked, 3, "{order:?}");
    assert!(!run.order(2).contains(&"io".to_owned()), "only one sleeps by time.sleep");
    // The others fell due while it slept, and each had to wait at least once for much of that.
    for lane in [2, 3].map(LaneId) {
        let (mut since, mut longest) = (None, Nanos::ZERO);
        for event in run.events.iter().filter(|event| event.lane == lane) {
            match event.kind {
                EventKind::ReadySince { since: at } => since = Some(at),
                EventKind::State { to: State::Running, .. } => {
                    longest = longest.max(since.take().map_or(Nanos::ZERO, |since| event.at - since));
                }
                _ => {}
            }
        }
        assert!(longest > Nanos::from_millis(20), "{longest}");
    }
}

#[test]
fn tasks_in_flight_are_as_many_as_there_are_lanes() {
    let run = Run::of_model("coroutines", 2, AWAITING, 1, 9);
    run.check();
    assert_eq!(run.outcomes().len(), 9);
    let (mut now, mut most) = (0, 0);
    for event in &run.events {
        match event.kind {
            EventKind::TaskStarted(_) => now += 1,
            EventKind::TaskEnded { .. } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    assert_eq!((now, most), (0, 2));
}

#[test]
fn a_file_without_an_async_def_is_refused_to_coroutines_and_one_without_a_plain_one_to_the_others() {
    let load = |model: &str, source: &str| {
        let mut spec = spec(model, 2, SQUARES, 1, 2);
        spec.source = source.to_owned();
        start(spec).wait_ready(Nanos::from(DEADLINE)).unwrap_err().to_string()
    };
    assert!(load("coroutines", SQUARES).contains("has no `async def work`"));
    assert!(load("threads", AWAITING).contains("has no function `work`"));
}

#[test]
fn threads_take_turns_on_one_lock() {
    let run = Run::of_model("threads", 2, SQUARES, 3_000_000, 2);
    run.check();
    assert!(run.takes(1) > 2 && run.takes(2) > 2, "{} and {}", run.takes(1), run.takes(2));
    let order = run.order(1);
    assert_eq!(order[..2], ["starting/fork", "starting/init"], "{order:?}");
    assert!(order.contains(&"waiting_gil".to_owned()));
}

#[test]
fn processes_are_born_in_the_steps_of_spawn_and_wait_for_no_lock() {
    let run = Run::of_model("processes", 2, SQUARES, 1_000_000, 2);
    run.check();
    for lane in [1, 2] {
        let order = run.order(lane);
        let steps = [
            "starting/fork",
            "starting/exec",
            "starting/init",
            "starting/import",
            "unpickling",
            "starting/prepare",
            "idle",
            "unpickling",
            "running",
            "pickling",
            "io",
            "idle",
            "done",
        ];
        assert_eq!(order, steps);
    }
    let main = run.order(0);
    assert!(main.contains(&"pickling".to_owned()) && main.contains(&"unpickling".to_owned()), "{main:?}");
}

#[test]
fn a_forked_process_needs_no_exec_and_no_import() {
    for (model, workers) in [("processes:fork", vec![1, 2]), ("processes:forkserver", vec![2, 3])] {
        let run = Run::of_model(model, 2, SQUARES, 1_000_000, 2);
        run.check();
        for lane in workers {
            let order = run.order(lane).join(" ").replace(" unpickling idle", " idle");
            assert_eq!(order, "starting/fork idle unpickling running pickling io idle done", "{model}");
        }
    }
}

#[test]
fn the_forkserver_is_born_once_as_a_spawned_process_is() {
    let run = Run::of_model("processes:forkserver", 3, SQUARES, 1_000, 3);
    let order = run.order(1);
    let steps =
        ["starting/fork", "starting/exec", "starting/init", "starting/import", "unpickling", "starting/prepare", "io"];
    assert_eq!(order[..7], steps);
    assert_eq!(order.last().map(String::as_str), Some("done"));
}

#[test]
fn a_worker_of_a_forkserver_is_not_born_before_its_server_can_make_it() {
    let run = Run::of_model("processes:forkserver", 2, SQUARES, 1_000, 2);
    let server = run.controller.plan().forkserver().expect("it has one").id;
    let waits = |event: &&Event| matches!(event.kind, EventKind::Drop { to: State::Io, .. });
    let up = run.events.iter().filter(|it| it.lane == server).find(waits).expect("it waits for requests").at;
    for worker in run.controller.plan().workers() {
        let born = run.events.iter().find(|it| it.lane == worker.id).expect("it was born").at;
        assert!(born >= up, "{} is told of {} ns before there was a server to fork", worker.name, up.0 - born.0);
    }
}

#[test]
fn the_tracker_is_there_before_the_workers_and_does_no_task() {
    for model in ["processes", "processes:forkserver"] {
        let run = Run::of_model(model, 2, SQUARES, 1_000, 3);
        let tracker = run.controller.plan().tracker().expect("it has one").id;
        let order = run.order(tracker.0);
        let steps = ["starting/fork", "starting/exec", "starting/init", "starting/import", "starting", "io"];
        assert_eq!(order[..6], steps, "{model}");
        assert_eq!(order.last().map(String::as_str), Some("done"), "{model}");
        let first = |lane: LaneId| run.events.iter().filter(|it| it.lane == lane).map(|it| it.at).min().unwrap();
        for worker in run.controller.plan().workers() {
            assert!(first(tracker) < first(worker.id), "{model}");
        }
        assert!(!run.events.iter().any(|it| it.lane == tracker && matches!(it.kind, EventKind::TaskStarted(_))));
    }
}

#[test]
fn a_killed_tracker_is_told_and_the_tasks_are_done_without_it() {
    let mut run = Run::go(spec("processes", 2, SQUARES, 3_000_000, 4));
    let tracker = run.controller.plan().tracker().expect("it has one").clone();
    run.until("it is there", |run| run.controller.pids().contains_key(&tracker.process));
    kill(run.controller.pids()[&tracker.process]);
    let run = run.until_over();
    assert_eq!(run.ends()[&tracker.id].to_string(), "killed by SIGKILL");
    assert!(run.outcomes().values().all(|it| matches!(it, TaskOutcome::Repr(_))), "{:?}", run.outcomes());
    run.check();
}

#[test]
fn a_module_is_loaded_anew_where_an_interpreter_is_and_copied_where_a_process_is() {
    let source = "print('loaded')
def work(n):
    return n
";
    for (model, workers, times) in [
        ("threads", 2, 1),
        ("free-threads", 2, 1),
        ("processes", 2, 3),
        ("processes:fork", 2, 1),
        ("processes:forkserver", 2, 2),
        ("subinterpreters", 2, 3),
        ("hybrid", 4, 1),
    ] {
        let run = Run::of_model(model, workers, source, 1, 4);
        assert_eq!(run.controller.output(), "loaded\n".repeat(times), "{model}");
    }
}

#[test]
fn every_process_is_the_child_of_whom_the_plan_says() {
    for (model, workers) in [("processes", 2), ("processes:fork", 2), ("processes:forkserver", 2), ("hybrid", 4)] {
        let mut run = Run::go(spec(model, workers, ENDLESS, 1, workers));
        let running = |run: &Run| run.events.iter().filter(|it| matches!(it.kind, EventKind::TaskStarted(_))).count();
        run.until("all run", |run| running(run) == workers as usize);
        let (plan, pids) = (run.controller.plan(), run.controller.pids());
        for lane in &plan.lanes {
            let Some(parent) = lane.parent.map(|parent| &plan.lanes[parent.index()]) else { continue };
            if parent.process == lane.process {
                continue;
            }
            let status = std::fs::read_to_string(format!("/proc/{}/status", pids[&lane.process])).unwrap();
            let ppid = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
            assert_eq!(ppid, pids[&parent.process].to_string(), "{model}: {}", lane.name);
        }
    }
}

#[test]
fn a_killed_forkserver_takes_its_workers_along_and_that_is_said() {
    let mut run = Run::go(spec("processes:forkserver", 2, ENDLESS, 1, 3));
    let running = |run: &Run| run.events.iter().filter(|it| matches!(it.kind, EventKind::TaskStarted(_))).count();
    run.until("both run", |run| running(run) == 2);
    kill(run.controller.pids()[&1]);
    let run = run.until_over();
    let ends: Vec<_> = run.ends().values().map(LaneEnd::to_string).collect();
    let along = "ended with the forkserver that made it, which was killed by SIGKILL after ";
    assert!(ends[2..4].iter().all(|end| end.starts_with(along)), "{ends:?}");
    assert_eq!([&ends[0], &ends[1], &ends[4]], ["done", "killed by SIGKILL", "done"], "the tracker is no child of it");
    let last = &run.outcomes()[&TaskId(2)];
    assert_eq!(*last, TaskOutcome::Killed("no worker was left to do it".to_owned()));
    until_gone(&run.controller.pids().values().copied().collect::<Vec<_>>());
    run.check();
}

#[test]
fn a_killed_worker_of_a_forkserver_or_of_a_master_is_told_by_its_signal() {
    for (model, workers, process) in [("processes:forkserver", 2, 2), ("processes:fork", 2, 1), ("hybrid", 4, 1)] {
        let mut run = Run::go(spec(model, workers, ENDLESS, 1, workers));
        let running = |run: &Run| run.events.iter().filter(|it| matches!(it.kind, EventKind::TaskStarted(_))).count();
        run.until("all run", |run| running(run) == workers as usize);
        kill(run.controller.pids()[&process]);
        let lanes: Vec<_> = run.controller.plan().lanes_of(process).map(|lane| lane.id).collect();
        run.until("its end", |run| {
            run.reports.iter().any(|it| matches!(it, Report::LaneEnded { lane, .. } if *lane == *lanes.last().unwrap()))
        });
        run.controller.stop();
        let run = run.finish();
        for (lane, end) in run.ends() {
            let words = if lanes.contains(&lane) { "killed by SIGKILL" } else { "stopped" };
            assert_eq!(end.to_string(), words, "{model} {lane}");
        }
        run.check();
    }
}

#[test]
fn threads_without_a_lock_take_none_and_wait_for_none() {
    let run = Run::of_model("free-threads", 2, SQUARES, 300_000, 4);
    run.check();
    assert!(run.controller.plan().locks.is_empty());
    for lane in [0, 1, 2] {
        assert_eq!(run.takes(lane), 0);
        assert!(!run.order(lane).contains(&"waiting_gil".to_owned()));
    }
}

#[test]
fn an_interpreter_of_ones_own_has_its_own_globals_and_lock() {
    let source = "seen = 0

def work(n, task):
    global seen
    seen += 1
    return seen
";
    let run = Run::of_model("subinterpreters", 1, source, 1, 3);
    let values: Vec<_> = run.outcomes().into_values().collect();
    assert_eq!(values, ["1", "2", "3"].map(|value| TaskOutcome::Repr(value.to_owned())));
    let run = Run::of_model("subinterpreters", 2, SQUARES, 1_000_000, 2);
    run.check();
    for lane in [1, 2] {
        let order = run.order(lane);
        assert_eq!(order[..3], ["starting/fork", "starting/init", "starting/import"], "{order:?}");
        assert_eq!(order[4..6], ["starting/prepare", "idle"], "{order:?}");
        assert!(!order.contains(&"waiting_gil".to_owned()), "nobody else wants its lock: {order:?}");
    }
    let main = run.order(0);
    assert!(main.contains(&"pickling".to_owned()) && main.contains(&"unpickling".to_owned()), "{main:?}");
}

#[test]
fn a_call_is_pickled_when_there_is_an_interpreter_for_it() {
    let subinterpreter = Phases { init_ns: Nanos::from_millis(20), ..Phases::default() };
    let costs = Costs { subinterpreter, ..Costs::default() };
    let run = Run::go(RunSpec { costs, ..spec("subinterpreters", 2, SQUARES, 1_000, 5) }).until_over();
    run.check();
    let (mut free, mut pickled) = (0, 0);
    for event in &run.events {
        match event.kind {
            EventKind::State { to: State::Pickling, .. } if event.lane == LaneId(0) => {
                pickled += 1;
                assert!(pickled <= free, "call {pickled}, after {free} interpreters were free, at {event:?}");
            }
            EventKind::State { to: State::Idle, .. } | EventKind::Drop { to: State::Idle, .. } => free += 1,
            _ => {}
        }
    }
    assert_eq!(pickled, 5);
}

#[test]
fn threads_of_one_process_of_a_hybrid_share_its_lock_and_no_others() {
    let run = Run::of_model("hybrid", 4, SQUARES, 2_000_000, 4);
    run.check();
    let mut owners: BTreeMap<LockId, BTreeSet<LaneId>> = BTreeMap::new();
    for event in &run.events {
        if let EventKind::Take { lock, .. } = event.kind {
            owners.entry(lock).or_default().insert(event.lane);
        }
    }
    for lane in &run.controller.plan().lanes {
        for (lock, owners) in &owners {
            assert!(!owners.contains(&lane.id) || lane.lock == Some(*lock), "{} took {lock}", lane.name);
        }
    }
    assert_eq!(owners[&LockId(1)].len() + owners[&LockId(2)].len(), 4, "each thread did its task");
}

#[test]
fn a_task_that_raises_fails_alone() {
    let source = "def work(n, task):
    if task == 1:
        return 1 / 0
    return task
";
    for (model, workers) in MODELS {
        let run = Run::of_model(model, workers, source, 1, 4);
        let outcomes: Vec<_> = run.outcomes().into_values().collect();
        let repr = |value: &str| TaskOutcome::Repr(value.to_owned());
        let raised = TaskOutcome::Error { text: "ZeroDivisionError: division by zero".to_owned(), line: Line(3) };
        assert_eq!(outcomes, [repr("0"), raised, repr("2"), repr("3")], "{model}");
        assert!(run.ends().values().all(LaneEnd::is_done), "{model}");
        run.check();
    }
}

#[test]
fn the_outcome_is_asked_for_once_after_all_tasks() {
    let source = "done = 0

def work(n):
    global done
    done += 1

def outcome():
    return done
";
    for (model, workers, outcome) in [
        ("sequential", 1, "3"),
        ("threads", 2, "3"),
        ("processes", 2, "0"),
        ("processes:fork", 2, "0"),
        ("subinterpreters", 2, "0"),
    ] {
        let run = Run::of_model(model, workers, source, 1, 3);
        let told: Vec<_> = run.reports.iter().filter(|report| matches!(report, Report::Outcome(_))).collect();
        assert_eq!(told, [&Report::Outcome(TaskOutcome::Repr(outcome.to_owned()))], "{model}");
    }
}

#[test]
fn recursion_without_end_is_an_exception_of_its_task() {
    let source = "def work(n):
    return work(n + 1)
";
    for (model, workers) in [("sequential", 1), ("threads", 2), ("processes", 1)] {
        let run = Run::of_model(model, workers, source, 1, 2);
        for outcome in run.outcomes().values() {
            assert!(
                matches!(outcome, TaskOutcome::Error { text, .. } if text.starts_with("RecursionError")),
                "{model}: {outcome:?}"
            );
        }
        assert!(run.ends().values().all(LaneEnd::is_done), "{model}");
    }
}

#[test]
fn a_killed_worker_costs_its_lane_and_its_task_and_the_others_do_the_rest() {
    let source = "import time

def work(n, task):
    if task == 0:
        while True:
            n += 1
    time.sleep(0.001)
    return task
";
    let mut run = Run::go(spec("processes", 2, source, 1, 6));
    run.until("all other tasks are done", |run| run.outcomes().len() == 5);
    let stuck = run.events.iter().find(|event| event.kind == EventKind::TaskStarted(TaskId(0))).map(|event| event.lane);
    let stuck = stuck.expect("the task without end was begun");
    let process = run.controller.plan().lanes[stuck.index()].process;
    kill(run.controller.pids()[&process]);
    let run = run.until_over();
    assert_eq!(run.outcomes()[&TaskId(0)], TaskOutcome::Killed("worker killed by SIGKILL".to_owned()));
    assert_eq!(run.outcomes()[&TaskId(5)], TaskOutcome::Repr("5".to_owned()));
    for (lane, end) in run.ends() {
        assert_eq!(end.to_string(), if lane == stuck { "killed by SIGKILL" } else { "done" });
    }
    run.check();
}

#[test]
fn with_no_worker_left_the_remaining_tasks_are_told_so() {
    let mut run = Run::go(spec("processes", 1, ENDLESS, 1, 3));
    run.until("a task runs", |run| run.events.iter().any(|event| matches!(event.kind, EventKind::TaskStarted(_))));
    kill(run.controller.pids()[&1]);
    let run = run.until_over();
    let words: Vec<_> = run.outcomes().into_values().collect();
    let killed = |words: &str| TaskOutcome::Killed(words.to_owned());
    let none_left = killed("no worker was left to do it");
    assert_eq!(words, [killed("worker killed by SIGKILL"), none_left.clone(), none_left]);
    run.check();
}

#[test]
fn a_killed_first_process_ends_everything_and_every_lane_says_so() {
    for (model, workers) in MODELS {
        let mut run = Run::go(spec(model, workers, ENDLESS, 1, 2));
        run.until("a task runs", |run| run.events.iter().any(|event| matches!(event.kind, EventKind::TaskStarted(_))));
        kill(run.controller.pid());
        let run = run.until_over();
        for lane in &run.controller.plan().lanes {
            // Threads of the first process went like it; other processes went with it, and say with whom and when.
            let end = run.ends()[&lane.id].to_string();
            let first = if model == "hybrid" { "the master" } else { "the main process" };
            let along = end.starts_with(&format!("ended with {first}")) && end.contains("killed by SIGKILL after ");
            assert!(
                if lane.process == 0 { end == "killed by SIGKILL" } else { along },
                "{model}: {}: {end}",
                lane.name
            );
        }
        assert_eq!(run.outcomes().len(), 2, "{model}");
        let workers = run.controller.plan().lanes.iter().filter(|lane| lane.role == Role::Worker);
        let said =
            if workers.clone().all(|lane| lane.process == 0) { "worker killed by" } else { "worker ended with the " };
        for outcome in run.outcomes().values() {
            assert!(matches!(outcome, TaskOutcome::Killed(why) if why.starts_with(said)), "{model}: {outcome:?}");
        }
        until_gone(&run.controller.pids().values().copied().collect::<Vec<_>>());
        run.check();
    }
}

#[test]
fn an_endless_loop_is_stopped_at_once() {
    for (model, workers) in MODELS {
        let mut run = Run::go(spec(model, workers, ENDLESS, 1, 2));
        run.until("a task runs", |run| run.events.iter().any(|event| matches!(event.kind, EventKind::TaskStarted(_))));
        run.controller.stop();
        let pids: Vec<_> = run.controller.pids().values().copied().collect();
        assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "{model}: reaped when it returns");
        let run = run.finish();
        assert!(run.ends().values().all(|end| *end == LaneEnd::Stopped), "{model}");
        assert_eq!(run.outcomes().len(), 2, "{model}");
        run.check();
    }
}

#[test]
fn a_worker_inherits_its_channel_and_the_shared_memory_and_nothing_else() {
    // What another test holds open, or this one, is nobody's business.
    let _other = start(spec("processes", 1, ENDLESS, 1, 1));
    let mut run = Run::go(spec("processes", 3, ENDLESS, 1, 3));
    let running = |run: &Run| run.events.iter().filter(|it| matches!(it.kind, EventKind::TaskStarted(_))).count();
    run.until("all run", |run| running(run) == 3);
    for (process, pid) in run.controller.pids() {
        let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
        let mut open: BTreeMap<String, usize> = BTreeMap::new();
        for link in links {
            let link = link.to_string_lossy().into_owned();
            *open.entry(link.split([':', '(']).next().unwrap().trim_end().to_owned()).or_default() += 1;
        }
        let of = |kind: &str| open.get(kind).copied().unwrap_or(0);
        // The first process has its own channel twice, and the channel and the standard error of each worker and the tracker.
        let (sockets, pipes) = if *process == 0 { (2 + 4, 2 + 4) } else { (1, 2) };
        assert_eq!((of("socket"), of("pipe"), of("/memfd"), of("/dev/null")), (sockets, pipes, 1, 1), "{open:?}");
    }
}

#[test]
fn as_many_workers_as_there_may_be_do_their_tasks() {
    for (model, workers) in [
        ("threads", 1024),
        ("processes", 64),
        ("processes:fork", 64),
        ("processes:forkserver", 64),
        ("subinterpreters", 64),
    ] {
        let run = Run::of_model(model, workers, SQUARES, 100, workers + 1);
        assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), vec![squares(100); workers as usize + 1]);
        // Not checked: rings are small when there are many, and main starts a thousand threads faster than we read.
        assert!(run.ends().values().all(LaneEnd::is_done), "{model}");
    }
}

#[test]
fn a_suspended_run_stands_still_and_goes_on() {
    let mut run = Run::go(spec("processes", 2, ENDLESS, 1, 2));
    let running = |run: &Run| run.events.iter().filter(|it| matches!(it.kind, EventKind::TaskStarted(_))).count();
    run.until("both run", |run| running(run) == 2);
    let state = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().chars().next().unwrap()
    };
    run.controller.suspend();
    let pids: Vec<_> = run.controller.pids().values().copied().collect();
    run.until("all are stopped", |_| pids.iter().all(|pid| state(*pid) == 'T'));
    run.controller.resume();
    run.until("none is stopped", |_| pids.iter().all(|pid| state(*pid) != 'T'));
    run.controller.suspend();
    drop(run);
    until_gone(&pids);
}

#[test]
fn a_flood_of_text_is_bounded_and_its_end_is_kept() {
    let source = "def work(n):
    for i in range(n):
        print('a line of text that is printed over and over again')
    print('the last line')
";
    for (model, workers) in [("sequential", 1), ("threads", 2), ("processes", 2)] {
        let run = Run::of_model(model, workers, source, 100_000, 2);
        assert!(run.ends().values().all(LaneEnd::is_done), "{model}");
        assert_eq!(run.controller.output_bytes(), 2 * (100_000 * 51 + 14), "{model}");
        let output = run.controller.output();
        assert!(output.len() <= 1 << 20 && output.ends_with("the last line\n"), "{model}");
    }
}

#[test]
fn a_result_too_large_to_bring_home_fails_its_task_alone() {
    let source = "def work(n, task):
    if task == 0:
        return b'x' * (260 * n)
    return len(b'x' * n)
";
    let run = Run::of_model("processes", 2, source, 1 << 20, 2);
    let outcomes = run.outcomes();
    let TaskOutcome::Error { text, .. } = &outcomes[&TaskId(0)] else { panic!("{outcomes:?}") };
    assert!(text.starts_with("the result cannot be sent back: the pickle is too large"), "{text}");
    assert_eq!(outcomes[&TaskId(1)], TaskOutcome::Repr((1 << 20).to_string()));
    assert!(run.ends().values().all(LaneEnd::is_done));
}

#[test]
fn large_results_come_home_through_partial_reads() {
    let source = "def work(n, task):
    return 'x' * n
";
    let run = Run::of_model("processes", 2, source, 5 << 20, 4);
    for outcome in run.outcomes().values() {
        assert!(matches!(outcome, TaskOutcome::Repr(repr) if repr.len() == (5 << 20) + 2));
    }
    run.check();
}

#[test]
fn a_file_that_cannot_be_loaded_says_why() {
    for (source, words) in [
        ("def work(:\n", "test.py"),
        ("x = 1 // 0\ndef work(n):\n    return n\n", "ZeroDivisionError"),
        ("def walk(n):\n    return n\n", "no function `work`"),
    ] {
        let mut controller = start(spec("threads", 2, source, 1, 1));
        let Err(StartError::Load(why)) = controller.wait_ready(Nanos::from(DEADLINE)) else { panic!("it loaded") };
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn a_file_whose_loading_does_not_end_can_be_stopped() {
    let mut controller = start(spec("sequential", 1, "while True:\n    pass\ndef work(n):\n    return n\n", 1, 1));
    let slow = controller.wait_ready(Nanos::from_millis(300));
    assert!(matches!(slow, Err(StartError::Slow(_))), "{slow:?}");
    controller.stop();
    assert!(!lives(controller.pid()));
}

#[test]
fn nothing_is_recorded_when_recording_is_off() {
    let run = Run::go(RunSpec { record: false, ..spec("threads", 2, SQUARES, 1_000, 2) }).until_over();
    assert_eq!((run.outcomes().len(), run.events.len()), (2, 0));
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let nowhere = Path::new("/nonexistent/gilscope");
    let error = Controller::start_program(nowhere, spec("threads", 2, SQUARES, 1, 1)).unwrap_err();
    assert!(error.to_string().starts_with("no interpreter process could be started from /nonexistent/gilscope"));
}

/// What runs in a process of its own so that it can be killed: see the next test.
#[test]
fn helper_a_controller_that_is_going_to_be_killed() {
    let Ok(model) = std::env::var("GILSCOPE_TEST_CONTROLLER") else { return };
    let mut run = match model.strip_suffix("+server") {
        Some(model) => Run::go(with_server(spec(model, 2, ASKING, 30, 2))),
        None => Run::go(spec(&model, 2, ENDLESS, 1, 2)),
    };
    // A coroutine that never awaits keeps the loop to itself.
    let at_once = if model == "coroutines" { 1 } else { 2 };
    run.until("both run", |run| {
        run.events.iter().filter(|event| matches!(event.kind, EventKind::TaskStarted(_))).count() >= at_once
    });
    let pids: Vec<_> = run.controller.pids().values().map(u32::to_string).collect();
    println!("\npids {}", pids.join(" "));
    loop {
        run.poll();
    }
}

#[test]
fn a_controller_that_is_killed_leaves_no_process() {
    let models = MODELS.into_iter().map(|(model, _)| model).filter(|model| *model != "sequential");
    for model in models.chain(["threads+server", "processes+server"]) {
        let mut helper = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "helper_a_controller_that_is_going_to_be_killed", "--nocapture"])
            .env("GILSCOPE_TEST_CONTROLLER", model)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(helper.stdout.take().unwrap()).lines();
        let pids = lines.map(Result::unwrap).find_map(|line| Some(line.strip_prefix("pids ")?.to_owned())).unwrap();
        let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
        assert!(pids.iter().all(|pid| lives(*pid)));
        helper.kill().unwrap();
        helper.wait().unwrap();
        until_gone(&pids);
    }
}

#[test]
fn the_hidden_subcommand_tells_a_person_what_it_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope")).args(["__interp", "first", "0", "1", "2"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("gilscope --help"));
}

#[test]
fn long_bytes_are_made_in_the_first_process_and_reach_every_worker() {
    let source = "# /// gilscope
# [arguments.n]
# kind = \"bytes\"
# default = 1
# min = 1
# max = 256
# ///
def work(n, task, tasks):
    return len(n), n[0], task < tasks, tasks
";
    for model in ["sequential", "threads", "processes"] {
        let outcomes = Run::of_model(model, 2, source, 3, 2).outcomes();
        let expected = TaskOutcome::Repr(format!("({}, 103, True, 2)", 3 << 20));
        assert_eq!(outcomes.values().collect::<Vec<_>>(), [&expected, &expected], "{model}");
    }
}

const QUEUE: &str = "import queue

items = queue.Queue(5)

def work(n, task):
    if task % 2 == 0:
        for i in range(n):
            items.put(i)
    else:
        for i in range(n):
            items.get()
    return n
";

#[test]
fn what_a_queue_holds_is_recorded_in_the_order_in_which_it_changed() {
    for model in ["threads", "free-threads"] {
        let run = Run::of_model(model, 4, QUEUE, 300, 4);
        let changes: Vec<(u32, bool)> = run
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Queue { depth, put, .. } => Some((depth, put)),
                _ => None,
            })
            .collect();
        assert_eq!(changes.len(), 1200, "{model}");
        let mut depth = 0;
        for (now, put) in changes {
            assert_eq!(now, if put { depth + 1 } else { depth - 1 }, "{model}");
            depth = now;
        }
        assert_eq!(depth, 0);
    }
}

/// Waits so long for the slow server.
const ASKING: &str = "# /// gilscope
# [arguments.url]
# kind = \"url\"
# ///
import urllib.request
def work(url, n):
    with urllib.request.urlopen(url + '/delay/' + str(n)) as response:
        return response.read()
";

/// The same with the slow server, at any port.
fn with_server(mut spec: RunSpec) -> RunSpec {
    spec.plan.add_slow_server();
    spec.args.push(("url".to_owned(), ArgValue::Int(0)));
    spec
}

fn waits(run: &Run, wanted: Detail) -> usize {
    let kinds = run.events.iter().map(|event| event.kind);
    kinds.filter(|kind| matches!(kind, EventKind::Drop { to: State::Io, detail, .. } if *detail == wanted)).count()
}

#[test]
fn the_slow_server_answers_whatever_the_model_and_ends_with_the_run() {
    for (model, workers) in MODELS {
        let run = Run::go(with_server(spec(model, workers, ASKING, 0, 3))).until_over();
        let answer = TaskOutcome::Repr("b'answered after 0.0 s\\n'".to_owned());
        assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), vec![answer; 3], "{model}");
        assert!(run.ends().values().all(LaneEnd::is_done), "{model}: {:?}", run.ends());
        run.check();
        let server = run.controller.plan().slow_server().unwrap();
        let order = run.order(server.id.0);
        assert_eq!(order[..4], ["starting/fork", "starting/exec", "starting/init", "io"], "{model}");
        assert!(order.contains(&"native".to_owned()), "{model}: {order:?}");
        until_gone(&run.controller.pids().values().copied().collect::<Vec<_>>());
    }
}

#[test]
fn connecting_sending_and_receiving_are_told_apart_and_leave_the_lock() {
    let run = Run::go(with_server(spec("threads", 2, ASKING, 0, 2))).until_over();
    run.check();
    assert_eq!((waits(&run, Detail::Connect), waits(&run, Detail::Send)), (2, 2));
    assert!(waits(&run, Detail::Recv) >= 2);
}

#[test]
fn a_killed_slow_server_is_told_and_ends_the_requests_as_python_sees_it() {
    // The last asks when the server is gone for certain.
    let late = "import time\ndef work(url, n, task):\n    time.sleep(task // 2)\n";
    let source = ASKING.replace("def work(url, n):\n", late);
    for model in ["threads", "processes"] {
        let mut run = Run::go(with_server(spec(model, 2, &source, 30, 3)));
        run.until("both wait for their answer", |run| waits(run, Detail::Recv) == 2);
        let lane = run.controller.plan().slow_server().unwrap().clone();
        kill(run.controller.pids()[&lane.process]);
        let run = run.until_over();
        let ends = run.ends();
        assert_eq!(ends[&lane.id].to_string(), "killed by SIGKILL", "{model}");
        assert!(ends.iter().all(|(id, end)| *id == lane.id || end.is_done()), "{model}: {ends:?}");
        for (task, outcome) in run.outcomes() {
            let TaskOutcome::Error { text, .. } = outcome else { panic!("{model}: {outcome:?}") };
            // Reset where the request had not been read yet.
            let expected: &[&str] = match task {
                TaskId(2) => &["URLError: <urlopen error [Errno 111] Connection refused>"],
                _ => &[
                    "RemoteDisconnected: Remote end closed connection without response",
                    "ConnectionResetError: [Errno 104] Connection reset by peer",
                ],
            };
            assert!(expected.contains(&text.as_str()), "{model}, {task:?}: {text}");
        }
        run.check();
        until_gone(&run.controller.pids().values().copied().collect::<Vec<_>>());
    }
}

#[test]
fn a_run_that_is_stopped_takes_its_slow_server_along() {
    let mut run = Run::go(with_server(spec("threads", 2, ASKING, 30, 2)));
    run.until("both wait for their answer", |run| waits(run, Detail::Recv) == 2);
    run.controller.stop();
    let run = run.finish();
    assert!(run.ends().values().all(|end| *end == LaneEnd::Stopped), "{:?}", run.ends());
    until_gone(&run.controller.pids().values().copied().collect::<Vec<_>>());
}

#[test]
fn a_port_that_is_taken_is_refused_before_anything_starts() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut spec = with_server(spec("threads", 2, ASKING, 0, 2));
    spec.args.last_mut().unwrap().1 = ArgValue::Int(port.into());
    let error = Controller::start_program(Path::new(env!("CARGO_BIN_EXE_gilscope")), spec.clone()).unwrap_err();
    assert!(matches!(error, StartError::Server(ServerError::PortTaken { .. })), "{error:?}");
    assert!(error.to_string().starts_with(&format!("port {port} of 127.0.0.1 is taken")), "{error}");
    drop(taken);
    let run = Run::go(spec).until_over();
    assert!(run.outcomes().values().all(|outcome| matches!(outcome, TaskOutcome::Repr(_))), "{:?}", run.outcomes());
}

/// How many sockets a process has open.
fn sockets(pid: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn connections_are_really_open_at_once_and_one_thread_of_the_server_holds_them() {
    let workload = gilscope::workload::load("sockets").unwrap();
    let mut spec = spec("threads", 3, &workload.source, 0, 3);
    spec.plan.add_slow_server();
    let given = [("connections", "600"), ("seconds", "2")];
    spec.args = workload.arguments(&given).unwrap();
    let mut run = Run::go(spec);
    run.until("all are open and idle", |run| waits(run, Detail::Sleep) == 3);
    let server = run.controller.pids()[&run.controller.plan().slow_server().unwrap().process];
    let began = Instant::now();
    while sockets(server) < 600 {
        assert!(began.elapsed() < Duration::from_millis(1500), "the server has {} open", sockets(server));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(sockets(run.controller.pid()) >= 600);
    assert_eq!(std::fs::read_dir(format!("/proc/{server}/task")).unwrap().count(), 1);
    let run = run.until_over();
    assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), vec![TaskOutcome::Repr("200".to_owned()); 3]);
    assert_eq!(waits(&run, Detail::Connect), 600);
    run.check();
}

#[test]
fn coroutines_make_their_requests_at_once_and_the_slow_server_keeps_its_own_ring() {
    for (id, tasks, given, result) in [
        ("scrape", 40, vec![("seconds", "0.2"), ("n", "2")], "42"),
        ("sockets", 40, vec![("seconds", "0.2"), ("connections", "400")], "10"),
    ] {
        let workload = gilscope::workload::load(id).unwrap();
        let mut spec = spec("coroutines", tasks, &workload.source, 0, tasks);
        spec.plan.add_slow_server();
        spec.args = workload.arguments(&given).unwrap();
        let run = Run::go(spec).until_over();
        let results = vec![TaskOutcome::Repr(result.to_owned()); tasks as usize];
        assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), results, "{id}");
        assert!(run.ends().values().all(LaneEnd::is_done), "{id}: {:?}", run.ends());
        // One after the other they would take forty times as long.
        let took = run.finished().unwrap() - run.started().unwrap();
        assert!(took < Nanos::from_secs(4), "{id}: {took}");
        let server = run.controller.plan().slow_server().unwrap();
        assert_eq!(server.id, LaneId(1), "{id}");
        let order = run.order(server.id.0);
        assert_eq!(order[..4], ["starting/fork", "starting/exec", "starting/init", "io"], "{id}");
        assert!(run.order(2).contains(&"suspended".to_owned()), "{id}: {:?}", run.order(2));
        assert_eq!(run.collector.tally().dropped, 0);
    }
}
