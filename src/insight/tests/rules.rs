//! What holds of all diagnoses: when they keep silent, what they are called, what they advise.

use super::*;

#[test]
fn nothing_is_said_of_a_run_that_was_hardly_observed_or_has_hardly_begun() {
    let mut trace = turns(4, 20);
    let whole = trace.elapsed();
    assert!(!on_cores(&trace, 4).is_empty());
    trace = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .running(ms(5))
        .state(State::Unknown, whole)
        .lane("thread 2")
        .waiting(ms(5))
        .state(State::Unknown, whole)
        .build();
    assert_eq!(ids(&trace), [""; 0]);
    assert_eq!(
        ids(&TraceBuilder::new().lock("GIL").lane("a").running(ms(4)).lane("b").waiting(ms(4)).build()),
        [""; 0]
    );
}

#[test]
fn every_diagnosis_has_its_own_name_and_every_advice_says_that_it_is_one() {
    let mut names: Vec<&str> = ALL.iter().map(|insight| insight.id).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    for finding in on_cores(&turns(4, 20), 4).into_iter().chain(on_cores(&beside_a_computing_one(5, 20), 4)) {
        assert!(finding.advice.is_none_or(|advice| advice.starts_with("Try: ")));
        assert!(!finding.sentence.contains("caused"));
    }
}

#[test]
fn what_to_try_is_a_command_where_the_run_was_an_experiment_and_fits_the_model() {
    let trace = turns(4, 20);
    let experiment = crate::session::Experiment {
        args: vec![("n".to_owned(), crate::workload::ArgValue::Int(5))],
        ..crate::session::Experiment::new("my work.py", "threads", 4)
    };
    let command = |facts: Facts| find(&facts)[0].command.clone();
    assert_eq!(command(Facts::new(&trace, 4, ms(5))), None);
    let mut facts = Facts::new(&trace, 4, ms(5));
    facts.experiment = Some(&experiment);
    assert_eq!(command(facts).as_deref(), Some("gilscope compare 'my work.py' -m threads,processes -n 4 --arg n=5"));
}

/// What is found in a real program, every thread of which counts.
fn of_program(trace: &Trace) -> Vec<Finding> {
    let mut facts = Facts::new(trace, 4, ms(5));
    facts.is_program = true;
    find(&facts)
}

/// A program's main thread, which waits for the others to end, and two that run and wait in turns of 5 ms; `sleepers` more
/// wait for I/O. Of each turn the two are out of the lock for so long.
fn joined(outside: u64, sleepers: usize) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL").lane("MainThread").running(ms(5));
    builder = builder.state(State::WaitingLock, ms(20 * (10 + outside)));
    for (name, first) in [("Thread-1 (spin)", 5), ("Thread-2 (spin)", 10)] {
        builder = builder.lane(name).state(State::Starting, ms(first));
        for _ in 0..20 {
            builder = builder.running(ms(5)).waiting(ms(5));
            if outside > 0 {
                builder = builder.state(State::Io, ms(outside));
            }
        }
    }
    for sleeper in 0..sleepers {
        builder = builder.lane(&format!("Thread-{} (sleep)", sleeper + 3)).state(State::Io, ms(20 * (10 + outside)));
    }
    builder.build()
}

#[test]
fn a_program_is_lock_bound_however_many_of_its_threads_sleep() {
    for sleepers in [0, 20] {
        let found = of_program(&joined(0, sleepers));
        let finding = found.iter().find(|it| it.id == "lock-bound").unwrap_or_else(|| panic!("{sleepers}: {found:?}"));
        assert!(
            finding.sentence.starts_with("One thread holds the GIL, one waits (48% of all their time awake)."),
            "{finding:?}"
        );
    }
    // A lock that is free for two thirds of the time binds nobody, and neither does one that nobody else wants.
    assert!(of_program(&joined(20, 0)).iter().all(|it| it.id != "lock-bound"));
    let alone = TraceBuilder::new().lock("GIL").lane("MainThread").state(State::WaitingLock, ms(400));
    let alone = alone.lane("Thread-1 (spin)").running(ms(400)).lane("Thread-2 (wait)").state(State::Io, ms(400));
    assert!(of_program(&alone.build()).is_empty());
    // Where those wait that sleep else, all of them are meant.
    let mut builder = TraceBuilder::new().lock("GIL").lane("hog").running(ms(500));
    for sleeper in 0..20 {
        builder = builder.lane(&format!("sleeper-{sleeper}")).state(State::Io, ms(460)).waiting(ms(40));
    }
    let found = of_program(&builder.build());
    assert!(
        found[0].sentence.starts_with("One thread holds the GIL, 1.6 of 20 wait (62% of their time awake)"),
        "{found:?}"
    );
}

