//! What a reader would ask first.

use super::testing::{BEGIN, TraceBuilder};
use super::*;
use crate::event::{Detail, EventKind, Line, State};
use crate::model::Role;

const MS: fn(u64) -> Nanos = Nanos::from_millis;

fn event(lane: LaneId, at: Nanos, kind: EventKind) -> Event {
    Event { at, lane, core: CoreId(0), line: Line(1), kind }
}

fn two_threads() -> (Trace, LaneId, LaneId, LockId) {
    let mut trace = Trace::default();
    let lock = trace.add_lock(LockInfo { kind: LockKind::Gil, name: "GIL".into(), process: 0, of_workers: true });
    let one = trace.add_lane(LaneInfo::new("thread 1", Role::Worker, Some(lock)));
    let two = trace.add_lane(LaneInfo::new("thread 2", Role::Worker, Some(lock)));
    (trace, one, two, lock)
}

#[test]
fn two_threads_take_turns_and_blame_each_other() {
    let turns = |builder: TraceBuilder, first: bool| {
        (0..10).fold(
            builder,
            |lane, turn| if (turn % 2 == 0) == first { lane.running(MS(5)) } else { lane.waiting(MS(5)) },
        )
    };
    let builder = turns(TraceBuilder::new().lock("GIL").lane("thread 1"), true);
    let trace = turns(builder.lane("thread 2"), false).build();
    let (one, two) = (LaneId(0), LaneId(1));
    assert_eq!(trace.check(), Ok(()));
    assert_eq!(trace.elapsed(), MS(50));
    let stats = trace.lock_stats(LockId(0));
    assert_eq!((stats.held, stats.free, stats.takes, stats.handoffs), (MS(50), Nanos::ZERO, 10, 9));
    assert_eq!((stats.hold.p50, stats.wait.p50, stats.wait.count), (MS(5), MS(5), 9));
    let blame: Vec<_> = trace.blame().iter().map(|blame| (blame.waiter, blame.holder, blame.ns)).collect();
    assert_eq!(blame, [(one, two, MS(25)), (two, one, MS(25))]);
    assert_eq!(trace.owner_at(LockId(0), BEGIN + MS(7)), Some((two, BEGIN + MS(5))));
    assert_eq!(trace.next_take(one, BEGIN), Some(BEGIN + MS(10)));
    assert_eq!(trace.busy_window(BEGIN, BEGIN + MS(50), 5), [1.0; 5]);
    let wait = trace.span_at(two, BEGIN + MS(3)).unwrap();
    assert_eq!(trace.holders_during(two, wait), [(one, MS(5))]);
}

#[test]
fn whichever_ring_is_read_first_a_lock_is_dropped_before_it_is_taken() {
    let (mut trace, one, two, lock) = two_threads();
    trace.begin(MS(1));
    let take = |lane, at| event(lane, at, EventKind::Take { lock, to: State::Running });
    let drop = EventKind::Drop { lock, to: State::Io, detail: Detail::Sleep, requested: false };
    trace.append(&take(two, MS(6)));
    trace.append(&event(two, MS(8), drop));
    trace.append(&take(one, MS(2)));
    trace.append(&event(one, MS(5), drop));
    trace.append(&take(one, MS(9)));
    trace.end(MS(10));
    assert_eq!((trace.check(), trace.anomalies()), (Ok(()), Anomalies::default()));
    let stats = trace.lock_stats(lock);
    assert_eq!((stats.held, stats.takes, stats.handoffs), (MS(6), 3, 2));
}

#[test]
fn what_comes_too_late_is_counted_and_still_exact_on_its_own_lane() {
    let (mut trace, one, two, lock) = two_threads();
    trace.begin(MS(1));
    trace.append(&event(one, MS(2), EventKind::Take { lock, to: State::Running }));
    trace.append(&event(two, MS(6), EventKind::Take { lock, to: State::Running }));
    trace.advance(MS(7));
    let drop = EventKind::Drop { lock, to: State::Io, detail: Detail::None, requested: false };
    trace.append(&event(one, MS(5), drop));
    trace.end(MS(10));
    let anomalies = trace.anomalies();
    assert_eq!((anomalies.late, anomalies.overlapping_holds, anomalies.drops_by_others), (1, 1, 1));
    assert_eq!(trace.lane_ledger(one).0[State::Running.index()], MS(3));
    assert_eq!(trace.owner_at(lock, MS(9)), Some((two, MS(6))));
    assert!(matches!(trace.check(), Err(Violation::TwoOwners { .. })));
}

