//! In which functions the lock was held or, without one, threads ran.

use std::collections::HashMap;

use serde::Serialize;

use crate::event::{LaneId, Nanos};
use crate::session::{Held, Looks, Places, Record, held_by_lane, ran_by_lane};

/// A function in which a lock was held, by whichever lanes. Looks, fifty a second, tell how holding and waiting for it are
/// divided among functions; how long both were is the log's, so that `waited` of the functions of a lane that has enough
/// looks of its own is together its share in `blame`. Lanes with few looks are divided together. Of what is missing from 1,
/// no look tells the function.
#[derive(Clone, Debug, Serialize)]
pub struct HeldIn {
    /// By which lane; of several the one during whose holds there others waited longest, as far as that is known.
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
    /// The asyncio task in which it was held longest (3.14 and later); null if it was seen in none.
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
    pub held_margin: f64,
    /// Its share of all waiting, 0 to 1: by the looks at which somebody waited.
    pub waited: f64,
    /// How far that may be off, likewise.
    pub waited_margin: f64,
}

/// The part of a function that one lane has.
#[derive(Clone, Debug, Serialize)]
pub struct OfLane {
    /// Which.
    pub lane: LaneId,
    /// How many looks found it there.
    pub looks: u64,
    /// Its share of all holding, 0 to 1; null: looks at this lane are too few to tell, and it was divided with others.
    pub held: Option<f64>,
    /// Its share of all waiting, 0 to 1; null likewise.
    pub waited: Option<f64>,
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

/// A function in which threads without a GIL were seen running Python, whichever: how long they ran, divided by looks among
/// functions. Of what is missing from 1, no look tells the function. A thread is looked at from some milliseconds after its
/// birth on: what threads do first that live no longer is hardly among it.
#[derive(Clone, Debug, Serialize)]
pub struct RanIn {
    /// Which lane; of several the one that ran there longest, as far as that is known.
    pub lane: LaneId,
    /// How many lanes were seen there.
    pub lane_count: usize,
    /// Each of them with its part, the longest first, eight at most.
    pub lanes: Vec<RanOfLane>,
    /// The function's qualified name.
    pub function: String,
    /// Its file.
    pub file: String,
    /// The line where it was seen last; null where it has none.
    pub line: Option<u32>,
    /// The asyncio task in which it ran longest (3.14 and later); null if it was seen in none.
    pub task: Option<String>,
    /// If that is the standard library, the nearest caller that is not; null otherwise.
    pub caller: Option<Caller>,
    /// How many looks found it there.
    pub looks: u64,
    /// Its share of all running without a GIL, 0 to 1.
    pub ran: f64,
    /// How far that may be off, more or less, in nineteen of twenty cases, as far as that lies with the number of looks.
    pub ran_margin: f64,
}

/// The part of a function that one lane ran in it.
#[derive(Clone, Debug, Serialize)]
pub struct RanOfLane {
    /// Which.
    pub lane: LaneId,
    /// How many looks found it there.
    pub looks: u64,
    /// Its share of all running, 0 to 1; null: looks at this lane are too few to tell, and it was divided with others.
    pub ran: Option<f64>,
}

/// Functions in which threads ran that have no row of their own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RanLeftOut {
    /// How many.
    pub functions: usize,
    /// How many looks found a thread in one of them.
    pub looks: u64,
    /// Their share of all running, 0 to 1.
    pub ran: f64,
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

/// So many functions are told of.
const MOST_ROWS: usize = 32;

/// So many tasks of each.
const MOST_TASKS: usize = 8;

/// So many lanes of each.
const MOST_LANES: usize = 8;

type Row = crate::session::HeldIn;

pub(super) fn held_in(record: &Record) -> (Vec<HeldIn>, Option<LeftOut>) {
    let trace = &record.trace;
    let waited = trace.blame().into_iter().map(|blame| (blame.holder, blame.ns));
    held_in_of(&record.places, &held_by_lane(trace, trace.begin_at(), waited))
}

fn all(told: &HashMap<LaneId, Held>, part: fn(&Held) -> Nanos) -> f64 {
    told.values().map(|told| part(told).0).sum::<u64>().max(1) as f64
}

/// By function, and only then cut: where each request has a thread, no thread alone has much of any.
fn held_in_of(places: &Places, told: &HashMap<LaneId, Held>) -> (Vec<HeldIn>, Option<LeftOut>) {
    let (held, waited) = (all(told, |told| told.held), all(told, |told| told.waited));
    let row = |row: Row| HeldIn {
        lane: row.lane,
        lane_count: row.lane_count,
        lanes: row
            .lanes
            .into_iter()
            .take(MOST_LANES)
            .map(|it| OfLane {
                lane: it.lane,
                looks: it.looks,
                held: it.held.map(|it| it.ns / held),
                waited: it.waited.map(|it| it.ns / waited),
            })
            .collect(),
        function: row.place.function.to_string(),
        file: row.place.file.to_string(),
        line: row.place.line,
        task: row.place.task.map(|task| task.to_string()),
        more_tasks: row.more_tasks || row.tasks.len() > MOST_TASKS,
        tasks: row
            .tasks
            .into_iter()
            .take(MOST_TASKS)
            .map(|it| InTask { task: it.task.to_string(), held: it.held.ns / held, waited: it.waited.ns / waited })
            .collect(),
        caller: row.place.caller.map(|it| caller(&it)),
        looks: row.looks,
        held: row.held.ns / held,
        held_margin: row.held.off() / held,
        waited: row.waited.ns / waited,
        waited_margin: row.waited.off() / waited,
    };
    let (rows, rest) = cut(places.divide(told, Looks::Ever));
    let left_out = (!rest.is_empty()).then(|| LeftOut {
        functions: rest.len(),
        looks: rest.iter().map(|row| row.looks).sum(),
        held: rest.iter().map(|row| row.held.ns).sum::<f64>() / held,
        waited: rest.iter().map(|row| row.waited.ns).sum::<f64>() / waited,
    });
    (rows.into_iter().map(row).collect(), left_out)
}

pub(super) fn ran_in(record: &Record) -> (Vec<RanIn>, Option<RanLeftOut>) {
    let ran = ran_by_lane(&record.trace, record.trace.begin_at());
    let all = all(&ran, |ran| ran.held);
    let row = |row: Row| RanIn {
        lane: row.lane,
        lane_count: row.lane_count,
        lanes: row
            .lanes
            .into_iter()
            .take(MOST_LANES)
            .map(|it| RanOfLane { lane: it.lane, looks: it.looks, ran: it.held.map(|it| it.ns / all) })
            .collect(),
        function: row.place.function.to_string(),
        file: row.place.file.to_string(),
        line: row.place.line,
        task: row.place.task.map(|task| task.to_string()),
        caller: row.place.caller.map(|it| caller(&it)),
        looks: row.looks,
        ran: row.held.ns / all,
        ran_margin: row.held.off() / all,
    };
    let (rows, rest) = cut(record.places.divide_runs(&ran, Looks::Ever));
    let left_out = (!rest.is_empty()).then(|| RanLeftOut {
        functions: rest.len(),
        looks: rest.iter().map(|row| row.looks).sum(),
        ran: rest.iter().map(|row| row.held.ns).sum::<f64>() / all,
    });
    (rows.into_iter().map(row).collect(), left_out)
}

/// Those that are told of, and the rest.
fn cut(mut rows: Vec<Row>) -> (Vec<Row>, Vec<Row>) {
    let rest = rows.split_off(rows.len().min(MOST_ROWS));
    (rows, rest)
}

fn caller(caller: &crate::observe::place::Caller) -> Caller {
    Caller { function: caller.function.to_string(), file: caller.file.to_string(), line: caller.line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::place::Place;

    fn place(function: &str) -> Place {
        Place { function: function.into(), file: "a.py".into(), line: Some(1), task: None, caller: None }
    }

    #[test]
    fn a_function_of_many_threads_is_one_row_and_what_is_left_out_is_told() {
        let (mut places, mut told) = (Places::default(), HashMap::new());
        let mut saw = |lane: u32, function: &str, ms: u64| {
            places.saw(Nanos::from_millis(u64::from(lane + 1) * 20), LaneId(lane), place(function), 1);
            told.insert(
                LaneId(lane),
                Held { held: Nanos::from_millis(ms), waited: Nanos::from_millis(ms), lock: None },
            );
        };
        // A thread for each request, and the work is in one function; then a thread for each of forty others.
        (0..300).for_each(|lane| saw(lane, "heavy", 10));
        (300..340).for_each(|lane| saw(lane, &format!("f{lane}"), 10));
        let (rows, left_out) = held_in_of(&places, &told);
        let (all, near) = (3400.0, |one: f64, other: f64| (one - other).abs() < 1e-9);
        assert_eq!((rows.len(), &*rows[0].function, rows[0].looks), (MOST_ROWS, "heavy", 300));
        assert!(near(rows[0].held, 3000.0 / all) && near(rows[0].waited, 3000.0 / all), "{:?}", rows[0]);
        assert!(rows[0].held_margin < 0.05, "{:?}", rows[0]);
        assert_eq!((rows[0].lane_count, rows[0].lanes.len()), (300, MOST_LANES));
        assert!(
            rows[0].lanes.iter().all(|it| it.looks == 1 && it.held.is_none()),
            "one look tells little: {:?}",
            rows[0]
        );
        let left_out = left_out.expect("there were more");
        assert_eq!((left_out.functions, left_out.looks), (9, 9));
        assert!(near(left_out.held, 90.0 / all) && near(left_out.waited, 90.0 / all), "{left_out:?}");
    }
}
