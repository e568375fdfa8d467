//! A workload in a real CPython as a source: its own interpreter, driven by a script of ours with the pools of its own
//! standard library.
//!
//! The script (`assets/driver.py`) says when the clock started and what came of each task; what its threads do in
//! between is seen from outside (`watched`). Where that is not possible the lanes of the plan are told of as unknown,
//! and only the processor time of all of them is known. The script and the workload are lent to the interpreter as files in memory,
//! so nothing is written to a disk and nothing is left there.

mod probe;
mod reports;
mod watched;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, Nanos, State, TaskId};
use crate::interp::{ServerError, SlowServer, TooMany};
use crate::model::{Model, Plan, Pool};
use crate::program::{Exit, Lent, Program, this_program};
use crate::workload::{self, ArgKind, ArgValue, Workload};

pub use probe::{Offer, Python, probe, probe_under};
use reports::{Reports, Said};
use watched::Watched;

use super::{CoreEvidence, Description, Signal, Source, TaskOutcome, switches};

/// The script that runs inside the interpreter.
const DRIVER: &str = include_str!("../../assets/driver.py");

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// Its model.
    pub model: &'static Model,
    /// Its lanes, as the model plans them.
    pub plan: Plan,
    /// The arguments of `work`, all of them.
    pub args: Vec<(String, ArgValue)>,
    /// How many times it is called.
    pub tasks: u32,
    /// The switch interval.
    pub switch_interval: Nanos,
    /// The interpreter to run it in.
    pub python: PathBuf,
}

/// Why it could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such interpreter.
    #[error("there is no Python at {}: name another with --python, or see `gilscope list pythons`", .0.display())]
    NoPython(PathBuf),
    /// The system refused something it takes.
    #[error("{} could not be started: {source}", .python.display())]
    System {
        /// The interpreter.
        python: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The workload needs the slow server, and there is none.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// It wants more connections than can be had.
    #[error(transparent)]
    Connections(#[from] TooMany),
}

/// A run in a real CPython.
pub struct Driven {
    program: Program,
    /// Both are read by the interpreter whenever it makes a process.
    _lent: [Lent; 2],
    /// Whom the workload makes its requests to.
    _server: Option<SlowServer>,
    reports: Reports,
    description: Description,
    python: PathBuf,
    plan: Plan,
    process: Option<u32>,
    watched: Option<Watched>,
    /// Whether it is to begin as soon as it can.
    go: bool,
    exit: Option<Exit>,
    begun: Option<Nanos>,
    ended: Option<Nanos>,
    failed: Option<String>,
    stopped: bool,
    over: bool,
}

/// What the script is told.
#[derive(Serialize)]
struct Told<'a> {
    file: &'a Path,
    name: &'a str,
    model: &'static str,
    start: Option<&'static str>,
    workers: usize,
    processes: usize,
    tasks: u32,
    args: serde_json::Map<String, serde_json::Value>,
    switch_interval: Option<f64>,
    report: &'a Path,
    wait: bool,
}

/// Starts the interpreter and lets it load the module; [`Source::go`] lets it begin as soon as that is done.
pub fn start(order: &Order) -> Result<Driven, StartError> {
    start_under(&this_program(), order)
}

/// The same with another executable of this program, for those who are not that program themselves: tests.
pub fn start_under(gilscope: &Path, order: &Order) -> Result<Driven, StartError> {
    let mut args = order.args.clone();
    let wants = workload::wants(&order.workload.source, &args);
    if let Some(wanted) = &wants.connections {
        crate::interp::check_connections(wanted, &order.plan, order.tasks)?;
        // The interpreter inherits what we may have open.
        crate::observe::allow_descriptors();
    }
    let server = match &wants.server {
        Some(wanted) => Some(SlowServer::start_program(gilscope, u16::try_from(wanted.number).unwrap_or(0))?),
        None => None,
    };
    if let (Some(wanted), Some(server)) = (&wants.server, &server) {
        workload::tell_port(wanted, &mut args, server.port());
    }
    let refused = switches::probe().err().map(|why| why.to_string());
    let started =
        Started::new(gilscope, &order.python, order.workload, |file, report| told(order, &args, file, report))?;
    Ok(Driven {
        program: started.program,
        _lent: started.lent,
        _server: server,
        reports: started.reports,
        description: Description {
            engine: "cpython",
            lanes: Vec::new(),
            locks: Vec::new(),
            core_evidence: if refused.is_none() { CoreEvidence::SwitchRecords } else { CoreEvidence::None },
            core_evidence_reason: refused,
            program: None,
            observing: None,
        },
        python: order.python.clone(),
        plan: order.plan.clone(),
        process: None,
        watched: None,
        go: false,
        exit: None,
        begun: None,
        ended: None,
        failed: None,
        stopped: false,
        over: false,
    })
}

