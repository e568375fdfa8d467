//! A worker process: an interpreter that is told everything by pickle.
//!
//! The birth of a spawned one has the steps of CPython's `spawn`: the fork and the exec were
//! recorded by its maker; here follow the interpreter's set-up (`init`), the
//! module's source read and compiled (`import`), the preparation data
//! unpickled, and the main module run as `__mp_main__` (`prepare`), so that
//! what stands under its guard is not run again. One that is a copy of another
//! process (`fork`, `forkserver`) has nothing of this to do.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::channel::Channel;
use super::child::ORPHANED;
use super::host::WorkerHost;
use super::interpreter::{Failure, Interpreter, Settings, interpreter_failed};
use super::message::{Reply, Request, WORKER_LIMIT};
use super::pickles;
use super::spawn::Born;
use super::start_up::work_until;
use crate::calibration::{Costs, Phases};
use crate::event::{Detail, EventKind, LaneId, Line, LockId, Nanos, State, TaskId};
use crate::record::{Recorder, Rings};

/// What `multiprocessing.spawn.prepare` calls the main module.
const MAIN: &str = "__mp_main__";

/// An interpreter that was set up in a new process.
pub(super) struct Booted {
    lane: LaneId,
    interpreter: Interpreter,
    channel: Channel,
}

/// Sets an interpreter up, as the maker says: the steps `init` and `import`.
///
/// `price` finds its own price among those of all births.
pub(super) fn boot(born: Born, price: fn(&Costs) -> Phases) -> Result<Booted, String> {
    let rings = Rings::open(born.rings).map_err(|error| error.to_string())?;
    let lane = born.lane;
    let mut recorder = if born.record { Recorder::new(&rings, lane.0, lane) } else { Recorder::off() };
    recorder.record(Line::NONE, EventKind::State { to: State::Starting, detail: Detail::Init });
    let mut channel = Channel::new(born.channel, WORKER_LIMIT);
    let (Request::Boot { file, rules, lock, costs, record }, source) = next(&mut channel) else {
        return Err("nobody said what to boot".to_owned());
    };
    let (costs, price) = (*costs, price(&costs));
    work_until(price.init_ns);
    recorder.record(Line::NONE, EventKind::State { to: State::Starting, detail: Detail::Import });
    let settings = Settings { lock: Some(lock), rules, rings, costs, record };
    let interpreter = Interpreter::new(&String::from_utf8_lossy(&source), &file, MAIN, settings);
    work_until(price.init_ns + price.import_ns);
    match interpreter {
        Ok(interpreter) => Ok(Booted { lane, interpreter, channel }),
        Err(why) => {
            say(&mut channel, &Reply::Failed(why.clone()), b"");
            Err(why)
        }
    }
}

impl Booted {
    /// Lives on with it; a failure is told to the maker.
    pub(super) fn live(
        self,
        life: impl FnOnce(&Interpreter, &mut WorkerHost, &mut Channel) -> Result<(), String>,
    ) -> Result<(), String> {
        let Booted { lane, interpreter, mut channel } = self;
        let mut host = interpreter.host(lane);
        let end = catch_unwind(AssertUnwindSafe(|| life(&interpreter, &mut host, &mut channel)));
        drop(host);
        let _ = std::io::stdout().flush();
        let end = end.unwrap_or_else(|panic| Err(interpreter_failed(&*panic)));
        if let Err(why) = &end {
            say(&mut channel, &Reply::Failed(why.clone()), b"");
        }
        end
    }
}

/// A spawned worker: is set up and prepared, does tasks until told to end.
pub(super) fn live(born: Born) -> Result<(), String> {
    boot(born, |costs| costs.spawn)?.live(|interpreter, host, channel| {
        prepare(interpreter, host, channel)?;
        work_until(interpreter.costs().spawn.cpu() + interpreter.imports());
        host.drop_to(State::Idle, Detail::None);
        serve(interpreter, host, channel)
    })
}

