//! The first process: the interpreter that is booted before the clock starts
//! and that makes the workers.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::channel::Channel;
use super::host::WorkerHost;
use super::interpreter::{Interpreter, Settings, interpreter_failed, told};
use super::message::{CONTROL_LIMIT, LaneEnd, Load, Order, Report};
use super::reporter::Reporter;
use super::spawn::Born;
use super::{coroutines, in_place, processes, subinterpreters, threads};
use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, EventKind, LaneId, Line, State};
use crate::model::Pool;
use crate::record::{ProcessMemory, Recorder, Rings};
use crate::vm::Value;

/// The first process with its module loaded.
pub(super) struct First {
    pub(super) load: Load,
    /// The module's text, for those who need to be told.
    pub(super) source: Vec<u8>,
    pub(super) args: Vec<(String, Value)>,
    pub(super) interpreter: Interpreter,
    pub(super) reporter: Reporter,
    pub(super) rings: Rings,
}

impl First {
    /// The run's time begins. Main's accounts up to here are no part of it.
    pub(super) fn start(&self, main: &mut WorkerHost) {
        main.count_from_here();
        let at = Monotonic.now();
        self.rings.start(at);
        self.reporter.tell(&Report::Started { at });
    }

    /// The last result is in: the run's time ends.
    pub(super) fn finished(&self) {
        self.finished_beside([]);
    }

    /// The same with other processes that take part and are still there.
    pub(super) fn finished_beside(&self, others: impl IntoIterator<Item = u32>) {
        self.reporter.tell(&Report::Finished { at: self.rings.end() });
        self.tell_memory(others);
    }

    /// What this process and others hold now that the clock stands.
    pub(super) fn tell_memory(&self, others: impl IntoIterator<Item = u32>) {
        let pids = std::iter::once(std::process::id()).chain(others);
        // Whoever has ended meanwhile holds nothing.
        let held = pids.map(ProcessMemory::read).filter(|held| held.rss.is_some());
        self.reporter.tell(&Report::Memory(held.collect()));
    }

    /// A lane is over.
    pub(super) fn lane_ended(&self, lane: LaneId, how: LaneEnd) {
        self.reporter.tell(&Report::LaneEnded { lane, how });
    }
}

/// Boots, loads, waits for the word, runs, and ends in order.
pub(super) fn live(born: Born) -> Result<(), String> {
    let rings = Rings::open(born.rings).map_err(|error| error.to_string())?;
    // Until there is an interpreter its lane is told of by a recorder alone.
    let mut recorder = if born.record { Recorder::new(&rings, 0, LaneId(0)) } else { Recorder::off() };
    recorder.record(Line::NONE, step(Detail::Init));
    let channel = Channel::new(born.channel, CONTROL_LIMIT);
    let reporter = Reporter::new(channel).map_err(|error| format!("no way to report: {error}"))?;
    let Some((Order::Load(load), source)) = reporter.order() else {
        return Err("nobody said what to load".to_owned());
    };
    recorder.record(Line::NONE, step(Detail::Import));
    let result = load_and_run(*load, source, reporter, rings, recorder);
    let _ = std::io::stdout().flush();
    result
}

fn step(detail: Detail) -> EventKind {
    EventKind::State { to: State::Starting, detail }
}

fn load_and_run(
    load: Load,
    source: Vec<u8>,
    reporter: Reporter,
    rings: Rings,
    recorder: Recorder,
) -> Result<(), String> {
    let settings = Settings {
        lock: load.plan.lanes.first().and_then(|lane| lane.lock),
        rules: load.rules,
        rings: rings.clone(),
        costs: load.costs,
        record: load.record,
    };
    let interpreter = match Interpreter::new(&String::from_utf8_lossy(&source), &load.file, &load.name, settings) {
        Ok(interpreter) => interpreter,
        Err(why) => return fail(&reporter, why),
    };
    drop(recorder);
    let function = interpreter.work(load.plan.pool).unwrap_or("work");
    let args = interpreter.values(&String::from_utf8_lossy(&source), function, &load.args, load.tasks);
    run(&First { load, source, args, interpreter, reporter, rings })
}

fn run(first: &First) -> Result<(), String> {
    let First { load, interpreter, reporter, .. } = first;
    let mut main = interpreter.host(LaneId(0));
    main.take(State::Starting);
    if let Err(failure) = interpreter.prepare(&mut main) {
        let why = format!("{}, line {}: {}", load.file, failure.line, failure.text);
        return fail(reporter, format!("the file could not be loaded: {why}"));
    }
    if interpreter.work(load.plan.pool).is_none() {
        let what =
            if matches!(load.plan.pool, Pool::Coroutines { .. }) { "`async def work`" } else { "function `work`" };
        return fail(reporter, format!("{} has no {what}: define one, it is called once a task", load.file));
    }
    main.drop_to(State::Idle, Detail::None);
    let _ = std::io::stdout().flush();
    reporter.tell(&Report::Ready);
    if reporter.order().is_none() {
        return Ok(());
    }
    let end = catch_unwind(AssertUnwindSafe(|| do_all(first, &mut main)));
    drop(main);
    if let Err(panic) = end {
        return fail(reporter, interpreter_failed(&*panic));
    }
    first.lane_ended(LaneId(0), LaneEnd::Done);
    reporter.finish();
    Ok(())
}

fn do_all(first: &First, main: &mut WorkerHost) {
    main.take(State::Running);
    match first.load.plan.pool {
        Pool::InPlace => in_place::run(first, main),
        Pool::Threads { .. } => threads::run(first, main),
        Pool::Processes { .. } | Pool::Hybrid { .. } => processes::run(first, main),
        Pool::Subinterpreters { .. } => subinterpreters::run(first, main),
        Pool::Coroutines { .. } => coroutines::run(first, main),
    }
    if first.interpreter.has("outcome") {
        let outcome = first.interpreter.call(main, "outcome", Vec::new());
        first.reporter.tell(&Report::Outcome(told(outcome)));
    }
}

fn fail(reporter: &Reporter, why: String) -> Result<(), String> {
    reporter.tell(&Report::Failed(why.clone()));
    reporter.finish();
    Err(why)
}
