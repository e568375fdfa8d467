//! Whether what is to be handed over fits into memory: told before anything is made.

use crate::model::{Plan, Pool};
use crate::workload::{ArgKind, ArgValue, Workload};

/// Why a run would need more memory than there is, with the sum; none if it fits or nothing large is handed over.
///
/// `available` is in bytes.
pub(super) fn shortage(
    workload: &Workload,
    args: &[(String, ArgValue)],
    plan: &Plan,
    tasks: u32,
    available: u64,
) -> Option<String> {
    let large = workload.arguments.iter().filter(|argument| argument.kind == ArgKind::Bytes);
    let value = |name: &str| args.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let names: Vec<&str> = large.map(|argument| argument.name.as_str()).collect();
    let sizes = names.iter().filter_map(|name| match value(name) {
        Some(ArgValue::Int(mib)) => u64::try_from(mib).ok(),
        _ => None,
    });
    let each: u64 = sizes.sum();
    let copies = copies(plan, tasks);
    let (wanted, available) = (each.saturating_mul(copies), available >> 20);
    let (name, id) = (names.first()?, &workload.id);
    (wanted > available).then(|| {
        format!(
            "not enough memory: {id} hands over {each} MiB, and {copies} {} of it, {wanted} MiB, do not fit into the \
             {available} MiB that are available; take a smaller --arg {name}, fewer workers, or threads, which share it",
            if copies == 1 { "copy" } else { "copies" }
        )
    })
}

/// How many copies there are at once, at most: the first process's own, and for each worker that is handed a pickle
/// that pickle on its way, the same as it arrives, and what is unpickled from it.
fn copies(plan: &Plan, tasks: u32) -> u64 {
    let handed = plan.workers().count().min(tasks as usize) as u64;
    match plan.pool {
        Pool::Processes { .. } | Pool::Hybrid { .. } | Pool::Subinterpreters { .. } => 1 + 3 * handed,
        _ => 1,
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
            shortage(&workload, &args(mib), &plan, 4, available << 20)
        };
        assert_eq!(said("processes", 100, 1300), None);
        let sum = said("processes", 100, 1299).unwrap();
        assert!(sum.contains("100 MiB, and 13 copies of it, 1300 MiB") && sum.contains("the 1299 MiB"), "{sum}");
        assert_eq!(said("threads", 100, 100), None);
        assert!(said("threads", 100, 99).unwrap().contains("1 copy of it, 100 MiB"));
        assert!(said("subinterpreters", 100, 1299).is_some() && said("hybrid", 100, 1299).is_some());
    }

    #[test]
    fn nothing_large_always_fits() {
        let workload = crate::workload::load("sum-squares").unwrap();
        let plan = find("processes").unwrap().plan(4).unwrap();
        assert_eq!(shortage(&workload, &[("n".to_owned(), ArgValue::Int(i64::MAX))], &plan, 4, 0), None);
    }
}
