//! Every query against brute force: the same run as one table entry for each nanosecond.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::{Detail, Line, State, TaskId};
use crate::model::Role;

const LANES: usize = 5;
const CORES: u16 = 3;
const BEGIN: u64 = 60;

/// One draw of a run: which lane, which action, how long after the last, and a number for the action.
type Draw = (u8, u8, u64, u8);

/// Who has a lock or a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Nobody,
    Unknown,
    Lane { lane: LaneId, off_core: bool },
}

struct TableLane {
    lock: LockId,
    records: bool,
    state: State,
    line: Line,
    core: CoreId,
    preempted: bool,
    had_core: bool,
    on: Option<CoreId>,
    holds: bool,
    open: u64,
    shown: (State, Line),
    table: Vec<State>,
    lines: Vec<Line>,
}

impl TableLane {
    fn show(&self) -> (State, Line) {
        if self.preempted && self.state.on_core() { (State::WaitingCore, self.line) } else { (self.state, self.line) }
    }
}

struct TableThing {
    now: Has,
    last: Option<LaneId>,
    open: u64,
    changes: Vec<u64>,
    table: Vec<Has>,
}

impl TableThing {
    fn set(&mut self, at: u64, has: Has) {
        if self.now != has {
            self.now = has;
            self.open = at;
        }
    }

    fn holder(&self) -> Option<LaneId> {
        match self.now {
            Has::Lane { lane, .. } => Some(lane),
            _ => None,
        }
    }

    fn overwrite(&mut self, from: u64, to: u64, has: Has) {
        let from = from.max(self.open);
        if from < to {
            self.table[from as usize..to as usize].fill(has);
            self.open = to;
        }
    }
}

/// The run as tables, and the trace that is told of it.
struct Run {
    trace: Trace,
    at: u64,
    last_event: u64,
    last_kill: u64,
    lanes: Vec<TableLane>,
    locks: Vec<TableThing>,
    cores: BTreeMap<CoreId, TableThing>,
    /// What has happened and not been told, by lane.
    untold: Vec<Vec<Event>>,
    takes: Vec<Vec<(u64, LaneId)>>,
    handoffs: Vec<u64>,
    holds: Vec<Vec<u64>>,
    waits: Vec<Vec<u64>>,
    took: Vec<u64>,
    began_wait: Vec<u64>,
}

fn thing() -> TableThing {
    TableThing { now: Has::Nobody, last: None, open: 0, changes: Vec::new(), table: Vec::new() }
}

impl Run {
    fn new(budget: usize, locks: usize) -> Run {
        let mut trace = Trace::new(budget);
        for process in 0..locks {
            trace.add_lock(LockInfo {
                kind: LockKind::Gil,
                name: format!("GIL {process}"),
                process: process as u32,
                of_workers: true,
            });
        }
        let lanes = (0..LANES).map(|index| {
            let lock = LockId((index % locks) as u16);
            let role = if index == 0 { Role::Main } else { Role::Worker };
            let records = index % 2 == 1;
            let core_evidence = if records { CoreEvidence::SwitchRecords } else { CoreEvidence::Heartbeat };
            trace.add_lane(LaneInfo { core_evidence, ..LaneInfo::new(format!("lane {index}"), role, Some(lock)) });
            TableLane {
                lock,
                records,
                state: State::Unborn,
                line: Line::NONE,
                core: CoreId::UNKNOWN,
                preempted: false,
                had_core: false,
                on: None,
                holds: false,
                open: 0,
                shown: (State::Unborn, Line::NONE),
                table: Vec::new(),
                lines: Vec::new(),
            }
        });
        Run {
            lanes: lanes.collect(),
            trace,
            at: 0,
            last_event: 0,
            last_kill: 0,
            locks: (0..locks).map(|_| thing()).collect(),
            cores: BTreeMap::new(),
            untold: vec![Vec::new(); LANES],
            takes: vec![Vec::new(); locks],
            handoffs: vec![0; locks],
            holds: vec![Vec::new(); locks],
            waits: vec![Vec::new(); locks],
            took: vec![0; locks],
            began_wait: vec![0; LANES],
        }
    }

