//! How many items a queue of the program held.
//!
//! A point is what one `put` or `get` left, with the integral of the depth up to it. Between two points the integral
//! grows evenly, so the mean over any stretch of time is exact. Beyond the budget, old points are given up: between
//! those that stay the mean is exact and the most is known, and only when in between it was what is not.
//!
//! Integrals wrap around: what lies between two instants is right up to 2^64 items times nanoseconds, a million items
//! for five hours.

use super::Trace;
use crate::event::{Nanos, QueueId};

/// So many points have one entry in the table of the most, so that a long row need not look at each.
const PART: usize = 64;

/// What is known of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueStats {
    /// `queue 1`, in the order in which they were made; with its process where that is not the first.
    pub name: String,
    /// How often something was put in.
    pub puts: u64,
    /// How often something was taken out.
    pub gets: u64,
    /// How many items it held last.
    pub depth: u32,
    /// How many it held at most.
    pub max_depth: u32,
    /// How many it held on average over the run.
    pub mean_depth: f64,
}

/// One cell of a queue's row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueueCell {
    /// How many items it held on average, over what is recorded of the cell.
    pub mean: f64,
    /// How many at most.
    pub most: u32,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: u64,
    /// Items times nanoseconds up to here.
    area: u64,
    /// From here on.
    depth: u32,
    /// The most since the point before, this one included.
    most: u32,
}

/// A queue and what became of it.
pub(super) struct Queue {
    points: Vec<Point>,
    /// The most in each [`PART`] of the points.
    most: Vec<u32>,
    puts: u64,
    gets: u64,
    /// So many of the points are those of a grid already.
    coarse: usize,
}

impl Queue {
    /// One that held so many items when the run began.
    pub(super) fn new(begin: u64, depth: u32) -> Queue {
        let first = Point { at: begin, area: 0, depth, most: depth };
        Queue { points: vec![first], most: vec![depth], puts: 0, gets: 0, coarse: 0 }
    }

    /// From `at` on it holds so many. What came before the run began decides only how things stood then.
    pub(super) fn changed(&mut self, at: u64, depth: u32, put: bool, counts: bool) {
        if !counts {
            *self = Queue::new(at, depth);
            return;
        }
        self.puts += u64::from(put);
        self.gets += u64::from(!put);
        let Some(last) = self.points.last() else { return };
        let at = at.max(last.at);
        let area = last.area.wrapping_add((at - last.at).wrapping_mul(last.depth.into()));
        if self.points.len() == self.points.capacity() {
            // Doubling would leave half of it empty.
            self.points.reserve_exact(self.points.len() / 8 + 16);
        }
        self.store(Point { at, area, depth, most: depth });
    }

    fn store(&mut self, point: Point) {
        match self.most.last_mut().filter(|_| !self.points.len().is_multiple_of(PART)) {
            Some(most) => *most = point.most.max(*most),
            None => self.most.push(point.most),
        }
        self.points.push(point);
    }

    /// The last point that is not after an instant.
    fn before(&self, at: u64) -> usize {
        self.points.partition_point(|point| point.at <= at).saturating_sub(1)
    }

    /// The integral up to an instant within the run.
    fn area(&self, at: u64) -> u64 {
        let index = self.before(at);
        let point = self.points[index];
        let passed = at.saturating_sub(point.at);
        match self.points.get(index + 1) {
            None => point.area.wrapping_add(passed.wrapping_mul(point.depth.into())),
            Some(next) => {
                let whole = u128::from(next.area.wrapping_sub(point.area));
                point.area.wrapping_add((whole * u128::from(passed) / u128::from(next.at - point.at)) as u64)
            }
        }
    }

    /// The most it held from `from` until before `to`.
    fn most_between(&self, from: u64, to: u64) -> u32 {
        let first = self.before(from);
        let mut end = self.points.partition_point(|point| point.at < to);
        if end < self.coarse {
            // What was given up before the next point of the grid is told by that one.
            end += 1;
        }
        let mut most = self.points[first].depth;
        let mut index = first + 1;
        while index < end {
            if index.is_multiple_of(PART) && index + PART <= end {
                most = most.max(self.most[index / PART]);
                index += PART;
            } else {
                most = most.max(self.points[index].most);
                index += 1;
            }
        }
        most
    }

