//! What sleeps turn out to have been by what the lock did afterwards.

use super::*;

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
