//! What the runtime tells the state.

use std::sync::Arc;

use crate::event::Nanos;
use crate::insight::Facts;
use crate::program::Printed;
use crate::session::{BASELINE_AT_MOST, Comparison, Length};
use crate::trace::Trace;
use crate::workload::{ArgValue, Script};

use super::choice::ModelChoice;
use super::compare::Screen;
use super::figures::{Figures, whole_axis};
use super::origin::Origin;
use super::picker::{self, Candidate};
use super::rows;
use super::state::{Bar, BarState, Code, Machine, Phase, State};
use super::update::Effect;
use super::view::{self, Gutters};
use super::watch::{self, Observation};
use super::words;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every task has its result.
    Done,
    /// It was stopped.
    Stopped,
    /// A task failed, a worker died, or it could not go on; why, in a sentence.
    Failed(String),
}

/// Something has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// It is this instant, on the log's clock. Told some ten to thirty times a second.
    Tick(Nanos),
    /// The terminal has so many columns and rows.
    Resized(u16, u16),
    /// The chosen workload was loaded: its source.
    Loaded(String),
    /// The size of a task is being found.
    Sizing,
    /// It was found: the arguments that make it last as long as was asked for, and about how long one at a time then
    /// takes, if that was found out.
    Sized(Vec<(String, ArgValue)>, Option<Nanos>),
    /// The run that was ordered has begun; from now on the log lent is that of this run.
    Began,
    /// The run has ended, and its log with it.
    Ended(Ending),
    /// What the file's `outcome()` returned; told before the end.
    Outcome(String),
    /// The baseline's clock has started. The log lent stays that of the run before.
    BaselineBegan,
    /// The baseline has ended; how long it took.
    BaselineEnded(Ending, Nanos),
    /// How many instructions a millisecond of running the baseline did.
    Alone(f64),
    /// These Python processes run.
    Pythons(Vec<Candidate>),
    /// The process that was chosen has been attached to; from now on the log lent is its.
    Attached,
    /// How the program that is watched does.
    Observed(Box<Observation>),
    /// The script in this file was looked at.
    Script(Arc<str>, Script),
    /// What the program that is watched printed so far; told at once while one types into it.
    Printed(Printed),
    /// What the run on the screen comes from is known.
    Origin(Origin),
    /// The machine was sampled.
    Machine(Machine),
    /// The share of the last second spent on each line was sampled.
    Lines(Vec<f32>),
    /// A comparison has come so far.
    Compared(Box<Comparison>),
    /// Something to say once: a refusal, a remedy.
    Message(String),
}

/// Takes in what has happened. `log` is that of the run on the screen, if there is one.
pub fn hear(state: &mut State, log: Option<&Trace>, news: News) -> Vec<Effect> {
    let mut effects = Vec::new();
    match news {
        News::Tick(now) => {
            tick(state, log, now);
            return effects;
        }
        News::Resized(columns, rows) => {
            state.size = (columns, rows);
            resize(state, log);
        }
        News::Loaded(source) => {
            let lines = source.lines().map(str::to_owned).collect();
            state.code = Code { lines, shares: Vec::new() };
        }
        News::Sizing => state.phase = Phase::Sizing,
        News::Sized(args, expected) => {
            state.expected = expected;
            state.experiment.args.clone_from(&args);
            if let Some(ran) = &mut state.ran {
                ran.args = args;
            }
        }
        News::Outcome(outcome) => state.outcome = Some(outcome),
        News::Pythons(rows) => {
            let before = state.watch.picker.rows.clone();
            state.watch.picker.list(rows);
            if before == state.watch.picker.rows {
                return effects;
            }
        }
        News::Attached => picker::attached(state),
        News::Observed(seen) => effects = watch::observed(state, log, *seen),
        News::Script(file, script) => watch::looked_at(state, file, script),
        News::Began => began(state, log),
        News::Ended(ending) => effects = ended(state, log, ending),
        News::BaselineBegan if matches!(state.phase, Phase::Baseline { .. }) => {
            state.phase = Phase::Baseline { since: Some(state.now) };
        }
        News::BaselineBegan => {}
        News::BaselineEnded(ending, elapsed) => baseline_ended(state, ending, elapsed),
        News::Alone(rate) => {
            state.alone = Some(rate);
            if let Some(log) = log {
                finish_figures(state, log);
            }
        }
        News::Machine(machine) => {
            if state.machine == machine {
                return effects;
            }
            state.machine = machine;
        }
        News::Lines(shares) => {
            if state.code.shares == shares {
                return effects;
            }
            state.code.shares = shares;
        }
        News::Compared(comparison) => {
            if state.compare.comparison.as_ref() == Some(&*comparison) {
                return effects;
            }
            state.compare.comparison = Some(*comparison);
        }
        News::Printed(printed) => {
            if state.watch.output == printed {
                return effects;
            }
            state.watch.output = printed;
        }
        News::Origin(origin) => state.origin = origin,
        // It may name anything: files, commands, what another program said.
        News::Message(text) => state.message = Some(words::foreign(&text)),
    }
    state.touch();
    effects
}

