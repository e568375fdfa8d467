//! What is known of a lane or a lock besides its events.

use serde::{Deserialize, Serialize};

use crate::event::{LaneId, LockId, Nanos};
use crate::model::{LockKind, LockPlan, Role};
use crate::record::CoreEvidence;

/// How a lane's events came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Each change was recorded as it happened.
    #[default]
    Exact,
    /// The lane was looked at from time to time.
    Sampled,
}

/// A lane as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneInfo {
    /// Its name on the screen.
    pub name: String,
    /// What it is to the run.
    pub role: Role,
    /// In which process it lives, counted as in the plan.
    pub process: u32,
    /// The GIL it needs.
    pub lock: Option<LockId>,
    /// Until when it had none, if it had none at first: a free-threaded interpreter may get its GIL back.
    pub without_lock_until: Option<Nanos>,
    /// The lane that made it, where that is known.
    pub parent: Option<LaneId>,
    /// Its process, once that is known.
    pub pid: Option<u32>,
    /// Its thread, once that is known.
    pub tid: Option<u32>,
    /// How its events came about.
    pub evidence: Evidence,
    /// Where its time without a core comes from. To be set before its first event.
    pub core_evidence: CoreEvidence,
    /// How it ended, in words (`killed by SIGKILL`); `None` if it ended as it should or not yet.
    pub end: Option<String>,
    /// How long it was on a core, by the kernel's own count.
    pub on_cpu: Option<Nanos>,
    /// How long it queued for a core, by the kernel's own count.
    pub runqueue: Option<Nanos>,
}

impl LaneInfo {
    /// A lane recorded exactly, of which nothing more is known.
    pub fn new(name: impl Into<String>, role: Role, lock: Option<LockId>) -> LaneInfo {
        LaneInfo {
            name: name.into(),
            role,
            process: 0,
            lock,
            without_lock_until: None,
            parent: None,
            pid: None,
            tid: None,
            evidence: Evidence::Exact,
            core_evidence: CoreEvidence::None,
            end: None,
            on_cpu: None,
            runqueue: None,
        }
    }
}

/// A lock as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockInfo {
    /// What it is.
    pub kind: LockKind,
    /// Its name on the screen.
    pub name: String,
    /// In which process it lives, counted as in the plan.
    pub process: u32,
    /// Whether workers use it.
    pub of_workers: bool,
}

impl LockInfo {
    /// The number of the subinterpreter that it is of; none if it is a main interpreter's.
    pub fn interpreter(&self) -> Option<&str> {
        let name = self.name.split_once(" (").map_or(&*self.name, |(name, _)| name);
        name.rsplit_once("interpreter ").map(|(_, id)| id)
    }
}

impl From<&LockPlan> for LockInfo {
    fn from(plan: &LockPlan) -> LockInfo {
        LockInfo { kind: plan.kind, name: plan.name.clone(), process: plan.process, of_workers: plan.of_workers }
    }
}
