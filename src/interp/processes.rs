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

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use super::channel::{Channel, ChannelError, Received};
use super::first::First;
use super::fork::fork;
use super::host::WorkerHost;
use super::interpreter::told;
use super::message::{LaneEnd, Reply, Report, Request, TaskOutcome, WORKER_LIMIT};
use super::offspring::Offspring;
use super::spawn::{Birth, DONE, Group, birth_ordered};
use super::start_up::Owed;
use super::tracker::Tracker;
use super::{hand_out, hybrid, pickles, worker};
use crate::event::{Detail, LaneId, Line, LockId, State, TaskId};
use crate::model::{self, LanePlan, Role, Start};
use crate::program::{Exit, this_program};

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

/// The forkserver as the first process knows it.
struct Server {
    lane: LaneId,
    process: Offspring,
    channel: Channel,
    /// Workers to be asked for as soon as it is ready: the lane, and what the worker is to have.
    wanted: Vec<(LaneId, LockId, [OwnedFd; 2])>,
    /// How its workers ended.
    exits: BTreeMap<LaneId, Exit>,
    failure: Option<String>,
    /// How it ended, once it has.
    end: Option<LaneEnd>,
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
    first.finished();
    pool.dismiss();
}

fn refused(error: impl Into<std::io::Error>) -> String {
    format!("the system refused the process: {}", error.into())
}

impl Pool<'_, '_> {
    /// Starts all workers, none waiting for another to be ready.
    fn start(&mut self) {
        let (plan, costs) = (&self.first.load.plan, &self.first.load.costs);
        self.owed.pay(costs.pool.init_ns + costs.pool.import_ns);
        let start = match plan.pool {
            model::Pool::Processes { start, .. } => start,
            // Gunicorn's master forks.
            _ => Start::Fork,
        };
        if let Some(lane) = plan.tracker() {
            match self.start_tracker(lane) {
                Ok(tracker) => self.tracker = Some(tracker),
                Err(why) => self.never_born(&[lane.id], &why),
            }
        }
        if let Some(lane) = plan.forkserver() {
            match self.start_server(lane) {
                Ok(server) => self.server = Some(server),
                Err(why) => self.never_born(&[lane.id], &why),
            }
        }
        let mut processes: Vec<u32> = plan.workers().map(|lane| lane.process).collect();
        processes.dedup();
        for process in processes {
            let lanes: Vec<&LanePlan> = plan.lanes_of(process).collect();
            match self.start_one(start, &lanes) {
                Ok(worker) => self.workers.push(worker),
                Err(why) => self.never_born(&lanes.iter().map(|lane| lane.id).collect::<Vec<_>>(), &why),
            }
        }
        self.owed.pay(costs.pool.prepare_ns);
    }

    fn never_born(&mut self, lanes: &[LaneId], why: &str) {
        for lane in lanes {
            self.main.record_for(*lane, DONE);
            self.first.lane_ended(*lane, LaneEnd::Failed(why.to_owned()));
        }
    }

