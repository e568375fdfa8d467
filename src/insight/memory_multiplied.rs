//! Each process has its own copy of what threads would share.

use std::collections::BTreeSet;

use super::words::{bytes, number};
use super::{Facts, Insight, Of, Said};

/// Below this nobody counts memory.
const LEAST: u64 = 100 << 20;

/// The largest process alone, and half as much again.
const OF_LARGEST: f64 = 1.5;

pub(super) const INSIGHT: Insight = Insight { id: "memory-multiplied", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let peaks = facts.memory?;
    let pids: BTreeSet<u32> = facts.workers.iter().filter_map(|lane| facts.trace.lane(*lane).pid).collect();
    // Proportional shares only: what is resident counts a shared page in each process that shares it.
    let of_workers: Vec<u64> = pids.iter().filter_map(|pid| peaks.processes.get(pid)?.pss).collect();
    let largest = *of_workers.iter().max()?;
    let together = of_workers.iter().sum::<u64>().min(peaks.pss?);
    if of_workers.len() < 2 || together < LEAST || (together as f64) < largest as f64 * OF_LARGEST {
        return None;
    }
    let processes = number(of_workers.len() as u64);
    Said::with(
        format!(
            "The {processes} processes held {} together, the largest {}: each has a copy of what threads would share.",
            bytes(together),
            bytes(largest)
        ),
        "Try: shared memory, or passing a file's name in place of its content.",
    )
}
