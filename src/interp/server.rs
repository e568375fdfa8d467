//! The forkserver: a process that is started for being copied, after CPython's
//! `multiprocessing.forkserver`.
//!
//! It is born as a spawned process is and loads the module once. Then it waits
//! for requests, each with the descriptors of a worker to be (its channel and
//! its standard error), and answers each with a copy of itself. It has one
//! thread for all its life, so a copy of it is whole even where the process
//! that asks has threads. The workers are its children: they die with it, and
//! it alone can hear how they ended, which it passes on.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::channel::{Channel, Received, wait};
use super::child::ORPHANED;
use super::fork::fork;
use super::host::WorkerHost;
use super::interpreter::Interpreter;
use super::message::{Reply, Request};
use super::spawn::{Born, birth_ordered};
use super::start_up::work_until;
use super::worker;
use crate::event::{Detail, LaneId, LockId, State};
use crate::program::reap;

/// A worker it made.
struct Made {
    lane: LaneId,
    pid: Pid,
    /// Readable when it is gone.
    gone: OwnedFd,
}

/// Is set up, makes workers until told to end.
pub(super) fn live(born: Born) -> Result<(), String> {
    worker::boot(born, |costs| costs.server)?.live(|interpreter, host, channel| {
        worker::prepare(interpreter, host, channel)?;
        work_until(interpreter.costs().server.cpu());
        host.drop_to(State::Io, Detail::Pipe);
        worker::say(channel, &Reply::Ready, b"");
        serve(interpreter, host, channel)
    })
}

fn serve(interpreter: &Interpreter, host: &mut WorkerHost, channel: &mut Channel) -> Result<(), String> {
    let mut made: Vec<Made> = Vec::new();
    loop {
        match channel.receive().map_err(|error| error.to_string())? {
            Received::Message(Request::Fork { lane, lock }, _) => {
                host.take(State::Running);
                let reply = match make(interpreter, channel, lane, lock) {
                    Ok(worker) => {
                        let pid = worker.pid.as_raw_nonzero().get().unsigned_abs();
                        made.push(worker);
                        Reply::Forked { lane, pid }
                    }
                    Err(why) => Reply::NotForked { lane, why },
                };
                host.drop_to(State::Io, Detail::Pipe);
                worker::say(channel, &reply, b"");
            }
            Received::Message(Request::End, _) => return Ok(()),
            Received::Message(..) => return Err("a forkserver was asked for something else".to_owned()),
            Received::Closed => std::process::exit(ORPHANED),
            Received::Nothing => listen(channel, &mut made)?,
        }
    }
}

/// Waits for a request or for the end of a worker, and tells of the latter.
fn listen(channel: &mut Channel, made: &mut Vec<Made>) -> Result<(), String> {
    let mut wanted = vec![PollFd::new(&*channel, PollFlags::IN)];
    wanted.extend(made.iter().map(|worker| PollFd::new(&worker.gone, PollFlags::IN)));
    wait(&mut wanted, None).map_err(|error| error.to_string())?;
    let gone: Vec<bool> = wanted[1..].iter().map(|worker| !worker.revents().is_empty()).collect();
    drop(wanted);
    let mut gone = gone.into_iter();
    made.retain(|worker| {
        let gone = gone.next() == Some(true);
        if gone && let Ok(exit) = reap(worker.pid) {
            worker::say(channel, &Reply::Gone { lane: worker.lane, exit }, b"");
        }
        !gone
    });
    Ok(())
}

/// Answers a request: the worker is there when this returns.
fn make(interpreter: &Interpreter, channel: &mut Channel, lane: LaneId, lock: LockId) -> Result<Made, String> {
    let [socket, stderr] = channel.take_descriptors().ok_or("a request came without its descriptors")?;
    let refused = |error: std::io::Error| format!("the system refused the process: {error}");
    let rings = interpreter.rings();
    // Now, not when the worker was asked for: until the server was up, nobody was there who wanted a core.
    if interpreter.records() {
        birth_ordered(&rings.ring(lane.0), lane);
    }
    let pid = fork(socket, rings, stderr.as_fd(), |socket| worker::live_copied(interpreter, lane, lock, socket, true));
    let pid = pid.map_err(refused)?;
    let gone = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| refused(error.into()))?;
    Ok(Made { lane, pid, gone })
}
