//! The resource tracker: one more interpreter, which does no task, after CPython's `multiprocessing.resource_tracker`.
//!
//! The queues of a pool of processes are made with named semaphores where its workers are no plain copies of their maker.
//! The first of these starts the tracker, which removes what of them is left behind: a Python of its own, ordered just
//! before the workers, that takes a core from them while all come up. From then on it reads from a pipe and sleeps.
//!
//! The miniature has no semaphores to remove. What it has in common with CPython is that core.

use super::channel::{Channel, Received};
use super::message::{LaneEnd, Reply, Request};
use super::offspring::Offspring;
use super::spawn::Born;
use super::worker;
use crate::event::{Detail, LaneId, State};

/// The life of it: is set up, and then waits for its end.
pub(super) fn live(born: Born) -> Result<(), String> {
    worker::boot(born, |costs| costs.tracker)?.live(|_, host, channel| {
        host.take(State::Starting);
        host.drop_to(State::Io, Detail::Pipe);
        while worker::next(channel).0 != Request::End {}
        Ok(())
    })
}

/// The tracker as the first process knows it.
pub(super) struct Tracker {
    pub(super) lane: LaneId,
    process: Offspring,
    pub(super) channel: Channel,
    failure: Option<String>,
    /// Whether it is there, as far as is known.
    pub(super) alive: bool,
}

impl Tracker {
    pub(super) fn new(lane: LaneId, process: Offspring, channel: Channel) -> Tracker {
        Tracker { lane, process, channel, failure: None, alive: true }
    }

    /// Sends it home. If it cannot be told, it is dying, which is just as well.
    pub(super) fn dismiss(&mut self) {
        let _ = self.channel.send(&Request::End, b"");
    }

    /// Hears one word of it. How it ended, if it has.
    pub(super) fn hear(&mut self) -> Option<LaneEnd> {
        match self.channel.receive() {
            Ok(Received::Message(Reply::Failed(why), _)) => self.failure = Some(why),
            Ok(Received::Message(..) | Received::Nothing) => {}
            Ok(Received::Closed) => self.alive = false,
            Err(error) => {
                self.failure = Some(error.to_string());
                self.process.kill();
                self.alive = false;
            }
        }
        (!self.alive).then(|| {
            let how = self.process.wait();
            self.failure.take().map_or(how, LaneEnd::Failed)
        })
    }
}
