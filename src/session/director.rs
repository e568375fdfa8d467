//! What the lab does between a key and `DONE`: find the size, run, measure the baseline.
//!
//! A run is worth watching if it lasts long enough for the eye, and worth
//! judging if the same work was also done one task at a time on this machine.
//! So there are three kinds of run: short pilots that tell how large a task
//! must be, the run itself, and afterwards, never meanwhile, the baseline. The
//! director keeps what it learned, and only one run is alive at any time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Source;
use crate::event::Nanos;
use crate::model::Role;
use crate::trace;
use crate::workload::{ArgValue, Workload};

use super::length::Length;
use super::size::{Sizing, Step};
use super::{Experiment, Phase, Record, Run};

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing.
    Idle,
    /// Pilots, to find the size.
    Sizing,
    /// The run that was asked for.
    Running,
    /// The baseline of the run that was asked for.
    Baseline,
}

/// Makes sources. The real one starts processes; tests have another.
pub trait Launch {
    /// A source that is ready to go, or why there is none, in a sentence.
    fn launch(&mut self, workload: &Workload, experiment: &Experiment) -> Result<Box<dyn Source>, String>;
}

/// Something a person should be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The size of a task is being found.
    Sizing,
    /// The run that was asked for has begun.
    Began {
        /// With these arguments.
        experiment: Experiment,
        /// About how long the same work takes one task after another, if that was found out to size it.
        expected: Option<Nanos>,
    },
    /// The run that was asked for is over. Its record is at hand.
    Over,
    /// The baseline has begun.
    BaselineBegan,
    /// The baseline is over.
    BaselineOver(Baseline),
    /// Nothing could be started, and why.
    Failed(String),
}

/// What became of a baseline.
#[derive(Clone, Debug, PartialEq)]
pub enum Baseline {
    /// It took so long.
    Measured(Nanos),
    /// A task failed, a worker died, or it could not be started: there is nothing to measure against.
    Failed {
        /// Why, in a sentence.
        why: String,
        /// After so long.
        after: Nanos,
    },
    /// It was stopped.
    Stopped,
}

/// What was wished for, with what is needed to carry it out.
#[derive(Clone)]
struct Wish {
    workload: Arc<Workload>,
    experiment: Experiment,
    length: Length,
}

/// Directs one run at a time.
pub struct Director<L> {
    launcher: L,
    stage: Stage,
    wish: Option<Wish>,
    sizing: Option<(String, Sizing)>,
    run: Option<Run>,
    shown: Option<Record>,
    sizes: HashMap<SizeKey, (ArgValue, Nanos)>,
    baselines: Vec<Measured>,
}

/// The same work done one task at a time.
struct Measured {
    experiment: Experiment,
    elapsed: Nanos,
    /// Instructions a millisecond of running, where they were counted.
    per_ms: Option<f64>,
}

impl Measured {
    /// None where no experiment was carried out.
    fn of(record: &Record) -> Option<Measured> {
        let (experiment, trace) = (record.experiment.clone()?, &record.trace);
        Some(Measured { experiment, elapsed: trace.elapsed(), per_ms: trace.workers_progress().per_ms() })
    }
}

/// One task's size depends on all of these.
type SizeKey = (String, String, Nanos, bool);

impl<L: Launch> Director<L> {
    /// A director with nothing to do.
    pub fn new(launcher: L) -> Director<L> {
        Director {
            launcher,
            stage: Stage::Idle,
            wish: None,
            sizing: None,
            run: None,
            shown: None,
            sizes: HashMap::new(),
            baselines: Vec::new(),
        }
    }

    /// What is under way.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The run that is alive, whatever it is for.
    pub fn run(&mut self) -> Option<&mut Run> {
        self.run.as_mut()
    }

    /// What to show: the run that was asked for, alive or over.
    pub fn record(&self) -> Option<&Record> {
        match (&self.run, self.stage) {
            (Some(run), Stage::Running) => Some(run.record()),
            _ => self.shown.as_ref(),
        }
    }

