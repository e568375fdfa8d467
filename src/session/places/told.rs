//! What the log tells of each lane, which looks divide among functions.

use std::collections::HashMap;

use crate::event::{LaneId, LockId, Nanos, State};
use crate::trace::{LaneInfo, Trace};

/// What the log tells of a holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How long it held locks.
    pub held: Nanos,
    /// How long others waited meanwhile, each of them.
    pub waited: Nanos,
    /// The lock it needs; none of one who runs without any.
    pub lock: Option<LockId>,
}

/// What the log tells of each lane from one instant to another, as a holder of GILs; `waited` is who waited for whom.
pub fn held_by_lane(
    log: &Trace,
    from: Nanos,
    waited: impl IntoIterator<Item = (LaneId, Nanos)>,
) -> HashMap<LaneId, Held> {
    let mut lanes: HashMap<LaneId, Held> = HashMap::new();
    for (lane, held) in log.gils().flat_map(|(lock, _)| log.held_by(lock, from, log.now())) {
        lanes.entry(lane).or_default().held += held;
    }
    for (lane, waited) in waited {
        lanes.entry(lane).or_default().waited += waited;
    }
    lanes.iter_mut().for_each(|(lane, held)| held.lock = log.lane(*lane).lock);
    lanes
}

/// Until when a lane had no lock; none if it always had one.
pub(super) fn without_lock_until(info: &LaneInfo) -> Option<Nanos> {
    info.lock.map_or(Some(Nanos::MAX), |_| info.without_lock_until)
}

/// How long each lane ran from one instant to another without a lock.
pub fn ran_by_lane(log: &Trace, from: Nanos) -> HashMap<LaneId, Held> {
    let without = log.lanes().filter_map(|(lane, info)| Some((lane, without_lock_until(info)?.min(log.now()))));
    let without = without.filter(|(_, until)| *until > from);
    let ran = |lane, until| log.lane_ledger_between(lane, from, until).0[State::Running.index()];
    without.map(|(lane, until)| (lane, Held { held: ran(lane, until), ..Held::default() })).collect()
}
