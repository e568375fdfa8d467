//! What an action changes.

use std::sync::Arc;

use crate::event::{LaneId, Nanos};
use crate::session::{Contest, Experiment, Length};
use crate::trace::Trace;
use crate::vm::Rules;

use super::action::Action;
use super::axis::{self, Axis};
use super::choice::ModelChoice;
use super::compare::{self, Screen};
use super::figures::Figures;
use super::news::{gutters, order_baseline, wants_baseline};
use super::picker;
use super::rows::{Fold, Row, place, rows, worker_locks};
use super::state::{Phase, SETTINGS, State, ThemeName};
use super::view::Zoom;
use super::watch;

/// The help has fewer lines than this.
const MOST_HELP: usize = 200;

/// The most workers one can choose by key.
pub const MOST_WORKERS: u32 = 64;

/// The switch intervals one can choose by key.
pub const INTERVALS: [Nanos; 7] = [
    Nanos::from_micros(100),
    Nanos::from_micros(500),
    Nanos::from_millis(1),
    Nanos::from_millis(5),
    Nanos::from_millis(10),
    Nanos::from_millis(50),
    Nanos::from_millis(100),
];

/// What is to be done in the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run this, ending whatever runs. Where the length has a target, size the tasks for it first, so that
    /// `sequential` takes that long (`News::Sizing`, `News::Sized`); then `News::Began`, in the end `News::Ended`.
    Run(Experiment, Length),
    /// Measure this, whose arguments are settled: `News::BaselineBegan`, in the end `News::BaselineEnded`.
    RunBaseline(Experiment),
    /// Compare, ending whatever compares: `News::Compared` as it comes along.
    Compare(Contest),
    /// End the comparison; what it has found out so far is told once more.
    CancelComparison,
    /// End whatever runs; its ending is told as ever.
    Stop,
    /// Change the interval of what runs.
    SetInterval(Nanos),
    /// Load this workload's source: `News::Loaded`, or `News::Message` if it cannot be.
    Load(String),
    /// Observe exactly for a moment, although it slows the program.
    ExactOnce,
    /// Attach to this process: `News::Attached`, or `News::Message` if it cannot be.
    Attach(u32),
    /// Leave the program that is watched; it runs on.
    LeaveWatched,
    /// Suspend the run's processes, give the terminal back, stop; then all of it backwards.
    Suspend,
    /// Draw every cell anew.
    Redraw,
    /// Leave.
    Quit,
}

/// Does what was asked for. `log` is that of the run on the screen, if there is one.
pub fn update(state: &mut State, log: Option<&Trace>, action: Action) -> Vec<Effect> {
    state.touch();
    let log = log.filter(|_| state.ran.is_some());
    match action {
        Action::Quit if watch::must_ask(state) => return Vec::new(),
        Action::Quit => return vec![Effect::Quit],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Help => {
            state.help = if state.help.is_none() { Some(0) } else { None };
            return Vec::new();
        }
        Action::Close => return close(state),
        Action::NextTheme => {
            state.look.theme = match state.look.theme {
                ThemeName::Dark => ThemeName::Light,
                ThemeName::Light => ThemeName::HighContrast,
                ThemeName::HighContrast => ThemeName::Dark,
            };
            return Vec::new();
        }
        Action::NextWording => {
            state.look.wording = state.look.wording.next();
            return Vec::new();
        }
        _ => {}
    }
    state.message = None;
    if let Some(top) = state.help {
        state.help = match action {
            Action::ScrollDown => Some((top + 1).min(MOST_HELP)),
            Action::ScrollUp => Some(top.saturating_sub(1)),
            _ => None,
        };
        return Vec::new();
    }
    if let Some(line) = state.settings {
        return set(state, line, action);
    }
    match action {
        Action::ShowLab | Action::ShowCompare if state.origin.program.is_some() => {
            state.message = Some(if state.watch.picker.is_behind() {
                format!("A program is being watched: {} goes back to the list.", state.keymap.key(Action::Close))
            } else {
                let key = state.keymap.key(Action::Quit);
                format!("A program is being watched: {key} leaves it; `gilscope` opens the lab.")
            });
        }
        Action::ShowLab => state.screen = Screen::Lab,
        Action::ShowCompare => state.screen = Screen::Compare,
        Action::ShowWatch => state.screen = Screen::Watch,
        _ if picker::is_open(state) => return picker::update(state, action),
        _ if state.screen == Screen::Compare => return compare::update(state, action),
        _ if state.screen == Screen::Watch => match watch::update(state, action) {
            Some(effects) => return effects,
            None => look(state, log, action),
        },
        Action::ExactOnce | Action::ByFunction | Action::Output => {
            let key = state.keymap.key(Action::ShowWatch);
            state.message = Some(format!("{key} is for real programs; there this key has a meaning."));
        }
        // One thing runs at a time: runs side by side would take each other's cores.
        Action::RunOrStop | Action::NextModel | Action::PreviousModel | Action::Baseline
            if state.compare.is_under_way() =>
        {
            let key = state.keymap.key(Action::ShowCompare);
            state.message = Some(format!("A comparison is under way: {key} shows it."));
        }
        _ => return lab(state, log, action),
    }
    Vec::new()
}

