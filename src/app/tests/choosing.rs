//! What is chosen, and what that leaves of what was there.

use super::*;

#[test]
fn the_models_key_only_chooses_before_the_first_run_and_runs_after_it() {
    let mut state = lab();
    assert_eq!(update(&mut state, None, Action::NextModel), []);
    assert_eq!((state.experiment.model.as_str(), state.phase.word()), ("processes", "READY"));
    update(&mut state, None, Action::PreviousModel);
    let log = turns(3, false);
    let mut state = done(&log);
    let effects = update(&mut state, Some(&log), Action::NextModel);
    assert!(matches!(&effects[..], [Effect::Run(experiment, _)] if experiment.model == "processes"));
}

#[test]
fn bars_stay_from_model_to_model_and_go_with_workload_length_tasks_and_interval() {
    let log = turns(3, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::NextModel);
    assert_eq!(state.bars.len(), 2);
    for action in [Action::NextWorkload, Action::NextLength, Action::MoreWorkers, Action::LongerInterval] {
        let mut state = done(&log);
        update(&mut state, Some(&log), action);
        assert_eq!((state.bars.len(), state.phase.word()), (0, "READY"), "{action:?}");
    }
    let mut state = lab();
    state.experiment.tasks = Some(4);
    update(&mut state, None, Action::RunOrStop);
    hear(&mut state, Some(&log), News::Began);
    hear(&mut state, Some(&log), News::Ended(Ending::Stopped));
    update(&mut state, Some(&log), Action::MoreWorkers);
    assert_eq!(state.bars.len(), 1, "with the tasks settled, another number of workers does the same work");
}

#[test]
fn the_interval_changes_what_runs() {
    let log = turns(30, true);
    let mut state = running(&log);
    assert_eq!(update(&mut state, Some(&log), Action::LongerInterval), [Effect::SetInterval(ms(10))]);
    assert_eq!((state.phase.word(), state.experiment.switch_interval), ("RUNNING", ms(10)));
    hear(&mut state, Some(&log), News::Tick(log.now()));
    assert_eq!(state.view.axis.cell, ms(2), "a turn has five cells at every interval");
    for _ in 0..9 {
        update(&mut state, Some(&log), Action::ShorterInterval);
    }
    assert_eq!(state.experiment.switch_interval, Nanos::from_micros(100));
    assert!(state.message.is_some());
}

#[test]
fn settings_change_rules_and_tasks() {
    let mut state = lab();
    update(&mut state, None, Action::Settings);
    update(&mut state, None, Action::CursorRight);
    assert_eq!(state.experiment.rules, Rules::V3_9);
    update(&mut state, None, Action::ScrollDown);
    update(&mut state, None, Action::CursorRight);
    assert_eq!(state.experiment.tasks, Some(1));
    update(&mut state, None, Action::CursorLeft);
    update(&mut state, None, Action::CursorLeft);
    assert_eq!(state.experiment.tasks, None);
    update(&mut state, None, Action::RunOrStop);
    assert_eq!((state.settings, state.phase.word()), (None, "READY"), "Enter closes the settings and runs nothing");
}

#[test]
fn another_model_chosen_while_a_first_run_starts_is_the_one_that_starts() {
    let mut state = lab();
    update(&mut state, None, Action::RunOrStop);
    hear(&mut state, None, News::Sizing);
    let effects = update(&mut state, None, Action::NextModel);
    assert!(matches!(&effects[..], [Effect::Run(experiment, _)] if experiment.model == "processes"));
    assert_eq!(update(&mut state, None, Action::RunOrStop), [Effect::Stop]);
    hear(&mut state, None, News::Ended(Ending::Stopped));
    assert_eq!(state.phase.word(), "READY");
}

#[test]
fn arguments_asked_for_by_name_stay_and_those_found_by_sizing_go() {
    use crate::workload::ArgValue;
    let given = vec![("step".to_owned(), ArgValue::Int(2))];
    let mut state = State::new(Experiment { args: given.clone(), ..lab().experiment }, Vec::new(), Vec::new());
    let mut sized = given.clone();
    sized.push(("n".to_owned(), ArgValue::Int(9)));
    hear(&mut state, None, News::Sized(sized.clone(), None));
    assert_eq!(state.experiment.args, sized);
    update(&mut state, None, Action::MoreWorkers);
    assert_eq!(state.experiment.args, given);
}

#[test]
fn a_model_that_makes_no_sense_is_passed_over_and_why_is_said() {
    let mut state = lab();
    state.workloads[0].objections = vec![("processes".to_owned(), "it is made so".to_owned())];
    update(&mut state, None, Action::NextModel);
    assert_eq!(state.experiment.model, "processes:fork");
    assert_eq!(state.message.as_deref(), Some("`processes` is left out: it is made so."));
    update(&mut state, None, Action::PreviousModel);
    assert_eq!(state.experiment.model, "threads");
    let all = state.models.iter().map(|model| (model.id.clone(), "none does".to_owned())).collect();
    state.workloads[0].objections = all;
    update(&mut state, None, Action::NextModel);
    assert!(state.message.is_some(), "it comes to an end though none is left");
}

#[test]
fn start_up_is_paid_or_left_out_by_a_setting() {
    let calibration = std::sync::Arc::new(crate::calibration::Calibration::built_in());
    let priced = Experiment { start_up: Some(calibration), ..lab().experiment };
    let mut state = State::new(priced.clone(), lab().workloads, ModelChoice::built_in());
    let toggle = |state: &mut State| {
        state.settings = Some(2);
        update(state, None, Action::CursorRight);
    };
    toggle(&mut state);
    assert_eq!(state.experiment.start_up, None);
    toggle(&mut state);
    assert_eq!(state.experiment.start_up, priced.start_up);
    let mut bare = lab();
    toggle(&mut bare);
    assert_eq!(bare.experiment.start_up, None);
    assert!(bare.message.is_some_and(|message| message.contains("--bare")));
}

#[test]
fn what_cannot_be_run_is_not_offered() {
    let mut state = lab();
    state.workloads[0].watch = String::new();
    assert_eq!(words::sentence(&state), "Enter runs it.");
    state.workloads[0].objections = vec![("threads".to_owned(), "it is made so".to_owned())];
    assert_eq!(words::sentence(&state), "it is made so. m chooses another model.");
    assert_eq!(update(&mut state, None, Action::RunOrStop), []);
    assert_eq!(state.phase.word(), "READY");
}
