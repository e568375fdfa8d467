//! A process that is stopped: by `SIGSTOP`, job control, a debugger.
//!
//! # The problem
//! Its threads do nothing, and its lock stays with whoever had it. Told as it stands that is a hold without end, and
//! whoever waits for it is kept waiting by a thread that cannot help it.
//!
//! # The choice
//! From when it is stopped until it goes on its lanes are [`State::Stopped`](crate::event::State::Stopped), whatever they
//! are told to be meanwhile, and its locks are as if they were not observed: that time is no hold, no wait and nobody's
//! blame. Then all goes on as it was: a hold and a wait are as long as their parts, and no take or hand-off is counted.

use super::{Lock, Trace};
use crate::event::{LaneId, Nanos};

impl Lock {
    pub(super) fn halt(&mut self, at: u64) {
        let at = at.max(self.holders.column.open_at());
        self.holders.halt(at);
        self.halted = Some(at);
    }

    fn go_on(&mut self, at: u64) {
        let at = at.max(self.holders.column.open_at());
        self.holders.go_on(at);
        if let Some(since) = self.halted.take() {
            self.since += at.saturating_sub(since.max(self.since));
        }
    }
}

impl Trace {
    pub(super) fn halted(&mut self, at: Nanos, process: u32, stopped: bool) {
        let changes = if stopped { self.halted.insert(process) } else { self.halted.remove(&process) };
        if !changes {
            return;
        }
        let clipped = self.clip(at);
        for lock in self.locks.iter_mut().filter(|lock| lock.info.process == process) {
            if stopped { lock.halt(clipped) } else { lock.go_on(clipped) }
        }
        let of_process = |(index, lane): (usize, &super::Lane)| {
            (lane.info.process == process).then(|| (LaneId(index as u32), lane.column.open_at()))
        };
        for (id, open_at) in self.lanes.iter().enumerate().filter_map(of_process).collect::<Vec<_>>() {
            self.lanes[id.index()].halted = stopped;
            // What is told of a lane may be a little ahead of what is known of its process.
            self.show(at.max(Nanos(open_at)), id);
        }
    }
}