#[test]
fn what_happened_before_the_beginning_decides_only_how_things_stand() {
    let (mut trace, one, _, lock) = two_threads();
    trace.append(&event(one, MS(1), EventKind::Take { lock, to: State::Running }));
    trace.begin(MS(5));
    trace.end(MS(8));
    assert_eq!(trace.lane_ledger(one).0[State::Running.index()], MS(3));
    let stats = trace.lock_stats(lock);
    // Whoever holds it then has taken it.
    assert_eq!((stats.held, stats.takes), (MS(3), 1));
}

#[test]
fn a_killed_lane_is_done_and_its_lock_free() {
    let (mut trace, one, _, lock) = two_threads();
    trace.begin(MS(1));
    trace.append(&event(one, MS(1), EventKind::Take { lock, to: State::Running }));
    trace.lane_killed(one, MS(4));
    trace.end(MS(10));
    assert_eq!(trace.span_at(one, MS(6)).unwrap().state, State::Done);
    assert_eq!(trace.owner_at(lock, MS(6)), None);
    assert_eq!((trace.lock_stats(lock).held, trace.lock_stats(lock).free), (MS(3), MS(6)));
}

#[test]
fn a_lane_that_is_done_is_on_no_core_whatever_the_kernel_still_says_of_it() {
    let (mut trace, one, _, _) = two_threads();
    trace.lane_mut(one).core_evidence = CoreEvidence::SwitchRecords;
    trace.begin(MS(1));
    trace.append(&event(one, MS(1), EventKind::SwitchIn));
    trace.append(&event(one, MS(1), EventKind::State { to: State::Running, detail: Detail::None }));
    trace.append(&event(one, MS(4), EventKind::State { to: State::Done, detail: Detail::None }));
    trace.append(&event(one, MS(5), EventKind::SwitchOut { preempted: true }));
    trace.append(&event(one, MS(6), EventKind::SwitchIn));
    trace.end(MS(10));
    assert_eq!(trace.core_window(CoreId(0), MS(1), MS(10), 1)[0].busy, MS(3));
}

#[test]
fn who_turns_out_to_hold_the_lock_while_the_kernel_has_taken_its_core_waits_for_a_core() {
    let (mut trace, one, _, lock) = two_threads();
    trace.begin(MS(1));
    trace.append(&event(one, MS(1), EventKind::State { to: State::Unknown, detail: Detail::None }));
    trace.append(&event(one, MS(1), EventKind::SwitchIn));
    trace.append(&event(one, MS(3), EventKind::SwitchOut { preempted: true }));
    trace.append(&event(one, MS(5), EventKind::Take { lock, to: State::Running }));
    trace.append(&event(one, MS(8), EventKind::SwitchIn));
    trace.end(MS(10));
    let ledger = trace.lane_ledger(one).0;
    let shares = [State::Unknown, State::WaitingCore, State::Running].map(|state| ledger[state.index()]);
    assert_eq!(shares, [MS(4), MS(3), MS(2)]);
}

#[test]
fn a_lock_of_which_nobody_knows_who_holds_it_is_not_free() {
    let (mut trace, one, _, lock) = two_threads();
    trace.begin(MS(1));
    trace.lock_known(lock, MS(1), false);
    trace.append(&event(one, MS(3), EventKind::Take { lock, to: State::Running }));
    trace.lock_known(lock, MS(3), true);
    trace.append(&event(
        one,
        MS(5),
        EventKind::Drop { lock, to: State::Native, detail: Detail::None, requested: false },
    ));
    trace.lock_known(lock, MS(7), false);
    trace.lock_known(lock, MS(8), true);
    trace.end(MS(10));
    let stats = trace.lock_stats(lock);
    assert_eq!((stats.held, stats.free), (MS(2), MS(4)));
    let row = trace.lock_window(lock, MS(1), MS(10), 9);
    let unknown: Vec<bool> = row.iter().map(|cell| cell.unknown > Nanos::ZERO).collect();
    assert_eq!(unknown, [true, true, false, false, false, false, true, false, false]);
}

