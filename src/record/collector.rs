//! Puts what all threads said, and what the kernel says of them, in the order of time.
//!
//! # The problem
//! A thread reads the clock, then publishes; in between it may lose its core
//! for milliseconds, so an event can arrive long after younger ones of other
//! threads. The kernel's switch records arrive core by core, and a thread's
//! departure on one may be read after its return on another. Reading the
//! sources one after another is no snapshot either.
//!
//! # The choice
//! Events are handed on only up to a [`Collector::horizon`], a moment before
//! now, and sorted up to there. A moment is enough for everyone who is on a
//! core. One whose core was taken away can only be late with an event from
//! *before* that: so such a time off core is handed on as a whole, once the
//! thread has been back for that same moment. Until then
//! [`Collector::open_gap`] tells of it. One who left its core of its own accord
//! sleeps in a system call and had published all it had to say: that it left is
//! handed on like anything else, or its core would look taken until it is back.
//!
//! So each lane's events come in the order of time. So do those of all lanes
//! together, save times a core was taken away, which come when they are over:
//! whoever follows a lock sees its takes and drops in order. What comes later still is
//! set to the time of the lane's last event and counted, never lost.
//!
//! What a worker writes is not trusted: a lane that does not exist, an instant
//! in the future or before the run, words that are no event are refused and
//! counted.

use std::collections::{HashMap, VecDeque};

use super::kernel::Accounts;
use super::ring::Consumer;
use super::rings::Rings;
use super::shared_ring::SharedRing;
use super::switches::{Switch, SwitchRecord, SwitchSource};
use crate::clock::{Clock, Monotonic};
use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, Nanos, State};

/// How far the horizon lies behind now.
const MOMENT: Nanos = Nanos::from_millis(2);

/// How far ahead of our own clock an event may be before it counts as nonsense.
const FUTURE: Nanos = Nanos::from_millis(1);

/// How it is known when a lane had no core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoreEvidence {
    /// The kernel's context-switch records: exact.
    SwitchRecords,
    /// The lane's own heartbeat: gaps far above the norm.
    Heartbeat,
    /// Not at all.
    #[default]
    None,
}

/// What was counted while collecting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events read from the rings and accepted.
    pub recorded: u64,
    /// Events that found no room in their ring.
    pub dropped: u64,
    /// Things read that were no events.
    pub refused: u64,
    /// Events that came too late and were set to the time of their lane's last one.
    pub late: u64,
    /// Switch records the kernel had to drop, or that were missing their counterpart.
    pub switches_lost: u64,
}

/// What is known of the thread that writes a lane's ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneTally {
    /// The process and thread, once it writes.
    pub writer: Option<(u32, u32)>,
    /// Events that found no room.
    pub dropped: u64,
    /// How it is known when it had no core.
    pub core_evidence: CoreEvidence,
    /// What the kernel booked for it, as of its last report.
    pub accounts: Accounts,
    /// When it last gave a sign of life.
    pub seen: Nanos,
}

/// How many switch records are kept of threads that are not known yet: of a start-up, not of a whole run.
const UNCLAIMED: usize = 1 << 14;

/// Reads all rings of a run, and the kernel's switch records, and hands on one stream of events.
pub struct Collector<C = Monotonic> {
    clock: C,
    rings: Rings,
    readers: Vec<Consumer<SharedRing>>,
    switches: Option<Box<dyn SwitchSource + Send>>,
    lane_of: HashMap<u32, LaneId>,
    /// Of each ring's thread: the lane of the coroutine it runs, or its own.
    speaks_for: Vec<LaneId>,
    /// Switches of threads that nobody has claimed so far: one that is being born comes to that later.
    unclaimed: VecDeque<SwitchRecord>,
    lanes: Vec<Lane>,
    /// Read and not yet handed on.
    pending: Vec<Pending>,
    horizon: Nanos,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// Of the last event handed on.
    last: Nanos,
    gap: Option<Gap>,
    has_switches: bool,
}

