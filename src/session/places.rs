//! In which functions the holder of a lock was seen, and how long others waited meanwhile; or, without a lock, who runs.
//!
//! # The problem
//! Who held a lock while others waited is recorded. In which function that was is looked up now and then, and such looks
//! are no fair sample of who held it: who drops it often is met more often than another who keeps it.
//!
//! # The choice
//! Looks tell how what one lane held is divided among its functions, and nothing else: how long it held, and how long
//! others waited meanwhile, is the log's ([`Places::divide`]). So the functions of a lane add up to what is recorded of
//! it. What no look tells of is in no function. Each look counts as much as each other: they are made at instants that
//! hang on nothing in the program ([`crate::observe::instants`]), so that a function is met as often as it has time. Of
//! late, what is long past fades: after ten seconds it counts half.
//!
//! Without a GIL nobody holds anything that others wait for. Looks at threads that run Python divide how long they ran
//! ([`Places::divide_runs`]), as those at a holder do, and are counted apart: a GIL may come back.
//!
//! # Not chosen
//! A look that stands for the time since the one before it. Between two looks at holders there may have been no holder at
//! all: a function that ran a moment after each long sleep had the sleep's weight.

use std::collections::{HashMap, VecDeque};
use std::ops::{Add, AddAssign};
use std::sync::Arc;

use crate::event::{LaneId, Nanos, State};
use crate::observe::place::{Caller, Place};
use crate::trace::Trace;

/// After so long a look counts half, of late.
const HALF: f64 = 10e9;

/// How many functions are told apart.
const MOST_ROWS: usize = 1024;

/// What was seen less than so many times of late may be given up.
const HARDLY: f64 = 0.05;

/// How many asyncio tasks are told apart in each: a server may have one for each request.
const MOST_TASKS: usize = 64;

/// How many single looks are kept, to tell where a holder was at an instant: at fifty a second, of the last minute.
const MOST_SAMPLES: usize = 3000;

/// A task is named alone that has so much of a function, as an owner is of a cell.
const NEARLY_ALL: f64 = 0.9;

/// As what a lane was seen: as the holder of its lock, or running without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum As {
    Holder,
    Runner,
}

/// The lane and as what, the function and its file, and those of the caller where it is told.
type Key = ((LaneId, As), Arc<str>, Arc<str>, Option<(Arc<str>, Arc<str>)>);

/// What has been seen of the holders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    rows: HashMap<Key, Seen>,
    /// What rows weighed that were given up, by lane.
    given_up: HashMap<(LaneId, As), Weight>,
    latest: HashMap<LaneId, Place>,
    /// In the order of time.
    samples: VecDeque<(Nanos, LaneId, Place)>,
    /// Looks at instants of which the log does not tell yet.
    ahead: Vec<(Nanos, LaneId, Place)>,
    /// When it was last looked.
    last: Nanos,
}

/// Of which time looks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// All, each alike.
    Ever,
    /// The latest most.
    Lately,
}

/// What the log tells of a holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How long it held locks.
    pub held: Nanos,
    /// How long others waited meanwhile, each of them.
    pub waited: Nanos,
}

/// How many looks there were, and how many waited in all of them; and the squares, by which it is told how sure they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Weight {
    held: f64,
    held_squared: f64,
    waited: f64,
    waited_squared: f64,
}

/// The looks at something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    ever: Weight,
    lately: Weight,
    /// As of when `lately` is faded.
    at: Nanos,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    line: Option<u32>,
    task: Option<Arc<str>>,
    caller: Option<Arc<Caller>>,
    looks: u64,
    sum: Sum,
    tasks: Vec<(Arc<str>, Sum)>,
    /// Whether there were more tasks than are told apart.
    more_tasks: bool,
}

/// A function in which a lock was held.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldIn {
    /// By whom; the lane during whose holds there others waited longest, where several were there.
    pub lane: LaneId,
    /// Where it was seen last.
    pub place: Place,
    /// How often it was seen there, in all.
    pub looks: u64,
    /// How long it was held there.
    pub held: Estimate,
    /// How long others waited meanwhile, each of them.
    pub waited: Estimate,
    /// The asyncio tasks it was seen in, the most waited for first; the rest of it was in none, or none that was seen.
    pub tasks: Vec<InTask>,
    /// Whether there were more of them than are told apart.
    pub more_tasks: bool,
    /// Each lane that was seen there, the most waited for first.
    pub lanes: Vec<OfLane>,
}

