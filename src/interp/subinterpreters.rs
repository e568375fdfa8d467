//! The pool of interpreters in one process (PEP 684, PEP 734), after
//! `concurrent.futures.InterpreterPoolExecutor`: threads, each with a module
//! and a lock of its own. Nothing is shared between them but the process, so
//! calls and results cross as pickles, as they do between processes, but
//! through memory.
//!
//! A call is pickled when there is an interpreter for it and no sooner, under main's lock: in CPython the worker's thread
//! does it, which is main's own until it enters its interpreter. Here main itself does it for whoever asks; only one can
//! be at it at a time in either.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, RecvError, Sender, TrySendError, bounded, unbounded};

use super::first::First;
use super::host::WorkerHost;
use super::interpreter::{Failure, Interpreter, Settings, interpreter_failed, told};
use super::message::{LaneEnd, Report, TaskOutcome};
use super::pickles;
use super::spawn::{DONE, birth_ordered};
use super::start_up::work_until;
use super::threads::STACK;
use crate::event::{Detail, EventKind, LaneId, Line, State, TaskId};
use crate::model::LanePlan;
use crate::record::Recorder;

/// What comes of a call: a pickle, or why there is none.
type Answer = (TaskId, Result<Vec<u8>, Failure>);

/// What the threads share with the main thread.
struct Pool<'a> {
    first: &'a First,
    calls: Receiver<(TaskId, Vec<u8>)>,
    answers: Sender<Answer>,
    /// Threads that still do tasks.
    alive: AtomicUsize,
    /// Threads that have asked for a call and have not been given one.
    asking: AtomicUsize,
}

/// Does all tasks. With main's lock held, which none of the workers wants.
pub(super) fn run(first: &First, main: &mut WorkerHost) {
    let lanes: Vec<&LanePlan> = first.load.plan.workers().collect();
    // None is given to one that has not asked, so no more wait than there are workers.
    let (queue, calls) = bounded(lanes.len());
    let (answers, answered) = unbounded();
    let (alive, asking) = (AtomicUsize::new(lanes.len()), AtomicUsize::new(0));
    let pool = Pool { first, calls, answers, alive, asking };
    std::thread::scope(|scope| {
        first.start(main);
        for lane in lanes.iter().copied() {
            if first.load.record {
                birth_ordered(&first.rings.ring(lane.id.0), lane.id);
            }
            let thread = std::thread::Builder::new().name(lane.name.clone()).stack_size(STACK);
            let pool = &pool;
            if let Err(error) = thread.spawn_scoped(scope, move || pool.live(lane)) {
                main.record_for(lane.id, DONE);
                first.lane_ended(lane.id, LaneEnd::Failed(format!("the system refused the thread: {error}")));
                pool.alive.fetch_sub(1, Ordering::AcqRel);
            }
        }
        hand_out(&pool, main, &queue, &answered);
        first.finished();
        drop(queue);
        main.drop_to(State::WaitingLock, Detail::Join);
    });
    main.take(State::Running);
}

/// Pickles calls for those that ask, unpickles what comes of them, until all is done.
fn hand_out(pool: &Pool, main: &mut WorkerHost, queue: &Sender<(TaskId, Vec<u8>)>, answered: &Receiver<Answer>) {
    let first = pool.first;
    let tell = |task, outcome| first.reporter.tell(&Report::TaskDone { task, outcome });
    let mut tasks = (0..first.load.tasks).map(TaskId);
    let mut pickled = None;
    let mut open = first.load.tasks;
    while open > 0 {
        // Looked up before the answers are: whoever is gone has left all it had.
        let alive = pool.alive.load(Ordering::Acquire);
        let mut moved = false;
        while let Ok((task, answer)) = answered.try_recv() {
            main.enter(State::Unpickling, Detail::None);
            let result = answer.and_then(|pickle| pickles::result(&pickle));
            main.enter(State::Running, Detail::None);
            tell(task, told(result));
            (open, moved) = (open - 1, true);
        }
        if alive == 0 && !moved {
            break;
        }
        while pool.asking.load(Ordering::Acquire) > 0 {
            let Some(task) = tasks.next() else { break };
            main.enter(State::Pickling, Detail::None);
            let call = pickles::call_across("work", first.interpreter.arguments(&first.args, task));
            main.enter(State::Running, Detail::None);
            moved = true;
            match call.map(|call| queue.try_send((task, call))) {
                Ok(Ok(())) => _ = pool.asking.fetch_sub(1, Ordering::AcqRel),
                Ok(Err(TrySendError::Full(call) | TrySendError::Disconnected(call))) => pickled = Some(call),
                Err(text) => {
                    tell(task, TaskOutcome::Error { text, line: Line::NONE });
                    open -= 1;
                }
            }
        }
        if !moved {
            main.without_lock(State::WaitingLock, Detail::Join, || first.reporter.wait([]));
        }
    }
    let left = pickled.into_iter().map(|(task, _)| task).chain(tasks);
    let queued = std::iter::from_fn(|| pool.calls.try_recv().ok()).map(|(task, _)| task);
    for task in queued.chain(left) {
        tell(task, TaskOutcome::Killed("no worker was left to do it".to_owned()));
    }
}

