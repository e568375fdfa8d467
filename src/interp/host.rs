//! The interpreter as one of its threads sees it: the lock, the recorder, and
//! where `print` goes.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, EventKind, LaneId, Line, LockId, Nanos, State};
use crate::gil::{Gil, REQUEST, STOP};
use crate::record::{Recorder, Rings, SharedRing};
use crate::vm::{self, Host, Note, Stopped};

/// A thread that runs Python, and its lane.
///
/// It records every change of its lane's state, takes and drops of the lock from inside the lock's mutex. When it is
/// dropped, whatever the reason, it lets go of the lock and its lane is done.
pub(super) struct WorkerHost<'i> {
    lane: LaneId,
    /// None: there is no lock to take, and taking and dropping it only changes the lane's state.
    lock: Option<LockId>,
    gil: &'i Gil,
    /// Written at every instruction, so it is looked up once.
    place: &'i AtomicU32,
    rings: Rings,
    recorder: Recorder,
    holding: bool,
    /// What the lane is doing while its bytecode runs.
    running: (State, Detail),
    /// The last line it was heard of.
    line: Line,
}

impl<'i> WorkerHost<'i> {
    /// For the calling thread, which does not hold the lock yet.
    pub(super) fn new(
        lane: LaneId,
        lock: Option<LockId>,
        gil: &'i Gil,
        ring: &'i SharedRing,
        recorder: Recorder,
        rings: &Rings,
    ) -> WorkerHost<'i> {
        let (place, rings, running) = (ring.place(), rings.clone(), (State::Running, Detail::None));
        WorkerHost { lane, lock, gil, place, rings, recorder, holding: false, running, line: Line::NONE }
    }

    /// The lane's state changes and the lock does not.
    pub(super) fn enter(&mut self, to: State, detail: Detail) {
        self.record(EventKind::State { to, detail });
    }

    /// Records something of its own lane.
    pub(super) fn record(&mut self, kind: EventKind) {
        self.recorder.record(self.line, kind);
    }

    /// Records something of a lane that cannot do so itself.
    pub(super) fn record_for(&mut self, lane: LaneId, kind: EventKind) {
        self.recorder.record_for(lane, Line::NONE, kind);
    }

    /// Asks for the lock and takes it; from then on the lane is in state `to`.
    pub(super) fn take(&mut self, to: State) {
        let asked = if self.recorder.is_on() { Monotonic.now() } else { Nanos::ZERO };
        self.take_asked_at(Some(asked), to);
    }

    /// The same for one who asked at a certain time, or whose wait is on record already.
    fn take_asked_at(&mut self, asked: Option<Nanos>, to: State) {
        debug_assert!(!self.holding);
        self.holding = true;
        let Some(lock) = self.lock else { return self.enter(to, Detail::None) };
        let (lane, line) = (self.lane, self.line);
        let asked = Cell::new(asked);
        // One recorder, three closures; the lock calls them one at a time.
        let recorder = RefCell::new(&mut self.recorder);
        let interval = || {
            // Read when a wait begins: only now is it known that there is a wait. One who need not wait is not seen
            // to wait, so that a lock nobody else wants costs exactly nothing.
            if let Some(asked) = asked.take() {
                let waiting = EventKind::State { to: State::WaitingGil, detail: Detail::None };
                recorder.borrow_mut().record_at(asked, lane, line, waiting);
            }
            self.rings.switch_interval()
        };
        let request = || recorder.borrow_mut().record(line, EventKind::DropRequest { lock });
        let stamp = |_| recorder.borrow_mut().record(line, EventKind::Take { lock, to });
        self.gil.take(lane, interval, request, stamp);
    }

    /// Drops the lock; from then on the lane is in state `to`. Where a request was set, another has it on return.
    pub(super) fn drop_to(&mut self, to: State, detail: Detail) {
        debug_assert!(self.holding);
        self.holding = false;
        let Some(lock) = self.lock else { return self.enter(to, detail) };
        let (line, recorder) = (self.line, &mut self.recorder);
        self.gil.drop_lock(self.lane, |requested| {
            recorder.record(line, EventKind::Drop { lock, to, detail, requested });
        });
    }

    /// Whether its bytecode runs because it is being prepared, or because it is at work.
    pub(super) fn prepares(&mut self, yes: bool) {
        self.running = if yes { (State::Starting, Detail::Prepare) } else { (State::Running, Detail::None) };
    }

    /// Reports what the kernel has booked for this thread so far.
    pub(super) fn report(&mut self) {
        self.recorder.report();
    }

    /// Records how much bytecode it got done, unless that is on record.
    pub(super) fn tell_progress(&mut self) {
        self.recorder.tell_progress(self.line);
    }

    /// Forgets the line: what follows is not the program's doing.
    pub(super) fn leave_program(&mut self) {
        self.line = Line::NONE;
    }

    /// Leaves the lock to others while `blocking` runs.
    pub(super) fn without_lock<R>(&mut self, state: State, detail: Detail, blocking: impl FnOnce() -> R) -> R {
        self.without_lock_noting(state, detail, |_| blocking())
    }

    /// The same for what has something to record meanwhile.
    fn without_lock_noting<R>(&mut self, state: State, detail: Detail, blocking: impl FnOnce(&mut Note<'_>) -> R) -> R {
        // One who is being born stays so until it runs.
        let (state, detail) = if self.running.0 == State::Running { (state, detail) } else { self.running };
        self.drop_to(state, detail);
        let (line, recorder) = (self.line, &mut self.recorder);
        let result = blocking(&mut |kind| recorder.record(line, kind));
        self.take(self.running.0);
        if self.running.1 != Detail::None {
            self.enter(self.running.0, self.running.1);
        }
        result
    }
}

