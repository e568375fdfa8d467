//! CPython's rules for its lock, without threads and without time.

use crate::event::LaneId;

/// The state of a lock. Whoever uses it calls each method while nobody else does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    locked: bool,
    last_holder: Option<LaneId>,
    switch_number: u64,
    drop_request: bool,
}

/// A wait of one interval: what was so when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the rules ask what changed since"]
pub struct Wait {
    switch_number: u64,
}

/// What there is to say of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Another thread, or nobody, held it last.
    pub switched: bool,
    /// It answered a drop request.
    pub requested: bool,
}

/// What there is to say of a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// A drop request was set: the thread has to wait while [`Policy::awaits_switch`] says so.
    pub requested: bool,
}

impl Policy {
    /// A thread wants the lock. `None`: it is free, take it. Otherwise wait until woken or an interval is over, then
    /// ask again.
    pub fn ask(&self) -> Option<Wait> {
        self.locked.then_some(Wait { switch_number: self.switch_number })
    }

    /// A waiter's interval is over. Sets the drop request and says `true` if the same thread kept the lock all along.
    pub fn interval_over(&mut self, wait: Wait) -> bool {
        let request = self.locked && self.switch_number == wait.switch_number;
        self.drop_request |= request;
        request
    }

    /// A thread takes the lock, which is free.
    pub fn take(&mut self, lane: LaneId) -> Taken {
        debug_assert!(!self.locked, "{lane} takes a lock that is held");
        let switched = self.last_holder != Some(lane);
        self.locked = true;
        self.last_holder = Some(lane);
        self.switch_number += u64::from(switched);
        Taken { switched, requested: std::mem::take(&mut self.drop_request) }
    }

    /// Its holder drops the lock: at a safe point because of a request, or because it is about to block.
    pub fn drop(&mut self, lane: LaneId) -> Dropped {
        debug_assert!(self.locked && self.last_holder == Some(lane), "{lane} drops a lock it does not hold");
        self.locked = false;
        Dropped { requested: self.drop_request }
    }

    /// Whether a thread that dropped the lock although it was asked for still has to let another one take it.
    pub fn awaits_switch(&self, lane: LaneId) -> bool {
        self.last_holder == Some(lane)
    }

    /// Whether the holder is to drop the lock at its next safe point.
    pub fn drop_request(&self) -> bool {
        self.drop_request
    }

    /// Who holds the lock.
    pub fn holder(&self) -> Option<LaneId> {
        self.last_holder.filter(|_| self.locked)
    }

    /// How often the lock was taken by another than its last holder.
    pub fn switch_number(&self) -> u64 {
        self.switch_number
    }
}