    /// How long the same work takes one task after another, if that was measured.
    pub fn baseline(&self, experiment: &Experiment) -> Option<Nanos> {
        self.measured(experiment).map(|measured| measured.elapsed)
    }

    /// How many instructions it does then in a millisecond of running, if that was measured.
    pub fn alone(&self, experiment: &Experiment) -> Option<f64> {
        self.measured(experiment)?.per_ms
    }

    fn measured(&self, experiment: &Experiment) -> Option<&Measured> {
        self.baselines.iter().find(|measured| measured.experiment.same_work(experiment))
    }

    /// Begins anew. Whatever was alive is ended.
    pub fn start(&mut self, workload: Arc<Workload>, experiment: Experiment, length: Length) -> Vec<Notice> {
        self.halt();
        self.shown = None;
        let wish = Wish { workload, experiment, length };
        let open = wish
            .workload
            .arguments
            .iter()
            .find(|argument| argument.size && !wish.experiment.args.iter().any(|(name, _)| *name == argument.name));
        let target = length.target().map(|target| Nanos(target.0 / u64::from(wish.experiment.task_count().max(1))));
        let decided = match (open, target) {
            (Some(argument), Some(target)) => match self.sizes.get(&size_key(&wish, target)) {
                Some((value, each)) => Some((argument.name.clone(), *value, Some(*each))),
                None => {
                    self.sizing = Some((argument.name.clone(), Sizing::new(argument, target)));
                    self.wish = Some(wish);
                    let mut notices = vec![Notice::Sizing];
                    notices.extend(self.next_pilot());
                    return notices;
                }
            },
            (Some(argument), None) if length == Length::UntilStopped => {
                Some((argument.name.clone(), argument.max, None))
            }
            _ => None,
        };
        self.wish = Some(wish);
        self.run_wish(decided)
    }

    /// Ends what is alive. What was recorded stays to be seen.
    pub fn stop(&mut self) -> Vec<Notice> {
        if let Some(run) = &mut self.run {
            run.stop();
        }
        if self.stage == Stage::Running {
            self.shown = self.run.take().map(Run::into_record);
        }
        let notices = match self.stage {
            Stage::Idle => Vec::new(),
            Stage::Sizing | Stage::Running => vec![Notice::Over],
            Stage::Baseline => vec![Notice::BaselineOver(Baseline::Stopped)],
        };
        self.halt();
        notices
    }

    /// Does the same work one task after another, unless it is known how long that takes. What is shown stays.
    pub fn measure(&mut self, baseline: &Experiment) -> Vec<Notice> {
        if let Some(elapsed) = self.baseline(baseline) {
            return vec![Notice::BaselineOver(Baseline::Measured(elapsed))];
        }
        match self.launch(baseline, Stage::Baseline) {
            Ok(()) => vec![Notice::BaselineBegan],
            Err(why) => vec![Notice::BaselineOver(Baseline::Failed { why, after: Nanos::ZERO })],
        }
    }

    /// Takes in what has become known, and goes on to what comes next.
    pub fn poll(&mut self) -> Vec<Notice> {
        let Some(run) = &mut self.run else { return Vec::new() };
        run.poll();
        if !run.record().is_over() {
            return Vec::new();
        }
        let record = self.run.take().map(Run::into_record);
        let Some(record) = record else { return Vec::new() };
        match self.stage {
            Stage::Idle => Vec::new(),
            Stage::Sizing => self.pilot_over(&record),
            Stage::Running => self.run_over(record),
            Stage::Baseline => {
                self.stage = Stage::Idle;
                let measured = is_whole(&record).then(|| Measured::of(&record)).flatten();
                let became = match &measured {
                    Some(measured) => Baseline::Measured(measured.elapsed),
                    None => Baseline::Failed { why: record.shortfall(), after: record.trace.elapsed() },
                };
                self.baselines.extend(measured);
                vec![Notice::BaselineOver(became)]
            }
        }
    }

