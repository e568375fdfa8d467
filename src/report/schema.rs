//! The schema `gilscope.run/1`. Fields may be added; none changes its meaning under this number.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{AccountsEvidence, CoreEvidence, Python, Slept, Status};
use crate::event::{LaneId, LockId, Nanos};
use crate::insight::Finding;
use crate::model::{Role, Start};
use crate::trace::{Blame, Distribution, Evidence};
use crate::workload::ArgValue;

use super::calibration::StartUp;
use super::functions::{HeldIn, LeftOut, RanIn, RanLeftOut};

/// What is known of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Always `gilscope.run/1`.
    pub schema: &'static str,
    /// `emulated` or `cpython`.
    pub engine: &'static str,
    /// What was run; null where a program was observed.
    pub experiment: Option<Experiment>,
    /// On what.
    pub machine: Machine,
    /// Which real interpreter; none for the miniature.
    pub python: Option<Python>,
    /// The command line of the program that was observed.
    pub command: Option<Vec<String>>,
    /// Its first process.
    pub pid: Option<u32>,
    /// Its exit status, 128 and the signal's number if one killed it; null where that is not known, since gilscope did
    /// not start it and the kernel does not tell.
    pub exit_status: Option<u8>,
    /// How it ended, in words: `done`, `killed by SIGKILL`, `ended with status 3`; null while it runs.
    pub program_end: Option<String>,
    /// Whether it did not end by itself: gilscope asked it to.
    pub ended_by_gilscope: bool,
    /// The processes of it that lived on when it had ended; they were left alone.
    pub left_running: Vec<u32>,
    /// How it was observed, and what that cost; null for the miniature.
    pub observer: Option<Status>,
    /// How it ended: `ended`, `stopped` or `failed`.
    pub end: &'static str,
    /// Why it failed, in a sentence.
    pub failure: Option<String>,
    /// From ordering the first worker's birth to the last result received.
    pub elapsed_ns: Nanos,
    /// The workers' time on cores, divided by `elapsed_ns`.
    pub cores_busy: f64,
    /// One per task, in task order.
    pub results: Vec<TaskResult>,
    /// The repr of what `outcome()` returned.
    pub outcome: Option<String>,
    /// What was printed: the last 1 MiB.
    pub output: String,
    /// How many lines were printed before these, among them one of which the beginning is missing.
    pub output_left_out: u64,
    /// Of a real program that ended badly by itself, and whose output was kept: the error of its last traceback, or else its
    /// last line.
    pub last_words: Option<String>,
    /// The GILs that workers use.
    pub locks: Vec<Lock>,
    /// How often free-threaded interpreters were seen to stop all threads but one; none where that is not known.
    pub stop_the_world: Vec<World>,
    /// Every lane.
    pub lanes: Vec<Lane>,
    /// The program's own queues, of which something was put in or taken out: the first eight of each process.
    pub queues: Vec<Queue>,
    /// The workers' time by state.
    pub ledger_ns: BTreeMap<&'static str, Nanos>,
    /// Who waited while whom held the lock.
    pub blame: Vec<Blame>,
    /// In which functions the holders of locks were seen, the most waited for first, 32 at most; of a program that was
    /// observed.
    pub held_in: Vec<HeldIn>,
    /// What is known of further functions, all together; null if there were no more.
    pub held_in_left_out: Option<LeftOut>,
    /// In which functions threads without a GIL ran, the longest first, 32 at most; of a program that was observed.
    pub ran_in: Vec<RanIn>,
    /// What is known of further functions, all together; null if there were no more.
    pub ran_in_left_out: Option<RanLeftOut>,
    /// The diagnoses that hold, the most particular first.
    pub insights: Vec<Finding>,
    /// What it took.
    pub memory: Memory,
    /// Of the workers' threads, by the kernel's count.
    pub context_switches: ContextSwitches,
    /// What was recorded, and what was lost.
    pub events: Events,
}

