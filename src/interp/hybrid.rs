//! A process of several threads under one lock, as Gunicorn's `gthread` workers
//! are: a copy of the master whose main thread hands what arrives to a pool.
//!
//! The main thread touches no Python object and so never needs the lock: it
//! reads pickles from the channel and queues them as they are. Each thread
//! unpickles, works, pickles and answers for itself.
//!
//! # Who gets what arrives
//! Gunicorn's workers accept from one listening socket, and whoever is idle is
//! woken; in the driver that runs workloads in a real CPython the threads of
//! all processes count up one number. Either way tasks go where there is
//! somebody to begin them: a thread beside one that computes waits for its
//! process's lock before it can even ask, and meanwhile another process has
//! asked. So the master hands out breadth first, to the process with the
//! fewest tasks, and counts one that is just coming up as if it were there
//! (see [`super::hand_out`]). Not chosen: as many as there are threads to
//! whoever is up first. With no more tasks than one process has threads that
//! process would do them all, and the other cores nothing.

use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crossbeam::channel::{Receiver, unbounded};

use super::channel::Channel;
use super::child::FAILED;
use super::host::WorkerHost;
use super::interpreter::{Interpreter, interpreter_failed};
use super::message::{Reply, Request, WORKER_LIMIT};
use super::spawn::birth_ordered;
use super::start_up::work_until;
use super::threads::STACK;
use super::worker;
use crate::event::{Detail, LockId, Nanos, State, TaskId};
use crate::model::LanePlan;

/// What the threads share.
struct Pool<'a> {
    interpreter: &'a Interpreter,
    calls: Receiver<(TaskId, Vec<u8>)>,
    /// For writing only; the main thread reads from the same socket by a channel of its own.
    answers: Mutex<Channel>,
}

/// Lives in the copy: does tasks, as many at once as it has threads, until told to end. `lanes` begins with the main
/// thread's.
pub(super) fn live(
    parent: &Interpreter,
    record: bool,
    lanes: &[&LanePlan],
    lock: LockId,
    socket: OwnedFd,
) -> Result<(), String> {
    let interpreter = parent.copied(Some(lock));
    let [main_lane, lanes @ ..] = lanes else { return Err("a process without a lane is not planned for".to_owned()) };
    let mut main = interpreter.host(main_lane.id);
    let price = interpreter.costs().fork.cpu();
    if price > Nanos::ZERO {
        main.take(State::Starting);
        worker::bootstrap(&mut main, price);
        main.drop_to(State::Starting, Detail::Prepare);
    }
    let copy = socket.as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let (queue, calls) = unbounded();
    let answers = Mutex::new(Channel::new(copy, WORKER_LIMIT));
    let mut orders = Channel::new(socket, WORKER_LIMIT);
    let pool = Pool { interpreter: &interpreter, calls, answers };
    std::thread::scope(|scope| {
        for lane in lanes {
            if record {
                birth_ordered(&interpreter.rings().ring(lane.id.0), lane.id);
            }
            let thread = std::thread::Builder::new().name(lane.name.clone()).stack_size(STACK);
            let pool = &pool;
            if let Err(error) = thread.spawn_scoped(scope, move || pool.live(lane)) {
                pool.give_up(format!("the system refused the thread: {error}"));
            }
        }
        main.enter(State::Io, Detail::Pipe);
        pool.say(&Reply::Ready, b"");
        while let (Request::Task(task), call) = worker::next(&mut orders) {
            queue.send((task, call)).expect("the receiver is in the pool");
        }
        drop(queue);
        main.enter(State::WaitingLock, Detail::Join);
    });
    Ok(())
}

impl Pool<'_> {
    /// The life of a thread.
    fn live(&self, lane: &LanePlan) {
        let mut host = self.interpreter.host(lane.id);
        host.enter(State::Starting, Detail::Init);
        work_until(self.interpreter.costs().thread.cpu());
        let end = catch_unwind(AssertUnwindSafe(|| self.work(&mut host)));
        drop(host);
        if let Err(panic) = end {
            self.give_up(interpreter_failed(&*panic));
        }
    }

    fn work(&self, host: &mut WorkerHost) {
        host.enter(State::Idle, Detail::None);
        while let Ok((task, call)) = self.calls.recv() {
            host.take(State::Unpickling);
            let (reply, body) = worker::do_task(self.interpreter, host, task, &call);
            host.drop_to(State::Io, Detail::Pipe);
            self.say(&reply, &body);
            host.enter(State::Idle, Detail::None);
        }
    }

    fn say(&self, reply: &Reply, body: &[u8]) {
        worker::say(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner), reply, body);
    }

    /// A process that lacks a thread would leave tasks undone: it goes as a whole, and says why.
    fn give_up(&self, why: String) -> ! {
        self.say(&Reply::Failed(why), b"");
        std::process::exit(FAILED.into())
    }
}