/// A time off core that is not over.
#[derive(Clone, Copy, Debug)]
struct Gap {
    since: Nanos,
    core: CoreId,
    preempted: bool,
    /// Whether its beginning has been handed on already, because the thread left of its own accord, or because
    /// somebody else had something to say of the lane.
    told: bool,
}

#[derive(Clone, Copy, Debug)]
enum Pending {
    Event { event: Event, ring: u32 },
    Switch { at: Nanos, core: CoreId, lane: LaneId, change: Switch },
}

impl Pending {
    fn switch(lane: LaneId, SwitchRecord { at, core, change, .. }: SwitchRecord) -> Pending {
        Pending::Switch { at, core, lane, change }
    }

    fn at(&self) -> Nanos {
        match self {
            Pending::Event { event, .. } => event.at,
            Pending::Switch { at, .. } => *at,
        }
    }
}

impl Collector<Monotonic> {
    /// Becomes the one reader of these rings. Without a source of switch records, off-core time is known by heartbeat.
    pub fn new(rings: &Rings, switches: Option<Box<dyn SwitchSource + Send>>) -> Collector {
        Collector::with_clock(rings, switches, Monotonic)
    }
}

impl<C: Clock> Collector<C> {
    /// The same with a clock of one's own.
    pub fn with_clock(rings: &Rings, switches: Option<Box<dyn SwitchSource + Send>>, clock: C) -> Collector<C> {
        let shape = rings.shape();
        Collector {
            clock,
            rings: rings.clone(),
            readers: (0..shape.rings).map(|ring| Consumer::new(rings.ring(ring))).collect(),
            switches,
            lane_of: HashMap::new(),
            speaks_for: (0..shape.rings).map(LaneId).collect(),
            unclaimed: VecDeque::new(),
            lanes: vec![Lane::default(); shape.lanes as usize],
            pending: Vec::new(),
            horizon: rings.made_at(),
            tally: Tally::default(),
        }
    }

    /// Reads what there is, at most one ring full from each, and hands on all that is older than a moment.
    pub fn poll(&mut self, mut sink: impl FnMut(Event)) {
        let asked = self.clock.now();
        self.read();
        self.hand_on((asked - MOMENT).max(self.horizon), &mut sink);
    }

    /// Reads and hands on all there is, once nobody writes any more: the run has ended. Times off core that will not
    /// end any more are handed on without their end.
    pub fn finish(&mut self, mut sink: impl FnMut(Event)) {
        self.read();
        self.hand_on(Nanos::MAX, &mut sink);
        self.horizon = self.clock.now();
        for lane in 0..self.lanes.len() {
            let lane = LaneId(lane as u32);
            if let Some(gap) = self.lanes[lane.index()].gap.take().filter(|gap| !gap.told) {
                self.tell_gap(self.speaks_for.get(lane.index()).copied().unwrap_or(lane), gap, &mut sink);
            }
        }
        for ring in 0..self.readers.len() {
            // The writer lost events and was killed before it could say so.
            if let Some(at) = self.readers[ring].storage().losing_since() {
                let kind = EventKind::State { to: State::Unknown, detail: Detail::None };
                let at = at.min(self.horizon);
                let unknown = Event { at, lane: LaneId(ring as u32), core: CoreId::UNKNOWN, line: Line::NONE, kind };
                self.tell(unknown, &mut sink);
            }
        }
    }

    /// Everything up to here has been handed on, save times for which a core was taken away that are not over.
    pub fn horizon(&self) -> Nanos {
        self.horizon
    }

    /// Since when the lane has been off its core, if it is, as of the horizon; and whether it was taken away.
    /// For showing what is not in the log yet.
    pub fn open_gap(&self, lane: LaneId) -> Option<(Nanos, bool)> {
        let gap = self.lanes.get(lane.index())?.gap?;
        (!gap.told).then_some((gap.since, gap.preempted))
    }

    /// What has been counted.
    pub fn tally(&self) -> Tally {
        let dropped = self.readers.iter().map(|reader| reader.storage().dropped()).sum();
        let kernel = self.switches.as_ref().map_or(0, |switches| switches.lost());
        Tally { dropped, switches_lost: self.tally.switches_lost + kernel, ..self.tally }
    }

