//! Coroutines of one thread, after `asyncio.run`: the main thread of the first process runs an event loop, and the loop
//! each of them until it awaits.
//!
//! A lane does tasks as a thread of a pool would: when one is over it begins the next that nobody has begun. There are
//! as many lanes as there may be tasks in flight. Everything is told by the one thread there is, in its one ring; so
//! the lock's owner is the loop's lane, whichever coroutine it runs, and the lane of that coroutine says what the thread
//! does meanwhile.

use super::first::First;
use super::host::WorkerHost;
use super::interpreter::{Failure, told};
use super::message::{LaneEnd, Report, TaskOutcome};
use crate::clock::{Clock, Monotonic};
use crate::event::{EventKind, LaneId, Nanos, TaskId};
use crate::vm::{Crew, EventLoop, Raised, Thread, Value};

/// Who gives the loop its tasks.
struct Tasks<'a> {
    first: &'a First,
    function: &'static str,
    /// What each lane does.
    doing: Vec<Option<TaskId>>,
    next: u32,
    /// What is over and has not been told: it is told when there is nothing else to do, at the latest after a moment,
    /// so that telling of ten thousand is no part of what they take.
    over: Vec<Report>,
    told_at: Nanos,
}

/// How long what is over may remain untold while the loop is busy.
const MOMENT: Nanos = Nanos::from_millis(50);

/// Does all tasks. With the lock held.
pub(super) fn run(first: &First, main: &mut WorkerHost) {
    let load = &first.load;
    let lanes: Vec<LaneId> = load.plan.workers().map(|lane| lane.id).collect();
    let function = first.interpreter.work(load.plan.pool).unwrap_or("work");
    first.start(main);
    let mut event_loop = match EventLoop::new(load.costs.streams) {
        Ok(event_loop) => event_loop,
        Err(error) => {
            let why = format!("the system refused the event loop what it waits with: {error}");
            first.reporter.tell(&Report::Failed(why));
            return;
        }
    };
    let slots: Vec<Option<LaneId>> = lanes.iter().copied().map(Some).collect();
    let mut tasks =
        Tasks { first, function, doing: vec![None; lanes.len()], next: 0, over: Vec::new(), told_at: Nanos::ZERO };
    let mut thread = first.interpreter.thread(&mut *main);
    // An error: the run is being stopped, and whoever stops it tells of what was not done.
    let _ = event_loop.run(&mut thread, &slots, &mut tasks);
    drop(thread);
    main.leave_program();
    for lane in &lanes {
        first.lane_ended(*lane, LaneEnd::Done);
    }
}

impl<'m, 'h> Crew<&'m mut WorkerHost<'h>> for Tasks<'_> {
    fn next(&mut self, thread: &mut Thread<'_, &'m mut WorkerHost<'h>>, slot: usize) -> Option<Result<Value, Raised>> {
        let task = TaskId(self.next);
        if self.next == self.first.load.tasks {
            return None;
        }
        self.next += 1;
        self.doing[slot] = Some(task);
        thread.host().record(EventKind::TaskStarted(task));
        let args = self.first.interpreter.arguments_of(self.function, &self.first.args, task);
        Some(thread.call(self.function, Vec::new(), args))
    }

    fn ended(&mut self, host: &mut &'m mut WorkerHost<'h>, slot: usize, outcome: Result<Value, Raised>) {
        let Some(task) = self.doing[slot].take() else { return };
        host.record(EventKind::TaskEnded { task, ok: outcome.is_ok() });
        let outcome: TaskOutcome = told(outcome.map_err(Failure::from));
        self.over.push(Report::TaskDone { task, outcome });
        let now = Monotonic.now();
        if now - self.told_at > MOMENT {
            self.told_at = now;
            self.pauses();
        }
    }

    fn pauses(&mut self) {
        self.over.drain(..).for_each(|report| self.first.reporter.tell(&report));
    }

    fn finished(&mut self, _: &mut &'m mut WorkerHost<'h>) {
        // The last result is in.
        let at = self.first.rings.end();
        self.over.drain(..).for_each(|report| self.first.reporter.tell(&report));
        self.first.reporter.tell(&Report::Finished { at });
        self.first.tell_memory([]);
    }
}
