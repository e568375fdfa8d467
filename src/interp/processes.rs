//! The pool of processes, after `concurrent.futures.ProcessPoolExecutor` with
//! the start method `spawn`: each worker is a new interpreter that knows
//! nothing and is told everything by pickle.
//!
//! The first process has one thread, which serves all workers by `poll`. It
//! reads and writes without its lock, and pickles, unpickles and hands out
//! tasks with it, as a real interpreter does.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ExitStatus};

use super::channel::{Channel, Received};
use super::first::First;
use super::host::WorkerHost;
use super::interpreter::told;
use super::message::{LaneEnd, Reply, Report, Request, TaskOutcome, WORKER_LIMIT};
use super::pickles;
use super::spawn::{Birth, DONE, this_program};
use crate::event::{Detail, LaneId, Line, State, TaskId};

/// A worker process as the first process knows it.
struct Worker {
    lane: LaneId,
    child: Child,
    channel: Channel,
    stage: Stage,
    /// What it said when it could not go on.
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Free,
    Busy(TaskId),
    Gone,
}

struct Pool<'a, 'i> {
    first: &'a First,
    main: &'a mut WorkerHost<'i>,
    workers: Vec<Worker>,
    tasks: VecDeque<TaskId>,
}

/// Does all tasks. With main's lock held.
pub(super) fn run(first: &First, main: &mut WorkerHost) {
    let tasks = (0..first.load.tasks).map(TaskId).collect();
    let mut pool = Pool { first, main, workers: Vec::new(), tasks };
    first.start(pool.main);
    pool.start();
    while pool.hand_out() {
        pool.listen();
    }
    for task in std::mem::take(&mut pool.tasks) {
        pool.done(task, TaskOutcome::Killed("no worker was left to do it".to_owned()));
    }
    first.finished();
    pool.dismiss();
}

impl Pool<'_, '_> {
    /// Starts all workers, none waiting for another to be ready.
    fn start(&mut self) {
        let lanes: Vec<LaneId> = self.first.load.plan.workers().map(|lane| lane.id).collect();
        for lane in lanes {
            match self.start_one(lane) {
                Ok(worker) => self.workers.push(worker),
                Err(why) => {
                    self.main.record_for(lane, DONE);
                    self.first.lane_ended(lane, LaneEnd::Failed(why));
                }
            }
        }
    }

    fn start_one(&mut self, lane: LaneId) -> Result<Worker, String> {
        let First { load, rings, reporter, source, .. } = self.first;
        let refused = |error: std::io::Error| format!("the system refused the process: {error}");
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(|error| refused(error.into()))?;
        let program = this_program();
        let record = load.record;
        let birth = Birth { program: &program, role: "worker", lane, channel: theirs, rings, record, leads: false };
        let child = birth.order().map_err(refused)?;
        reporter.tell(&Report::WorkerBorn { lane, pid: child.id() });
        let lock = load.plan.lanes[lane.index()].lock.ok_or("a process without a lock is not planned for")?;
        let boot = Request::Boot { file: load.file.clone(), rules: load.rules, lock, record };
        channel.send(&boot, source).map_err(|error| error.to_string())?;
        let preparation = self.pickling(|| pickles::preparation("work", &load.name))?;
        channel.send(&Request::Prepare, &preparation).map_err(|error| error.to_string())?;
        Ok(Worker { lane, child, channel, stage: Stage::Starting, failure: None })
    }

    /// Gives tasks to the free. Whether there is anything left to wait for.
    fn hand_out(&mut self) -> bool {
        for worker in 0..self.workers.len() {
            while self.workers[worker].stage == Stage::Free {
                let Some(task) = self.tasks.pop_front() else { break };
                self.hand(worker, task);
            }
        }
        let busy = self.workers.iter().any(|worker| matches!(worker.stage, Stage::Busy(_)));
        let hope = self.workers.iter().any(|worker| worker.stage == Stage::Starting);
        busy || (hope && !self.tasks.is_empty())
    }

    fn hand(&mut self, worker: usize, task: TaskId) {
        let first = self.first;
        let pickled = self.pickling(|| pickles::call("work", first.interpreter.arguments(&first.args, task)));
        let worker = &mut self.workers[worker];
        let sent = pickled
            .and_then(|pickle| worker.channel.send(&Request::Task(task), &pickle).map_err(|error| error.to_string()));
        match sent {
            Ok(()) => worker.stage = Stage::Busy(task),
            Err(text) => self.done(task, TaskOutcome::Error { text, line: Line::NONE }),
        }
    }

