//! The list of Python processes on the Watch screen, from which one is chosen to be watched.
//!
//! What the lab shows is put aside while a program is watched, and is there again when that is left.

use super::action::Action;
use super::compare::Screen;
use super::origin::Origin;
use super::state::{Phase, State};
use super::update::Effect;
use super::watch::Watch;

/// A Python process that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// Its version if it may be attached to, else why not.
    pub version: Result<String, String>,
    /// Why little is to be seen of it, if it may be attached to and that is so.
    pub in_part: Option<String>,
}

impl Candidate {
    /// What a person must know who chooses it.
    pub fn caveat(&self) -> Option<&String> {
        self.version.as_ref().err().or(self.in_part.as_ref())
    }
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Picker {
    /// Those that may be attached to, then the others; none before anybody has looked.
    pub rows: Option<Vec<Candidate>>,
    /// The process that is chosen: the list may change around it.
    chosen: Option<u32>,
    /// Whether what is watched was chosen here: then leaving it comes back here.
    aside: Option<Box<State>>,
}

impl Picker {
    /// Takes in who runs now.
    pub fn list(&mut self, mut rows: Vec<Candidate>) {
        rows.sort_by_key(|row| (row.version.is_err(), row.pid));
        let before = self.chosen_index();
        self.rows = Some(rows);
        if self.chosen().is_none() {
            // It has ended: whoever is at its place now, or the last.
            let rows = self.rows.as_deref().unwrap_or_default();
            self.chosen = rows.get(before.unwrap_or(0)).or(rows.last()).map(|row| row.pid);
        }
    }

    /// At which place of the list the chosen one is.
    pub fn chosen_index(&self) -> Option<usize> {
        self.rows.as_ref()?.iter().position(|row| Some(row.pid) == self.chosen)
    }

    /// The chosen one.
    pub fn chosen(&self) -> Option<&Candidate> {
        self.rows.as_ref()?.get(self.chosen_index()?)
    }

    /// Whether leaving what is watched comes back to the list.
    pub fn is_behind(&self) -> bool {
        self.aside.is_some()
    }

