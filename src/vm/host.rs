//! What the evaluation loop asks of the interpreter it runs in.

use std::sync::atomic::AtomicU32;

use crate::event::{Detail, EventKind, LaneId, Line, Nanos, State};

/// Where the loop looks at the eval breaker (CPython's `Python/ceval.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Rules {
    /// Before nearly every instruction, as CPython 3.9 and earlier do.
    V3_9,
    /// At `RESUME`, backward jumps and calls, as CPython 3.10 and later do.
    #[default]
    V3_10,
}

/// Takes down what happens while the GIL is left to others.
pub type Note<'n> = dyn FnMut(EventKind) + 'n;

/// The run is being ended: unwind without running any more of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// What the lane of a task does now, as the event loop that runs the task tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its task could go on, and could have since then.
    Ready {
        /// When it was woken.
        since: Nanos,
    },
    /// It has the loop.
    Running,
    /// It awaits, and the loop has itself back.
    Suspended,
    /// It has nothing more to do, and the loop has itself back.
    Over,
}

/// The interpreter as one of its threads sees it. The evaluation loop knows
/// neither the lock nor the recorder, only this.
///
/// Every method is called by the thread that runs the loop, with the GIL held
/// (where there is one); [`Host::release`] gives it up for the length of a
/// closure and has it again when it returns.
pub trait Host {
    /// Non-zero when somebody wants something of this thread. Looked at, relaxed, at every safe point.
    fn breaker(&self) -> &AtomicU32;

    /// Whether threads run Python side by side, since there is no GIL.
    fn is_free_threaded(&self) -> bool {
        false
    }

    /// Called at a safe point whose breaker was non-zero: drop the GIL if asked to, take it back, go on.
    fn safe_point(&mut self, line: Line) -> Result<(), Stopped>;

    /// Called every few microseconds of work, at a safe point: reads the clock.
    fn heartbeat(&mut self, line: Line);

    /// So many more instructions are done: told before each heartbeat of the loop and when it ends. Loops count by the
    /// length of what is jumped back over, calls by a flat price.
    fn worked(&mut self, _instructions: u64) {}

    /// Something happened that is not a change of state: what was done to an object of the program's.
    fn note(&mut self, _line: Line, _kind: EventKind) {}

    /// [`Host::release`] for what happens to such an object meanwhile: it is to be told to what the closure is given.
    fn release_noting<R>(
        &mut self,
        state: State,
        detail: Detail,
        line: Line,
        blocking: impl FnOnce(&mut Note<'_>) -> R,
    ) -> R {
        self.release(state, detail, line, || blocking(&mut |_| ()))
    }

    /// Leaves the GIL to others while `blocking` runs, in the state given.
    fn release<R>(&mut self, state: State, detail: Detail, line: Line, blocking: impl FnOnce() -> R) -> R;

    /// What the program printed.
    fn print(&mut self, text: &str);

    /// What the lane of a task does now. For hosts to whom tasks are nothing to be shown it is nothing.
    fn coroutine(&mut self, _lane: LaneId, _turn: Turn) {}

    /// Where the loop keeps its place, for a sampler to read: the index of the instruction in the program.
    fn place(&self) -> &AtomicU32;
}

/// A host is lent to a thread for as long as it runs something.
impl<H: Host> Host for &mut H {
    fn breaker(&self) -> &AtomicU32 {
        (**self).breaker()
    }

    fn is_free_threaded(&self) -> bool {
        (**self).is_free_threaded()
    }

    fn safe_point(&mut self, line: Line) -> Result<(), Stopped> {
        (**self).safe_point(line)
    }

    fn heartbeat(&mut self, line: Line) {
        (**self).heartbeat(line);
    }

    fn worked(&mut self, instructions: u64) {
        (**self).worked(instructions);
    }

    fn note(&mut self, line: Line, kind: EventKind) {
        (**self).note(line, kind);
    }

    fn release_noting<R>(
        &mut self,
        state: State,
        detail: Detail,
        line: Line,
        blocking: impl FnOnce(&mut Note<'_>) -> R,
    ) -> R {
        (**self).release_noting(state, detail, line, blocking)
    }

    fn release<R>(&mut self, state: State, detail: Detail, line: Line, blocking: impl FnOnce() -> R) -> R {
        (**self).release(state, detail, line, blocking)
    }

    fn print(&mut self, text: &str) {
        (**self).print(text);
    }

    fn coroutine(&mut self, lane: LaneId, turn: Turn) {
        (**self).coroutine(lane, turn);
    }

    fn place(&self) -> &AtomicU32 {
        (**self).place()
    }
}
