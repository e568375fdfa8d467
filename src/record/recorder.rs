//! What a thread that does work holds to say what happens to it.

use super::kernel::{Accounts, ThreadAccounts, core_now, switches_of_this_thread, thread_id};
use super::ring::Producer;
use super::rings::Rings;
use super::shared_ring::SharedRing;
use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, Event, EventKind, LaneId, Line, Nanos, State};

/// A heartbeat comes every few microseconds of work; one this late was kept from coming.
const GAP: Nanos = Nanos::from_micros(200);

/// How often a running thread reports the kernel's accounts of it.
const REPORT_EVERY: Nanos = Nanos::from_millis(100);

/// How often a running thread says how much bytecode it got done.
const PROGRESS_EVERY: Nanos = Nanos::from_millis(1);

/// Records into one ring, for one thread. Never waits and never allocates.
///
/// An event that finds no room is dropped and counted. From that instant on
/// nothing is known of its lane, so as soon as there is room again the first
/// thing recorded is that the lane is `unknown` since then.
#[derive(Debug)]
pub struct Recorder<C = Monotonic> {
    clock: C,
    lane: LaneId,
    /// `None`: switched off.
    ring: Option<Ring>,
}

#[derive(Debug)]
struct Ring {
    producer: Producer<SharedRing>,
    /// When the thread last recorded or gave a heartbeat.
    last: Nanos,
    /// How often it had been taken from its core when that was last looked up.
    preempted: u64,
    accounts: ThreadAccounts,
    /// What the kernel had booked when the run's time began, which is no part of the run.
    before: Accounts,
    report_at: Nanos,
    progress_at: Nanos,
    /// The earlier of the two.
    due: Nanos,
    /// What it got done: instructions, and how often it found an object locked. Both wrap around.
    work: (u32, u32),
    /// As much of it as is on record.
    told: (u32, u32),
    /// Of each lane that lost events nobody has been told of: since when.
    losing: Box<[Option<Nanos>]>,
    losers: u32,
}

impl Recorder<Monotonic> {
    /// For the calling thread, which becomes the ring's one writer; it records for `lane` unless it says otherwise.
    ///
    /// # Panics
    /// If there is no ring of that number.
    pub fn new(rings: &Rings, ring: u32, lane: LaneId) -> Recorder {
        Recorder::with_clock(rings, ring, lane, Monotonic)
    }

    /// One that records nothing and reads no clock.
    pub fn off() -> Recorder {
        Recorder { clock: Monotonic, lane: LaneId(0), ring: None }
    }
}

impl<C: Clock> Recorder<C> {
    /// The same with a clock of one's own.
    pub fn with_clock(rings: &Rings, ring: u32, lane: LaneId, clock: C) -> Recorder<C> {
        let producer = Producer::new(rings.ring(ring));
        let now = clock.now();
        producer.storage().set_writer(std::process::id(), thread_id());
        producer.storage().set_seen(now);
        let ring = Ring {
            producer,
            last: now,
            preempted: switches_of_this_thread().map_or(0, |(_, involuntary)| involuntary),
            accounts: ThreadAccounts::open(),
            before: Accounts::default(),
            report_at: now + REPORT_EVERY,
            progress_at: now + PROGRESS_EVERY,
            due: now + PROGRESS_EVERY,
            work: (0, 0),
            told: (0, 0),
            losing: vec![None; rings.shape().lanes as usize].into(),
            losers: 0,
        };
        Recorder { clock, lane, ring: Some(ring) }
    }

    /// The lane it records for unless told otherwise.
    pub fn lane(&self) -> LaneId {
        self.lane
    }

    /// From now on it records for another lane unless told otherwise: a coroutine that runs, or none any more.
    pub fn speak_for(&mut self, lane: LaneId) {
        self.lane = lane;
    }

    /// Whether it records at all.
    pub fn is_on(&self) -> bool {
        self.ring.is_some()
    }

    /// Records what happens to its lane now.
    #[inline]
    pub fn record(&mut self, line: Line, kind: EventKind) {
        self.record_for(self.lane, line, kind);
    }

    /// Records what happens now to a lane for which this thread acts: a coroutine, a worker not yet born.
    #[inline]
    pub fn record_for(&mut self, lane: LaneId, line: Line, kind: EventKind) {
        if let Some(ring) = &mut self.ring {
            let at = self.clock.now();
            ring.record(Event { at, lane, core: core_now(), line, kind });
            ring.alive(at);
        }
    }

    /// Records what happened at an instant read before.
    pub fn record_at(&mut self, at: Nanos, lane: LaneId, line: Line, kind: EventKind) {
        if let Some(ring) = &mut self.ring {
            ring.record(Event { at, lane, core: core_now(), line, kind });
        }
    }

