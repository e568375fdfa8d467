//! Sums over the whole run.

use super::crowd::MEMBERS;
use super::lane::{Lane, by_state};
use super::{Blame, Distribution, Ledger, LockStats, Trace, queued, unmet};
use crate::event::{LaneId, LockId, Nanos, State};
use crate::model::LockKind;

/// Sums over the run so far. Where looks are all there is, what none of them met is in them as those that did tell (see the
/// `unmet` module), though no cell shows it.
impl Trace {
    /// How long a lane was in each state; adds up to [`Trace::elapsed`].
    pub fn lane_ledger(&self, lane: LaneId) -> Ledger {
        let lane = &self.lanes[lane.index()];
        let mut ledger = self.drawn(lane);
        settle(lane, lane.unmet.ever(), lane.queued.ever(), &mut ledger);
        ledger
    }

    fn drawn(&self, lane: &Lane) -> Ledger {
        let mut ledger = Ledger(by_state(lane.column.total()));
        ledger.0[lane.column.open().state().index()] += self.now - Nanos(lane.column.open_at());
        ledger
    }

    /// The same within a window.
    pub fn lane_ledger_between(&self, lane: LaneId, from: Nanos, to: Nanos) -> Ledger {
        let mut ledger = Ledger(self.lane_window(lane, from, to, 1)[0].states);
        let lane = &self.lanes[lane.index()];
        settle(lane, lane.unmet.between(from.0, to.0), lane.queued.between(from.0, to.0), &mut ledger);
        ledger
    }

    /// The sum over the workers; adds up to [`Trace::elapsed`] times their number.
    pub fn ledger(&self) -> Ledger {
        let mut sum = Ledger::default();
        let mut add = |times: &[Nanos]| sum.0.iter_mut().zip(times).for_each(|(sum, time)| *sum += *time);
        self.workers.iter().take(MEMBERS).for_each(|lane| add(&self.lane_ledger(*lane).0));
        let begin = self.begin_at().0;
        for crowd in &self.crowds {
            let (from, to) = (crowd.until(begin), crowd.until(self.now.0));
            add(&std::array::from_fn::<_, { State::COUNT }, _>(|state| Nanos(to[state] - from[state])));
        }
        for lane in self.workers.iter().skip(MEMBERS) {
            let (drawn, told) = (self.drawn(&self.lanes[lane.index()]), self.lane_ledger(*lane));
            for (sum, (told, drawn)) in sum.0.iter_mut().zip(told.0.into_iter().zip(drawn.0)) {
                *sum = (*sum + told) - drawn;
            }
        }
        sum
    }

    /// The same within a window.
    pub fn ledger_between(&self, from: Nanos, to: Nanos) -> Ledger {
        self.workers_window(0..self.workers.len(), from, to, 1)[0]
    }

    /// How long the lane was on a core, by its events.
    pub fn on_cpu(&self, lane: LaneId) -> Nanos {
        let ledger = self.lane_ledger(lane);
        State::ALL.into_iter().filter(|state| state.on_core()).map(|state| ledger.0[state.index()]).sum()
    }

    /// Of what is drawn as on a core, how much was a queue for one: 0 to 1. Only where no record tells of a lane's cores.
    pub fn queued_as_drawn(&self, lane: LaneId) -> f64 {
        let lane = &self.lanes[lane.index()];
        let mut ledger = self.drawn(lane);
        let drawn = queued::awake(&ledger);
        if !lane.had_core {
            lane.queued.ever().settle_awake(&mut ledger);
        }
        (drawn - queued::awake(&ledger)).0 as f64 / drawn.0.max(1) as f64
    }

    /// How many tasks the lane began.
    pub fn tasks_started(&self, lane: LaneId) -> u64 {
        self.lanes[lane.index()].tasks_started
    }

    /// How many tasks the lane ended that returned a value.
    pub fn tasks_done(&self, lane: LaneId) -> u64 {
        self.lanes[lane.index()].tasks_done
    }

    /// How many tasks the lane ended that did not return a value.
    pub fn tasks_failed(&self, lane: LaneId) -> u64 {
        self.lanes[lane.index()].tasks_failed
    }

    /// How often a lock was taken by another than its last holder.
    pub fn handoffs(&self, lock: LockId) -> u64 {
        self.locks[lock.index()].handoffs
    }

    /// What is known of a lock. `held + free` is the run's time, less what was not observed.
    ///
    /// A hold or a wait is counted when it ends. Percentiles are exact up to 4,096 of them, and within one percent
    /// beyond.
    pub fn lock_stats(&self, lock: LockId) -> LockStats {
        let known = &self.locks[lock.index()];
        let share = known.holders.share(&known.holders.column.integral(self.now.0));
        LockStats {
            held: Nanos(share.held),
            free: self.elapsed() - Nanos(share.held + share.unknown + share.absent),
            takes: known.takes + u64::from(known.held_at_begin),
            handoffs: known.handoffs,
            drop_requests: known.drop_requests,
            hold: known.hold.distribution(),
            wait: known.wait.distribution(),
        }
    }

