//! Which rows the timeline has: lanes one by one, many of them folded into bands, locks above the threads that share
//! them.
//!
//! Where there are far more lanes than rows, one would scroll through pages of which no two tell the whole. So the
//! lanes are folded: each row is a band, the mean of as many lanes as it takes for all bands to be in sight. A band can
//! be unfolded into smaller ones, and in the end into lanes.

use std::ops::Range;

use crate::event::{LaneId, LockId};
use crate::model::Role;
use crate::trace::Trace;

use super::state::State;
use super::words;

/// Up to so many lanes there are no bands: one knows one's threads.
const FEW: usize = 64;

/// Up to so many screens of lanes are scrolled through.
const SCREENS: usize = 4;

/// Up to so many lanes, their marks are the numbers in their names; more have the mark beside the name.
const UNMARKED: usize = 9;

/// So many characters of a band's name there is room for beside the picture and its mark.
const BAND: usize = 16;

/// A row of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// One lane.
    Lane(LaneId),
    /// Several workers, by their places among [`Trace::workers`].
    Band(Range<usize>),
    /// A lock, above the lanes that share it.
    Lock(LockId),
}

/// How the workers are folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The workers in sight, by their places: all, unless a band is unfolded.
    pub workers: Range<usize>,
    /// How many of them are a row.
    pub each: usize,
}

impl Fold {
    /// How the workers of a log are folded on this screen.
    pub fn of(state: &State, log: &Trace) -> Fold {
        let all = log.workers().len();
        let workers = state.view.unfolded.clone().filter(|part| part.end <= all).unwrap_or(0..all);
        let above = if state.view.unfolded.is_none() { servers(log).count() } else { 0 };
        let (count, room) = (workers.len(), room(state).saturating_sub(above).max(1));
        let mut each = 1;
        if count > FEW && count > SCREENS * room {
            while count.div_ceil(each) > room {
                each *= 2;
            }
        }
        Fold { workers, each }
    }

    /// Whether rows are bands.
    pub fn is_folded(&self) -> bool {
        self.each > 1
    }

    /// The band that a place lies in, if it is in sight.
    pub fn band(&self, place: usize) -> Option<Range<usize>> {
        let within = place.checked_sub(self.workers.start).filter(|_| place < self.workers.end)?;
        let first = self.workers.start + within / self.each * self.each;
        Some(first..(first + self.each).min(self.workers.end))
    }

    /// Where a lane stands among those in sight, for its mark and its colour; none for one that does no task.
    pub fn place(&self, log: &Trace, lane: LaneId) -> Option<usize> {
        match place(log, lane)? {
            place if self.workers.contains(&place) => Some((place - self.workers.start) / self.each),
            // What makes the workers comes after them.
            place if place >= log.workers().len() && self.workers.start == 0 => {
                Some(self.workers.len().div_ceil(self.each))
            }
            _ => Some(usize::MAX),
        }
    }

    /// Whether the marks stand beside the names, which do not tell them.
    pub fn is_marked(&self) -> bool {
        self.is_folded() || self.workers.start > 0 || self.workers.len() > UNMARKED
    }
}

/// About how many rows there are for lanes on this screen.
fn room(state: &State) -> usize {
    let height = usize::from(state.size.1);
    let others = match height {
        _ if state.view.big => 8,
        30.. => 16,
        20.. => 13,
        _ => 11,
    };
    height.saturating_sub(others).max(4)
}

/// What makes the workers, or runs them, and is drawn above them: the forkserver, the event loop.
fn servers(log: &Trace) -> impl Iterator<Item = LaneId> + '_ {
    log.others().iter().copied().filter(|lane| matches!(log.lane(*lane).role, Role::Server | Role::Loop))
}

/// The place of a lane that is drawn: the workers in their order, then what makes them. If nobody does tasks, all
/// lanes are drawn.
pub fn place(log: &Trace, lane: LaneId) -> Option<usize> {
    let workers = log.workers();
    if workers.is_empty() {
        return Some(lane.index());
    }
    let server = || servers(log).position(|server| server == lane).map(|index| workers.len() + index);
    workers.binary_search(&lane).ok().or_else(server)
}

