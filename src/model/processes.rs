//! Processes, each with an interpreter and a lock of its own.

use super::{Ceiling, Model, Plan, Pool, Role, Start};

/// Each process is an interpreter of its own in memory and opens two descriptors in the one that
/// starts them, of the 1024 a process usually may have.
pub(super) const CEILING: Ceiling = Ceiling {
    workers: 256,
    of: "processes",
    why: "spend the machine's memory and descriptors on interpreters that wait for a core",
};

/// `processes`, started by `spawn`.
pub(super) static SPAWN: Model = Model {
    id: "processes",
    alias: Some("processes:spawn"),
    family: "processes",
    start: Some(Start::Spawn),
    description: "Processes, each a new interpreter with its own lock, told everything by pickle.",
    ceiling: Some(CEILING),
    title: |workers, _| title(workers),
    label: |workers, _| match workers {
        1 => "1 process".to_owned(),
        _ => format!("{workers} processes"),
    },
    plan: |workers, _| plan(workers, Start::Spawn),
};

/// `processes`, started by `fork`.
pub(super) static FORK: Model = Model {
    id: "processes:fork",
    alias: None,
    family: "processes",
    start: Some(Start::Fork),
    description: "Processes, each a copy of the main process with all it had loaded, and its own lock.",
    ceiling: Some(CEILING),
    title: |workers, _| title(workers),
    label: |workers, _| format!("{workers} forked"),
    plan: |workers, _| plan(workers, Start::Fork),
};

/// `processes`, started by `forkserver`.
pub(super) static FORKSERVER: Model = Model {
    id: "processes:forkserver",
    alias: None,
    family: "processes",
    start: Some(Start::Forkserver),
    description: "Processes, each a copy of a server that is started first, and its own lock.",
    ceiling: Some(CEILING),
    title: |workers, _| title(workers),
    label: |workers, _| format!("{workers} forkserved"),
    plan: |workers, _| plan(workers, Start::Forkserver),
};

fn title(workers: u32) -> String {
    match workers {
        1 => "1 PROCESS, ITS OWN LOCK".to_owned(),
        _ => format!("{workers} PROCESSES, {workers} LOCKS"),
    }
}

fn plan(workers: u32, start: Start) -> Plan {
    let mut plan = Plan::new(Pool::Processes { count: workers, start });
    let lock = plan.lock("GIL of main", 0, false);
    let mut parent = plan.lane("main", Role::Main, 0, Some(lock));
    let mut process = 0;
    if start == Start::Forkserver {
        process += 1;
        let lock = plan.lock("GIL of forkserver", process, false);
        parent = plan.lane("forkserver", Role::Server, process, Some(lock));
    }
    for number in 1..=workers {
        process += 1;
        let lock = plan.lock(format!("GIL of process {number}"), process, true);
        plan.lane_of(Some(parent), format!("process {number}"), Role::Worker, process, Some(lock));
    }
    // The semaphores of a pool whose workers are plain copies need no names, and so nobody who keeps account of them.
    if start != Start::Fork {
        let lock = plan.lock("GIL of resource tracker", process + 1, false);
        plan.lane("resource tracker", Role::Tracker, process + 1, Some(lock));
    }
    plan
}