    fn cell(&self, from: u64, to: u64) -> QueueCell {
        if from >= to {
            return QueueCell::default();
        }
        let mean = self.area(to).wrapping_sub(self.area(from)) as f64 / (to - from) as f64;
        QueueCell { mean, most: self.most_between(from, to) }
    }

    /// Since when the points are all known, if not from the beginning.
    pub(super) fn coarsened_before(&self) -> Option<u64> {
        (self.coarse > 0).then(|| self.points.get(self.coarse).or(self.points.last()).map_or(0, |point| point.at))
    }

    pub(super) fn bytes(&self) -> usize {
        self.points.capacity() * size_of::<Point>() + self.most.capacity() * 4
    }

    /// About how many bytes [`Queue::coarsen`] would free.
    pub(super) fn bytes_before(&self, before: u64) -> usize {
        let end = self.points.partition_point(|point| point.at < before);
        end.saturating_sub(self.coarse) * size_of::<Point>()
    }

    /// Of the points before `before` keeps the last in each interval of the grid.
    pub(super) fn coarsen(&mut self, begin: u64, before: u64, step: u64) {
        let end = self.points.partition_point(|point| point.at < before);
        let old = std::mem::take(&mut self.points);
        let mut kept: Vec<Point> = Vec::new();
        for (index, point) in old.iter().enumerate() {
            match kept.last_mut().filter(|last| {
                // The very first says how things stood when the run began.
                index < end && index > 1 && (last.at - begin) / step == (point.at - begin) / step
            }) {
                Some(last) => *last = Point { most: last.most.max(point.most), ..*point },
                None => kept.push(*point),
            }
            if index + 1 == end {
                self.coarse = kept.len();
            }
        }
        self.most.clear();
        self.points.reserve_exact(kept.len());
        kept.into_iter().for_each(|point| self.store(point));
        self.most.shrink_to_fit();
    }
}

/// The program's own queues, of each process in the order in which they were made.
impl Trace {
    /// Those of which something was heard.
    pub fn queues(&self) -> Vec<QueueStats> {
        self.queues.iter().map(|((process, id), queue)| self.stats_of(*process, *id, queue)).collect()
    }

    /// How many there are.
    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// The row of one, by its place in [`Trace::queues`]; cells as in [`Trace::lane_window`].
    pub fn queue_window(&self, queue: usize, from: Nanos, to: Nanos, cells: usize) -> Vec<QueueCell> {
        let window = self.window(from, to, cells);
        let Some(queue) = self.queues.values().nth(queue) else { return vec![QueueCell::default(); cells] };
        (0..cells).map(|index| queue.cell(window.boundary(index), window.boundary(index + 1))).collect()
    }