/// The GILs that workers use.
pub fn worker_locks(log: &Trace) -> Vec<LockId> {
    log.gils().filter(|(_, info)| info.of_workers).map(|(lock, _)| lock).collect()
}

/// Whether several threads share each of several locks.
fn shares_locks(log: &Trace) -> bool {
    let locks = worker_locks(log).len();
    locks >= 2 && locks < log.workers().len()
}

/// Every row, from top to bottom, in sight or not.
pub fn rows(state: &State, log: &Trace) -> Vec<Row> {
    let workers = log.workers();
    if workers.is_empty() {
        return log.others().iter().copied().map(Row::Lane).collect();
    }
    let fold = Fold::of(state, log);
    let mut rows: Vec<Row> = Vec::new();
    if state.view.unfolded.is_none() {
        rows.extend(servers(log).map(Row::Lane));
    }
    if fold.is_folded() {
        rows.extend(fold.workers.clone().step_by(fold.each).filter_map(|place| fold.band(place)).map(Row::Band));
        return rows;
    }
    let mut lanes = workers[fold.workers].to_vec();
    if !shares_locks(log) || rows.len() + lanes.len() + worker_locks(log).len() > room(state) {
        rows.extend(lanes.into_iter().map(Row::Lane));
        return rows;
    }
    lanes.sort_by_key(|lane| log.lane(*lane).lock);
    let mut last = None;
    for lane in lanes {
        let lock = log.lane(lane).lock;
        if lock != last {
            rows.extend(lock.map(Row::Lock));
            last = lock;
        }
        rows.push(Row::Lane(lane));
    }
    rows
}

/// What a row is called. A lane under the one that made it bears a tree's mark.
pub fn name(log: &Trace, rows: &[Row], index: usize) -> String {
    match &rows[index] {
        Row::Lane(lane) => {
            let name = words::sanitised(&log.lane(*lane).name);
            let made_here = |row: Option<&Row>| match row {
                Some(Row::Lane(other)) => log.lane(*other).parent.filter(|parent| rows.contains(&Row::Lane(*parent))),
                _ => None,
            };
            match (made_here(Some(&rows[index])), made_here(rows.get(index + 1))) {
                (None, _) => name,
                (parent, next) if parent == next => format!("├ {name}"),
                _ => format!("└ {name}"),
            }
        }
        Row::Band(workers) => match band_name(log, workers) {
            // The numbers tell bands apart; what they count is in the heading.
            name if name.chars().count() > BAND => {
                name.rsplit_once(' ').map_or(name.clone(), |(_, numbers)| numbers.to_owned())
            }
            name => name,
        },
        Row::Lock(lock) => {
            let name = words::sanitised(&log.lock(*lock).name);
            name.strip_prefix("GIL of ").map_or(name.clone(), |of| format!("GIL {of}"))
        }
    }
}

/// `tasks 1–128`; `lanes 1–128` where the lanes have no noun in common.
pub fn band_name(log: &Trace, workers: &Range<usize>) -> String {
    let lanes = log.workers();
    let parts = |place: usize| {
        let name = words::sanitised(&log.lane(lanes[place]).name);
        let split = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (noun, number) = name.split_at(split);
        (noun.trim_end().to_owned(), number.to_owned())
    };
    let (first, last) = (parts(workers.start), parts(workers.end - 1));
    if workers.len() == 1 {
        return words::sanitised(&log.lane(lanes[workers.start]).name);
    }
    if first.0 != last.0 || first.0.is_empty() || first.1.is_empty() || last.1.is_empty() {
        return format!("lanes {}–{}", workers.start + 1, workers.end);
    }
    let end = if first.0.ends_with('s') { "es" } else { "s" };
    format!("{}{end} {}–{}", first.0, first.1, last.1)
}

