//! What a model makes of a number of workers.

use serde::{Deserialize, Serialize};

use crate::event::{LaneId, LockId};

/// What a lane is to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Does tasks. The ledger and the percentages sum these.
    Worker,
    /// Started the workers and waits for them.
    Main,
    /// Watches over worker processes (Gunicorn's).
    Master,
    /// Makes worker processes by forking (the forkserver), or answers requests.
    Server,
    /// The event loop's thread.
    Loop,
    /// Keeps account of named semaphores (`multiprocessing.resource_tracker`).
    Tracker,
}

/// How a worker process comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// A new interpreter, told everything by pickle.
    Spawn,
    /// A copy of the process that starts it, with all it had loaded.
    Fork,
    /// A copy of a process that was started for being copied.
    Forkserver,
}

impl Start {
    /// The word for it on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Start::Spawn => "spawn",
            Start::Fork => "fork",
            Start::Forkserver => "forkserver",
        }
    }
}

/// A lane of the run to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanePlan {
    /// Its number; lane `n` records into ring `n`.
    pub id: LaneId,
    /// Its name on the screen: `thread 1`, `process 2`, `main`.
    pub name: String,
    /// What it is to the run.
    pub role: Role,
    /// Which process it lives in: 0 is the one that starts the others.
    pub process: u32,
    /// The GIL it needs.
    pub lock: Option<LockId>,
    /// The lane that makes it; none for the first.
    #[serde(default)]
    pub parent: Option<LaneId>,
}

/// What a lock is. Whoever counts hand-offs, holders and waits for the lock asks for GILs; a stopped world is no lock that
/// threads take turns on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockKind {
    /// A GIL (Python/ceval_gil.c).
    #[default]
    Gil,
    /// The world of a free-threaded build (`stop_the_world` in Python/pystate.c): whoever has stopped all other threads, to
    /// collect garbage for instance, has it until he starts them again.
    StopTheWorld,
}

/// A lock of the run to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockPlan {
    /// Its number.
    pub id: LockId,
    /// What it is.
    #[serde(default)]
    pub kind: LockKind,
    /// Its name on the screen: `GIL`, `GIL of process 2`, `stop-the-world`.
    pub name: String,
    /// Which process it lives in.
    pub process: u32,
    /// Whether workers use it: `locks` in the report lists only those.
    pub of_workers: bool,
}

/// Who does the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The first process's own main thread, one after another.
    InPlace,
    /// Threads of the first process, sharing its lock.
    Threads {
        /// How many.
        count: u32,
    },
    /// Processes of one thread each.
    Processes {
        /// How many.
        count: u32,
        /// How they are made.
        start: Start,
    },
    /// Processes forked by a master, of several threads each.
    Hybrid {
        /// How many processes.
        processes: u32,
    },
    /// Threads of the first process, each with an interpreter of its own.
    Subinterpreters {
        /// How many.
        count: u32,
    },
    /// Coroutines of the first process's own main thread, which runs an event loop.
    Coroutines {
        /// How many are in flight.
        count: u32,
    },
}

/// A model applied to a number of workers: which lanes and locks there will be, and who does the tasks.
/// Process 0 is the interpreter that is booted before the clock starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Every lane, by [`LaneId`].
    pub lanes: Vec<LanePlan>,
    /// Every lock, by [`LockId`].
    pub locks: Vec<LockPlan>,
    /// Who does the tasks.
    pub pool: Pool,
}

impl Plan {
    /// A plan without lanes, to which a model adds them.
    pub(super) fn new(pool: Pool) -> Plan {
        Plan { lanes: Vec::new(), locks: Vec::new(), pool }
    }

    /// Adds a lock that lives in `process`.
    pub(super) fn lock(&mut self, name: impl Into<String>, process: u32, of_workers: bool) -> LockId {
        let id = LockId(u16::try_from(self.locks.len()).expect("the ceilings on workers are far below 65536"));
        self.locks.push(LockPlan { id, kind: LockKind::Gil, name: name.into(), process, of_workers });
        id
    }

    /// Adds a lane that lives in `process` and needs `lock`, made by the first lane there is.
    pub(super) fn lane(&mut self, name: impl Into<String>, role: Role, process: u32, lock: Option<LockId>) -> LaneId {
        let parent = self.lanes.first().map(|first| first.id);
        self.lane_of(parent, name, role, process, lock)
    }

    /// The same, made by `parent`.
    pub(super) fn lane_of(
        &mut self,
        parent: Option<LaneId>,
        name: impl Into<String>,
        role: Role,
        process: u32,
        lock: Option<LockId>,
    ) -> LaneId {
        let id = LaneId(u32::try_from(self.lanes.len()).expect("the ceilings on workers are far below 2^32"));
        self.lanes.push(LanePlan { id, name: name.into(), role, process, lock, parent });
        id
    }

    /// Adds the slow server: a process that is no part of the program, made by whoever starts the run. It is a thread of
    /// its own, so its lane comes before those that are none.
    pub fn add_slow_server(&mut self) -> LaneId {
        let id = LaneId(self.threads());
        let process = self.lanes.iter().map(|lane| lane.process + 1).max().unwrap_or(0);
        let moved = |lane: LaneId| if lane >= id { LaneId(lane.0 + 1) } else { lane };
        for lane in &mut self.lanes {
            (lane.id, lane.parent) = (moved(lane.id), lane.parent.map(moved));
        }
        let (name, role) = ("slow server".to_owned(), Role::Server);
        self.lanes.insert(id.index(), LanePlan { id, name, role, process, lock: None, parent: None });
        id
    }

    /// The lane of the slow server, if there is one: it runs no Python, so it needs no lock.
    pub fn slow_server(&self) -> Option<&LanePlan> {
        self.lanes.iter().find(|lane| lane.role == Role::Server && lane.lock.is_none())
    }

    /// The lane of the forkserver, if there is one.
    pub fn forkserver(&self) -> Option<&LanePlan> {
        self.lanes.iter().find(|lane| lane.role == Role::Server && lane.lock.is_some())
    }

    /// The lane of the resource tracker, if there is one.
    pub fn tracker(&self) -> Option<&LanePlan> {
        self.lanes.iter().find(|lane| lane.role == Role::Tracker)
    }

    /// The lanes that live in `process`, that of its main thread first.
    pub fn lanes_of(&self, process: u32) -> impl Iterator<Item = &LanePlan> {
        self.lanes.iter().filter(move |lane| lane.process == process)
    }

    /// How many lanes are threads of their own: the first ones. The others are coroutines of the very first.
    pub fn threads(&self) -> u32 {
        match self.pool {
            Pool::Coroutines { .. } => 1 + u32::from(self.slow_server().is_some()),
            _ => self.lanes.len() as u32,
        }
    }

    /// The lanes that do tasks.
    pub fn workers(&self) -> impl Iterator<Item = &LanePlan> {
        self.lanes.iter().filter(|lane| lane.role == Role::Worker)
    }

    /// How many processes do tasks.
    pub fn worker_processes(&self) -> usize {
        let mut processes: Vec<u32> = self.workers().map(|lane| lane.process).collect();
        processes.dedup();
        processes.len()
    }
}
