use proptest::prelude::*;

use super::*;

const GIL: LockId = LockId(0);
const CORE: CoreId = CoreId(1);

fn states(thread: &mut Thread) -> Vec<(u64, State)> {
    let mut found = Vec::new();
    thread.tell(LaneId(3), &mut |event| {
        assert_eq!(event.lane, LaneId(3));
        match event.kind {
            EventKind::State { to, .. } | EventKind::Take { to, .. } | EventKind::Drop { to, .. } => {
                found.push((event.at.0, to));
            }
            _ => {}
        }
    });
    found
}

fn watched() -> Thread {
    let mut thread = Thread::new(Nanos(0), false, Awake::Native);
    states(&mut thread);
    thread
}

#[test]
fn a_sleep_is_told_from_its_beginning_once_somebody_looked() {
    let mut thread = watched();
    thread.take(Nanos(10), GIL);
    thread.drop_lock(Nanos(20));
    thread.switch_out(Nanos(21), CORE, false);
    assert_eq!(thread.unresolved(), Some(Nanos(21)));
    thread.explain(Nanos(30), Reason::Call(libc::SYS_clock_nanosleep as u32));
    thread.switch_in(Nanos(50), CORE);
    let expected = [(10, State::Running), (20, State::Native), (21, State::Io), (50, State::Native)];
    assert_eq!(states(&mut thread), expected);
    assert_eq!(thread.slept[&(libc::SYS_clock_nanosleep as u32)], Slept { times: 1, span: Nanos(29) });
}

#[test]
fn who_is_found_holding_a_lock_in_his_sleep_sleeps_with_it_until_he_has_a_core() {
    let mut thread = Thread::new(Nanos(0), true, Awake::Unknown);
    thread.switch_in(Nanos(10), CORE);
    thread.switch_out(Nanos(20), CORE, false);
    thread.found_holding(Nanos(30), GIL);
    assert_eq!(thread.holds(), Some(GIL));
    thread.switch_in(Nanos(70), CORE);
    thread.drop_lock(Nanos(80));
    let told = states(&mut thread);
    let expected = [(20, State::Sleeping), (30, State::Sleeping), (70, State::Running), (80, State::Unknown)];
    assert_eq!(told[told.len() - 4..], expected, "{told:?}");
    // Of one who is awake it tells that he runs.
    let mut thread = watched();
    thread.found_holding(Nanos(30), GIL);
    assert_eq!(states(&mut thread), [(30, State::Running)]);
}

#[test]
fn a_sleep_nobody_saw_is_off_core_for_a_reason_nobody_knows() {
    let mut thread = watched();
    thread.take(Nanos(10), GIL);
    thread.drop_lock(Nanos(20));
    thread.switch_out(Nanos(21), CORE, false);
    thread.switch_in(Nanos(22), CORE);
    thread.explain(Nanos(23), Reason::OwnLock);
    let expected = [(10, State::Running), (20, State::Native), (21, State::Sleeping), (22, State::Native)];
    assert_eq!(states(&mut thread), expected);
}

#[test]
fn a_sleep_that_no_record_told_of_and_nobody_can_explain_is_not_observed() {
    let mut thread = watched();
    thread.found_asleep(Nanos(20), Reason::Unknown);
    thread.found_awake(Nanos(30));
    assert_eq!(states(&mut thread), [(30, State::Native)], "unknown before, and until then");
}

#[test]
fn the_reason_of_one_sleep_is_not_taken_for_that_of_the_next() {
    let mut thread = watched();
    thread.switch_out(Nanos(10), CORE, false);
    thread.explain(Nanos(12), Reason::Call(libc::SYS_clock_nanosleep as u32));
    thread.switch_in(Nanos(20), CORE);
    thread.switch_out(Nanos(21), CORE, false);
    thread.give_up_on_sleep(Nanos(200));
    let expected = [(10, State::Io), (20, State::Native), (21, State::Sleeping)];
    assert_eq!(states(&mut thread), expected);
}

