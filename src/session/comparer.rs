//! Runs the same work under several models, in one interpreter or several, over and over, and keeps what comes out.
//!
//! Machines have moods: another program starts, the processor warms up. If one
//! model ran five times and then the next, a mood would be taken for a model.
//! So the repeats are interleaved: each round runs every model once, the
//! baseline first, and a mood falls on all of them. One run is alive at any
//! time, or they would take each other's cores.
//!
//! Each interpreter has a baseline of its own, and its own size of the work
//! where that is to be chosen: another interpreter is faster or slower, and
//! what is compared is what its models make of it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::machine::cores_allowed;
use crate::event::Nanos;
use crate::model;
use crate::trace;
use crate::workload::Workload;

use super::comparison::{Comparison, Progress, Row, RunSummary};
use super::patience::Pace;
use super::size::{Sizing, Step};
use super::{Experiment, Interpreter, Launch, Phase, Run, is_whole};

/// What to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// The settings that all runs share; its model is of no account, nor its interpreter if several are named.
    pub experiment: Experiment,
    /// The models, by id. The baseline runs whether it is among them or not, and first (unless the comparer is one
    /// [`without_baseline`](Comparer::without_baseline)).
    pub models: Vec<String>,
    /// How often each runs; at least once.
    pub repeats: u32,
    /// How long the baseline shall last, if the size of the work is to be chosen so.
    pub lasts: Option<Nanos>,
    /// The interpreters, if not the experiment's alone; each once.
    pub interpreters: Vec<Interpreter>,
    /// How long one task after another may take (see [`Contest::room`]); none for however long.
    pub at_most: Option<Nanos>,
}

/// What is sized to last so long is not sized exactly.
const SIZED_WITHIN: f64 = 1.5;

impl Contest {
    /// How long one task after another may take where `most` is the bound: what was asked to last longer may do so.
    pub fn room(&self, most: Nanos) -> Nanos {
        let asked_for = self.lasts.map_or(0.0, |lasts| lasts.0 as f64 * SIZED_WITHIN);
        most.max(Nanos(asked_for as u64))
    }
}

/// What has come to pass.
#[derive(Clone, Debug, PartialEq)]
pub enum ComparisonNotice {
    /// The size of the work is being found.
    Sizing,
    /// A run of this row has begun.
    Began {
        /// Index of the row.
        row: usize,
        /// Which repeat, from 1.
        repeat: u32,
    },
    /// A run of this row is over; its summary is at hand.
    Over {
        /// Index of the row.
        row: usize,
    },
    /// This row's model does not run, for the reason in the row.
    Refused {
        /// Index of the row.
        row: usize,
    },
    /// Every run is over, or it was cancelled.
    Finished,
}

/// Runs one comparison at a time.
pub struct Comparer<L> {
    launcher: L,
    baseline: bool,
    work: Option<Work>,
    comparison: Option<Comparison>,
}

/// What is needed while runs follow.
struct Work {
    workload: Arc<Workload>,
    /// The searches for a size that are left, the one under way first.
    sizing: VecDeque<(Interpreter, String, Sizing)>,
    run: Option<Run>,
    /// When the run that is alive was launched.
    launched: Nanos,
    /// Where in the order of runs: the row, and the round from 0.
    row: usize,
    round: u32,
    /// How long each row's runs took from launch to end, all together: boot and end are part of what a person waits.
    took: Vec<Vec<Nanos>>,
    /// How long one task after another may take.
    allows: Option<Nanos>,
    /// How fast the tasks of the run that is alive go.
    pace: Pace,
}

impl<L: Launch> Comparer<L> {
    /// A comparer with nothing to do.
    pub fn new(launcher: L) -> Comparer<L> {
        Comparer { launcher, baseline: true, work: None, comparison: None }
    }

    /// One that runs the models it is told and no other: where lengths are not set against one task after another.
    pub fn without_baseline(launcher: L) -> Comparer<L> {
        Comparer { baseline: false, ..Comparer::new(launcher) }
    }

    /// What has been found out so far; none before the first start.
    pub fn comparison(&self) -> Option<&Comparison> {
        self.comparison.as_ref()
    }

    /// The run that is alive, for those who watch its memory.
    pub fn run(&mut self) -> Option<&mut Run> {
        self.work.as_mut()?.run.as_mut()
    }

