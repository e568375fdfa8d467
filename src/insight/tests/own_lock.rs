//! Threads that queue for a lock of the program's own, and those that wait in one since they have nothing to do.

use super::*;

const ROUNDS: u64 = 40;

/// What is found in a program of these lanes, each of which does the same again and again after so many milliseconds.
fn found(lock: bool, lanes: &[(u64, &[(State, u64)])]) -> Option<Finding> {
    let mut builder = TraceBuilder::new();
    if lock {
        builder = builder.lock("GIL");
    }
    for (index, (first, states)) in lanes.iter().enumerate() {
        builder = builder.lane(&format!("Thread-{index}"));
        if *first > 0 {
            builder = builder.state(State::WaitingLock, ms(*first));
        }
        for (state, millis) in (0..ROUNDS).flat_map(|_| *states) {
            builder = builder.state(*state, ms(*millis));
        }
    }
    let trace = builder.build();
    let mut facts = Facts::new(&trace, 4, ms(5));
    facts.is_program = true;
    find(&facts).into_iter().find(|finding| finding.id == "own-lock-bound")
}

#[test]
fn those_who_hand_a_lock_from_one_to_the_next_are_bound_by_it() {
    let queue = |turn: &[(State, u64)], threads: u64| {
        let under: u64 = turn.iter().map(|(_, millis)| millis).sum();
        let mut states = turn.to_vec();
        states.extend([(State::Io, 1), (State::WaitingLock, under * (threads - 1) - 1)]);
        found(true, &(0..threads).map(|thread| (under * thread, &*states)).collect::<Vec<_>>())
    };
    let finding = queue(&[(State::Running, 2)], 8).expect("it holds");
    let said = "8 threads take turns, as under a lock of the program's own or where each hands work to the next: they waited \
                for that 8";
    assert!(finding.sentence.starts_with(said), "{finding:?}");
    assert!(finding.sentence.ends_with("(a turn lasts 2.00 ms)."), "{finding:?}");
    // Whoever sleeps under the lock has his turn all the same; he runs when he lets it go.
    let sleeping = [(State::Running, 1), (State::Io, 4), (State::Running, 1)];
    assert!(queue(&sleeping, 3).is_some_and(|it| it.sentence.starts_with("3 threads")));
    // Of two it is not known whether they hand each other work.
    assert_eq!(queue(&[(State::Running, 5)], 2), None);
}

#[test]
fn who_is_woken_and_finds_the_lock_taken_again_waits_on() {
    // Each of the others is woken in each turn of 9 ms, and asks for no GIL.
    let mut states = vec![(State::Running, 9)];
    for _ in 0..3 {
        states.extend([(State::WaitingLock, 4), (State::Native, 1), (State::WaitingLock, 4)]);
    }
    let lanes: Vec<_> = (0..4).map(|thread| (9 * thread, &*states)).collect();
    assert!(found(true, &lanes).is_some_and(|it| it.sentence.starts_with("4 threads take turns")));
}

#[test]
fn a_lock_that_one_keeps_for_long_and_others_shortly_is_one_lock() {
    let turns = [40, 4, 9, 2];
    let all: u64 = turns.iter().sum();
    let states = turns.map(|turn| {
        // In its own turn it is let go several times, and each time others are woken in vain, shortly after one another.
        let mut states = vec![(State::Running, turn)];
        states.extend([(State::WaitingLock, all - turn - 4), (State::Native, 1), (State::Sleeping, 1)]);
        states.extend([(State::Native, 1), (State::Sleeping, 1)]);
        states
    });
    let first = |thread: usize| turns[..thread].iter().sum();
    let lanes: Vec<_> = states.iter().enumerate().map(|(thread, states)| (first(thread), &**states)).collect();
    let found = found(true, &lanes).expect("it holds");
    assert!(found.sentence.starts_with("4 threads take turns") && found.sentence.contains(" 96% of it"), "{found:?}");
}

#[test]
fn a_wait_that_nobody_looked_at_is_one_as_those_that_were_looked_at() {
    // Each third wait is over before a look; it cannot have been in the same call as the one before, as there is Python in
    // between. Whoever sleeps elsewhere as well may have slept there.
    let queue = |elsewhere: &[(State, u64)]| {
        let asleep = [State::WaitingLock, State::WaitingLock, State::Sleeping];
        let under: u64 = 4 + elsewhere.iter().map(|(_, millis)| millis).sum::<u64>();
        let rounds = asleep.iter().flat_map(|asleep| {
            [(State::Running, 4)].into_iter().chain(elsewhere.iter().copied()).chain([(*asleep, 3 * under)])
        });
        let states: Vec<_> = rounds.collect();
        let first = |thread: u64| under * thread;
        let lanes: Vec<_> = (0..4).map(|thread| (first(thread), &*states)).collect();
        found(true, &lanes)
    };
    let found = queue(&[]).expect("it holds");
    assert!(
        found.sentence.starts_with("4 threads take turns") && found.sentence.contains(" 74% of their"),
        "{found:?}"
    );
    assert_eq!(queue(&[(State::Io, 4)]), None);
}

#[test]
fn idle_workers_queue_for_nothing() {
    let (work, wait) = (State::Running, State::WaitingLock);
    let of_eight = |own: u64, period: u64, from: u64| -> Vec<(u64, Vec<(State, u64)>)> {
        (0..8).map(|worker| (from + worker * period, vec![(work, own), (wait, 8 * period - own)])).collect()
    };
    let among = |others: &[(u64, &[(State, u64)])], workers: &[(u64, Vec<(State, u64)>)]| {
        let workers = workers.iter().map(|(first, states)| (*first, &**states));
        found(true, &others.iter().copied().chain(workers).collect::<Vec<_>>())
    };
    // Work comes from one that sleeps in between, or computes all the time but for what others do.
    assert_eq!(among(&[(0, &[(work, 1), (State::Io, 9)])], &of_eight(2, 10, 1)), None);
    assert_eq!(among(&[(0, &[(work, 8), (State::WaitingGil, 2)])], &of_eight(2, 10, 8)), None);
    // Or from one that waits for the result each time.
    assert_eq!(among(&[(0, &[(work, 2), (wait, 2)])], &of_eight(2, 4, 2)), None);
    // They look for it themselves, each 16 ms.
    assert_eq!(among(&[], &of_eight(1, 2, 1)), None);
}

#[test]
fn those_who_have_work_done_by_others_or_meet_at_a_barrier_queue_for_nothing() {
    let (work, wait) = (State::Running, State::WaitingLock);
    let pairs = [0, 1, 2, 3].map(|pair| [(pair, [(work, 3), (wait, 3)]), (pair + 3, [(work, 3), (wait, 3)])]);
    let lanes: Vec<_> = pairs.iter().flatten().map(|(first, states)| (*first, &states[..])).collect();
    assert_eq!(found(false, &lanes), None);
    // Whoever comes last changes.
    let meets = [0, 1, 2, 3].map(|thread| {
        let rounds = (0..4).map(|round| (thread + round) % 4 + 1);
        rounds.flat_map(|late| [(work, late), (wait, 5 - late)]).collect::<Vec<_>>()
    });
    assert_eq!(found(false, &meets.iter().map(|states| (0, &**states)).collect::<Vec<_>>()), None);
}
