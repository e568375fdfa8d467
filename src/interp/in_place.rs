//! The pool that is none: the first process's own main thread does one task after another.

use super::first::First;
use super::host::WorkerHost;
use super::interpreter::told;
use super::message::Report;
use crate::event::TaskId;

/// Does all tasks. With the lock held.
pub(super) fn run(first: &First, main: &mut WorkerHost) {
    first.start(main);
    for task in (0..first.load.tasks).map(TaskId) {
        let args = first.interpreter.arguments(&first.args, task);
        let result = first.interpreter.task(main, task, "work", args);
        first.reporter.tell(&Report::TaskDone { task, outcome: told(result) });
    }
    first.finished();
}
