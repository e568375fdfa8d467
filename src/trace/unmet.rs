//! What no look met, where looks are all there is.
//!
//! # The problem
//! Where a lock is only looked at, a wait is known to be one if a look met its
//! sleeper. Records tell how long each sleep lasted, but one that lasts a third of
//! the time between two looks is met once in three times. What was met, summed up,
//! is the less of the truth the shorter the waits are: half of those of half a
//! millisecond, a tenth of those of a tenth. In the same way who is awake for
//! less than that is often met by no look, and then nobody knows whether it held the lock.
//!
//! # The choice
//! Looks come at instants that hang on nothing a thread does, so a sleep of a third
//! that was met stands for three: for itself, and for two that were not (Horvitz and
//! Thompson). So the sleeps that no look met, which records do tell of, are waits in the
//! proportion in which those that were met speak for them. Which are met is a matter of
//! lot, which gives the margin. In the same way such a wait counts three times among the waits
//! of the lock.
//!
//! Who is met awake was so, by the same right, for as long as looks are apart: holding the lock
//! or not, on a core or not. The sums of that take the place of what was drawn from
//! one look to the next. And who waits while another is met holding the lock charges him with that time.
//!
//! Of a lock that is watched each wait is known by what is recorded of it, save the first sleep after a drop (see
//! `observe/thread/hindsight.rs`): of these looks tell in the same way, and one that was met charges whoever held the lock
//! meanwhile for those that were not, too.
//!
//! Nothing is drawn of this: on its lane a sleep that no look met stays one of no known
//! reason, and what nobody knows unknown. Only sums are made of it.
//!
//! # Not chosen
//! To divide the unexplained time as the explained: long sleeps are met always, so
//! they would speak for short ones that may be of another kind.

use std::ops::Sub;

use super::lane::{Lane, by_state};
use super::marks::Marks;
use super::{Count, Estimate, Ledger, Trace};
use crate::event::{LaneId, Nanos, State};

/// For more than so many none stands.
const MOST: f64 = 1000.0;

/// What looks met of one lane, and what none did.
#[derive(Default)]
pub(super) struct Unmet {
    /// Of the sleep that it is in: how long before the look that met it the one before was.
    apart: Option<u64>,
    /// How far apart looks were around its wait, if that is longer than it lasted, and how long that was.
    stands: Option<(u64, u64)>,
    sums: Sums,
    marks: Marks<Sums>,
    /// What had been drawn when a look met it awake, since when it has not slept.
    met_at: Option<Awake>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// How long it slept and was not met.
    slept: u64,
    /// For how much of that the waits speak that were met, and all sleeps that were.
    waits: Count,
    all: Count,
    /// For how long it was awake, by the looks that met it, and how much of that was drawn after them.
    awake: Awake,
    drawn: Awake,
}

/// Nanoseconds that a lane ran with its lock, ran without, and had no core though it was awake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Awake([u64; 3]);

/// These as states.
const AWAKE: [State; 3] = [State::Running, State::Native, State::WaitingCore];

impl Awake {
    fn zip(self, other: Awake, of: fn(u64, u64) -> u64) -> Awake {
        Awake(std::array::from_fn(|kind| of(self.0[kind], other.0[kind])))
    }
}

impl Sub for Sums {
    type Output = Sums;

    fn sub(self, before: Sums) -> Sums {
        Sums {
            slept: self.slept - before.slept,
            waits: self.waits - before.waits,
            all: self.all - before.all,
            awake: self.awake.zip(before.awake, u64::saturating_sub),
            drawn: self.drawn.zip(before.drawn, u64::saturating_sub),
        }
    }
}

