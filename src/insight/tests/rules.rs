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

#[test]
fn of_a_real_program_only_what_is_about_its_lock_and_the_cores_is_told() {
    let of_program = |trace: &Trace| -> Vec<&'static str> {
        let mut facts = Facts::new(trace, 4, ms(5));
        facts.is_program = true;
        find(&facts).into_iter().map(|finding| finding.id).collect()
    };
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