#[test]
fn one_who_waits_for_the_lock_waits_until_he_has_it() {
    let mut thread = watched();
    thread.switch_out(Nanos(10), CORE, false);
    thread.explain(Nanos(12), Reason::WantsLock(GIL));
    // The interval runs out, he asks and sleeps again, unseen.
    thread.switch_in(Nanos(15), CORE);
    thread.switch_out(Nanos(16), CORE, false);
    thread.switch_in(Nanos(20), CORE);
    thread.take(Nanos(21), GIL);
    assert_eq!(states(&mut thread), [(10, State::WaitingGil), (21, State::Running)]);
}

#[test]
fn a_new_thread_starts_until_it_takes_the_lock_or_sleeps() {
    let mut thread = Thread::new(Nanos(5), true, Awake::Native);
    thread.switch_in(Nanos(6), CORE);
    thread.switch_out(Nanos(7), CORE, true);
    thread.switch_in(Nanos(8), CORE);
    thread.take(Nanos(9), GIL);
    thread.end(Nanos(12));
    thread.end(Nanos(13));
    let expected = [(5, State::Starting), (9, State::Running), (12, State::Running), (12, State::Done)];
    assert_eq!(
        states(&mut thread),
        expected[..2].iter().copied().chain([(12, State::Native), (12, State::Done)]).collect::<Vec<_>>()
    );
    assert_eq!(thread.on_cpu, Nanos(5));
    assert_eq!(thread.switches, (0, 1));
}

#[test]
fn one_that_was_preempted_goes_on_with_what_it_did() {
    let mut thread = watched();
    thread.take(Nanos(10), GIL);
    thread.switch_out(Nanos(11), CORE, true);
    thread.switch_in(Nanos(15), CORE);
    assert_eq!(states(&mut thread), [(10, State::Running)]);
}

#[test]
fn a_program_is_loaded_and_its_interpreter_set_up_until_it_takes_its_lock() {
    let mut thread = watched();
    thread.take(Nanos(10), GIL);
    thread.boot(Nanos(20), Detail::Exec);
    assert!(thread.holds().is_none() && thread.is_booting());
    // What it reads meanwhile is part of it.
    thread.switch_out(Nanos(22), CORE, false);
    thread.explain(Nanos(23), Reason::Call(libc::SYS_read as u32));
    thread.switch_in(Nanos(25), CORE);
    thread.boot(Nanos(26), Detail::Init);
    thread.take(Nanos(30), GIL);
    thread.drop_lock(Nanos(31));
    let expected = [
        (10, State::Running),
        (20, State::Unknown),
        (20, State::Starting),
        (26, State::Starting),
        (30, State::Running),
        (31, State::Native),
    ];
    assert_eq!(states(&mut thread), expected);
}

#[test]
fn one_who_was_seen_to_give_up_waiting_waited_until_it_was_seen() {
    let mut thread = watched();
    thread.switch_out(Nanos(10), CORE, false);
    thread.explain(Nanos(12), Reason::WantsLock(GIL));
    thread.switch_in(Nanos(15), CORE);
    thread.switch_out(Nanos(16), CORE, false);
    assert!(thread.is_waiting());
    thread.explain(Nanos(70), Reason::Call(libc::SYS_read as u32));
    assert!(!thread.is_waiting());
    assert_eq!(states(&mut thread), [(10, State::WaitingGil), (70, State::Io)]);
}

const US: u64 = 1_000;

/// Of a lock that others have had since this many microseconds, with its last drops.
fn past(busy_since: u64, drops: &[(Nanos, u32)]) -> Past {
    Past {
        busy_since: Nanos(busy_since * US),
        drops: drops.iter().copied().collect(),
        interval: Nanos::from_millis(5),
        ..Past::default()
    }
}

/// One that dropped the lock at 10 ms for a call in which it sleeps for a millisecond; then the sleeps that follow, each
/// after so many microseconds on a core, and so long.
fn asleep_after_a_call(sleeps: &[(u64, u64)]) -> (Thread, Nanos) {
    let mut thread = watched();
    thread.switch_in(Nanos(9_000 * US), CORE);
    thread.take(Nanos(9_500 * US), GIL);
    thread.drop_lock(Nanos(10_000 * US));
    let mut now = 10_010;
    for (awake, asleep) in [(0, 1_000)].iter().chain(sleeps) {
        now += awake;
        thread.switch_out(Nanos(now * US), CORE, false);
        now += asleep;
        thread.switch_in(Nanos(now * US), CORE);
    }
    (thread, Nanos(now * US))
}

