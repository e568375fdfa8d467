//! Runs that are over at once, for tests of who orders them.

use std::sync::Arc;

use crate::engine::{CoreEvidence, Description, Signal, Source, TaskOutcome};
use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId, Nanos, State, TaskId};
use crate::model::{self, Role};
use crate::workload::{ArgValue, Argument, Bound, Workload};

use super::{Experiment, Launch};

/// What the fake runs are like.
#[derive(Clone, Default)]
pub struct World {
    /// What was launched, in order.
    pub launched: std::rc::Rc<std::cell::RefCell<Vec<Experiment>>>,
    /// Every task of this model fails.
    pub failing: Option<&'static str>,
    /// This model is not launched at all.
    pub refused: Option<&'static str>,
    /// Each poll of this model ends one task and no more.
    pub slow: Option<&'static str>,
}

/// Ends at its first poll, or at that of its last task, after twenty nanoseconds for each of `n` and each task; where the
/// work is cut into tasks, each has its part of `n`.
struct Fake {
    description: Description,
    length: Nanos,
    tasks: u32,
    failing: bool,
    /// How many tasks a poll ends.
    at_once: u32,
    done: u32,
}

impl Launch for World {
    fn launch(&mut self, workload: &Workload, experiment: &Experiment) -> Result<Box<dyn Source>, String> {
        if self.refused == Some(experiment.model.as_str()) {
            return Err("it makes no sense".to_owned());
        }
        self.launched.borrow_mut().push(experiment.clone());
        let plan = model::find(&experiment.model).unwrap().plan(experiment.workers).unwrap();
        let n = experiment.args.iter().find(|(name, _)| name == "n").map_or(1_000_000, |(_, value)| match value {
            ArgValue::Int(n) => *n as u64,
            ArgValue::Float(n) => *n as u64,
        });
        let told = experiment.all_args(workload).into_iter().find(|(name, _)| name == "tasks");
        let parts = match told {
            _ if !workload.is_cut_by_tasks() => 1,
            Some((_, ArgValue::Int(tasks))) => tasks as u64,
            _ => u64::from(experiment.task_count()),
        };
        let n = n / parts;
        // Another interpreter is slower.
        let real = experiment.interpreter.python().is_some();
        Ok(Box::new(Fake {
            description: Description {
                engine: "emulated",
                lanes: plan.lanes,
                locks: plan.locks,
                core_evidence: CoreEvidence::Heartbeat,
                core_evidence_reason: None,
                program: None,
                observing: None,
            },
            length: Nanos(n * 20 * u64::from(experiment.task_count()) * if real { 5 } else { 1 }),
            tasks: experiment.task_count(),
            failing: self.failing == Some(experiment.model.as_str()),
            at_once: if self.slow == Some(experiment.model.as_str()) { 1 } else { u32::MAX },
            done: 0,
        }))
    }
}

impl Source for Fake {
    fn describe(&self) -> &Description {
        &self.description
    }
    fn go(&mut self) {}
    fn poll(&mut self, say: &mut dyn FnMut(Signal)) {
        let begin = Nanos::from_secs(1);
        if self.done == 0 {
            say(Signal::Began(begin));
        }
        let ending = self.done..self.tasks.min(self.done.saturating_add(self.at_once));
        for task in ending.clone() {
            let outcome = match self.failing {
                true => TaskOutcome::Error { text: "ValueError".to_owned(), line: Some(1) },
                false => TaskOutcome::Value("1".to_owned()),
            };
            say(Signal::Task { task: TaskId(task), outcome });
        }
        self.done = ending.end;
        if ending.is_empty() || self.done < self.tasks {
            return;
        }
        let worker = self.description.lanes.iter().find(|lane| lane.role == Role::Worker).unwrap();
        let (lane, lock) = (worker.id, worker.lock.unwrap_or(LockId(0)));
        let event = |at, kind| Event { at, lane, core: CoreId(0), line: Line(1), kind };
        let (work, end) = (begin + Nanos::from_millis(1), begin + Nanos::from_millis(1) + self.length);
        let birth = EventKind::State { to: State::Starting, detail: Detail::None };
        say(Signal::Event(event(begin, birth)));
        say(Signal::Event(event(work, EventKind::Take { lock, to: State::Running })));
        let gone = EventKind::Drop { lock, to: State::Done, detail: Detail::None, requested: false };
        say(Signal::Event(event(end, gone)));
        for lane in 0..self.description.lanes.len() {
            say(Signal::LaneEnded { lane: LaneId(lane as u32), at: None, how: "done".to_owned() });
        }
        say(Signal::Ended(end));
    }
    fn set_switch_interval(&mut self, _: Nanos) {}
    fn pids(&self) -> Vec<u32> {
        Vec::new()
    }
    fn lines(&self) -> Vec<(LaneId, Line)> {
        Vec::new()
    }
    fn output(&self) -> String {
        String::new()
    }
    fn output_left_out(&self) -> u64 {
        0
    }
    fn stop(&mut self) {}
    fn suspend(&mut self) {}
    fn resume(&mut self) -> bool {
        false
    }
}

/// Of one argument, `n`, on which its length hangs.
pub fn workload() -> Arc<Workload> {
    Arc::new(Workload {
        id: "sum".to_owned(),
        title: "sum".to_owned(),
        bound: Bound::Cpu,
        watch: String::new(),
        arguments: vec![Argument {
            name: "n".to_owned(),
            help: String::new(),
            kind: Default::default(),
            default: ArgValue::Int(1_000_000),
            min: ArgValue::Int(1),
            max: ArgValue::Int(10_000_000_000),
            size: true,
        }],
        plain: true,
        coroutine: None,
        source: String::new(),
        path: None,
    })
}
