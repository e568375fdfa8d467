//! What a person chose.

use std::sync::Arc;

use crate::calibration::Calibration;
use crate::engine::driven::{self, Python};
use crate::engine::emulated::Order;
use crate::engine::machine;
use crate::event::Nanos;
use crate::model::{self, Model, Plan};
use crate::vm::Rules;
use crate::workload::{ArgValue, Workload};

use super::Interpreter;
use super::memory::{Room, shortage};

/// A workload, a model, and the settings of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// The workload's id, or the path of a file.
    pub workload: String,
    /// The model's id, start method included: `processes:fork`.
    pub model: String,
    /// How many execution units do tasks.
    pub workers: u32,
    /// Over how many processes the hybrid model spreads them (`2x4`); its own choice unless said otherwise.
    pub processes: Option<u32>,
    /// How many times `work` is called; as often as there are workers unless said otherwise.
    pub tasks: Option<u32>,
    /// The arguments of `work` that differ from the workload's defaults.
    pub args: Vec<(String, ArgValue)>,
    /// How long a waiter waits before it asks the holder to drop the lock.
    pub switch_interval: Nanos,
    /// Where the evaluation loop may switch.
    pub rules: Rules,
    /// As whose start-up a birth costs; none for a bare miniature.
    pub start_up: Option<Arc<Calibration>>,
    /// Whose interpreter does it.
    pub interpreter: Interpreter,
}

/// The parameter that a function of a workload is told by into how many tasks the work is cut.
const TASKS: &str = "tasks";