/// What was run.
#[derive(Debug, Serialize)]
pub struct Experiment {
    /// The workload's id or path.
    pub workload: String,
    /// The model's id.
    pub model: String,
    /// How its processes were made; none where it makes none.
    pub start: Option<Start>,
    /// How many workers in total.
    pub workers: usize,
    /// In how many processes.
    pub processes: usize,
    /// With how many worker threads each.
    pub threads: usize,
    /// How many times `work` was called.
    pub tasks: usize,
    /// With which arguments.
    pub args: BTreeMap<String, ArgValue>,
    /// The switch interval at the start.
    pub switch_interval_ns: Nanos,
    /// Where the loop may switch: `3.9` or `3.10`.
    pub rules: &'static str,
    /// As whose start-up births cost; null for a bare miniature, and for a model without births.
    pub startup: Option<StartUp>,
}

/// The machine; what is not known is null.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Logical cores this program may use.
    pub logical_cores: usize,
    /// Physical cores.
    pub physical_cores: Option<usize>,
    /// The operating system.
    pub os: String,
}

/// How a task ended.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum TaskResult {
    /// It returned.
    Value {
        /// Python's repr of the value.
        repr: String,
    },
    /// It did not.
    Error {
        /// What it raised, or what became of its worker.
        error: String,
        /// At which line.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
    },
}

/// A lock.
#[derive(Debug, Serialize)]
pub struct Lock {
    /// Its number.
    pub id: LockId,
    /// Its name.
    pub name: String,
    /// The process it lives in.
    pub pid: Option<u32>,
    /// How long it was held; where it was only looked at, by the share of looks.
    pub held_ns: Nanos,
    /// How far that and `free_ns` may be off, more or less, in nineteen of twenty cases; null where each take and drop was
    /// recorded.
    pub held_margin_ns: Option<Nanos>,
    /// How long it was free. While nobody knew who held it, if anybody, and while it was not there, is in neither.
    pub free_ns: Nanos,
    /// How often it was taken; null if it was only looked at for some of the time: that looks do not tell. Of the rest of
    /// the time `exact_part` does.
    pub takes: Option<u64>,
    /// Where it was only looked at for some of the time: the rest, in which each take was recorded; null if there was none,
    /// or nothing else.
    pub exact_part: Option<ExactPart>,
    /// How often by another than the last holder; where it was only looked at, by CPython's own count (`switch_number`).
    pub handoffs: u64,
    /// How often a waiter's interval ran out; null of a real interpreter, in which nothing tells.
    pub drop_requests: Option<u64>,
    /// How long it was held at a time; null if it was only looked at for some of the time.
    pub hold_ns: Option<Distribution>,
    /// How long those waited that had to. Where it was only looked at, a wait is a time for which a thread was seen to
    /// wait, whoever was seen to take the lock, and one that is shorter than looks are apart stands for those that no
    /// look met. Where no switches are recorded, either, it is as long as looks tell: threads are looked at at every
    /// third look, so three times `looks_apart_ns` more or less, and waits shorter than twice that were not seen.
    pub wait_ns: Distribution,
    /// How far apart looks were on average while it was only looked at; null if it never was.
    pub looks_apart_ns: Option<Nanos>,
}

/// The part of a run in which each take of a lock was recorded.
#[derive(Debug, Serialize)]
pub struct ExactPart {
    /// How long that was in all, give or take some milliseconds each time it began.
    pub ns: Nanos,
    /// How often the lock was taken then.
    pub takes: u64,
}

/// A world that is stopped now and then, of a free-threaded interpreter.
#[derive(Debug, Serialize)]
pub struct World {
    /// Its number; it is counted with the locks.
    pub id: LockId,
    /// Its name.
    pub name: String,
    /// The process it lives in.
    pub pid: Option<u32>,
    /// How often it was stopped.
    pub stops: u64,
    /// How long in all.
    pub stopped_ns: Nanos,
    /// How long at a time.
    pub stop_ns: Distribution,
    /// By whom, the longest first.
    pub by: Vec<StoppedBy>,
}

/// A thread that stopped the world.
#[derive(Debug, Serialize)]
pub struct StoppedBy {
    /// Which lane.
    pub lane: LaneId,
    /// How long in all.
    pub ns: Nanos,
}

