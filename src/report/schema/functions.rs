//! In which functions locks were held and threads ran: the part of the schema that rests on looks, not on the log alone.

use serde::Serialize;

use crate::event::LaneId;

/// A function in which a lock was held, by whichever lanes. Looks, fifty a second, tell how a lane's own holding and
/// waiting for it are divided among its functions; how long both were is the log's, so that `waited` of a lane's functions
/// is together its share in `blame`. Of what is missing from 1, no look tells the function.
#[derive(Clone, Debug, Serialize)]
pub struct HeldIn {
    /// By which lane; of several the one during whose holds there others waited longest.
    pub lane: LaneId,
    /// How many lanes were seen there.
    pub lane_count: usize,
    /// Each of them with its part, the most waited for first, eight at most.
    pub lanes: Vec<OfLane>,
    /// The function's qualified name; of real programs up to 3.10 its name alone.
    pub function: String,
    /// Its file.
    pub file: String,
    /// The line where it was seen last; null where it has none.
    pub line: Option<u32>,
    /// The asyncio task it ran in when it was last seen (3.14 and later); null if there was none.
    pub task: Option<String>,
    /// Every asyncio task it was seen in, the most waited for first, eight at most.
    pub tasks: Vec<InTask>,
    /// Whether there were more.
    pub more_tasks: bool,
    /// If that is the standard library, the nearest caller that is not; null otherwise.
    pub caller: Option<Caller>,
    /// How many looks found it there.
    pub looks: u64,
    /// Its share of all holding, 0 to 1.
    pub held: f64,
    /// How far that may be off, more or less, in nineteen of twenty cases, as far as that lies with the number of looks.
    pub held_off: f64,
    /// Its share of all waiting, 0 to 1: by the looks at which somebody waited.
    pub waited: f64,
    /// How far that may be off, likewise.
    pub waited_off: f64,
}

/// A function in which a thread without a GIL was seen running Python: how long it ran, divided by looks among its functions.
/// Of what is missing from 1, no look tells the function: it ran native code, or was not looked at.
#[derive(Clone, Debug, Serialize)]
pub struct RanIn {
    /// Which lane.
    pub lane: LaneId,
    /// The function's qualified name.
    pub function: String,
    /// Its file.
    pub file: String,
    /// The line where it was seen last; null where it has none.
    pub line: Option<u32>,
    /// The asyncio task it ran in when it was last seen (3.14 and later); null if there was none.
    pub task: Option<String>,
    /// If that is the standard library, the nearest caller that is not; null otherwise.
    pub caller: Option<Caller>,
    /// How many looks found it there.
    pub looks: u64,
    /// Its share of all running without a GIL, 0 to 1.
    pub ran: f64,
    /// How far that may be off, more or less, in nineteen of twenty cases, as far as that lies with the number of looks.
    pub ran_off: f64,
}

/// The part of a function that ran in one asyncio task.
#[derive(Clone, Debug, Serialize)]
pub struct InTask {
    /// The task's name.
    pub task: String,
    /// Its share of all holding, 0 to 1.
    pub held: f64,
    /// Its share of all waiting, 0 to 1.
    pub waited: f64,
}

/// The part of a function that one lane has.
#[derive(Clone, Debug, Serialize)]
pub struct OfLane {
    /// Which.
    pub lane: LaneId,
    /// How many looks found it there.
    pub looks: u64,
    /// Its share of all holding, 0 to 1.
    pub held: f64,
    /// Its share of all waiting, 0 to 1.
    pub waited: f64,
}

/// Functions that have no row of their own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// How many.
    pub functions: usize,
    /// How many looks found a holder in one of them.
    pub looks: u64,
    /// Their share of all holding, 0 to 1.
    pub held: f64,
    /// Their share of all waiting, 0 to 1.
    pub waited: f64,
}

/// Who called the standard library.
#[derive(Clone, Debug, Serialize)]
pub struct Caller {
    /// The function's qualified name.
    pub function: String,
    /// Its file.
    pub file: String,
    /// The line of the call; null where it has none.
    pub line: Option<u32>,
}
