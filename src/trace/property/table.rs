//! A run as one table entry for each nanosecond: what a lane does, who has a lock or a core.

use std::collections::BTreeMap;

use super::super::*;
use crate::event::{Line, State};

/// Who has a lock or a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    Nobody,
    Unknown,
    Lane { lane: LaneId, off_core: bool },
}

pub(super) struct TableLane {
    pub(super) lock: LockId,
    pub(super) records: bool,
    pub(super) state: State,
    pub(super) line: Line,
    pub(super) core: CoreId,
    pub(super) preempted: bool,
    pub(super) had_core: bool,
    pub(super) on: Option<CoreId>,
    pub(super) holds: bool,
    pub(super) open: u64,
    pub(super) shown: (State, Line),
    pub(super) table: Vec<State>,
    pub(super) lines: Vec<Line>,
}

impl TableLane {
    pub(super) fn show(&self) -> (State, Line) {
        if self.preempted && self.state.on_core() { (State::WaitingCore, self.line) } else { (self.state, self.line) }
    }
}

pub(super) struct TableThing {
    pub(super) now: Has,
    pub(super) last: Option<LaneId>,
    pub(super) open: u64,
    pub(super) changes: Vec<u64>,
    pub(super) table: Vec<Has>,
}

impl TableThing {
    pub(super) fn set(&mut self, at: u64, has: Has) {
        if self.now != has {
            self.now = has;
            self.open = at;
        }
    }

    pub(super) fn holder(&self) -> Option<LaneId> {
        match self.now {
            Has::Lane { lane, .. } => Some(lane),
            _ => None,
        }
    }

    pub(super) fn overwrite(&mut self, from: u64, to: u64, has: Has) {
        let from = from.max(self.open);
        if from < to {
            self.table[from as usize..to as usize].fill(has);
            self.open = to;
        }
    }
}

pub(super) fn thing() -> TableThing {
    TableThing { now: Has::Nobody, last: None, open: 0, changes: Vec::new(), table: Vec::new() }
}

/// Who had it longest, how long, how long anybody, without a core, and not observed.
pub(super) fn shares(table: &[Has]) -> (Option<(LaneId, Nanos)>, Nanos, Nanos, Nanos) {
    let mut by_lane = BTreeMap::new();
    let (mut off, mut unknown) = (0, 0);
    for has in table {
        match has {
            Has::Lane { lane, off_core } => {
                *by_lane.entry(*lane).or_insert(0) += 1;
                off += u64::from(*off_core);
            }
            Has::Unknown => unknown += 1,
            Has::Nobody => {}
        }
    }
    let longest = by_lane.iter().rev().max_by_key(|(_, ns)| **ns).map(|(lane, ns)| (*lane, Nanos(*ns)));
    (longest, Nanos(by_lane.values().sum()), Nanos(off), Nanos(unknown))
}