#[test]
fn threads_that_wait_for_a_lock_that_is_free_at_times_are_told_of_with_the_one_who_waits_most() {
    let found = of_program(&joined(5, 0));
    assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), ["lock-waits"]);
    assert_eq!(
        found[0].sentence,
        "Threads wait for the GIL for 48% of their time awake, Thread-2 (spin) the most: 32% of its life. \
         Thread-2 (spin) held it for 50% of what they waited."
    );
    assert!(of_program(&joined(20, 0)).is_empty(), "it is a matter of moments");
    // They wait for cores as well, and less.
    let mut builder = TraceBuilder::new().lock("GIL");
    for thread in 0..3 {
        builder = builder.lane(&format!("thread {thread}"));
        for _ in 0..20 {
            builder = builder.state(State::Io, ms(4)).state(State::WaitingCore, ms(4)).waiting(ms(8)).running(ms(4));
        }
    }
    let found = of_program(&builder.build());
    assert_eq!(found[0].id, "lock-waits", "{found:?}");
    assert!(
        found[0].sentence.contains("wanted a core (!)") && found.iter().all(|it| it.id != "cores-taken"),
        "{found:?}"
    );
}

#[test]
fn what_a_program_lacks_is_told_of_the_time_in_which_it_was_awake() {
    let asleep = |mut builder: TraceBuilder| {
        for sleeper in 0..20 {
            builder = builder.lane(&format!("sleeper-{sleeper}")).state(State::Io, ms(400));
        }
        builder.build()
    };
    let threads = |count: usize, states: &[(State, u64)]| {
        let mut builder = TraceBuilder::new().lock("GIL");
        for thread in 0..count {
            builder = builder.lane(&format!("thread {thread}"));
            for (state, millis) in states {
                builder = builder.state(*state, ms(*millis));
            }
        }
        asleep(builder)
    };
    let ids = |trace: &Trace| of_program(trace).into_iter().map(|it| it.id).collect::<Vec<_>>();
    assert!(ids(&threads(2, &[(State::Native, 400)])).contains(&"native-outside-lock"));
    assert!(!ids(&threads(2, &[(State::Native, 40), (State::Io, 360)])).contains(&"native-outside-lock"));
    assert!(ids(&threads(2, &[(State::Native, 200), (State::WaitingCore, 200)])).contains(&"cores-taken"));
    assert!(ids(&threads(8, &[(State::Native, 200), (State::WaitingCore, 200)])).contains(&"oversubscribed"));
    assert!(!ids(&threads(2, &[(State::Native, 400)])).contains(&"oversubscribed"));
}

#[test]
fn of_a_real_program_only_what_is_about_its_lock_and_the_cores_is_told() {
    let of_program =
        |trace: &Trace| -> Vec<&'static str> { of_program(trace).into_iter().map(|finding| finding.id).collect() };
    assert_eq!(of_program(&turns(4, 20)), ids(&turns(4, 20)));
    assert!(of_program(&turns(4, 20)).contains(&"lock-bound"));
    assert!(of_program(&beside_a_computing_one(5, 20)).contains(&"convoy"));
    // Threads that wait for connections overlap with nothing, and whoever has no task may have none by intent.
    for trace in [workers(4, false, &[(State::Io, 100)]), workers(4, false, &[(State::Running, 5), (State::Idle, 95)])]
    {
        assert!(!ids(&trace).is_empty());
        assert_eq!(of_program(&trace), [""; 0]);
    }
}
