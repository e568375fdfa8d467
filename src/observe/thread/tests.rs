mod afterwards;

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

#[test]
fn how_long_it_was_without_a_core_though_it_could_have_gone_on_is_summed_up() {
    let mut thread = Thread::new(Nanos(100), true, Awake::Native);
    thread.switch_in(Nanos(130), CoreId(0));
    thread.switch_out(Nanos(200), CoreId(0), true);
    thread.switch_in(Nanos(250), CoreId(0));
    thread.switch_out(Nanos(300), CoreId(0), false);
    thread.switch_in(Nanos(900), CoreId(0));
    assert_eq!(thread.queued, Nanos(30 + 50), "since its birth, since it lost its core; and not while it slept");
}

#[test]
fn who_loses_its_core_as_it_writes_to_a_lock_is_amid_that_until_it_has_run_on_for_a_moment() {
    let mut thread = watched();
    let amid = |thread: &Thread, at| thread.is_amid_write(Nanos(at), Nanos(40));
    thread.writes(Nanos(10));
    assert!(!amid(&thread, 20), "whether it has a core is not known");
    thread.switch_out(Nanos(50), CORE, true);
    assert!(amid(&thread, 60), "it may have lost its core before the write, too: it is looked at again");
    thread.switch_in(Nanos(100), CORE);
    thread.writes(Nanos(200));
    assert!(amid(&thread, 239) && !amid(&thread, 240));
    // It has its core back, and loses it again.
    thread.writes(Nanos(300));
    thread.switch_out(Nanos(301), CORE, true);
    assert!(amid(&thread, 90_000));
    thread.switch_in(Nanos(90_000), CORE);
    thread.switch_out(Nanos(90_020), CORE, true);
    thread.switch_in(Nanos(180_000), CORE);
    assert!(amid(&thread, 180_018) && !amid(&thread, 180_019));
    // Whoever goes to sleep has done it.
    thread.writes(Nanos(180_100));
    thread.switch_out(Nanos(180_101), CORE, false);
    assert!(!amid(&thread, 180_102));
}

#[test]
fn of_one_that_was_there_before_it_is_not_known_whether_it_is_awake_until_somebody_tells() {
    let mut sleeper = Thread::new(Nanos(0), false, Awake::Unknown);
    sleeper.reveal(Nanos(10), Awake::Native);
    sleeper.seen(Nanos(15), Awake::Native);
    assert_eq!(sleeper.state, State::Unknown, "the lock is known, and not that it is awake");
    sleeper.found_asleep(Nanos(20), Reason::OwnLock);
    assert_eq!(sleeper.state, State::WaitingLock);
    let mut computes = Thread::new(Nanos(0), false, Awake::Unknown);
    computes.reveal(Nanos(10), Awake::Native);
    computes.found_runnable(Nanos(20));
    assert_eq!(computes.state, State::Native);
    let mut comes = Thread::new(Nanos(0), false, Awake::Native);
    comes.switch_out(Nanos(10), CoreId(0), true);
    comes.reveal(Nanos(15), Awake::Native);
    assert_eq!(comes.state, State::Native, "it lost its core, so it was awake");
}

#[test]
fn who_loses_its_core_to_the_one_who_looks_runs_and_who_loses_it_to_anybody_else_does_not() {
    let us = |at: u64| Nanos::from_micros(at);
    // It loses the first core, and so much later somebody comes on one to look.
    let runs = |later: u64, core: u16| {
        let mut thread = Thread::new(us(0), false, Awake::Undecided { interval: Nanos::from_millis(5) });
        thread.switch_in(us(100), CoreId(0));
        thread.switch_out(us(500), CoreId(0), true);
        thread.met_awake(us(600), us(1000), Came { at: us(500 + later), core: CoreId(core) });
        let mut found = None;
        thread.tell(LaneId(0), &mut |event| {
            if let EventKind::MetAwake { runs, .. } = event.kind {
                found = Some(runs);
            }
        });
        found
    };
    assert_eq!(runs(8, 0), Some(true));
    assert_eq!(runs(80, 0), Some(false), "somebody else had it since");
    assert_eq!(runs(8, 1), Some(false), "that one was another's");
}
