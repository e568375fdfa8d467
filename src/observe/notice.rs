//! What the observer says.

use std::fmt;

use serde::Serialize;

use crate::event::{Event, LaneId, LockId, Nanos};
use crate::model::{LanePlan, LockKind, LockPlan};
use crate::record::Accounts;

pub use super::allowed::Allowance;
use super::parking::Wanted;
use super::place::Place;
use super::thread::Slept;

/// Something the observer has to say, in the order of time save where it is said otherwise.
#[derive(Clone, Debug)]
pub enum Notice {
    /// It began to look.
    Began(Nanos),
    /// There is one more lane; its number is the number of lanes before it.
    Lane(LanePlan),
    /// There is one more lock; its number is the number of locks before it.
    Lock(LockPlan),
    /// The kernel's numbers of a lane.
    Born {
        /// Which lane.
        lane: LaneId,
        /// Its process.
        pid: u32,
        /// Its thread.
        tid: u32,
    },
    /// A lane needs a lock, which was not there when it began.
    Needs {
        /// Which lane.
        lane: LaneId,
        /// Which lock.
        lock: LockId,
    },
    /// A lane has another name.
    Named {
        /// Which lane.
        lane: LaneId,
        /// What it is called now.
        name: String,
    },
    /// Something happened to a lane.
    Event(Event),
    /// A lock changed hands so many more times, seen by nobody.
    HandOffs {
        /// Which lock.
        lock: LockId,
        /// Before this.
        at: Nanos,
        /// How often.
        more: u64,
    },
    /// From now on a lane is looked at from time to time, not recorded.
    Sampled(LaneId),
    /// Everything up to here has been said.
    Upto(Nanos),
    /// A lane ended, and how in words.
    LaneEnded {
        /// Which.
        lane: LaneId,
        /// How.
        how: String,
    },
    /// What is known of a lane's time on cores.
    Accounts {
        /// Which.
        lane: LaneId,
        /// What.
        accounts: Accounts,
        /// In which system calls it slept.
        slept: Vec<(String, Slept)>,
        /// What it waited for, as [`Notice::WaitsFor`] says it.
        waited_for: Vec<(String, Slept)>,
    },
    /// What a lane that sleeps in a lock of the program's own, or since the world is stopped, waits for.
    WaitsFor {
        /// When it was seen.
        at: Nanos,
        /// Which lane.
        lane: LaneId,
        /// What.
        what: Wanted,
    },
    /// A lane was looked at that holds its lock or, without a lock, runs Python.
    Place {
        /// When.
        at: Nanos,
        /// Which lane.
        lane: LaneId,
        /// Where it is; none if that could not be read.
        place: Option<Place>,
        /// As how many looks it counts: more than one if others were left out by lot.
        counts: f64,
    },
    /// A process is stopped since then, by a signal or a debugger, or goes on.
    Halt {
        /// Which, as lanes and locks count them.
        process: u32,
        /// Since when.
        at: Nanos,
        /// Whether it is stopped.
        stopped: bool,
    },
    /// A lock is no more since then.
    LockGone {
        /// Which.
        lock: LockId,
        /// Since when.
        at: Nanos,
    },
    /// From then on it is known who holds a lock, if anybody, or nobody knows whether anybody does.
    LockKnown {
        /// Which.
        lock: LockId,
        /// Since when.
        at: Nanos,
        /// Whether it is known.
        known: bool,
    },
    /// A lane has queued for a core and has been on one so long in all by then, as the kernel has booked.
    Queued {
        /// Which.
        lane: LaneId,
        /// By when.
        at: Nanos,
        /// How long it has queued.
        queued: Nanos,
        /// How long it has been on one.
        on_cpu: Nanos,
    },
    /// How the observing goes.
    Status(Box<Status>),
    /// What is observed.
    Program(Box<Program>),
    /// The program ended, or is left to itself; nothing follows.
    Ended(Nanos),
}

/// What is observed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Program {
    /// Its first process.
    pub pid: u32,
    /// Its command line.
    pub command: Vec<String>,
    /// Whether we started it.
    pub launched: bool,
    /// Its interpreter, once that is known.
    pub python: Option<Python>,
    /// Whether it has ended.
    pub ended: bool,
    /// With which status, if that is known: its own, or 128 and the number of the signal that killed it.
    pub exit_status: Option<u8>,
    /// How it ended, in words.
    pub end: Option<String>,
    /// Whether gilscope asked it to end.
    pub ended_by_gilscope: bool,
    /// The processes of it that lived on when it had ended, and were left alone.
    pub left_running: Vec<u32>,
}

/// An interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Python {
    /// `3.12.1`.
    pub version: String,
    /// Whether it was built without the GIL.
    pub free_threaded: bool,
    /// Whether it has a GIL that is on; null where that is not known.
    pub gil_enabled: Option<bool>,
    /// The file its runtime lies in.
    pub file: String,
}

impl Python {
    /// Which, and what has become of its GIL: `CPython 3.13.1, GIL on`.
    pub fn words(&self) -> String {
        format!("CPython {}, {}", self.version, gil_in_words(self.free_threaded, self.gil_enabled))
    }
}

