//! Where events come from: emulated, or observed; and the sampler of cores and memory.
//!
//! Whatever the source, it says the same [`Signal`]s, so everything to the
//! right of this room is shared by all of them.

pub mod cpython;
pub mod driven;
pub mod emulated;
pub mod machine;
pub mod sampler;
pub mod switches;

use crossterm::event::KeyEvent;

use crate::event::{Event, LaneId, Line, LockId, Nanos, TaskId};
pub use crate::observe::notice::{
    Alarm, Allowance, ENDED_SOMEHOW, Engine, LockStatus, Program, Python, Status, TOO_OFTEN,
};
pub use crate::observe::thread::Slept;
use crate::program::Printed;
pub use crate::record::{Accounts, AccountsEvidence, CoreEvidence, ProcessMemory};

/// What a source says while it is polled.
#[derive(Clone, Debug)]
pub enum Signal {
    /// The clock of the run started.
    Began(Nanos),
    /// Something happened to a lane. In order of time within the lane.
    Event(Event),
    /// Everything up to here has been said.
    Upto(Nanos),
    /// The operating system's numbers of a lane's thread are known.
    Born {
        /// Which lane.
        lane: LaneId,
        /// Its process.
        pid: u32,
        /// Its thread.
        tid: u32,
    },
    /// So many more events of a lane were lost because its ring was full.
    Dropped {
        /// Which lane.
        lane: LaneId,
        /// How many more.
        events: u64,
    },
    /// A task ended.
    Task {
        /// Which.
        task: TaskId,
        /// How.
        outcome: TaskOutcome,
    },
    /// There is one more lane; its number is the number of lanes before it.
    LaneAdded(crate::model::LanePlan),
    /// There is one more lock; its number is the number of locks before it.
    LockAdded(crate::model::LockPlan),
    /// A lane needs a lock, which was not there when it began.
    LaneNeeds {
        /// Which lane.
        lane: LaneId,
        /// Which lock.
        lock: LockId,
    },
    /// A lane has another name.
    LaneNamed {
        /// Which lane.
        lane: LaneId,
        /// What it is called now.
        name: String,
    },
    /// A lane is looked at from time to time, not recorded.
    LaneSampled(LaneId),
    /// A lock changed hands so many more times than was seen.
    HandOffs {
        /// Which lock.
        lock: LockId,
        /// Before this.
        at: Nanos,
        /// How often.
        more: u64,
    },
    /// In which system calls a lane slept, how often and how long, as far as it was seen.
    Slept {
        /// Which lane.
        lane: LaneId,
        /// The calls by name.
        calls: Vec<(String, Slept)>,
    },
    /// What a lane was seen to wait for that slept in a lock of the program's own, or since the world was stopped.
    WaitsFor {
        /// When.
        at: Nanos,
        /// Which lane.
        lane: LaneId,
        /// What.
        what: crate::observe::parking::Wanted,
    },
    /// What a lane waited for in such sleeps, how often and how long, as far as it was seen.
    WaitedFor {
        /// Which lane.
        lane: LaneId,
        /// What, in words.
        what: Vec<(String, Slept)>,
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
    /// A lock is no more since then: its process has ended or executes another program.
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
    Observing(Box<Status>),
    /// What is observed.
    Program(Box<Program>),
    /// A lane ended, and how in words: `done`, `killed by SIGKILL`.
    LaneEnded {
        /// Which.
        lane: LaneId,
        /// When, if it could not say so itself.
        at: Option<Nanos>,
        /// How.
        how: String,
    },
    /// The kernel's own sums for a lane's thread, at its end.
    Accounts {
        /// Which lane.
        lane: LaneId,
        /// The sums.
        accounts: Accounts,
    },
    /// A lane that held its lock or, without one, ran was looked at.
    Place {
        /// When.
        at: Nanos,
        /// Which lane.
        lane: LaneId,
        /// Where it was; none if that could not be read.
        place: Option<crate::observe::place::Place>,
        /// As how many looks it counts: more than one if others were left out by lot.
        counts: f64,
    },
    /// How much processor time all processes of the run have used, where only the sum is known.
    CpuTime(Nanos),
    /// What memory the processes hold at the end of the run, all of them still there.
    Memory(Vec<ProcessMemory>),
    /// What `outcome()` returned.
    Outcome(String),
    /// `outcome()` raised.
    OutcomeRaised {
        /// The last line of its traceback.
        text: String,
        /// At which line of the workload's file, where known.
        line: Option<u32>,
    },
    /// The last result was received; nothing follows but [`Signal::Upto`].
    Ended(Nanos),
    /// The run was stopped before its end; nothing follows.
    Stopped,
    /// The run could not go on, and why in a sentence.
    Failed(String),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// It returned a value with this repr.
    Value(String),
    /// It raised, or its worker died.
    Error {
        /// As Python prints it: `ZeroDivisionError: division by zero`.
        text: String,
        /// At which line of the workload's file, where known.
        line: Option<u32>,
    },
}

/// What a source is, known before it starts.
#[derive(Clone, Debug)]
pub struct Description {
    /// `emulated` or `cpython`.
    pub engine: &'static str,
    /// Every lane, by its number.
    pub lanes: Vec<crate::model::LanePlan>,
    /// Every lock, by its number.
    pub locks: Vec<crate::model::LockPlan>,
    /// How it is known who had a core.
    pub core_evidence: CoreEvidence,
    /// Why it is not known better, in a sentence.
    pub core_evidence_reason: Option<String>,
    /// What is observed, where something real is.
    pub program: Option<Program>,
    /// How the observing goes, where something real is.
    pub observing: Option<Status>,
}

/// How a lane of a program ended that we asked to end.
pub const ENDED_BY_US: &str = "ended by gilscope";

/// Where a run's events come from.
pub trait Source {
    /// What it is.
    fn describe(&self) -> &Description;

    /// Lets the work begin.
    fn go(&mut self);

    /// Says everything that has become known since the last call. Never blocks.
    fn poll(&mut self, say: &mut dyn FnMut(Signal));

    /// Changes the switch interval of every lock, at once.
    fn set_switch_interval(&mut self, interval: Nanos);

    /// Observes exactly for a moment, although it slows the program down. Nothing to a source that is exact already.
    fn exact_once(&mut self) {}

    /// The processes that do the work, for those who watch memory.
    fn pids(&self) -> Vec<u32>;

    /// The line each lane's evaluation loop is at, by looking now.
    fn lines(&self) -> Vec<(LaneId, Line)>;

    /// What was printed so far: the last 1 MiB.
    fn output(&self) -> String;

    /// How many lines were printed before these.
    fn output_left_out(&self) -> u64;

    /// The last lines of that, as a panel shows them.
    fn printed(&self) -> Printed {
        Printed::of(&self.output())
    }

    /// A key for the program that was started, if it has a terminal of its own. Says whether the program can read it.
    fn press(&mut self, _: KeyEvent) -> bool {
        false
    }

    /// The panel of its output has so many columns and rows; a terminal of its own has as many.
    fn resize_panel(&mut self, _columns: u16, _rows: u16) {}

    /// Ends the run now, by force. [`Signal::LaneEnded`] follows for each lane that had not ended.
    fn stop(&mut self);

    /// Asks a program that was started to be observed to end, with all that it made; those that do not are made to, within
    /// a few seconds, and what is seen until then is said. Nothing to one that was running before, and to all others.
    fn end(&mut self) {}

    /// Halts every process of the run.
    fn suspend(&mut self);

    /// Lets them go on. Says whether it is on record that they stood still: else nothing is known of that time.
    fn resume(&mut self) -> bool;
}