    /// Reads the clock; a heartbeat that comes far too late, because the thread was taken from its core, is recorded
    /// as [`EventKind::NoCore`]. To be called every few microseconds of work and at no other time.
    #[inline]
    pub fn heartbeat(&mut self, line: Line) {
        if let Some(ring) = &mut self.ring {
            let now = self.clock.now();
            let since = ring.last;
            ring.alive(now);
            if now - since > GAP {
                ring.gap(self.lane, line, since, now);
            }
            if now >= ring.due {
                ring.due(self.lane, line, now);
            }
        }
    }

    /// So many more instructions are done, and so often in all an object was found locked by another. It is recorded
    /// by a heartbeat, a millisecond or more after the last time, or by [`Recorder::tell_progress`].
    #[inline]
    pub fn worked(&mut self, instructions: u64, contended: u32) {
        if let Some(ring) = &mut self.ring {
            ring.work = (ring.work.0.wrapping_add(instructions as u32), contended);
        }
    }

    /// Records what it got done, if there is more than is on record.
    pub fn tell_progress(&mut self, line: Line) {
        if let Some(ring) = &mut self.ring {
            let now = self.clock.now();
            ring.tell_progress(self.lane, line, now);
        }
    }

    /// Reports what the kernel has booked for this thread: at its end, and whenever it is worth a few microseconds.
    pub fn report(&mut self) {
        let now = self.clock.now();
        if let Some(ring) = &mut self.ring {
            ring.report(now);
        }
    }

    /// What the kernel has booked for this thread up to here is left out of what it reports: a thread that was at work
    /// before the run's time began.
    pub fn count_from_here(&mut self) {
        if let Some(ring) = &mut self.ring {
            ring.before = ring.accounts.read();
        }
        self.report();
    }
}

impl Ring {
    #[inline]
    fn alive(&mut self, at: Nanos) {
        self.last = at;
        self.producer.storage().set_seen(at);
    }

    #[inline]
    fn record(&mut self, event: Event) {
        if (self.losers > 0 && !self.tell_losses()) || !self.producer.push(event.pack()) {
            self.lose(event.lane, event.at);
        }
    }

    #[cold]
    fn lose(&mut self, lane: LaneId, at: Nanos) {
        let header = self.producer.storage();
        header.count_dropped();
        if header.losing_since().is_none() {
            header.set_losing_since(Some(at));
        }
        if let Some(losing @ None) = self.losing.get_mut(lane.index()) {
            *losing = Some(at);
            self.losers += 1;
        }
    }

    /// Tells of every lane that lost events. Whether there was room for it all.
    #[cold]
    fn tell_losses(&mut self) -> bool {
        for (lane, losing) in self.losing.iter_mut().enumerate() {
            let Some(at) = *losing else { continue };
            let kind = EventKind::State { to: State::Unknown, detail: Detail::None };
            let unknown = Event { at, lane: LaneId(lane as u32), core: core_now(), line: Line::NONE, kind };
            if !self.producer.push(unknown.pack()) {
                return false;
            }
            *losing = None;
            self.losers -= 1;
        }
        self.producer.storage().set_losing_since(None);
        true
    }

    /// A heartbeat came late. A long built-in function (a sum over a million numbers) delays it too; only if the
    /// kernel took the core away meanwhile was it that.
    #[cold]
    fn gap(&mut self, lane: LaneId, line: Line, since: Nanos, now: Nanos) {
        let Some((_, preempted)) = switches_of_this_thread() else { return };
        if std::mem::replace(&mut self.preempted, preempted) != preempted {
            self.record(Event { at: now, lane, core: core_now(), line, kind: EventKind::NoCore { since } });
        }
    }

    #[cold]
    fn due(&mut self, lane: LaneId, line: Line, now: Nanos) {
        if now >= self.report_at {
            self.report(now);
        }
        if now >= self.progress_at {
            self.tell_progress(lane, line, now);
        }
        self.due = self.report_at.min(self.progress_at);
    }

    fn tell_progress(&mut self, lane: LaneId, line: Line, now: Nanos) {
        self.progress_at = now + PROGRESS_EVERY;
        if self.work != self.told {
            self.told = self.work;
            let (instructions, contended) = self.work;
            let kind = EventKind::Progress { instructions, contended };
            self.record(Event { at: now, lane, core: core_now(), line, kind });
        }
    }

    #[cold]
    fn report(&mut self, now: Nanos) {
        self.report_at = now + REPORT_EVERY;
        let accounts = self.accounts.read();
        self.preempted = accounts.involuntary.unwrap_or(self.preempted);
        self.producer.storage().set_accounts(&accounts.since(&self.before));
    }
}

impl<C> Drop for Recorder<C> {
    fn drop(&mut self) {
        if let Some(ring) = &mut self.ring {
            if ring.losers > 0 {
                ring.tell_losses();
            }
            ring.report(ring.last);
        }
    }
}

#[cfg(test)]
mod tests;
