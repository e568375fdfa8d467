//! The interpreter as one of its threads sees it: the lock, the recorder, and
//! where `print` goes.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, EventKind, LaneId, Line, LockId, Nanos, State};
use crate::gil::{Gil, REQUEST, STOP};
use crate::record::{Recorder, Rings, SharedRing};
use crate::vm::{self, Host, Note, Stopped, Turn};

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
    /// Of the coroutine that runs, whose doing is whatever this thread does meanwhile.
    task: Option<LaneId>,
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
        WorkerHost { lane, lock, gil, place, rings, recorder, holding: false, running, line: Line::NONE, task: None }
    }

    /// The lane's state changes and the lock does not. While a coroutine runs it is the coroutine's lane.
    pub(super) fn enter(&mut self, to: State, detail: Detail) {
        self.record(EventKind::State { to, detail });
    }

    /// Records something of its own lane, or of that of the coroutine it runs.
    pub(super) fn record(&mut self, kind: EventKind) {
        self.recorder.record_for(self.task.unwrap_or(self.lane), self.line, kind);
    }

    /// A coroutine has the thread from now on, or the loop has itself back, in state `to`.
    fn lend(&mut self, task: Option<LaneId>, lane: LaneId, to: State) {
        let own = if task.is_some() { State::Idle } else { State::Running };
        let line = if to == State::Running { Line::NONE } else { self.line };
        self.task = task;
        // Whoever stops is told of first, so that at no instant both run.
        if task.is_some() {
            self.recorder.record_for(self.lane, Line::NONE, EventKind::State { to: own, detail: Detail::None });
        }
        self.recorder.record_for(lane, line, EventKind::State { to, detail: Detail::None });
        if task.is_none() {
            self.recorder.record_for(self.lane, Line::NONE, EventKind::State { to: own, detail: Detail::None });
            self.line = Line::NONE;
        }
        self.recorder.speak_for(task.unwrap_or(self.lane));
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
        let (lane, line, task) = (self.lane, self.line, self.task);
        let waits = task.unwrap_or(lane);
        let asked = Cell::new(asked);
        // One recorder, three closures; the lock calls them one at a time.
        let recorder = RefCell::new(&mut self.recorder);
        let interval = || {
            // Read when a wait begins: only now is it known that there is a wait. One who need not wait is not seen
            // to wait, so that a lock nobody else wants costs exactly nothing.
            if let Some(asked) = asked.take() {
                let waiting = EventKind::State { to: State::WaitingGil, detail: Detail::None };
                recorder.borrow_mut().record_at(asked, waits, line, waiting);
            }
            self.rings.switch_interval()
        };
        let request = || recorder.borrow_mut().record_for(lane, line, EventKind::DropRequest { lock });
        let stamp = |_| {
            // The lock is the thread's, whichever coroutine it runs.
            let own = if task.is_some() { State::Idle } else { to };
            recorder.borrow_mut().record_for(lane, line, EventKind::Take { lock, to: own });
            if let Some(task) = task {
                let state = EventKind::State { to, detail: Detail::None };
                recorder.borrow_mut().record_for(task, line, state);
            }
        };
        self.gil.take(lane, interval, request, stamp);
    }

    /// Drops the lock; from then on the lane is in state `to`. Where a request was set, another has it on return.
    pub(super) fn drop_to(&mut self, to: State, detail: Detail) {
        debug_assert!(self.holding);
        self.holding = false;
        let Some(lock) = self.lock else { return self.enter(to, detail) };
        let (line, lane, task, recorder) = (self.line, self.lane, self.task, &mut self.recorder);
        self.gil.drop_lock(lane, |requested| match task {
            None => recorder.record_for(lane, line, EventKind::Drop { lock, to, detail, requested }),
            Some(task) => {
                recorder.record_for(task, line, EventKind::State { to, detail });
                let (to, detail) = (State::Idle, Detail::None);
                recorder.record_for(lane, line, EventKind::Drop { lock, to, detail, requested });
            }
        });
    }

    /// Whether its bytecode runs because it is being prepared, or because it is at work.
    pub(super) fn prepares(&mut self, yes: bool) {
        self.running = if yes { (State::Starting, Detail::Prepare) } else { (State::Running, Detail::None) };
    }

    /// What the kernel has booked for this thread so far is no part of the run.
    pub(super) fn count_from_here(&mut self) {
        self.recorder.count_from_here();
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

    fn is_free_threaded(&self) -> bool {
        self.lock.is_none()
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
        // A module's body that is being loaded is start-up, not work. Coroutines share one count, which is none of theirs.
        if self.running.0 == State::Running && self.task.is_none() {
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

    fn coroutine(&mut self, lane: LaneId, turn: Turn) {
        match turn {
            Turn::Running => self.lend(Some(lane), lane, State::Running),
            Turn::Suspended => self.lend(None, lane, State::Suspended),
            Turn::Over => self.lend(None, lane, State::Done),
            Turn::Ready { .. } if self.task == Some(lane) => self.lend(None, lane, State::Ready),
            Turn::Ready { since } => {
                self.recorder.record_for(lane, Line::NONE, EventKind::ReadySince { since });
            }
        }
    }

    #[inline]
    fn place(&self) -> &AtomicU32 {
        self.place
    }
}

impl Drop for WorkerHost<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.lend(None, task, State::Done);
        }
        self.leave_program();
        if self.holding {
            self.drop_to(State::Done, Detail::None);
        } else {
            self.enter(State::Done, Detail::None);
        }
    }
}
