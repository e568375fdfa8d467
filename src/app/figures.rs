//! The figures on the screen. They are read from the log four times a second
//! and stand in between, so that a person can read them and nothing flickers;
//! the large meter changes twice a second.

use crate::event::{LaneId, Nanos, State as LaneState};
use crate::insight::{self, Facts, Finding};
use crate::trace::{Ledger, Trace};

use super::axis::{self, Axis};
use super::rows::worker_locks;

/// How long figures stand.
const STAND: Nanos = Nanos::from_millis(250);
/// How long the meter stands.
const METER_STANDS: Nanos = Nanos::from_millis(500);
/// How long what is said of the run stands: it is read, not glanced at.
const SAID_STANDS: Nanos = Nanos::from_secs(1);
/// What the live meter is the mean of.
const METER_SPAN: Nanos = Nanos::from_secs(1);

/// How far back a cell of the whole run can still change: a heartbeat revises the recent past.
const SETTLES: Nanos = Nanos::from_secs(1);

/// The whole run in one row.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Which cells.
    pub axis: Axis,
    /// How many cores' worth the workers used in each of them, as far as it is recorded.
    pub busy: Vec<f64>,
    /// How far the log reached.
    until: Nanos,
}

/// The figures on the screen.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// When they are read again.
    next: Nanos,
    /// When the meter is read again.
    next_meter: Nanos,
    /// When the diagnoses are made again.
    next_said: Nanos,
    /// The diagnoses that hold of the run so far, the most particular first.
    pub insights: Vec<Finding>,
    /// How long the run had lasted.
    pub elapsed: Nanos,
    /// How far the log reached.
    pub until: Nanos,
    /// How many cores the workers used: live, in the last second; at the end, in the whole run.
    pub cores_busy: f64,
    /// Hand-offs of the workers' locks a second of the run.
    pub handoffs_per_second: f64,
    /// The time of each lane by state, by its number.
    pub lanes: Vec<Ledger>,
    /// Of those that need no GIL: instructions a millisecond of running.
    pub work: Vec<(LaneId, f64)>,
    /// How many lanes do tasks.
    pub workers: usize,
    /// Those of them that ended otherwise than they should.
    pub lost: Vec<LaneId>,
    /// The whole run in one row.
    pub whole: Whole,
    /// Their sum over the workers.
    pub ledger: Option<Ledger>,
    /// On how many cores the lanes have been seen.
    pub cores_seen: usize,
    /// How many events were lost.
    pub dropped: u64,
}