/// The columns of the timeline, for this screen and this log.
pub fn gutters(state: &State, log: Option<&Trace>) -> Gutters {
    if state.screen == Screen::Watch {
        return Gutters::of_watch(state.size.0);
    }
    let longest = match (log, state.model_shown()) {
        (Some(log), _) if state.ran.is_some() => rows::longest_name(state, log),
        (_, Some(model)) => {
            let lanes = model.lanes(state.experiment.workers);
            model.lane_name(lanes.saturating_sub(1)).chars().count()
        }
        _ => 0,
    };
    Gutters::new(state.size.0, longest)
}

fn tick(state: &mut State, log: Option<&Trace>, now: Nanos) {
    state.now = now;
    let Some(log) = log else { return };
    let mut changed = false;
    match state.phase {
        Phase::Running => {
            let cells = gutters(state, Some(log)).cells;
            // While it runs, the row is as long as the run should be, and shrinks by steps if it lasts longer.
            let whole = whole_axis(log, state.length.target().unwrap_or_default(), cells);
            // The figures of a program that is watched are of the picture: frozen with it.
            let stands = state.screen == Screen::Watch && state.view.frozen.is_some();
            if !stands && state.figures.refresh(log, now, whole) {
                let mut figures = std::mem::take(&mut state.figures);
                figures.diagnose(|| facts(state, log), now);
                state.figures = figures;
                changed = true;
            }
            changed |= state.view.follow(log, state.experiment.switch_interval, now, cells);
        }
        // The picture stands; the baseline's bar grows.
        Phase::Baseline { .. } => changed |= state.figures.step(now),
        _ => {}
    }
    if changed {
        state.touch();
    }
}

/// The switch interval of the run on the screen.
fn interval(state: &State) -> Nanos {
    state.ran.as_ref().map_or(state.experiment.switch_interval, |ran| ran.switch_interval)
}

/// The run on the screen as the diagnoses see it.
fn facts<'a>(state: &'a State, log: &'a Trace) -> Facts<'a> {
    let mut facts = Facts::new(log, state.machine.cores.len().max(1), interval(state)).beside(state.alone);
    facts.outcome.clone_from(&state.outcome);
    if state.origin.program.is_some() {
        facts.is_program = true;
        facts = facts.with(state.watch.books);
        facts.switch_interval = state.watch.switch_interval;
        facts.places = Some(&state.watch.places);
    }
    facts
}

/// The figures of the run on the screen, for good.
fn finish_figures(state: &mut State, log: &Trace) {
    let cells = gutters(state, Some(log)).cells;
    let mut figures = std::mem::take(&mut state.figures);
    figures.finish(&facts(state, log), cells);
    state.figures = figures;
}

fn resize(state: &mut State, log: Option<&Trace>) {
    let cells = gutters(state, log).cells;
    let Some(log) = log else { return };
    if state.ran.is_none() {
        return;
    }
    let expected = if state.phase == Phase::Running { state.length.target().unwrap_or_default() } else { Nanos::ZERO };
    state.figures.read_whole(log, whole_axis(log, expected, cells));
    if state.view.zoom == view::Zoom::Whole && state.view.frozen.is_none() {
        state.view.show_whole(log.begin_at(), log.now(), cells);
    } else {
        state.view.axis.cells = cells;
        state.view.next = Nanos::ZERO;
    }
}

fn began(state: &mut State, log: Option<&Trace>) {
    state.phase = Phase::Running;
    state.ran = Some(state.experiment.clone());
    state.has_run = true;
    state.message = None;
    state.outcome = None;
    state.figures = Figures::default();
    state.code.shares.clear();
    let begin = log.map_or(state.now, Trace::begin_at);
    let cells = gutters(state, log).cells;
    state.view.restart(begin, cells);
    set_bar(state, BarState::Running);
}

fn ended(state: &mut State, log: Option<&Trace>, ending: Ending) -> Vec<Effect> {
    match (&state.phase, ending) {
        (Phase::Running, ending) => return run_ended(state, log, ending),
        // Before it began: there is no picture and no length.
        (Phase::Sizing | Phase::Starting, Ending::Failed(why)) => {
            let (model, workers) = (state.experiment.model.clone(), state.experiment.workers);
            put_bar(state, &model, workers, BarState::Failed(Nanos::ZERO));
            state.phase = Phase::Failed(why);
        }
        (Phase::Sizing | Phase::Starting, _) => state.phase = Phase::Ready,
        // Something else was chosen meanwhile.
        _ => {}
    }
    Vec::new()
}

