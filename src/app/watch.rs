//! The Watch screen: a real program, and who in it makes others wait.
//!
//! A busy service is what it is for: dozens of threads, most of them idle, and a
//! lock that is taken thousands of times a second. So the figures come first,
//! and the timeline shows those lanes that are kept waiting most.

mod figures;

use crate::event::{LaneId, Nanos};
use crate::session::Places;
use crate::trace::Trace;

use super::action::{Action, Group};
use super::origin::Origin;
use super::picker::Picker;
use super::state::{Phase, State};
use super::update::Effect;
use super::view::Zoom;

pub use figures::{Figures, Holder, LATELY};

/// Of how much time the picture may still be frozen when a long wait is found.
const KEPT: Nanos = Nanos::from_secs(60);

/// So many of those that wait most are looked at for long waits.
const MOST_LOOKED_AT: usize = 64;

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
    /// Where the holders of locks were seen.
    pub places: Places,
    /// What it printed: its last lines.
    pub output: Vec<String>,
    /// How it ended; none while it runs.
    pub ended: Option<String>,
}

/// What is known on the Watch screen.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// From what one is chosen.
    pub picker: Picker,
    /// The figures that stand on the screen.
    pub figures: Figures,
    /// Whether the table is by function rather than by thread.
    pub by_function: bool,
    /// The picture freezes at a wait longer than this.
    pub freeze_over: Option<Nanos>,
    /// What the program printed: its last lines.
    pub output: Vec<String>,
    /// Whether its output is shown, and how many lines further up.
    pub output_scroll: Option<usize>,
    /// How many lanes are above the top of the screen.
    pub scroll: usize,
    /// How it ended; none while it runs.
    pub ended: Option<String>,
    /// Whether leaving has been asked for once: a program that we started ends with us.
    pub leaving: bool,
    /// Up to when waits longer than the limit have been looked for.
    looked: Nanos,
    history: figures::History,
}

impl Watch {
    /// The first wait longer than the limit that was not looked at yet, if there is a limit: whose, and since when.
    fn long_wait(&mut self, log: &Trace) -> Option<(LaneId, Nanos)> {
        let from = self.looked.max(log.now() - KEPT);
        // A wait is seen once it is as long as that.
        self.looked = log.now() - self.freeze_over?;
        let limit = self.freeze_over?;
        let lanes = self.figures.waiters.iter().take(MOST_LOOKED_AT).map(|(lane, _)| *lane);
        let found = lanes.filter_map(|lane| Some((lane, log.next_wait_longer_than(lane, from, limit)?)));
        found.min_by_key(|(_, at)| *at)
    }

    /// The letter of a lane in the lock's row: those who make most wait come first. None for those without one.
    pub fn letter(&self, lane: LaneId) -> Option<char> {
        let place = self.figures.holders.iter().position(|holder| holder.lane == lane)?;
        ('a'..='z').nth(place)
    }

    /// What is to be said of it all, in a sentence or two.
    pub fn sentence(&self, log: &Trace) -> String {
        if let Some(how) = &self.ended {
            return format!("The program has ended: {how}.");
        }
        let most = self.figures.holders.first().filter(|holder| holder.waiting >= 0.2);
        match (most, self.figures.held) {
            (_, None) if log.locks().len() == 0 => "There is no lock: every thread runs whenever it can.".to_owned(),
            (Some(most), _) => {
                let share = most.waiting * 100.0;
                if self.by_function {
                    let what = most.place.as_ref().unwrap_or(&most.name);
                    return format!("{share:.0}% of all waiting fell while {what} held the lock.");
                }
                let place = most.place.as_ref().map(|place| format!(", mostly in {place}")).unwrap_or_default();
                let advice = if most.holds > 0.5 { " Try: compare with it as a process." } else { "" };
                format!("{share:.0}% of all waiting fell while {} held the lock{place}.{advice}", most.name)
            }
            (None, Some(held)) if held < 0.5 => {
                "The lock is free most of the time: nobody waits long for it.".to_owned()
            }
            (None, _) => "No one thread makes the others wait.".to_owned(),
        }
    }
}

