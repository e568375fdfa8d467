//! How long a lane queued for a core after it was woken.
//!
//! # The problem
//! Records tell when a thread left a core and when it came back to one. If it was asleep in between, it was woken at
//! some time that no record tells (who may record wake-ups may see the whole machine), and from then on it had all that it
//! had waited for but a core. It is drawn to sleep until it is on one. On a busy machine that is most of it: four threads that
//! wait for nothing but one lock, and had what they wait for after a tenth of their lives, were said to wait for it for 40 %.
//!
//! # The choice
//! The kernel has a sum for each thread of its time in the queue (`/proc/PID/task/TID/schedstat`). What of that was
//! not drawn as waiting for a core came after wake-ups, so so much of what is drawn as sleeping was none. Each
//! wake-up is followed by a queue of the same kind, whatever the thread slept in: the sum is divided by how often it was woken
//! from what. Nothing is drawn of that, since nobody knows when it was; sums are made of it, and who is charged with a
//! lane's waiting is not charged with more than it waited.
//!
//! Where there are no records, looks tell who is awake, and nobody whether he has a core. Then the queue lies in what he is
//! drawn to do awake, whatever that is, as far as that is more than the kernel's sum of his time on cores.
//!
//! # Not chosen
//! To divide by how long it slept in what: one long sleep ends in one wake-up.

use std::ops::Sub;

use super::Ledger;
use super::marks::Marks;
use super::unmet::move_time;
use crate::event::{Nanos, State};

/// What a lane may be woken from.
const ASLEEP: [State; 5] = [State::WaitingGil, State::Sleeping, State::Io, State::WaitingLock, State::WaitingWorld];
/// What who is awake may be drawn to do, where only looks tell that he is.
const AWAKE: [State; 3] = [State::Running, State::Native, State::Unknown];
const GIL: usize = 0;
const NO_REASON: usize = 1;

/// What the kernel has booked for a lane's queue for a core.
#[derive(Default)]
pub(super) struct Queued {
    sums: Sums,
    marks: Marks<Sums>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// In all, drawn or not.
    queued: u64,
    /// How long it was on a core.
    on_cpu: u64,
    /// How often it was woken, by what it slept in.
    woken: [u32; ASLEEP.len()],
}

impl Sub for Sums {
    type Output = Sums;

    fn sub(self, before: Sums) -> Sums {
        Sums {
            queued: self.queued.saturating_sub(before.queued),
            on_cpu: self.on_cpu.saturating_sub(before.on_cpu),
            woken: std::array::from_fn(|state| self.woken[state].saturating_sub(before.woken[state])),
        }
    }
}

impl Queued {
    /// By now it has queued for so long in all, and been on a core.
    pub(super) fn by(&mut self, at: u64, queued: Nanos, on_cpu: Nanos) {
        self.sums.on_cpu = self.sums.on_cpu.max(on_cpu.0);
        self.sums.queued = self.sums.queued.max(queued.0);
        self.marks.mark(at, self.sums);
    }

    /// It is on a core again after a sleep.
    pub(super) fn woke(&mut self, from: State) {
        if let Some(state) = ASLEEP.iter().position(|state| *state == from) {
            self.sums.woken[state] = self.sums.woken[state].saturating_add(1);
        }
    }

    /// Whether the kernel has told anything of it.
    pub(super) fn is_known(&self) -> bool {
        self.sums.queued > 0
    }

    /// Of all its life.
    pub(super) fn ever(&self) -> Sums {
        self.sums
    }

    /// Between two instants.
    pub(super) fn between(&self, from: u64, to: u64) -> Sums {
        self.marks.between(from, to)
    }
}

/// How long it is drawn to be awake, where only looks tell.
pub(super) fn awake(ledger: &Ledger) -> Nanos {
    AWAKE.iter().map(|state| ledger.0[state.index()]).sum()
}

