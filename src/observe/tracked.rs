//! A thread that is followed: what it is to the machines, and when it was looked at.

use crate::event::{LaneId, LockId, Nanos};

use super::booked::Booked;
use super::doing::{Doing, Doings};
use super::naming::Naming;
use super::still::Wait;
use super::thread::Thread;

/// A thread of an observed process.
pub(super) struct Tracked {
    pub(super) pid: u32,
    pub(super) thread: Thread,
    /// When it was born or first met. What its lane tells may begin later.
    pub(super) met_at: Nanos,
    pub(super) lane: Option<LaneId>,
    /// The lock of a subinterpreter that it was seen to take.
    pub(super) needs: Option<LockId>,
    /// Whether there was no lane left for it.
    pub(super) is_turned_away: bool,
    pub(super) naming: Naming,
    pub(super) doings: Doings,
    pub(super) booked: Booked,
    /// The lane that made it or, if what made it has none, that made that; and the thread that made it.
    pub(super) parent: Option<LaneId>,
    pub(super) maker: Option<u32>,
    /// When it was last seen to fall asleep, if it has not been seen to wake since.
    pub(super) asleep: Option<Nanos>,
    /// Since when it is known to wait for a lock, and in what it sleeps.
    pub(super) waits: Option<(Wait, Doing)>,
    /// When it was last looked at so that it is known what it slept in.
    pub(super) looked_at: Nanos,
}

impl Tracked {
    /// It was looked at: `told` says whether what was seen tells of its sleep. One who has left its core and is awake is on
    /// its way to its sleep, or was woken and waits for a core.
    pub(super) fn looked(&mut self, at: Nanos, told: bool) {
        if told {
            self.looked_at = at;
        }
    }

    /// Whether it has fallen asleep, and what in has not been looked at since.
    pub(super) fn is_unexplained(&self) -> bool {
        self.asleep.is_some_and(|since| since >= self.looked_at)
    }

    /// Whether it is a thread without a lane, and not for want of one.
    pub(super) fn is_native(&self) -> bool {
        self.lane.is_none() && !self.is_turned_away
    }

    /// How long it was on cores until `at`, as far as anybody tells: of one that has not left its core since it was first
    /// seen no record does, of one that has ended the kernel's sums do not.
    pub(super) fn on_cpu_until(&self, at: Nanos) -> Nanos {
        self.thread.on_cpu_until(at).max(self.booked.sums().map_or(Nanos::ZERO, |(on_cpu, _)| on_cpu))
    }
}