/// What changes what is run, wherever one is.
pub fn choose(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::NextWorkload => choose_workload(state, 1),
        Action::PreviousWorkload => choose_workload(state, -1),
        Action::MoreWorkers => choose_workers(state, 1),
        Action::FewerWorkers => choose_workers(state, -1),
        Action::NextLength => {
            state.length = state.length.next();
            state.experiment.args.clone_from(&state.given);
            start_over(state)
        }
        _ => Vec::new(),
    }
}

/// Does what was asked for in the lab.
fn lab(state: &mut State, log: Option<&Trace>, action: Action) -> Vec<Effect> {
    match action {
        Action::RunOrStop if state.phase.is_busy() => vec![Effect::Stop],
        // Until another is chosen it is said why, in place of the sentence.
        Action::RunOrStop if state.objection(&state.experiment.model).is_some() => Vec::new(),
        Action::RunOrStop => run(state),
        Action::NextModel => choose_model(state, 1),
        Action::PreviousModel => choose_model(state, -1),
        Action::NextWorkload
        | Action::PreviousWorkload
        | Action::MoreWorkers
        | Action::FewerWorkers
        | Action::NextLength => {
            // Other work is to be compared anew.
            if !state.compare.is_under_way() {
                state.compare.comparison = None;
            }
            choose(state, action)
        }
        Action::LongerInterval => choose_interval(state, true),
        Action::ShorterInterval => choose_interval(state, false),
        Action::Ledger | Action::Costs => {
            let key = state.keymap.key(Action::ShowCompare);
            state.message = Some(format!("{key} compares all models; there this key has a meaning."));
            Vec::new()
        }
        Action::Baseline => {
            if wants_baseline(state) {
                return order_baseline(state);
            }
            let why = match state.objection(ModelChoice::BASELINE) {
                Some(why) => format!("One at a time is left out: {why}."),
                None if state.baseline().is_some() => "One at a time is measured already.".to_owned(),
                None => "Run something first.".to_owned(),
            };
            state.message = Some(why);
            Vec::new()
        }
        Action::Settings => {
            state.settings = Some(0);
            Vec::new()
        }
        Action::Big => {
            state.view.big = !state.view.big;
            state.view.scroll = 0;
            Vec::new()
        }
        _ => {
            look(state, log, action);
            Vec::new()
        }
    }
}

fn close(state: &mut State) -> Vec<Effect> {
    if state.help.is_some() {
        state.help = None;
    } else if state.settings.is_some() {
        state.settings = None;
    } else if state.message.is_some() {
        state.message = None;
    } else if state.view.frozen.is_some() || state.view.cursor.is_some() {
        unfreeze(state);
    } else if state.view.unfolded.is_some() {
        state.view.unfolded = None;
        state.view.scroll = 0;
    } else if state.watch.output_scroll.is_some() {
        state.watch.output_scroll = None;
    } else if state.watch.picker.is_behind() {
        return picker::leave(state);
    } else {
        state.view.big = false;
    }
    Vec::new()
}

fn run(state: &mut State) -> Vec<Effect> {
    // Whatever runs is ended, and not told of any more.
    super::news::give_up_bar(state);
    state.ran = None;
    state.figures = Figures::default();
    state.view.frozen = None;
    state.view.cursor = None;
    state.phase = Phase::Starting;
    vec![Effect::Run(state.experiment.clone(), state.length)]
}

/// What is chosen does other work than before: its bars and its picture would be compared with another's.
fn start_over(state: &mut State) -> Vec<Effect> {
    let was_busy = state.phase.is_busy();
    state.bars.clear();
    state.alone = None;
    state.ran = None;
    state.figures = Figures::default();
    state.phase = Phase::Ready;
    state.view.frozen = None;
    state.view.cursor = None;
    if was_busy { vec![Effect::Stop] } else { Vec::new() }
}

