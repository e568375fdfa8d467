//! Traces for tests, written as one would draw them.
//!
//! ```
//! use gilscope::event::{Nanos, State};
//! use gilscope::trace::testing::TraceBuilder;
//!
//! let trace = TraceBuilder::new()
//!     .lock("GIL")
//!     .lane("thread 1").running(Nanos::from_millis(5)).waiting(Nanos::from_millis(5))
//!     .lane("thread 2").waiting(Nanos::from_millis(5)).running(Nanos::from_millis(5))
//!     .build();
//! assert_eq!(trace.ledger().0[State::Running.index()], Nanos::from_millis(10));
//! ```

use super::{LaneInfo, LockInfo, Trace};
use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId, Nanos, QueueId, State, TaskId};
use crate::model::{LockKind, Role};

/// Where every such run begins.
pub const BEGIN: Nanos = Nanos::from_secs(1);

/// Builds a [`Trace`] lane by lane: each call says what the lane does next, and for how long.
///
/// Lanes use the lock named last before them, if any, and are on core 0 unless told otherwise.
#[derive(Default)]
pub struct TraceBuilder {
    locks: Vec<LockInfo>,
    /// Those that come later, and from when to when they are there.
    late: Vec<(LockInfo, Nanos, Nanos)>,
    lanes: Vec<LaneInfo>,
    events: Vec<Event>,
    at: Nanos,
    end: Nanos,
    core: CoreId,
    line: Line,
    holds: Option<LockId>,
    open: bool,
}

impl TraceBuilder {
    /// Nothing yet.
    pub fn new() -> TraceBuilder {
        TraceBuilder::default()
    }

    /// A lock; the lanes named from now on use it.
    pub fn lock(mut self, name: &str) -> TraceBuilder {
        let process = self.locks.len() as u32;
        self.locks.push(LockInfo { kind: LockKind::Gil, name: name.into(), process, of_workers: true });
        self
    }

    /// A lock that is there for a part of the run, from and to so long after the beginning. Such locks are named after those
    /// that are always there, in the order in which they come.
    pub fn lock_between(mut self, name: &str, from: Nanos, to: Nanos) -> TraceBuilder {
        let process = (self.locks.len() + self.late.len()) as u32;
        let info = LockInfo { kind: LockKind::Gil, name: name.into(), process, of_workers: true };
        self.late.push((info, BEGIN + from, BEGIN + to));
        self
    }

    /// The world of a free-threaded interpreter, which lanes stop by [`TraceBuilder::stopping`].
    pub fn world(mut self, name: &str) -> TraceBuilder {
        self.locks.push(LockInfo { kind: LockKind::StopTheWorld, name: name.into(), process: 0, of_workers: true });
        self
    }

    /// A worker's lane; what follows is about it, from the beginning of the run.
    pub fn lane(self, name: &str) -> TraceBuilder {
        self.lane_as(name, Role::Worker)
    }

    /// A lane of another role.
    pub fn lane_as(mut self, name: &str, role: Role) -> TraceBuilder {
        let last_late = (self.locks.len() + self.late.len()).checked_sub(1).filter(|_| !self.late.is_empty());
        let lock = last_late.or(self.locks.iter().rposition(|lock| lock.kind == LockKind::Gil));
        let lock = lock.map(|lock| LockId(lock as u16));
        self.lanes.push(LaneInfo::new(name, role, lock));
        (self.at, self.core, self.line, self.holds) = (BEGIN, CoreId(0), Line::NONE, None);
        self
    }

    /// From now on the lane is on this core.
    pub fn core(mut self, core: u16) -> TraceBuilder {
        self.core = CoreId(core);
        self
    }

    /// From now on the lane is at this line.
    pub fn line(mut self, line: u32) -> TraceBuilder {
        self.line = Line(line);
        self
    }

    /// The lane runs; it holds its lock, if it has one.
    pub fn running(self, span: Nanos) -> TraceBuilder {
        self.state(State::Running, span)
    }

    /// The lane runs, and has stopped the world.
    pub fn stopping(mut self, span: Nanos) -> TraceBuilder {
        let world = self.locks.iter().rposition(|lock| lock.kind == LockKind::StopTheWorld);
        let lock = LockId(world.expect("there is a world to stop") as u16);
        self.event(EventKind::Take { lock, to: State::Running });
        self.at += span;
        self.end = self.end.max(self.at);
        self.event(EventKind::Drop { lock, to: State::Running, detail: Detail::None, requested: false });
        self
    }

    /// The lane waits for its lock.
    pub fn waiting(self, span: Nanos) -> TraceBuilder {
        self.state(State::WaitingGil, span)
    }