/// An interpreter that was started with our script, and what it needs.
struct Started {
    program: Program,
    lent: [Lent; 2],
    reports: Reports,
}

impl Started {
    /// Starts it; what the script is told depends on where the workload lies and where it is to write to.
    fn new(
        gilscope: &Path,
        python: &Path,
        workload: &Workload,
        told: impl FnOnce(&Path, &Path) -> String,
    ) -> Result<Started, StartError> {
        if !python.is_file() {
            return Err(StartError::NoPython(python.to_owned()));
        }
        let refused = |source: std::io::Error| StartError::System { python: python.to_owned(), source };
        let driver = Lent::new("gilscope-driver.py", DRIVER.as_bytes()).map_err(refused)?;
        let file = Lent::new("gilscope-workload.py", workload.source.as_bytes()).map_err(refused)?;
        let reports = Reports::new().map_err(refused)?;
        let told = told(&file.path(), &reports.path());
        let command: [OsString; 3] = [python.into(), driver.path().into(), told.into()];
        // The slow server is on this machine, and no proxy's business.
        let mut without_proxy = std::env::var("no_proxy").or_else(|_| std::env::var("NO_PROXY")).unwrap_or_default();
        without_proxy += if without_proxy.is_empty() { "127.0.0.1" } else { ",127.0.0.1" };
        // Byte code would be written beside the file, which is in no folder.
        let environment = [("PYTHONDONTWRITEBYTECODE", "1"), ("no_proxy", without_proxy.as_str())];
        let program = Program::start_under(gilscope, &command, &environment).map_err(refused)?;
        Ok(Started { program, lent: [driver, file], reports })
    }
}

/// The order as the script reads it.
fn told(order: &Order, args: &[(String, ArgValue)], file: &Path, report: &Path) -> String {
    let kind = |name: &str| order.workload.arguments.iter().find(|it| it.name == name).map(|it| it.kind);
    let args = args.iter().map(|(name, value)| {
        let value = match (kind(name), value) {
            (Some(ArgKind::Bytes), value) => serde_json::json!({ "mebibytes": value }),
            (Some(ArgKind::Url), ArgValue::Int(port)) => serde_json::json!(format!("http://127.0.0.1:{port}")),
            (_, value) => serde_json::json!(value),
        };
        (name.clone(), value)
    });
    let (workers, processes) = (order.plan.workers().count(), order.plan.worker_processes());
    let told = Told {
        file,
        name: &order.workload.id,
        model: order.model.family,
        start: order.model.start.map(|start| start.name()),
        workers: if order.plan.pool == Pool::InPlace { 1 } else { workers },
        processes,
        tasks: order.tasks,
        args: args.collect(),
        switch_interval: Some(order.switch_interval.as_secs_f64()),
        report,
        wait: true,
    };
    serde_json::to_string(&told).expect("numbers and texts can be written")
}

impl Source for Driven {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn go(&mut self) {
        self.go = true;
        if self.process.is_some() {
            self.program.tell("go");
        }
    }

    fn poll(&mut self, say: &mut dyn FnMut(Signal)) {
        if self.over {
            return;
        }
        // Asked before reading: what was said before the end is then read.
        self.exit = self.exit.or_else(|| self.program.poll());
        if let Some(watched) = &mut self.watched {
            watched.collect();
        }
        for said in self.reports.read() {
            self.hear(said, say);
        }
        // The observer sees the end by itself, some milliseconds later.
        let over = self.exit.is_some() && self.watched.as_ref().is_none_or(Watched::is_over);
        if let Some(watched) = &mut self.watched {
            if over {
                watched.collect();
            }
            watched.tell(over, say);
        }
        if let Some(exit) = self.exit.filter(|_| over) {
            self.end(exit, say);
        }
    }

    fn set_switch_interval(&mut self, _: Nanos) {}

    fn pids(&self) -> Vec<u32> {
        match &self.watched {
            Some(watched) => watched.pids(),
            None => self.process.into_iter().collect(),
        }
    }

    fn lines(&self) -> Vec<(LaneId, Line)> {
        Vec::new()
    }

    fn output(&self) -> String {
        self.program.output()
    }

