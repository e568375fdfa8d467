//! The one sentence below the picture: what is seen, and the next key.

use crate::event::{Nanos, State as LaneState};

use super::super::action::Action;
use super::super::choice::ModelChoice;
use super::super::figures::Figures;
use super::super::state::{BarState, Phase, State};
use super::{expected, percent};

/// From this share of their time on, what the workers did beside running is named.
const WORTH_SAYING: f64 = 0.3;

/// What is seen, and the next key.
pub fn sentence(state: &State) -> String {
    if let Some(message) = &state.message {
        return message.clone();
    }
    let key = |action| state.keymap.key(action);
    let enter = key(Action::RunOrStop);
    match &state.phase {
        Phase::Ready => ready(state, &enter),
        Phase::Sizing => "Finding how much work lasts that long, one at a time.".to_owned(),
        Phase::Starting => "The interpreter starts; the clock does not run yet.".to_owned(),
        Phase::Failed(why) => format!("{} {enter} runs it again.", full_stop(why)),
        Phase::Stopped => format!("Stopped after {}. {enter} runs it again.", state.figures.elapsed),
        Phase::Baseline { .. } => {
            let span = expected(state);
            format!("Now the same work one at a time, to compare: {span}. {enter} stops it.")
        }
        Phase::Running => seen(state),
        Phase::Done => format!("{}{}", seen(state), next(state)),
    }
}

/// What can be run, and what to look at; or why it cannot.
fn ready(state: &State, enter: &str) -> String {
    if let Some(why) = state.objection(&state.experiment.model) {
        let key = state.keymap.key(Action::NextModel);
        return format!("{} {key} chooses another model.", full_stop(why));
    }
    match state.workload().map(|workload| workload.watch.as_str()).filter(|watch| !watch.is_empty()) {
        Some(watch) => format!("{enter} runs it. Watch: {}", lower(watch)),
        None => format!("{enter} runs it."),
    }
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), text.chars().nth(1)) {
        // "I/O threads" and "GIL" keep their capitals.
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            format!("{}{}", first.to_lowercase(), characters.as_str())
        }
        _ => text.to_owned(),
    }
}

fn full_stop(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// What is seen.
fn seen(state: &State) -> String {
    let figures = &state.figures;
    let workers = figures.workers;
    let share = |lane_state| figures.share(lane_state);
    let start_up = share(LaneState::Starting);
    if figures.ledger.is_none() || figures.elapsed < Nanos::from_millis(200) && state.phase == Phase::Running {
        return "It has just begun.".to_owned();
    }
    if share(LaneState::Unknown) > 0.25 {
        return "Much of this run was not observed (╱); its figures say little.".to_owned();
    }
    if let Some(finding) = figures.insights.first() {
        return finding.sentence.clone();
    }
    // Nothing stands in the way of this run: what is there to see is how it is built.
    let wants = share(LaneState::WaitingCore);
    let short = format!("For {} of the time a worker wanted a core (!).", percent(wants));
    let own_locks = state.model_shown().is_some_and(ModelChoice::has_own_locks);
    if own_locks {
        let whose = if state.model_shown().is_some_and(|model| model.id == "subinterpreters") {
            "interpreter"
        } else {
            "process"
        };
        let mut text = format!("Each {whose} has its own lock, so nobody waits for another's.");
        if start_up >= 0.005 {
            text += &format!(" Start-up (s) took {}.", percent(start_up));
        }
        if wants >= 0.1 {
            text += &format!(" {short}");
        }
        return text;
    }
    if workers <= 1 {
        return "One task after another, on one core: what the others are measured against.".to_owned();
    }
    if state.model_shown().is_some_and(ModelChoice::has_no_lock) {
        let wanting = if wants >= 0.1 { format!(" {short}") } else { String::new() };
        let rates = figures.work.iter().map(|(_, rate)| rate);
        let rate = rates.sum::<f64>() / figures.work.len().max(1) as f64;
        return match state.alone.filter(|_| rate > 0.0) {
            Some(alone) => format!(
                "There is no lock, so all threads run at once, and in a millisecond each gets {} done of what one \
                 alone does.{wanting}",
                percent(rate / alone)
            ),
            None => format!("There is no lock, so all threads run at once.{wanting}"),
        };
    }
    if state.model_shown().is_some_and(|model| model.id == "coroutines") {
        let (awaiting, ready) = (percent(share(LaneState::Suspended)), percent(share(LaneState::Ready)));
        return format!(
            "One thread runs all tasks, one at a time. They await {awaiting} and are ready {ready} of their time."
        );
    }
    if state.model_shown().is_some_and(|model| model.id == "hybrid") && share(LaneState::WaitingGil) >= 0.05 {
        let waits = percent(share(LaneState::WaitingGil));
        return format!(
            "The threads of a process take turns on its lock, the processes run at once. Waiting: {waits}."
        );
    }
    if wants >= 0.2 {
        return short;
    }
    let runs = percent(share(LaneState::Running));
    let other = state.figures.ledger.as_ref().and_then(|ledger| Figures::else_in(ledger, LaneState::Running));
    match other.filter(|(_, share)| *share >= WORTH_SAYING) {
        Some((other, share)) => {
            format!("The workers run {runs} of their time; {} they {}.", percent(share), do_in(other))
        }
        None => format!("The workers run {runs} of their time."),
    }
}

/// What several do in a state.
const fn do_in(state: LaneState) -> &'static str {
    match state {
        LaneState::Starting => "start",
        LaneState::Pickling | LaneState::Unpickling => "pickle or unpickle",
        LaneState::Running => "run",
        LaneState::WaitingGil => "wait for the GIL",
        LaneState::WaitingCore => "want a core",
        LaneState::WaitingLock => "want the program's own lock",
        LaneState::Sleeping => "sleep, nobody saw what for",
        LaneState::WaitingWorld => "wait for stop-the-world",
        LaneState::Io => "wait for I/O",
        LaneState::Native => "are in C code, the lock free",
        LaneState::Suspended => "await",
        LaneState::Ready => "could go on while the loop is busy",
        LaneState::Idle => "have no task",
        LaneState::Stopped => "are stopped",
        LaneState::Unborn | LaneState::Done | LaneState::Unknown => "were not seen",
    }
}

/// The next key worth pressing.
fn next(state: &State) -> String {
    let key = state.keymap.key(Action::NextModel);
    let Some(next) = state.next_model().filter(|next| next.id != state.experiment.model) else { return String::new() };
    let label = next.label_over(next.lanes(state.experiment.workers), state.experiment.processes);
    let done = state.bars.iter().any(|bar| bar.model == next.id && matches!(bar.state, BarState::Done(_)));
    if done { String::new() } else { format!(" {key}: the same work, {label}.") }
}
