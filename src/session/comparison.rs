//! What a comparison has found out so far: the same work under several models, side by side.
//!
//! These are plain data and the statistics of them; whoever draws or prints a
//! comparison reads them and nothing else. [`Comparer`](super::Comparer) fills them in.

use std::path::PathBuf;

use crate::engine::Engine;
use crate::event::{Nanos, State};
use crate::trace::Ledger;
use crate::workload::{ArgValue, Workload};

use super::patience::Expected;
use super::{Experiment, Interpreter};

/// The same work under several models.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The workload's title.
    pub title: String,
    /// What all rows have in common; its model is `sequential`.
    pub experiment: Experiment,
    /// How many cores' worth of time this machine allows.
    pub cores: usize,
    /// How often each model runs.
    pub repeats: u32,
    /// One for each model and interpreter: model by model, the baseline first.
    pub rows: Vec<Row>,
    /// The interpreters that were asked for and take no part.
    pub absent: Vec<Absent>,
    /// How far it has come.
    pub progress: Progress,
    /// How many runs are over.
    pub done: usize,
    /// How many runs there will be; those refused do not count.
    pub total: usize,
    /// About how much longer it takes, once anything is known of that.
    pub time_left: Option<Nanos>,
    /// About how long one task after another takes, if that was found out while the first such run went on.
    pub expected: Option<Expected>,
}

/// How far a comparison has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Short pilot runs find out how large a task must be.
    Sizing,
    /// This row's run is alive.
    Running {
        /// Index of the row.
        row: usize,
        /// Which repeat, from 1.
        repeat: u32,
    },
    /// Every run is over.
    Done,
    /// It was cancelled; the runs that were over by then stay.
    Cancelled,
    /// One task after another would take longer than was allowed without asking: it was given up.
    TooLong,
}

/// A model in an interpreter, and its runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The model's id, start method included: `processes:fork`.
    pub model: String,
    /// Whose interpreter.
    pub interpreter: Interpreter,
    /// Its name beside others: `4 threads`, and where there are several interpreters whose: `4 threads · 3.13.0`.
    pub label: String,
    /// The argument that was chosen so that the baseline of this interpreter lasts as long as was asked for.
    pub size: Option<(String, ArgValue)>,
    /// The runs that are over, in the order in which they ran; failed ones too.
    pub runs: Vec<RunSummary>,
    /// Why it does not run, in a sentence; none if it does.
    pub refusal: Option<String>,
}

/// A real interpreter that cannot run the workload: one that lacks a module, or is none that can be driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Where it is.
    pub path: PathBuf,
    /// Why not, in a sentence that names it.
    pub reason: String,
}

/// What is kept of a run once it is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSummary {
    /// From ordering the first worker's birth to the last result received.
    pub elapsed: Nanos,
    /// How many lanes did tasks.
    pub workers: usize,
    /// The workers' time by state; adds up to `elapsed` times `workers`.
    pub ledger: Ledger,
    /// The workers' time on cores, divided by `elapsed`.
    pub cores_busy: f64,
    /// How often a worker's lock went to another than its last holder.
    pub handoffs: u64,
    /// Context switches because a worker's thread waited.
    pub voluntary: Option<u64>,
    /// Context switches although it could have gone on.
    pub involuntary: Option<u64>,
    /// The most memory resident at once in all processes, in bytes; none where nobody could look.
    pub peak_rss: Option<u64>,
    /// The same with each shared page divided among those who share it.
    pub peak_pss: Option<u64>,
    /// How long a worker was `starting`: the mean over the workers.
    pub startup: Nanos,
    /// From ordering a worker's birth (by a forkserver: from its fork) to its first bytecode, whatever it waited for: the
    /// median over the workers that got so far.
    pub first_work: Option<Nanos>,
    /// Cores busy over the run's time.
    pub profile: Profile,
    /// How the locks of a real interpreter were followed; none for the miniature, and where nobody could observe it.
    pub observed: Option<Engine>,
    /// What went wrong, in a sentence. Such a run is in no statistics.
    pub failure: Option<String>,
}

/// How many cores were busy as the run went on, in cells of equal length; the last may reach beyond the run's end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// How long a cell is.
    pub cell: Nanos,
    /// How many cores' worth of the workers' states need a core: the mean over each cell.
    pub busy: Vec<f32>,
    /// How much of that was start-up.
    pub starting: Vec<f32>,
}

/// The least, the middle and the most of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Spread {
    /// The least.
    pub min: Nanos,
    /// Half are below.
    pub median: Nanos,
    /// The most.
    pub max: Nanos,
}

