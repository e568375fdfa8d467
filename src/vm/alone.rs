//! A host with nobody else in it: no lock, no recorder. It writes down what it is told, for tests and benchmarks.

use std::sync::atomic::AtomicU32;

use super::host::{Host, Stopped, Turn};
use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, LaneId, Line, Nanos, State};

/// See the module.
#[derive(Default)]
pub struct Alone {
    breaker: AtomicU32,
    place: AtomicU32,
    /// How often it was called at a safe point, which is only where the breaker is set.
    pub safe_points: u64,
    /// How many heartbeats there were.
    pub heartbeats: u64,
    /// How many instructions were done.
    pub worked: u64,
    /// For what the GIL was let go, and in which line.
    pub released: Vec<(State, Detail, Line)>,
    /// What lanes of tasks did, and when.
    pub turns: Vec<(LaneId, Turn, Nanos)>,
    /// What was printed.
    pub printed: String,
    /// Ends the run after so many safe points.
    pub stop_after: Option<u64>,
}

impl Host for Alone {
    fn breaker(&self) -> &AtomicU32 {
        &self.breaker
    }

    fn safe_point(&mut self, _: Line) -> Result<(), Stopped> {
        self.safe_points += 1;
        if self.stop_after.is_some_and(|after| self.safe_points > after) { Err(Stopped) } else { Ok(()) }
    }

    fn heartbeat(&mut self, _: Line) {
        self.heartbeats += 1;
    }

    fn worked(&mut self, instructions: u64) {
        self.worked += instructions;
    }

    fn release<R>(&mut self, state: State, detail: Detail, line: Line, blocking: impl FnOnce() -> R) -> R {
        self.released.push((state, detail, line));
        blocking()
    }

    fn print(&mut self, text: &str) {
        self.printed.push_str(text);
    }

    fn coroutine(&mut self, lane: LaneId, turn: Turn) {
        self.turns.push((lane, turn, Monotonic.now()));
    }

    fn place(&self) -> &AtomicU32 {
        &self.place
    }
}
