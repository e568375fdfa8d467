//! How much bytecode a lane got done.
//!
//! A lane that runs says about once a millisecond how far it has come. Between two such points nothing else is known,
//! so what was done between them is spread evenly over the time the lane ran between them, and over no other time. So
//! it is exact between any two points, and a lane that waits gets nothing done. What was done after the last point is
//! not known yet; neither it nor the time it took is in any answer.
//!
//! Sums are cumulative. Beyond the budget, old points are given up and those that stay are as right as before.

use super::Trace;
use super::lane::{Lane, RUNNING};
use crate::event::{LaneId, Nanos};
use crate::model::Role;

/// What a lane got done in a part of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Instructions, as the evaluation loop counts them at its safe points.
    pub instructions: u64,
    /// How often it found what threads share in another's hands: locked, or stored to since.
    pub contended: u64,
    /// How long it ran for that.
    pub running: Nanos,
}

impl Progress {
    /// Instructions a millisecond of running; none if it did not run.
    pub fn per_ms(&self) -> Option<f64> {
        (self.running > Nanos::ZERO).then(|| self.instructions as f64 / self.running.as_millis_f64())
    }
}

impl std::ops::Add for Progress {
    type Output = Progress;
    fn add(self, other: Progress) -> Progress {
        Progress {
            instructions: self.instructions + other.instructions,
            contended: self.contended + other.contended,
            running: self.running + other.running,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: u64,
    instructions: u64,
    contended: u64,
}

/// The points of one lane.
#[derive(Default)]
pub(super) struct Points {
    points: Vec<Point>,
    /// As last told; both wrap around.
    told: (u32, u32),
    /// So many of the points are those of a grid already.
    coarse: usize,
}

impl Points {
    /// At `at` the lane had come so far. What it did before the run began does not count.
    pub(super) fn push(&mut self, at: u64, told: (u32, u32), counts: bool) {
        let before = std::mem::replace(&mut self.told, told);
        if !counts {
            return;
        }
        let last = self.points.last().copied().unwrap_or(Point { at: 0, instructions: 0, contended: 0 });
        if self.points.len() == self.points.capacity() {
            // Doubling would leave half of it empty.
            self.points.reserve_exact(self.points.len() / 8 + 16);
        }
        self.points.push(Point {
            at: at.max(last.at),
            instructions: last.instructions + u64::from(told.0.wrapping_sub(before.0)),
            contended: last.contended + u64::from(told.1.wrapping_sub(before.1)),
        });
    }

    /// Since when the points are all known, if not from the beginning.
    pub(super) fn coarsened_before(&self) -> Option<u64> {
        (self.coarse > 0).then(|| self.points.get(self.coarse).or(self.points.last()).map_or(0, |point| point.at))
    }

    pub(super) fn bytes(&self) -> usize {
        self.points.capacity() * size_of::<Point>()
    }

    /// About how many bytes [`Points::coarsen`] would free.
    pub(super) fn bytes_before(&self, before: u64) -> usize {
        self.points[self.coarse..].partition_point(|point| point.at < before) * size_of::<Point>()
    }

    /// Of the points before `before` keeps the last in each interval of the grid.
    pub(super) fn coarsen(&mut self, begin: u64, before: u64, step: u64) {
        let fine = self.points.split_off(self.points.partition_point(|point| point.at < before));
        let interval = |point: &Point| point.at.saturating_sub(begin) / step;
        // From the end, so that the last of each interval is the one met first.
        self.points.reverse();
        self.points.dedup_by_key(|point| interval(point));
        self.points.reverse();
        self.coarse = self.points.len();
        self.points.extend(fine);
        self.points.shrink_to_fit();
    }
}

impl Lane {
    fn ran_until(&self, at: u64) -> u64 {
        self.column.integral(at).sums.get(RUNNING).copied().unwrap_or(0)
    }

    /// From the beginning to an instant.
    fn progress_until(&self, begin: u64, at: u64) -> Progress {
        let points = &self.progress.points;
        let begun = Point { at: begin, instructions: 0, contended: 0 };
        let next = points.partition_point(|point| point.at <= at);
        let before = next.checked_sub(1).map_or(begun, |last| points[last]);
        let ran = self.ran_until(before.at);
        let Some(after) = points.get(next) else {
            return Progress { instructions: before.instructions, contended: before.contended, running: Nanos(ran) };
        };
        let (part, whole) = (self.ran_until(at).saturating_sub(ran), self.ran_until(after.at).saturating_sub(ran));
        let share = |from: u64, to: u64| match whole {
            // It did not run as far as is known: it was done by the time that was said.
            0 => from,
            _ => from + (u128::from(to - from) * u128::from(part.min(whole)) / u128::from(whole)) as u64,
        };
        Progress {
            instructions: share(before.instructions, after.instructions),
            contended: share(before.contended, after.contended),
            running: Nanos(ran + part),
        }
    }
}

/// What was got done. The lanes of an interpreter that does not say so got nothing done as far as is known.
impl Trace {
    /// Whether the lane says how far it has come.
    pub fn tells_progress(&self, lane: LaneId) -> bool {
        !self.lanes[lane.index()].progress.points.is_empty()
    }

    /// By one lane in a part of the run.
    pub fn progress(&self, lane: LaneId, from: Nanos, to: Nanos) -> Progress {
        self.progress_window(lane, from, to, 1)[0]
    }

    /// By one lane in the whole run.
    pub fn lane_progress(&self, lane: LaneId) -> Progress {
        if self.tells_progress(lane) { self.progress(lane, self.begin_at(), self.now()) } else { Progress::default() }
    }

    /// By all workers in the whole run.
    pub fn workers_progress(&self) -> Progress {
        let workers = self.lanes().filter(|(_, info)| info.role == Role::Worker);
        workers.map(|(lane, _)| self.lane_progress(lane)).fold(Progress::default(), std::ops::Add::add)
    }

    /// By one lane in each cell of a row; cells as in [`Trace::lane_window`].
    fn progress_window(&self, lane: LaneId, from: Nanos, to: Nanos, cells: usize) -> Vec<Progress> {
        let window = self.window(from, to, cells);
        let (lane, begin) = (&self.lanes[lane.index()], self.begin_at().0);
        let mut before = lane.progress_until(begin, window.boundary(0));
        (0..cells)
            .map(|index| {
                let after = lane.progress_until(begin, window.boundary(index + 1));
                let done = Progress {
                    instructions: after.instructions.saturating_sub(before.instructions),
                    contended: after.contended.saturating_sub(before.contended),
                    running: after.running - before.running,
                };
                before = after;
                done
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{CoreId, Detail, Event, EventKind, Line, State};
    use crate::trace::LaneInfo;

    const LANE: LaneId = LaneId(0);
    const BEGIN: u64 = 50;

    /// A lane that is told, nanosecond by nanosecond, whether it runs, and now and then says how far it has come.
    struct Told {
        trace: Trace,
        /// Whether it ran in each nanosecond from the beginning on.
        ran: Vec<bool>,
        /// When it said how far it had come.
        points: Vec<(u64, u64)>,
    }

    fn event(at: u64, kind: EventKind) -> Event {
        Event { at: Nanos(at), lane: LANE, core: CoreId(0), line: Line(1), kind }
    }

    /// Of each step: how long, whether it runs in it, and whether and how much more it says to have done after it.
    fn told(budget: usize, steps: &[(u64, bool, Option<u32>)]) -> Told {
        let mut trace = Trace::new(budget);
        trace.add_lane(LaneInfo::new("thread 1", Role::Worker, None));
        // The count wraps around on the way, and began before the run did.
        let mut count = u32::MAX - 500;
        trace.append(&event(10, EventKind::Progress { instructions: count, contended: 0 }));
        trace.begin(Nanos(BEGIN));
        trace.append(&event(BEGIN, EventKind::State { to: State::Running, detail: Detail::None }));
        let (mut at, mut done) = (BEGIN, 0);
        let (mut ran, mut points) = (Vec::new(), Vec::new());
        for (span, runs, more) in steps {
            let to = if *runs { State::Running } else { State::Io };
            trace.append(&event(at, EventKind::State { to, detail: Detail::None }));
            at += span;
            ran.extend(std::iter::repeat_n(*runs, *span as usize));
            if let Some(more) = more {
                count = count.wrapping_add(*more);
                done += u64::from(*more);
                points.push((at, done));
                trace.append(&event(at, EventKind::Progress { instructions: count, contended: done as u32 }));
            }
            trace.advance(Nanos(at));
        }
        Told { trace, ran, points }
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, bool, Option<u32>)>> {
        proptest::collection::vec((1..20u64, any::<bool>(), proptest::option::of(0..300u32)), 1..120)
    }

    proptest! {
        #[test]
        fn between_two_points_it_is_exact_and_only_what_ran_got_anything_done(steps in steps()) {
            let Told { trace, ran, points } = told(usize::MAX, &steps);
            let ran_in = |from: u64, to: u64| ran[(from - BEGIN) as usize..(to - BEGIN) as usize].iter().filter(|ran| **ran).count();
            let mut before = (BEGIN, 0);
            for point in &points {
                let found = trace.progress(LANE, Nanos(before.0), Nanos(point.0));
                let all = ran_in(before.0, point.0);
                // What was said of a time in which it did not run belongs to the instant at which it was said.
                prop_assert_eq!(found.instructions, point.1 - before.1);
                prop_assert_eq!(found.running.0 as usize, all);
                let middle = before.0.midpoint(point.0);
                let first = trace.progress(LANE, Nanos(before.0), Nanos(middle));
                if all > 0 {
                    let share = (point.1 - before.1) * ran_in(before.0, middle) as u64 / all as u64;
                    prop_assert_eq!(first.instructions, share);
                }
                before = *point;
            }
            let whole = trace.lane_progress(LANE);
            prop_assert_eq!(whole.instructions, before.1);
            prop_assert_eq!(whole.contended, before.1);
            prop_assert_eq!(whole.running.0 as usize, ran_in(BEGIN, before.0));
            let cells = trace.progress_window(LANE, Nanos(0), trace.now() + Nanos(7), 13);
            let sum = cells.into_iter().fold(Progress::default(), std::ops::Add::add);
            prop_assert_eq!(sum, whole);
        }

        #[test]
        fn coarsening_keeps_what_was_done_in_all_and_stays_in_the_budget(steps in steps()) {
            let fine = told(usize::MAX, &steps).trace;
            let coarse = told(1_500, &steps).trace;
            let (found, exact) = (coarse.lane_progress(LANE), fine.lane_progress(LANE));
            prop_assert_eq!((found.instructions, found.contended), (exact.instructions, exact.contended));
            prop_assert_eq!(coarse.check(), Ok(()));
        }
    }

    #[test]
    fn old_points_are_given_up() {
        let steps = vec![(10, true, Some(100)); 4000];
        let (fine, coarse) = (told(usize::MAX, &steps).trace, told(16_000, &steps).trace);
        assert!(coarse.bytes() <= 16_000 && fine.bytes() > 60_000, "{} {}", coarse.bytes(), fine.bytes());
        let last = |trace: &Trace| trace.progress(LANE, trace.now() - Nanos(200), trace.now());
        assert_eq!(last(&coarse), last(&fine));
        let all = coarse.lane_progress(LANE);
        assert_eq!((all.instructions, all.running), (400_000, Nanos(40_000)));
        assert!((all.per_ms().unwrap() - 1e7).abs() < 1.0);
    }

    #[test]
    fn a_lane_that_says_nothing_is_not_known_to_have_done_anything() {
        let trace = told(usize::MAX, &[(10, true, None)]).trace;
        assert!(!trace.tells_progress(LANE));
        assert_eq!(trace.lane_progress(LANE), Progress::default());
        assert_eq!(trace.lane_progress(LANE).per_ms(), None);
    }
}
