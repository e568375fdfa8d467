//! The pool of processes, after `concurrent.futures.ProcessPoolExecutor`, with
//! its three start methods: a worker is a new interpreter that knows nothing
//! (`spawn`), a copy of the first process (`fork`), or a copy of a server
//! started for that (`forkserver`). Whatever it was born with, calls and
//! results reach it as pickles. The processes of the hybrid model, each with
//! several threads, are forked and served likewise.
//!
//! The first process has one thread, which serves all workers by `poll`. It
//! reads and writes without its lock, and pickles, unpickles and hands out
//! tasks with it, as a real interpreter does. Having one thread, it may be
//! copied.
//!
//! In CPython the pool has queues, semaphores and two threads of its own here,
//! and each birth takes the maker some Python. This process computes as much
//! where it would be computed: before the first birth, for each birth from its
//! order to the fork, and after the last.

mod births;
mod server;
mod tracker;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use super::channel::{Channel, Received};
use super::first::First;
use super::host::WorkerHost;
use super::interpreter::told;
use super::message::{LaneEnd, Reply, Report, Request, TaskOutcome};
use super::offspring::Offspring;
use super::spawn::DONE;
use super::start_up::Owed;
use super::{hand_out, pickles};
use crate::event::{Detail, LaneId, Line, State, TaskId};
use server::Server;
use tracker::Tracker;

/// A worker process as the first process knows it.
struct Worker {
    /// Of its main thread, and of its other threads.
    lanes: Vec<LaneId>,
    /// None while it is not known: a forkserver says it later.
    process: Option<Offspring>,
    /// What its process is to be known by, until then.
    stderr: Option<OwnedFd>,
    channel: Channel,
    stage: Stage,
    /// What it is doing, or about to do.
    doing: Vec<TaskId>,
    /// How many tasks it does at once.
    room: usize,
    /// What it said when it could not go on.
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Ready,
    Gone,
}

impl Worker {
    /// What counts when tasks are handed out.
    fn crew(&self) -> Option<hand_out::Crew> {
        let crew = hand_out::Crew { ready: self.stage == Stage::Ready, has: self.doing.len(), room: self.room };
        (self.stage != Stage::Gone).then_some(crew)
    }
}

struct Pool<'a, 'i> {
    first: &'a First,
    main: &'a mut WorkerHost<'i>,
    workers: Vec<Worker>,
    server: Option<Server>,
    tracker: Option<Tracker>,
    tasks: VecDeque<TaskId>,
    /// What CPython would have computed here.
    owed: Owed,
}

/// Does all tasks. With main's lock held.
pub(super) fn run(first: &First, main: &mut WorkerHost) {
    let tasks = (0..first.load.tasks).map(TaskId).collect();
    first.start(main);
    let mut pool =
        Pool { first, main, workers: Vec::new(), server: None, tracker: None, tasks, owed: Owed::from_now() };
    pool.start();
    while pool.hand_out() {
        pool.listen();
    }
    for task in std::mem::take(&mut pool.tasks) {
        pool.done(task, TaskOutcome::Killed("no worker was left to do it".to_owned()));
    }
    first.finished_beside(pool.processes());
    pool.dismiss();
}

fn refused(error: impl Into<std::io::Error>) -> String {
    format!("the system refused the process: {}", error.into())
}

