//! What a thread that does work holds to say what happens to it.

use std::sync::atomic::{AtomicU32, Ordering};

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
    /// Where the place is kept when there is no ring.
    place: AtomicU32,
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
        Recorder { clock: Monotonic, lane: LaneId(0), ring: None, place: AtomicU32::new(0) }
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
        Recorder { clock, lane, ring: Some(ring), place: AtomicU32::new(0) }
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

    /// Where the evaluation loop keeps its place.
    #[inline]
    pub fn place(&self) -> &AtomicU32 {
        match &self.ring {
            Some(ring) => ring.producer.storage().place(),
            None => &self.place,
        }
    }

    /// Sets the place: the index of an instruction.
    #[inline]
    pub fn set_place(&self, instruction: u32) {
        self.place().store(instruction, Ordering::Relaxed);
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
mod tests {
    use super::super::ring::Consumer;
    use super::super::rings::Shape;
    use super::*;
    use crate::clock::Virtual;
    use crate::event::TaskId;

    const LANE: LaneId = LaneId(1);

    fn set_up(capacity: u32) -> (Rings, Recorder<Virtual>, Virtual) {
        let rings = Rings::create(Shape { rings: 2, lanes: 4, capacity }, Nanos::from_millis(5)).unwrap();
        let clock = Virtual::at(Nanos(100));
        let recorder = Recorder::with_clock(&rings, 1, LANE, clock.clone());
        (rings, recorder, clock)
    }

    fn drained(consumer: &mut Consumer<SharedRing>) -> Vec<Event> {
        let mut events = Vec::new();
        consumer.drain(|words| events.push(Event::unpack(words).unwrap())).unwrap();
        events
    }

    fn started(task: u32) -> EventKind {
        EventKind::TaskStarted(TaskId(task))
    }

    #[test]
    fn an_event_carries_its_time_its_lane_and_its_core() {
        let (rings, mut recorder, clock) = set_up(8);
        recorder.record(Line(3), started(0));
        clock.advance(Nanos(5));
        recorder.record_for(LaneId(2), Line(4), started(1));
        recorder.record_at(Nanos(42), LaneId(3), Line::NONE, started(2));
        let events = drained(&mut Consumer::new(rings.ring(1)));
        let seen: Vec<_> = events.iter().map(|event| (event.at, event.lane, event.line, event.kind)).collect();
        assert_eq!(
            seen,
            [
                (Nanos(100), LANE, Line(3), started(0)),
                (Nanos(105), LaneId(2), Line(4), started(1)),
                (Nanos(42), LaneId(3), Line::NONE, started(2)),
            ]
        );
        assert!(events.iter().all(|event| event.core != crate::event::CoreId::UNKNOWN));
        assert_eq!(rings.ring(1).seen(), Nanos(105));
        assert_eq!(rings.ring(1).writer(), Some((std::process::id(), thread_id())));
    }

    #[test]
    fn after_a_loss_each_lane_is_unknown_since_its_first_lost_event() {
        let (rings, mut recorder, clock) = set_up(4);
        for task in 0..4 {
            recorder.record(Line::NONE, started(task));
        }
        clock.advance(Nanos(10));
        recorder.record(Line::NONE, started(4));
        clock.advance(Nanos(10));
        recorder.record(Line::NONE, started(5));
        recorder.record_for(LaneId(3), Line::NONE, started(6));
        assert_eq!((rings.ring(1).dropped(), rings.ring(1).losing_since()), (3, Some(Nanos(110))));

        let mut consumer = Consumer::new(rings.ring(1));
        assert_eq!(drained(&mut consumer).len(), 4);
        clock.advance(Nanos(10));
        recorder.record(Line::NONE, started(7));
        let unknown = EventKind::State { to: State::Unknown, detail: Detail::None };
        let seen: Vec<_> = drained(&mut consumer).iter().map(|event| (event.at, event.lane, event.kind)).collect();
        assert_eq!(
            seen,
            [(Nanos(110), LANE, unknown), (Nanos(120), LaneId(3), unknown), (Nanos(130), LANE, started(7))]
        );
        assert_eq!((rings.ring(1).dropped(), rings.ring(1).losing_since()), (3, None));
    }

    #[test]
    fn a_late_heartbeat_is_time_without_a_core_only_if_the_core_was_taken() {
        let (rings, mut recorder, clock) = set_up(8);
        let mut consumer = Consumer::new(rings.ring(1));
        for (gap, taken, seen) in [(50, true, 0), (900, false, 0), (900, true, 1)] {
            let (_, preempted) = switches_of_this_thread().unwrap();
            recorder.ring.as_mut().unwrap().preempted = if taken { u64::MAX } else { preempted };
            let since = clock.now();
            recorder.heartbeat(Line(1));
            drained(&mut consumer);
            recorder.ring.as_mut().unwrap().preempted = if taken { u64::MAX } else { preempted };
            clock.advance(Nanos::from_micros(gap));
            recorder.heartbeat(Line(2));
            let events = drained(&mut consumer);
            // The machine may truly have taken the core in between; then there is one more than made up here.
            if switches_of_this_thread().unwrap().1 == preempted {
                assert_eq!(events.len(), seen, "{gap} {taken}");
            }
            assert!(events.iter().all(|event| event.kind == EventKind::NoCore { since } && event.at == clock.now()));
        }
    }

    #[test]
    fn what_it_got_done_is_told_once_a_millisecond_and_at_the_end_of_a_task() {
        let (rings, mut recorder, clock) = set_up(8);
        let mut consumer = Consumer::new(rings.ring(1));
        for step in 0..25 {
            clock.advance(Nanos::from_micros(100));
            recorder.worked(1000, step / 10);
            recorder.heartbeat(Line(2));
        }
        recorder.tell_progress(Line(2));
        recorder.tell_progress(Line(2));
        let told: Vec<_> = drained(&mut consumer)
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Progress { instructions, contended } => Some((event.at.0 / 1000, instructions, contended)),
                _ => None,
            })
            .collect();
        assert_eq!(told, [(1000, 10_000, 0), (2000, 20_000, 1), (2500, 25_000, 2)]);
    }

    #[test]
    fn at_its_end_a_thread_reports_what_the_kernel_booked() {
        let (rings, recorder, _) = set_up(8);
        drop(recorder);
        let accounts = rings.ring(1).accounts();
        assert!(accounts.voluntary.is_some() && accounts.involuntary.is_some());
    }

    #[test]
    fn what_the_kernel_booked_before_the_run_is_no_part_of_it() {
        let (rings, mut recorder, _) = set_up(8);
        let work = std::time::Instant::now();
        while work.elapsed() < std::time::Duration::from_millis(30) {
            std::hint::black_box(0);
        }
        recorder.report();
        let before = rings.ring(1).accounts().on_cpu.expect("the kernel says");
        assert!(before >= Nanos(1_000_000), "{before:?}");
        recorder.count_from_here();
        drop(recorder);
        let after = rings.ring(1).accounts().on_cpu.expect("the kernel says");
        assert!(after.0 < before.0 / 2, "{after:?} of {before:?}");
    }

    #[test]
    fn one_that_is_off_keeps_the_place_and_nothing_else() {
        let mut recorder = Recorder::off();
        recorder.record(Line(1), started(1));
        recorder.heartbeat(Line(1));
        recorder.set_place(7);
        assert_eq!((recorder.place().load(Ordering::Relaxed), recorder.is_on()), (7, false));
    }
}
