//! What the processes of a run say to one another.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calibration::Costs;
use crate::event::{LaneId, Line, LockId, Nanos, TaskId};
use crate::model::Plan;
use crate::program::Exit;
use crate::record::ProcessMemory;
use crate::vm::pickle::MAX_BYTES;
use crate::vm::{MAX_SOURCE, Rules};
use crate::workload::ArgValue;

/// The most a control message may be. A source file or a result's `repr` beyond it is refused.
pub const CONTROL_LIMIT: usize = 64 << 20;

/// The most of a message between the first process and a worker: a pickle or a source, and a few words about it.
pub const WORKER_LIMIT: usize = max(MAX_BYTES, MAX_SOURCE) + (1 << 20);

const fn max(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

/// From the controller to the first process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Load the module; its source is the body.
    Load(Box<Load>),
    /// Begin.
    Go,
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What errors call the file.
    pub file: String,
    /// The module's `__name__`.
    pub name: String,
    /// Where the evaluation loop looks at the eval breaker.
    pub rules: Rules,
    /// Who does the tasks.
    pub plan: Plan,
    /// What each call of `work` gets.
    pub args: Vec<(String, ArgValue)>,
    /// How many calls.
    pub tasks: u32,
    /// What births are to cost.
    pub costs: Costs,
    /// Whether events are recorded.
    pub record: bool,
}

/// What the run tells: from the first process, or from the controller where that process cannot speak any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The first interpreter is booted and the module is loaded: it waits for the word to go.
    Ready,
    /// The run's time began.
    Started {
        /// When the first worker's birth was ordered; without births, just before the first task.
        at: Nanos,
    },
    /// A worker process or thread exists.
    WorkerBorn {
        /// Which lane's.
        lane: LaneId,
        /// The process it lives in.
        pid: u32,
    },
    /// A task is over, one way or another. Told once of each task.
    TaskDone {
        /// Which.
        task: TaskId,
        /// What came of it.
        outcome: TaskOutcome,
    },
    /// The run's time ended: everything that was still to come has come.
    Finished {
        /// When the last result was received.
        at: Nanos,
    },
    /// What memory the processes hold that are there at the end of the run's time.
    Memory(Vec<ProcessMemory>),
    /// What the module's `outcome()` returned, as its `repr`, or what it raised.
    Outcome(TaskOutcome),
    /// A lane is over. Told once of each lane.
    LaneEnded {
        /// Which.
        lane: LaneId,
        /// How.
        how: LaneEnd,
    },
    /// The run as a whole failed: the module could not be loaded, the interpreter could not go on.
    Failed(String),
    /// All processes are gone and reaped. Always the last.
    Ended {
        /// How the first process went.
        how: LaneEnd,
    },
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskOutcome {
    /// It returned; the `repr` of what it returned.
    Repr(String),
    /// It raised, or its result could not be brought home.
    Error {
        /// As the last line of a traceback: `ZeroDivisionError: division by zero`.
        text: String,
        /// Where; [`Line::NONE`] if it was not the program's doing.
        line: Line,
    },
    /// Whoever should have done it is gone: `worker killed by SIGKILL`.
    Killed(String),
}

/// How a lane ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaneEnd {
    /// There was nothing more to do.
    Done,
    /// The run was stopped.
    Stopped,
    /// By a signal.
    Killed {
        /// Its number.
        signal: i32,
        /// The last it wrote on standard error; a panic's message, as a rule.
        stderr: String,
    },
    /// By itself, but not in order.
    Exited {
        /// Its exit status.
        status: i32,
        /// The last it wrote on standard error.
        stderr: String,
    },
    /// The interpreter failed, or could not be started.
    Failed(String),
}

impl LaneEnd {
    /// Whether all is well.
    pub fn is_done(&self) -> bool {
        *self == LaneEnd::Done
    }

    /// Of a process that does not outlive another, which went like `how` so long after the run's time began:
    /// `ended with the master that made it, which was killed by SIGKILL after 840 ms`.
    pub(super) fn along_with(other: &str, how: &LaneEnd, after: Option<Nanos>) -> LaneEnd {
        let went = match how {
            LaneEnd::Exited { .. } => how.to_string(),
            LaneEnd::Done => "ended".to_owned(),
            LaneEnd::Killed { .. } | LaneEnd::Stopped => format!("was {how}"),
            LaneEnd::Failed(why) => format!("failed ({why})"),
        };
        let when = after.map_or_else(String::new, |after| format!(" after {after}"));
        LaneEnd::Failed(format!("ended with {other}, which {went}{when}"))
    }

