//! Runs that are made up, step by step: each step is told to a trace and written into tables.

use std::collections::BTreeMap;

use super::super::*;
use super::table::{Has, TableLane, TableThing, thing};
use super::{BEGIN, LANES};
use crate::event::{Detail, EventKind, Line, State, TaskId};
use crate::model::Role;

const CORES: u16 = 3;

/// One draw of a run: which lane, which action, how long after the last, and a number for the action.
pub(super) type Draw = (u8, u8, u64, u8);

/// The run as tables, and the trace that is told of it.
pub(super) struct Run {
    pub(super) trace: Trace,
    pub(super) at: u64,
    last_event: u64,
    last_kill: u64,
    pub(super) lanes: Vec<TableLane>,
    pub(super) locks: Vec<TableThing>,
    pub(super) cores: BTreeMap<CoreId, TableThing>,
    /// What has happened and not been told, by lane.
    untold: Vec<Vec<Event>>,
    pub(super) takes: Vec<Vec<(u64, LaneId)>>,
    pub(super) handoffs: Vec<u64>,
    pub(super) held_at_begin: Vec<bool>,
    pub(super) holds: Vec<Vec<u64>>,
    pub(super) waits: Vec<Vec<u64>>,
    took: Vec<u64>,
    began_wait: Vec<u64>,
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
            held_at_begin: vec![false; locks],
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
                lane.preempted = preempted;
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
        self.held_at_begin[lock] |= self.at < BEGIN;
        known.last = Some(id);
        known.set(self.at, Has::Lane { lane: id, off_core: false });
        self.took[lock] = self.at.max(BEGIN);
    }

    fn release(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        lane.holds = false;
        let lock = lane.lock.index();
        self.locks[lock].set(self.at, Has::Nobody);
        if self.at <= BEGIN && self.takes[lock].is_empty() {
            self.held_at_begin[lock] = false;
        } else {
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

    pub(super) fn made(budget: usize, locks: usize, draws: Vec<Draw>) -> Run {
        let mut run = Run::new(budget, locks);
        draws.into_iter().for_each(|draw| run.step(draw));
        run.finish();
        run
    }

    pub(super) fn cell(&self, window: (u64, u64, usize), index: usize) -> std::ops::Range<usize> {
        let (from, to, cells) = window;
        let at = |index: usize| (from + (to - from) * index as u64 / cells as u64).clamp(BEGIN, self.at) as usize;
        at(index)..at(index + 1)
    }
}