    /// The lane is in any state. A lane holds its lock where it runs, pickles, unpickles or lacks a core.
    pub fn state(self, state: State, span: Nanos) -> TraceBuilder {
        self.state_with(state, Detail::None, span)
    }

    /// The same, with a detail.
    pub fn state_with(mut self, to: State, detail: Detail, span: Nanos) -> TraceBuilder {
        let lock = self.lanes.last().and_then(|lane| lane.lock);
        let keeps = matches!(to, State::Running | State::Pickling | State::Unpickling)
            || to == State::WaitingCore && self.holds.is_some();
        let kind = match (self.holds, lock) {
            (None, Some(lock)) if keeps => {
                self.holds = Some(lock);
                EventKind::Take { lock, to }
            }
            (Some(lock), _) if !keeps => {
                self.holds = None;
                EventKind::Drop { lock, to, detail, requested: to == State::WaitingGil }
            }
            _ => EventKind::State { to, detail },
        };
        self.event(kind);
        self.at += span;
        self.end = self.end.max(self.at);
        self
    }

    /// The lane begins a task.
    pub fn task_started(mut self, task: u32) -> TraceBuilder {
        self.event(EventKind::TaskStarted(TaskId(task)));
        self
    }

    /// The lane asks the holder of its lock to drop it.
    pub fn drop_request(mut self) -> TraceBuilder {
        if let Some(lock) = self.lanes.last().and_then(|lane| lane.lock) {
            self.event(EventKind::DropRequest { lock });
        }
        self
    }

    /// So many more instructions are done by now, and so often in all an object was found locked by another.
    pub fn worked(mut self, instructions: u32, contended: u32) -> TraceBuilder {
        let lane = LaneId(self.lanes.len() as u32 - 1);
        let before = self.events.iter().rev().find_map(|event| match event.kind {
            EventKind::Progress { instructions, .. } if event.lane == lane => Some(instructions),
            _ => None,
        });
        let instructions = before.unwrap_or(0).wrapping_add(instructions);
        self.event(EventKind::Progress { instructions, contended });
        self
    }

    /// The lane puts something into a queue of the program's or takes something out; it holds so many from now on.
    pub fn queue(mut self, queue: u16, depth: u32, put: bool) -> TraceBuilder {
        self.event(EventKind::Queue { queue: QueueId(queue), depth, put });
        self
    }

    /// The run is not over when the trace is built.
    pub fn live(mut self) -> TraceBuilder {
        self.open = true;
        self
    }

    fn event(&mut self, kind: EventKind) {
        let lane = LaneId(self.lanes.len() as u32 - 1);
        self.events.push(Event { at: self.at, lane, core: self.core, line: self.line, kind });
    }

    /// The run, from [`BEGIN`] to where the last lane's description ends.
    pub fn build(self) -> Trace {
        let mut trace = Trace::default();
        for lock in self.locks {
            trace.add_lock(lock);
        }
        for lane in self.lanes {
            trace.add_lane(lane);
        }
        trace.begin(BEGIN);
        // At one instant a lock is dropped before it is taken, whichever lane was described first.
        let mut events = self.events;
        events.sort_by_key(|event| (event.at, matches!(event.kind, EventKind::Take { .. })));
        let mut late = self.late.into_iter().peekable();
        for event in &events {
            while let Some((lock, from, to)) = late.next_if(|(_, from, _)| *from <= event.at) {
                trace.advance(from);
                let lock = trace.add_lock(lock);
                trace.lock_gone(lock, to);
            }
            trace.append(event);
        }
        trace.advance(self.end);
        if !self.open {
            trace.end(self.end);
        }
        trace
    }
}

/// A program that forks a hundred times, each child living for 10 ms and computing for all of them; in the last two of them,
/// which live on, threads wait.
pub fn forks() -> Trace {
    let ms = Nanos::from_millis;
    let mut log = TraceBuilder::new().lock("GIL").lane("main");
    for _ in 0..100 {
        log = log.running(ms(2)).state(State::Io, ms(8));
    }
    for child in 1..=100 {
        let end = if child > 98 { ms(1000) } else { ms(child * 10) };
        log = log.lock_between(&format!("GIL of process {}", child + 1), ms(child * 10 - 10), end);
        log = log.lane(&format!("process {}", child + 1)).state(State::Unborn, ms(child * 10 - 10));
        log = log.running(ms(10));
        log = if child > 98 { log.running(end - ms(child * 10)) } else { log.state(State::Done, ms(1)) };
    }
    log.lane("waiter").state(State::Unborn, ms(990)).waiting(ms(10)).live().build()
}
