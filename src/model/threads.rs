//! Threads of one interpreter, taking turns on its lock.

use super::{Ceiling, Model, Plan, Pool, Role};

/// `threads`.
pub(super) static MODEL: Model = Model {
    id: "threads",
    alias: None,
    family: "threads",
    start: None,
    description: "Threads of one interpreter take turns on its one lock.",
    // Each thread has a stack and a ring of shared memory; the kernel's own limit on threads of a
    // user is often not much above 4096, and a picture of more rows than this says nothing.
    ceiling: Some(Ceiling { workers: 1024, of: "threads", why: "only wait in line and exhaust the machine's threads" }),
    title: |workers| match workers {
        1 => "1 THREAD, ONE GIL".to_owned(),
        _ => format!("{workers} THREADS, ONE GIL"),
    },
    label: |workers| match workers {
        1 => "1 thread".to_owned(),
        _ => format!("{workers} threads"),
    },
    plan,
};

fn plan(workers: u32) -> Plan {
    let mut plan = Plan::new(Pool::Threads { count: workers });
    let lock = plan.lock("GIL", 0, true);
    plan.lane("main", Role::Main, 0, Some(lock));
    for number in 1..=workers {
        plan.lane(format!("thread {number}"), Role::Worker, 0, Some(lock));
    }
    plan
}
