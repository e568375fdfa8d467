//! Coroutines of one thread: an event loop runs each until it awaits.

use super::{Ceiling, Model, Plan, Pool, Role};

/// `coroutines`, after `asyncio`.
pub(super) static MODEL: Model = Model {
    id: "coroutines",
    alias: None,
    family: "coroutines",
    start: None,
    description: "Coroutines of one thread: an event loop runs each until it awaits. The file needs `async def work`.",
    ceiling: Some(Ceiling {
        workers: 20_000,
        of: "coroutines",
        why: "be more lanes than a picture shows; with --tasks each does several, one after another",
    }),
    title: |workers, _| match workers {
        1 => "1 COROUTINE, ONE THREAD".to_owned(),
        _ => format!("{workers} COROUTINES, ONE THREAD"),
    },
    label: |workers, _| match workers {
        1 => "1 coroutine".to_owned(),
        _ => format!("{workers} coroutines"),
    },
    plan,
};

fn plan(workers: u32, _processes: u32) -> Plan {
    let mut plan = Plan::new(Pool::Coroutines { count: workers });
    let lock = plan.lock("GIL", 0, true);
    plan.lane("loop", Role::Loop, 0, Some(lock));
    for number in 1..=workers {
        plan.lane(format!("coroutine {number}"), Role::Worker, 0, Some(lock));
    }
    plan
}
