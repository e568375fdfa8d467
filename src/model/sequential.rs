//! One task after another, in the one thread there is: what all else is measured against.

use super::{Model, Plan, Pool, Role};

/// `sequential`.
pub(super) static MODEL: Model = Model {
    id: "sequential",
    alias: None,
    family: "sequential",
    start: None,
    description: "One thread does the tasks one after another: the baseline.",
    ceiling: None,
    title: |_, _| "ONE AT A TIME".to_owned(),
    label: |_, _| "one at a time".to_owned(),
    plan,
};

fn plan(_workers: u32, _processes: u32) -> Plan {
    let mut plan = Plan::new(Pool::InPlace);
    let lock = plan.lock("GIL", 0, true);
    plan.lane("main", Role::Worker, 0, Some(lock));
    plan
}
