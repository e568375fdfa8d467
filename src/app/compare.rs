//! The Compare screen: what is shown of a comparison, and what keys do to it.

use crate::session::{BASELINE_AT_MOST, Comparison, Contest, Length, Progress};

use super::action::Action;
use super::state::State;
use super::update::{self, Effect};

/// How often each model runs: enough for a median that one disturbed run does not move.
pub const REPEATS: u32 = 5;

/// Which screen is on the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// One experiment.
    #[default]
    Lab,
    /// The same work under several models.
    Compare,
    /// A real program.
    Watch,
}

/// What is shown of each model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// How many cores were busy as time went by.
    #[default]
    Profiles,
    /// Where the workers' time went.
    Ledger,
    /// Memory, start-up, hand-offs, context switches.
    Costs,
}

/// What is known on the Compare screen.
#[derive(Clone, Debug, Default)]
pub struct Compare {
    /// What has been found out so far; none before the first comparison of what is chosen.
    pub comparison: Option<Comparison>,
    /// What is shown of each model.
    pub side: Side,
    /// How many models are above the top of the screen.
    pub scroll: usize,
}

impl Compare {
    /// Whether runs follow.
    pub fn is_under_way(&self) -> bool {
        self.comparison.as_ref().is_some_and(|comparison| !comparison.is_over())
    }

    /// The word scripts may wait for.
    pub fn word(&self) -> &'static str {
        match self.comparison.as_ref().map(|comparison| &comparison.progress) {
            None => "READY",
            Some(Progress::Sizing) => "SIZING",
            Some(Progress::Running { .. }) => "COMPARING",
            Some(Progress::Done) => "DONE",
            Some(Progress::Cancelled) => "CANCELLED",
            Some(Progress::TooLong) => "ASKS",
        }
    }

    /// Whether one at a time turned out to take so long that it is asked whether it shall.
    pub fn asks(&self) -> bool {
        self.comparison.as_ref().is_some_and(|comparison| comparison.progress == Progress::TooLong)
    }
}

/// Everything chosen, under every model.
pub fn contest(state: &State) -> Contest {
    let mut experiment = state.experiment.clone();
    experiment.args.clone_from(&state.given);
    let length = if state.length == Length::UntilStopped { Length::ThreeSeconds } else { state.length };
    Contest {
        experiment,
        models: state.models.iter().map(|model| model.id.clone()).collect(),
        repeats: REPEATS,
        lasts: length.target(),
        interpreters: Vec::new(),
        at_most: Some(BASELINE_AT_MOST),
    }
}

/// Does what was asked for on the Compare screen.
pub fn update(state: &mut State, action: Action) -> Vec<Effect> {
    let under_way = state.compare.is_under_way();
    match action {
        Action::RunOrStop if under_way => return vec![Effect::CancelComparison],
        Action::RunOrStop => return compare(state, contest(state)),
        Action::Baseline if state.compare.asks() => {
            return compare(state, Contest { at_most: None, ..contest(state) });
        }
        Action::Ledger => toggle(state, Side::Ledger),
        Action::Costs => toggle(state, Side::Costs),
        Action::ScrollDown => {
            let last =
                state.compare.comparison.as_ref().map_or(0, |comparison| comparison.rows.len().saturating_sub(1));
            state.compare.scroll = (state.compare.scroll + 1).min(last);
        }
        Action::ScrollUp => state.compare.scroll = state.compare.scroll.saturating_sub(1),
        Action::NextWorkload
        | Action::PreviousWorkload
        | Action::MoreWorkers
        | Action::FewerWorkers
        | Action::NextLength => {
            if under_way {
                let key = state.keymap.key(Action::RunOrStop);
                state.message = Some(format!("{key} cancels the comparison; then something else can be chosen."));
                return Vec::new();
            }
            state.compare.comparison = None;
            return update::choose(state, action);
        }
        _ => state.message = Some("This key belongs to the lab.".to_owned()),
    }
    Vec::new()
}

/// One thing runs at a time.
fn compare(state: &mut State, contest: Contest) -> Vec<Effect> {
    state.compare.comparison = None;
    let stop = state.phase.is_busy().then_some(Effect::Stop);
    stop.into_iter().chain([Effect::Compare(contest)]).collect()
}

fn toggle(state: &mut State, side: Side) {
    state.compare.side = if state.compare.side == side { Side::Profiles } else { side };
}
