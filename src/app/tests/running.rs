//! Runs, their ends, and what they are measured against.

use super::*;

#[test]
fn enter_runs_what_is_chosen_and_then_stops_it() {
    let mut state = lab();
    let effects = update(&mut state, None, Action::RunOrStop);
    assert_eq!(effects, [Effect::Run(state.experiment.clone(), Length::ThreeSeconds)]);
    assert_eq!(state.phase.word(), "STARTING");
    let log = turns(3, true);
    hear(&mut state, Some(&log), News::Began);
    assert_eq!(state.phase.word(), "RUNNING");
    assert_eq!(update(&mut state, Some(&log), Action::RunOrStop), [Effect::Stop]);
}

#[test]
fn a_run_without_a_baseline_is_done_only_once_that_is_measured() {
    let log = turns(3, false);
    let mut state = running(&log);
    let effects = hear(&mut state, Some(&log), News::Ended(Ending::Done));
    assert!(matches!(&effects[..], [Effect::RunBaseline(experiment)] if experiment.model == "sequential"));
    assert_eq!(state.phase.word(), "BASELINE");
    hear(&mut state, Some(&log), News::BaselineBegan);
    hear(&mut state, Some(&log), News::BaselineEnded(Ending::Done, ms(58)));
    assert_eq!((state.phase.word(), state.baseline()), ("DONE", Some(ms(58))));
}

#[test]
fn a_baseline_once_measured_serves_every_model() {
    let log = turns(3, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::NextModel);
    hear(&mut state, Some(&log), News::Began);
    assert_eq!(hear(&mut state, Some(&log), News::Ended(Ending::Done)), []);
    assert_eq!((state.phase.word(), state.bars.len()), ("DONE", 3));
}

#[test]
fn a_baseline_of_more_than_ten_seconds_waits_for_its_key() {
    let log = turns(600, false);
    let mut state = lab();
    state.length = Length::Own;
    update(&mut state, None, Action::RunOrStop);
    hear(&mut state, Some(&log), News::Began);
    assert_eq!(hear(&mut state, Some(&log), News::Ended(Ending::Done)), []);
    assert_eq!(state.phase.word(), "DONE");
    assert!(state.message.as_ref().is_some_and(|text| text.contains("about 12 s")), "{:?}", state.message);
    assert!(matches!(&update(&mut state, Some(&log), Action::Baseline)[..], [Effect::RunBaseline(_)]));
}

#[test]
fn what_many_did_at_once_is_not_done_one_after_another_unasked() {
    use crate::workload::ArgValue;
    // A hundred waits of a second at once; one at a time is to last 3 s, but the seconds were asked for by name.
    let mut builder = TraceBuilder::new().lock("GIL");
    for task in 1..=100 {
        builder = builder.lane(&format!("coroutine {task}")).state(LaneState::Suspended, Nanos::from_secs(1));
    }
    let log = builder.build();
    let given = vec![("seconds".to_owned(), ArgValue::Float(1.0))];
    let experiment = Experiment { args: given.clone(), ..Experiment::new("sleep", "coroutines", 100) };
    let mut state = State::new(experiment, lab().workloads, ModelChoice::built_in());
    let run = |state: &mut State, args, expected| {
        update(state, None, Action::RunOrStop);
        hear(state, None, News::Sized(args, expected));
        hear(state, Some(&log), News::Began);
        hear(state, Some(&log), News::Ended(Ending::Done))
    };
    assert_eq!(run(&mut state, given.clone(), None), []);
    assert_eq!(state.phase.word(), "DONE");
    assert!(state.message.as_ref().is_some_and(|text| text.contains("about 100 s")), "{:?}", state.message);
    // Work that was sized takes what was found out, be it much for many.
    let sized = vec![given[0].clone(), ("n".to_owned(), ArgValue::Int(3))];
    assert!(matches!(run(&mut state, sized.clone(), Some(Nanos::from_secs(4)))[..], [Effect::RunBaseline(_)]));
    assert!(words::sentence(&state).contains(": about 4 s. Enter stops it"), "{}", words::sentence(&state));
    assert_eq!(update(&mut state, Some(&log), Action::RunOrStop), [Effect::Stop]);
    hear(&mut state, Some(&log), News::BaselineEnded(Ending::Stopped, Nanos::ZERO));
    assert_eq!(run(&mut state, sized, Some(Nanos::from_secs(30))), []);
    assert!(state.message.as_ref().is_some_and(|text| text.ends_with("that takes about 30 s.")), "{:?}", state.message);
}