    fn halt(&mut self) {
        self.run = None;
        self.sizing = None;
        self.stage = Stage::Idle;
    }

    fn launch(&mut self, experiment: &Experiment, stage: Stage) -> Result<(), String> {
        let Some(wish) = &self.wish else { return Err("nothing was asked for".to_owned()) };
        let source = self.launcher.launch(&wish.workload, experiment)?;
        let mut run = Run::new(experiment.clone(), source, trace::DEFAULT_BUDGET);
        run.go();
        self.run = Some(run);
        self.stage = stage;
        Ok(())
    }

    fn fail(&mut self, why: String) -> Vec<Notice> {
        self.halt();
        vec![Notice::Failed(why)]
    }

    fn next_pilot(&mut self) -> Vec<Notice> {
        let (Some((name, sizing)), Some(wish)) = (&self.sizing, &self.wish) else { return Vec::new() };
        match sizing.step() {
            Step::Pilot(value) => {
                let pilot = wish.experiment.pilot(&wish.workload, name, value);
                match self.launch(&pilot, Stage::Sizing) {
                    Ok(()) => Vec::new(),
                    Err(why) => self.fail(why),
                }
            }
            Step::Settled(value) => {
                let each = sizing.expected();
                let decided = (name.clone(), value, Some(each));
                if let Some(target) = wish.length.target() {
                    let target = Nanos(target.0 / u64::from(wish.experiment.task_count().max(1)));
                    let key = size_key(wish, target);
                    self.sizes.insert(key, (value, each));
                }
                self.sizing = None;
                self.run_wish(Some(decided))
            }
        }
    }

    fn pilot_over(&mut self, record: &Record) -> Vec<Notice> {
        if !is_whole(record) {
            // The run itself will tell better than a pilot what is wrong.
            self.sizing = None;
            return self.run_wish(None);
        }
        if let Some((_, sizing)) = &mut self.sizing {
            sizing.measured(record.elapsed_each());
        }
        self.next_pilot()
    }

    /// Runs it, with this value of this argument, a task of which takes so long.
    fn run_wish(&mut self, decided: Option<(String, ArgValue, Option<Nanos>)>) -> Vec<Notice> {
        let Some(wish) = &self.wish else { return Vec::new() };
        let mut experiment = wish.experiment.clone();
        let each = decided.as_ref().and_then(|(.., each)| *each);
        let expected = each.map(|each| Nanos(each.0.saturating_mul(u64::from(experiment.task_count()))));
        experiment.args.extend(decided.map(|(name, value, _)| (name, value)));
        match self.launch(&experiment, Stage::Running) {
            Ok(()) => vec![Notice::Began { experiment, expected }],
            Err(why) => self.fail(why),
        }
    }

    fn run_over(&mut self, record: Record) -> Vec<Notice> {
        self.stage = Stage::Idle;
        if is_whole(&record)
            && let Some(experiment) = record.experiment.as_ref().filter(|it| it.model == "sequential")
        {
            self.baselines.retain(|measured| !measured.experiment.same_work(experiment));
            self.baselines.extend(Measured::of(&record));
        }
        self.shown = Some(record);
        vec![Notice::Over]
    }
}

/// Whether a run came to its end with every task done and every worker alive.
pub fn is_whole(record: &Record) -> bool {
    record.phase == Phase::Ended
        && !record.has_failures()
        && record.description.lanes.iter().any(|lane| lane.role == Role::Worker)
}

fn size_key(wish: &Wish, target: Nanos) -> SizeKey {
    let arguments: Vec<String> = wish.experiment.args.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    (wish.workload.source.clone(), arguments.join(" "), target, wish.experiment.rules == crate::vm::Rules::V3_9)
}

#[cfg(test)]
mod tests;