/// The longest name of a row, in characters, its mark included.
pub fn longest_name(state: &State, log: &Trace) -> usize {
    let rows = rows(state, log);
    let longest = (0..rows.len()).map(|index| name(log, &rows, index).chars().count()).max().unwrap_or(0);
    longest + if Fold::of(state, log).is_marked() { 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::super::ModelChoice;
    use super::*;
    use crate::event::Nanos;
    use crate::session::Experiment;
    use crate::trace::testing::TraceBuilder;

    fn screen(columns: u16, rows: u16) -> State {
        let experiment = Experiment::new("sum-squares", "threads", 4);
        let mut state = State::new(experiment, Vec::new(), ModelChoice::built_in());
        state.size = (columns, rows);
        state
    }

    fn log(lanes: usize, noun: &str) -> Trace {
        let builder = TraceBuilder::new().lock("GIL");
        let lane = |builder: TraceBuilder, number: usize| {
            builder.lane(&format!("{noun} {number}")).state(crate::event::State::Io, Nanos::from_millis(1))
        };
        (1..=lanes).fold(builder, lane).build()
    }

    #[test]
    fn a_few_screens_of_lanes_are_scrolled_and_more_are_folded_until_all_are_in_sight() {
        let state = screen(120, 36);
        for (lanes, each) in [(4, 1), (64, 1), (80, 1), (81, 8), (160, 8), (161, 16), (10_000, 512)] {
            let log = log(lanes, "task");
            let fold = Fold::of(&state, &log);
            assert_eq!(fold.each, each, "{lanes} lanes");
            let rows = rows(&state, &log);
            let covered: usize = rows.iter().map(|row| if let Row::Band(band) = row { band.len() } else { 1 }).sum();
            assert_eq!(covered, lanes);
        }
        assert_eq!(Fold::of(&screen(60, 15), &log(64, "task")).each, 1);
    }

    #[test]
    fn a_band_is_called_by_its_first_and_last_lane() {
        let log = log(100, "process");
        assert_eq!(band_name(&log, &(0..64)), "processes 1–64");
        assert_eq!(band_name(&log, &(64..65)), "process 65");
    }

    #[test]
    fn many_coroutines_are_bands_below_their_loop_and_no_name_is_cut() {
        let mut builder = TraceBuilder::new().lock("GIL").lane_as("loop", Role::Loop).running(Nanos::from_millis(1));
        for number in 1..=10_000 {
            builder = builder.lane(&format!("coroutine {number}"));
            builder = builder.state(crate::event::State::Suspended, Nanos::from_millis(1));
        }
        let log = builder.build();
        for size in [(120, 36), (80, 24), (60, 15)] {
            let state = screen(size.0, size.1);
            let rows = rows(&state, &log);
            assert_eq!(rows[0], Row::Lane(LaneId(0)));
            assert!(rows.len() <= room(&state), "{} rows at {size:?}", rows.len());
            let names: Vec<String> = (0..rows.len()).map(|index| name(&log, &rows, index)).collect();
            assert_eq!(names[0], "loop");
            assert!(
                names[1].starts_with("1–") && names.last().is_some_and(|last| last.ends_with("–10000")),
                "{names:?}"
            );
            let left = super::super::view::Gutters::new(size.0, longest_name(&state, &log)).left;
            let fold = Fold::of(&state, &log);
            assert_eq!(fold.place(&log, LaneId(0)), Some(rows.len() - 1), "its mark is no band's");
            // A blank and the mark before it, a blank after it.
            assert!(names.iter().all(|name| name.chars().count() + 4 <= usize::from(left)), "{left}: {names:?}");
        }
        assert_eq!(band_name(&log, &(0..512)), "coroutines 1–512");
    }

    #[test]
    fn marks_count_what_is_in_sight() {
        let mut state = screen(120, 36);
        let log = log(1024, "task");
        let fold = Fold::of(&state, &log);
        assert_eq!((fold.each, fold.place(&log, LaneId(64)), fold.band(65)), (64, Some(1), Some(64..128)));
        state.view.unfolded = Some(64..128);
        let fold = Fold::of(&state, &log);
        assert_eq!(
            (fold.each, fold.place(&log, LaneId(64)), fold.place(&log, LaneId(7))),
            (1, Some(0), Some(usize::MAX))
        );
    }
}
