//! Threads of one process, each with an interpreter and a lock of its own (PEP 684, PEP 734).

use super::{Ceiling, Model, Plan, Pool, Role};

/// `subinterpreters`, after `concurrent.futures.InterpreterPoolExecutor`.
pub(super) static MODEL: Model = Model {
    id: "subinterpreters",
    alias: None,
    family: "subinterpreters",
    start: None,
    description: "Threads of one process, each with its own interpreter and lock; arguments cross as pickles.",
    ceiling: Some(Ceiling {
        workers: 256,
        of: "interpreters",
        why: "spend the machine's memory on interpreters that wait for a core",
    }),
    title: |workers, _| match workers {
        1 => "1 SUBINTERPRETER, ITS OWN LOCK".to_owned(),
        _ => format!("{workers} SUBINTERPRETERS, {workers} LOCKS"),
    },
    label: |workers, _| format!("{workers} subinterp"),
    plan,
};

fn plan(workers: u32, _processes: u32) -> Plan {
    let mut plan = Plan::new(Pool::Subinterpreters { count: workers });
    let lock = plan.lock("GIL of main", 0, false);
    plan.lane("main", Role::Main, 0, Some(lock));
    for number in 1..=workers {
        let lock = plan.lock(format!("GIL of interp {number}"), 0, true);
        plan.lane(format!("interp {number}"), Role::Worker, 0, Some(lock));
    }
    plan
}
