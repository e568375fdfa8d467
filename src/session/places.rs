//! In which functions the holder of a lock was seen, and how long others waited meanwhile; or, without a lock, who runs.
//!
//! # The problem
//! Who held a lock while others waited is recorded. In which function that was is looked up now and then. A thread that
//! lives for some milliseconds is met by one look or none, and where each request has a thread they all do: what is told of
//! them one by one is nearly nothing.
//!
//! # The choice
//! Looks tell how what the log has recorded is divided among functions, and nothing else: how long it was held, and how
//! long others waited meanwhile, is the log's. They are made at instants that hang on nothing in the program
//! ([`crate::observe::instants`]), so that whatever holds the lock is met as often as it has time: all looks at the holders
//! of a lock are a fair sample of all the time for which it was held, and each counts as much as each other.
//!
//! What one lane held is divided by the looks at that lane, as long as these are enough: ten or more are to be expected of
//! so much time (`OF_ITS_OWN`). So a lane's functions add up to what is recorded of it, and looks that came to meet one
//! lane too often and another too seldom distort nothing. All others are divided together, lock by lock, by the looks at
//! any of them; what is left of locks that have not ten looks for that either, as where each request has a process, is taken
//! together once more (`divide`). Of one lane alone nothing is known then, and that is what is said of it. What is not worth
//! ten looks in all stays with the lanes that were met, or in no function. Who is divided alone is decided by how long it held, which is known without any look: if those were
//! pooled that were met too seldom, what is left would be those that were met too often.
//!
//! A look may find the lock held, and not where its holder is: its frames changed, or it runs no Python. It counts as a look
//! at no known function, and its part of the time is in none: if it did not count, whatever is read more easily would have
//! that part, too. Of late, what is long past fades: after ten seconds it counts half.
//!
//! Without a GIL nobody holds anything that others wait for. Looks at threads that run Python divide how long they ran
//! ([`Places::divide_runs`]), as those at a holder do, and are counted apart: a GIL may come back. Where more threads run
//! than are looked at, a look counts as many times as there are threads for each that is.
//!
//! # Not chosen
//! A look that stands for the time since the one before it. Between two looks at holders there may have been no holder at
//! all: a function that ran a moment after each long sleep had the sleep's weight.
//!
//! Shares of all looks, without the log. Of two threads of which each has one function it is known to the nanosecond how
//! long either held, however many looks happened to meet them.

mod divide;
mod told;
mod weight;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{LaneId, LockId, Nanos, State};
use crate::observe::place::{Caller, Place};
use crate::observe::thread::DISPLACED;
use crate::trace::Trace;

pub use divide::{HeldIn, InTask, OfLane};
pub use told::{Held, held_by_lane, ran_by_lane};
use weight::{Sum, Weight};

/// Of how many looks at a lane are to be expected its time is divided by them alone. Then that none meets it has a chance of
/// one in twenty thousand, and what they say of it is within a third.
const OF_ITS_OWN: f64 = 10.0;

/// From how many rows on those are given up that were hardly seen of late.
const MOST_ROWS: usize = 1024;

/// What was seen less than so many times of late may be given up.
const HARDLY: f64 = 0.05;

/// How many asyncio tasks are told apart in each: a server may have one for each request.
const MOST_TASKS: usize = 64;

/// How many single looks are kept, to tell where a holder was at an instant: at fifty a second, of the last minute.
const MOST_SAMPLES: usize = 3000;

/// As what a lane was seen: as the holder of its lock, or running without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum As {
    Holder,
    Runner,
}

/// Who was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Lane(LaneId),
    /// Lanes of this lock with few looks each, which are not told apart any more.
    Others(Option<LockId>),
}

/// A function, and by which it was called where that is told: name and file of both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Function {
    name: Arc<str>,
    file: Arc<str>,
    by: Option<(Arc<str>, Arc<str>)>,
}

type Key = (As, Who, Function);