impl Figures {
    /// Reads them if they have stood long enough; the whole run in such cells. Says whether it did.
    pub fn refresh(&mut self, log: &Trace, now: Nanos, whole: Axis) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + STAND;
        self.read(log);
        self.read_whole(log, whole);
        if now >= self.next_meter {
            self.next_meter = now + METER_STANDS;
            let from = (log.now() - METER_SPAN).max(log.begin_at());
            self.cores_busy = busy(log, from);
        }
        true
    }

    /// Makes the diagnoses of a live run again if they have stood long enough.
    pub fn diagnose<'a>(&mut self, facts: impl FnOnce() -> Facts<'a>, now: Nanos) {
        if now >= self.next_said {
            self.next_said = now + SAID_STANDS;
            self.insights = insight::find(&facts());
        }
    }

    /// Whether it is time for figures that are not read from the log to change.
    pub fn step(&mut self, now: Nanos) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + STAND;
        true
    }

    /// Reads them for good: the run is over.
    pub fn finish(&mut self, facts: &Facts, cells: u16) {
        let log = facts.trace;
        self.read(log);
        self.whole = Whole::default();
        self.read_whole(log, whole_axis(log, Nanos::ZERO, cells));
        self.insights = insight::find(facts);
        self.cores_busy = busy(log, log.begin_at());
    }

    fn read(&mut self, log: &Trace) {
        self.elapsed = log.elapsed();
        self.until = log.now();
        self.ledger = Some(log.ledger());
        self.lanes.clear();
        self.lanes.extend(log.lanes().map(|(lane, _)| log.lane_ledger(lane)));
        self.workers = log.workers().len();
        self.lost = log.workers().iter().filter(|lane| log.lane(**lane).end.is_some()).copied().collect();
        let free = log.workers().iter().copied().filter(|lane| log.lane(*lane).lock.is_none());
        self.work = free.filter_map(|lane| Some((lane, log.lane_progress(lane).per_ms()?))).collect();
        let handoffs: u64 = worker_locks(log).into_iter().map(|lock| log.handoffs(lock)).sum();
        let seconds = self.elapsed.as_secs_f64();
        self.handoffs_per_second = if seconds > 0.0 { handoffs as f64 / seconds } else { 0.0 };
        self.cores_seen = log.cores().len();
        self.dropped = log.dropped_in_all();
    }

    /// Reads the whole run in these cells. Of those read before, only what can have changed is read again.
    pub fn read_whole(&mut self, log: &Trace, axis: Axis) {
        let whole = &mut self.whole;
        let settled = match whole.axis == axis {
            true => axis.cell_of((whole.until - SETTLES).max(axis.from)).unwrap_or(0),
            false => 0,
        };
        let count = log.elapsed().0.div_ceil(axis.cell.0.max(1)).min(u64::from(axis.cells)) as u16;
        whole.busy.truncate(usize::from(settled));
        let new = usize::from(count).saturating_sub(whole.busy.len());
        whole.busy.extend(log.busy_window(axis.at(count - new as u16), axis.at(count), new));
        (whole.axis, whole.until) = (axis, log.now());
    }

    /// The share of the workers' lives spent in a state, 0 to 1.
    pub fn share(&self, state: LaneState) -> f64 {
        self.ledger.map_or(0.0, |ledger| share_of(&ledger.0, state))
    }

    /// The share of a lane's life spent in a state, 0 to 1; none before its birth.
    pub fn lane_share(&self, lane: LaneId, state: LaneState) -> Option<f64> {
        Self::share_in(self.lanes.get(lane.index())?, state)
    }

    /// How much a lane that needs no GIL got done: instructions a millisecond of running.
    pub fn lane_work(&self, lane: LaneId) -> Option<f64> {
        self.work.iter().find(|(drawn, _)| *drawn == lane).map(|(_, rate)| *rate)
    }

    /// What a lane did in its life.
    pub fn lane_life(&self, lane: LaneId) -> Option<&Ledger> {
        self.lanes.get(lane.index())
    }

    /// Some lanes together.
    pub fn sum_of(&self, lanes: &[LaneId]) -> Ledger {
        let mut sum = Ledger::default();
        for times in lanes.iter().filter_map(|lane| self.lanes.get(lane.index())) {
            sum.0.iter_mut().zip(times.0).for_each(|(sum, time)| *sum += time);
        }
        sum
    }

    /// The share of such lives spent in a state, 0 to 1; none where nobody was born.
    fn share_in(times: &Ledger, state: LaneState) -> Option<f64> {
        (life(&times.0) > 0).then(|| share_of(&times.0, state))
    }

    /// What was got done in such lives, bytecode or C code, whichever was more, with its share; none where nobody was
    /// born.
    pub fn work_in(times: &Ledger) -> Option<(LaneState, f64)> {
        let native = times.0[LaneState::Native.index()] > times.0[LaneState::Running.index()];
        let state = if native { LaneState::Native } else { LaneState::Running };
        Some((state, Self::share_in(times, state)?))
    }

    /// What was done most in such lives beside that, with its share.
    pub fn else_in(times: &Ledger, beside: LaneState) -> Option<(LaneState, f64)> {
        let states = &times.0;
        LaneState::ALL
            .into_iter()
            .filter(|state| state.alive() && *state != beside)
            .max_by_key(|state| states[state.index()])
            .map(|state| (state, share_of(states, state)))
            .filter(|(_, share)| *share > 0.0)
    }
}

/// The cells of the whole run: as many as it takes to show it, or what it is expected to last.
pub fn whole_axis(log: &Trace, expected: Nanos, cells: u16) -> Axis {
    Axis { from: log.begin_at(), cell: axis::fitting(expected.max(log.elapsed()), cells), cells }
}

fn busy(log: &Trace, from: Nanos) -> f64 {
    if log.now() <= from {
        0.0
    } else {
        // Not a number where nothing was observed.
        log.busy_window(from, log.now(), 1).first().copied().filter(|busy| busy.is_finite()).unwrap_or(0.0)
    }
}

/// How long somebody existed.
fn life(states: &[Nanos; LaneState::COUNT]) -> u64 {
    let without = [LaneState::Unborn, LaneState::Done];
    LaneState::ALL.into_iter().filter(|state| !without.contains(state)).map(|state| states[state.index()].0).sum()
}

fn share_of(states: &[Nanos; LaneState::COUNT], state: LaneState) -> f64 {
    match life(states) {
        0 => 0.0,
        life => states[state.index()].0 as f64 / life as f64,
    }
}