#[test]
fn a_suspended_program_is_unknown_and_goes_on_as_it_was() {
    let (mut trace, one, two, lock) = two_threads();
    trace.begin(MS(1));
    trace.append(&event(one, MS(1), EventKind::Take { lock, to: State::Running }));
    trace.append(&event(two, MS(1), EventKind::State { to: State::WaitingGil, detail: Detail::None }));
    trace.mark_unknown(MS(3), MS(7));
    trace.end(MS(10));
    assert_eq!(trace.check(), Ok(()));
    for (lane, state) in [(one, State::Running), (two, State::WaitingGil)] {
        let ledger = trace.lane_ledger(lane).0;
        assert_eq!((ledger[state.index()], ledger[State::Unknown.index()]), (MS(5), MS(4)));
    }
    assert_eq!(trace.blame()[0].ns, MS(5));
    let row = trace.lock_window(lock, MS(1), MS(10), 3);
    assert_eq!(row.iter().map(|cell| cell.unknown).collect::<Vec<_>>(), [MS(1), MS(3), Nanos::ZERO]);
}

#[test]
fn while_a_process_is_stopped_nobody_holds_and_nobody_waits_and_then_all_goes_on_as_it_was() {
    let (mut trace, one, two, lock) = two_threads();
    trace.begin(MS(1));
    trace.append(&event(one, MS(1), EventKind::Take { lock, to: State::Running }));
    trace.append(&event(two, MS(2), EventKind::State { to: State::WaitingGil, detail: Detail::None }));
    trace.halt(0, MS(3), true);
    // The kernel's word of a thread that is stopped: it has left its core.
    trace.append(&event(one, MS(4), EventKind::State { to: State::Sleeping, detail: Detail::None }));
    trace.append(&event(one, MS(7), EventKind::State { to: State::Running, detail: Detail::None }));
    trace.halt(0, MS(7), false);
    trace.append(&event(one, MS(8), EventKind::Drop { lock, to: State::Idle, detail: Detail::None, requested: false }));
    trace.append(&event(two, MS(8), EventKind::Take { lock, to: State::Running }));
    trace.end(MS(10));
    assert_eq!(trace.check(), Ok(()));
    assert_eq!((trace.anomalies().illegal_transitions, trace.anomalies().overlapping_holds), (0, 0));
    let of = |lane: LaneId, state: State| trace.lane_ledger(lane).0[state.index()];
    assert_eq!((of(one, State::Stopped), of(one, State::Running), of(one, State::Sleeping)), (MS(4), MS(3), MS(0)));
    assert_eq!((of(two, State::Stopped), of(two, State::WaitingGil)), (MS(4), MS(2)));
    let stats = trace.lock_stats(lock);
    assert_eq!((stats.held, stats.free, stats.takes, stats.handoffs), (MS(5), MS(0), 2, 1));
    let about = |spans: Distribution, span: Nanos| spans.count == 1 && spans.max.0.abs_diff(span.0) < span.0 / 50;
    assert!(about(stats.hold, MS(3)) && about(stats.wait, MS(2)), "{stats:?}");
    assert_eq!(trace.blame().iter().map(|blame| blame.ns).collect::<Vec<_>>(), [MS(2)]);
    assert_eq!(trace.lock_window(lock, MS(1), MS(10), 1)[0].unknown, MS(4));
}

