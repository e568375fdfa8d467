//! What an action changes.

mod choose;
mod look;

use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::event::Nanos;
use crate::session::{Contest, Experiment, Length};
use crate::trace::Trace;

use super::action::Action;
use super::choice::ModelChoice;
use super::compare::{self, Screen};
use super::news::{order_baseline, wants_baseline};
use super::picker;
use super::state::{State, ThemeName};
use super::watch;
use choose::{choose_interval, choose_model, run, set, set_at};
use look::{look, unfreeze};

pub use choose::{INTERVALS, MOST_WORKERS, choose};

/// The help has fewer lines than this.
const MOST_HELP: usize = 200;

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
    /// Look at the script in this file: `News::Script`.
    LookAtScript(Arc<str>),
    /// Hand this key to the program that is watched.
    Press(KeyEvent),
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
            Action::PanRight => Some((top + help_page(state)).min(MOST_HELP)),
            Action::PanLeft => Some(top.saturating_sub(help_page(state))),
            Action::ToBegin => Some(0),
            Action::ToEnd => Some(MOST_HELP),
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
        _ if state.screen == Screen::Watch => match watch::update(state, log, action) {
            Some(effects) => return effects,
            None => look(state, log, action),
        },
        Action::ExactOnce | Action::ByFunction | Action::Output | Action::Type => {
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
        Action::Settings => set_at(state, 0),
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

/// By how many lines a page of the help goes on.
fn help_page(state: &State) -> usize {
    usize::from(state.size.1.saturating_sub(3)).max(1)
}

fn close(state: &mut State) -> Vec<Effect> {
    if state.help.is_some() {
        state.help = None;
    } else if state.settings.is_some() {
        (state.settings, state.message) = (None, None);
    } else if state.watch.reading.is_some() {
        (state.watch.reading, state.message) = (None, None);
    } else if state.message.is_some() {
        state.message = None;
    } else if state.view.frozen.is_some() || state.view.cursor.is_some() {
        unfreeze(state);
    } else if state.view.unfolded.is_some() {
        state.view.unfolded = None;
        state.view.scroll = 0;
    } else if state.watch.picker.is_behind() {
        return picker::leave(state);
    } else {
        state.view.big = false;
    }
    Vec::new()
}