/// What has become of a build's GIL; `enabled` where that is known.
pub fn gil_in_words(free_threaded: bool, enabled: Option<bool>) -> &'static str {
    match (free_threaded, enabled) {
        (false, _) => "GIL on",
        (true, Some(true)) => "free-threaded build, GIL on",
        (true, Some(false)) => "free-threaded, GIL off",
        (true, None) => "free-threaded",
    }
}

/// How locks are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Every take and drop is recorded.
    Exact,
    /// They are looked at from time to time.
    Sampled,
    /// Some so, some so, or now so, now so.
    Mixed,
    /// There is no lock: free-threaded.
    NoLock,
    /// Only threads and cores are seen.
    #[default]
    CoresOnly,
}

/// How a process ended, where nobody tells but its parent.
pub const ENDED_SOMEHOW: &str = "ended (with which status its parent alone is told)";

/// Why a lock is only looked at that could be watched.
pub const TOO_OFTEN: &str = "to watch a lock taken so often would slow the program";

/// One lock, as it was followed.
#[derive(Clone, Debug, Serialize)]
pub struct LockStatus {
    /// Which.
    pub lock: LockId,
    /// What it is.
    pub kind: LockKind,
    /// How it is followed now.
    pub engine: Engine,
    /// How long each take and drop was recorded.
    pub exact_ns: Nanos,
    /// How often it was taken in that time.
    pub exact_takes: u64,
    /// How long it was only looked at.
    pub sampled_ns: Nanos,
    /// By how many looks.
    pub looks: u64,
    /// In how many of them it was held.
    pub looks_held: u64,
    /// How long it was held while each take and drop was recorded.
    pub exact_held_ns: Nanos,
    /// How much of the time it was held of late, 0 to 1, where it is only looked at now; once it is over, in all.
    #[serde(skip)]
    pub held_lately: Option<f64>,
    /// How often it changed hands between the first and the last look, by CPython's own count (`switch_number`).
    pub switch_number: u64,
    /// How often that was seen, in the same time.
    pub handoffs_seen: u64,
    /// How long that time was, from the first look to the last: of what lies before and after there is no second count.
    pub counted_ns: Nanos,
    /// Its switch interval (`sys.setswitchinterval`), as it was when it was last looked at; null if it has none or could not
    /// be read.
    pub switch_interval_ns: Option<Nanos>,
}

/// Something a person must know, whatever else he looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// When, since the beginning of what was observed.
    pub at: Nanos,
    /// Until when it was so, on the same clock; null: to the end, or still.
    pub until: Option<Nanos>,
    /// In a sentence.
    pub text: String,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            // Nothing was before.
            Nanos::ZERO => f.write_str(&self.text),
            at => write!(f, "after {at}: {}", self.text),
        }
    }
}

/// How the observing goes, and what it costs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// When it began, on the machine's monotonic clock.
    pub began_at: Nanos,
    /// How locks are followed now.
    pub engine: Engine,
    /// Why not exactly; null if it is.
    pub reason: Option<String>,
    /// Whether the kernel tells of context switches; if not, why not.
    pub switch_records_refused: Option<String>,
    /// Writes to locks a second, of late.
    pub hits_per_second: f64,
    /// Writes to locks in all: only those of locks that were watched are seen.
    #[serde(skip)]
    pub hits: u64,
    /// Looks at locks a second, of late.
    pub samples_per_second: f64,
    /// How often a lock was written too often to be watched.
    pub guard_trips: u64,
    /// Takes, drops and changes of hands that must have been and were not seen while locks were watched.
    pub missed: u64,
    /// Records the kernel had to drop.
    pub records_lost: u64,
    /// Threads beyond the most that have a lane.
    pub lanes_not_shown: u64,
    /// Threads that ended before it was seen whether they run Python, while locks were only looked at: they have no lane.
    pub ended_unseen: u64,
    /// How many cores its processes had of late, and once it is over in all, by the kernel's sums; null before that is known.
    pub cores_busy: Option<f64>,
    /// How long all threads of its processes were on cores, those that have no lane too: by the kernel's sums of processes
    /// (`/proc/PID/stat`) or of threads (`schedstat`), whichever saw more.
    pub cpu_ns: Nanos,
    /// How long threads that have no lane were on cores: those that are not Python's (a library's own), and those of other
    /// programs that it started.
    pub native_cpu_ns: Nanos,
    /// The same of late, in cores.
    #[serde(skip)]
    pub native_busy: f64,
    /// How many cores the program may use; null where that could not be read.
    pub allowance: Option<Allowance>,
    /// Our own time on cores since the beginning, in cores: 0.01 is 1 % of one.
    pub own_cpu: f64,
    /// From the order to watch to the first thing seen.
    pub first_event_ns: Option<Nanos>,
    /// Each lock.
    pub locks: Vec<LockStatus>,
    /// What a person must know.
    pub alarms: Vec<Alarm>,
    /// The processes that are stopped now, by a signal or a debugger.
    pub stopped: Vec<u32>,
}
