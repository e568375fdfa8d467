//! The Watch screen: a real program, and who in it makes others wait.
//!
//! A busy service is what it is for: dozens of threads, most of them idle, and a
//! lock that is taken thousands of times a second. So the figures come first,
//! and the timeline shows those lanes that are kept waiting most.

mod figures;
mod functions;
pub mod locks;
pub mod panel;
pub mod point;
pub mod rows;
mod said;
mod typing;
mod work;

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{LaneId, LockId, Nanos};
use crate::insight::Books;
use crate::program::Printed;
use crate::session::{Places, Wants};
use crate::trace::Trace;
use crate::workload::Script;

use super::action::{Action, Group};
use super::axis::{self, Axis};
use super::origin::Origin;
use super::picker::Picker;
use super::state::{Phase, State};
use super::update::Effect;
use super::view::Zoom;
use super::words::{foreign, span};
use panel::By;

pub use figures::{Also, Call, Figures, Holder, LATELY, Stops};
pub use panel::Reading;
pub use rows::{Kind, Life, Row};
pub use said::said;
pub use typing::{keys as typing_keys, typed};
pub use work::{AtWork, MOMENT, Work};

/// Of how much time the picture may still be frozen when a long wait is found.
const KEPT: Nanos = Nanos::from_secs(60);

/// So many of those that wait most are looked at for long waits.
const MOST_LOOKED_AT: usize = 64;

/// A wait that lasts so long is shown although it goes on.
const PATIENCE: Nanos = Nanos::from_secs(2);

/// The waits at which the picture may be made to freeze.
const LIMITS: [Nanos; 4] =
    [Nanos::from_millis(20), Nanos::from_millis(50), Nanos::from_millis(100), Nanos::from_millis(500)];

/// How much time a cell of a sampled picture has at first.
const SAMPLED_CELL: Nanos = Nanos::from_millis(10);

/// How a program that is watched does, as of now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// What it is, and how it is observed.
    pub origin: Origin,
    /// Whether it is known that it has no GIL: a free-threaded build that has not turned it on.
    pub gil_disabled: bool,
    /// Where the holders of locks were seen.
    pub places: Places,
    /// What threads were seen to wait for in locks of the program's own.
    pub wants: Wants,
    /// What it printed.
    pub output: Printed,
    /// How much of the time locks were held of late, 0 to 1, where that is not read from the log.
    pub locks_held: Vec<(LockId, f64)>,
    /// How many cores it has, where that is not read from the log.
    pub cores_busy: Option<f64>,
    /// How many cores threads without a lane had of late.
    pub native_busy: f64,
    /// What is known of cores beside what the log tells.
    pub books: Books,
    /// Its switch interval.
    pub switch_interval: Nanos,
    /// How the observer gets on, as far as it has said.
    pub work: Option<Work>,
    /// How it ended; none while it runs.
    pub ended: Option<String>,
}

/// What is known on the Watch screen.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// From what one is chosen.
    pub picker: Picker,
    /// Whether it is known that the program has no GIL.
    pub gil_disabled: bool,
    /// The figures that stand on the screen.
    pub figures: Figures,
    /// Where the holders of locks were seen, as of these figures.
    pub places: Places,
    /// What threads were seen to wait for in locks of the program's own, as of these figures.
    pub wants: Wants,
    /// How much of the time locks are held, 0 to 1, where that is not read from the log, as of these figures.
    pub locks_held: Vec<(LockId, f64)>,
    /// Whether the table is by function rather than by thread.
    pub by_function: bool,
    /// The picture freezes at a wait longer than this.
    pub freeze_over: Option<Nanos>,
    /// What the program printed.
    pub output: Printed,
    /// Whether the keys are the program's.
    pub typing: bool,
    /// Where one reads in its output, while that is shown.
    pub reading: Option<Reading>,
    /// How many lanes are above the top of the screen.
    pub scroll: usize,
    /// How many cores it has, where that is not read from the log.
    pub cores_busy: Option<f64>,
    /// How many cores threads without a lane had of late.
    pub native_busy: f64,
    /// What is known of cores beside what the log tells, as of these figures.
    pub books: Books,
    /// Its switch interval.
    pub switch_interval: Nanos,
    /// How it ended; none while it runs.
    pub ended: Option<String>,
    /// How the observer gets on.
    pub at_work: AtWork,
    /// Whether leaving has been asked for once: a program that we started ends with us.
    pub leaving: bool,
    /// Up to when waits longer than the limit have been looked for.
    looked: Nanos,
    /// What is known of the scripts that a person may be told to import, by file; of one just asked for nothing.
    scripts: HashMap<Arc<str>, Script>,
    history: figures::History,
}

