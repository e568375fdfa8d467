//! The log: everything above it, live or over, asks it and nothing else.
//!
//! Events go in by [`Trace::append`]; what was recorded comes out as cells of a
//! window ([`Trace::lane_window`]), as what was at an instant
//! ([`Trace::span_at`]), and as sums ([`Trace::ledger`], [`Trace::lock_stats`]).
//!
//! **Order.** Each lane's events come in the order of time; lanes need not be in
//! step, since each has a ring of its own. [`Trace::advance`] promises that every
//! event up to an instant has come; only then are these events put in order
//! across the lanes and booked. So a lock's drop by one lane and take by the
//! next are seen in the order in which they happened, whichever ring was read
//! first. Whoever drains rings should stay a few milliseconds behind the clock:
//! a worker may lose its core between reading the clock and publishing the
//! event. What comes too late all the same is booked as well as it can be and
//! counted as an anomaly.
//!
//! **What is not recorded** is nothing: a cell's sums add up to the part of the
//! cell that lies between [`Trace::begin_at`] and [`Trace::now`]. What was
//! recorded as not observed is [`State::Unknown`](crate::event::State).

mod apply;
mod budget;
mod cell;
mod check;
mod column;
mod crowd;
mod halt;
mod holder;
mod info;
mod instant;
mod lane;
mod progress;
mod queue;
mod stats;
mod sums;
mod tally;
#[doc(hidden)]
pub mod testing;
mod window;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

pub use crate::record::CoreEvidence;
pub use cell::{CoreCell, LaneCell, LockCell, Span};
pub use check::{Anomalies, Violation};
pub use info::{Evidence, LaneInfo, LockInfo};
pub use progress::Progress;
pub use queue::{QueueCell, QueueStats};
pub use stats::{Blame, Distribution, Ledger, LockStats};

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{CoreId, Event, EventKind, LaneId, LockId, Nanos, QueueId, State};
use crate::model::{LockKind, Role};
use budget::FINEST;
use crowd::{Crowd, MEMBERS};
use holder::Holders;
use lane::Lane;
use queue::Queue;
use tally::Tally;

/// What a trace may occupy unless told otherwise: 256 MiB.
pub const DEFAULT_BUDGET: usize = 256 << 20;

/// After so many events its memory is looked at.
const WEIGH_EVERY: usize = if cfg!(test) { 1 } else { 1 << 14 };

/// See the [module](self).
pub struct Trace {
    budget: usize,
    lanes: Vec<Lane>,
    /// The lanes that do tasks, and those that do none.
    workers: Vec<LaneId>,
    others: Vec<LaneId>,
    /// Of the workers beyond the first [`MEMBERS`], so many each.
    crowds: Vec<Crowd>,
    locks: Vec<Lock>,
    cores: BTreeMap<CoreId, Holders>,
    /// The processes that are stopped.
    halted: BTreeSet<u32>,
    /// By process.
    queues: BTreeMap<(u32, QueueId), Queue>,
    /// Not yet booked.
    pending: Vec<(Nanos, Happening)>,
    begin: Option<Nanos>,
    now: Nanos,
    /// The time of the last event booked.
    last_event: Nanos,
    ended: bool,
    recorded: u64,
    dropped: u64,
    anomalies: Anomalies,
    violation: Option<Violation>,
    /// The grid of the coarse part.
    step: u64,
    /// A buffer for sums by holder.
    held: Vec<u64>,
    /// Events booked since its memory was looked at.
    unweighed: usize,
}

/// What changes the log.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Event(Event),
    Killed(LaneId),
    /// Nothing was observed since then.
    Gap(Nanos),
    /// A lock changed hands so many more times than was seen.
    HandOffs(LockId, u64),
    /// A process was stopped, or goes on.
    Halt(u32, bool),
    /// A lock is no more.
    LockGone(LockId),
}

struct Lock {
    info: LockInfo,
    holders: Holders,
    since: u64,
    /// Since when its process is stopped.
    halted: Option<u64>,
    /// Whether it was held when the run began.
    held_at_begin: bool,
    /// Takes since then.
    takes: u64,
    handoffs: u64,
    drop_requests: u64,
    hold: Tally,
    wait: Tally,
}

impl Lock {
    fn new(info: LockInfo, begin: u64, now: u64) -> Lock {
        Lock {
            info,
            holders: Holders::born(begin, now),
            since: begin,
            halted: None,
            held_at_begin: false,
            takes: 0,
            handoffs: 0,
            drop_requests: 0,
            hold: Tally::new(),
            wait: Tally::new(),
        }
    }
}

impl Default for Trace {
    fn default() -> Trace {
        Trace::new(DEFAULT_BUDGET)
    }
}