#[test]
fn stopped_and_failed_runs_have_no_baseline_measured() {
    let log = turns(3, false);
    for (ending, word) in [(Ending::Stopped, "STOPPED"), (Ending::Failed("no".to_owned()), "FAILED")] {
        let mut state = running(&log);
        assert_eq!(hear(&mut state, Some(&log), News::Ended(ending)), []);
        assert_eq!((state.phase.word(), state.baseline()), (word, None));
    }
}

#[test]
fn a_run_given_up_for_another_leaves_a_stopped_bar_and_its_late_ending_changes_nothing() {
    let log = turns(20, true);
    let mut state = running(&log);
    let effects = update(&mut state, Some(&log), Action::NextModel);
    assert!(matches!(&effects[..], [Effect::Run(experiment, _)] if experiment.model == "processes"));
    assert_eq!(state.bars[0].state, BarState::Stopped(ms(400)));
    let mut state = running(&log);
    assert_eq!(update(&mut state, Some(&log), Action::NextWorkload)[0], Effect::Stop);
    hear(&mut state, Some(&log), News::Ended(Ending::Stopped));
    assert_eq!((state.phase.word(), state.bars.len()), ("READY", 0));
}

#[test]
fn a_run_that_never_began_fails_under_its_own_name() {
    let log = turns(3, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::NextModel);
    hear(&mut state, None, News::Ended(Ending::Failed("no memory for rings".to_owned())));
    assert_eq!(state.phase.word(), "FAILED");
    assert!(state.bars.iter().any(|bar| bar.model == "processes" && matches!(bar.state, BarState::Failed(_))));
    assert!(state.bars.iter().any(|bar| bar.model == "threads" && matches!(bar.state, BarState::Done(_))));
}

#[test]
fn a_stopped_baseline_is_not_measured_and_the_next_run_measures_it() {
    let log = turns(3, false);
    let mut state = running(&log);
    hear(&mut state, Some(&log), News::Ended(Ending::Done));
    hear(&mut state, Some(&log), News::BaselineBegan);
    assert_eq!(update(&mut state, Some(&log), Action::RunOrStop), [Effect::Stop]);
    hear(&mut state, Some(&log), News::BaselineEnded(Ending::Stopped, Nanos::ZERO));
    assert_eq!((state.phase.word(), state.baseline(), state.bars.len()), ("DONE", None, 1));
    update(&mut state, Some(&log), Action::RunOrStop);
    hear(&mut state, Some(&log), News::Began);
    assert!(matches!(hear(&mut state, Some(&log), News::Ended(Ending::Done))[..], [Effect::RunBaseline(_)]));
}

#[test]
fn a_baseline_that_failed_is_marked_and_nothing_is_measured_against_it() {
    let log = turns(3, false);
    let mut state = running(&log);
    hear(&mut state, Some(&log), News::Ended(Ending::Done));
    hear(&mut state, Some(&log), News::BaselineBegan);
    hear(&mut state, Some(&log), News::BaselineEnded(Ending::Failed("main: killed by SIGKILL".to_owned()), ms(40)));
    let bar = state.bars.iter().find(|bar| bar.model == "sequential").unwrap();
    assert_eq!((bar.state, state.baseline()), (BarState::Failed(ms(40)), None));
    let said = crate::app::Wording::Plain.say(&words::sentence(&state)).into_owned();
    assert!(said.contains("killed by SIGKILL"), "{said}");
}

#[test]
fn what_a_counter_lost_is_said_at_the_end() {
    let log = turns(10, false);
    let mut state = running(&log);
    hear(&mut state, Some(&log), News::Outcome("{'expected': 400, 'actual': 100}".to_owned()));
    hear(&mut state, Some(&log), News::Ended(Ending::Done));
    assert_eq!(state.figures.insights[0].id, "lost-updates");
    hear(&mut state, Some(&log), News::Began);
    assert_eq!(state.outcome, None, "the next run has an outcome of its own");
}

#[test]
fn where_one_at_a_time_makes_no_sense_there_is_no_baseline_and_that_is_said() {
    let log = turns(3, false);
    let mut state = running(&log);
    state.workloads[0].objections = vec![("sequential".to_owned(), "it has only an `async def`".to_owned())];
    let effects = hear(&mut state, Some(&log), News::Ended(Ending::Done));
    assert_eq!((effects, state.phase.word()), (Vec::new(), "DONE"));
    assert_eq!(update(&mut state, Some(&log), Action::Baseline), []);
    assert_eq!(state.message.as_deref(), Some("One at a time is left out: it has only an `async def`."));
}