    fn output_left_out(&self) -> u64 {
        self.program.output_left_out()
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.program.stop();
        if let Some(watched) = &mut self.watched {
            watched.stop();
        }
    }

    fn suspend(&mut self) {
        self.program.suspend();
    }

    fn resume(&mut self) -> bool {
        self.program.resume();
        false
    }
}

impl Driven {
    /// The process group of all its processes.
    pub fn group(&self) -> u32 {
        self.program.group()
    }

    fn hear(&mut self, said: Said, say: &mut dyn FnMut(Signal)) {
        if let (Some(_), Some(pid)) = (said.ready, said.pid) {
            self.meet(pid, say);
        }
        if let (Some(tid), Some(pid), Some(watched)) = (said.worker, said.pid, &mut self.watched) {
            watched.works(tid, pid, said.at.map_or(Nanos::ZERO, Nanos));
        }
        if let Some(at) = said.began.map(Nanos) {
            self.begun = Some(at);
            say(Signal::Began(at));
            match &mut self.watched {
                Some(watched) => watched.began(at),
                None => self.plan.lanes.iter().for_each(|lane| {
                    let kind = EventKind::State { to: State::Unknown, detail: Detail::None };
                    let event = Event { at, lane: lane.id, core: CoreId::UNKNOWN, line: Line::NONE, kind };
                    say(Signal::Event(event));
                }),
            }
        }
        if let Some(task) = said.task.map(TaskId) {
            let outcome = match (said.repr, said.error) {
                (Some(repr), _) => TaskOutcome::Value(repr),
                (None, error) => TaskOutcome::Error { text: error.unwrap_or_default(), line: said.line },
            };
            say(Signal::Task { task, outcome });
        }
        if let Some(at) = said.ended.map(Nanos) {
            self.ended = Some(at);
            match &mut self.watched {
                Some(watched) => watched.ended(at),
                None => say(Signal::Upto(at)),
            }
        }
        // The sum over all processes is the worse figure: it has what the first one does, too.
        if !self.watched.as_ref().is_some_and(Watched::has_switch_records) {
            said.cpu.map(Nanos).into_iter().for_each(|time| say(Signal::CpuTime(time)));
        }
        said.memory.into_iter().for_each(|processes| say(Signal::Memory(processes)));
        said.outcome.into_iter().for_each(|repr| say(Signal::Outcome(repr)));
        let line = said.line;
        said.outcome_raised.into_iter().for_each(|text| say(Signal::OutcomeRaised { text, line }));
        self.failed = self.failed.take().or(said.failed);
    }

    /// The interpreter has loaded the file and waits: now it can be observed from its first step on.
    fn meet(&mut self, pid: u32, say: &mut dyn FnMut(Signal)) {
        self.process = Some(pid);
        let records = self.description.core_evidence == CoreEvidence::SwitchRecords;
        // Lanes are told of with or without records of cores; which, was said before.
        self.watched = Watched::attach(pid, &self.plan).ok().filter(|it| it.has_switch_records() == records);
        if self.watched.is_none() {
            self.plan.locks.iter().cloned().for_each(|lock| say(Signal::LockAdded(lock)));
            self.plan.lanes.iter().cloned().for_each(|lane| say(Signal::LaneAdded(lane)));
        }
        if self.go {
            self.program.tell("go");
        }
    }

    fn end(&mut self, exit: Exit, say: &mut dyn FnMut(Signal)) {
        self.over = true;
        if let (Some(at), None) = (self.ended, &self.failed) {
            match &mut self.watched {
                Some(watched) => watched.finish(say),
                None => self.plan.lanes.iter().for_each(|lane| {
                    say(Signal::LaneEnded { lane: lane.id, at: None, how: "done".to_owned() });
                }),
            }
            return say(Signal::Ended(at));
        }
        if self.stopped && self.failed.is_none() {
            return say(Signal::Stopped);
        }
        let why = self.failed.take().unwrap_or_else(|| why(exit, &self.program));
        say(Signal::Failed(format!("{}: {why}", self.python.display())));
    }
}

/// How an interpreter ended that said nothing of it.
fn why(exit: Exit, program: &Program) -> String {
    let last = program.errors().lines().last().map(|line| format!(": {line}")).unwrap_or_default();
    match exit {
        Exit::Signal(signal) => format!("it was killed by {}", crate::interp::signal_name(signal)),
        Exit::Status(status) => format!("it ended early with exit status {status}{last}"),
    }
}