impl Watch {
    /// The first wait longer than the limit that was not looked at yet, if there is a limit: whose, and from when to when.
    /// One that goes on is waited for, so that all of it is in the picture.
    fn long_wait(&mut self, log: &Trace) -> Option<(LaneId, Nanos, Nanos)> {
        let limit = self.freeze_over?;
        let from = self.looked.max(log.now() - KEPT);
        // Whoever may wait still is looked at again.
        self.looked = self.looked.max(log.now() - (limit + PATIENCE));
        let listed = self.figures.rows.iter().flat_map(|row| &row.lives).chain(&self.figures.idle);
        let lives = listed.filter(|life| life.meets(from, log.now()));
        let lanes = lives.take(MOST_LOOKED_AT).map(|life| life.lane);
        let found = lanes.filter_map(|lane| {
            let at = log.next_wait_longer_than(lane, from, limit)?;
            let to = log.span_at(lane, at)?.to;
            (to < log.now() || to - at >= PATIENCE || log.has_ended()).then_some((lane, at, to))
        });
        found.min_by_key(|(_, at, _)| *at)
    }

    /// Whose script is to be looked at before a person is told to import it, each once: that of who makes most wait.
    fn script_to_look_at(&mut self) -> Option<Effect> {
        let call = self.figures.holders.first()?.call.as_ref()?;
        let is_new = !self.scripts.contains_key(&call.file);
        is_new.then(|| {
            self.scripts.insert(Arc::clone(&call.file), Script::default());
            Effect::LookAtScript(Arc::clone(&call.file))
        })
    }

    /// What those are called that stand in the list and in the table.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let rows = self.figures.rows.iter().map(|row| row.name.as_str());
        rows.chain(self.figures.holders.iter().map(|holder| holder.name.as_str()))
    }

    /// The letter of a lane in the lock's row: those who make most wait come first. None for those without one.
    pub fn letter(&self, lane: LaneId) -> Option<char> {
        ('a'..='z').nth(*self.figures.places.get(&lane)?)
    }
}

/// A script has been looked at.
pub fn looked_at(state: &mut State, file: Arc<str>, script: Script) {
    state.watch.scripts.insert(file, script);
}

/// Takes in how the program does.
pub fn observed(state: &mut State, log: Option<&Trace>, seen: Observation) -> Vec<Effect> {
    let Observation { origin, gil_disabled, places, wants, output, locks_held, .. } = seen;
    let Observation { cores_busy, native_busy, books, switch_interval, work, ended, .. } = seen;
    if origin.is_sampled() && state.view.zoom == Zoom::Turns {
        // Ten samples a cell.
        state.view.zoom = Zoom::Cell(SAMPLED_CELL);
    }
    state.origin = origin;
    state.watch.gil_disabled = gil_disabled;
    state.watch.output = output;
    if let Some(work) = work
        && let Some(said) = state.watch.at_work.said(state.now, work, state.origin.is_sampled())
    {
        state.message = Some(said);
    }
    if !state.is_frozen() {
        state.watch.at_work.show();
    }
    let Some(log) = log else { return Vec::new() };
    // While the picture stands still the figures do, too: they are of what it shows. What has ended changes no more.
    if state.view.frozen.is_none() || ended.is_some() {
        (state.watch.wants, state.watch.cores_busy) = (wants, cores_busy);
        (state.watch.native_busy, state.watch.locks_held) = (native_busy, locks_held);
        (state.watch.books, state.watch.switch_interval) = (books, switch_interval);
        state.watch.read(log, &places);
    } else {
        // Once it goes on, waits are looked for that come then.
        state.watch.looked = log.now();
    }
    if state.view.frozen.is_none()
        && let Some((lane, at, to)) = state.watch.long_wait(log)
    {
        let limit = state.watch.freeze_over.unwrap_or_default();
        // All of it is in the picture, with some of what was before.
        let axis = &mut state.view.axis;
        let lead = |axis: &Axis| Nanos(axis.span().0 / 4);
        if at - lead(axis) + axis.span() < to {
            axis.cell = axis::fitting(Nanos((to - at).0 / 2 * 3), axis.cells).max(axis.cell);
        }
        axis.from = (at - lead(axis)).max(log.begin_at());
        state.view.freeze(log);
        state.view.picked = Some(lane);
        state.view.cursor = Some(point::longest_hold(log, lane, at));
        let (name, key, limit) = (foreign(&state.watch.name(log, lane)), state.keymap.key(Action::Freeze), span(limit));
        state.message = Some(format!("FROZEN: {name} waited more than {limit} for the lock; {key} goes on."));
    }
    if ended.is_some() && state.watch.ended.is_none() {
        state.watch.ended = ended;
        state.phase = Phase::Done;
        if std::mem::take(&mut state.watch.leaving) {
            // It does not run any more: nothing is to be asked.
            state.message = None;
        }
        // A picture that stood still is of the end now, as its figures are.
        if state.view.frozen.take().is_some() {
            state.view.until = log.now();
        }
    }
    state.watch.script_to_look_at().into_iter().collect()
}