#[test]
fn one_that_ends_or_comes_while_its_process_is_stopped_is_told_so() {
    let (mut trace, one, two, lock) = two_threads();
    trace.begin(MS(1));
    trace.append(&event(one, MS(1), EventKind::Take { lock, to: State::Running }));
    trace.append(&event(two, MS(1), EventKind::State { to: State::WaitingGil, detail: Detail::None }));
    trace.halt(0, MS(3), true);
    trace.advance(MS(4));
    let late = trace.add_lane(LaneInfo::new("late", Role::Worker, Some(lock)));
    trace.append(&event(late, MS(5), EventKind::State { to: State::Unknown, detail: Detail::None }));
    trace.lane_killed(one, MS(6));
    trace.end(MS(10));
    assert_eq!(trace.check(), Ok(()));
    let of = |lane: LaneId, state: State| trace.lane_ledger(lane).0[state.index()];
    assert_eq!((of(one, State::Stopped), of(one, State::Done)), (MS(3), MS(4)));
    assert_eq!((of(late, State::Unborn), of(late, State::Stopped)), (MS(4), MS(5)));
    assert_eq!((trace.lock_stats(lock).held, of(two, State::Stopped)), (MS(2), MS(7)));
    assert_eq!(trace.blame()[0].ns, MS(2));
}

#[test]
fn a_lock_lives_from_when_it_is_there_until_it_is_no_more() {
    let (mut trace, one, _, first) = two_threads();
    trace.begin(MS(1));
    trace.advance(MS(5));
    let second = trace.add_lock(LockInfo { process: 1, ..trace.lock(first).clone() });
    trace.append(&event(one, MS(6), EventKind::Take { lock: second, to: State::Running }));
    let drop = EventKind::Drop { lock: second, to: State::Idle, detail: Detail::None, requested: false };
    trace.append(&event(one, MS(7), drop));
    trace.lock_gone(second, MS(8));
    trace.end(MS(10));
    assert_eq!(trace.check(), Ok(()));
    let stats = trace.lock_stats(second);
    assert_eq!((stats.held, stats.free), (MS(1), MS(2)));
    assert_eq!(trace.lock_stats(first).free, MS(9));
    let cells = trace.lock_window(second, MS(1), MS(10), 3);
    assert_eq!(cells.iter().map(|cell| cell.absent).collect::<Vec<_>>(), [MS(3), MS(1), MS(2)]);
}

#[test]
fn spans_of_hours_beside_spans_of_nanoseconds_are_exact() {
    let (mut trace, one, _, _) = two_threads();
    trace.begin(Nanos(0));
    let mut at = Nanos(0);
    for turn in 0..100 {
        let (to, span) =
            if turn % 2 == 0 { (State::Running, Nanos(1)) } else { (State::Idle, Nanos::from_secs(3_600)) };
        trace.append(&event(one, at, EventKind::State { to, detail: Detail::None }));
        at += span;
    }
    trace.end(at);
    let ledger = trace.lane_ledger(one).0;
    assert_eq!((ledger[State::Running.index()], ledger[State::Idle.index()]), (Nanos(50), Nanos::from_secs(180_000)));
    let last = &trace.lane_window(one, at - Nanos::from_secs(3_601), at, 1)[0];
    assert_eq!((last.states[State::Running.index()], last.changes), (Nanos(1), 2));
}

#[test]
fn beyond_its_budget_a_trace_forgets_the_oldest_spans_and_no_sum() {
    let run = |budget| {
        let mut trace = Trace::new(budget);
        let lane = trace.add_lane(LaneInfo::new("lane", Role::Worker, None));
        trace.begin(Nanos(0));
        for turn in 0..20_000 {
            let to = if turn % 3 == 0 { State::Io } else { State::Running };
            trace.append(&event(lane, Nanos(turn * 100), EventKind::State { to, detail: Detail::None }));
            trace.advance(Nanos(turn * 100));
        }
        trace.end(Nanos(2_000_000));
        trace
    };
    let (fine, coarse, lane) = (run(usize::MAX), run(30_000), LaneId(0));
    assert!(coarse.bytes() <= 30_000 && fine.bytes() > 60_000);
    let before = coarse.coarsened_before().unwrap();
    assert!(fine.coarsened_before().is_none() && before > Nanos(1_000_000));
    assert_eq!(coarse.ledger(), fine.ledger());
    assert_eq!(coarse.span_at(lane, Nanos(1_000)), None);
    assert_eq!(coarse.span_at(lane, before + Nanos(1)), fine.span_at(lane, before + Nanos(1)));
    // A stretch of the coarse part that is long enough has about the shares it had.
    let running = |trace: &Trace| trace.lane_window(lane, Nanos(0), before, 4)[1].states[State::Running.index()];
    assert!(running(&coarse).0.abs_diff(running(&fine).0) < 1_000);
}

