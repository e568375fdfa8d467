//! A master with several processes, each of several threads under one lock: Gunicorn's arrangement.

use super::{Model, Plan, Pool, Refusal, Role, processes, threads};

/// `hybrid`.
pub(super) static MODEL: Model = Model {
    id: "hybrid",
    alias: None,
    family: "hybrid",
    start: None,
    description: "A master forks processes with several threads each, one lock a process (Gunicorn).",
    ceiling: Some(threads::CEILING),
    title: |workers, processes| {
        let each = each(workers, processes);
        match processes {
            1 => format!("1 PROCESS × {each} THREADS, 1 LOCK"),
            _ => format!("{processes} PROCESSES × {each} THREADS, {processes} LOCKS"),
        }
    },
    label: |workers, processes| format!("{processes}×{} hybrid", each(workers, processes)),
    plan,
};

/// How many processes so many workers are spread over, unless that is said (`2x4`): about as many as there are
/// threads in each, so that both sides of the arrangement are seen. 4 are 2×2, 8 are 2×4, 16 are 4×4.
pub(super) fn split(workers: u32) -> u32 {
    workers.isqrt().max(1)
}

/// Whether the workers can be spread over so many processes.
pub(super) fn check(workers: u32, processes: u32) -> Result<(), Refusal> {
    let ceiling = processes::CEILING;
    match processes {
        0 => Err(Refusal::NoWorkers { model: MODEL.id }),
        _ if processes > ceiling.workers => Err(Refusal::TooMany { model: MODEL.id, workers: processes, ceiling }),
        _ if workers < processes => Err(Refusal::NoWorkers { model: MODEL.id }),
        _ => Ok(()),
    }
}

/// How many threads each process has: `4`, or `2–3` where they cannot be spread evenly.
fn each(workers: u32, processes: u32) -> String {
    let (least, rest) = (workers / processes.max(1), workers % processes.max(1));
    if rest == 0 { least.to_string() } else { format!("{least}–{}", least + 1) }
}

fn plan(workers: u32, processes: u32) -> Plan {
    let mut plan = Plan::new(Pool::Hybrid { processes });
    let lock = plan.lock("GIL of master", 0, false);
    let master = plan.lane("master", Role::Master, 0, Some(lock));
    let mut thread = 0;
    for number in 1..=processes {
        let lock = plan.lock(format!("GIL of process {number}"), number, true);
        let main = plan.lane_of(Some(master), format!("process {number}"), Role::Main, number, Some(lock));
        let threads = workers / processes + u32::from(number <= workers % processes);
        for _ in 0..threads {
            thread += 1;
            plan.lane_of(Some(main), format!("p{number} thread {thread}"), Role::Worker, number, Some(lock));
        }
    }
    plan
}
