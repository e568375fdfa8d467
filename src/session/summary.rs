//! From a run's record to what a comparison keeps of it.

use crate::event::{LaneId, Nanos, State};
use crate::model::{LockKind, Role};
use crate::trace::Trace;

use super::comparison::{Profile, RunSummary, Spread};
use super::{Record, is_whole};

impl RunSummary {
    /// What is kept of a run that is over.
    pub fn of(record: &Record) -> RunSummary {
        let trace = &record.trace;
        let elapsed = trace.elapsed();
        let workers: Vec<LaneId> =
            record.description.lanes.iter().filter(|lane| lane.role == Role::Worker).map(|lane| lane.id).collect();
        let ledger = trace.ledger();
        let gils = record.description.locks.iter().filter(|lock| lock.of_workers && lock.kind == LockKind::Gil);
        let (voluntary, involuntary) = record.context_switches();
        let failure = (!is_whole(record)).then(|| record.shortfall());
        RunSummary {
            elapsed,
            workers: workers.len(),
            cores_busy: record.cores_busy(),
            handoffs: gils.map(|lock| trace.lock_stats(lock.id).handoffs).sum(),
            voluntary,
            involuntary,
            peak_rss: record.memory.rss,
            peak_pss: record.memory.pss,
            startup: Nanos(ledger.0[State::Starting.index()].0 / workers.len().max(1) as u64),
            first_work: Spread::of(workers.iter().filter_map(|lane| first_work(trace, *lane)))
                .map(|spread| spread.median),
            profile: profile(trace, &workers),
            observed: record.description.observing.as_ref().map(|status| status.engine),
            ledger,
            failure,
        }
    }
}

/// From the order of its birth to the first bytecode of a lane; of one that a forkserver makes, from its fork.
fn first_work(trace: &Trace, lane: LaneId) -> Option<Nanos> {
    let mut born = None;
    for span in trace.spans(lane, trace.begin_at()) {
        match span.state {
            State::Running => return Some(span.from - born.unwrap_or(span.from)),
            State::Done | State::Unknown => return None,
            State::Unborn => {}
            _ => {
                born.get_or_insert(span.from);
            }
        }
    }
    None
}

fn profile(trace: &Trace, workers: &[LaneId]) -> Profile {
    let elapsed = trace.elapsed();
    if elapsed == Nanos::ZERO {
        return Profile::default();
    }
    let cell = Nanos(elapsed.0.div_ceil(Profile::CELLS as u64));
    let (from, cells) = (trace.begin_at(), elapsed.0.div_ceil(cell.0) as usize);
    let to = from + Nanos(cell.0 * cells as u64);
    // What was not observed is not drawn as busy.
    let busy =
        trace.busy_window(from, to, cells).into_iter().map(|busy| if busy.is_finite() { busy as f32 } else { 0.0 });
    let mut starting = vec![0.0; cells];
    for lane in workers {
        if trace.lane_ledger(*lane).0[State::Starting.index()] == Nanos::ZERO {
            continue;
        }
        for (index, found) in trace.lane_window(*lane, from, to, cells).into_iter().enumerate() {
            let recorded = cell.0.min(elapsed.0 - index as u64 * cell.0).max(1);
            starting[index] += found.states[State::Starting.index()].0 as f32 / recorded as f32;
        }
    }
    Profile { cell, busy: busy.collect(), starting }
}