    fn stats_of(&self, process: u32, id: QueueId, queue: &Queue) -> QueueStats {
        let number = id.0 + 1;
        let QueueCell { mean, most } = queue.cell(self.begin_at().0, self.now().0);
        QueueStats {
            name: match process {
                0 => format!("queue {number}"),
                _ => format!("queue {number} of process {process}"),
            },
            puts: queue.puts,
            gets: queue.gets,
            depth: queue.points.last().map_or(0, |point| point.depth),
            max_depth: most,
            mean_depth: mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{CoreId, Event, EventKind, LaneId, Line};
    use crate::model::Role;
    use crate::trace::LaneInfo;

    const BEGIN: u64 = 40;

    /// A queue told of put by put, and a table with its depth in each nanosecond of the run.
    fn told(budget: usize, steps: &[(u64, bool)]) -> (Trace, Vec<u32>) {
        let mut trace = Trace::new(budget);
        trace.add_lane(LaneInfo::new("thread 1", Role::Worker, None));
        let event = |at, depth, put| Event {
            at: Nanos(at),
            lane: LaneId(0),
            core: CoreId::UNKNOWN,
            line: Line(1),
            kind: EventKind::Queue { queue: QueueId(0), depth, put },
        };
        // Two items are in it before the run begins.
        (1..=2).for_each(|depth| trace.append(&event(depth.into(), depth, true)));
        trace.begin(Nanos(BEGIN));
        let (mut at, mut depth, mut table) = (BEGIN, 2_u32, Vec::new());
        for (span, put) in steps {
            at += span;
            table.extend(std::iter::repeat_n(depth, *span as usize));
            let put = *put || depth == 0;
            depth = if put { depth + 1 } else { depth - 1 };
            trace.append(&event(at, depth, put));
            trace.advance(Nanos(at));
        }
        table.extend([depth; 10]);
        trace.advance(Nanos(at + 10));
        (trace, table)
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, bool)>> {
        proptest::collection::vec((0..15u64, any::<bool>()), 1..300)
    }

    proptest! {
        #[test]
        fn every_cell_is_what_the_table_says(steps in steps(), cells in 1..40usize) {
            let (trace, table) = told(usize::MAX, &steps);
            let (from, to) = (Nanos(BEGIN), trace.now());
            let boundary = |index: usize| table.len() * index / cells;
            for (index, cell) in trace.queue_window(0, from, to, cells).into_iter().enumerate() {
                let part = &table[boundary(index)..boundary(index + 1)];
                if part.is_empty() {
                    prop_assert_eq!(cell, QueueCell::default());
                    continue;
                }
                let sum: u64 = part.iter().map(|depth| u64::from(*depth)).sum();
                prop_assert_eq!(cell.mean, sum as f64 / part.len() as f64);
                // What was put in and taken out within one nanosecond is in no table.
                let most = part.iter().copied().max().unwrap_or(0);
                prop_assert!(cell.most >= most);
                if steps.iter().all(|(span, _)| *span > 0) {
                    prop_assert_eq!(cell.most, most);
                }
            }
            let stats = &trace.queues()[0];
            prop_assert_eq!(stats.puts + stats.gets, steps.len() as u64);
            prop_assert_eq!(2 + stats.puts - stats.gets, u64::from(stats.depth));
        }

        #[test]
        fn coarsening_keeps_the_mean_and_the_most(steps in steps()) {
            let ((fine, _), (coarse, _)) = (told(usize::MAX, &steps), told(2_000, &steps));
            prop_assert_eq!(coarse.queues(), fine.queues());
        }
    }

    #[test]
    fn old_points_are_given_up() {
        let steps: Vec<(u64, bool)> = (0..6000).map(|step| (7, step % 3 != 2)).collect();
        let ((fine, _), (coarse, _)) = (told(usize::MAX, &steps), told(20_000, &steps));
        assert!(coarse.bytes() <= 20_000 && fine.bytes() > 100_000, "{} {}", coarse.bytes(), fine.bytes());
        assert_eq!(coarse.queues(), fine.queues());
        let last = |trace: &Trace| trace.queue_window(0, trace.now() - Nanos(300), trace.now(), 5);
        assert_eq!(last(&coarse), last(&fine));
        assert!(coarse.coarsened_before().is_some());
    }

    #[test]
    fn queues_of_other_processes_are_others() {
        let mut trace = Trace::default();
        for process in 0..2 {
            let lane = LaneInfo { process, ..LaneInfo::new(format!("process {process}"), Role::Worker, None) };
            trace.add_lane(lane);
        }
        trace.begin(Nanos(0));
        for lane in [1, 0, 1] {
            let kind = EventKind::Queue { queue: QueueId(0), depth: 1, put: true };
            let at = Nanos(5 + u64::from(lane));
            trace.append(&Event { at, lane: LaneId(lane), core: CoreId::UNKNOWN, line: Line(1), kind });
        }
        let kind = EventKind::Queue { queue: QueueId(QueueId::MOST), depth: 1, put: true };
        trace.append(&Event { at: Nanos(9), lane: LaneId(0), core: CoreId::UNKNOWN, line: Line(1), kind });
        trace.advance(Nanos(20));
        let names: Vec<_> = trace.queues().into_iter().map(|queue| (queue.name, queue.puts)).collect();
        assert_eq!(names, [("queue 1".to_owned(), 1), ("queue 1 of process 1".to_owned(), 2)]);
        assert_eq!(trace.anomalies().strangers, 1);
    }
}
