//! Whether the open files that a run takes can be had, asked before anything
//! of it is started. A process costs its maker a channel and a pipe; a
//! connection is an open file in the process that holds it and another in the
//! slow server, and has a port of its own. (The accounts that the kernel keeps
//! of a thread are a file, too, but a run goes on without.)

use std::fs;

use rustix::process::{Resource, getrlimit};

use crate::model::{Plan, Pool};
use crate::workload::Wanted;

/// Open files of a process that are not connections: standard streams, channels, the recorder.
const OTHERS: u64 = 64;

/// And for each thread or process: the kernel's accounts of a thread, or the channel and the pipe of a process.
const A_THREAD: u64 = 4;

/// Open files of the process that makes the others, beside those for them, while it makes one.
const MAKERS: u64 = 14;

/// And for each of the others: its channel and its pipe.
const A_PROCESS: u64 = 2;

/// Why they cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// A process may not have so many files open.
    #[error(
        "{connections} connections at once take {needed} open files in one process, and here it may have {allowed}: \
         allow more with `ulimit -n {needed}` in this shell (above its hard limit only root can){}",
        if *possible > 0 { format!(", or hold fewer with --arg {argument}={possible}") } else { String::new() }
    )]
    Files {
        /// How many one process would hold.
        connections: u64,
        /// How many files that takes.
        needed: u64,
        /// The hard limit.
        allowed: u64,
        /// The argument that asks for them.
        argument: String,
        /// The most it could ask for.
        possible: u64,
    },
    /// The process that makes the others may not have so many files open.
    #[error(
        "{processes} processes take {needed} open files in the one that starts them, and here it may have {allowed}: allow \
         more with `ulimit -n {needed}` in this shell (above its hard limit only root can), or take {}",
        if *possible > 0 { format!("at most {possible} of them") } else { "threads".to_owned() }
    )]
    Processes {
        /// How many processes.
        processes: u64,
        /// How many files that takes.
        needed: u64,
        /// The hard limit.
        allowed: u64,
        /// How many processes could be had.
        possible: u64,
    },
    /// There are not so many ports.
    #[error(
        "{connections} connections at once take as many ports, and this system has {ports} for them: widen \
         net.ipv4.ip_local_port_range, or hold fewer with --arg {argument}={ports}"
    )]
    Ports {
        /// How many connections.
        connections: u64,
        /// How many ports.
        ports: u64,
        /// The argument that asks for them.
        argument: String,
    },
}

/// How many files a process may have open, once it has raised its limit as far as it may.
fn allowed_files() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// How many ports the system has for those who do not choose theirs. Where that is not known it does not limit.
fn local_ports() -> u64 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = range.split_whitespace().filter_map(|bound| bound.parse::<u64>().ok());
    match (bounds.next(), bounds.next()) {
        (Some(first), Some(last)) if last >= first => last - first + 1,
        _ => u64::MAX,
    }
}

/// Refuses connections that would fail in the middle of the run.
pub fn check(wanted: &Wanted, plan: &Plan, tasks: u32) -> Result<(), TooMany> {
    allow(wanted, plan, tasks, allowed_files(), local_ports())
}

/// Refuses processes that would fail to start.
pub fn check_processes(plan: &Plan) -> Result<(), TooMany> {
    allow_processes(plan, allowed_files())
}

fn allow_processes(plan: &Plan, allowed: u64) -> Result<(), TooMany> {
    let processes = match plan.pool {
        Pool::Processes { .. } | Pool::Hybrid { .. } => plan.worker_processes() as u64,
        _ => return Ok(()),
    };
    let needed = MAKERS + A_PROCESS * processes;
    if needed <= allowed {
        return Ok(());
    }
    Err(TooMany::Processes { processes, needed, allowed, possible: allowed.saturating_sub(MAKERS) / A_PROCESS })
}

fn allow(wanted: &Wanted, plan: &Plan, tasks: u32, allowed: u64, ports: u64) -> Result<(), TooMany> {
    // Each task holds its share, and of a worker's tasks one at a time.
    let share = wanted.number.div_ceil(tasks.max(1).into());
    let at_once = (share * plan.workers().count() as u64).min(wanted.number);
    // All of them are the server's.
    let files = at_once + OTHERS + A_THREAD * u64::from(plan.threads());
    let argument = wanted.argument.clone();
    if at_once > ports {
        return Err(TooMany::Ports { connections: at_once, ports, argument });
    }
    if files > allowed {
        let possible = allowed.saturating_sub(files - at_once) * wanted.number / at_once.max(1);
        return Err(TooMany::Files { connections: at_once, needed: files, allowed, argument, possible });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    fn plan(model: &str, workers: u32) -> Plan {
        model::find(model).and_then(|model| model.plan(workers)).expect("a model and a number of workers")
    }

    fn wanted(number: u64) -> Wanted {
        Wanted { argument: "connections".to_owned(), number }
    }

    #[test]
    fn what_is_held_at_once_is_what_counts() {
        let wanted = wanted(10_000);
        assert_eq!(allow(&wanted, &plan("threads", 4), 4, 20_000, 28_232), Ok(()));
        // One after the other holds a quarter.
        assert_eq!(allow(&wanted, &plan("sequential", 4), 4, 4_096, 28_232), Ok(()));
        assert_eq!(allow(&wanted, &plan("threads", 2), 8, 4_096, 28_232), Ok(()));
        assert!(allow(&wanted, &plan("threads", 4), 4, 4_096, 28_232).is_err());
        // A coroutine costs no file.
        assert_eq!(allow(&wanted, &plan("coroutines", 10_000), 10_000, 10_100, 28_232), Ok(()));
    }

    #[test]
    fn what_is_possible_is_said_and_is_possible() {
        let refused = allow(&wanted(10_000), &plan("threads", 4), 4, 4_096, 28_232).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("10000 connections at once") && text.contains("may have 4096"), "{text}");
        let TooMany::Files { possible, needed, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(allow(&wanted(possible), &plan("threads", 4), 4, 4_096, 28_232), Ok(()));
        assert_eq!(allow(&wanted(10_000), &plan("threads", 4), 4, needed, 28_232), Ok(()));
        assert!(allow(&wanted(10_000), &plan("threads", 4), 4, needed - 1, 28_232).is_err());
    }

    #[test]
    fn processes_take_open_files_of_their_maker_and_threads_do_not() {
        for model in ["processes", "processes:fork", "processes:forkserver", "hybrid"] {
            let refused = allow_processes(&plan(model, 64), 20).unwrap_err();
            let TooMany::Processes { possible, needed, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(possible, 3, "{refused}");
            assert_eq!(allow_processes(&plan(model, 64), needed), Ok(()));
            assert!(allow_processes(&plan(model, 64), needed - 1).is_err());
        }
        for model in ["threads", "sequential", "subinterpreters", "coroutines"] {
            assert_eq!(allow_processes(&plan(model, 64), 20), Ok(()), "{model}");
        }
    }

    #[test]
    fn where_none_can_be_had_none_are_proposed() {
        let text = allow(&wanted(10_000), &plan("threads", 4), 4, 64, 28_232).unwrap_err().to_string();
        assert!(text.contains("ulimit -n") && !text.contains("--arg"), "{text}");
    }

    #[test]
    fn every_connection_needs_a_port() {
        let refused = allow(&wanted(10_000), &plan("processes", 4), 4, u64::MAX, 5_000).unwrap_err().to_string();
        assert!(refused.contains("this system has 5000") && refused.contains("--arg connections=5000"), "{refused}");
    }
}
