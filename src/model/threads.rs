//! Threads of one interpreter: taking turns on its lock, or without one.

use super::{Ceiling, Model, Plan, Pool, Role};

/// Each thread has a stack and a ring of shared memory; the kernel's own limit on threads of a
/// user is often not much above 4096, and a picture of more rows than this says nothing.
pub(super) const CEILING: Ceiling =
    Ceiling { workers: 1024, of: "threads", why: "only wait in line and exhaust the machine's threads" };

/// `threads`.
pub(super) static MODEL: Model = Model {
    id: "threads",
    alias: None,
    family: "threads",
    start: None,
    description: "Threads of one interpreter take turns on its one lock.",
    ceiling: Some(CEILING),
    title: |workers, _| match workers {
        1 => "1 THREAD, ONE GIL".to_owned(),
        _ => format!("{workers} THREADS, ONE GIL"),
    },
    label: |workers, _| match workers {
        1 => "1 thread".to_owned(),
        _ => format!("{workers} threads"),
    },
    plan: |workers, _| plan(workers, true),
};

/// `free-threads`: a free-threaded build (PEP 703).
pub(super) static FREE: Model = Model {
    id: "free-threads",
    alias: None,
    family: "free-threads",
    start: None,
    description: "Threads of one interpreter without a GIL: they run at once and share every object.",
    ceiling: Some(CEILING),
    title: |workers, _| match workers {
        1 => "1 THREAD, NO GIL".to_owned(),
        _ => format!("{workers} THREADS, NO GIL"),
    },
    label: |workers, _| format!("{workers} no GIL"),
    plan: |workers, _| plan(workers, false),
};

fn plan(workers: u32, locked: bool) -> Plan {
    let mut plan = Plan::new(Pool::Threads { count: workers });
    let lock = locked.then(|| plan.lock("GIL", 0, true));
    plan.lane("main", Role::Main, 0, lock);
    for number in 1..=workers {
        plan.lane(format!("thread {number}"), Role::Worker, 0, lock);
    }
    plan
}
