//! What is counted as events come in.

use crate::event::{LaneId, LockId, Nanos, State};

/// Time by state: a lane's, or the sum over the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger(pub [Nanos; State::COUNT]);

/// The distribution of many spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Distribution {
    /// How many.
    pub count: u64,
    /// Half were shorter.
    pub p50: Nanos,
    /// Of twenty, nineteen were shorter.
    pub p95: Nanos,
    /// Of a hundred, ninety-nine were shorter.
    pub p99: Nanos,
    /// The longest.
    pub max: Nanos,
}

/// What is known of a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockStats {
    /// How long it was held.
    pub held: Nanos,
    /// How long it was free; `held + free` is its life within the run, as far as it was observed and not stopped.
    pub free: Nanos,
    /// How often it was taken; by whoever held it as the run began, too.
    pub takes: u64,
    /// How often it was taken by another than the last holder.
    pub handoffs: u64,
    /// How often a waiter's interval ran out.
    pub drop_requests: u64,
    /// How long it was held at a time.
    pub hold: Distribution,
    /// How long those waited that had to.
    pub wait: Distribution,
}

/// How long one lane waited while another held what it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Blame {
    /// Who waited.
    pub waiter: LaneId,
    /// Who held the lock meanwhile.
    pub holder: LaneId,
    /// Which lock.
    pub lock: LockId,
    /// How long.
    pub ns: Nanos,
}