impl Host for WorkerHost<'_> {
    #[inline]
    fn breaker(&self) -> &AtomicU32 {
        self.gil.breaker()
    }

    fn safe_point(&mut self, line: Line) -> Result<(), Stopped> {
        self.line = line;
        let wanted = self.gil.breaker().load(Ordering::Relaxed);
        if wanted & STOP != 0 {
            return Err(Stopped);
        }
        if wanted & REQUEST != 0 {
            self.drop_to(State::WaitingGil, Detail::None);
            self.take_asked_at(None, self.running.0);
        }
        Ok(())
    }

    fn heartbeat(&mut self, line: Line) {
        self.line = line;
        self.recorder.heartbeat(line);
    }

    #[inline]
    fn worked(&mut self, instructions: u64) {
        // A module's body that is being loaded is start-up, not work.
        if self.running.0 == State::Running {
            self.recorder.worked(instructions, vm::contended());
        }
    }

    fn release<R>(&mut self, state: State, detail: Detail, line: Line, blocking: impl FnOnce() -> R) -> R {
        self.line = line;
        self.without_lock(state, detail, blocking)
    }

    fn note(&mut self, line: Line, kind: EventKind) {
        self.line = line;
        self.record(kind);
    }

    fn release_noting<R>(
        &mut self,
        state: State,
        detail: Detail,
        line: Line,
        blocking: impl FnOnce(&mut Note<'_>) -> R,
    ) -> R {
        self.line = line;
        self.without_lock_noting(state, detail, blocking)
    }

    /// To standard output, line by line, without the lock, as CPython's `FileIO.write` does it. It waits for whoever
    /// reads the other end; if nobody does any more, what is printed is lost, and that is no error of the program.
    fn print(&mut self, text: &str) {
        self.without_lock(State::Io, Detail::Pipe, || {
            let _ = std::io::stdout().write_all(text.as_bytes());
        });
    }

    #[inline]
    fn place(&self) -> &AtomicU32 {
        self.place
    }
}

impl Drop for WorkerHost<'_> {
    fn drop(&mut self) {
        self.leave_program();
        if self.holding {
            self.drop_to(State::Done, Detail::None);
        } else {
            self.enter(State::Done, Detail::None);
        }
    }
}