    fn pass(&mut self, span: u64) {
        for _ in 0..span {
            for lane in &mut self.lanes {
                lane.table.push(lane.shown.0);
                lane.lines.push(lane.shown.1);
            }
            self.locks.iter_mut().for_each(|lock| lock.table.push(lock.now));
            self.cores.values_mut().for_each(|core| core.table.push(core.now));
            self.at += 1;
            if self.at == BEGIN {
                self.tell();
                self.trace.begin(Nanos(BEGIN));
                self.lanes.iter_mut().for_each(|lane| lane.open = BEGIN);
                self.locks.iter_mut().for_each(|lock| lock.open = BEGIN);
                self.cores.values_mut().for_each(|core| core.open = BEGIN);
            }
        }
    }

    fn tell(&mut self) {
        for events in &mut self.untold {
            events.drain(..).for_each(|event| self.trace.append(&event));
        }
    }

    fn event(&mut self, index: usize, kind: EventKind) {
        let lane = &self.lanes[index];
        let (at, line, core) = (Nanos(self.at), lane.line, lane.core);
        self.last_event = self.at;
        self.untold[index].push(Event { at, lane: LaneId(index as u32), core, line, kind });
    }

    fn step(&mut self, (who, action, span, number): Draw) {
        self.pass(span);
        let index = usize::from(who) % LANES;
        let id = LaneId(index as u32);
        let lane = &mut self.lanes[index];
        lane.core = CoreId(u16::from(number) % CORES);
        let lock = lane.lock.index();
        let others =
            [State::Io, State::Native, State::Idle, State::WaitingLock, State::Sleeping, State::Done, State::Starting];
        let other = others[usize::from(number) % others.len()];
        match action % 16 {
            0..=4 if !lane.holds && self.locks[lock].holder().is_none() && lane.state.may_become(State::Running) => {
                lane.line = Line(u32::from(number % 4));
                self.event(index, EventKind::Take { lock: LockId(lock as u16), to: State::Running });
                self.take(index);
                self.enter(index, State::Running);
            }
            0..=4 if !lane.holds && lane.state != State::Running && lane.state.may_become(State::WaitingGil) => {
                self.event(index, EventKind::State { to: State::WaitingGil, detail: Detail::None });
                self.enter(index, State::WaitingGil);
            }
            5..=7 if lane.holds && lane.state.may_become(other) => {
                let to = if number > 128 { State::WaitingGil } else { other };
                let lock = LockId(lock as u16);
                self.event(index, EventKind::Drop { lock, to, detail: Detail::None, requested: false });
                self.release(index);
                self.enter(index, to);
            }
            8 if lane.holds => {
                lane.line = Line(u32::from(number % 4));
                self.event(index, EventKind::State { to: State::Pickling, detail: Detail::None });
                self.enter(index, State::Pickling);
            }
            8 if lane.state != State::WaitingGil && lane.state.may_become(other) => {
                self.event(index, EventKind::State { to: other, detail: Detail::None });
                self.enter(index, other);
            }
            9 if number < 60 && lane.state.may_become(State::Suspended) && !lane.holds => {
                self.event(index, EventKind::State { to: State::Suspended, detail: Detail::None });
                self.enter(index, State::Suspended);
            }
            10 if lane.state == State::Suspended => self.ready_since(index, u64::from(number)),
            9 | 10 => self.no_core(index, u64::from(number)),
            11 => {
                lane.preempted = false;
                self.event(index, EventKind::SwitchIn);
                self.first_core(index);
                self.show(index);
                self.sit(index, Some(self.lanes[index].core));
            }
            12 => {
                let preempted = number > 60;
                lane.preempted = preempted && lane.state.on_core();
                lane.had_core = true;
                self.event(index, EventKind::SwitchOut { preempted });
                self.show(index);
                self.sit(index, None);
            }
            13 => {
                self.event(index, EventKind::TaskEnded { task: TaskId(0), ok: true });
                self.place(index);
            }
            14 if number < 8 => {
                self.tell();
                self.last_kill = self.at;
                self.trace.lane_killed(id, Nanos(self.at));
                if self.lanes[index].holds {
                    self.release(index);
                }
                self.lanes[index].line = Line::NONE;
                self.enter(index, State::Done);
            }
            14 if number < 40 => self.gap(u64::from(number)),
            15 => {
                self.tell();
                self.trace.advance(Nanos(self.at));
            }
            _ => {}
        }
    }