/// Takes in how the program does.
pub fn observed(state: &mut State, log: Option<&Trace>, seen: Observation) {
    let Observation { origin, places, output, ended } = seen;
    if origin.is_sampled() && state.view.zoom == Zoom::Turns {
        // Ten samples a cell.
        state.view.zoom = Zoom::Cell(SAMPLED_CELL);
    }
    state.origin = origin;
    state.watch.output = output;
    let Some(log) = log else { return };
    state.watch.read(log, &places);
    if state.view.frozen.is_none()
        && let Some((lane, at)) = state.watch.long_wait(log)
    {
        let limit = state.watch.freeze_over.unwrap_or_default();
        let before = Nanos(state.view.axis.span().0 / 4);
        state.view.axis.from = (at - before).max(log.begin_at());
        state.view.until = log.now();
        state.view.frozen = Some(log.elapsed());
        state.view.picked = Some(lane);
        let (name, key) = (&log.lane(lane).name, state.keymap.key(Action::Freeze));
        state.message = Some(format!("FROZEN: {name} waited more than {limit:.0} for the lock; {key} goes on."));
    }
    if ended.is_some() && state.watch.ended.is_none() {
        state.watch.ended = ended;
        state.phase = Phase::Done;
    }
}

/// Whether leaving would end a program that we started and that still runs: then it is asked first.
pub fn must_ask(state: &mut State) -> bool {
    let Some(program) = state.origin.program.as_ref().filter(|program| program.launched) else { return false };
    if state.watch.ended.is_some() || state.watch.leaving {
        return false;
    }
    let key = state.keymap.key(Action::Quit);
    state.message = Some(format!("{} still runs and ends with gilscope: {key} again leaves.", program.name));
    state.watch.leaving = true;
    true
}

/// Does what was asked for on the Watch screen. `None`: it is about the picture, which is looked at as in the lab.
pub fn update(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let watch = &mut state.watch;
    watch.leaving = false;
    match action {
        Action::ByFunction => watch.by_function = !watch.by_function,
        Action::Output => watch.output_scroll = if watch.output_scroll.is_none() { Some(0) } else { None },
        Action::NextTrigger => {
            let next = LIMITS.iter().position(|limit| Some(*limit) == watch.freeze_over).map_or(0, |at| at + 1);
            watch.freeze_over = LIMITS.get(next).copied();
        }
        Action::ExactOnce if state.origin.is_sampled() && watch.ended.is_none() => {
            return Some(vec![Effect::ExactOnce]);
        }
        Action::ExactOnce => state.message = Some("It is observed exactly already.".to_owned()),
        Action::ScrollUp | Action::ScrollDown => {
            let up = action == Action::ScrollUp;
            match &mut watch.output_scroll {
                Some(scroll) => *scroll = step(*scroll, up, watch.output.len()),
                None => watch.scroll = step(watch.scroll, !up, watch.figures.waiters.len()),
            }
        }
        _ if action.group() == Group::Picture => return None,
        _ => state.message = Some("This key belongs to the lab.".to_owned()),
    }
    Some(Vec::new())
}

fn step(at: usize, more: bool, most: usize) -> usize {
    if more { (at + 1).min(most.saturating_sub(1)) } else { at.saturating_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::State as LaneState;
    use crate::trace::testing::TraceBuilder;

    fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    /// `hog` holds the lock for 90 ms while two wait, one of which then runs for 10 ms while the other waits on; a
    /// fourth thread does nothing at all.
    fn log() -> Trace {
        TraceBuilder::new()
            .lock("GIL")
            .lane("hog")
            .running(ms(90))
            .state(LaneState::Io, ms(10))
            .lane("first")
            .waiting(ms(90))
            .running(ms(10))
            .lane("second")
            .waiting(ms(100))
            .lane("sleeper")
            .state(LaneState::Io, ms(100))
            .build()
    }

    #[test]
    fn whoever_makes_others_wait_comes_first_and_gets_the_first_letter() {
        let mut watch = Watch::default();
        watch.read(&log(), &Places::default());
        let rows: Vec<_> =
            watch.figures.holders.iter().map(|row| (row.name.as_str(), row.holds, row.waiting)).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].0, "hog");
        assert!((rows[0].1 - 0.9).abs() < 1e-9 && (rows[0].2 - 180.0 / 190.0).abs() < 1e-9, "{rows:?}");
        assert_eq!(watch.letter(LaneId(0)), Some('a'));
        assert!(watch.sentence(&log()).starts_with("95% of all waiting fell while hog held the lock"));
    }

    #[test]
    fn those_kept_waiting_most_come_first_and_those_who_did_nothing_are_folded() {
        let mut watch = Watch::default();
        watch.read(&log(), &Places::default());
        let order: Vec<_> = watch.figures.waiters.iter().map(|(lane, _)| lane.0).collect();
        assert_eq!((order, watch.figures.idle), (vec![2, 1, 0], 1));
        assert_eq!(watch.figures.held, Some(1.0));
        assert_eq!(watch.figures.wait.max, ms(90));
    }
}
