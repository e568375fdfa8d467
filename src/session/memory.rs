//! Whether what is to be handed over fits into memory, the machine's and what a process may map of it: told before
//! anything is made.

use crate::model::{Plan, Pool};
use crate::workload::{ArgKind, ArgValue, Workload};

/// What an interpreter process maps for itself while it starts, in MiB: code, stacks, the recorder.
const ITSELF: u64 = 384;

/// How much there is, in bytes; none where nothing limits it or that is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Of memory, for all together.
    pub available: Option<u64>,
    /// Of address space, for each process (`ulimit -v`).
    pub address_space: Option<u64>,
}

/// Why a run would need more memory than there is, with the sum; none if it fits or nothing large is handed over.
pub(super) fn shortage(
    workload: &Workload,
    args: &[(String, ArgValue)],
    plan: &Plan,
    tasks: u32,
    room: Room,
) -> Option<String> {
    let large = workload.arguments.iter().filter(|argument| argument.kind == ArgKind::Bytes);
    let value = |name: &str| args.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let names: Vec<&str> = large.map(|argument| argument.name.as_str()).collect();
    let sizes = names.iter().filter_map(|name| match value(name) {
        Some(ArgValue::Int(mib)) => u64::try_from(mib).ok(),
        _ => None,
    });
    let each: u64 = sizes.sum();
    let (name, id) = (names.first()?, &workload.id);
    let instead = format!("take a smaller --arg {name}, fewer workers, or threads, which share it");
    let counted = |copies: u64| format!("{copies} {} of it", if copies == 1 { "copy" } else { "copies" });
    let copies = copies(plan, tasks);
    let (wanted, available) = (each.saturating_mul(copies.all), room.available.map(|bytes| bytes >> 20));
    if let Some(available) = available.filter(|available| wanted > *available) {
        return Some(format!(
            "not enough memory: {id} hands over {each} MiB, and {}, {wanted} MiB, do not fit into the {available} MiB that \
             are available; {instead}",
            counted(copies.all)
        ));
    }
    let (wanted, allowed) = (each.saturating_mul(copies.first), room.address_space.map(|bytes| bytes >> 20));
    let allowed = allowed.filter(|allowed| each > 0 && wanted.saturating_add(ITSELF) > *allowed)?;
    Some(format!(
        "not enough memory: {id} hands over {each} MiB, and {}, {wanted} MiB, beside {ITSELF} MiB of its own do not fit \
         into the {allowed} MiB that `ulimit -v` allows a process; {instead}",
        counted(copies.first)
    ))
}

/// How many copies there are at once, at most.
struct Copies {
    /// In all processes together.
    all: u64,
    /// In the first process.
    first: u64,
}

/// The first process's own; for each worker that is handed a pickle that pickle on its way, the same as it arrives, and
/// what is unpickled from it, the last two in the worker's process. Between interpreters of one process the pickle is only
/// moved; instead of its second copy there is, for one call at a time, what is written out before it (`call_across`).
fn copies(plan: &Plan, tasks: u32) -> Copies {
    let handed = plan.workers().count().min(tasks as usize) as u64;
    match plan.pool {
        Pool::Processes { .. } | Pool::Hybrid { .. } => Copies { all: 1 + 3 * handed, first: 1 + handed },
        Pool::Subinterpreters { .. } => Copies { all: 1 + 3 * handed, first: 1 + 3 * handed },
        _ => Copies { all: 1, first: 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::find;

    #[test]
    fn what_does_not_fit_is_told_with_the_sum() {
        let workload = crate::workload::load("big-argument").unwrap();
        let args = |mib| [("data".to_owned(), ArgValue::Int(mib)), ("n".to_owned(), ArgValue::Int(1))];
        let said = |model: &str, mib, available: u64| {
            let plan = find(model).unwrap().plan(4).unwrap();
            let room = Room { available: Some(available << 20), address_space: None };
            shortage(&workload, &args(mib), &plan, 4, room)
        };
        assert_eq!(said("processes", 100, 1300), None);
        let sum = said("processes", 100, 1299).unwrap();
        assert!(sum.contains("100 MiB, and 13 copies of it, 1300 MiB") && sum.contains("the 1299 MiB"), "{sum}");
        assert_eq!(said("threads", 100, 100), None);
        assert!(said("threads", 100, 99).unwrap().contains("1 copy of it, 100 MiB"));
        assert!(said("subinterpreters", 100, 1299).is_some() && said("hybrid", 100, 1299).is_some());
    }

    #[test]
    fn what_one_process_may_not_map_is_told_too() {
        let workload = crate::workload::load("big-argument").unwrap();
        let args = [("data".to_owned(), ArgValue::Int(100)), ("n".to_owned(), ArgValue::Int(1))];
        let said = |model: &str, allowed: u64| {
            let plan = find(model).unwrap().plan(2).unwrap();
            let room = Room { available: None, address_space: Some(allowed << 20) };
            shortage(&workload, &args, &plan, 2, room)
        };
        assert_eq!((said("threads", 484), said("processes", 684), said("subinterpreters", 1084)), (None, None, None));
        assert!(said("processes", 683).unwrap().contains("3 copies of it, 300 MiB, beside 384 MiB"));
        assert!(said("threads", 483).is_some() && said("subinterpreters", 1083).is_some());
    }

    #[test]
    fn nothing_large_always_fits() {
        let workload = crate::workload::load("sum-squares").unwrap();
        let plan = find("processes").unwrap().plan(4).unwrap();
        let none = Room { available: Some(0), address_space: Some(0) };
        assert_eq!(shortage(&workload, &[("n".to_owned(), ArgValue::Int(i64::MAX))], &plan, 4, none), None);
    }
}