impl Sums {
    /// So much that was said to have been slept for no known reason was waiting, and so much that is unknown, or was drawn
    /// from one look to the next, was what looks say.
    pub(super) fn settle(self, ledger: &mut Ledger) {
        move_time(ledger, State::Sleeping, State::WaitingGil, Nanos(self.waiting().ns as u64));
        for (kind, state) in AWAKE.into_iter().enumerate() {
            let (awake, drawn) = (Nanos(self.awake.0[kind]), Nanos(self.drawn.0[kind]));
            // Nanoseconds do not go below zero: of the two one is nothing.
            move_time(ledger, state, State::Unknown, drawn - awake);
            move_time(ledger, State::Unknown, state, awake - drawn);
        }
    }

    /// For how long it held its lock, of which so much was drawn.
    pub(super) fn held(self, drawn: Nanos) -> Nanos {
        Nanos((drawn.0 + self.awake.0[0]).saturating_sub(self.drawn.0[0]))
    }

    /// How much of what was slept unmet was waiting.
    fn waiting(self) -> Estimate {
        Estimate::part(Nanos(self.slept), self.waits, self.all)
    }
}

impl Unmet {
    /// A look met it in its sleep.
    pub(super) fn met(&mut self, apart: Nanos) {
        self.apart = Some(apart.0);
    }

    /// It slept for so long, and no look met it.
    pub(super) fn slept(&mut self, at: u64, lasted: u64) {
        self.sums.slept += lasted;
        self.mark(at);
    }

    /// Its sleep is over, after so long; whether it waited for its lock.
    pub(super) fn woke(&mut self, at: u64, lasted: u64, waited: bool) {
        self.stands = None;
        let Some(apart) = self.apart.take().filter(|apart| *apart > lasted) else { return };
        // It speaks for those that were not; but that it was this sleep which a look met, and no other of all that time, is lot.
        let others = Count { sum: (apart - lasted) as f64, squares: (apart as f64).powi(2) };
        self.sums.all += others;
        if waited {
            self.sums.waits += others;
            self.stands = Some((apart, lasted));
        }
        self.mark(at);
    }

    /// A look met it awake, when so much of it had been drawn.
    pub(super) fn met_awake(&mut self, at: u64, kind: usize, apart: Nanos, drawn: Awake) {
        self.drawn_by(drawn, true);
        self.sums.awake.0[kind] += apart.0;
        self.mark(at);
    }

    /// So much of it has been drawn by now. What comes after is drawn by the same look, or by another.
    pub(super) fn drawn_by(&mut self, drawn: Awake, goes_on: bool) {
        if let Some(before) = self.met_at.take() {
            let since = drawn.zip(before, u64::saturating_sub);
            self.sums.drawn = self.sums.drawn.zip(since, u64::saturating_add);
        }
        self.met_at = goes_on.then_some(drawn);
    }

    /// Whether a look met it awake since it slept.
    pub(super) fn is_met_awake(&self) -> bool {
        self.met_at.is_some()
    }

    /// For how many its wait stands.
    pub(super) fn stands_for(&self) -> f64 {
        self.stands.map_or(1.0, |(apart, lasted)| (apart as f64 / lasted.max(1) as f64).min(MOST))
    }

    /// The same, of a wait that is over.
    pub(super) fn waited(&mut self) -> f64 {
        let stands_for = self.stands_for();
        self.stands = None;
        stands_for
    }

    /// For how long the others waited for which it stands.
    pub(super) fn others(&self) -> u64 {
        self.stands.map_or(0, |(apart, lasted)| apart - lasted)
    }

    /// How much was slept unmet, for each nanosecond for which those speak that were met.
    pub(super) fn spoken_for(&self) -> f64 {
        if self.sums.all.sum > 0.0 { self.sums.slept as f64 / self.sums.all.sum } else { 0.0 }
    }

    fn mark(&mut self, at: u64) {
        self.marks.mark(at, self.sums);
    }

    /// Between two instants.
    pub(super) fn between(&self, from: u64, to: u64) -> Sums {
        self.marks.between(from, to)
    }

    /// Of all its life.
    pub(super) fn ever(&self) -> Sums {
        self.sums
    }
}