/// The part of a function that one lane has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfLane {
    /// Which.
    pub lane: LaneId,
    /// How often it was seen there.
    pub looks: u64,
    /// How long it held a lock there.
    pub held: Estimate,
    /// How long others waited meanwhile, each of them.
    pub waited: Estimate,
}

/// The part of a function that ran in one asyncio task.
#[derive(Clone, Debug, PartialEq)]
pub struct InTask {
    /// Its name.
    pub task: Arc<str>,
    /// How long a lock was held there.
    pub held: Estimate,
    /// How long others waited meanwhile, each of them.
    pub waited: Estimate,
}

/// So many nanoseconds, by so many looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How many.
    pub ns: f64,
    variance: f64,
}

impl Places {
    /// The lane was seen there at `at`, holding its lock, or running if it has none. It counts once the log has come so far ([`Places::settle`]).
    pub fn looked(&mut self, at: Nanos, lane: LaneId, place: Place) {
        self.ahead.push((at, lane, place));
    }

    /// Counts the looks of which the log tells by now how many waited meanwhile.
    pub fn settle(&mut self, log: &Trace) {
        let due = self.ahead.iter().take_while(|(at, ..)| *at <= log.now()).count();
        for (at, lane, place) in self.ahead.drain(..due).collect::<Vec<_>>() {
            let Some(lock) = log.lane(lane).lock else {
                self.note(at, (lane, As::Runner), place, 0);
                continue;
            };
            let waits = |lane| log.span_at(lane, at).is_some_and(|span| span.state == State::WaitingGil);
            let waiting = log.lanes().filter(|(other, info)| info.lock == Some(lock) && waits(*other)).count();
            self.saw(at, lane, place, waiting);
        }
    }

    /// The lane was seen there at `at`, holding its lock, while so many others wanted it.
    pub fn saw(&mut self, at: Nanos, lane: LaneId, place: Place, waiting: usize) {
        self.note(at, (lane, As::Holder), place, waiting);
    }

    fn note(&mut self, at: Nanos, who: (LaneId, As), place: Place, waiting: usize) {
        self.last = self.last.max(at);
        if self.rows.len() >= MOST_ROWS {
            self.give_up(at);
        }
        let by = place.caller.as_ref().map(|caller| (Arc::clone(&caller.function), Arc::clone(&caller.file)));
        let key = (who, Arc::clone(&place.function), Arc::clone(&place.file), by);
        let (seen, weight) = (self.rows.entry(key).or_default(), Weight::of(1.0, waiting as f64));
        (seen.line, seen.task, seen.caller) = (place.line, place.task.clone(), place.caller.clone());
        seen.looks += 1;
        seen.sum.add(at, weight);
        if let Some(task) = &place.task {
            seen.saw_task(at, task, weight);
        }
        self.latest.insert(who.0, place.clone());
        if self.samples.len() >= MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, who.0, place));
    }

    /// Forgets the functions that were hardly seen of late.
    fn give_up(&mut self, at: Nanos) {
        let given_up = &mut self.given_up;
        self.rows.retain(|(who, ..), seen| {
            let stays = seen.sum.faded(at).held > HARDLY;
            if !stays {
                *given_up.entry(*who).or_default() += seen.sum.ever;
            }
            stays
        });
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

    /// What the log tells of each lane, divided among the functions it was seen in: waits by the looks at which somebody
    /// waited. The most waited for first. A lane that was not seen so has no part in them.
    pub fn divide(&self, log: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        sorted(self.divided(As::Holder, log, looks))
    }

    /// How long each lane ran that has no lock ([`ran_by_lane`]), divided among the functions it was seen in: `held` is
    /// how long it ran there. The longest first.
    pub fn divide_runs(&self, ran: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        sorted(self.divided(As::Runner, ran, looks))
    }

    fn divided(&self, seen_as: As, log: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        let weight = |sum: &Sum| match looks {
            Looks::Ever => sum.ever,
            Looks::Lately => sum.faded(self.last),
        };
        let mut lanes: HashMap<(LaneId, As), Weight> = match looks {
            Looks::Ever => self.given_up.clone(),
            Looks::Lately => HashMap::new(),
        };
        self.rows.iter().for_each(|((who, ..), seen)| *lanes.entry(*who).or_default() += weight(&seen.sum));
        let rows = self.rows.iter().filter(|(((_, as_what), ..), _)| *as_what == seen_as);
        let rows = rows.map(|((who @ (lane, _), function, file, _), seen)| {
            let (told, of) = (log.get(lane).copied().unwrap_or_default(), lanes[who]);
            let part = |sum: &Sum| {
                let part = weight(sum);
                let held = Estimate::part(told.held, (part.held, part.held_squared), (of.held, of.held_squared));
                let waited = ((part.waited, part.waited_squared), (of.waited, of.waited_squared));
                (held, Estimate::part(told.waited, waited.0, waited.1))
            };
            let in_task = |(task, sum): &(Arc<str>, Sum)| {
                let (held, waited) = part(sum);
                InTask { task: Arc::clone(task), held, waited }
            };
            let (function, file, (held, waited)) = (Arc::clone(function), Arc::clone(file), part(&seen.sum));
            HeldIn {
                lane: *lane,
                place: Place { function, file, line: seen.line, task: seen.task.clone(), caller: seen.caller.clone() },
                looks: seen.looks,
                held,
                waited,
                tasks: sorted_tasks(seen.tasks.iter().map(in_task).collect()),
                more_tasks: seen.more_tasks,
                lanes: vec![OfLane { lane: *lane, looks: seen.looks, held, waited }],
            }
        });
        rows.collect()
    }

    /// [`Places::divide`] of every function, whoever ran it.
    pub fn divide_by_function(&self, log: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        let mut found: Vec<HeldIn> = Vec::new();
        for row in self.divide(log, looks) {
            match found.iter_mut().find(|known| known.place.is_same_function(&row.place)) {
                Some(known) => known.add(row),
                None => found.push(row),
            }
        }
        sorted(found)
    }
}

