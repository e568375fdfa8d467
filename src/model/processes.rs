//! Processes, each with an interpreter and a lock of its own.

use super::{Ceiling, Model, Plan, Pool, Role, Start};

/// Each process is an interpreter of its own in memory and opens two descriptors in the one that
/// starts them, of the 1024 a process usually may have.
const CEILING: Ceiling = Ceiling {
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
    title: |workers| match workers {
        1 => "1 PROCESS, ITS OWN LOCK".to_owned(),
        _ => format!("{workers} PROCESSES, {workers} LOCKS"),
    },
    label: |workers| match workers {
        1 => "1 process".to_owned(),
        _ => format!("{workers} processes"),
    },
    plan: |workers| plan(workers, Start::Spawn),
};

fn plan(workers: u32, start: Start) -> Plan {
    let mut plan = Plan::new(Pool::Processes { count: workers, start });
    let lock = plan.lock("GIL of main", 0, false);
    plan.lane("main", Role::Main, 0, Some(lock));
    for number in 1..=workers {
        let lock = plan.lock(format!("GIL of process {number}"), number, true);
        plan.lane(format!("process {number}"), Role::Worker, number, Some(lock));
    }
    plan
}