    /// Begins anew at `now`. Whatever was alive is ended.
    pub fn start(&mut self, workload: Arc<Workload>, contest: &Contest, now: Nanos) -> Vec<ComparisonNotice> {
        self.cancel();
        let experiment = contest.experiment.baseline();
        let mut models: Vec<String> = self.baseline.then(|| experiment.model.clone()).into_iter().collect();
        for id in &contest.models {
            // A model goes by several names.
            let id = model::find(id).map_or(id.as_str(), |model| model.id);
            if models.iter().all(|known| known != id) {
                models.push(id.to_owned());
            }
        }
        let mut interpreters = contest.interpreters.clone();
        if interpreters.is_empty() {
            interpreters.push(experiment.interpreter.clone());
        }
        let experiment = Experiment { interpreter: interpreters[0].clone(), ..experiment };
        let mut comparison = Comparison::new(&workload, experiment, cores_allowed(), contest.repeats.max(1));
        let beside = interpreters.len() > 1;
        let pairs = models.iter().flat_map(|model| interpreters.iter().map(move |interpreter| (model, interpreter)));
        let rows = pairs.map(|(model, interpreter)| row(&comparison.experiment, &workload, model, interpreter, beside));
        comparison.rows = rows.collect();
        let refused = (0..comparison.rows.len()).filter(|row| comparison.rows[*row].refusal.is_some());
        let mut notices: Vec<_> = refused.map(|row| ComparisonNotice::Refused { row }).collect();
        let open = workload.arguments.iter().find(|argument| {
            argument.size && !comparison.experiment.args.iter().any(|(name, _)| *name == argument.name)
        });
        let tasks = u64::from(comparison.tasks().max(1));
        let sizing: VecDeque<_> = match open.zip(contest.lasts) {
            Some((argument, lasts)) => {
                notices.push(ComparisonNotice::Sizing);
                let sizing = Sizing::new(argument, Nanos(lasts.0 / tasks));
                let search = |interpreter| (interpreter, argument.name.clone(), sizing.clone());
                interpreters.into_iter().map(search).collect()
            }
            None => VecDeque::new(),
        };
        let took = vec![Vec::new(); comparison.rows.len()];
        let allows = contest.at_most.map(|most| contest.room(most));
        self.comparison = Some(comparison);
        self.work = Some(Work {
            workload,
            sizing,
            run: None,
            launched: now,
            row: 0,
            round: 0,
            took,
            allows,
            pace: Pace::default(),
        });
        self.count();
        notices.extend(self.proceed(now));
        notices
    }

    /// Takes in what has become known by `now`, and goes on to what comes next.
    pub fn poll(&mut self, now: Nanos) -> Vec<ComparisonNotice> {
        let Some(work) = &mut self.work else { return Vec::new() };
        let over = work.run.as_mut().is_some_and(|run| {
            run.poll();
            run.record().is_over()
        });
        if !over {
            if self.is_too_long(now) {
                return self.give_up(Progress::TooLong);
            }
            self.estimate(now);
            return Vec::new();
        }
        let mut notices = Vec::new();
        if let (Some(run), Some(comparison)) = (work.run.take(), &mut self.comparison) {
            let record = run.into_record();
            match work.sizing.front_mut() {
                // What is wrong with a pilot is better told by the run itself.
                Some(_) if !is_whole(&record) => drop(work.sizing.pop_front()),
                Some((.., sizing)) => sizing.measured(record.elapsed_each()),
                None => {
                    work.took[work.row].push(now - work.launched);
                    comparison.rows[work.row].runs.push(RunSummary::of(&record));
                    comparison.done += 1;
                    notices.push(ComparisonNotice::Over { row: work.row });
                    work.row += 1;
                }
            }
        }
        notices.extend(self.proceed(now));
        notices
    }

    /// Ends what is alive. The runs that are over stay.
    pub fn cancel(&mut self) -> Vec<ComparisonNotice> {
        self.give_up(Progress::Cancelled)
    }

    fn give_up(&mut self, progress: Progress) -> Vec<ComparisonNotice> {
        let Some(work) = self.work.take() else { return Vec::new() };
        if let Some(mut run) = work.run {
            run.stop();
        }
        if let Some(comparison) = &mut self.comparison {
            comparison.progress = progress;
            comparison.time_left = None;
        }
        vec![ComparisonNotice::Finished]
    }

    /// Whether what is alive does one task after another, for the first time, and will take longer than is allowed.
    fn is_too_long(&mut self, now: Nanos) -> bool {
        let (Some(work), Some(comparison)) = (&mut self.work, &mut self.comparison) else { return false };
        let alone = comparison.rows.get(work.row).is_some_and(|row| row.model == comparison.experiment.model);
        let Some(run) = work.run.as_ref().filter(|_| alone && work.round == 0 && work.sizing.is_empty()) else {
            return false;
        };
        let record = run.record();
        if record.phase != Phase::Running {
            return false;
        }
        let expected = work.pace.look(now, record.tasks_ended(), record.results.len());
        comparison.expected = expected.or(comparison.expected);
        expected.zip(work.allows).is_some_and(|(expected, allowed)| expected.span > allowed)
    }