fn step<T>(items: &[T], current: Option<usize>, by: i64) -> Option<usize> {
    let count = i64::try_from(items.len()).ok().filter(|count| *count > 0)?;
    let current = current.and_then(|index| i64::try_from(index).ok()).unwrap_or(-by.min(0));
    usize::try_from((current + by).rem_euclid(count)).ok()
}

fn choose_model(state: &mut State, by: i64) -> Vec<Effect> {
    // Those that make no sense here are passed over, and why is said.
    let mut passed = Vec::new();
    let mut next = None;
    for model in state.models_beside(by < 0) {
        match state.objection(&model.id) {
            Some(why) => passed.push((model.id.clone(), why.to_owned())),
            None => {
                next = Some(model.id.clone());
                break;
            }
        }
    }
    let message = passed.first().map(|(id, why)| match passed.len() - 1 {
        0 => format!("`{id}` is left out: {why}."),
        more => format!("`{id}` and {more} more are left out: {why}."),
    });
    state.message = message;
    let Some(next) = next else { return Vec::new() };
    state.experiment.model = next;
    // Also while a first run is being started: what begins must be what is chosen.
    if state.phase.is_busy() || (state.has_run && state.phase != Phase::Ready) { run(state) } else { Vec::new() }
}

fn choose_workload(state: &mut State, by: i64) -> Vec<Effect> {
    let current = state.workloads.iter().position(|choice| choice.id == state.experiment.workload);
    let Some(next) = step(&state.workloads, current, by) else { return Vec::new() };
    state.experiment.workload = state.workloads[next].id.clone();
    state.experiment.args.clear();
    state.given.clear();
    state.code = super::Code::default();
    let mut effects = start_over(state);
    effects.push(Effect::Load(state.experiment.workload.clone()));
    effects
}

fn choose_workers(state: &mut State, by: i64) -> Vec<Effect> {
    let wanted = i64::from(state.experiment.workers) + by;
    if !(1..=i64::from(MOST_WORKERS)).contains(&wanted) {
        state.message = Some(format!("By key, there can be 1 to {MOST_WORKERS} workers."));
        return Vec::new();
    }
    state.experiment.workers = u32::try_from(wanted).unwrap_or(1);
    state.experiment.processes = None;
    if state.experiment.tasks.is_none() {
        state.experiment.args.clone_from(&state.given);
        return start_over(state);
    }
    // The tasks are the same, so the bars may stay; the picture is of another number of workers.
    super::news::give_up_bar(state);
    let bars = std::mem::take(&mut state.bars);
    let effects = start_over(state);
    state.bars = bars;
    effects
}

fn choose_interval(state: &mut State, longer: bool) -> Vec<Effect> {
    let current = state.experiment.switch_interval;
    let next = if longer {
        INTERVALS.into_iter().find(|interval| *interval > current)
    } else {
        INTERVALS.into_iter().rev().find(|interval| *interval < current)
    };
    let Some(next) = next else {
        let end = if longer { "longest" } else { "shortest" };
        state.message = Some(format!("{current} is the {end} interval one can choose by key."));
        return Vec::new();
    };
    state.experiment.switch_interval = next;
    if state.phase == Phase::Running {
        let running = state.ran.as_ref().map(|ran| ran.model.clone());
        state.bars.retain(|bar| Some(&bar.model) == running.as_ref() && bar.state == super::BarState::Running);
        if let Some(ran) = &mut state.ran {
            ran.switch_interval = next;
        }
        state.view.next = Nanos::ZERO;
        return vec![Effect::SetInterval(next)];
    }
    start_over(state)
}