    /// What is known of the thread that writes ring `n`, which is lane `n`'s; of a coroutine, in whose thread it lives,
    /// without that thread's accounts. `None`: there is no such lane.
    pub fn lane(&self, lane: LaneId) -> Option<LaneTally> {
        if lane.index() >= self.lanes.len() {
            return None;
        }
        let Some(reader) = self.readers.get(lane.index()) else {
            let of_thread = self.lane(LaneId(0))?;
            return Some(LaneTally { dropped: 0, accounts: Accounts::default(), ..of_thread });
        };
        let header = reader.storage();
        let core_evidence = match () {
            () if self.lanes[lane.index()].has_switches => CoreEvidence::SwitchRecords,
            () if header.seen() > Nanos::ZERO => CoreEvidence::Heartbeat,
            () => CoreEvidence::None,
        };
        let (writer, dropped) = (header.writer(), header.dropped());
        Some(LaneTally { writer, dropped, core_evidence, accounts: header.accounts(), seen: header.seen() })
    }

    /// The instruction at which the lane's evaluation loop was last.
    pub fn place(&self, lane: LaneId) -> Option<u32> {
        let header = self.readers.get(lane.index())?.storage();
        Some(header.place().load(std::sync::atomic::Ordering::Relaxed))
    }

    /// First the rings, then the switches: whatever a thread published, the switches before it are on record by then.
    fn read(&mut self) {
        let (oldest, lanes) = (self.rings.made_at(), self.lanes.len());
        let mut newest = Nanos::ZERO;
        for (ring, reader) in self.readers.iter_mut().enumerate() {
            let read = reader.drain(|words| match Event::unpack(words) {
                Ok(event) if believable(&event, lanes, oldest) && !in_future(&self.clock, event.at, &mut newest) => {
                    self.pending.push(Pending::Event { event, ring: ring as u32 });
                    self.tally.recorded += 1;
                }
                _ => self.tally.refused += 1,
            });
            if read.is_err() {
                self.tally.refused += 1;
            }
            if let Some((_, tid)) = reader.storage().writer() {
                let lane = LaneId(ring as u32);
                if self.lane_of.insert(tid, lane) != Some(lane) {
                    self.unclaimed.retain(|record| {
                        if record.tid == tid {
                            self.pending.push(Pending::switch(lane, *record));
                        }
                        record.tid != tid
                    });
                }
            }
        }
        if let Some(switches) = &mut self.switches {
            switches.drain(&mut |record| match self.lane_of.get(&record.tid) {
                Some(&lane) => self.pending.push(Pending::switch(lane, record)),
                None => {
                    if self.unclaimed.len() == UNCLAIMED {
                        self.unclaimed.pop_front();
                    }
                    self.unclaimed.push_back(record);
                }
            });
        }
    }

    fn hand_on(&mut self, horizon: Nanos, sink: &mut impl FnMut(Event)) {
        // Stable, so what one source says in one instant keeps its order; quick, since it is runs in order already.
        self.pending.sort_by_key(Pending::at);
        let due = self.pending.partition_point(|pending| pending.at() <= horizon);
        let rest = self.pending.split_off(due);
        for pending in std::mem::replace(&mut self.pending, rest) {
            match pending {
                Pending::Event { event, ring } => self.hand_on_event(event, ring, sink),
                Pending::Switch { at, core, lane, change } => self.hand_on_switch(at, core, lane, change, sink),
            }
        }
        self.horizon = horizon;
    }