impl Sums {
    /// What it queued and was not drawn to is taken from what it is said to have done awake beyond its time on cores, of a lane
    /// of which only looks tell.
    pub(super) fn settle_awake(self, ledger: &mut Ledger) {
        let drawn = awake(ledger);
        let left = self.queued.saturating_sub(ledger.0[State::WaitingCore.index()].0);
        let moved = left.min(drawn.0.saturating_sub(self.on_cpu)) as f64;
        for (state, span) in AWAKE.map(|state| (state, ledger.0[state.index()])) {
            let part = moved * span.0 as f64 / drawn.0.max(1) as f64;
            move_time(ledger, state, State::WaitingCore, Nanos(part as u64));
        }
    }

    /// What it queued and was not drawn to is taken from what it is said to have slept in. `waited` is the part of the sleeps of
    /// no known reason that is counted as waiting for its lock.
    pub(super) fn settle(self, waited: f64, ledger: &mut Ledger) {
        let drawn = ledger.0[State::WaitingCore.index()] + ledger.0[State::Unknown.index()];
        let mut left = self.queued.saturating_sub(drawn.0);
        let mut woken = self.woken.map(f64::from);
        woken[GIL] += woken[NO_REASON] * waited;
        woken[NO_REASON] *= 1.0 - waited;
        // Whatever it did not sleep in for so long is some of the others'.
        for _ in ASLEEP {
            let slept = ASLEEP.map(|state| ledger.0[state.index()]);
            let shares: [f64; ASLEEP.len()] =
                std::array::from_fn(|state| if slept[state] > Nanos::ZERO { woken[state] } else { 0.0 });
            let all: f64 = shares.iter().sum();
            if left == 0 || all <= 0.0 {
                return;
            }
            let whole = left;
            for (state, share) in shares.iter().enumerate() {
                let part = Nanos((whole as f64 * share / all) as u64).min(slept[state]);
                move_time(ledger, ASLEEP[state], State::WaitingCore, part);
                left -= part.0.min(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId};
    use crate::model::{LockKind, Role};
    use crate::trace::{LaneInfo, LockInfo, Trace};

    #[test]
    fn a_lane_that_queued_waited_less_and_charges_no_more_than_it_waited() {
        let gil = LockId(0);
        let mut trace = Trace::new(usize::MAX);
        trace.add_lock(LockInfo { kind: LockKind::Gil, name: "GIL".into(), process: 0, of_workers: true });
        for name in ["waiter", "holder"] {
            trace.add_lane(LaneInfo::new(name, Role::Worker, Some(gil)));
        }
        trace.begin(Nanos::ZERO);
        let mut tell = |at: u64, lane: u32, kind| {
            trace.append(&Event { at: Nanos(at), lane: LaneId(lane), core: CoreId(0), line: Line::NONE, kind });
        };
        let state = |to| EventKind::State { to, detail: Detail::None };
        tell(0, 1, EventKind::Take { lock: gil, to: State::Running });
        // Ten times it waits for 80 of 100 ns.
        for turn in 0..10 {
            tell(turn * 100, 0, EventKind::SwitchOut { preempted: false });
            tell(turn * 100, 0, state(State::WaitingGil));
            tell(turn * 100 + 80, 0, EventKind::SwitchIn);
            tell(turn * 100 + 80, 0, state(State::Native));
        }
        trace.lane_queued(LaneId(0), Nanos(990), Nanos(300), Nanos::ZERO);
        trace.advance(Nanos(1000));
        let told = trace.lane_ledger(LaneId(0));
        let of = |state: State| told.0[state.index()].0;
        assert_eq!((of(State::WaitingGil), of(State::WaitingCore), of(State::Native)), (500, 300, 200));
        let blame = trace.blame();
        assert_eq!(blame.iter().map(|it| (it.holder, it.ns)).collect::<Vec<_>>(), [(LaneId(1), Nanos(500))]);
        assert_eq!(trace.ledger().0[State::WaitingCore.index()], Nanos(300));
    }

    fn ledger(times: &[(State, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        times.iter().for_each(|(state, ns)| ledger.0[state.index()] = Nanos(*ns));
        ledger
    }

    fn settled(queued: u64, woken: &[(State, u32)], waited: f64, times: &[(State, u64)]) -> Ledger {
        let mut it = Queued::default();
        woken.iter().for_each(|(state, times)| (0..*times).for_each(|_| it.woke(*state)));
        it.by(10, Nanos(queued), Nanos::ZERO);
        let mut ledger = ledger(times);
        it.ever().settle(waited, &mut ledger);
        ledger
    }

    #[test]
    fn what_was_queued_and_not_drawn_is_taken_from_what_it_was_woken_from() {
        let woken = [(State::WaitingGil, 30), (State::Io, 10)];
        let times = [(State::WaitingGil, 900), (State::Io, 5_000), (State::WaitingCore, 100), (State::Running, 50)];
        let told = settled(500, &woken, 0.0, &times);
        let expected = [(State::WaitingGil, 600), (State::Io, 4_900), (State::WaitingCore, 500), (State::Running, 50)];
        assert_eq!(told, ledger(&expected), "three wake-ups of four were from the lock, however long it slept in what");
    }

    #[test]
    fn no_more_is_taken_than_there_is_and_the_rest_from_the_others() {
        let woken = [(State::WaitingGil, 30), (State::Io, 10)];
        let told = settled(500, &woken, 0.0, &[(State::WaitingGil, 200), (State::Io, 5_000)]);
        assert_eq!(told, ledger(&[(State::Io, 4_700), (State::WaitingCore, 500)]));
        let told = settled(9_000, &woken, 0.0, &[(State::WaitingGil, 200), (State::Io, 500), (State::Native, 40)]);
        assert_eq!(told, ledger(&[(State::WaitingCore, 700), (State::Native, 40)]));
        // Of what is not known it may have been part of that.
        let told = settled(500, &woken, 0.0, &[(State::Io, 5_000), (State::Unknown, 600)]);
        assert_eq!(told, ledger(&[(State::Io, 5_000), (State::Unknown, 600)]));
        assert_eq!(settled(500, &[], 0.0, &[(State::Io, 5_000)]), ledger(&[(State::Io, 5_000)]), "it was never woken");
    }

    #[test]
    fn sleeps_of_no_known_reason_that_count_as_waits_were_ended_as_these() {
        let woken = [(State::Sleeping, 40)];
        let told = settled(400, &woken, 0.25, &[(State::WaitingGil, 1_000), (State::Sleeping, 3_000)]);
        let expected = [(State::WaitingGil, 900), (State::Sleeping, 2_700), (State::WaitingCore, 400)];
        assert_eq!(told, ledger(&expected));
    }

    #[test]
    fn where_only_looks_tell_it_is_taken_from_what_was_done_awake_beyond_the_time_on_cores() {
        let times = [(State::Running, 600), (State::Unknown, 200), (State::WaitingCore, 50), (State::WaitingGil, 900)];
        for (queued, on_cpu, running, unknown) in
            [(450, 100, 300, 100), (450, 700, 525, 175), (450, 900, 600, 200), (40, 0, 600, 200)]
        {
            let mut it = Queued::default();
            it.by(10, Nanos(queued), Nanos(on_cpu));
            let mut told = ledger(&times);
            it.ever().settle_awake(&mut told);
            let of = |state: State| told.0[state.index()].0;
            let expected = (running, unknown, 50 + 800 - running - unknown, 900);
            let told = (of(State::Running), of(State::Unknown), of(State::WaitingCore), of(State::WaitingGil));
            assert_eq!(told, expected, "{queued} in the queue, {on_cpu} on cores");
        }
    }

    #[test]
    fn it_is_told_of_some_time_as_of_all() {
        let (mut it, second) = (Queued::default(), 1_000_000_000);
        for now in 1..=5 {
            (0..10).for_each(|_| it.woke(State::Io));
            it.by(now * second, Nanos(now * 100), Nanos::ZERO);
        }
        let mut sum = ledger(&[(State::Io, 5_000)]);
        it.between(second + 1, 3 * second + 1).settle(0.0, &mut sum);
        assert_eq!(sum, ledger(&[(State::Io, 4_800), (State::WaitingCore, 200)]));
    }
}