/// What has been seen of the holders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    rows: HashMap<Key, Seen>,
    /// The looks that are in no row: at whom nobody knows where it was, or whose row was given up.
    nowhere: HashMap<(As, Who), Sum>,
    /// With how many rows some are given up next.
    full_at: usize,
    latest: HashMap<LaneId, Place>,
    /// In the order of time.
    samples: VecDeque<(Nanos, LaneId, Place)>,
    /// Looks at instants of which the log does not tell yet.
    ahead: Vec<Look>,
    /// When it was last looked.
    last: Nanos,
}

/// A look at a lane that held its lock or, without one, ran Python.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// When.
    pub at: Nanos,
    /// Who was met.
    pub lane: LaneId,
    /// Where; none if that could not be read.
    pub place: Option<Place>,
    /// As how many looks it counts: one, or more if others were left out by lot.
    pub counts: f64,
}

/// Of which time looks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// All, each alike.
    Ever,
    /// The latest most.
    Lately,
}

/// The looks at something.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// Who was there last.
    lane: LaneId,
    /// The lock it needed.
    lock: Option<LockId>,
    /// How many lanes have been put together here.
    lanes: usize,
    line: Option<u32>,
    caller: Option<Arc<Caller>>,
    looks: u64,
    sum: Sum,
    tasks: Vec<(Arc<str>, Sum)>,
    /// Whether there were more tasks than are told apart.
    more_tasks: bool,
}

impl Places {
    /// Somebody was looked at. It counts once the log has come so far ([`Places::settle`]).
    pub fn looked(&mut self, look: Look) {
        self.ahead.push(look);
    }

    /// Counts the looks of which the log tells by now how many waited meanwhile.
    pub fn settle(&mut self, log: &Trace) {
        let due = self.ahead.iter().take_while(|look| look.at <= log.now()).count();
        for look in self.ahead.drain(..due).collect::<Vec<_>>() {
            let info = log.lane(look.lane);
            let lock = info.lock.filter(|_| told::without_lock_until(info).is_none_or(|until| until <= look.at));
            let Some(lock) = lock else {
                // Where it waits for a core it does not run: that would be met most where the kernel takes cores away.
                let runs = log.span_at(look.lane, look.at).is_some_and(|span| match span.state {
                    State::Running => true,
                    // But it may just have lost its core to us: of two that share two cores one always has.
                    State::WaitingCore => span.from + DISPLACED > look.at,
                    _ => false,
                });
                if runs {
                    self.note(look, As::Runner, None, 0);
                }
                continue;
            };
            let waits = |lane| log.span_at(lane, look.at).is_some_and(|span| span.state == State::WaitingGil);
            let waiting = log.lanes().filter(|(other, info)| info.lock == Some(lock) && waits(*other)).count();
            self.note(look, As::Holder, Some(lock), waiting);
        }
    }

    /// The lane was seen there at `at`, holding its lock, while so many others wanted it.
    pub fn saw(&mut self, at: Nanos, lane: LaneId, place: Place, waiting: usize) {
        self.note(Look { at, lane, place: Some(place), counts: 1.0 }, As::Holder, None, waiting);
    }