/// What nobody can do better than.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ideal {
    /// How long the work takes at least.
    pub elapsed: Nanos,
    /// How much faster that is than one task after another.
    pub speedup: f64,
}

impl Profile {
    /// Into how many cells a run is cut: finer than any screen is wide.
    pub const CELLS: usize = 256;

    /// The same on an axis of `cells` cells of `cell` each, which starts with the run: `(busy, of that start-up)`.
    /// None in cells that begin after the run's end; what lies behind the end in its last cell counts as no core busy.
    pub fn on_axis(&self, elapsed: Nanos, cell: Nanos, cells: usize) -> Vec<Option<(f32, f32)>> {
        let cell = cell.0.max(1);
        let mean = |values: &[f32], from: u64, to: u64| -> f32 {
            let own = self.cell.0.max(1);
            let sum: f64 = values
                .iter()
                .enumerate()
                .skip((from / own) as usize)
                .map(|(index, value)| (index as u64 * own, f64::from(*value)))
                .take_while(|(begin, _)| *begin < to)
                .map(|(begin, value)| {
                    let end = (begin + own).min(elapsed.0.max(begin));
                    value * end.min(to).saturating_sub(begin.max(from)) as f64
                })
                .sum();
            (sum / (to - from) as f64) as f32
        };
        (0..cells as u64)
            .map(|index| {
                let (from, to) = (index * cell, (index + 1) * cell);
                (from < elapsed.0).then(|| (mean(&self.busy, from, to), mean(&self.starting, from, to)))
            })
            .collect()
    }
}

impl Spread {
    /// Of these; none of none. The median of an even number is the mean of the middle two.
    pub fn of(spans: impl IntoIterator<Item = Nanos>) -> Option<Spread> {
        let mut spans: Vec<u64> = spans.into_iter().map(|span| span.0).collect();
        spans.sort_unstable();
        let (min, max) = (*spans.first()?, *spans.last()?);
        let middle = spans.len() / 2;
        let median =
            if spans.len().is_multiple_of(2) { spans[middle - 1].midpoint(spans[middle]) } else { spans[middle] };
        Some(Spread { min: Nanos(min), median: Nanos(median), max: Nanos(max) })
    }
}

/// The median of numbers; none of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

impl RunSummary {
    /// The share of the workers' time spent in a state, 0 to 1.
    pub fn share(&self, state: State) -> f64 {
        let all: u64 = self.ledger.0.iter().map(|span| span.0).sum();
        if all == 0 { 0.0 } else { self.ledger.0[state.index()].0 as f64 / all as f64 }
    }

    /// What the workers did beside running, the most first: states that say why the run took so long.
    pub fn reasons(&self) -> Vec<(State, f64)> {
        let silent = [State::Running, State::Unborn, State::Done];
        let mut shares: Vec<(State, f64)> = State::ALL
            .into_iter()
            .filter(|state| !silent.contains(state))
            .map(|state| (state, self.share(state)))
            .filter(|(_, share)| *share > 0.0)
            .collect();
        shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        shares
    }
}

impl Row {
    /// The runs that came to their end with every task done.
    pub fn whole(&self) -> impl Iterator<Item = &RunSummary> {
        self.runs.iter().filter(|run| run.failure.is_none())
    }

    /// How long they took; none without a whole run.
    pub fn elapsed(&self) -> Option<Spread> {
        Spread::of(self.whole().map(|run| run.elapsed))
    }

    /// The run that stands for the row where one is drawn: the whole run nearest to the median.
    pub fn typical(&self) -> Option<&RunSummary> {
        let median = self.elapsed()?.median;
        self.whole().min_by_key(|run| run.elapsed.0.abs_diff(median.0))
    }

    /// The median over the whole runs of something counted in each; none without a run that knows it.
    pub fn median_of(&self, of: impl Fn(&RunSummary) -> Option<f64>) -> Option<f64> {
        median(self.whole().filter_map(of))
    }

    /// How often a worker's lock went to another than its last holder, in the middle; none where nobody could see it.
    pub fn handoffs(&self) -> Option<f64> {
        let seen = |run: &&RunSummary| match run.observed {
            Some(engine) => engine != Engine::CoresOnly,
            None => self.interpreter == Interpreter::Miniature,
        };
        median(self.whole().filter(seen).map(|run| run.handoffs as f64))
    }

    /// How many cores were busy, in the middle; none where nobody could see it.
    pub fn cores_busy(&self) -> Option<f64> {
        let seen = |run: &&RunSummary| {
            self.interpreter == Interpreter::Miniature || run.observed.is_some() || run.cores_busy > 0.0
        };
        median(self.whole().filter(seen).map(|run| run.cores_busy))
    }

