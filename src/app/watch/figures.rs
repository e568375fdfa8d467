//! The figures of the Watch screen: who holds the lock, who is kept waiting, of late.

use std::collections::VecDeque;

use crate::event::{LaneId, Nanos, State as LaneState};
use crate::session::{HeldIn, Places};
use crate::trace::{Distribution, Trace};

use super::Watch;

/// What the tables are of: this much of the time until now.
pub const LATELY: Nanos = Nanos::from_secs(30);

/// Whoever is active for less than this part of its time counts as idle.
const HARDLY: u64 = 1000;

/// How far apart the sums are kept from which what happened lately is told.
const APART: Nanos = Nanos::from_secs(1);

/// The figures on the Watch screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// How much of the time any lock was held, 0 to 1; none if that was not observed, or there is no lock.
    pub held: Option<f64>,
    /// How long threads waited for a lock, since the beginning.
    pub wait: Distribution,
    /// Takes of all locks a second, since the beginning.
    pub takes_per_second: f64,
    /// Who held a lock while others waited, most first.
    pub holders: Vec<Holder>,
    /// The lanes that were kept waiting, by share of their time, most first; all that did anything lately.
    pub waiters: Vec<(LaneId, f64)>,
    /// How many lanes did nothing lately.
    pub idle: usize,
    /// How much time the tables are of.
    pub span: Nanos,
}

/// A row of the table of holders.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// Whose lane; of the longest where a function is meant.
    pub lane: LaneId,
    /// The thread's name, or the function's.
    pub name: String,
    /// Where it held the lock, as far as it was seen.
    pub place: Option<String>,
    /// The asyncio task it ran there when it was last seen.
    pub task: Option<String>,
    /// Its share of the time, 0 to 1.
    pub holds: f64,
    /// Its share of all waiting, 0 to 1.
    pub waiting: f64,
}

/// Sums at an instant.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    at: Nanos,
    /// How long all others waited while this lane held what they wanted.
    waited: Vec<(LaneId, u64)>,
}

/// The sums that were kept.
pub(super) type History = VecDeque<Sums>;

impl Watch {
    /// Reads the figures anew from the log and from where holders were seen.
    pub fn read(&mut self, log: &Trace, places: &Places) {
        let now = log.now();
        let waited = waited(log);
        if self.history.back().is_none_or(|last| now - last.at >= APART) {
            self.history.push_back(Sums { at: now, waited: waited.clone() });
        }
        // One is kept that is older than what is shown.
        while self.history.get(1).is_some_and(|second| now - second.at >= LATELY) {
            self.history.pop_front();
        }
        let from = (now - LATELY).max(log.begin_at());
        let before = self.history.front().filter(|sums| sums.at > log.begin_at() && now - sums.at >= LATELY);
        let since = |lane: LaneId, total: u64| {
            let then = before.and_then(|sums| sums.waited.iter().find(|(known, _)| *known == lane));
            total.saturating_sub(then.map_or(0, |(_, waited)| *waited))
        };
        let waited: Vec<(LaneId, u64)> = waited.into_iter().map(|(lane, total)| (lane, since(lane, total))).collect();
        let span = now - from;
        self.figures = Figures {
            span,
            wait: longest_wait(log),
            held: held(log, from),
            takes_per_second: takes(log),
            holders: if self.by_function { by_function(places) } else { by_thread(log, places, &waited, from) },
            ..Figures::default()
        };
        self.read_waiters(log, from);
    }

    fn read_waiters(&mut self, log: &Trace, from: Nanos) {
        let mut waiters = Vec::new();
        for (lane, _) in log.lanes() {
            let ledger = log.lane_ledger_between(lane, from, log.now()).0;
            let time = |state: LaneState| ledger[state.index()].0;
            let alive: u64 = LaneState::ALL.into_iter().filter(|state| state.alive()).map(time).sum();
            let did: u64 = LaneState::ALL.into_iter().filter(|state| state.on_core()).map(time).sum();
            if (did + time(LaneState::WaitingGil)) * HARDLY < alive || alive == 0 {
                self.figures.idle += usize::from(alive > 0);
                continue;
            }
            waiters.push((lane, time(LaneState::WaitingGil) as f64 / alive.max(1) as f64));
        }
        // Figures that differ in what nobody reads do not change the order.
        waiters.sort_by_key(|(lane, share)| (std::cmp::Reverse((share * 100.0).round() as u64), *lane));
        self.figures.waiters = waiters;
    }
}

