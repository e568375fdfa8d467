//! The figures of the Watch screen: who holds the lock, who is kept waiting, of late.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::event::{LaneId, LockId, Nanos, State};
use crate::insight::words;
use crate::observe::place::Place;
use crate::session::{Held, HeldIn, Looks, Places, held_by_lane, ran_by_lane};
use crate::trace::{Distribution, Trace};

use super::Watch;
use super::functions;
use super::locks::{self, MostHeld};
use super::rows::{self, Life, Row};

/// What the tables are of: this much of the time until now.
pub const LATELY: Nanos = Nanos::from_secs(30);

/// How far apart the sums are kept from which what happened lately is told.
const APART: Nanos = Nanos::from_secs(1);

/// The figures on the Watch screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The lock that is held most; none if that was not observed, or there is no lock.
    pub held: Option<MostHeld>,
    /// How long threads waited for a lock, since the beginning.
    pub wait: Distribution,
    /// How often each world was stopped, since the beginning.
    pub stopped: HashMap<LockId, u64>,
    /// How often the world was stopped, of a free-threaded build in which that is seen.
    pub stops: Option<Stops>,
    /// What threads waited for most often lately in locks of the program's own, as far as it was seen, and the share of
    /// their time for which they waited in any, 0 to 1.
    pub wanted: Option<(String, f64)>,
    /// Takes of all locks a second, since the beginning.
    pub takes_per_second: f64,
    /// Who held a lock while others waited, most first.
    pub holders: Vec<Holder>,
    /// Whether they are functions in which threads ran without any lock.
    pub runs: bool,
    /// At which place among the holders each lane is.
    pub places: HashMap<LaneId, usize>,
    /// The lanes, as they stand in the list.
    pub rows: Vec<Row>,
    /// What those are called that share their name with others.
    pub labels: HashMap<LaneId, String>,
    /// Those that live, did nothing lately and are not in the list.
    pub idle: Vec<Life>,
    /// How much time the tables are of.
    pub span: Nanos,
}

impl Figures {
    /// How many of the first two holders are worth a name wherever one is told: the first, and the second if it is not far
    /// behind.
    pub fn culprits(&self) -> usize {
        let [first, second, ..] = &*self.holders else { return self.holders.len() };
        if second.waiting > 0.0 && second.waiting * 3.0 >= first.waiting { 2 } else { 1 }
    }
}

/// How often all threads but one were made to stand still.
#[derive(Clone, Debug, PartialEq)]
pub struct Stops {
    /// How often, since the beginning.
    pub times: u64,
    /// For which share of the time, lately, 0 to 1.
    pub share: f64,
    /// How long at a time, since the beginning.
    pub stop: Distribution,
    /// By whom lately for the longest time.
    pub by: Option<String>,
}

/// A row of the table of holders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holder {
    /// Whose lane; of the longest where a function or several threads are meant.
    pub lane: LaneId,
    /// The thread's name, or the function's; empty: no look tells in which function it was.
    pub name: String,
    /// How many threads that have ended are meant by that name; none of one thread.
    pub folded: Option<usize>,
    /// Where it held the lock while others waited most, as far as it was seen.
    pub place: Option<String>,
    /// Where else, the next most, with the shares of both in what was seen of it, 0 to 1.
    pub also: Option<Also>,
    /// How `compare --call` names the function of that place, if it can be called by a name.
    pub call: Option<Call>,
    /// The asyncio task it ran there, or how many, in words: `task req-1`, `4 tasks`.
    pub task: Option<String>,
    /// Its share of the time, 0 to 1; without a lock how many threads ran there at a time.
    pub holds: f64,
    /// Its share of all waiting, 0 to 1; without a lock of all running.
    pub waiting: f64,
    /// How far that may be off where it is an estimate, which it is of a function.
    pub off: f64,
}

/// A function that can be called from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// How `compare --call` names it: `svc:scan`.
    pub target: String,
    /// Its file.
    pub file: Arc<str>,
}

/// A second place.
#[derive(Clone, Debug, PartialEq)]
pub struct Also {
    /// The share of the first, 0 to 1.
    pub first: f64,
    /// Where.
    pub place: String,
    /// Its share, 0 to 1.
    pub share: f64,
    /// How far they may be off.
    pub off: f64,
}

/// Sums at an instant.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    at: Nanos,
    /// How long all others waited while each lane held what they wanted.
    waited: HashMap<LaneId, u64>,
}

