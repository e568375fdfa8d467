//! Whether the log says what can be.

use super::{Ledger, Trace};
use crate::event::{LaneId, LockId, Nanos, State};
use crate::model::Role;

/// What came that should not have come so; it is booked as well as it can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Anomalies {
    /// Events with a time before that of the lane's last.
    pub out_of_order: u64,
    /// Events that came after it had been said that all up to their time had come.
    pub late: u64,
    /// Takes of a lock that another lane held.
    pub overlapping_holds: u64,
    /// Drops of a lock by a lane that did not hold it.
    pub drops_by_others: u64,
    /// Changes of state that the table of transitions does not have.
    pub illegal_transitions: u64,
    /// Events of lanes or locks that do not exist; these are not booked.
    pub strangers: u64,
}

/// An invariant of the log that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A change of state that the table does not have.
    #[error("lane {lane} went from {} to {} at {} ns, which cannot be", from.name(), to.name(), at.0)]
    Transition {
        /// Whose.
        lane: LaneId,
        /// When.
        at: Nanos,
        /// From which state.
        from: State,
        /// To which.
        to: State,
    },
    /// A lane took a lock that another held.
    #[error("lane {taker} took lock {lock} at {} ns while lane {owner} held it", at.0)]
    TwoOwners {
        /// Which lock.
        lock: LockId,
        /// When.
        at: Nanos,
        /// Who held it.
        owner: LaneId,
        /// Who took it.
        taker: LaneId,
    },
    /// The states of a lane do not add up to the run.
    #[error("the states of lane {lane} add up to {} ns of {} ns", sum.0, elapsed.0)]
    LaneSum {
        /// Which lane.
        lane: LaneId,
        /// What they add up to.
        sum: Nanos,
        /// What they should.
        elapsed: Nanos,
    },
    /// The ledger does not add up to the workers' time.
    #[error("the ledger adds up to {} ns of {} ns", sum.0, whole.0)]
    LedgerSum {
        /// What it adds up to.
        sum: Nanos,
        /// What it should.
        whole: Nanos,
    },
    /// The time a lock was held, free, not observed and not there does not add up to the run.
    #[error("the times of lock {lock} add up to {} ns of {} ns", sum.0, elapsed.0)]
    LockSum {
        /// Which lock.
        lock: LockId,
        /// What they add up to.
        sum: Nanos,
        /// What they should.
        elapsed: Nanos,
    },
}

impl Ledger {
    /// Everything in it.
    pub fn sum(&self) -> Nanos {
        self.0.iter().copied().sum()
    }
}

impl Trace {
    /// Whether the invariants hold: the first that did not while events were booked, else the sums.
    pub fn check(&self) -> Result<(), Violation> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        let elapsed = self.elapsed();
        for (lane, _) in self.lanes() {
            let sum = self.lane_ledger(lane).sum();
            if sum != elapsed {
                return Err(Violation::LaneSum { lane, sum, elapsed });
            }
        }
        let workers = self.lanes().filter(|(_, info)| info.role == Role::Worker).count();
        let (sum, whole) = (self.ledger().sum(), Nanos(elapsed.0 * workers as u64));
        if sum != whole {
            return Err(Violation::LedgerSum { sum, whole });
        }
        for (lock, _) in self.locks() {
            let whole = self.lock_window(lock, self.begin_at(), self.now, 1);
            let without: Nanos = whole.iter().map(|cell| cell.unknown + cell.absent).sum();
            let stats = self.lock_stats(lock);
            let sum = stats.held + stats.free + without;
            if sum != elapsed {
                return Err(Violation::LockSum { lock, sum, elapsed });
            }
        }
        Ok(())
    }
}