/// Setting up.
impl Trace {
    /// An empty log that coarsens its oldest part when it occupies more than `budget_bytes`.
    pub fn new(budget_bytes: usize) -> Trace {
        Trace {
            budget: budget_bytes,
            lanes: Vec::new(),
            workers: Vec::new(),
            others: Vec::new(),
            crowds: Vec::new(),
            locks: Vec::new(),
            cores: BTreeMap::new(),
            halted: BTreeSet::new(),
            queues: BTreeMap::new(),
            pending: Vec::new(),
            begin: None,
            now: Nanos::ZERO,
            last_event: Nanos::ZERO,
            ended: false,
            recorded: 0,
            dropped: 0,
            anomalies: Anomalies::default(),
            violation: None,
            step: FINEST,
            held: Vec::new(),
            unweighed: 0,
        }
    }

    /// One more lane; its number is the number of lanes before it. It is unborn until its first event.
    pub fn add_lane(&mut self, info: LaneInfo) -> LaneId {
        let id = LaneId(self.lanes.len() as u32);
        let begin = self.begin_at().0;
        let mut lane = Lane::new(info, begin);
        lane.halted = self.halted.contains(&lane.info.process);
        if lane.info.role == Role::Worker {
            lane.crowd = self.workers.len().checked_sub(MEMBERS).map(|beyond| beyond / MEMBERS);
            self.workers.push(id);
        } else {
            self.others.push(id);
        }
        if let Some(crowd) = lane.crowd {
            if crowd == self.crowds.len() {
                self.crowds.push(Crowd::new(begin));
            }
            self.crowds[crowd].join();
        }
        self.lanes.push(lane);
        id
    }

    /// One more lock; its number is the number of locks before it. It is there from now on, and free until someone
    /// takes it.
    pub fn add_lock(&mut self, info: LockInfo) -> LockId {
        let id = LockId(self.locks.len() as u16);
        let mut lock = Lock::new(info, self.begin_at().0, self.now.0);
        if self.halted.contains(&lock.info.process) {
            lock.halt(self.now.0);
        }
        self.locks.push(lock);
        id
    }

    /// What is known of a lane.
    pub fn lane(&self, lane: LaneId) -> &LaneInfo {
        &self.lanes[lane.index()].info
    }

    /// To tell more of a lane.
    pub fn lane_mut(&mut self, lane: LaneId) -> &mut LaneInfo {
        &mut self.lanes[lane.index()].info
    }

    /// Every lane, by number.
    pub fn lanes(&self) -> impl ExactSizeIterator<Item = (LaneId, &LaneInfo)> {
        self.lanes.iter().enumerate().map(|(index, lane)| (LaneId(index as u32), &lane.info))
    }

    /// The lanes that do tasks, by number.
    pub fn workers(&self) -> &[LaneId] {
        &self.workers
    }

    /// The lanes that do no task, by number.
    pub fn others(&self) -> &[LaneId] {
        &self.others
    }

    /// What is known of a lock.
    pub fn lock(&self, lock: LockId) -> &LockInfo {
        &self.locks[lock.index()].info
    }

    /// Every lock, of whatever kind, by number.
    pub fn locks(&self) -> impl ExactSizeIterator<Item = (LockId, &LockInfo)> {
        self.locks.iter().enumerate().map(|(index, lock)| (LockId(index as u16), &lock.info))
    }

    /// Every GIL, by number.
    pub fn gils(&self) -> impl Iterator<Item = (LockId, &LockInfo)> {
        self.locks().filter(|(_, info)| info.kind == LockKind::Gil)
    }

    /// Whether there is a GIL.
    pub fn has_gil(&self) -> bool {
        self.gils().next().is_some()
    }

    /// Every world that is stopped now and then, by number.
    pub fn worlds(&self) -> impl Iterator<Item = (LockId, &LockInfo)> {
        self.locks().filter(|(_, info)| info.kind == LockKind::StopTheWorld)
    }

    /// The world that a lane lives in, if it is one that is stopped now and then.
    pub fn world_of(&self, lane: LaneId) -> Option<LockId> {
        let process = self.lane(lane).process;
        self.worlds().find(|(_, info)| info.process == process).map(|(world, _)| world)
    }

    /// Every core that one of our lanes was seen on.
    pub fn cores(&self) -> Vec<CoreId> {
        self.cores.keys().copied().collect()
    }
}

/// Recording.
impl Trace {
    /// The run begins: whatever happened before only decides how things stand at `at`. The first call counts.
    pub fn begin(&mut self, at: Nanos) {
        if self.begin.is_some() {
            return;
        }
        self.begin = Some(at);
        self.now = at;
        self.crowds.fill_with(|| Crowd::new(at.0));
        for lane in &mut self.lanes {
            let shown = lane.shown();
            lane.column = column::Column::new(at.0, shown);
            if let Some(crowd) = lane.crowd.and_then(|crowd| self.crowds.get_mut(crowd)) {
                crowd.join();
                crowd.change(at.0, State::Unborn, shown.state());
            }
        }
        for lock in &mut self.locks {
            lock.holders = Holders::new(at.0);
            lock.since = at.0;
            if self.halted.contains(&lock.info.process) {
                lock.halt(at.0);
            }
        }
    }