impl Pool<'_, '_> {
    /// Gives tasks to those who have room. Whether there is anything left to wait for.
    fn hand_out(&mut self) -> bool {
        while let Some(worker) = hand_out::next(self.workers.iter().map(Worker::crew), self.tasks.len()) {
            let task = self.tasks.pop_front().expect("nobody is to have one of none");
            self.hand(worker, task);
        }
        let busy = self.workers.iter().any(|worker| !worker.doing.is_empty());
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
            Ok(()) => worker.doing.push(task),
            Err(text) => self.done(task, TaskOutcome::Error { text, line: Line::NONE }),
        }
    }

    /// Waits, without the lock, until somebody has said something whole, and then hears them all.
    fn listen(&mut self) {
        let (first, workers) = (self.first, &mut self.workers);
        let mut server = self.server.as_mut().filter(|server| server.along.is_none());
        let mut tracker = self.tracker.as_mut().filter(|tracker| tracker.alive);
        let (ready, server_ready, tracker_ready) = self.main.without_lock(State::Io, Detail::Pipe, || {
            loop {
                // Looked at before waiting: what one said twice may have been read at once.
                let mut ready = Vec::new();
                for (number, worker) in workers.iter_mut().enumerate().filter(|(_, it)| it.stage != Stage::Gone) {
                    if is_ready(&mut worker.channel) {
                        ready.push(number);
                    }
                }
                let server_ready = server.as_mut().is_some_and(|server| is_ready(&mut server.channel));
                let tracker_ready = tracker.as_mut().is_some_and(|tracker| is_ready(&mut tracker.channel));
                if server_ready || tracker_ready || !ready.is_empty() {
                    return (ready, server_ready, tracker_ready);
                }
                let alive = workers.iter().filter(|worker| worker.stage != Stage::Gone);
                let alive = alive.map(|worker| worker.channel.wanted());
                let helpers = server.iter().map(|server| server.channel.wanted());
                let helpers = helpers.chain(tracker.iter().map(|tracker| tracker.channel.wanted()));
                first.reporter.wait(alive.chain(helpers));
            }
        });
        if server_ready {
            self.hear_server();
        }
        if tracker_ready {
            self.hear_tracker();
        }
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
                if let Some(process) = &worker.process {
                    process.kill();
                }
                self.bury(number);
            }
        }
    }

    fn heard(&mut self, number: usize, reply: Reply, body: &[u8]) {
        let worker = &mut self.workers[number];
        match reply {
            Reply::Ready => worker.stage = Stage::Ready,
            Reply::Returned(task) => {
                worker.doing.retain(|doing| *doing != task);
                self.main.enter(State::Unpickling, Detail::None);
                let result = pickles::result(body);
                self.main.enter(State::Running, Detail::None);
                self.done(task, told(result));
            }
            Reply::Raised { task, text, line } => {
                worker.doing.retain(|doing| *doing != task);
                self.done(task, TaskOutcome::Error { text, line });
            }
            Reply::Failed(why) => worker.failure = Some(why),
            Reply::Forked { .. } | Reply::NotForked { .. } | Reply::Gone { .. } => {}
        }
    }

    /// A worker is gone, or going this instant: what became of it is told, and of its tasks.
    fn bury(&mut self, number: usize) {
        let exit = self.exit_by_server(number);
        let worker = &mut self.workers[number];
        let how = match (&mut worker.process, exit) {
            (Some(process), Some(Ok(exit))) => process.ended(exit),
            (Some(process), None) => process.wait(),
            (None, Some(Ok(_)) | None) => LaneEnd::Failed("the process was never seen".to_owned()),
            (_, Some(Err(end))) => LaneEnd::Failed(end),
        };
        let how = worker.failure.take().map_or(how, LaneEnd::Failed);
        worker.stage = Stage::Gone;
        let (lanes, tasks) = (worker.lanes.clone(), std::mem::take(&mut worker.doing));
        for task in tasks {
            self.done(task, TaskOutcome::Killed(how.of_its_task()));
        }
        for lane in lanes {
            if !how.is_done() {
                // One that ends in order says so itself.
                self.main.record_for(lane, DONE);
            }
            self.first.lane_ended(lane, how.clone());
        }
    }

    /// Those that are there, by their numbers.
    fn processes(&self) -> Vec<u32> {
        let workers = self.workers.iter().filter(|worker| worker.stage != Stage::Gone);
        let workers = workers.filter_map(|worker| worker.process.as_ref());
        let server = self.server.as_ref().filter(|server| server.along.is_none()).map(|server| &server.process);
        let tracker = self.tracker.as_ref().filter(|tracker| tracker.alive).map(|tracker| &tracker.process);
        workers.chain(server).chain(tracker).map(Offspring::number).collect()
    }

    /// Sends everyone home and waits until they are gone, who serves the others last.
    fn dismiss(&mut self) {
        for worker in self.workers.iter_mut().filter(|worker| worker.stage != Stage::Gone) {
            // Whoever cannot be told is dying, which is just as well.
            let _ = worker.channel.send(&Request::End, b"");
        }
        while self.workers.iter().any(|worker| worker.stage != Stage::Gone) {
            self.listen();
        }
        if let Some(server) = &mut self.server
            && server.along.is_none()
        {
            let _ = server.channel.send(&Request::End, b"");
        }
        while self.server.as_ref().is_some_and(|server| server.along.is_none()) {
            self.listen();
        }
        if let Some(tracker) = self.tracker.as_mut().filter(|tracker| tracker.alive) {
            tracker.dismiss();
        }
        while self.tracker.as_ref().is_some_and(|tracker| tracker.alive) {
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

/// Whether a channel has something to tell, an error being something.
fn is_ready(channel: &mut Channel) -> bool {
    channel.flush().is_err() || channel.is_ready().unwrap_or(true)
}