    fn choose(&mut self, index: usize) {
        let rows = self.rows.as_deref().unwrap_or_default();
        self.chosen = rows.get(index.min(rows.len().saturating_sub(1))).map(|row| row.pid);
    }
}

/// Whether the list is on the screen.
pub fn is_open(state: &State) -> bool {
    state.screen == Screen::Watch && state.origin.program.is_none()
}

/// Does what was asked for while the list is on the screen.
pub fn update(state: &mut State, action: Action) -> Vec<Effect> {
    let picker = &mut state.watch.picker;
    let at = picker.chosen_index().unwrap_or(0);
    match action {
        Action::ScrollDown | Action::NextLane => picker.choose(at + 1),
        Action::ScrollUp | Action::PreviousLane => picker.choose(at.saturating_sub(1)),
        Action::ToBegin => picker.choose(0),
        Action::ToEnd => picker.choose(usize::MAX),
        Action::RunOrStop => return attach(state),
        _ => {
            let key = state.keymap.key(Action::RunOrStop);
            state.message = Some(format!("First choose a program to watch: {key} attaches to it."));
        }
    }
    Vec::new()
}

fn attach(state: &mut State) -> Vec<Effect> {
    // One thing at a time: what runs in the lab would take the cores of what is watched.
    if state.phase.is_busy() || state.compare.is_under_way() {
        let screen = if state.phase.is_busy() { Action::ShowLab } else { Action::ShowCompare };
        let (screen, stop) = (state.keymap.key(screen), state.keymap.key(Action::RunOrStop));
        state.message = Some(format!("Something runs in the lab: {screen} shows it, there {stop} ends it."));
        return Vec::new();
    }
    match state.watch.picker.chosen() {
        Some(chosen) if chosen.version.is_ok() => vec![Effect::Attach(chosen.pid)],
        Some(Candidate { version: Err(why), .. }) => {
            state.message = Some(super::words::foreign(why));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// It has been attached to: what the lab shows is put aside.
pub fn attached(state: &mut State) {
    let aside = Box::new(state.clone());
    state.watch = Watch::default();
    state.origin = Origin::default();
    state.watch.picker.aside = Some(aside);
    state.message = None;
    state.ran = None;
    state.phase = Phase::Starting;
    state.figures = super::Figures::default();
    state.view = super::View::default();
    state.bars.clear();
}

/// Leaves what is watched, if it was chosen here: it runs on, and the list and the lab are as they were.
pub fn leave(state: &mut State) -> Vec<Effect> {
    let Some(aside) = state.watch.picker.aside.take() else { return Vec::new() };
    let now = std::mem::replace(state, *aside);
    // What has become of the world meanwhile stays.
    state.size = now.size;
    state.now = now.now;
    state.look = now.look;
    state.machine = now.machine;
    state.revision = now.revision;
    vec![Effect::LeaveWatched]
}

#[cfg(test)]
mod tests {
    use super::super::update;
    use super::super::{Bar, BarState, ModelChoice, News, Program, hear};
    use super::*;
    use crate::event::Nanos;
    use crate::session::Experiment;

    fn candidate(pid: u32, version: Result<&str, &str>) -> Candidate {
        Candidate {
            pid,
            command: format!("python {pid}.py"),
            version: version.map(str::to_owned).map_err(str::to_owned),
            in_part: None,
        }
    }

    fn open() -> State {
        let experiment = Experiment::new("sum-squares", "threads", 4);
        let mut state = State::new(experiment, Vec::new(), ModelChoice::built_in());
        update(&mut state, None, Action::ShowWatch);
        let rows = vec![candidate(30, Err("no")), candidate(10, Ok("3.13.1")), candidate(20, Ok("3.11.2"))];
        hear(&mut state, None, News::Pythons(rows));
        state
    }

    #[test]
    fn those_that_may_be_watched_come_first_and_the_choice_stays_with_its_process() {
        let mut state = open();
        assert_eq!(state.watch.picker.chosen().map(|row| row.pid), Some(10));
        update(&mut state, None, Action::ScrollDown);
        assert_eq!(update(&mut state, None, Action::RunOrStop), [Effect::Attach(20)]);
        // One more before it: the choice is the same process. It ends: the choice is who is at its place.
        let rows = [5, 10, 20].map(|pid| candidate(pid, Ok("3.11.2")));
        hear(&mut state, None, News::Pythons(rows.to_vec()));
        assert_eq!(state.watch.picker.chosen_index(), Some(2));
        hear(&mut state, None, News::Pythons(rows[..2].to_vec()));
        assert_eq!(state.watch.picker.chosen().map(|row| row.pid), Some(10));
        hear(&mut state, None, News::Pythons(Vec::new()));
        assert_eq!(update(&mut state, None, Action::RunOrStop), []);
        let before = state.revision;
        hear(&mut state, None, News::Pythons(Vec::new()));
        assert_eq!(state.revision, before, "nothing new is nothing to draw");
    }

    #[test]
    fn one_that_may_not_be_watched_says_why() {
        let mut state = open();
        update(&mut state, None, Action::ToEnd);
        assert_eq!(update(&mut state, None, Action::RunOrStop), []);
        assert_eq!(state.message, Some(crate::app::words::foreign("no")));
    }

    #[test]
    fn nothing_is_attached_to_while_something_runs_in_the_lab() {
        let mut state = open();
        state.phase = Phase::Running;
        assert_eq!(update(&mut state, None, Action::RunOrStop), []);
        assert!(state.message.is_some_and(|text| text.contains("runs in the lab")));
    }

    #[test]
    fn leaving_comes_back_to_the_list_and_to_the_lab_as_it_was() {
        let mut state = open();
        let done = BarState::Done(Nanos::from_secs(3));
        let bar = Bar { model: "threads".to_owned(), workers: 4, label: String::new(), state: done };
        state.bars = vec![bar.clone()];
        hear(&mut state, None, News::Attached);
        state.origin.program = Some(Program { pid: 10, ..Program::default() });
        hear(&mut state, None, News::Began);
        hear(&mut state, None, News::Resized(60, 15));
        assert!(update(&mut state, None, Action::ShowLab).is_empty() && state.screen == Screen::Watch);
        // The first closes what was said, the second leaves.
        update(&mut state, None, Action::Close);
        assert_eq!(update(&mut state, None, Action::Close), [Effect::LeaveWatched]);
        assert!(is_open(&state) && !state.watch.picker.is_behind());
        assert_eq!((state.size, state.bars, state.phase), ((60, 15), vec![bar], Phase::Ready));
        assert_eq!(state.watch.picker.rows.as_ref().map(Vec::len), Some(3));
    }
}