/// What is remembered from one reading to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The sums that were kept.
    sums: VecDeque<Sums>,
    /// Who has ended so long ago that no figure is of them.
    past: HashSet<LaneId>,
}

impl Watch {
    /// Reads the figures anew from the log and from where holders were seen.
    pub fn read(&mut self, log: &Trace, places: &Places) {
        let now = log.now();
        let waited = waited(log);
        let sums = &mut self.history.sums;
        if sums.back().is_none_or(|last| now - last.at >= APART) {
            sums.push_back(Sums { at: now, waited: waited.clone() });
        }
        // One is kept that is older than what is shown.
        while sums.get(1).is_some_and(|second| now - second.at >= LATELY) {
            sums.pop_front();
        }
        let from = (now - LATELY).max(log.begin_at());
        let before = sums.front().filter(|sums| sums.at > log.begin_at() && now - sums.at >= LATELY);
        let then = |lane: &LaneId| before.and_then(|sums| sums.waited.get(lane)).copied().unwrap_or(0);
        let waited: HashMap<LaneId, u64> =
            waited.into_iter().map(|(lane, total)| (lane, total.saturating_sub(then(&lane)))).collect();
        let list = rows::read(log, from, &mut self.history.past);
        self.figures = Figures {
            span: now - from,
            wait: longest_wait(log),
            held: locks::most_held(log, from, &self.locks_held),
            takes_per_second: takes(log),
            stopped: log.worlds().map(|(world, _)| (world, log.lock_stats(world).takes)).collect(),
            stops: self.stops(log, from),
            wanted: self.wanted(log, from),
            rows: list.rows,
            labels: list.labels,
            idle: list.idle,
            ..Figures::default()
        };
        let told = held_by_lane(log, from, waited.into_iter().map(|(lane, ns)| (lane, Nanos(ns))));
        let threads = self.by_thread(log, places, &told, from);
        let place =
            |(at, (_, lanes)): (usize, &(Holder, Vec<LaneId>))| lanes.iter().map(move |lane| (*lane, at)).collect();
        self.figures.places = threads.iter().enumerate().flat_map::<Vec<_>, _>(place).collect();
        self.figures.runs = self.by_function && !log.has_gil();
        self.figures.holders = match self.by_function {
            true if self.figures.runs => functions::ran_in(places, &ran_by_lane(log, from), now - from),
            true => functions::held_in(places, &told, now - from),
            false => threads.into_iter().map(|(holder, _)| holder).collect(),
        };
        self.places.clone_from(places);
    }

    /// Who held a lock while others waited, and the lanes that each row is of: those that have ended are folded as in
    /// the list.
    fn by_thread(
        &self,
        log: &Trace,
        places: &Places,
        told: &HashMap<LaneId, Held>,
        from: Nanos,
    ) -> Vec<(Holder, Vec<LaneId>)> {
        let span = (log.now() - from).0.max(1) as f64;
        let all: u64 = told.values().map(|told| told.waited.0).sum();
        let folded: HashMap<LaneId, usize> = (0..)
            .zip(&self.figures.rows)
            .filter(|(_, row)| row.folded().is_some())
            .flat_map(|(at, row)| row.lives.iter().map(move |life| (life.lane, at)))
            .collect();
        // Lanes of one row, or one alone.
        let mut groups: HashMap<Result<usize, LaneId>, Vec<LaneId>> = HashMap::new();
        for (lane, _) in told.iter().filter(|(_, told)| told.held > Nanos::ZERO) {
            groups.entry(folded.get(lane).copied().ok_or(*lane)).or_default().push(*lane);
        }
        let mut seen = places.divide_groups(told, Looks::Lately, |lane| folded.get(&lane).copied().ok_or(lane));
        let holder = |(key, lanes): (Result<usize, LaneId>, Vec<LaneId>)| {
            let row = key.ok().and_then(|at| self.figures.rows.get(at));
            let lane = *lanes.iter().max_by_key(|lane| (told[lane].held, std::cmp::Reverse(**lane)))?;
            let sum = |part: fn(&Held) -> Nanos| lanes.iter().map(|lane| part(&told[lane]).0).sum::<u64>() as f64;
            // Others waited most at the first.
            let where_held = seen.remove(&key).unwrap_or_default();
            let first = where_held.first();
            let holder = Holder {
                lane,
                name: row.map_or_else(|| self.name(log, lane), |row| row.name.clone()),
                folded: row.map(|_| lanes.len()),
                place: first.map(|row| words::place_of(&row.place)),
                also: also(&where_held),
                call: first.and_then(|row| call(&row.place)),
                task: first.and_then(HeldIn::task_words),
                holds: sum(|told| told.held) / span,
                waiting: sum(|told| told.waited) / all.max(1) as f64,
                off: 0.0,
            };
            Some((holder, lanes))
        };
        let mut rows: Vec<(Holder, Vec<LaneId>)> = groups.into_iter().filter_map(holder).collect();
        rows.sort_by(|(a, _), (b, _)| {
            b.waiting.total_cmp(&a.waiting).then(b.holds.total_cmp(&a.holds)).then(a.lane.cmp(&b.lane))
        });
        rows
    }