    /// How long those waited for a lock that had to, those included that wait still: they count as long as they have
    /// waited so far.
    pub fn waits_so_far(&self, lock: LockId) -> Distribution {
        let waits = self.lanes.iter().filter_map(|lane| lane.wait.as_ref()).filter(|wait| wait.lock == lock);
        let open: Vec<u64> = waits.map(|wait| self.now.0.saturating_sub(wait.since)).collect();
        self.locks[lock.index()].wait.distribution_with(&open)
    }

    /// How long each lane held a lock between two instants, in the order in which they first had it.
    pub fn held_by(&self, lock: LockId, from: Nanos, to: Nanos) -> Vec<(LaneId, Nanos)> {
        let holders = &self.locks[lock.index()].holders;
        let within = |at: Nanos| at.max(self.begin_at()).min(self.now).0;
        let (before, until) = (holders.held_at(within(from)), holders.held_at(within(to)));
        let held = until.into_iter().zip(before).map(|(until, before)| Nanos(until.saturating_sub(before)));
        // Where looks are all there is, it held it for as long as they met it running so.
        let is_gil = self.locks[lock.index()].info.kind == LockKind::Gil;
        let by_looks = |id: LaneId, held: Nanos| {
            let lane = Some(&self.lanes[id.index()]).filter(|lane| is_gil && lane.info.lock == Some(lock));
            lane.map_or(held, |lane| lane.unmet.between(within(from), within(to)).held(held))
        };
        held.enumerate()
            .map(|(number, held)| (holders.lane(number), held))
            .map(|(id, held)| (id, by_looks(id, held)))
            .collect()
    }

    /// Who waited while who held the lock: each waiter charges each nanosecond of its waiting to the holder of that
    /// moment. What it waited while nobody held the lock is charged to nobody, and where some of its waiting was a queue for a
    /// core no more than the rest of it is. By waiter, then by holder.
    pub fn blame(&self) -> Vec<Blame> {
        let mut blame = Vec::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            let waiter = LaneId(index as u32);
            let begin = blame.len();
            for (id, lock) in self.locks.iter().enumerate() {
                let id = LockId(id as u16);
                let (mut charged, others) = (lane.charged.get(id).to_vec(), lane.for_others.get(id));
                charged.resize(charged.len().max(others.len()), 0);
                for (sum, ns) in charged.iter_mut().zip(others) {
                    *sum += (*ns as f64 * lane.unmet.spoken_for()) as u64;
                }
                if let Some(wait) = lane.wait.as_ref().filter(|wait| wait.lock == id && !wait.by_looks) {
                    let mut held = Vec::new();
                    lock.holders.held_until(self.now.0, &mut held);
                    charged.resize(charged.len().max(held.len()), 0);
                    for (number, held) in held.into_iter().enumerate() {
                        charged[number] += held.saturating_sub(wait.held.get(number).copied().unwrap_or(0));
                    }
                }
                let first = blame.len();
                let charges = charged.into_iter().enumerate().filter(|(_, ns)| *ns > 0);
                blame.extend(charges.map(|(number, ns)| Blame {
                    waiter,
                    holder: lock.holders.lane(number),
                    lock: id,
                    ns: Nanos(ns),
                }));
                blame[first..].sort_by_key(|blame| blame.holder);
            }
            if lane.queued.is_known() {
                self.limit(&mut blame[begin..], &self.lane_ledger(waiter));
            }
        }
        blame
    }

    /// Of all that one lane charges no more is left than it waited, for either kind of lock.
    fn limit(&self, blame: &mut [Blame], waited: &Ledger) {
        for (kind, state) in [(LockKind::Gil, State::WaitingGil), (LockKind::StopTheWorld, State::WaitingWorld)] {
            let is_its = |it: &&mut Blame| self.locks[it.lock.index()].info.kind == kind;
            let charged: Nanos = blame.iter_mut().filter(is_its).map(|it| it.ns).sum();
            let waited = waited.0[state.index()];
            if charged > waited {
                let scale = waited.0 as f64 / charged.0 as f64;
                blame.iter_mut().filter(is_its).for_each(|it| it.ns = Nanos((it.ns.0 as f64 * scale) as u64));
            }
        }
    }
}

/// Puts into what was drawn what no look met, and then what was a queue for a core.
fn settle(lane: &Lane, unmet: unmet::Sums, queued: queued::Sums, ledger: &mut Ledger) {
    let slept = ledger.0[State::Sleeping.index()].0;
    unmet.settle(ledger);
    let waited = slept.saturating_sub(ledger.0[State::Sleeping.index()].0) as f64 / slept.max(1) as f64;
    match lane.had_core {
        true => queued.settle(waited, ledger),
        // No record has told of its cores.
        false => queued.settle_awake(ledger),
    }
}