/// Actions while the seldom-used settings are open.
fn set(state: &mut State, line: usize, action: Action) -> Vec<Effect> {
    let by = match action {
        Action::ScrollDown | Action::NextLane => {
            state.settings = Some((line + 1) % SETTINGS);
            return Vec::new();
        }
        Action::ScrollUp | Action::PreviousLane => {
            state.settings = Some((line + SETTINGS - 1) % SETTINGS);
            return Vec::new();
        }
        Action::CursorRight | Action::Freeze => 1,
        Action::CursorLeft => -1,
        _ => {
            state.settings = None;
            return Vec::new();
        }
    };
    match line {
        0 => {
            state.experiment.rules = match state.experiment.rules {
                Rules::V3_9 => Rules::V3_10,
                Rules::V3_10 => Rules::V3_9,
            };
        }
        1 => {
            // Before 1 task comes "as many as workers".
            let tasks = i64::from(state.experiment.tasks.unwrap_or(0)) + by;
            state.experiment.tasks = u32::try_from(tasks.clamp(0, 9999)).ok().filter(|tasks| *tasks > 0);
            state.experiment.args.clone_from(&state.given);
        }
        _ => match (&state.experiment.start_up, &state.calibration) {
            (Some(_), _) => state.experiment.start_up = None,
            (None, Some(calibration)) => state.experiment.start_up = Some(Arc::clone(calibration)),
            (None, None) => {
                state.message = Some("The lab was opened with --bare: there is no start-up to add.".to_owned());
                return Vec::new();
            }
        },
    }
    state.compare.comparison = None;
    start_over(state)
}

/// Actions that change what is looked at.
fn look(state: &mut State, log: Option<&Trace>, action: Action) {
    let Some(log) = log else {
        state.message = Some("There is nothing to look at yet.".to_owned());
        return;
    };
    let live = state.phase == Phase::Running && state.view.frozen.is_none();
    let begin = log.begin_at();
    match action {
        Action::Freeze if state.view.frozen.is_some() => unfreeze(state),
        Action::Freeze => freeze(state, log),
        Action::NextHandoff => to_handoff(state, log, true),
        Action::PreviousHandoff => to_handoff(state, log, false),
        Action::CursorRight => move_cursor(state, log, 1),
        Action::CursorLeft => move_cursor(state, log, -1),
        Action::PanRight | Action::PanLeft => {
            still(state, log);
            let half = i64::from(state.view.axis.cells / 2).max(1);
            let by = if action == Action::PanRight { half } else { -half };
            let cursor = state.view.cursor.and_then(|at| state.view.axis.cell_of(at));
            if by < 0 || state.view.axis.panned(by, begin).from < log.now() {
                state.view.axis = state.view.axis.panned(by, begin);
            }
            if let Some(cell) = cursor {
                state.view.cursor = Some(state.view.axis.at(cell));
            }
        }
        Action::ToBegin | Action::ToEnd => {
            still(state, log);
            let at = if action == Action::ToBegin { begin } else { log.now() - Nanos(1) };
            point_at(state, log, at);
        }
        Action::ZoomIn | Action::ZoomOut => {
            let cell = state.view.axis.cell;
            let cell = if action == Action::ZoomIn { axis::shorter(cell) } else { axis::longer(cell) };
            state.view.zoom = Zoom::Cell(cell);
            if live {
                state.view.next = Nanos::ZERO;
            } else {
                let about = state.view.cursor.unwrap_or_else(|| middle(state.view.axis, log));
                state.view.axis = state.view.axis.zoomed(cell, about, begin);
                state.view.until = log.now();
            }
        }
        Action::WholeRun => {
            let cells = gutters(state, Some(log)).cells;
            if live {
                state.view.zoom = if state.view.zoom == Zoom::Whole { Zoom::Turns } else { Zoom::Whole };
                state.view.next = Nanos::ZERO;
            } else if state.view.zoom == Zoom::Whole && state.view.is_whole(log) {
                let cell = axis::step_at_least(Nanos(state.experiment.switch_interval.0 / 5));
                let about = state.view.cursor.unwrap_or_else(|| middle(state.view.axis, log));
                state.view.zoom = Zoom::Cell(cell);
                state.view.axis = state.view.axis.zoomed(cell, about, begin);
            } else {
                state.view.show_whole(log, cells);
            }
        }
        Action::NextLane => pick(state, log, 1),
        Action::PreviousLane => pick(state, log, -1),
        Action::ScrollDown => {
            let last = rows(state, log).len().saturating_sub(1);
            state.view.scroll = (state.view.scroll + 1).min(last);
        }
        Action::ScrollUp => state.view.scroll = state.view.scroll.saturating_sub(1),
        Action::Unfold => unfold(state, log),
        Action::NextTrigger => {
            state.view.trigger = state.view.trigger.next();
            state.view.next = Nanos::ZERO;
        }
        _ => {}
    }
}

fn middle(axis: Axis, log: &Trace) -> Nanos {
    axis.at(axis.cells / 2).min(log.now() - Nanos(1)).max(log.begin_at())
}