    /// Waits, without the lock, until a worker has said something whole, and then hears them all.
    fn listen(&mut self) {
        let (first, workers) = (self.first, &mut self.workers);
        let ready = self.main.without_lock(State::Io, Detail::Pipe, || {
            loop {
                let alive = workers.iter().filter(|worker| worker.stage != Stage::Gone);
                first.reporter.wait(alive.map(|worker| worker.channel.wanted()));
                let mut ready = Vec::new();
                for (number, worker) in workers.iter_mut().enumerate().filter(|(_, it)| it.stage != Stage::Gone) {
                    // A channel that fails is ready to tell so.
                    if worker.channel.flush().is_err() || worker.channel.is_ready().unwrap_or(true) {
                        ready.push(number);
                    }
                }
                if !ready.is_empty() {
                    return ready;
                }
            }
        });
        for worker in ready {
            self.hear(worker);
        }
    }

    fn hear(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        match worker.channel.receive() {
            Ok(Received::Message(reply, body)) => self.heard(number, reply, &body),
            Ok(Received::Nothing) => {}
            Ok(Received::Closed) => self.bury(number),
            Err(error) => {
                worker.failure = Some(error.to_string());
                // It may be gone already.
                let _ = worker.child.kill();
                self.bury(number);
            }
        }
    }

    fn heard(&mut self, number: usize, reply: Reply, body: &[u8]) {
        let worker = &mut self.workers[number];
        match reply {
            Reply::Ready => worker.stage = Stage::Free,
            Reply::Returned(task) => {
                worker.stage = Stage::Free;
                self.main.enter(State::Unpickling, Detail::None);
                let result = pickles::result(body);
                self.main.enter(State::Running, Detail::None);
                self.done(task, told(result));
            }
            Reply::Raised { task, text, line } => {
                worker.stage = Stage::Free;
                self.done(task, TaskOutcome::Error { text, line });
            }
            Reply::Failed(why) => worker.failure = Some(why),
        }
    }

    /// It is gone, or going this instant: what became of it is told, and of its task.
    fn bury(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        let status = worker.child.wait();
        let stderr = worker.child.stderr.take().map(last_words).unwrap_or_default();
        let how = match (status, worker.failure.take()) {
            (_, Some(why)) => LaneEnd::Failed(why),
            (Ok(status), None) => ended(status, stderr),
            (Err(error), None) => LaneEnd::Failed(format!("the process was lost sight of: {error}")),
        };
        let (lane, stage) = (worker.lane, std::mem::replace(&mut worker.stage, Stage::Gone));
        if !how.is_done() {
            // One that ends in order says so itself.
            self.main.record_for(lane, DONE);
        }
        if let Stage::Busy(task) = stage {
            self.done(task, TaskOutcome::Killed(how.of_its_task()));
        }
        self.first.lane_ended(lane, how);
    }

    /// Sends everyone home and waits until they are gone.
    fn dismiss(&mut self) {
        for worker in self.workers.iter_mut().filter(|worker| worker.stage != Stage::Gone) {
            // Whoever cannot be told is dying, which is just as well.
            let _ = worker.channel.send(&Request::End, b"");
        }
        while self.workers.iter().any(|worker| worker.stage != Stage::Gone) {
            self.listen();
        }
    }

    /// Pickles with the lock held, as a real interpreter does.
    fn pickling<R>(&mut self, pickle: impl FnOnce() -> R) -> R {
        self.main.enter(State::Pickling, Detail::None);
        let result = pickle();
        self.main.enter(State::Running, Detail::None);
        result
    }

    fn done(&self, task: TaskId, outcome: TaskOutcome) {
        self.first.reporter.tell(&Report::TaskDone { task, outcome });
    }
}

fn ended(status: ExitStatus, stderr: String) -> LaneEnd {
    match (status.signal(), status.code()) {
        (Some(signal), _) => LaneEnd::Killed { signal, stderr },
        (None, Some(0) | None) => LaneEnd::Done,
        (None, Some(status)) => LaneEnd::Exited { status, stderr },
    }
}

/// What a dead worker left in its pipe, which holds 64 KiB at most.
fn last_words(mut stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    // What cannot be read was not said.
    let _ = stderr.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