    fn note(&mut self, look: Look, seen_as: As, lock: Option<LockId>, waiting: usize) {
        let Look { at, lane, place, counts } = look;
        self.last = self.last.max(at);
        let (who, weight) = (Who::Lane(lane), Weight::of(counts, counts * waiting as f64));
        let Some(place) = place else { return self.nowhere.entry((seen_as, who)).or_default().add(at, weight) };
        if self.rows.len() >= self.full_at.max(MOST_ROWS) {
            self.give_up(at);
        }
        let key = (seen_as, who, Function::of(&place));
        let seen = self.rows.entry(key).or_insert_with(|| Seen::new(lane));
        (seen.line, seen.caller) = (place.line, place.caller.clone());
        (seen.lock, seen.looks) = (lock, seen.looks + 1);
        seen.sum.add(at, weight);
        if let Some(task) = &place.task {
            seen.task_sum(task).add(at, weight);
        }
        self.latest.insert(lane, place.clone());
        if self.samples.len() >= MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, lane, place));
    }

    /// Makes room: lanes that nobody has met of late and that have few looks in all are put together. Of other lanes those
    /// functions are forgotten that were hardly seen of late, and of those put together if they are too many for all that.
    fn give_up(&mut self, at: Nanos) {
        let mut lanes: HashMap<(As, Who), (f64, f64)> = HashMap::new();
        for ((seen_as, who, _), seen) in &self.rows {
            let (ever, lately) = lanes.entry((*seen_as, *who)).or_default();
            (*ever, *lately) = (*ever + seen.sum.ever().held, *lately + seen.sum.faded(at).held);
        }
        let together = |who: &Who| matches!(who, Who::Others(_));
        let is_full = self.rows.keys().filter(|(_, who, _)| together(who)).count() >= MOST_ROWS;
        let leaves = |(seen_as, who, _): &Key, seen: &mut Seen| {
            let (ever, lately) = lanes[&(*seen_as, *who)];
            match who {
                Who::Lane(_) if ever < OF_ITS_OWN => lately < HARDLY,
                Who::Lane(_) => seen.sum.faded(at).held < HARDLY,
                Who::Others(_) => is_full && seen.sum.faded(at).held < HARDLY,
            }
        };
        for ((seen_as, who, function), seen) in self.rows.extract_if(leaves).collect::<Vec<_>>() {
            if !together(&who) && lanes[&(seen_as, who)].0 < OF_ITS_OWN {
                let key = (seen_as, Who::Others(seen.lock), function);
                self.rows.entry(key).or_insert_with(|| Seen { lanes: 0, ..Seen::new(seen.lane) }).take_in(seen);
            } else {
                self.nowhere.entry((seen_as, who)).or_default().take_in(&seen.sum);
            }
        }
        self.full_at = self.rows.len() / 4 * 5;
    }

    /// Where a lane was seen last.
    pub fn latest(&self, lane: LaneId) -> Option<&Place> {
        self.latest.get(&lane)
    }

    /// Where a lane was seen in a span of time, nearest to `at` within it, and when.
    pub fn seen_within(&self, lane: LaneId, from: Nanos, to: Nanos, at: Nanos) -> Option<(&Place, Nanos)> {
        let first = self.samples.partition_point(|(seen, ..)| *seen < from);
        let within = self.samples.range(first..).take_while(|(seen, ..)| *seen <= to);
        let apart = |seen: Nanos| seen.max(at) - seen.min(at);
        let of_lane = within.filter(|(_, holder, _)| *holder == lane);
        of_lane.min_by_key(|(seen, ..)| apart(*seen)).map(|(seen, _, place)| (place, *seen))
    }
}

impl Function {
    fn of(place: &Place) -> Function {
        let by = place.caller.as_ref().map(|caller| (Arc::clone(&caller.function), Arc::clone(&caller.file)));
        Function { name: Arc::clone(&place.function), file: Arc::clone(&place.file), by }
    }
}

impl Seen {
    fn new(lane: LaneId) -> Seen {
        Seen {
            lane,
            lock: None,
            lanes: 1,
            line: None,
            caller: None,
            looks: 0,
            sum: Sum::default(),
            tasks: Vec::new(),
            more_tasks: false,
        }
    }

    /// The looks at it in this task.
    fn task_sum(&mut self, task: &Arc<str>) -> &mut Sum {
        let known = self.tasks.iter().position(|(known, _)| known == task).unwrap_or_else(|| {
            if self.tasks.len() >= MOST_TASKS {
                // The one that is longest past.
                let oldest = (0..self.tasks.len()).min_by_key(|index| self.tasks[*index].1.at()).unwrap_or_default();
                self.tasks.swap_remove(oldest);
                self.more_tasks = true;
            }
            self.tasks.push((Arc::clone(task), Sum::default()));
            self.tasks.len() - 1
        });
        &mut self.tasks[known].1
    }

    /// Another lane in the same function.
    fn take_in(&mut self, other: Seen) {
        if other.sum.at() >= self.sum.at() {
            (self.lane, self.line, self.caller) = (other.lane, other.line, other.caller);
        }
        (self.lanes, self.looks, self.lock) = (self.lanes + other.lanes, self.looks + other.looks, other.lock);
        self.sum.take_in(&other.sum);
        self.more_tasks |= other.more_tasks;
        other.tasks.iter().for_each(|(task, sum)| self.task_sum(task).take_in(sum));
    }
}

#[cfg(test)]
mod tests;
