//! A worker process: a new interpreter that is told everything by pickle.
//!
//! Its birth has the steps of CPython's `spawn`: the fork and the exec were
//! recorded by its maker; here follow the interpreter's set-up (`init`), the
//! module's source read and compiled (`import`), the preparation data
//! unpickled, and the main module run as `__mp_main__` (`prepare`), so that
//! what stands under its guard is not run again.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::channel::Channel;
use super::child::ORPHANED;
use super::host::WorkerHost;
use super::interpreter::{Failure, Interpreter, Settings, interpreter_failed};
use super::message::{Reply, Request, WORKER_LIMIT};
use super::pickles;
use super::spawn::Born;
use crate::event::{Detail, EventKind, Line, State, TaskId};
use crate::record::{Recorder, Rings};

/// What `multiprocessing.spawn.prepare` calls the main module.
const MAIN: &str = "__mp_main__";

/// Is set up, does tasks until told to end.
pub(super) fn live(born: Born) -> Result<(), String> {
    let rings = Rings::open(born.rings).map_err(|error| error.to_string())?;
    let lane = born.lane;
    let mut recorder = if born.record { Recorder::new(&rings, lane.0, lane) } else { Recorder::off() };
    recorder.record(Line::NONE, EventKind::State { to: State::Starting, detail: Detail::Init });
    let mut channel = Channel::new(born.channel, WORKER_LIMIT);
    let (Request::Boot { file, rules, lock, record }, source) = next(&mut channel) else {
        return Err("nobody said what to boot".to_owned());
    };
    recorder.record(Line::NONE, EventKind::State { to: State::Starting, detail: Detail::Import });
    let settings = Settings { lock, rules, rings, record };
    let interpreter = match Interpreter::new(&String::from_utf8_lossy(&source), &file, MAIN, settings) {
        Ok(interpreter) => interpreter,
        Err(why) => return fail(&mut channel, why),
    };
    drop(recorder);
    let mut host = interpreter.host(lane);
    let end = catch_unwind(AssertUnwindSafe(|| work(&interpreter, &mut host, &mut channel)));
    drop(host);
    let _ = std::io::stdout().flush();
    match end {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => fail(&mut channel, why),
        Err(panic) => fail(&mut channel, interpreter_failed(&*panic)),
    }
}

/// Is prepared, then does tasks until told to end.
fn work(interpreter: &Interpreter, host: &mut WorkerHost, channel: &mut Channel) -> Result<(), String> {
    let (Request::Prepare, preparation) = next(channel) else {
        return Err("nobody said what to prepare".to_owned());
    };
    host.take(State::Unpickling);
    pickles::prepared(&preparation)?;
    let prepared = interpreter.prepare(host);
    prepared.map_err(|Failure { text, line }| format!("the file could not be loaded: line {line}: {text}"))?;
    host.drop_to(State::Idle, Detail::None);
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
fn do_task(interpreter: &Interpreter, host: &mut WorkerHost, task: TaskId, call: &[u8]) -> (Reply, Vec<u8>) {
    let result = pickles::called(call).and_then(|(function, args)| {
        host.enter(State::Running, Detail::None);
        interpreter.task(host, task, &function, args)
    });
    let pickled = result.and_then(|value| {
        host.enter(State::Pickling, Detail::None);
        let cannot = |why| Failure::without_line(format!("the result cannot be sent back: {why}"));
        pickles::of(&value).map_err(cannot)
    });
    match pickled {
        Ok(pickle) => (Reply::Returned(task), pickle),
        Err(Failure { text, line }) => (Reply::Raised { task, text, line }, Vec::new()),
    }
}

/// The next request, waiting for it. If there will be none, the process ends.
fn next(channel: &mut Channel) -> (Request, Vec<u8>) {
    match channel.receive_waiting() {
        Ok(Some(request)) => request,
        Ok(None) | Err(_) => std::process::exit(ORPHANED),
    }
}

/// Says something and waits until it is heard, or at least taken.
fn say(channel: &mut Channel, reply: &Reply, body: &[u8]) {
    if channel.send(reply, body).and_then(|()| channel.flush_waiting()).is_err() {
        std::process::exit(ORPHANED);
    }
}

fn fail(channel: &mut Channel, why: String) -> Result<(), String> {
    say(channel, &Reply::Failed(why.clone()), b"");
    Err(why)
}