/// What a run is made of, once nothing speaks against it.
type Checked = (&'static Model, Plan, Vec<(String, ArgValue)>);

impl Experiment {
    /// CPython's default (`sys.getswitchinterval()`).
    pub const DEFAULT_SWITCH_INTERVAL: Nanos = Nanos::from_millis(5);

    /// A task a worker, the workload's own arguments, and everything else as in a CPython of today; its start-up is free.
    pub fn new(workload: &str, model: &str, workers: u32) -> Experiment {
        Experiment {
            workload: workload.to_owned(),
            model: model.to_owned(),
            workers,
            processes: None,
            tasks: None,
            args: Vec::new(),
            switch_interval: Experiment::DEFAULT_SWITCH_INTERVAL,
            rules: Rules::V3_10,
            start_up: None,
            interpreter: Interpreter::Miniature,
        }
    }

    /// How many tasks there are.
    pub fn task_count(&self) -> u32 {
        self.tasks.unwrap_or(self.workers)
    }

    /// The same work, one task after another: what every other model is measured against.
    pub fn baseline(&self) -> Experiment {
        Experiment { model: "sequential".to_owned(), tasks: Some(self.task_count()), ..self.clone() }
    }

    /// One task alone with this value, to learn how long it takes: one at a time, or as one of its own workers where the
    /// workload has nothing that could be called without an event loop. Where tasks differ, two of them: files that tell
    /// them apart do so by even and odd. Where the work is cut into as many tasks as there are, it is told how many there
    /// will be, or it would do all of the work.
    pub fn pilot(&self, workload: &Workload, name: &str, value: ArgValue) -> Experiment {
        let tasks = Some(if workload.differs_by_task() { self.task_count().clamp(1, 2) } else { 1 });
        let alone = Experiment { tasks, ..self.baseline() };
        let can = model::find(&alone.model).is_ok_and(|model| model.objection(workload).is_none());
        let mut pilot = if can { alone } else { Experiment { workers: 1, processes: None, tasks, ..self.clone() } };
        pilot.args.retain(|(known, _)| known != name);
        pilot.args.push((name.to_owned(), value));
        if workload.is_cut_by_tasks() {
            pilot.args.push((TASKS.to_owned(), ArgValue::Int(self.task_count().into())));
        }
        pilot
    }

    /// As whose the births of this run cost, or the connections of its event loop, if the workload opens any; none for a
    /// bare miniature, and where there is neither.
    pub fn start_up_paid(&self, opens_streams: bool) -> Option<&Calibration> {
        let pays = |model: &Model| model.has_births() || model.runs_coroutines() && opens_streams;
        self.start_up.as_deref().filter(|_| model::find(&self.model).is_ok_and(pays))
    }

    /// What a birth costs, in words: `start-up as CPython 3.13.0`.
    pub fn start_up_words(&self) -> String {
        self.as_whose("start-up")
    }

    /// What this run pays for, in words: the same, or of an event loop `connections as CPython 3.13.0`.
    pub fn paid_words(&self) -> String {
        self.as_whose(model::find(&self.model).map_or("start-up", Model::pays_for))
    }

    fn as_whose(&self, what: &str) -> String {
        match &self.start_up {
            Some(calibration) => format!("{what} as {}", calibration.name()),
            None => what.to_owned(),
        }
    }

    /// Why it is not run, in a sentence; none if it can be: no such model, too many workers, a pair that makes no
    /// sense, an interpreter that has not what it takes, too little memory.
    pub fn refusal(&self, workload: &Workload) -> Option<String> {
        self.checked(workload).err()
    }

    /// The value of every argument, and into how many tasks the work is cut where that is not how many there are.
    pub fn all_args(&self, workload: &Workload) -> Vec<(String, ArgValue)> {
        let mut args: Vec<(String, ArgValue)> =
            workload.arguments.iter().map(|argument| (argument.name.clone(), argument.default)).collect();
        for (name, value) in &self.args {
            match args.iter_mut().find(|(known, _)| known == name) {
                Some(arg) => arg.1 = *value,
                None if name == TASKS && workload.is_cut_by_tasks() => args.push((name.clone(), *value)),
                None => {}
            }
        }
        args
    }

    /// Its model, its plan and all its arguments, or why it is not run.
    fn checked(&self, workload: &Workload) -> Result<Checked, String> {
        let model = model::find(&self.model).map_err(|why| why.to_string())?;
        let plan = model.plan_over(self.workers, self.processes).map_err(|why| why.to_string())?;
        if let Some(why) = model.objection(workload) {
            return Err(format!("the model `{}` makes no sense here: {why}", model.id));
        }
        if let Some(why) = self.interpreter.lacks(model) {
            return Err(why);
        }
        let args = self.all_args(workload);
        let room = Room { available: machine::memory_available(), address_space: machine::address_space_allowed() };
        if let Some(why) = shortage(workload, &args, &plan, self.task_count(), room) {
            return Err(why);
        }
        Ok((model, plan, args))
    }

    /// What the miniature needs to run it, or why it is not run.
    pub fn order<'a>(&self, workload: &'a Workload, record: bool) -> Result<Order<'a>, String> {
        let (_, plan, args) = self.checked(workload)?;
        Ok(Order {
            workload,
            plan,
            args,
            tasks: self.task_count(),
            switch_interval: self.switch_interval,
            rules: self.rules,
            costs: self.start_up.as_ref().map(|calibration| calibration.costs).unwrap_or_default(),
            record,
        })
    }

    /// What it takes to run it in this CPython, or why it is not run.
    pub fn driven_order<'a>(&self, workload: &'a Workload, python: &Python) -> Result<driven::Order<'a>, String> {
        let (model, plan, args) = self.checked(workload)?;
        let (tasks, switch_interval, python) = (self.task_count(), self.switch_interval, python.path.clone());
        Ok(driven::Order { workload, model, plan, args, tasks, switch_interval, python })
    }

    /// Whether a run of `other` does the same work, so that their lengths may be compared.
    pub fn same_work(&self, other: &Experiment) -> bool {
        self.baseline_key() == other.baseline_key()
    }

    fn baseline_key(&self) -> (&str, u32, &[(String, ArgValue)], Nanos, bool, &Interpreter) {
        let rules = self.rules == Rules::V3_9;
        (&self.workload, self.task_count(), &self.args, self.switch_interval, rules, &self.interpreter)
    }
}

/// Reads `5ms`, `10s`, `250us`, `1.5s`, `800ns`.
pub fn parse_duration(text: &str) -> Result<Nanos, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_alphabetic() || c == 'µ').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "" => return Err(format!("'{text}' lacks a unit: write {text}ms or {text}s")),
        other => return Err(format!("'{other}' is no unit of time: use ns, us, ms, s or min")),
    };
    match number.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(Nanos((value * scale).round() as u64)),
        _ => Err(format!("'{text}' is no duration: write for example 5ms or 10s")),
    }
}

/// Writes a duration as it is read: `5ms`, `1.5s`.
pub fn format_duration(span: Nanos) -> String {
    let (scale, unit) = match span.0 {
        0..1_000 => (1.0, "ns"),
        1_000..1_000_000 => (1e3, "us"),
        1_000_000..1_000_000_000 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{}{unit}", span.0 as f64 / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        for text in ["5ms", "10s", "1.5s", "250us", "800ns", "100us"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_duration_without_a_unit_or_without_sense_is_refused_with_advice() {
        assert_eq!(parse_duration("5").unwrap_err(), "'5' lacks a unit: write 5ms or 5s");
        assert!(parse_duration("-5ms").unwrap_err().contains("no duration"));
        assert!(parse_duration("nanms").is_err());
        assert!(parse_duration("5 parsecs").unwrap_err().contains("no unit of time"));
        assert!(parse_duration("").is_err());
    }
}