#[test]
fn between_the_order_of_its_birth_and_its_first_core_a_lane_has_none() {
    let mut trace = Trace::default();
    let info = LaneInfo::new("process 1", Role::Worker, None);
    let lane = trace.add_lane(LaneInfo { core_evidence: CoreEvidence::SwitchRecords, ..info });
    trace.begin(MS(0));
    let starting = |detail| EventKind::State { to: State::Starting, detail };
    trace.append(&event(lane, MS(2), starting(Detail::Fork)));
    trace.append(&event(lane, MS(5), EventKind::SwitchIn));
    trace.append(&event(lane, MS(6), starting(Detail::Init)));
    trace.append(&event(lane, MS(7), EventKind::SwitchOut { preempted: false }));
    trace.append(&event(lane, MS(9), EventKind::SwitchIn));
    trace.end(MS(10));
    let ledger = trace.lane_ledger(lane);
    assert_eq!(ledger.0[State::Unborn.index()], MS(2));
    assert_eq!(ledger.0[State::WaitingCore.index()], MS(3));
    assert_eq!(ledger.0[State::Starting.index()], MS(5), "what it waits for later on is part of its start");
    assert_eq!(trace.span_at(lane, MS(5)).map(|span| span.detail), Some(Detail::Fork));
}

#[test]
fn who_holds_a_lock_as_the_run_begins_has_taken_it_once() {
    let (mut trace, one, two, lock) = two_threads();
    trace.append(&event(two, MS(1), EventKind::Take { lock, to: State::Running }));
    trace.append(&event(two, MS(2), EventKind::Drop { lock, to: State::Idle, detail: Detail::None, requested: false }));
    trace.begin(MS(5));
    trace.append(&event(one, MS(3), EventKind::Take { lock, to: State::Running }));
    trace.advance(MS(7));
    assert_eq!(trace.lock_stats(lock).takes, 1);
    trace.append(&event(one, MS(8), EventKind::Drop { lock, to: State::Idle, detail: Detail::None, requested: false }));
    trace.append(&event(two, MS(9), EventKind::Take { lock, to: State::Running }));
    trace.end(MS(10));
    let stats = trace.lock_stats(lock);
    assert_eq!((stats.held, stats.takes, stats.handoffs, stats.hold.count), (MS(4), 2, 1, 1));
}

#[test]
fn a_stopped_world_is_no_gil_and_is_had_beside_one() {
    let builder = TraceBuilder::new().lock("GIL").world("stop-the-world");
    let trace = builder.lane("one").running(MS(2)).stopping(MS(3)).running(MS(1)).state(State::Io, MS(4));
    let trace =
        trace.lane("two").state(State::WaitingGil, MS(2)).state(State::WaitingWorld, MS(4)).running(MS(4)).build();
    assert_eq!((trace.check(), trace.anomalies()), (Ok(()), Anomalies::default()));
    let (gil, world) = (LockId(0), LockId(1));
    assert_eq!(trace.gils().map(|(lock, _)| lock).collect::<Vec<_>>(), [gil]);
    assert_eq!(trace.worlds().map(|(lock, _)| lock).collect::<Vec<_>>(), [world]);
    assert_eq!(trace.world_of(LaneId(1)), Some(world));
    // The GIL is held on while the world is stopped and started.
    let (held, stopped) = (trace.lock_stats(gil), trace.lock_stats(world));
    assert_eq!((held.held, held.takes, held.handoffs), (MS(10), 2, 1));
    assert_eq!((stopped.held, stopped.takes, stopped.hold.max), (MS(3), 1, MS(3)));
    let span = trace.span_at(LaneId(1), BEGIN + MS(3)).unwrap();
    assert_eq!((span.state, trace.held_during(world, span)), (State::WaitingWorld, vec![(LaneId(0), MS(3))]));
    assert_eq!(trace.blame().iter().map(|blame| blame.lock).collect::<Vec<_>>(), [gil], "blame is of GILs");

    let mut live = TraceBuilder::new().world("stop-the-world").lane("one").running(MS(2)).live().build();
    live.append(&event(LaneId(0), BEGIN + MS(2), EventKind::Take { lock: LockId(0), to: State::Running }));
    live.lane_killed(LaneId(0), BEGIN + MS(4));
    live.end(BEGIN + MS(6));
    assert!(!live.has_gil());
    assert_eq!((live.check(), live.lock_stats(LockId(0)).held), (Ok(()), MS(2)), "whoever is killed lets it go");
}