/// So much of what is booked for a state is another's, as far as there is so much.
pub(super) fn move_time(ledger: &mut Ledger, from: State, to: State, span: Nanos) {
    let moved = span.min(ledger.0[from.index()]);
    ledger.0[from.index()] = ledger.0[from.index()] - moved;
    ledger.0[to.index()] += moved;
}

impl Lane {
    /// How much has been drawn by `at` of what it is awake.
    pub(super) fn drawn_awake(&self, at: u64) -> Awake {
        let states = by_state(self.column.total());
        let open =
            |state| if self.column.open().state() == state { at.saturating_sub(self.column.open_at()) } else { 0 };
        Awake(AWAKE.map(|state| states[state.index()].0 + open(state)))
    }
}

impl Trace {
    /// How far the sum of what a lane waited for its lock may be off, in nineteen of twenty cases; none where each wait was
    /// recorded, or a look met it.
    pub fn waiting_margin(&self, lane: LaneId) -> Option<Nanos> {
        let unmet = &self.lanes[lane.index()].unmet;
        // Where nothing speaks for them it is nothing, or all.
        let of_none = || Nanos(unmet.sums.slept);
        let off = if unmet.sums.all.sum > 0.0 { Nanos(unmet.sums.waiting().off() as u64) } else { of_none() };
        (unmet.sums.slept > 0).then_some(off)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{CoreId, Detail, Event, EventKind, Line, LockId};
    use crate::model::{LockKind, Role};
    use crate::trace::{Evidence, LaneInfo, LockInfo};

    const WAITER: LaneId = LaneId(0);
    const HOLDER: LaneId = LaneId(1);
    const GIL: LockId = LockId(0);
    const US: u64 = 1_000;

    /// Two lanes that need a lock; the second holds it all the while.
    fn trace() -> Trace {
        let mut trace = Trace::new(usize::MAX);
        trace.add_lock(LockInfo { kind: LockKind::Gil, name: "GIL".into(), process: 0, of_workers: true });
        for name in ["waiter", "holder"] {
            let evidence = Evidence::Sampled;
            trace.add_lane(LaneInfo { evidence, ..LaneInfo::new(name, Role::Worker, Some(GIL)) });
        }
        trace.begin(Nanos::ZERO);
        trace.append(&event(0, HOLDER, EventKind::Take { lock: GIL, to: State::Running }));
        trace
    }

    fn event(at: u64, lane: LaneId, kind: EventKind) -> Event {
        Event { at: Nanos(at), lane, core: CoreId(0), line: Line::NONE, kind }
    }

    /// A sleep of the waiter, which a look met or not.
    fn sleep(trace: &mut Trace, from: u64, lasted: u64, waits: bool, met: Option<(u64, u64)>) {
        let mut tell = |at, kind| trace.append(&event(at, WAITER, kind));
        let state = |to| EventKind::State { to, detail: Detail::None };
        tell(from, EventKind::SwitchOut { preempted: false });
        match met {
            None => tell(from, state(State::Sleeping)),
            Some(_) => tell(from, state(if waits { State::WaitingGil } else { State::Io })),
        }
        match met {
            None => tell(from + lasted, EventKind::Unmet),
            Some((at, apart)) => tell(at, EventKind::Met { apart: Nanos(apart) }),
        }
        tell(from + lasted, EventKind::SwitchIn);
        tell(from + lasted, state(State::Native));
    }

    /// Who sleeps as these waits and naps by turns, of so many µs each, and is looked at every millisecond more or less.
    fn looked_at(turns: &[(u64, u64)], late: &[u64]) -> (Trace, [u64; 2]) {
        let mut trace = trace();
        let (mut now, mut truth) = (10 * US, [0, 0]);
        let mut looks = Vec::new();
        let mut at = 0;
        let all: u64 = turns.iter().map(|(wait, nap)| wait + nap + 40).sum::<u64>() * US;
        for late in late.iter().cycle() {
            at += US * (900 + late);
            looks.push(at);
            if at > now + all {
                break;
            }
        }
        for (wait, nap) in turns {
            for (kind, lasted) in [(0, wait * US), (1, nap * US)] {
                truth[kind] += lasted;
                let index = looks.partition_point(|look| *look < now);
                let first = looks.get(index).filter(|look| **look < now + lasted);
                let before = index.checked_sub(1).map_or(0, |before| looks[before]);
                sleep(&mut trace, now, lasted, kind == 0, first.map(|look| (*look, look - before)));
                now += lasted + 20 * US;
            }
        }
        trace.advance(Nanos(now));
        (trace, truth)
    }

    proptest! {
        #[test]
        fn what_no_look_met_is_waiting_in_the_proportion_that_those_have_who_were_met(
            turns in proptest::collection::vec((100..700u64, 100..700u64), 600..900),
            late in proptest::collection::vec(0..400u64, 97),
            scale in 1..8u64,
        ) {
            // Waits are up to eight times as short as naps.
            let turns: Vec<(u64, u64)> = turns.into_iter().map(|(wait, nap)| (wait / scale, nap)).collect();
            let (trace, [waited, _]) = looked_at(&turns, &late);
            let (told, off) = (trace.lane_ledger(WAITER), trace.waiting_margin(WAITER).unwrap());
            let said = told.0[State::WaitingGil.index()];
            let apart = said.0.abs_diff(waited);
            // Thrice the margin, six times the deviation: what is tried is chosen to be beyond it.
            prop_assert!(apart < 3 * off.0, "{said} ±{off} for {}", Nanos(waited));
            prop_assert!((off.0 as f64) < 0.4 * waited as f64 + 3e6, "{off} of {}", Nanos(waited));
            // Their charge to the holder, and how many they are, in the same proportion, more or less.
            let charged: Nanos = trace.blame().iter().filter(|it| it.holder == HOLDER).map(|it| it.ns).sum();
            prop_assert!(charged.0.abs_diff(waited) < 3 * off.0 + waited / 5, "{charged} for {}", Nanos(waited));
            // Each is met once in so many times and counts so often then, which gives the deviation; six of it, again.
            let count = trace.lock_stats(GIL).wait.count;
            let deviation = turns.iter().map(|(wait, _)| 1_100.0 / *wait as f64).sum::<f64>().sqrt();
            let apart = count.abs_diff(turns.len() as u64) as f64;
            prop_assert!(apart < 6.0 * deviation, "{count} of {} ±{deviation}", turns.len());
            // The sums of all add up as ever, and parts to the whole.
            prop_assert_eq!(told.0.iter().copied().sum::<Nanos>(), trace.elapsed());
            let whole = trace.lane_ledger_between(WAITER, Nanos::ZERO, trace.now());
            prop_assert_eq!(whole, told);
            prop_assert_eq!(trace.ledger().0[State::WaitingGil.index()], said);
        }
    }

    #[test]
    fn a_sleep_that_was_met_for_certain_stands_for_itself() {
        let mut trace = trace();
        sleep(&mut trace, 10 * US, 2_000 * US, true, Some((500 * US, 1_000 * US)));
        trace.advance(Nanos(3_000 * US));
        assert_eq!(trace.lane_ledger(WAITER).0[State::WaitingGil.index()], Nanos(2_000 * US));
        assert_eq!((trace.waiting_margin(WAITER), trace.lock_stats(GIL).wait.count), (None, 1));
    }

    #[test]
    fn where_the_lock_is_watched_a_wait_that_was_met_charges_the_holder_for_those_that_were_not() {
        let mut trace = trace();
        trace.lane_mut(WAITER).evidence = Evidence::Exact;
        trace.lane_mut(HOLDER).evidence = Evidence::Exact;
        for turn in 0..10 {
            let now = turn * 1_000 * US;
            sleep(&mut trace, now, 100 * US, true, (turn == 4).then_some((now + 50 * US, 1_000 * US)));
        }
        trace.advance(Nanos(10_000 * US));
        let told = trace.lane_ledger(WAITER).0[State::WaitingGil.index()];
        assert_eq!(told, Nanos(1_000 * US));
        assert_eq!(trace.blame().iter().map(|it| (it.holder, it.ns)).collect::<Vec<_>>(), [(HOLDER, told)]);
    }

    #[test]
    fn where_no_look_met_any_nothing_is_said_to_have_waited_and_all_of_it_may_have() {
        let mut trace = trace();
        (0..9).for_each(|turn| sleep(&mut trace, turn * 100 * US, 50 * US, true, None));
        trace.advance(Nanos(3_000 * US));
        let told = trace.lane_ledger(WAITER);
        assert_eq!(told.0[State::WaitingGil.index()], Nanos::ZERO);
        assert_eq!(told.0[State::Sleeping.index()], Nanos(450 * US));
        assert_eq!(trace.waiting_margin(WAITER), Some(Nanos(450 * US)));
    }

    #[test]
    fn what_is_of_late_is_told_by_what_was_met_of_late() {
        let mut trace = trace();
        let mut now = 0;
        // For five seconds waits, then naps, each a half of the distance between looks, and every second met.
        for turn in 0..20_000 {
            let met = turn % 2 == 0;
            sleep(&mut trace, now, 250 * US, turn < 10_000, met.then_some((now + 10 * US, 500 * US)));
            now += 500 * US;
        }
        trace.advance(Nanos(now));
        let share = |from: u64, to: u64| {
            let told = trace.lane_ledger_between(WAITER, Nanos(from), Nanos(to)).0;
            (told[State::WaitingGil.index()].0 as f64, told[State::Sleeping.index()].0 as f64)
        };
        let (waits, slept) = share(now / 2 + 1_000_000 * US, now);
        assert!(waits == 0.0 && slept > 0.9e9, "{waits} {slept}");
        let (waits, slept) = share(0, now / 2);
        assert!(waits > 2.4e9 && slept < 0.1e9, "{waits} {slept}");
    }

    #[test]
    fn who_is_met_awake_was_so_for_as_long_as_looks_are_apart_whatever_was_drawn() {
        let mut trace = trace();
        let mut tell = |at: u64, kind| trace.append(&event(at * US, WAITER, kind));
        let state = |to| EventKind::State { to, detail: Detail::None };
        // Each millisecond it is awake for 400 µs, in the first half of which it holds its lock, and sleeps. Every fifth time a
        // look meets it in either half, and what follows is drawn by that.
        for turn in 0..1000 {
            let now = turn * 1000;
            tell(now, EventKind::SwitchIn);
            tell(now, state(State::Unknown));
            for (half, to) in [(0, State::Running), (1, State::Native)] {
                let at = now + half * 200 + 50;
                if turn % 5 == half {
                    tell(at, state(to));
                    tell(at, EventKind::MetAwake { apart: Nanos(1000 * US), runs: true, holds: half == 0 });
                }
            }
            tell(now + 400, EventKind::SwitchOut { preempted: false });
            tell(now + 400, state(State::Io));
        }
        trace.advance(Nanos(1_000_000 * US));
        let told = trace.lane_ledger(WAITER).0;
        let ms = |state: State| told[state.index()].0 / (1000 * US);
        // Drawn were 70 ms and 30 ms: what comes after a look is not what came before it.
        assert_eq!((ms(State::Running), ms(State::Native), ms(State::Io)), (200, 200, 600), "{told:?}");
        assert_eq!(told.iter().copied().sum::<Nanos>(), trace.elapsed());
        let whole = trace.lane_ledger_between(WAITER, Nanos::ZERO, trace.now());
        assert_eq!(whole, trace.lane_ledger(WAITER));
    }
}
