//! What changes what is run: the choices of the lab and its seldom-used settings.

use std::sync::Arc;

use crate::event::Nanos;
use crate::vm::Rules;

use super::super::figures::Figures;
use super::super::news::give_up_bar;
use super::super::state::{Phase, SETTINGS, State};
use super::super::{BarState, Code, words};
use super::{Action, Effect};

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

pub(super) fn run(state: &mut State) -> Vec<Effect> {
    // Whatever runs is ended, and not told of any more.
    give_up_bar(state);
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

pub(super) fn step<T>(items: &[T], current: Option<usize>, by: i64) -> Option<usize> {
    let count = i64::try_from(items.len()).ok().filter(|count| *count > 0)?;
    let current = current.and_then(|index| i64::try_from(index).ok()).unwrap_or(-by.min(0));
    usize::try_from((current + by).rem_euclid(count)).ok()
}

pub(super) fn choose_model(state: &mut State, by: i64) -> Vec<Effect> {
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
    state.code = Code::default();
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
    give_up_bar(state);
    let bars = std::mem::take(&mut state.bars);
    let effects = start_over(state);
    state.bars = bars;
    effects
}

pub(super) fn choose_interval(state: &mut State, longer: bool) -> Vec<Effect> {
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
        state.bars.retain(|bar| Some(&bar.model) == running.as_ref() && bar.state == BarState::Running);
        if let Some(ran) = &mut state.ran {
            ran.switch_interval = next;
        }
        state.view.next = Nanos::ZERO;
        return vec![Effect::SetInterval(next)];
    }
    start_over(state)
}

/// Goes to a line of the seldom-used settings, and says what it is for.
pub(super) fn set_at(state: &mut State, line: usize) -> Vec<Effect> {
    state.settings = Some(line);
    state.message = Some(words::setting(line).to_owned());
    Vec::new()
}

/// Actions while the seldom-used settings are open.
pub(super) fn set(state: &mut State, line: usize, action: Action) -> Vec<Effect> {
    let by = match action {
        Action::ScrollDown | Action::NextLane => return set_at(state, (line + 1) % SETTINGS),
        Action::ScrollUp | Action::PreviousLane => return set_at(state, (line + SETTINGS - 1) % SETTINGS),
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