/// A lane.
#[derive(Debug, Serialize)]
pub struct Lane {
    /// Its number.
    pub id: LaneId,
    /// Its name.
    pub name: String,
    /// What it was to the run.
    pub role: Role,
    /// The lane that made it; null for the first. Of a real program: of a thread null if it was there before, of a process
    /// the nearest lane above it if what made it has none, and null if that had ended before anybody looked.
    pub parent: Option<LaneId>,
    /// Its process.
    pub pid: Option<u32>,
    /// Its thread.
    pub tid: Option<u32>,
    /// The lock it needs.
    pub lock: Option<LockId>,
    /// Whether its states were recorded or sampled.
    pub evidence: Evidence,
    /// How it is known when it had a core.
    pub core_evidence: CoreEvidence,
    /// The kernel's sum of its time on cores.
    pub on_cpu_ns: Option<Nanos>,
    /// Where that comes from: `switch_records`, or `schedstat` where there are none, or where they leave out more than 2 % (and
    /// 10 ms), since the time inside of a switch is in none: of a thread that sleeps ten thousand times a second nearly half.
    pub on_cpu_evidence: Option<AccountsEvidence>,
    /// The kernel's sum of its time waiting for one, always of `schedstat`; null where it ended before the sum of nearly
    /// all of its life was read.
    pub runqueue_ns: Option<Nanos>,
    /// Its time by state; the states add up to `elapsed_ns`.
    pub states_ns: BTreeMap<&'static str, Nanos>,
    /// How far `waiting_gil` among them may be off, in nineteen of twenty cases, to the debit or the credit of `sleeping`: where the lock
    /// was only looked at, a short wait that a look met stands for those that none did. Null where each was recorded.
    pub waiting_gil_margin_ns: Option<Nanos>,
    /// In which system calls it slept, as far as it was seen; observed lanes only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub slept: BTreeMap<String, Slept>,
    /// What it waited for in locks of the program's own and of stop-the-world, as far as it was seen; observed lanes only,
    /// from 3.13 on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub waited_for: BTreeMap<String, Slept>,
    /// How much bytecode it got done, as the evaluation loop counts it at its safe points: loops by their length,
    /// calls by a flat price. Null where nobody counts.
    pub instructions: Option<u64>,
    /// The same a millisecond in which it ran.
    pub instructions_per_ms_running: Option<f64>,
    /// How often it found what threads share in another's hands: locked, or stored to since.
    pub contended: Option<u64>,
    /// How many tasks it ended.
    pub tasks_done: u64,
    /// How it ended.
    pub end: String,
}

/// A queue of the program's own.
#[derive(Debug, Serialize)]
pub struct Queue {
    /// Its name: a number in the order in which they were made.
    pub name: String,
    /// How often something was put in.
    pub puts: u64,
    /// How often something was taken out.
    pub gets: u64,
    /// How many items it held at most.
    pub max_depth: u32,
    /// How many it held on average over the run.
    pub mean_depth: f64,
}

/// The most memory the run's processes held, by looking five times a second and once more at the end; null where nobody
/// could look.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// Of all together: what was resident at once, shared pages counted in each process. Of one process that is exact, by
    /// the kernel's own account.
    pub peak_rss_bytes: Option<u64>,
    /// Of all together: each shared page divided among those who share it.
    pub peak_pss_bytes: Option<u64>,
    /// Of each process.
    pub processes: Vec<ProcessMemory>,
}

/// The most memory one process held.
#[derive(Debug, Serialize)]
pub struct ProcessMemory {
    /// Which.
    pub pid: u32,
    /// What was resident.
    pub peak_rss_bytes: Option<u64>,
    /// Its share of what was resident.
    pub peak_pss_bytes: Option<u64>,
}

/// Context switches.
#[derive(Debug, Default, Serialize)]
pub struct ContextSwitches {
    /// Because a thread waited.
    pub voluntary: Option<u64>,
    /// Although it could have gone on.
    pub involuntary: Option<u64>,
}

/// Events.
#[derive(Debug, Serialize)]
pub struct Events {
    /// How many were recorded.
    pub recorded: u64,
    /// How many were lost.
    pub dropped: u64,
}