    fn enter(&mut self, index: usize, to: State) {
        self.lanes[index].state = to;
        self.show(index);
        self.place(index);
        if to == State::Done {
            self.sit(index, None);
        }
    }

    fn show(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let shown = lane.show();
        if shown == lane.shown {
            return;
        }
        if shown.0 == State::WaitingGil && lane.shown.0 != State::WaitingGil {
            self.began_wait[index] = self.at.max(BEGIN);
        }
        lane.shown = shown;
        lane.open = self.at;
        if lane.holds {
            let has = Has::Lane { lane: LaneId(index as u32), off_core: shown.0 == State::WaitingCore };
            self.locks[lane.lock.index()].set(self.at, has);
        }
    }

    /// Until its first core, what was born had none.
    fn first_core(&mut self, index: usize) {
        let (at, lane) = (self.at, &mut self.lanes[index]);
        let first = !std::mem::replace(&mut lane.had_core, true);
        let born = lane.open as usize;
        if first && lane.shown.0 == State::Starting && lane.open > BEGIN && lane.table[born - 1] == State::Unborn {
            lane.table[born..at as usize].fill(State::WaitingCore);
            lane.open = at;
        }
    }

    fn take(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let id = LaneId(index as u32);
        let lock = lane.lock.index();
        if lane.shown.0 == State::WaitingGil && self.at >= BEGIN {
            let since = self.began_wait[index] as usize;
            let waited = lane.table[since.min(lane.table.len())..].iter().filter(|state| **state == State::WaitingGil);
            self.waits[lock].push(waited.count() as u64);
        }
        lane.holds = true;
        let known = &mut self.locks[lock];
        if self.at >= BEGIN {
            self.takes[lock].push((self.at, id));
            if known.last.is_some_and(|last| last != id) {
                known.changes.push(self.at);
                self.handoffs[lock] += 1;
            }
        }
        known.last = Some(id);
        known.set(self.at, Has::Lane { lane: id, off_core: false });
        self.took[lock] = self.at.max(BEGIN);
    }

    fn release(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        lane.holds = false;
        let lock = lane.lock.index();
        self.locks[lock].set(self.at, Has::Nobody);
        if self.at > BEGIN || !self.takes[lock].is_empty() {
            let since = self.took[lock] as usize;
            let held = self.locks[lock].table[since..].iter().filter(|has| matches!(has, Has::Lane { .. }));
            self.holds[lock].push(held.count() as u64);
        }
    }

    fn no_core(&mut self, index: usize, back: u64) {
        let at = self.at;
        let lane = &mut self.lanes[index];
        if !lane.state.on_core() {
            return;
        }
        let since = at.saturating_sub(back);
        let (records, open) = (lane.records, lane.open);
        let from = since.max(open).max(BEGIN);
        if !records && from < at {
            lane.table[from as usize..at as usize].fill(State::WaitingCore);
            lane.open = at;
            let id = LaneId(index as u32);
            if lane.holds {
                self.locks[lane.lock.index()].overwrite(from, at, Has::Lane { lane: id, off_core: true });
            }
            if let Some(core) =
                lane.on.and_then(|core| self.cores.get_mut(&core)).filter(|core| core.holder() == Some(id))
            {
                core.overwrite(from, at, Has::Nobody);
            }
        }
        self.event(index, EventKind::NoCore { since: Nanos(since) });
        if !records {
            self.place(index);
        }
    }