    /// Why its time says little, if the machine was busy with something else: its workers wanted cores of which they
    /// left some free, or one run took more than twice as long as another. At most 36 characters.
    pub fn disturbed(&self, cores: usize) -> Option<String> {
        const TAKEN: f64 = 0.2;
        // Of workers that nearly always sleep that is no part of what it takes.
        const OF_RUN: f64 = 0.05;
        const APART: f64 = 2.0;
        let run = self.typical()?;
        let waiting = run.share(State::WaitingCore) * run.workers as f64;
        let taken = waiting.min(cores as f64 - run.cores_busy);
        if taken > (run.cores_busy + waiting) * TAKEN && taken >= OF_RUN {
            return Some("other programs took cores: repeat".to_owned());
        }
        let elapsed = self.elapsed()?;
        let apart = elapsed.max.0 as f64 / elapsed.min.0.max(1) as f64;
        (apart > APART).then(|| format!("its runs differ {apart:.1}×: repeat"))
    }

    /// The first thing that went wrong.
    pub fn failure(&self) -> Option<&str> {
        self.runs.iter().find_map(|run| run.failure.as_deref())
    }
}

impl Comparison {
    /// Nothing has run yet.
    pub fn new(workload: &Workload, experiment: Experiment, cores: usize, repeats: u32) -> Comparison {
        Comparison {
            title: workload.title.clone(),
            experiment,
            cores,
            repeats,
            rows: Vec::new(),
            absent: Vec::new(),
            progress: Progress::Sizing,
            done: 0,
            total: 0,
            time_left: None,
            expected: None,
        }
    }

    /// How many tasks each run does.
    pub fn tasks(&self) -> u32 {
        self.experiment.task_count()
    }

    /// Whether no run follows.
    pub fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Done | Progress::Cancelled | Progress::TooLong)
    }

    /// What one run of a row does.
    pub fn experiment_of(&self, row: &Row) -> Experiment {
        let (model, interpreter) = (row.model.clone(), row.interpreter.clone());
        let mut experiment = Experiment { model, interpreter, ..self.experiment.clone() };
        if let Some((name, value)) = &row.size {
            experiment.args.retain(|(known, _)| known != name);
            experiment.args.push((name.clone(), *value));
        }
        experiment
    }

    /// The interpreters that take part, each once.
    pub fn interpreters(&self) -> Vec<&Interpreter> {
        let mut found: Vec<&Interpreter> = Vec::new();
        for row in &self.rows {
            if !found.contains(&&row.interpreter) {
                found.push(&row.interpreter);
            }
        }
        found
    }

    /// What the others are measured against: one task after another, in the first interpreter.
    pub fn baseline(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.model == "sequential")
    }

    /// What a row is measured against: one task after another in its own interpreter.
    pub fn baseline_of(&self, row: &Row) -> Option<&Row> {
        self.rows.iter().find(|other| other.model == "sequential" && other.interpreter == row.interpreter)
    }

    /// How much faster a row's median is than its baseline's; none until both have a whole run.
    pub fn speedup(&self, row: &Row) -> Option<f64> {
        let baseline = self.baseline_of(row)?.elapsed()?.median;
        Some(baseline.0 as f64 / row.elapsed()?.median.0.max(1) as f64)
    }

    /// What this machine's cores and so many workers allow the first interpreter: see [`Comparison::ideal_beside`].
    pub fn ideal(&self) -> Option<Ideal> {
        self.ideal_beside(self.baseline()?)
    }

    /// What this machine's cores and so many workers allow: all computing spread over the cores, all waiting
    /// overlapped, and nothing paid for it. None until the baseline has a whole run.
    pub fn ideal_beside(&self, baseline: &Row) -> Option<Ideal> {
        let elapsed = baseline.elapsed()?.median.0 as f64;
        let on_core = elapsed * baseline.typical()?.cores_busy.min(1.0);
        let tasks = f64::from(self.tasks().max(1));
        let turns = (tasks / f64::from(self.experiment.workers.max(1))).ceil();
        let least = (on_core / self.cores.max(1) as f64).max(elapsed * turns / tasks).max(1.0);
        Some(Ideal { elapsed: Nanos(least as u64), speedup: elapsed / least })
    }

    /// The longest run of all: the end of the common time axis.
    pub fn longest(&self) -> Nanos {
        self.rows.iter().flat_map(Row::whole).map(|run| run.elapsed).max().unwrap_or_default()
    }

    /// Whether any run failed.
    pub fn has_failures(&self) -> bool {
        self.rows.iter().any(|row| row.failure().is_some())
    }
}

#[cfg(test)]
mod tests;