/// A worker that is a copy of `parent`'s process, in that copy: it has the module already, with all its globals.
/// The copy of a forkserver gets the preparation data, as in CPython; the copy of main needs none.
pub(super) fn live_copied(
    parent: &Interpreter,
    lane: LaneId,
    lock: LockId,
    socket: OwnedFd,
    prepared: bool,
) -> Result<(), String> {
    let interpreter = parent.copied(Some(lock));
    let channel = Channel::new(socket, WORKER_LIMIT);
    Booted { lane, interpreter, channel }.live(|interpreter, host, channel| {
        // A forkserver of CPython's has not loaded the workload: its copies do.
        let (price, imports) = match prepared {
            true => (interpreter.costs().forkserver, interpreter.imports()),
            false => (interpreter.costs().fork, Nanos::ZERO),
        };
        let price = price.cpu() + imports;
        let takes = prepared || price > Nanos::ZERO;
        if prepared {
            let preparation = preparation(channel)?;
            host.take(State::Unpickling);
            pickles::prepared(&preparation)?;
        } else if takes {
            host.take(State::Starting);
        }
        bootstrap(host, price);
        if takes {
            host.drop_to(State::Idle, Detail::None);
        } else {
            host.enter(State::Idle, Detail::None);
        }
        serve(interpreter, host, channel)
    })
}

/// What CPython runs in a copy before its first task, where that is to cost something. With the lock held.
pub(super) fn bootstrap(host: &mut WorkerHost, price: Nanos) {
    if price > Nanos::ZERO {
        host.enter(State::Starting, Detail::Prepare);
        work_until(price);
    }
}

/// The preparation data, waiting for them.
fn preparation(channel: &mut Channel) -> Result<Vec<u8>, String> {
    match next(channel) {
        (Request::Prepare, preparation) => Ok(preparation),
        _ => Err("nobody said what to prepare".to_owned()),
    }
}

/// Unpickles the preparation data and runs the module's body: the step `prepare`. With the lock afterwards.
pub(super) fn prepare(interpreter: &Interpreter, host: &mut WorkerHost, channel: &mut Channel) -> Result<(), String> {
    let preparation = preparation(channel)?;
    host.take(State::Unpickling);
    pickles::prepared(&preparation)?;
    interpreter.prepare(host).map_err(Failure::of_loading)
}

/// Does tasks until told to end.
fn serve(interpreter: &Interpreter, host: &mut WorkerHost, channel: &mut Channel) -> Result<(), String> {
    say(channel, &Reply::Ready, b"");
    while let (Request::Task(task), call) = next(channel) {
        host.take(State::Unpickling);
        let (reply, body) = do_task(interpreter, host, task, &call);
        host.drop_to(State::Io, Detail::Pipe);
        say(channel, &reply, &body);
        host.enter(State::Idle, Detail::None);
    }
    Ok(())
}

/// With the lock held: from the pickle of a call to the pickle of its result.
pub(super) fn do_task(interpreter: &Interpreter, host: &mut WorkerHost, task: TaskId, call: &[u8]) -> (Reply, Vec<u8>) {
    match interpreter.answer(host, task, call) {
        Ok(pickle) => (Reply::Returned(task), pickle),
        Err(Failure { text, line }) => (Reply::Raised { task, text, line }, Vec::new()),
    }
}

/// The next request, waiting for it. If there will be none, the process ends.
pub(super) fn next(channel: &mut Channel) -> (Request, Vec<u8>) {
    match channel.receive_waiting() {
        Ok(Some(request)) => request,
        Ok(None) | Err(_) => std::process::exit(ORPHANED),
    }
}

/// Says something and waits until it is heard, or at least taken.
pub(super) fn say(channel: &mut Channel, reply: &Reply, body: &[u8]) {
    if channel.send(reply, body).and_then(|()| channel.flush_waiting()).is_err() {
        std::process::exit(ORPHANED);
    }
}