impl HeldIn {
    /// The same function of another lane.
    fn add(&mut self, other: HeldIn) {
        self.looks += other.looks;
        self.held += other.held;
        self.waited += other.waited;
        // Tasks of one name in two threads are two.
        self.tasks.extend(other.tasks);
        self.tasks = sorted_tasks(std::mem::take(&mut self.tasks));
        self.more_tasks |= other.more_tasks;
        // They come in order.
        self.lanes.extend(other.lanes);
    }

    /// The tasks in which it was seen, in words: `task req-1` where it is one, nearly all of the time; `4 tasks` where it
    /// is several. None where none was seen.
    pub fn task_words(&self) -> Option<String> {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let first = self.tasks.first()?;
        let alone = match self.waited.ns > 0.0 {
            true => share(first.waited.ns, self.waited.ns),
            false => share(first.held.ns, self.held.ns),
        };
        Some(match self.tasks.len() {
            _ if self.more_tasks => "many tasks".to_owned(),
            1 => format!("task {}", first.task),
            _ if alone >= NEARLY_ALL => format!("task {}", first.task),
            count => format!("{count} tasks"),
        })
    }
}

fn sorted_tasks(mut tasks: Vec<InTask>) -> Vec<InTask> {
    tasks.sort_by(|a, b| {
        let (waited, held) = (b.waited.ns.total_cmp(&a.waited.ns), b.held.ns.total_cmp(&a.held.ns));
        waited.then(held).then_with(|| a.task.cmp(&b.task))
    });
    tasks
}

fn sorted(mut rows: Vec<HeldIn>) -> Vec<HeldIn> {
    rows.sort_by(|a, b| {
        let (waited, held) = (b.waited.ns.total_cmp(&a.waited.ns), b.held.ns.total_cmp(&a.held.ns));
        waited.then(held).then(a.lane.cmp(&b.lane)).then_with(|| a.place.function.cmp(&b.place.function))
    });
    rows
}

/// What the log tells of each lane from one instant to another, as a holder of GILs; `waited` is who waited for whom.
pub fn held_by_lane(
    log: &Trace,
    from: Nanos,
    waited: impl IntoIterator<Item = (LaneId, Nanos)>,
) -> HashMap<LaneId, Held> {
    let mut lanes: HashMap<LaneId, Held> = HashMap::new();
    for (lane, held) in log.gils().flat_map(|(lock, _)| log.held_by(lock, from, log.now())) {
        lanes.entry(lane).or_default().held += held;
    }
    for (lane, waited) in waited {
        lanes.entry(lane).or_default().waited += waited;
    }
    lanes
}