fn run_ended(state: &mut State, log: Option<&Trace>, ending: Ending) -> Vec<Effect> {
    let elapsed = log.map_or(Nanos::ZERO, Trace::elapsed);
    if let Some(log) = log {
        finish_figures(state, log);
        let cells = gutters(state, Some(log)).cells;
        if state.view.frozen.is_none() {
            state.view.show_whole(log.begin_at(), log.now(), cells);
        }
    }
    match ending {
        Ending::Stopped => {
            set_bar(state, BarState::Stopped(elapsed));
            state.phase = Phase::Stopped;
        }
        Ending::Failed(why) => {
            set_bar(state, BarState::Failed(elapsed));
            state.phase = Phase::Failed(why);
        }
        Ending::Done => {
            set_bar(state, BarState::Done(elapsed));
            if state.ran.as_ref().is_some_and(|ran| ran.model == ModelChoice::BASELINE) {
                state.alone = log.and_then(|log| log.workers_progress().per_ms());
            }
            state.phase = Phase::Done;
            let expected = baseline_expected(state);
            if wants_baseline(state) {
                if expected <= BASELINE_AT_MOST {
                    return order_baseline(state);
                }
                let key = state.keymap.key(super::Action::Baseline);
                let span = words::expected(state);
                state.message = Some(format!("{key} measures the same work one at a time: that takes {span}."));
            }
        }
    }
    Vec::new()
}

/// Whether what ran lacks something to be measured against.
pub fn wants_baseline(state: &State) -> bool {
    let comparable = state.length != Length::UntilStopped && state.phase == Phase::Done;
    let other = state.ran.as_ref().is_some_and(|ran| ran.model != ModelChoice::BASELINE);
    let can = state.models.iter().any(ModelChoice::is_baseline) && state.objection(ModelChoice::BASELINE).is_none();
    comparable && other && can && state.baseline().is_none()
}

/// About how long one at a time will take: what was found out to size the work, or else the sum of what the workers did,
/// at most. Waits that went on at once follow one another then, be they ten thousand.
pub fn baseline_expected(state: &State) -> Nanos {
    use crate::event::State as LaneState;
    let work = [LaneState::Running, LaneState::Native, LaneState::Io, LaneState::Suspended];
    let done: Nanos =
        state.figures.ledger.map_or(Nanos::ZERO, |ledger| work.iter().map(|state| ledger.0[state.index()]).sum());
    state.expected.unwrap_or(done)
}

/// Has the baseline measured, visibly.
pub fn order_baseline(state: &mut State) -> Vec<Effect> {
    let Some(ran) = &state.ran else { return Vec::new() };
    let baseline = ran.baseline();
    state.phase = Phase::Baseline { since: None };
    vec![Effect::RunBaseline(baseline)]
}

fn baseline_ended(state: &mut State, ending: Ending, elapsed: Nanos) {
    if !matches!(state.phase, Phase::Baseline { .. }) {
        return;
    }
    state.phase = Phase::Done;
    match ending {
        Ending::Done => put_bar(state, ModelChoice::BASELINE, 1, BarState::Done(elapsed)),
        Ending::Failed(why) => {
            state.message = Some(format!("One at a time failed: {}", words::foreign(&why)));
            put_bar(state, ModelChoice::BASELINE, 1, BarState::Failed(elapsed));
        }
        // Not measured is not measured: its key, or the next run, does it.
        Ending::Stopped => {}
    }
}

/// What runs is given up for something else: its bar is that of a stopped run.
pub fn give_up_bar(state: &mut State) {
    if state.phase == Phase::Running {
        set_bar(state, BarState::Stopped(state.figures.elapsed));
    }
}

fn set_bar(state: &mut State, bar: BarState) {
    let Some(ran) = &state.ran else { return };
    let (model, workers) = (ran.model.clone(), ran.workers);
    put_bar(state, &model, workers, bar);
}

fn put_bar(state: &mut State, model: &str, workers: u32, bar: BarState) {
    // Without an end there is no finish line.
    if state.length == Length::UntilStopped {
        return;
    }
    let Some(choice) = state.models.iter().find(|choice| choice.id == model) else { return };
    let workers = choice.lanes(workers);
    let new = Bar {
        model: model.to_owned(),
        workers,
        label: choice.label_over(workers, state.experiment.processes),
        state: bar,
    };
    match state.bars.iter_mut().find(|old| old.model == new.model && old.workers == new.workers) {
        Some(old) => *old = new,
        None => state.bars.push(new),
    }
}
