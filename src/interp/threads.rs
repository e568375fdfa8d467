//! The pool of threads, after `concurrent.futures.ThreadPoolExecutor`: they
//! pull tasks from one queue, and take turns on the lock of the one
//! interpreter they live in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded, unbounded};

use super::first::First;
use super::host::WorkerHost;
use super::interpreter::{interpreter_failed, told};
use super::message::{LaneEnd, Report, TaskOutcome};
use super::spawn::{DONE, birth_ordered};
use super::start_up::work_until;
use crate::event::{Detail, LaneId, Line, State, TaskId};
use crate::model::LanePlan;
use crate::vm::{Host, Value};

/// Python's own frames do not lie on it, so it need not be large; the system's default may be anything.
pub(super) const STACK: usize = 2 << 20;

/// What the threads of the pool share with the main thread.
struct Pool<'a> {
    first: &'a First,
    /// What every task is given.
    args: Vec<(String, Value)>,
    tasks: Receiver<TaskId>,
    /// Tasks nobody has done yet.
    open: AtomicUsize,
    /// Threads that still do tasks.
    alive: AtomicUsize,
}

/// Does all tasks. With the lock held, which main leaves to the workers meanwhile.
pub(super) fn run(first: &First, main: &mut WorkerHost) {
    let lanes: Vec<&LanePlan> = first.load.plan.workers().collect();
    let (queue, tasks) = unbounded();
    for task in (0..first.load.tasks).map(TaskId) {
        queue.send(task).expect("the receiver is right here");
    }
    let side_by_side = main.is_free_threaded();
    let given = |value: &Value| if side_by_side { value.handed_to_threads() } else { value.clone() };
    let args = first.args.iter().map(|(name, value)| (name.clone(), given(value))).collect();
    let pool = Pool {
        first,
        args,
        tasks,
        open: AtomicUsize::new(first.load.tasks as usize),
        alive: AtomicUsize::new(lanes.len()),
    };
    std::thread::scope(|scope| {
        first.start(main);
        for LanePlan { id: lane, name, .. } in lanes.iter().copied() {
            if first.load.record {
                birth_ordered(&first.rings.ring(lane.0), *lane);
            }
            let (started, has_started) = bounded(1);
            let (pool, lane) = (&pool, *lane);
            let thread = std::thread::Builder::new().name(name.clone()).stack_size(STACK);
            match thread.spawn_scoped(scope, move || pool.live(lane, started)) {
                // As `Thread.start` does: it waits, without the lock, until the thread has begun, and then needs the
                // lock itself to go on.
                Ok(_) => main.without_lock(State::WaitingLock, Detail::Join, || {
                    // An error: it ended before it could say that it had begun.
                    let _ = has_started.recv();
                }),
                Err(error) => {
                    let why = format!("the system refused the thread: {error}");
                    main.record_for(lane, DONE);
                    first.lane_ended(lane, LaneEnd::Failed(why));
                    pool.alive.fetch_sub(1, Ordering::AcqRel);
                }
            }
        }
        main.without_lock(State::WaitingLock, Detail::Join, || {
            while pool.open.load(Ordering::Acquire) > 0 && pool.alive.load(Ordering::Acquire) > 0 {
                first.reporter.wait([]);
            }
        });
        while let Ok(task) = pool.tasks.try_recv() {
            let outcome = TaskOutcome::Killed("no worker was left to do it".to_owned());
            first.reporter.tell(&Report::TaskDone { task, outcome });
        }
        first.finished();
        drop(queue);
        // The threads may need the lock to come to their end.
        main.drop_to(State::WaitingLock, Detail::Join);
    });
    main.take(State::Running);
}

impl Pool<'_> {
    /// The life of a thread.
    fn live(&self, lane: LaneId, started: Sender<()>) {
        let mut host = self.first.interpreter.host(lane);
        host.enter(State::Starting, Detail::Init);
        work_until(self.first.load.costs.thread.cpu());
        self.first.reporter.tell(&Report::WorkerBorn { lane, pid: std::process::id() });
        let mut doing = None;
        let end = catch_unwind(AssertUnwindSafe(|| self.work(&mut host, started, &mut doing)));
        drop(host);
        let how = match end {
            Ok(()) => LaneEnd::Done,
            Err(panic) => {
                let text = interpreter_failed(&*panic);
                if let Some(task) = doing {
                    self.done(task, TaskOutcome::Error { text: text.clone(), line: Line::NONE });
                }
                LaneEnd::Failed(text)
            }
        };
        self.first.lane_ended(lane, how);
        self.alive.fetch_sub(1, Ordering::AcqRel);
        self.first.reporter.ring();
    }

    /// Does tasks until there are none and none will come.
    fn work(&self, host: &mut WorkerHost, started: Sender<()>, doing: &mut Option<TaskId>) {
        let interpreter = &self.first.interpreter;
        host.take(State::Running);
        // Nobody listens if the start was given up.
        let _ = started.send(());
        while let Some(task) = self.next(host) {
            *doing = Some(task);
            let args = interpreter.arguments(&self.args, task);
            let result = interpreter.task(host, task, "work", args);
            self.done(task, told(result));
            *doing = None;
        }
    }

    /// The next task; waiting for one, it is idle and leaves the lock to others. `None`: without the lock.
    fn next(&self, host: &mut WorkerHost) -> Option<TaskId> {
        match self.tasks.try_recv() {
            Ok(task) => return Some(task),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => host.drop_to(State::Idle, Detail::None),
        }
        let task = self.tasks.recv().ok()?;
        host.take(State::Running);
        Some(task)
    }

    fn done(&self, task: TaskId, outcome: TaskOutcome) {
        self.first.reporter.tell(&Report::TaskDone { task, outcome });
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.first.reporter.ring();
        }
    }
}