    /// How often the world was stopped; of several, that which was stopped most often.
    fn stops(&self, log: &Trace, from: Nanos) -> Option<Stops> {
        let (world, stats) =
            log.worlds().map(|(world, _)| (world, log.lock_stats(world))).max_by_key(|it| it.1.takes)?;
        let by = log.held_by(world, from, log.now()).into_iter().max_by_key(|(_, held)| *held);
        Some(Stops {
            times: stats.takes,
            share: log.lock_window(world, from, log.now(), 1).pop().map_or(0.0, |cell| cell.held.0 as f64)
                / (log.now() - from).0.max(1) as f64,
            stop: stats.hold,
            by: by.filter(|(_, held)| *held > Nanos::ZERO).map(|(lane, _)| self.name(log, lane)),
        })
    }

    /// For which lock of the program's own most waits are.
    fn wanted(&self, log: &Trace, from: Nanos) -> Option<(String, f64)> {
        let ledger = log.ledger_between(from, log.now()).0;
        let alive: u64 = State::ALL.into_iter().filter(|it| it.lives()).map(|it| ledger[it.index()].0).sum();
        let share = ledger[State::WaitingLock.index()].0 as f64 / alive.max(1) as f64;
        let (what, _) = self.wants.most_for_a_lock(from)?;
        Some((what.to_owned(), share))
    }

    /// What a lane is called: by its number, too, if others have its name.
    pub fn name(&self, log: &Trace, lane: LaneId) -> String {
        self.figures.labels.get(&lane).unwrap_or(&log.lane(lane).name).clone()
    }
}

/// How long all others waited while each lane held what they wanted.
fn waited(log: &Trace) -> HashMap<LaneId, u64> {
    let mut waited: HashMap<LaneId, u64> = HashMap::new();
    for blame in log.blame() {
        *waited.entry(blame.holder).or_default() += blame.ns.0;
    }
    waited
}

/// The second of them is named if it is not far behind the first.
fn also(rows: &[HeldIn]) -> Option<Also> {
    let [HeldIn { waited: first, .. }, HeldIn { place, waited: second, .. }, ..] = rows else { return None };
    let all: f64 = rows.iter().map(|row| row.waited.ns).sum();
    let off = first.off().max(second.off()) / all;
    (second.ns * 3.0 >= first.ns && second.ns > 0.0).then(|| Also {
        first: first.ns / all,
        place: words::place_of(place),
        share: second.ns / all,
        off,
    })
}

/// How `compare --call` names the function, or its caller outside of the standard library: a function of a module, for a
/// method or what stands in a function cannot be called from outside.
pub(super) fn call(place: &Place) -> Option<Call> {
    let (function, file) = match &place.caller {
        Some(caller) => (&caller.function, &caller.file),
        None if place.is_library() => return None,
        None => (&place.function, &place.file),
    };
    let module = file.rsplit('/').next()?.strip_suffix(".py")?;
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name(module) && is_name(function) && module != "__init__")
        .then(|| Call { target: format!("{module}:{function}"), file: Arc::clone(file) })
}

/// Of several locks, that of which most waited. Whoever waits still is among them.
fn longest_wait(log: &Trace) -> Distribution {
    log.gils().map(|(lock, _)| log.waits_so_far(lock)).max_by_key(|wait| wait.count).unwrap_or_default()
}

fn takes(log: &Trace) -> f64 {
    let takes: u64 = log.gils().map(|(lock, _)| log.lock_stats(lock).takes).sum();
    takes as f64 / log.elapsed().as_secs_f64().max(1e-3)
}
