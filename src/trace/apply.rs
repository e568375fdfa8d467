//! What an event does to the columns.

use super::holder::Revision;
use super::lane::{Lane, Stretch, Wait};
use super::{CoreEvidence, Happening, Holders, Queue, Trace, Violation};
use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId, Nanos, QueueId, State};

impl Trace {
    /// Books what happened; in the order of time.
    pub(super) fn apply(&mut self, at: Nanos, happening: Happening) {
        match happening {
            Happening::Event(event) => self.event(&Event { at, ..event }),
            Happening::Killed(lane) => self.killed(lane, at),
            Happening::Gap(from) => self.gap(from, at),
            Happening::HandOffs(lock, more) if at >= self.begin_at() => {
                let (at, known) = (self.clip(at), &mut self.locks[lock.index()]);
                known.handoffs += more;
                known.holders.changes_unseen(at, more);
            }
            Happening::HandOffs(..) => {}
            Happening::Halt(process, stopped) => self.halted(at, process, stopped),
            Happening::LockGone(lock) => {
                let at = self.clip(at);
                self.locks[lock.index()].holders.end(at);
            }
            Happening::LockKnown(lock, known) => {
                let at = self.clip(at);
                self.locks[lock.index()].holders.set_known(at, known);
            }
            Happening::Queued(lane, queued, on_cpu) => {
                let at = self.clip(at);
                self.lanes[lane.index()].queued.by(at, queued, on_cpu);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let Event { at, lane: id, core, line, kind } = *event;
        if at < self.now && self.now > self.begin_at() {
            self.anomalies.late += 1;
        }
        if let EventKind::Take { lock, .. } | EventKind::Drop { lock, .. } | EventKind::DropRequest { lock } = kind
            && lock.index() >= self.locks.len()
        {
            self.anomalies.strangers += 1;
            return;
        }
        self.last_event = self.last_event.max(at);
        let lane = &mut self.lanes[id.index()];
        if core != CoreId::UNKNOWN {
            lane.core = core;
        }
        let counted = self.begin.is_some_and(|begin| at >= begin);
        match kind {
            EventKind::State { to, detail } => self.enter(at, id, to, detail, line),
            EventKind::Take { lock, to } => {
                // The wait ends as the lock is taken: booked first, so that the taker is not charged.
                self.taken(at, id, lock);
                self.enter(at, id, to, Detail::None, line);
            }
            EventKind::Drop { lock, to, detail, .. } => {
                self.dropped_by(at, id, lock);
                self.enter(at, id, to, detail, line);
            }
            EventKind::DropRequest { lock } => self.locks[lock.index()].drop_requests += u64::from(counted),
            EventKind::TaskStarted(_) => {
                lane.tasks_started += 1;
                self.place(at, id);
            }
            EventKind::TaskEnded { ok, .. } => {
                lane.tasks_done += u64::from(ok);
                lane.tasks_failed += u64::from(!ok);
                self.place(at, id);
            }
            EventKind::NoCore { since } => self.no_core(since, at, id),
            EventKind::Progress { instructions, contended } => {
                lane.progress.push(at.0, (instructions, contended), counted);
                self.place(at, id);
            }
            EventKind::Queue { queue, depth, put } => {
                if queue.0 >= QueueId::MOST {
                    self.anomalies.strangers += 1;
                    return;
                }
                let (process, at) = (lane.info.process, self.clip(at));
                let before = if put { depth.saturating_sub(1) } else { depth.saturating_add(1) };
                let begin = self.begin_at().0;
                let queue = self.queues.entry((process, queue)).or_insert_with(|| Queue::new(begin, before));
                queue.changed(at, depth, put, counted);
            }
            EventKind::ReadySince { since } => self.ready_since(since, at, id),
            EventKind::Met { apart } => {
                lane.unmet.met(apart);
                self.met_waiting(id, apart);
            }
            EventKind::Unmet if lane.state == State::Sleeping && counted => {
                lane.unmet.slept(at.0, at.0.saturating_sub(lane.column.open_at()));
            }
            EventKind::Unmet => {}
            EventKind::MetAwake { apart, runs, holds } => {
                let drawn = lane.drawn_awake(at.0);
                let kind = if !runs { 2 } else { usize::from(!holds) };
                lane.unmet.met_awake(at.0, kind, apart, drawn);
                if holds {
                    self.met_holding(id, apart);
                }
            }
            EventKind::SwitchIn => {
                let waited = lane.state == State::WaitingGil;
                if lane.unmet.is_met_awake() {
                    let drawn = lane.drawn_awake(at.0);
                    lane.unmet.drawn_by(drawn, lane.preempted);
                }
                lane.unmet.woke(at.0, at.0.saturating_sub(lane.column.open_at()), waited);
                if counted {
                    lane.queued.woke(lane.column.open().state());
                }
                lane.preempted = false;
                if waited {
                    self.charge_for_others(at, id);
                }
                let lane = &mut self.lanes[id.index()];
                let first = !std::mem::replace(&mut lane.had_core, true);
                if first {
                    self.born_without_core(at, id);
                }
                self.show(at, id);
                self.sit(at, id, Some(core).filter(|core| *core != CoreId::UNKNOWN));
            }
            EventKind::SwitchOut { preempted } => {
                lane.had_core = true;
                // Also of one whose state is not known: it may turn out, before it has a core again, to hold the lock.
                lane.preempted = preempted;
                self.show(at, id);
                self.sit(at, id, None);
            }
        }
    }

    fn enter(&mut self, at: Nanos, id: LaneId, to: State, detail: Detail, line: Line) {
        let lane = &mut self.lanes[id.index()];
        let from = lane.state;
        if from != to && !from.may_become(to) {
            self.anomalies.illegal_transitions += 1;
            self.violation.get_or_insert(Violation::Transition { lane: id, at, from, to });
        }
        lane.state = to;
        lane.detail = detail;
        lane.line = line;
        self.show(at, id);
        self.place(at, id);
        if to == State::Done {
            // The kernel stops recording a thread that ends before it switches away from it for the last time.
            self.sit(at, id, None);
        }
    }

    /// Puts into the lane's column what the lane is now, and books what follows from it.
    pub(super) fn show(&mut self, at: Nanos, id: LaneId) {
        let (at, begin) = (self.clip(at), self.begin_at().0);
        let lane = &mut self.lanes[id.index()];
        let (before, after) = (lane.column.open(), lane.shown());
        // A mere change of core is the core column's matter.
        if before.same(after) && before.line() == after.line() {
            return;
        }
        if at == begin && lane.column.open_at() == begin {
            lane.revise(at, after, &mut self.crowds);
        } else {
            lane.push(at, after, &mut self.crowds);
        }
        for lock in lane.has_any() {
            self.locks[lock.index()].holders.set_off_core(at, after.state() == State::WaitingCore);
        }
        let (waited, waits) = (before.state() == State::WaitingGil, after.state() == State::WaitingGil);
        if waited && !waits {
            self.end_wait(at, id, after.state() == State::Stopped);
        } else if waits && !waited {
            self.begin_wait(at, id);
        } else if before.state() == State::Stopped {
            let lane = &mut self.lanes[id.index()];
            let (waited, lock) = (std::mem::take(&mut lane.waited), lane.info.lock);
            if let Some(lock) = lock.filter(|lock| lane.is_sampled() && lock.index() < self.locks.len()) {
                self.locks[lock.index()].waited(waited, 1.0);
            }
        }
    }

    fn begin_wait(&mut self, at: u64, id: LaneId) {
        let lane = &mut self.lanes[id.index()];
        let Some(lock) = lane.info.lock.filter(|lock| lock.index() < self.locks.len()) else { return };
        let mut held = Vec::new();
        self.locks[lock.index()].holders.held_until(at, &mut held);
        // What it had waited before it was stopped is part of this wait.
        let since = at.saturating_sub(std::mem::take(&mut lane.waited));
        lane.wait = Some(Wait { lock, since, held, by_looks: false });
    }

    fn end_wait(&mut self, at: u64, id: LaneId, halted: bool) {
        let lane = &mut self.lanes[id.index()];
        if let Some(wait) = &lane.wait {
            let span = at.saturating_sub(wait.since);
            lane.waited = if halted { span } else { 0 };
            let known = &mut self.locks[wait.lock.index()];
            // Looks meet few of those that take the lock: there a wait is over when the lane does something else.
            let stands_for = if halted { 1.0 } else { lane.unmet.waited() };
            if lane.is_sampled() && !halted {
                known.waited(span, stands_for);
            }
            known.holders.held_until(at, &mut self.held);
            lane.charge(&self.held);
            lane.wait = None;
        }
    }

    /// Its sleep is over, in which it waited for a lock that is watched, and of which only looks told: it charges for those that
    /// no look met, too, whoever held the lock meanwhile.
    fn charge_for_others(&mut self, at: Nanos, id: LaneId) {
        let at = self.clip(at);
        let lane = &mut self.lanes[id.index()];
        let others = lane.unmet.others();
        if let Some(wait) = lane.wait.as_ref().filter(|_| others > 0 && !lane.is_sampled()) {
            self.locks[wait.lock.index()].holders.held_until(at, &mut self.held);
            lane.charge_for_others(&self.held, others as f64 / at.saturating_sub(wait.since).max(1) as f64);
        }
    }

    /// A look met it asleep: if it waits, from now on looks charge that to whom they meet holding the lock.
    fn met_waiting(&mut self, id: LaneId, apart: Nanos) {
        let lane = &mut self.lanes[id.index()];
        // Where each hold is recorded, that tells more.
        let is_sampled = lane.is_sampled();
        let Some(wait) = lane.wait.as_mut().filter(|wait| is_sampled && !wait.by_looks) else { return };
        wait.by_looks = true;
        let (lock, holders) = (wait.lock, &mut self.locks[wait.lock.index()].holders);
        if let Some(holder) = holders.now().filter(|holder| *holder != id) {
            lane.charge_one(lock, holders.number(holder), apart);
        }
    }

    /// A look met it holding its lock: it is charged with those that looks met waiting for that.
    fn met_holding(&mut self, id: LaneId, apart: Nanos) {
        let Some(lock) = self.lanes[id.index()].holds else { return };
        let number = self.locks[lock.index()].holders.number(id);
        let waits = |lane: &&mut Lane| lane.wait.as_ref().is_some_and(|wait| wait.lock == lock && wait.by_looks);
        self.lanes.iter_mut().filter(waits).for_each(|lane| lane.charge_one(lock, number, apart));
    }

    fn taken(&mut self, at: Nanos, id: LaneId, lock: LockId) {
        let clipped = self.clip(at);
        let before_begin = at < self.begin_at();
        match self.locks[lock.index()].holders.now() {
            Some(other) if other != id => {
                self.anomalies.overlapping_holds += 1;
                self.violation.get_or_insert(Violation::TwoOwners { lock, at, owner: other, taker: id });
                self.release(clipped, other, lock);
            }
            Some(_) => return,
            None => {}
        }
        let lane = &mut self.lanes[id.index()];
        let known = &mut self.locks[lock.index()];
        let is_end = |wait: &&Wait| wait.lock == lock && !before_begin;
        if let Some(wait) = lane.wait.as_ref().filter(is_end).filter(|_| !lane.is_sampled()) {
            known.wait.add_times(clipped.saturating_sub(wait.since), lane.unmet.stands_for().round() as u64);
        }
        let handoff = known.holders.take(clipped, id, false, !before_begin);
        known.since = clipped;
        known.held_at_begin |= before_begin;
        known.takes += u64::from(!before_begin);
        known.handoffs += u64::from(handoff && !before_begin);
        *lane.has(known.info.kind) = Some(lock);
    }

    fn dropped_by(&mut self, at: Nanos, id: LaneId, lock: LockId) {
        if self.locks[lock.index()].holders.now() == Some(id) {
            self.release(self.clip(at), id, lock);
        } else {
            self.anomalies.drops_by_others += 1;
        }
    }

    fn release(&mut self, at: u64, id: LaneId, lock: LockId) {
        let begin = self.begin_at().0;
        let known = &mut self.locks[lock.index()];
        known.holders.free(at, at > begin || known.takes > 0);
        if at <= begin && known.takes == 0 {
            known.held_at_begin = false;
        } else {
            known.hold.add(known.halted.map_or(at, |halted| halted.min(at)).saturating_sub(known.since));
        }
        *self.lanes[id.index()].has(known.info.kind) = None;
    }

    fn killed(&mut self, id: LaneId, at: Nanos) {
        for lock in self.lanes[id.index()].has_any() {
            self.release(self.clip(at), id, lock);
        }
        self.enter(at, id, State::Done, Detail::None, Line::NONE);
    }

    /// The lane had no core from `since` until now.
    fn no_core(&mut self, since: Nanos, at: Nanos, id: LaneId) {
        let (since, to) = (self.clip(since), self.clip(at));
        let lane = &mut self.lanes[id.index()];
        if lane.info.core_evidence == CoreEvidence::SwitchRecords || !lane.state.on_core() {
            return;
        }
        let open = lane.column.open();
        let from = since.max(lane.column.open_at());
        if from < to {
            let without = Stretch::new(State::WaitingCore, Detail::None, open.core(), open.line());
            lane.revise(from, without, &mut self.crowds);
            lane.push(to, lane.shown(), &mut self.crowds);
            for lock in lane.has_any() {
                self.locks[lock.index()].holders.revise(from, to, Revision::OffCore);
            }
            if let Some(core) = lane.on
                && let Some(holders) = self.cores.get_mut(&core)
                && holders.now() == Some(id)
            {
                holders.revise(from, to, Revision::Free);
            }
        }
        self.place(at, id);
    }

    /// The lane could have gone on since `since`, though nobody had time to say so.
    fn ready_since(&mut self, since: Nanos, at: Nanos, id: LaneId) {
        let (since, at_now) = (self.clip(since.min(at)), self.clip(at));
        let lane = &mut self.lanes[id.index()];
        let line = lane.line;
        let since = since.max(lane.column.open_at());
        if since < at_now && lane.state.may_become(State::Ready) {
            let ready = Stretch::new(State::Ready, Detail::None, lane.core, line);
            lane.revise(since, ready, &mut self.crowds);
        }
        self.enter(at, id, State::Ready, Detail::None, line);
    }

    /// The kernel gives the lane a core for the first time: since its birth was ordered it had none. Others tell of
    /// that step, so until now it looks as if it had been on a core.
    fn born_without_core(&mut self, at: Nanos, id: LaneId) {
        let at = self.clip(at);
        let lane = &mut self.lanes[id.index()];
        let (open, born) = (lane.column.open(), lane.column.open_at());
        let before = lane.column.before(lane.column.last()).map(|place| lane.column.value(place).state());
        if open.state() == State::Starting && before == Some(State::Unborn) && born < at {
            let without = Stretch::new(State::WaitingCore, Detail::None, open.core(), open.line());
            lane.revise(born, without, &mut self.crowds);
            lane.push(at, lane.shown(), &mut self.crowds);
        }
    }

    /// Nothing was observed from `from` to `to`. What was recorded in between shows that it began later.
    fn gap(&mut self, from: Nanos, to: Nanos) {
        let (from, to) = (self.clip(from.max(self.last_event)), self.clip(to));
        if from >= to {
            return;
        }
        for lock in &mut self.locks {
            if let Some(from) = lock.holders.revise(from, to, Revision::Unknown) {
                lock.since += to - from;
            }
        }
        self.cores.values_mut().for_each(|core| {
            core.revise(from, to, Revision::Free);
        });
        for lane in &mut self.lanes {
            let from = from.max(lane.column.open_at());
            if from >= to {
                continue;
            }
            let unknown = Stretch::new(State::Unknown, Detail::None, CoreId::UNKNOWN, Line::NONE);
            lane.revise(from, unknown, &mut self.crowds);
            lane.push(to, lane.shown(), &mut self.crowds);
            if let Some(lock) = lane.wait.as_ref().map(|wait| wait.lock) {
                // Nobody held the lock in the gap as far as is known, so this charges what was before it.
                let held = &mut self.held;
                self.locks[lock.index()].holders.held_until(to, held);
                lane.charge(held);
                lane.wait =
                    lane.wait.take().map(|wait| Wait { since: wait.since + (to - from), held: held.clone(), ..wait });
            }
        }
    }

    /// Where the lane is, by its own word. The kernel's word, where there is one, is better.
    fn place(&mut self, at: Nanos, id: LaneId) {
        let lane = &self.lanes[id.index()];
        if lane.info.core_evidence != CoreEvidence::SwitchRecords {
            let core = Some(lane.core).filter(|core| *core != CoreId::UNKNOWN && lane.shown().state().on_core());
            self.sit(at, id, core);
        }
    }

    /// The lane is on this core from now on, and on no other. What is left of one that is done needs no telling.
    fn sit(&mut self, at: Nanos, id: LaneId, core: Option<CoreId>) {
        let begin = self.begin_at().0;
        let (at, counted) = (self.clip(at), self.clip(at) > begin);
        let lane = &mut self.lanes[id.index()];
        let core = core.filter(|_| lane.state != State::Done);
        let old = std::mem::replace(&mut lane.on, core);
        if let Some(holders) = old.filter(|old| Some(*old) != core).and_then(|old| self.cores.get_mut(&old))
            && holders.now() == Some(id)
        {
            holders.free(at, counted);
        }
        if let Some(core) = core {
            let holders = self.cores.entry(core).or_insert_with(|| Holders::new(begin));
            if holders.now() != Some(id) {
                holders.take(at, id, false, counted);
            }
        }
    }

    /// Within the run.
    pub(super) fn clip(&self, at: Nanos) -> u64 {
        at.max(self.begin_at()).0
    }
}
