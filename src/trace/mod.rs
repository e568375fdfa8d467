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
mod charges;
mod check;
mod column;
mod crowd;
mod estimate;
mod halt;
mod holder;
mod info;
mod instant;
mod lane;
mod marks;
mod progress;
mod queue;
mod queued;
mod recording;
mod stats;
mod sums;
mod tally;
#[doc(hidden)]
pub mod testing;
mod unmet;
mod window;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

pub use crate::record::CoreEvidence;
pub use cell::{CoreCell, LaneCell, LockCell, Span};
pub use check::{Anomalies, Violation};
pub use estimate::{Count, Estimate};
pub use info::{Evidence, LaneInfo, LockInfo};
pub use progress::Progress;
pub use queue::{QueueCell, QueueStats};
pub use stats::{Blame, Distribution, Ledger, LockStats};

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{CoreId, Event, LaneId, LockId, Nanos, QueueId};
use crate::model::{LockKind, Role};
use budget::FINEST;
use crowd::{Crowd, MEMBERS};
use holder::Holders;
use lane::Lane;
use queue::Queue;
use tally::Tally;

/// What a trace may occupy unless told otherwise: 256 MiB.
pub const DEFAULT_BUDGET: usize = 256 << 20;

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
    /// It is known who holds a lock, or nobody knows.
    LockKnown(LockId, bool),
    /// A lane has queued for a core, and has been on one, so long in all.
    Queued(LaneId, Nanos, Nanos),
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

    /// A wait is over that was seen by looks, and stands for so many. Of one that was over before the run nothing is left.
    fn waited(&mut self, span: u64, times: f64) {
        if span > 0 {
            self.wait.add_times(span, times.round() as u64);
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

/// What is known of the whole.
impl Trace {
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
