//! Every query against brute force: the same run as one table entry for each nanosecond.

mod run;
mod table;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::State;
use run::{Draw, Run};
use table::{Has, TableLane, shares};

const LANES: usize = 5;
const BEGIN: u64 = 60;

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    proptest::collection::vec((any::<u8>(), any::<u8>(), 1..12u64, any::<u8>()), 0..400)
}

fn windows() -> impl Strategy<Value = (u64, u64, usize)> {
    (0..3000u64, 0..3000u64, 1..40usize).prop_map(|(one, other, cells)| (one.min(other), one.max(other), cells))
}

proptest! {
    #[test]
    fn every_cell_is_what_the_table_says(draws in draws(), locks in 1..4usize, window in windows()) {
        let run = Run::made(usize::MAX, locks, draws);
        let (from, to, cells) = (Nanos(window.0), Nanos(window.1), window.2);
        for (index, lane) in run.lanes.iter().enumerate() {
            let row = run.trace.lane_window(LaneId(index as u32), from, to, cells);
            prop_assert_eq!(row.len(), cells);
            for (cell, found) in row.iter().enumerate() {
                let range = run.cell(window, cell);
                let mut states = [Nanos::ZERO; State::COUNT];
                range.clone().for_each(|at| states[lane.table[at].index()] += Nanos(1));
                prop_assert_eq!(found.states, states, "lane {} in {:?}", index, &range);
                let changes = range.filter(|at| *at as u64 > BEGIN && lane.table[*at] != lane.table[at - 1]).count();
                prop_assert_eq!(found.changes as usize, changes);
            }
        }
        for first in 0..LANES - 1 {
            for last in first..LANES {
                let row = run.trace.workers_window(first..last, from, to, cells);
                for (cell, found) in row.into_iter().enumerate() {
                    let mut states = Ledger::default();
                    for lane in &run.lanes[first + 1..LANES.min(last + 1)] {
                        run.cell(window, cell).for_each(|at| states.0[lane.table[at].index()] += Nanos(1));
                    }
                    prop_assert_eq!(found, states, "workers {}..{} in cell {}", first, last, cell);
                }
            }
        }
        for (index, lock) in run.locks.iter().enumerate() {
            let row = run.trace.lock_window(LockId(index as u16), from, to, cells);
            for (cell, found) in row.into_iter().enumerate() {
                let range = run.cell(window, cell);
                let handoffs = lock.changes.iter().filter(|at| range.contains(&(**at as usize))).count() as u32;
                let (owner, held, held_off_core, unknown) = shares(&lock.table[range]);
                prop_assert_eq!(found, LockCell { owner, held, held_off_core, unknown, absent: Nanos::ZERO, handoffs });
            }
        }
        for (id, core) in &run.cores {
            let row = run.trace.core_window(*id, from, to, cells);
            for (cell, found) in row.into_iter().enumerate() {
                let range = run.cell(window, cell);
                let changes = core.changes.iter().filter(|at| range.contains(&(**at as usize))).count() as u32;
                let (lane, busy, ..) = shares(&core.table[range]);
                prop_assert_eq!(found, CoreCell { lane, busy, changes });
            }
        }
        for (cell, busy) in run.trace.busy_window(from, to, cells).into_iter().enumerate() {
            let range = run.cell(window, cell);
            let times = |what: fn(State) -> bool| -> Vec<usize> {
                let time = |lane: &TableLane| lane.table[range.clone()].iter().filter(|state| what(**state)).count();
                run.lanes[1..].iter().map(time).collect()
            };
            let on_core: usize = times(State::on_core).into_iter().sum();
            let unseen = times(|state| state == State::Unknown).into_iter().min().unwrap_or(0);
            let observed = range.len() - unseen;
            prop_assert!(busy == on_core as f64 / observed as f64 || observed == 0 && busy.is_nan());
        }
    }

    #[test]
    fn every_sum_is_what_the_table_says(draws in draws(), locks in 1..4usize) {
        let run = Run::made(usize::MAX, locks, draws);
        let trace = &run.trace;
        prop_assert_eq!(trace.check(), Ok(()));
        prop_assert_eq!(trace.anomalies(), Anomalies::default());
        let begin = BEGIN as usize;
        prop_assert_eq!(trace.elapsed().0, run.at - BEGIN);
        for (index, lane) in run.lanes.iter().enumerate() {
            let mut states = [Nanos::ZERO; State::COUNT];
            lane.table[begin..].iter().for_each(|state| states[state.index()] += Nanos(1));
            prop_assert_eq!(trace.lane_ledger(LaneId(index as u32)), Ledger(states));
        }
        prop_assert_eq!(trace.ledger().sum().0, (run.at - BEGIN) * (LANES as u64 - 1));
        prop_assert_eq!(trace.ledger(), trace.ledger_between(Nanos::ZERO, Nanos::MAX));
        for (index, lock) in run.locks.iter().enumerate() {
            let (_, held, _, unknown) = shares(&lock.table[begin..]);
            let stats = trace.lock_stats(LockId(index as u16));
            prop_assert_eq!((stats.held, stats.held + stats.free + unknown), (held, trace.elapsed()));
            let takes = run.takes[index].len() as u64 + u64::from(run.held_at_begin[index]);
            prop_assert_eq!((stats.takes, stats.handoffs), (takes, run.handoffs[index]));
            for (found, mut spans) in [(stats.hold, run.holds[index].clone()), (stats.wait, run.waits[index].clone())] {
                spans.sort_unstable();
                prop_assert_eq!(found.count, spans.len() as u64);
                prop_assert_eq!(found.max.0, spans.last().copied().unwrap_or(0));
                prop_assert_eq!(found.p50.0, if spans.is_empty() { 0 } else { spans[spans.len().div_ceil(2) - 1] });
            }
        }
        let mut blame = BTreeMap::new();
        for (waiter, lane) in run.lanes.iter().enumerate() {
            for at in begin..run.at as usize {
                if let (State::WaitingGil, Has::Lane { lane: holder, .. }) =
                    (lane.table[at], run.locks[lane.lock.index()].table[at])
                {
                    *blame.entry((LaneId(waiter as u32), holder)).or_insert(0) += 1;
                }
            }
        }
        let found: BTreeMap<_, _> =
            trace.blame().into_iter().map(|blame| ((blame.waiter, blame.holder), blame.ns.0)).collect();
        prop_assert_eq!(found, blame);
    }

    #[test]
    fn every_instant_is_what_the_table_says(draws in draws(), locks in 1..4usize, instants in proptest::collection::vec(0..3000u64, 20)) {
        let run = Run::made(usize::MAX, locks, draws);
        let trace = &run.trace;
        let end = run.at as usize;
        for at in instants.into_iter().map(|at| at.min(run.at) as usize) {
            for (index, lane) in run.lanes.iter().enumerate() {
                let id = LaneId(index as u32);
                let changes: Vec<usize> = (BEGIN as usize + 1..end).filter(|at| lane.table[*at] != lane.table[at - 1]).collect();
                let next = changes.iter().copied().find(|change| *change > at.max(BEGIN as usize));
                let last = changes.iter().copied().rfind(|change| *change < at);
                prop_assert_eq!(trace.next_change(id, Nanos(at as u64)), next.map(|at| Nanos(at as u64)));
                prop_assert_eq!(trace.prev_change(id, Nanos(at as u64)), last.map(|at| Nanos(at as u64)));
                let span = trace.span_at(id, Nanos(at as u64));
                if at < BEGIN as usize {
                    prop_assert_eq!(span, None);
                } else if at < end {
                    let from = changes.iter().copied().rfind(|change| *change <= at).unwrap_or(BEGIN as usize);
                    let span = span.unwrap();
                    let expected = (Nanos(from as u64), Nanos(next.unwrap_or(end) as u64), lane.table[at]);
                    prop_assert_eq!((span.from, span.to, span.state), expected);
                    prop_assert_eq!(trace.line_at(id, Nanos(at as u64)), lane.lines[at]);
                    let mut held = BTreeMap::new();
                    for at in from..next.unwrap_or(end) {
                        if let Has::Lane { lane, .. } = run.locks[lane.lock.index()].table[at] {
                            *held.entry(lane).or_insert(Nanos::ZERO) += Nanos(1);
                        }
                    }
                    prop_assert_eq!(trace.holders_during(id, span).into_iter().collect::<BTreeMap<_, _>>(), held);
                }
                let spans: Vec<_> = trace.spans(id, Nanos(at as u64)).map(|span| (span.from, span.to, span.state)).collect();
                let mut at_most = span.map(|span| span.from).unwrap_or(Nanos(BEGIN));
                for (from, to, state) in &spans {
                    prop_assert_eq!((*from, *state), (at_most, lane.table[from.0 as usize]));
                    at_most = *to;
                }
                prop_assert_eq!(spans.last().map(|last| last.1), span.map(|_| Nanos(end as u64)));
                let waits: Vec<Nanos> = (BEGIN as usize..end)
                    .filter(|start| lane.table[*start] == State::WaitingGil)
                    .filter(|start| *start == BEGIN as usize || lane.table[start - 1] != State::WaitingGil)
                    .filter(|start| lane.table[*start..].iter().take_while(|state| **state == State::WaitingGil).count() > 9)
                    .map(|start| Nanos(start as u64))
                    .collect();
                let at = Nanos(at as u64);
                let (next, last) = (waits.iter().find(|wait| **wait > at), waits.iter().rfind(|wait| **wait < at));
                prop_assert_eq!(trace.next_wait_longer_than(id, at, Nanos(9)), next.copied());
                prop_assert_eq!(trace.prev_wait_longer_than(id, at, Nanos(9)), last.copied());
            }
            for (index, lock) in run.locks.iter().enumerate() {
                let id = LockId(index as u16);
                let next = lock.changes.iter().copied().find(|change| *change > at as u64).map(Nanos);
                let last = lock.changes.iter().copied().rfind(|change| *change < at as u64).map(Nanos);
                prop_assert_eq!((trace.next_handoff(id, Nanos(at as u64)), trace.prev_handoff(id, Nanos(at as u64))), (next, last));
                if (BEGIN as usize..end).contains(&at) {
                    let owner = match lock.table[at] {
                        Has::Lane { lane, .. } => Some(lane),
                        _ => None,
                    };
                    prop_assert_eq!(trace.owner_at(id, Nanos(at as u64)).map(|(lane, _)| lane), owner);
                    if let Some((lane, since)) = trace.owner_at(id, Nanos(at as u64)) {
                        let has = |at: usize| matches!(lock.table[at], Has::Lane { lane: other, .. } if other == lane);
                        prop_assert!((since.0 as usize..=at).all(has));
                        let begins = since.0 == BEGIN || !has(since.0 as usize - 1);
                        prop_assert!(begins || run.takes[index].contains(&(since.0, lane)));
                    }
                }
                for (at_take, lane) in &run.takes[index] {
                    // What was not observed hides a take; what is left of a hold begins where it is seen again.
                    if *at_take > BEGIN && matches!(lock.table[*at_take as usize], Has::Lane { .. }) {
                        prop_assert_eq!(trace.next_take(*lane, Nanos(at_take - 1)), Some(Nanos(*at_take)));
                    }
                }
            }
        }
    }

    #[test]
    fn coarsening_keeps_the_sums_and_the_recent_past(draws in draws(), locks in 1..4usize, window in windows()) {
        let fine = Run::made(usize::MAX, locks, draws.clone());
        let coarse = Run::made(3_000, locks, draws);
        let (from, to, cells) = (Nanos(window.0), Nanos(window.1), window.2);
        prop_assert_eq!(coarse.trace.check(), Ok(()));
        prop_assert_eq!(coarse.trace.blame(), fine.trace.blame());
        let before = coarse.trace.coarsened_before().unwrap_or_default().0 as usize;
        for (lane, _) in fine.trace.lanes() {
            prop_assert_eq!(coarse.trace.lane_ledger(lane), fine.trace.lane_ledger(lane));
            prop_assert_eq!(coarse.trace.ledger_between(Nanos::ZERO, Nanos::MAX), fine.trace.ledger());
            let rows = (coarse.trace.lane_window(lane, from, to, cells), fine.trace.lane_window(lane, from, to, cells));
            for (cell, (found, exact)) in rows.0.iter().zip(&rows.1).enumerate() {
                let range = fine.cell(window, cell);
                prop_assert_eq!(found.states.iter().copied().sum::<Nanos>().0 as usize, range.len());
                if range.start >= before {
                    prop_assert_eq!(found, exact);
                }
            }
        }
        let workers = coarse.trace.workers().len();
        let rows = [&coarse, &fine].map(|run| run.trace.workers_window(0..workers, from, to, cells));
        for (cell, (found, exact)) in rows[0].iter().zip(&rows[1]).enumerate() {
            let range = fine.cell(window, cell);
            prop_assert_eq!(found.sum().0 as usize, range.len() * workers);
            if range.start >= before {
                prop_assert_eq!(found, exact);
            }
        }
        for (lock, _) in fine.trace.locks() {
            prop_assert_eq!(coarse.trace.lock_stats(lock), fine.trace.lock_stats(lock));
            let rows = (coarse.trace.lock_window(lock, from, to, cells), fine.trace.lock_window(lock, from, to, cells));
            for (cell, (found, exact)) in rows.0.iter().zip(&rows.1).enumerate() {
                if fine.cell(window, cell).start >= before {
                    prop_assert_eq!(found, exact);
                }
            }
        }
    }
}