impl Pool<'_> {
    /// The life of a thread and its interpreter.
    fn live(&self, lane: &LanePlan) {
        self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid: std::process::id() });
        let mut doing = None;
        let end = catch_unwind(AssertUnwindSafe(|| self.work(lane, &mut doing)));
        let end = end.unwrap_or_else(|panic| Err(interpreter_failed(&*panic)));
        if let (Err(text), Some(task)) = (&end, doing) {
            self.answer(task, Err(Failure::without_line(text.clone())));
        }
        self.first.lane_ended(lane.id, end.map_or_else(LaneEnd::Failed, |()| LaneEnd::Done));
        self.alive.fetch_sub(1, Ordering::AcqRel);
        self.first.reporter.ring();
    }

    /// Sets an interpreter up, does tasks until there are none and none will come.
    fn work(&self, lane: &LanePlan, doing: &mut Option<TaskId>) -> Result<(), String> {
        let interpreter = self.boot(lane.id, lane)?;
        let mut host = interpreter.host(lane.id);
        host.take(State::Starting);
        interpreter.prepare(&mut host).map_err(Failure::of_loading)?;
        work_until(self.first.load.costs.subinterpreter.cpu() + interpreter.imports());
        host.drop_to(State::Idle, Detail::None);
        while let Ok((task, call)) = self.asked() {
            *doing = Some(task);
            host.take(State::Unpickling);
            let answer = interpreter.answer(&mut host, task, &call);
            host.drop_to(State::Idle, Detail::None);
            self.answer(task, answer);
            *doing = None;
        }
        Ok(())
    }

    /// The steps `init` and `import` of its birth.
    fn boot(&self, lane: LaneId, plan: &LanePlan) -> Result<Interpreter, String> {
        let First { load, source, rings, .. } = self.first;
        let mut recorder = if load.record { Recorder::new(rings, lane.0, lane) } else { Recorder::off() };
        recorder.record(Line::NONE, EventKind::State { to: State::Starting, detail: Detail::Init });
        let settings = Settings {
            lock: plan.lock,
            rules: load.rules,
            rings: rings.clone(),
            costs: load.costs,
            record: load.record,
        };
        let costs = load.costs.subinterpreter;
        work_until(costs.init_ns);
        recorder.record(Line::NONE, EventKind::State { to: State::Starting, detail: Detail::Import });
        let interpreter = Interpreter::new(&String::from_utf8_lossy(source), &load.file, &load.name, settings);
        work_until(costs.init_ns + costs.import_ns);
        interpreter
    }

    /// The next call; none when there is no more to come.
    fn asked(&self) -> Result<(TaskId, Vec<u8>), RecvError> {
        self.asking.fetch_add(1, Ordering::AcqRel);
        self.first.reporter.ring();
        self.calls.recv()
    }

    fn answer(&self, task: TaskId, answer: Result<Vec<u8>, Failure>) {
        // Whoever listened is gone only with the process.
        let _ = self.answers.send((task, answer));
        self.first.reporter.ring();
    }
}