    /// One more event. It is booked by the next [`Trace::advance`] that reaches it.
    pub fn append(&mut self, event: &Event) {
        self.recorded += 1;
        if self.ended {
            return;
        }
        let Some(lane) = self.lanes.get_mut(event.lane.index()) else {
            self.anomalies.strangers += 1;
            return;
        };
        let last = match event.kind {
            EventKind::SwitchIn | EventKind::SwitchOut { .. } => &mut lane.switched,
            _ => &mut lane.told,
        };
        if event.at < *last {
            self.anomalies.out_of_order += 1;
        }
        *last = event.at.max(*last);
        let at = *last;
        self.pending.push((at, Happening::Event(Event { at, ..*event })));
    }

    /// The lane was killed at `at`: it is done, and a lock that it held is free.
    pub fn lane_killed(&mut self, lane: LaneId, at: Nanos) {
        if let Some(known) = self.lanes.get(lane.index()).filter(|_| !self.ended) {
            let at = at.max(known.told).max(known.switched);
            self.pending.push((at, Happening::Killed(lane)));
        }
    }

    /// Before `at` a lock changed hands so many more times than was seen: a count, without an owner.
    pub fn handoffs_unseen(&mut self, lock: LockId, at: Nanos, more: u64) {
        if !self.ended && lock.index() < self.locks.len() {
            self.pending.push((at, Happening::HandOffs(lock, more)));
        }
    }

    /// A lock is no more since `at`: its process has ended or executes another program.
    pub fn lock_gone(&mut self, lock: LockId, at: Nanos) {
        if !self.ended && lock.index() < self.locks.len() {
            self.pending.push((at, Happening::LockGone(lock)));
        }
    }

    /// A process is stopped by a signal or a debugger since `at`, or goes on: see the `halt` module.
    pub fn halt(&mut self, process: u32, at: Nanos, stopped: bool) {
        if !self.ended {
            self.pending.push((at, Happening::Halt(process, stopped)));
        }
    }

    /// The program was suspended from `from` to `to`: whatever was not recorded in between is unknown, on every lane.
    pub fn mark_unknown(&mut self, from: Nanos, to: Nanos) {
        if !self.ended && from < to {
            self.pending.push((to, Happening::Gap(from)));
        }
    }

    /// Every event up to `to` has been appended: they are booked, and open spans reach up to `to`.
    /// Without effect before [`Trace::begin`].
    pub fn advance(&mut self, to: Nanos) {
        if self.ended || self.begin.is_none() {
            return;
        }
        if !self.pending.is_sorted_by_key(|(at, _)| *at) {
            self.pending.sort_by_key(|(at, _)| *at);
        }
        let ready = self.pending.partition_point(|(at, _)| *at <= to);
        let mut pending = std::mem::take(&mut self.pending);
        for (at, happening) in pending.drain(..ready) {
            self.apply(at, happening);
        }
        self.pending = pending;
        self.now = self.now.max(to);
        // To weigh it is to look at every lane.
        self.unweighed += ready;
        if self.unweighed >= WEIGH_EVERY {
            self.unweighed = 0;
            self.keep_to_budget();
        }
    }

    /// The run is over: what happened up to `at` is booked, what comes after is not part of it.
    /// A lane that has not ended stays as it is.
    pub fn end(&mut self, at: Nanos) {
        self.advance(at);
        self.ended = self.begin.is_some();
        self.pending = Vec::new();
    }

    /// So many events of this lane were lost before they came here.
    pub fn note_dropped(&mut self, lane: LaneId, events: u64) {
        self.lanes[lane.index()].dropped += events;
        self.dropped += events;
    }

    /// When the run began; 0 before.
    pub fn begin_at(&self) -> Nanos {
        self.begin.unwrap_or_default()
    }

    /// Up to when it is recorded: the end, once it has ended.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// How long it has lasted so far, or did.
    pub fn elapsed(&self) -> Nanos {
        self.now - self.begin_at()
    }

    /// Whether [`Trace::end`] has been called.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many events were appended.
    pub fn events_recorded(&self) -> u64 {
        self.recorded
    }

    /// How many events of a lane were lost before they came here.
    pub fn dropped(&self, lane: LaneId) -> u64 {
        self.lanes[lane.index()].dropped
    }

    /// How many events of all lanes were lost before they came here.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped
    }

    /// What came that should not have come so.
    pub fn anomalies(&self) -> Anomalies {
        self.anomalies
    }
}
