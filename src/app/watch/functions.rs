//! The table by function: where the lock was held or, without one, where threads ran.

use std::collections::HashMap;

use crate::event::{LaneId, Nanos};
use crate::insight::words;
use crate::session::{Held, HeldIn, Looks, Places};
use crate::trace::Estimate;

use super::figures::Holder;

/// So much that is in no function is a row of its own.
const WORTH_A_ROW: f64 = 0.005;

/// In which functions the lock was held while others waited, as far as looks tell; the rest is a row without a name.
pub(super) fn held_in(places: &Places, told: &HashMap<LaneId, Held>, span: Nanos) -> Vec<Holder> {
    let shares = Shares { all: |told| told.waited, part: |row| row.waited };
    table(&places.divide(told, Looks::Lately), told, span, shares)
}

/// In which functions threads ran that have no lock, likewise.
pub(super) fn ran_in(places: &Places, ran: &HashMap<LaneId, Held>, span: Nanos) -> Vec<Holder> {
    let shares = Shares { all: |ran| ran.held, part: |row| row.held };
    table(&places.divide_runs(ran, Looks::Lately), ran, span, shares)
}

/// What functions have a share of: as much as is told of a lane, and as a function has.
struct Shares {
    all: fn(&Held) -> Nanos,
    part: fn(&HeldIn) -> Estimate,
}

/// The functions, by their share.
fn table(rows: &[HeldIn], told: &HashMap<LaneId, Held>, span: Nanos, Shares { all, part }: Shares) -> Vec<Holder> {
    let span = span.0.max(1) as f64;
    let held = told.values().map(|told| told.held.0).sum::<u64>() as f64 / span;
    let all = told.values().map(|told| all(told).0).sum::<u64>() as f64;
    let holder = |row: &HeldIn| Holder {
        lane: row.lane,
        name: row.place.function.to_string(),
        place: Some(words::place_of(&row.place)),
        task: row.task_words(),
        holds: row.held.ns / span,
        waiting: part(row).ns / all.max(1.0),
        off: part(row).off() / all.max(1.0),
        ..Holder::default()
    };
    // What was not held lately is of no interest.
    let mut holders: Vec<Holder> = rows.iter().filter(|row| row.held.ns > 0.0).map(holder).collect();
    let seen = |part: fn(&Holder) -> f64| holders.iter().map(part).sum::<f64>();
    let holds = held - seen(|it| it.holds);
    let waiting = if all > 0.0 { 1.0 - seen(|it| it.waiting) } else { 0.0 };
    if holds >= WORTH_A_ROW || waiting >= WORTH_A_ROW {
        let at = holders.partition_point(|it| it.waiting >= waiting);
        holders.insert(at, Holder { holds: holds.max(0.0), waiting: waiting.max(0.0), ..Holder::default() });
    }
    holders
}