    fn hand_on_event(&mut self, event: Event, ring: u32, sink: &mut impl FnMut(Event)) {
        // The thread it happened to: a coroutine has none of its own.
        let thread = if event.lane.index() < self.readers.len() { event.lane } else { LaneId(ring) };
        let lane = &mut self.lanes[thread.index()];
        if lane.has_switches && matches!(event.kind, EventKind::NoCore { .. }) {
            return;
        }
        if let Some(gap) = lane.gap.filter(|gap| gap.since < event.at) {
            // Of a lane's end, or its being lost from sight, others may speak in its own ring, after its death.
            let end = matches!(event.kind, EventKind::State { to: State::Done | State::Unknown, .. });
            if ring == thread.0 && !end {
                // It says something while off core: the record of its return was lost. It is back by now.
                lane.gap = None;
                self.tally.switches_lost += 1;
                if gap.told {
                    let (lane, line) = (self.speaks_for[thread.index()], Line::NONE);
                    self.tell(Event { lane, line, kind: EventKind::SwitchIn, ..event }, sink);
                }
            } else if !gap.told {
                lane.gap = Some(Gap { told: true, ..gap });
                self.tell_gap(self.speaks_for[thread.index()], gap, sink);
            }
        }
        self.tell(event, sink);
        self.lend(&event, thread, sink);
    }

    /// A thread that runs coroutines is lent to them: what the kernel says of it is said of the lane that has it. Its
    /// core passes from one to the other without the kernel's doing.
    fn lend(&mut self, event: &Event, thread: LaneId, sink: &mut impl FnMut(Event)) {
        let (EventKind::State { to, .. }, true) = (event.kind, event.lane != thread) else { return };
        let had = self.speaks_for[thread.index()];
        let has = match to {
            State::Running => event.lane,
            State::Suspended | State::Ready | State::Done | State::Unknown if had == event.lane => thread,
            _ => had,
        };
        if had == has {
            return;
        }
        self.speaks_for[thread.index()] = has;
        if self.lanes[thread.index()].has_switches {
            let (at, core, line) = (event.at, event.core, Line::NONE);
            self.tell(Event { at, core, line, lane: had, kind: EventKind::SwitchOut { preempted: false } }, sink);
            self.tell(Event { at, core, line, lane: has, kind: EventKind::SwitchIn }, sink);
        }
    }

    fn hand_on_switch(&mut self, at: Nanos, core: CoreId, id: LaneId, change: Switch, sink: &mut impl FnMut(Event)) {
        let lane = &mut self.lanes[id.index()];
        lane.has_switches = true;
        let speaks_for = self.speaks_for[id.index()];
        match change {
            Switch::Out { preempted } => {
                let gap = Gap { since: at, core, preempted, told: !preempted };
                if lane.gap.replace(gap).is_some() {
                    self.tally.switches_lost += 1;
                }
                if gap.told {
                    self.tell_gap(speaks_for, gap, sink);
                }
            }
            Switch::In => {
                if let Some(gap) = lane.gap.take().filter(|gap| !gap.told) {
                    self.tell_gap(speaks_for, gap, sink);
                }
                self.tell(Event { at, lane: speaks_for, core, line: Line::NONE, kind: EventKind::SwitchIn }, sink);
            }
        }
    }

    fn tell_gap(&mut self, lane: LaneId, gap: Gap, sink: &mut impl FnMut(Event)) {
        let kind = EventKind::SwitchOut { preempted: gap.preempted };
        self.tell(Event { at: gap.since, lane, core: gap.core, line: Line::NONE, kind }, sink);
    }

    fn tell(&mut self, mut event: Event, sink: &mut impl FnMut(Event)) {
        let last = &mut self.lanes[event.lane.index()].last;
        if event.at < *last {
            event.at = *last;
            self.tally.late += 1;
        }
        *last = event.at;
        sink(event);
    }
}

/// Whether an instant is further ahead than clocks can disagree. The clock is read only when `newest` will not do.
fn in_future(clock: &impl Clock, at: Nanos, newest: &mut Nanos) -> bool {
    if at > *newest {
        *newest = clock.now() + FUTURE;
    }
    at > *newest
}

/// Whether a worker in its right mind could have written this.
fn believable(event: &Event, lanes: usize, oldest: Nanos) -> bool {
    let kind = match event.kind {
        EventKind::SwitchIn | EventKind::SwitchOut { .. } => false,
        EventKind::NoCore { since } | EventKind::ReadySince { since } => oldest <= since && since <= event.at,
        _ => true,
    };
    kind && event.lane.index() < lanes && event.at >= oldest
}

#[cfg(test)]
mod tests;