    /// What to say of the task that the lane was doing, or would have done: `worker killed by SIGKILL`.
    pub(super) fn of_its_task(&self) -> String {
        match self {
            LaneEnd::Stopped => "stopped before it ended".to_owned(),
            LaneEnd::Failed(why) => why.clone(),
            how => format!("worker {how}"),
        }
    }
}

/// As reports have it: `done`, `killed by SIGKILL`.
impl fmt::Display for LaneEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaneEnd::Done => f.write_str("done"),
            LaneEnd::Stopped => f.write_str("stopped"),
            LaneEnd::Killed { signal, stderr } => {
                write!(f, "killed by {}{}", signal_name(*signal), last_words(stderr))
            }
            LaneEnd::Exited { status, stderr } => write!(f, "exited with status {status}{}", last_words(stderr)),
            LaneEnd::Failed(why) => f.write_str(why),
        }
    }
}

/// The last line that says something, after a colon. Where Rust was told to add a backtrace, that says nothing to a user.
fn last_words(stderr: &str) -> String {
    let said = stderr.lines().map(str::trim).take_while(|line| *line != "stack backtrace:");
    let last = said.filter(|line| !line.is_empty() && !line.starts_with("note: ")).last();
    last.map(|line| format!(": {line}")).unwrap_or_default()
}

/// `SIGKILL` for 9.
pub fn signal_name(signal: i32) -> String {
    let known = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGTSTP, "SIGTSTP"),
        (libc::SIGTTIN, "SIGTTIN"),
        (libc::SIGTTOU, "SIGTTOU"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    match known.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("signal {signal}"),
    }
}

/// From the first process to a worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Be set up; the module's source is the body.
    Boot {
        /// What errors call the file.
        file: String,
        /// Where the evaluation loop looks at the eval breaker.
        rules: Rules,
        /// The GIL it is to have.
        lock: LockId,
        /// What births are to cost.
        costs: Box<Costs>,
        /// Whether events are recorded.
        record: bool,
    },
    /// Be prepared; the body is a pickle of what CPython's `spawn.get_preparation_data` has.
    Prepare,
    /// Do a task; the body is a pickle of `(function, kwargs)`.
    Task(TaskId),
    /// To a forkserver: make a worker. Its channel and its standard error come with the message.
    Fork {
        /// Its lane.
        lane: LaneId,
        /// The GIL it is to have.
        lock: LockId,
    },
    /// Be gone.
    End,
}

/// From a worker process to the first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Prepared: it waits for tasks.
    Ready,
    /// A task returned; the body is a pickle of the result.
    Returned(TaskId),
    /// A task raised, or its result could not be pickled.
    Raised {
        /// Which.
        task: TaskId,
        /// As the last line of a traceback.
        text: String,
        /// Where.
        line: Line,
    },
    /// It cannot go on.
    Failed(String),
    /// From a forkserver: a worker is there.
    Forked {
        /// Its lane.
        lane: LaneId,
        /// Its number.
        pid: u32,
    },
    /// From a forkserver: there is no worker, and why.
    NotForked {
        /// Which.
        lane: LaneId,
        /// Why.
        why: String,
    },
    /// From a forkserver: a worker is gone.
    Gone {
        /// Which.
        lane: LaneId,
        /// How it went.
        exit: Exit,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_a_few_words() {
        for (end, words) in [
            (LaneEnd::Done, "done"),
            (LaneEnd::Stopped, "stopped"),
            (LaneEnd::Killed { signal: 9, stderr: String::new() }, "killed by SIGKILL"),
            (
                LaneEnd::Killed {
                    signal: 6,
                    stderr: "\nthread 'main' has overflowed its stack\nnote: run it\n".into(),
                },
                "killed by SIGABRT: thread 'main' has overflowed its stack",
            ),
            (LaneEnd::Killed { signal: 40, stderr: String::new() }, "killed by signal 40"),
            (LaneEnd::Exited { status: 3, stderr: "oh".into() }, "exited with status 3: oh"),
        ] {
            assert_eq!(end.to_string(), words);
        }
    }

    #[test]
    fn who_ends_with_another_says_with_whom_how_and_when() {
        let killed = LaneEnd::Killed { signal: 9, stderr: String::new() };
        let exited = LaneEnd::Exited { status: 3, stderr: String::new() };
        let after = Some(Nanos::from_millis(840));
        for (how, after, words) in [
            (killed.clone(), after, "ended with the master, which was killed by SIGKILL after 840 ms"),
            (exited, after, "ended with the master, which exited with status 3 after 840 ms"),
            (killed, None, "ended with the master, which was killed by SIGKILL"),
        ] {
            assert_eq!(LaneEnd::along_with("the master", &how, after).to_string(), words);
        }
    }
}