/// What it is from when the call was over until it has the lock, 20 µs after it has woken up last.
fn after_the_call(thread: &mut Thread, woken: Nanos) -> Vec<(u64, State)> {
    thread.take(woken + Nanos(20 * US), GIL);
    let told = states(thread);
    let rest = told.into_iter().filter(|(at, to)| *at > 11_010 * US && *to != State::Running);
    rest.map(|(at, to)| (at / US, to)).collect()
}

#[test]
fn an_unseen_sleep_turns_out_to_have_been_a_wait_by_what_the_lock_did() {
    // Since when others have the lock; how long before it woke it was dropped, by whom; how long after that it is taken.
    type Case = (&'static str, u64, Option<(i64, u32)>, u64, bool);
    let cases: [Case; 7] = [
        ("woken by the drop", 10_005, Some((40, 8)), 20, true),
        ("the lock was free as it fell asleep", 11_100, Some((40, 8)), 20, false),
        ("it was dropped long before", 10_005, Some((400, 8)), 20, false),
        ("by itself", 10_005, Some((40, 7)), 20, false),
        ("it did something else first", 10_005, Some((40, 8)), 300, false),
        ("nobody has dropped it", 10_005, None, 20, false),
        ("it was dropped after it woke", 10_005, Some((-10, 8)), 20, false),
    ];
    for (what, busy_since, freed, then, waited) in cases {
        let (mut thread, woken) = asleep_after_a_call(&[(20, 900)]);
        let freed = freed.map(|(before, by)| (Nanos(woken.0.saturating_add_signed(-before * US as i64)), by));
        let past = past(busy_since, freed.as_slice());
        thread.takes_after(woken + Nanos(then * US), 7, &past);
        let expected = match waited {
            true => vec![(11_030, State::WaitingGil)],
            false => vec![(11_030, State::Sleeping), (11_930, State::Native)],
        };
        assert_eq!(after_the_call(&mut thread, woken), expected, "{what}");
    }
}

#[test]
fn the_first_sleep_after_a_drop_is_what_the_lock_was_dropped_for() {
    let past = |woken: Nanos| past(10_005, &[(woken - Nanos(40 * US), 8)]);
    let (mut thread, woken) = asleep_after_a_call(&[]);
    thread.takes_after(woken + Nanos(20 * US), 7, &past(woken));
    thread.take(woken + Nanos(20 * US), GIL);
    assert!(states(&mut thread).contains(&(10_010 * US, State::Sleeping)));
    // Nor is one that began after it had computed for a while.
    let (mut thread, woken) = asleep_after_a_call(&[(500, 900)]);
    thread.takes_after(woken + Nanos(20 * US), 7, &past(woken));
    assert_eq!(after_the_call(&mut thread, woken), [(11_510, State::Sleeping), (12_410, State::Native)]);
}

#[test]
fn a_new_thread_sleeps_for_the_lock_if_it_sleeps_for_an_interval_and_then_takes_it() {
    for (first, expected) in [(5_070, State::WaitingGil), (3_000, State::Sleeping)] {
        let mut thread = Thread::new(Nanos(1_000 * US), true, Awake::Native);
        thread.switch_in(Nanos(1_020 * US), CORE);
        let mut now = 1_060;
        for span in [first, 60] {
            thread.switch_out(Nanos(now * US), CORE, false);
            thread.switch_in(Nanos((now + span) * US), CORE);
            now += span + 10;
        }
        let woken = Nanos((now - 10) * US);
        thread.takes_after(woken + Nanos(5 * US), 7, &past(900, &[(woken - Nanos(40 * US), 8)]));
        thread.take(woken + Nanos(5 * US), GIL);
        assert!(states(&mut thread).contains(&(1_060 * US, expected)), "{first}");
    }
}

#[test]
fn waits_that_lasted_an_interval_are_told_by_the_one_that_follows() {
    let past = |woken: Nanos| past(10_005, &[(woken - Nanos(40 * US), 8)]);
    // Its interval runs out twice, then it is given the lock.
    let (mut thread, woken) = asleep_after_a_call(&[(20, 5_070), (10, 5_080), (10, 17), (10, 60)]);
    assert_eq!(thread.undecided(), Some(Nanos(11_030 * US)));
    thread.decide(woken);
    assert!(states(&mut thread).iter().all(|(at, _)| *at <= 11_010 * US), "the rest is held back");
    thread.takes_after(woken + Nanos(20 * US), 7, &past(woken));
    assert_eq!(after_the_call(&mut thread, woken), [(11_030, State::WaitingGil)]);
    // A sleep of another length before it is none of them.
    let (mut thread, woken) = asleep_after_a_call(&[(20, 3_000), (10, 60)]);
    thread.takes_after(woken + Nanos(20 * US), 7, &past(woken));
    let expected = [(11_030, State::Sleeping), (14_030, State::Native), (14_040, State::WaitingGil)];
    assert_eq!(after_the_call(&mut thread, woken), expected);
    // The one that follows is seen.
    let (mut thread, woken) = asleep_after_a_call(&[(20, 5_070)]);
    let asleep = woken + Nanos(10 * US);
    thread.switch_out(asleep, CORE, false);
    let seen = asleep + Nanos(1_000 * US);
    thread.waits_after(7, &past(woken));
    thread.explain(seen, Reason::WantsLock(GIL));
    assert_eq!(thread.undecided(), None);
    thread.switch_in(asleep + Nanos(2_000 * US), CORE);
    assert_eq!(after_the_call(&mut thread, asleep + Nanos(2_000 * US)), [(11_030, State::WaitingGil)]);
}

#[test]
fn who_was_woken_by_a_drop_and_came_too_late_has_waited_all_the_same() {
    // Two sleeps of 700 and 900 µs after the call; how long before the end of the first the lock was dropped, by whom;
    // how long it was awake between the two; whether it takes the lock in the end; since when the others had it.
    type Case = (&'static str, Option<(i64, u32)>, u64, bool, u64, [State; 2]);
    let cases: [Case; 7] = [
        ("woken by the drop", Some((40, 8)), 10, true, 10_005, [State::WaitingGil; 2]),
        ("nobody dropped it", None, 10, true, 10_005, [State::Sleeping, State::WaitingGil]),
        ("it was dropped long before", Some((300, 8)), 10, true, 10_005, [State::Sleeping, State::WaitingGil]),
        ("it was dropped after it woke", Some((-20, 8)), 10, true, 10_005, [State::Sleeping, State::WaitingGil]),
        ("by itself", Some((40, 7)), 10, true, 10_005, [State::Sleeping, State::WaitingGil]),
        ("the lock was free meanwhile", Some((40, 8)), 10, true, 11_735, [State::Sleeping, State::WaitingGil]),
        ("it never comes to the lock", Some((40, 8)), 10, false, 10_005, [State::Sleeping; 2]),
    ];
    for (what, freed, between, takes, busy_since, expected) in cases {
        let (mut thread, woken) = asleep_after_a_call(&[(20, 700), (between, 900)]);
        let first_over = 11_030 + 700;
        let freed = freed.map(|(before, by)| (Nanos(u64::saturating_add_signed(first_over, -before) * US), by));
        let drops: Vec<_> = freed.into_iter().chain([(woken - Nanos(40 * US), 8)]).collect();
        match takes {
            true => {
                thread.takes_after(woken + Nanos(20 * US), 7, &past(busy_since, &drops));
                thread.take(woken + Nanos(20 * US), GIL);
            }
            false => thread.decide(woken + Nanos(1_000 * US)),
        }
        let told = states(&mut thread);
        let at = |instant: u64| told.iter().rfind(|(since, _)| *since <= instant * US).map(|(_, state)| *state);
        assert_eq!([at(11_500), at(12_000)], expected.map(Some), "{what}: {told:?}");
    }
}

#[test]
fn what_is_held_back_is_told_as_soon_as_it_cannot_have_been_a_wait() {
    let (mut thread, woken) = asleep_after_a_call(&[(20, 900)]);
    states(&mut thread);
    thread.decide(woken + Nanos(50 * US));
    assert_eq!(states(&mut thread), []);
    thread.decide(woken + Nanos(101 * US));
    assert_eq!(states(&mut thread), [(11_030 * US, State::Sleeping), (11_930 * US, State::Native)]);
    assert_eq!(thread.undecided(), None);
}

#[test]
fn a_sleep_stays_unexplained_if_nobody_looks_and_not_if_it_was_a_wait_for_a_core() {
    // When somebody looked, and whether it was seen to be awake.
    type Case = (&'static [(u64, bool)], Option<(u64, u64)>);
    let cases: [Case; 4] = [
        (&[], Some((100, 200))),
        (&[(50, true)], Some((100, 200))),
        (&[(150, false)], None),
        // Who has lost the lock is woken at once, and gets a core when the next tick comes.
        (&[(150, true)], None),
    ];
    for (looks, expected) in cases {
        let mut thread = watched();
        let before = looks.iter().filter(|(at, _)| *at < 100);
        before.for_each(|(at, _)| thread.found_runnable(Nanos(*at)));
        thread.switch_out(Nanos(100), CORE, false);
        for (at, awake) in looks.iter().filter(|(at, _)| *at >= 100) {
            match awake {
                true => thread.found_runnable(Nanos(*at)),
                false => thread.explain(Nanos(*at), Reason::OwnLock),
            }
        }
        thread.switch_in(Nanos(200), CORE);
        assert_eq!(thread.unexplained, expected.map(|(since, until)| (Nanos(since), Nanos(until))), "{looks:?}");
    }
}

proptest! {
    /// Whatever is said in the order of time, what comes out is in the order of time and legal.
    #[test]
    fn what_a_lane_is_told_is_in_order_and_legal(steps in proptest::collection::vec((0u8..14, 0u64..3), 0..200), born: bool) {
        let mut thread = Thread::new(Nanos(0), born, Awake::Native);
        let (mut now, mut told) = (0, Vec::new());
        for (step, pause) in steps {
            now += pause;
            let at = Nanos(now);
            match step {
                0 => if thread.holds().is_none() { thread.take(at, GIL) },
                1 => thread.drop_lock(at),
                2 => thread.switch_in(at, CORE),
                3 => thread.switch_out(at, CORE, false),
                4 => thread.switch_out(at, CORE, true),
                5 => thread.explain(at, Reason::WantsLock(GIL)),
                6 => thread.explain(at, Reason::Call(0)),
                7 => thread.boot(at, Detail::Exec),
                8 => thread.reveal(at, Awake::Native),
                9 if thread.holds().is_none() => {
                    let past = Past { busy_since: Nanos(now / 2), drops: [(at, 8)].into(), interval: Nanos(1), ..Past::default() };
                    thread.takes_after(at, 7, &past);
                    thread.take(at, GIL);
                }
                10 => {
                    thread.waits_after(7, &Past { busy_since: Nanos(now / 2), drops: [(at, 8)].into(), interval: Nanos(1), ..Past::default() });
                    thread.explain(at, Reason::WantsLock(GIL));
                }
                11 => told.extend(states(&mut thread)),
                12 => thread.decide(Nanos(now * 100_000)),
                _ => thread.explain(at, Reason::OwnLock),
            }
        }
        thread.end(Nanos(now));
        told.extend(states(&mut thread));
        prop_assert!(told.is_sorted_by_key(|(at, _)| *at));
        let mut state = State::Unborn;
        for (_, to) in told {
            prop_assert!(state == to || state.may_become(to), "{state:?} {to:?}");
            state = to;
        }
    }
}

#[test]
fn who_stops_the_world_has_it_beside_the_lock_and_who_is_stopped_waits_for_that() {
    const WORLD: LockId = LockId(1);
    let mut thread = watched();
    thread.take(Nanos(10), GIL);
    thread.stop_world(Nanos(20), WORLD);
    thread.stop_world(Nanos(21), WORLD);
    assert_eq!(thread.holds(), Some(GIL));
    thread.start_world(Nanos(30), WORLD);
    thread.start_world(Nanos(31), WORLD);
    thread.drop_lock(Nanos(40));
    let expected = [(10, State::Running), (20, State::Running), (30, State::Running), (40, State::Native)];
    assert_eq!(states(&mut thread), expected);

    let mut thread = Thread::new(Nanos(0), false, Awake::Running);
    states(&mut thread);
    thread.switch_in(Nanos(1), CORE);
    thread.switch_out(Nanos(5), CORE, false);
    thread.explain(Nanos(7), Reason::World);
    let what: Arc<str> = "the world to go on".into();
    assert!(thread.waits_for(Nanos(7), &what) && !thread.waits_for(Nanos(8), &what), "once a sleep");
    assert_eq!(thread.waited_for_until(Nanos(9))[&what], Slept { times: 1, span: Nanos(4) });
    thread.switch_in(Nanos(11), CORE);
    // He ends while he has stopped it, as one who executes a program may.
    thread.stop_world(Nanos(12), WORLD);
    thread.end(Nanos(15));
    assert_eq!(
        states(&mut thread),
        [(5, State::WaitingWorld), (11, State::Running), (12, State::Running), (15, State::Running), (15, State::Done)]
    );
    assert_eq!(thread.waited_for_until(Nanos(20))[&what], Slept { times: 1, span: Nanos(6) });
    assert!(!thread.waits_for(Nanos(20), &what), "he does not sleep any more");
}

#[test]
fn a_new_process_is_starting_until_it_has_a_core_and_then_what_it_turns_out_to_have_done() {
    let born = || {
        let mut thread = Thread::new(Nanos(10), true, Awake::Unknown);
        thread.switch_in(Nanos(20), CORE);
        thread
    };
    let mut unseen = born();
    unseen.end(Nanos(90));
    assert_eq!(states(&mut unseen), [(10, State::Starting), (20, State::Unknown), (90, State::Done)]);
    // It executes a program: so far it was on its way there.
    let mut executes = born();
    executes.boot(Nanos(40), Detail::Exec);
    assert_eq!(states(&mut executes), [(10, State::Starting), (20, State::Starting), (40, State::Starting)]);
    // It holds its copy of the lock, until it first sleeps.
    let mut copy = born();
    copy.switch_out(Nanos(50), CORE, false);
    copy.switch_in(Nanos(60), CORE);
    copy.was_awake(State::Running, Detail::None);
    copy.end(Nanos(90));
    let expected = [(10, State::Starting), (20, State::Running), (50, State::Sleeping), (60, State::Unknown)];
    assert_eq!(states(&mut copy)[..4], expected);
    // What was told is told.
    let mut told = born();
    states(&mut told);
    told.was_awake(State::Running, Detail::None);
    told.end(Nanos(90));
    assert_eq!(states(&mut told), [(90, State::Done)]);
}

#[test]
fn whether_a_look_met_it_is_told_of_a_sleep_of_which_looks_are_all_there_is() {
    let kinds = |awake: Awake| {
        let mut thread = Thread::new(Nanos(0), false, awake);
        thread.switch_in(Nanos(10), CORE);
        thread.switch_out(Nanos(20), CORE, false);
        thread.explain(Nanos(30), Reason::WantsLock(GIL));
        thread.met(Nanos(30), Nanos(25));
        thread.switch_in(Nanos(40), CORE);
        thread.drop_lock(Nanos(45));
        thread.switch_out(Nanos(50), CORE, false);
        thread.met(Nanos(55), Nanos(25));
        thread.switch_in(Nanos(60), CORE);
        thread.decide(Nanos::MAX);
        let mut found = Vec::new();
        thread.tell(LaneId(0), &mut |event| match event.kind {
            EventKind::Met { .. } | EventKind::Unmet => found.push((event.at.0, event.kind)),
            _ => {}
        });
        found
    };
    let by_looks = Awake::Undecided { interval: Nanos::from_millis(5) };
    assert_eq!(kinds(by_looks), [(30, EventKind::Met { apart: Nanos(25) }), (60, EventKind::Unmet)]);
    // Of a lock that is watched, where it was the first after a drop: of the second it tells what happened to the lock.
    assert_eq!(kinds(Awake::Native), [(30, EventKind::Met { apart: Nanos(25) })]);
}