#[test]
fn of_looks_a_wait_is_over_when_its_lane_does_something_else_whoever_was_seen_to_take_the_lock() {
    let waits = |evidence, taken: bool| {
        let (mut trace, one, two, lock) = two_threads();
        trace.lane_mut(two).evidence = evidence;
        trace.begin(MS(1));
        let enter = |lane, at, to, detail| event(lane, at, EventKind::State { to, detail });
        trace.append(&event(one, MS(1), EventKind::Take { lock, to: State::Running }));
        for at in [2, 12, 22] {
            trace.append(&enter(two, MS(at), State::WaitingGil, Detail::None));
            if taken {
                let drop = EventKind::Drop { lock, to: State::Native, detail: Detail::None, requested: false };
                trace.append(&event(one, MS(at + 4), drop));
                trace.append(&event(two, MS(at + 4), EventKind::Take { lock, to: State::Running }));
                trace.append(&event(two, MS(at + 5), drop));
                trace.append(&event(one, MS(at + 5), EventKind::Take { lock, to: State::Running }));
            }
            trace.append(&enter(two, MS(at + 6), State::Io, Detail::Sleep));
        }
        trace.append(&enter(two, MS(32), State::WaitingGil, Detail::None));
        trace.advance(MS(35));
        assert_eq!(trace.waits_so_far(lock).count, trace.lock_stats(lock).wait.count + 1, "one waits still");
        trace.append(&enter(two, MS(36), State::Done, Detail::None));
        trace.end(MS(40));
        (trace.lock_stats(lock).wait.count, trace.lock_stats(lock).wait.p50)
    };
    assert_eq!(waits(Evidence::Sampled, false), (4, MS(6)), "no take was met");
    assert_eq!(waits(Evidence::Sampled, true), (4, MS(4)), "each is counted once");
    assert_eq!(waits(Evidence::Exact, true), (3, MS(4)), "who ended never had it");
    assert_eq!(waits(Evidence::Exact, false), (0, Nanos::ZERO));
}

#[test]
fn of_looks_a_wait_that_a_stop_interrupts_is_one_wait_also_if_nothing_more_is_seen_of_it() {
    let waits = |goes_on: bool| {
        let (mut trace, _, two, lock) = two_threads();
        trace.lane_mut(two).evidence = Evidence::Sampled;
        trace.begin(MS(1));
        let enter = |at, to| event(two, MS(at), EventKind::State { to, detail: Detail::None });
        trace.append(&enter(2, State::WaitingGil));
        trace.halt(0, MS(5), true);
        if !goes_on {
            trace.append(&enter(7, State::Native));
        }
        trace.halt(0, MS(10), false);
        trace.append(&enter(14, State::Io));
        trace.end(MS(20));
        (trace.lock_stats(lock).wait.count, trace.lock_stats(lock).wait.max)
    };
    assert_eq!((waits(true), waits(false)), ((1, MS(7)), (1, MS(3))));
}

#[test]
fn what_lasts_no_time_does_not_end_what_is_told_of_a_lane() {
    let (mut trace, one, _, lock) = two_threads();
    trace.begin(BEGIN);
    trace.append(&event(one, BEGIN, EventKind::Take { lock, to: State::Running }));
    let states =
        [(2, State::Io), (2, State::Native), (5, State::Io), (5, State::Unknown), (5, State::Io), (9, State::Native)];
    for (at, to) in states {
        trace.append(&event(one, BEGIN + MS(at), EventKind::State { to, detail: Detail::None }));
    }
    trace.end(BEGIN + MS(12));
    let spans: Vec<_> = trace.spans(one, BEGIN + MS(3)).collect();
    assert_eq!(spans.last().map(|span| span.to), Some(BEGIN + MS(12)), "{spans:?}");
    assert!(spans.iter().all(|span| span.to > span.from), "{spans:?}");
}
