//! The resource tracker: one more interpreter, which does no task, after CPython's `multiprocessing.resource_tracker`.
//!
//! The queues of a pool of processes are made with named semaphores where its workers are no plain copies of their maker.
//! The first of these starts the tracker, which removes what of them is left behind: a Python of its own, ordered just
//! before the workers, that takes a core from them while all come up. From then on it reads from a pipe and sleeps.
//!
//! The miniature has no semaphores to remove. What it has in common with CPython is that core.

use super::message::Request;
use super::spawn::Born;
use super::worker;
use crate::event::{Detail, State};

/// The life of it: is set up, and then waits for its end.
pub(super) fn live(born: Born) -> Result<(), String> {
    worker::boot(born, |costs| costs.tracker)?.live(|_, host, channel| {
        host.take(State::Starting);
        host.drop_to(State::Io, Detail::Pipe);
        while worker::next(channel).0 != Request::End {}
        Ok(())
    })
}