    fn ready_since(&mut self, index: usize, back: u64) {
        let since = self.at.saturating_sub(back);
        let lane = &mut self.lanes[index];
        let from = since.max(lane.open).max(BEGIN);
        if from < self.at && lane.shown.0 == State::Suspended {
            lane.table[from as usize..self.at as usize].fill(State::Ready);
        }
        self.event(index, EventKind::ReadySince { since: Nanos(since) });
        self.enter(index, State::Ready);
    }

    fn gap(&mut self, back: u64) {
        self.tell();
        // Nobody is killed while suspended.
        let since = self.at.saturating_sub(back).max(self.last_kill);
        self.trace.mark_unknown(Nanos(since), Nanos(self.at));
        let from = since.max(self.last_event).max(BEGIN);
        for lane in &mut self.lanes {
            let from = from.max(lane.open);
            if from < self.at {
                lane.table[from as usize..self.at as usize].fill(State::Unknown);
                lane.lines[from as usize..self.at as usize].fill(Line::NONE);
                lane.open = self.at;
            }
        }
        self.locks.iter_mut().for_each(|lock| lock.overwrite(from, self.at, Has::Unknown));
        self.cores.values_mut().for_each(|core| core.overwrite(from, self.at, Has::Nobody));
    }

    fn place(&mut self, index: usize) {
        let lane = &self.lanes[index];
        if !lane.records {
            let core = Some(lane.core).filter(|_| lane.shown.0.on_core());
            self.sit(index, core);
        }
    }

    fn sit(&mut self, index: usize, core: Option<CoreId>) {
        let id = LaneId(index as u32);
        let core = core.filter(|_| self.lanes[index].state != State::Done);
        let old = std::mem::replace(&mut self.lanes[index].on, core);
        if let Some(old) = old.filter(|old| Some(*old) != core).and_then(|old| self.cores.get_mut(&old))
            && old.holder() == Some(id)
        {
            old.set(self.at, Has::Nobody);
        }
        if let Some(core) = core {
            let at = self.at;
            let core = self
                .cores
                .entry(core)
                .or_insert_with(|| TableThing { table: vec![Has::Nobody; at as usize], ..thing() });
            if core.holder() != Some(id) {
                if core.last.is_some_and(|last| last != id) && at > BEGIN {
                    core.changes.push(at);
                }
                core.last = Some(id);
                core.set(at, Has::Lane { lane: id, off_core: false });
            }
        }
    }

    fn finish(&mut self) {
        self.pass(7.max(BEGIN.saturating_sub(self.at) + 1));
        self.tell();
        self.trace.end(Nanos(self.at));
    }

    fn made(budget: usize, locks: usize, draws: Vec<Draw>) -> Run {
        let mut run = Run::new(budget, locks);
        draws.into_iter().for_each(|draw| run.step(draw));
        run.finish();
        run
    }

    fn cell(&self, window: (u64, u64, usize), index: usize) -> std::ops::Range<usize> {
        let (from, to, cells) = window;
        let at = |index: usize| (from + (to - from) * index as u64 / cells as u64).clamp(BEGIN, self.at) as usize;
        at(index)..at(index + 1)
    }
}

/// Who had it longest, how long, how long anybody, without a core, and not observed.
fn shares(table: &[Has]) -> (Option<(LaneId, Nanos)>, Nanos, Nanos, Nanos) {
    let mut by_lane = BTreeMap::new();
    let (mut off, mut unknown) = (0, 0);
    for has in table {
        match has {
            Has::Lane { lane, off_core } => {
                *by_lane.entry(*lane).or_insert(0) += 1;
                off += u64::from(*off_core);
            }
            Has::Unknown => unknown += 1,
            Has::Nobody => {}
        }
    }
    let longest = by_lane.iter().rev().max_by_key(|(_, ns)| **ns).map(|(lane, ns)| (*lane, Nanos(*ns)));
    (longest, Nanos(by_lane.values().sum()), Nanos(off), Nanos(unknown))
}

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
            prop_assert_eq!((stats.takes, stats.handoffs), (run.takes[index].len() as u64, run.handoffs[index]));
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