    /// Launches the next run that can be launched.
    fn proceed(&mut self, now: Nanos) -> Vec<ComparisonNotice> {
        let mut notices = Vec::new();
        while let (Some(work), Some(comparison)) = (&mut self.work, &mut self.comparison) {
            if let Some((interpreter, name, sizing)) = work.sizing.front() {
                match sizing.step() {
                    Step::Pilot(value) => {
                        // Under the first model that runs there at all, should the baseline not.
                        let mut rows = comparison.rows.iter().filter(|row| row.interpreter == *interpreter);
                        let runs = rows.find(|row| row.refusal.is_none());
                        let model = runs.map_or_else(|| comparison.experiment.model.clone(), |row| row.model.clone());
                        let interpreter = interpreter.clone();
                        let pilot = Experiment { model, interpreter, ..comparison.experiment.clone() };
                        let pilot = pilot.pilot(&work.workload, name, value);
                        match self.launcher.launch(&work.workload, &pilot) {
                            Ok(source) => {
                                comparison.progress = Progress::Sizing;
                                work.go(pilot, source, now);
                                return notices;
                            }
                            Err(_) => drop(work.sizing.pop_front()),
                        }
                    }
                    Step::Settled(value) => {
                        if *interpreter == comparison.experiment.interpreter {
                            comparison.experiment.args.push((name.clone(), value));
                        }
                        for row in comparison.rows.iter_mut().filter(|row| row.interpreter == *interpreter) {
                            row.size = Some((name.clone(), value));
                        }
                        work.sizing.pop_front();
                    }
                }
                continue;
            }
            if work.row == comparison.rows.len() {
                (work.row, work.round) = (0, work.round + 1);
            }
            let runnable = comparison.rows.iter().any(|row| row.refusal.is_none());
            if work.round >= comparison.repeats || !runnable {
                comparison.progress = Progress::Done;
                comparison.time_left = None;
                self.work = None;
                notices.push(ComparisonNotice::Finished);
                return notices;
            }
            let row = work.row;
            if comparison.rows[row].refusal.is_some() {
                work.row += 1;
                continue;
            }
            let experiment = comparison.experiment_of(&comparison.rows[row]);
            match self.launcher.launch(&work.workload, &experiment) {
                Ok(source) => {
                    let repeat = work.round + 1;
                    comparison.progress = Progress::Running { row, repeat };
                    work.go(experiment, source, now);
                    notices.push(ComparisonNotice::Began { row, repeat });
                    self.estimate(now);
                    return notices;
                }
                Err(why) => {
                    comparison.rows[row].refusal = Some(why);
                    notices.push(ComparisonNotice::Refused { row });
                    self.count();
                }
            }
        }
        notices
    }

    /// How many runs there will be, those refused left out.
    fn count(&mut self) {
        if let Some(comparison) = &mut self.comparison {
            let planned = comparison.rows.iter().map(|row| match row.refusal {
                Some(_) => row.runs.len(),
                None => comparison.repeats as usize,
            });
            comparison.total = planned.sum();
        }
    }

    /// How much longer it takes, by what the runs so far took; a row that has not run yet is taken for one as long as
    /// the mean of those that have.
    fn estimate(&mut self, now: Nanos) {
        let (Some(work), Some(comparison)) = (&self.work, &mut self.comparison) else { return };
        let mean = |spans: &[Nanos]| {
            (!spans.is_empty()).then(|| Nanos(spans.iter().map(|span| span.0).sum::<u64>() / spans.len() as u64))
        };
        let first = || comparison.expected.map(|expected| expected.span);
        let Some(usual) = mean(&work.took.concat()).or_else(first) else { return };
        let expected = |row: usize| mean(&work.took[row]).unwrap_or(usual);
        let ahead = (0..comparison.rows.len()).filter(|row| comparison.rows[*row].refusal.is_none()).map(|row| {
            let runs = comparison.repeats - work.round - u32::from(row < work.row);
            Nanos(expected(row).0 * u64::from(runs))
        });
        let gone = if work.run.is_some() { now - work.launched } else { Nanos::ZERO };
        let current = comparison.rows.get(work.row).map_or(Nanos::ZERO, |_| expected(work.row));
        comparison.time_left = Some(ahead.sum::<Nanos>() - gone.min(current));
    }
}

impl Work {
    fn go(&mut self, experiment: Experiment, source: Box<dyn crate::engine::Source>, now: Nanos) {
        let mut run = Run::new(experiment, source, trace::DEFAULT_BUDGET);
        run.go();
        self.run = Some(run);
        self.launched = now;
        self.pace = Pace::default();
    }
}

/// A model's row, with the reason if it does not run; its label says in which interpreter if there are others beside it.
fn row(experiment: &Experiment, workload: &Workload, model: &str, interpreter: &Interpreter, beside: bool) -> Row {
    let mut label = model::find(model).map_or_else(|_| model.to_owned(), |found| found.label(experiment.workers));
    if beside {
        label += &format!(" · {}", interpreter.name());
    }
    // Beside the model's name there is no need to name it once more.
    let objection = model::find(model).ok().and_then(|model| model.objection(workload));
    let (model, interpreter) = (model.to_owned(), interpreter.clone());
    let run = Experiment { model: model.clone(), interpreter: interpreter.clone(), ..experiment.clone() };
    let refusal = objection.or_else(|| run.refusal(workload));
    Row { model, label, refusal, interpreter, ..Row::default() }
}

#[cfg(test)]
mod tests;