/// Whether leaving would end a program that we started and that still runs: then it is asked first.
pub fn must_ask(state: &mut State) -> bool {
    let Some(program) = state.origin.program.as_ref().filter(|program| program.launched) else { return false };
    if state.watch.ended.is_some() || state.watch.leaving {
        return false;
    }
    let key = state.keymap.key(Action::Quit);
    state.message = Some(format!("{} still runs and ends with gilscope: {key} again leaves.", foreign(&program.name)));
    state.watch.leaving = true;
    true
}

/// Does what was asked for on the Watch screen. `None`: it is about the picture, which is looked at as in the lab.
pub fn update(state: &mut State, log: Option<&Trace>, action: Action) -> Option<Vec<Effect>> {
    state.watch.leaving = false;
    if let Some(by) = scrolls(state, action) {
        read_on(state, by);
        return Some(Vec::new());
    }
    let watch = &mut state.watch;
    let points = state.view.cursor.is_some() && watch.reading.is_none();
    match (action, log) {
        (Action::NextLane | Action::PreviousLane, Some(log)) => point::pick(state, log, action == Action::NextLane),
        // Up and down pick a lane, too, while there is something to point with.
        (Action::ScrollDown | Action::ScrollUp, Some(log)) if points => {
            point::pick(state, log, action == Action::ScrollDown);
        }
        (Action::NextHandoff | Action::PreviousHandoff, Some(log)) => {
            let effects = hold_still(state, log);
            point::to_wait(state, log, action == Action::NextHandoff);
            return Some(effects);
        }
        (Action::Freeze, Some(log)) if state.view.frozen.is_none() && state.view.cursor.is_none() => {
            let effects = hold_still(state, log);
            let wait = point::longest_wait(state, log);
            let (lane, at) = match wait {
                Some((lane, at)) => (Some(lane), at),
                None => (point::lane(state, log), state.view.axis.at(state.view.axis.cells / 2)),
            };
            state.view.picked = lane;
            point::put_cursor(state, log, at);
            return Some(effects);
        }
        (Action::NextTrigger, log) => {
            let next = LIMITS.iter().position(|limit| Some(*limit) == watch.freeze_over).map_or(0, |at| at + 1);
            watch.freeze_over = LIMITS.get(next).copied();
            // It is for waits to come.
            watch.looked = log.map_or(Nanos::ZERO, Trace::now);
        }
        (action, _) => return change(state, action),
    }
    Some(Vec::new())
}

/// Stops a live picture, and the figures with it, which are read once more: they are of the same instant.
fn hold_still(state: &mut State, log: &Trace) -> Vec<Effect> {
    if state.phase == Phase::Running && state.view.frozen.is_none() {
        state.view.freeze(log);
        let places = std::mem::take(&mut state.watch.places);
        state.watch.read(log, &places);
    }
    state.watch.script_to_look_at().into_iter().collect()
}

fn change(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let watch = &mut state.watch;
    match action {
        Action::ByFunction => watch.by_function = !watch.by_function,
        Action::Type => typing::begin(state),
        Action::Output => watch.reading = if watch.reading.is_none() { Some(Reading::End) } else { None },
        Action::ExactOnce if state.origin.is_sampled() && watch.ended.is_none() => {
            watch.at_work.exact_once(state.now);
            return Some(vec![Effect::ExactOnce]);
        }
        Action::Big => state.view.big = !state.view.big,
        Action::ExactOnce if watch.ended.is_some() => state.message = Some("The program has ended.".to_owned()),
        Action::ExactOnce => state.message = Some("It is observed exactly already.".to_owned()),
        Action::ScrollUp | Action::ScrollDown => {
            watch.scroll = step(watch.scroll, action == Action::ScrollDown, watch.figures.rows.len());
        }
        _ if action.group() == Group::Picture => return None,
        _ => state.message = Some("This key belongs to the lab.".to_owned()),
    }
    Some(Vec::new())
}

/// By how much one goes on reading the output, if the action is about that: in it the keys are those of a pager.
fn scrolls(state: &State, action: Action) -> Option<By> {
    state.watch.reading?;
    let page = u64::from(panel::size(state.size).1).saturating_sub(1).max(1);
    Some(match action {
        Action::ScrollUp => By::Up(1),
        Action::ScrollDown => By::Down(1),
        Action::PanLeft => By::Up(page),
        Action::PanRight => By::Down(page),
        Action::ToBegin => By::Begin,
        Action::ToEnd => By::End,
        _ => return None,
    })
}

fn read_on(state: &mut State, by: By) {
    let rows = usize::from(panel::size(state.size).1);
    let watch = &mut state.watch;
    watch.reading = watch.reading.map(|reading| reading.go(by, &watch.output, rows));
}

fn step(at: usize, more: bool, most: usize) -> usize {
    if more { (at + 1).min(most.saturating_sub(1)) } else { at.saturating_sub(1) }
}

#[cfg(test)]
mod tests;