/// How long each lane ran from one instant to another that has no lock.
pub fn ran_by_lane(log: &Trace, from: Nanos) -> HashMap<LaneId, Held> {
    let without = log.lanes().filter(|(_, info)| info.lock.is_none());
    let ran = |lane| log.lane_ledger_between(lane, from, log.now()).0[State::Running.index()];
    without.map(|(lane, _)| (lane, Held { held: ran(lane), waited: Nanos::ZERO })).collect()
}

impl Weight {
    fn of(held: f64, waited: f64) -> Weight {
        Weight { held, held_squared: held * held, waited, waited_squared: waited * waited }
    }
}

impl Add for Weight {
    type Output = Weight;

    fn add(self, other: Weight) -> Weight {
        Weight {
            held: self.held + other.held,
            held_squared: self.held_squared + other.held_squared,
            waited: self.waited + other.waited,
            waited_squared: self.waited_squared + other.waited_squared,
        }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        *self = *self + other;
    }
}

impl Sum {
    fn add(&mut self, at: Nanos, weight: Weight) {
        (self.ever, self.lately, self.at) = (self.ever + weight, self.faded(at) + weight, at);
    }

    fn faded(&self, at: Nanos) -> Weight {
        let factor = 0.5_f64.powf((at - self.at).0 as f64 / HALF);
        let Weight { held, held_squared, waited, waited_squared } = self.lately;
        let squared = factor * factor;
        Weight {
            held: held * factor,
            held_squared: held_squared * squared,
            waited: waited * factor,
            waited_squared: waited_squared * squared,
        }
    }
}

impl Seen {
    fn saw_task(&mut self, at: Nanos, task: &Arc<str>, weight: Weight) {
        let known = self.tasks.iter().position(|(known, _)| known == task).unwrap_or_else(|| {
            if self.tasks.len() >= MOST_TASKS {
                // The one that is longest past.
                let oldest = (0..self.tasks.len()).min_by_key(|index| self.tasks[*index].1.at).unwrap_or_default();
                self.tasks.swap_remove(oldest);
                self.more_tasks = true;
            }
            self.tasks.push((Arc::clone(task), Sum::default()));
            self.tasks.len() - 1
        });
        self.tasks[known].1.add(at, weight);
    }
}

impl Estimate {
    /// As much of the whole as the part weighs of all looks; of both, what their looks weigh and the squares of that.
    fn part(whole: Nanos, (part, part_squares): (f64, f64), (all, squares): (f64, f64)) -> Estimate {
        if all <= 0.0 {
            return Estimate::default();
        }
        let whole = whole.0 as f64;
        // Two more of each kind are reckoned (Agresti and Coull), else three looks of three would be certain.
        let more = squares / all;
        let (part_squares, squares) = (part_squares + 2.0 * more * more, squares + 4.0 * more * more);
        let (sum, likely) = (all + 4.0 * more, (part + 2.0 * more) / (all + 4.0 * more));
        // A look at something else is off by as much as is likely, one at it by the rest.
        let off = part_squares * (1.0 - likely).powi(2) + (squares - part_squares) * likely.powi(2);
        Estimate { ns: whole * part / all, variance: whole * whole * off / (sum * sum) }
    }

    /// A share of the whole that is the share of so many looks.
    pub fn of_looks(whole: Nanos, share: f64, looks: f64) -> Estimate {
        let whole = whole.0 as f64;
        // Two more of each kind are reckoned (Agresti and Coull), else
        // three looks of three would be certain.
        let likely = (share * looks + 2.0) / (looks + 4.0);
        Estimate { ns: whole * share, variance: whole * whole * likely * (1.0 - likely) / (looks + 4.0) }
    }

    /// How far it may be off, in nineteen of twenty cases, as far as that lies with the number of looks.
    pub fn off(self) -> f64 {
        2.0 * self.variance.sqrt()
    }
}

impl AddAssign for Estimate {
    fn add_assign(&mut self, other: Estimate) {
        self.ns += other.ns;
        self.variance += other.variance;
    }
}

#[cfg(test)]
mod tests;