/// Stops a live picture from being exchanged.
fn still(state: &mut State, log: &Trace) {
    if state.phase == Phase::Running && state.view.frozen.is_none() {
        state.view.frozen = Some(log.elapsed());
        state.view.until = log.now();
    }
}

fn freeze(state: &mut State, log: &Trace) {
    if state.phase != Phase::Running && state.view.cursor.is_some() {
        state.view.cursor = None;
        return;
    }
    still(state, log);
    state.view.cursor = Some(middle(state.view.axis, log));
}

fn unfreeze(state: &mut State) {
    state.view.frozen = None;
    state.view.cursor = None;
    state.view.next = Nanos::ZERO;
}

fn point_at(state: &mut State, log: &Trace, at: Nanos) {
    let at = at.min(log.now() - Nanos(1)).max(log.begin_at());
    state.view.cursor = Some(at);
    state.view.until = log.now();
    state.view.axis = state.view.axis.showing(at, log.begin_at());
}

fn move_cursor(state: &mut State, log: &Trace, by: i64) {
    still(state, log);
    let Some(cursor) = state.view.cursor else {
        point_at(state, log, middle(state.view.axis, log));
        return;
    };
    let axis = state.view.axis;
    // From cell to cell, at the cell's beginning, so that what is pointed at is what the cell begins with.
    let edge = axis.cell_of(cursor).map_or(cursor, |cell| axis.at(cell));
    let at = if by > 0 { edge + axis.cell } else { edge - axis.cell };
    if axis.cell_of(at).is_none() {
        state.view.axis = axis.panned(by, log.begin_at());
    }
    point_at(state, log, at);
}

fn to_handoff(state: &mut State, log: &Trace, forward: bool) {
    still(state, log);
    let from = state.view.cursor.unwrap_or_else(|| middle(state.view.axis, log));
    let picked = super::cursor::lane(state, log);
    let lock = picked.and_then(|lane| log.lane(lane).lock).or_else(|| worker_locks(log).first().copied());
    let at = lock.and_then(|lock| if forward { log.next_handoff(lock, from) } else { log.prev_handoff(lock, from) });
    match at {
        Some(at) => {
            point_at(state, log, at);
            if let Some((owner, _)) =
                lock.and_then(|lock| log.owner_at(lock, at)).filter(|(lane, _)| place(log, *lane).is_some())
            {
                state.view.picked = Some(owner);
            }
        }
        None => {
            let side = if forward { "later" } else { "earlier" };
            state.message = Some(format!("There is no {side} hand-off of this lock."));
        }
    }
}

/// The first lane of a row; a lock has none.
fn first_lane(log: &Trace, row: &Row) -> Option<LaneId> {
    match row {
        Row::Lane(lane) => Some(*lane),
        Row::Band(band) => log.workers().get(band.start).copied(),
        Row::Lock(_) => None,
    }
}

fn pick(state: &mut State, log: &Trace, by: i64) {
    let lanes: Vec<LaneId> = rows(state, log).iter().filter_map(|row| first_lane(log, row)).collect();
    // The first lane is pointed at before any is picked.
    let current = if state.view.cursor.is_none() && state.view.picked.is_none() {
        None
    } else {
        let first_of_row = match super::cursor::band(state, log) {
            Some(band) => log.workers().get(band.start).copied(),
            None => super::cursor::lane(state, log),
        };
        Some(lanes.iter().position(|lane| Some(*lane) == first_of_row).unwrap_or(0))
    };
    let next = match current {
        None => Some(0),
        current => step(&lanes, current, by),
    };
    if let Some(next) = next {
        state.view.picked = lanes.get(next).copied();
        state.view.next = Nanos::ZERO;
    }
}

/// Shows the lanes of the band pointed at, or in the end folds all of them again.
fn unfold(state: &mut State, log: &Trace) {
    let fold = Fold::of(state, log);
    if let Some(band) = super::cursor::band(state, log) {
        state.view.picked = log.workers().get(band.start).copied();
        state.view.unfolded = Some(band);
    } else if fold.is_folded() {
        state.message = Some("Pick a band to unfold; what makes the lanes is none.".to_owned());
    } else if state.view.unfolded.take().is_none() {
        state.message = Some("The lanes stand one by one already.".to_owned());
    }
    state.view.scroll = 0;
}

impl State {
    /// Whether the chosen model is the baseline's.
    pub fn is_baseline_chosen(&self) -> bool {
        self.experiment.model == ModelChoice::BASELINE
    }
}