    fn start_one(&mut self, start: Start, lanes: &[&LanePlan]) -> Result<Worker, String> {
        let main_thread = lanes[0];
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let (mut process, mut stderr) = (None, None);
        match start {
            Start::Spawn => process = Some(self.spawn("worker", main_thread, theirs, &mut channel)?),
            Start::Fork => process = Some(self.fork(lanes, theirs)?),
            Start::Forkserver => {
                let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
                let server = self.server.as_mut().ok_or("there is no forkserver to make it")?;
                let lock = main_thread.lock.ok_or("a process without a lock is not planned for")?;
                if self.first.load.record {
                    birth_ordered(&self.first.rings.ring(main_thread.id.0), main_thread.id);
                }
                self.owed.pay(self.first.load.costs.forkserver.order_ns);
                server.wanted.push((main_thread.id, lock, [theirs, writer]));
                stderr = Some(reader);
            }
        }
        if let Some(process) = &process {
            let pid = process.number();
            lanes.iter().for_each(|lane| self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid }));
        }
        if start == Start::Forkserver {
            self.send_preparation(&mut channel)?;
        }
        let threads = lanes.iter().filter(|lane| lane.role == Role::Worker).count();
        let (lanes, stage) = (lanes.iter().map(|lane| lane.id).collect(), Stage::Starting);
        Ok(Worker { lanes, process, stderr, channel, stage, doing: Vec::new(), room: threads, failure: None })
    }

    /// Executes this program anew, and tells the new process what it is to load and to be.
    fn spawn(
        &mut self,
        role: &str,
        lane: &LanePlan,
        theirs: OwnedFd,
        channel: &mut Channel,
    ) -> Result<Offspring, String> {
        let child = self.boot(role, lane, theirs, channel, &self.first.source)?;
        self.send_preparation(channel)?;
        Ok(child)
    }

    /// Executes this program anew, and tells the new process what it is to load.
    fn boot(
        &mut self,
        role: &str,
        lane: &LanePlan,
        theirs: OwnedFd,
        channel: &mut Channel,
        source: &[u8],
    ) -> Result<Offspring, String> {
        let First { load, rings, .. } = self.first;
        let (program, record) = (this_program(), load.record);
        let birth =
            Birth { program: &program, role, lane: lane.id, channel: theirs, rings, record, group: Group::Makers };
        let price = match role {
            "server" => load.costs.server,
            "tracker" => load.costs.tracker,
            _ => load.costs.spawn,
        };
        let child = birth.order(|| self.owed.pay(price.order_ns)).map_err(refused)?;
        let child = Offspring::from(child);
        let lock = lane.lock.ok_or("a process without a lock is not planned for")?;
        let boot =
            Request::Boot { file: load.file.clone(), rules: load.rules, lock, costs: Box::new(load.costs), record };
        channel.send(&boot, source).map_err(|error| error.to_string())?;
        Ok(child)
    }

    fn send_preparation(&mut self, channel: &mut Channel) -> Result<(), String> {
        let name = &self.first.load.name;
        let preparation = self.pickling(|| pickles::preparation("work", name))?;
        channel.send(&Request::Prepare, &preparation).map_err(|error| error.to_string())
    }

    /// Copies this process, with the lock held, as `os.fork` does.
    fn fork(&mut self, lanes: &[&LanePlan], theirs: OwnedFd) -> Result<Offspring, String> {
        let First { load, rings, interpreter, .. } = self.first;
        let lane = lanes[0].id;
        let lock = lanes[0].lock.ok_or("a process without a lock is not planned for")?;
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
        if load.record {
            birth_ordered(&rings.ring(lane.0), lane);
        }
        self.owed.pay(load.costs.fork.order_ns);
        let hybrid = matches!(load.plan.pool, model::Pool::Hybrid { .. });
        let pid = fork(theirs, rings, writer.as_fd(), |socket| match hybrid {
            true => hybrid::live(interpreter, load.record, lanes, lock, socket),
            false => worker::live_copied(interpreter, lane, lock, socket, false),
        });
        Ok(Offspring::new(pid.map_err(refused)?, reader))
    }

    fn start_server(&mut self, lane: &LanePlan) -> Result<Server, String> {
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let process = self.spawn("server", lane, theirs, &mut channel)?;
        self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid: process.number() });
        let (wanted, exits) = (Vec::new(), BTreeMap::new());
        Ok(Server { lane: lane.id, process, channel, wanted, exits, failure: None, end: None })
    }

    fn start_tracker(&mut self, lane: &LanePlan) -> Result<Tracker, String> {
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let process = self.boot("tracker", lane, theirs, &mut channel, b"")?;
        self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid: process.number() });
        Ok(Tracker::new(lane.id, process, channel))
    }

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
        let mut server = self.server.as_mut().filter(|server| server.end.is_none());
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

    /// Hears one word of the forkserver's.
    fn hear_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        match server.channel.receive() {
            Ok(Received::Message(reply, _)) => self.server_said(reply),
            Ok(Received::Nothing) => {}
            Ok(Received::Closed) => self.server_gone(),
            Err(error) => {
                server.failure = Some(error.to_string());
                server.process.kill();
                self.server_gone();
            }
        }
    }

    /// Hears one word of the tracker's. What is done needs it no more once it is up.
    fn hear_tracker(&mut self) {
        let Some(tracker) = &mut self.tracker else { return };
        let lane = tracker.lane;
        if let Some(how) = tracker.hear() {
            if !how.is_done() {
                self.main.record_for(lane, DONE);
            }
            self.first.lane_ended(lane, how);
        }
    }

    fn server_said(&mut self, reply: Reply) {
        let Some(server) = &mut self.server else { return };
        match reply {
            Reply::Ready => {
                for (lane, lock, [channel, stderr]) in std::mem::take(&mut server.wanted) {
                    let descriptors = [channel.as_fd(), stderr.as_fd()];
                    if let Err(error) = server.channel.send_with(&Request::Fork { lane, lock }, descriptors) {
                        // The worker's channel closes with this, and so it is missed.
                        server.failure = Some(error.to_string());
                    }
                }
            }
            Reply::Forked { lane, pid } => {
                let worker = self.workers.iter_mut().find(|worker| worker.lanes[0] == lane);
                let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
                if let (Some(worker), Some(number)) = (worker, number) {
                    worker.process = worker.stderr.take().map(|stderr| Offspring::new(number, stderr));
                }
                self.first.reporter.tell(&Report::WorkerBorn { lane, pid });
            }
            Reply::NotForked { lane, why } => {
                if let Some(worker) = self.workers.iter_mut().find(|worker| worker.lanes[0] == lane) {
                    worker.failure = Some(why);
                }
                server.exits.insert(lane, Exit::Status(0));
            }
            Reply::Gone { lane, exit } => drop(server.exits.insert(lane, exit)),
            Reply::Failed(why) => server.failure = Some(why),
            Reply::Returned(_) | Reply::Raised { .. } => {}
        }
    }

    /// The forkserver has closed its channel: it is gone, or going this instant. Its workers go with it.
    fn server_gone(&mut self) {
        let Some(server) = &mut self.server else { return };
        // Whoever was still to be made is not.
        server.wanted.clear();
        let how = server.process.wait();
        let how = server.failure.take().map_or(how, LaneEnd::Failed);
        let lane = server.lane;
        server.end = Some(how.clone());
        if !how.is_done() {
            self.main.record_for(lane, DONE);
        }
        self.first.lane_ended(lane, how);
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

    /// How a worker went, as its forkserver says, waiting for its word; or what to say if that is gone as well.
    /// `None`: it is our own child.
    fn exit_by_server(&mut self, number: usize) -> Option<Result<Exit, String>> {
        let lane = self.workers[number].lanes[0];
        loop {
            let server = self.server.as_mut()?;
            if let Some(exit) = server.exits.get(&lane) {
                return Some(Ok(*exit));
            }
            if let Some(end) = &server.end {
                return Some(Err(format!("ended with the forkserver that made it, which was {end}")));
            }
            let heard = self.main.without_lock(State::Io, Detail::Pipe, || server.channel.receive_waiting());
            match heard {
                Ok(Some((reply, _))) => self.server_said(reply),
                Ok(None) => self.server_gone(),
                Err(error) => self.server_failed(&error),
            }
        }
    }

    fn server_failed(&mut self, error: &ChannelError) {
        if let Some(server) = &mut self.server {
            server.failure = Some(error.to_string());
            server.process.kill();
        }
        self.server_gone();
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
            && server.end.is_none()
        {
            let _ = server.channel.send(&Request::End, b"");
        }
        while self.server.as_ref().is_some_and(|server| server.end.is_none()) {
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