/// How long all others waited while each lane held what they wanted.
fn waited(log: &Trace) -> Vec<(LaneId, u64)> {
    let mut waited: Vec<(LaneId, u64)> = Vec::new();
    for blame in log.blame() {
        match waited.iter_mut().find(|(holder, _)| *holder == blame.holder) {
            Some((_, sum)) => *sum += blame.ns.0,
            None => waited.push((blame.holder, blame.ns.0)),
        }
    }
    waited
}

fn by_thread(log: &Trace, places: &Places, waited: &[(LaneId, u64)], from: Nanos) -> Vec<Holder> {
    let span = (log.now() - from).0.max(1) as f64;
    let all: u64 = waited.iter().map(|(_, waited)| waited).sum();
    let seen = places.by_lane();
    let held = log.locks().flat_map(|(lock, _)| log.held_by(lock, from, log.now()));
    let mut rows: Vec<Holder> = held
        .filter(|(_, held)| held.0 > 0)
        .map(|(lane, held)| {
            let at = seen.iter().find(|row| row.lane == lane);
            let waiting = waited.iter().find(|(holder, _)| *holder == lane).map_or(0, |(_, waited)| *waited);
            Holder {
                lane,
                name: log.lane(lane).name.clone(),
                place: at.map(place_words),
                task: at.and_then(|row| row.place.task.as_ref()).map(ToString::to_string),
                holds: held.0 as f64 / span,
                waiting: waiting as f64 / all.max(1) as f64,
            }
        })
        .collect();
    rows.sort_by(|a, b| b.waiting.total_cmp(&a.waiting).then(b.holds.total_cmp(&a.holds)).then(a.lane.cmp(&b.lane)));
    rows
}

fn by_function(places: &Places) -> Vec<Holder> {
    let rows = places.by_function();
    let (held, waited) = rows.iter().fold((0.0, 0.0), |(held, waited), row| (held + row.held, waited + row.waited));
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    rows.iter()
        .map(|row| Holder {
            lane: row.lane,
            name: row.place.function.to_string(),
            place: Some(place_words(row)),
            task: None,
            holds: share(row.held, held),
            waiting: share(row.waited, waited),
        })
        .collect()
}

/// A place in few words: `render    pdf.py:212`.
fn place_words(row: &HeldIn) -> String {
    let file = row.place.file.rsplit('/').next().unwrap_or_default();
    let line = row.place.line.map(|line| format!(":{line}")).unwrap_or_default();
    let function = row.place.function.rsplit('.').next().unwrap_or_default();
    format!("{function} ({file}{line})")
}

/// The share of the time in which any lock was held; of several, the most held.
fn held(log: &Trace, from: Nanos) -> Option<f64> {
    let cells = log.locks().filter_map(|(lock, _)| log.lock_window(lock, from, log.now(), 1).pop());
    let shares = cells.filter_map(|cell| {
        let observed = ((log.now() - from) - cell.unknown).0;
        (observed > 0).then(|| cell.held.0 as f64 / observed as f64)
    });
    shares.max_by(f64::total_cmp)
}

/// Of several locks, that of which most waited.
fn longest_wait(log: &Trace) -> Distribution {
    log.locks().map(|(lock, _)| log.lock_stats(lock).wait).max_by_key(|wait| wait.count).unwrap_or_default()
}

fn takes(log: &Trace) -> f64 {
    let takes: u64 = log.locks().map(|(lock, _)| log.lock_stats(lock).takes).sum();
    takes as f64 / log.elapsed().as_secs_f64().max(1e-3)
}
