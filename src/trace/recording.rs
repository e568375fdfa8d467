//! What goes into the log: it waits until everything up to its time has come, and is booked then.

use super::crowd::Crowd;
use super::holder::Holders;
use super::{Happening, Trace, column};
use crate::event::{Event, EventKind, LaneId, LockId, Nanos, State};

/// After so many events its memory is looked at.
const WEIGH_EVERY: usize = if cfg!(test) { 1 } else { 1 << 14 };

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

    /// From `at` on it is known who holds a lock, if anybody, or nobody knows whether anybody does: while nobody is seen to hold
    /// it, it is not free, but not observed.
    pub fn lock_known(&mut self, lock: LockId, at: Nanos, known: bool) {
        if !self.ended && lock.index() < self.locks.len() {
            self.pending.push((at, Happening::LockKnown(lock, known)));
        }
    }

    /// By `at` the kernel had booked so much for a lane's queue for a core and for its time on one, in all: see the `queued`
    /// module.
    pub fn lane_queued(&mut self, lane: LaneId, at: Nanos, queued: Nanos, on_cpu: Nanos) {
        if !self.ended && lane.index() < self.lanes.len() {
            self.pending.push((at, Happening::Queued(lane, queued, on_cpu)));
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
}
