//! What keys and news do, one sentence each.

use super::*;
use crate::event::{CoreId, LaneId, Nanos, State as LaneState};
use crate::session::{Comparison, Progress};
use crate::session::{Experiment, Length};
use crate::trace::Trace;
use crate::trace::testing::{BEGIN, TraceBuilder};
use crate::vm::Rules;
use crate::workload::Bound;

const MS: Nanos = Nanos::from_millis(1);

fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

fn lab() -> State {
    let experiment = Experiment::new("sum-squares", "threads", 2);
    let workload = |id: &str| WorkloadChoice {
        id: id.to_owned(),
        title: id.to_owned(),
        bound: Bound::Cpu,
        watch: "Watch this.".to_owned(),
        objections: Vec::new(),
    };
    let mut state = State::new(experiment, vec![workload("sum-squares"), workload("sleep")], ModelChoice::built_in());
    state.machine = Machine { cores: vec![CoreId(0), CoreId(1)], used: vec![None, None], own: None };
    hear(&mut state, None, News::Resized(120, 36));
    state
}

/// Two threads that take turns of ten milliseconds, so many each.
fn turns(each: usize, live: bool) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL").lane("thread 1");
    for _ in 0..each {
        builder = builder.running(ms(10)).waiting(ms(10));
    }
    builder = builder.lane("thread 2").line(8);
    for _ in 0..each {
        builder = builder.waiting(ms(10)).running(ms(10));
    }
    if live { builder.live().build() } else { builder.build() }
}

fn running(log: &Trace) -> State {
    let mut state = lab();
    update(&mut state, None, Action::RunOrStop);
    hear(&mut state, Some(log), News::Began);
    hear(&mut state, Some(log), News::Tick(log.now()));
    state
}

fn done(log: &Trace) -> State {
    let mut state = running(log);
    hear(&mut state, Some(log), News::Ended(Ending::Done));
    hear(&mut state, Some(log), News::BaselineBegan);
    hear(&mut state, Some(log), News::BaselineEnded(Ending::Done, log.elapsed()));
    state
}

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
    let run = |state: &mut State, args| {
        update(state, None, Action::RunOrStop);
        hear(state, None, News::Sized(args));
        hear(state, Some(&log), News::Began);
        hear(state, Some(&log), News::Ended(Ending::Done))
    };
    assert_eq!(run(&mut state, given.clone()), []);
    assert_eq!(state.phase.word(), "DONE");
    assert!(state.message.as_ref().is_some_and(|text| text.contains("about 100 s")), "{:?}", state.message);
    // Work that was sized to last as long as was asked for does.
    let sized = vec![given[0].clone(), ("n".to_owned(), ArgValue::Int(3))];
    assert!(matches!(run(&mut state, sized)[..], [Effect::RunBaseline(_)]));
    assert!(words::sentence(&state).contains("up to about 3 s. Enter stops it"), "{}", words::sentence(&state));
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
fn a_live_picture_stands_for_a_second_and_starts_where_the_first_lane_takes_the_lock() {
    let log = turns(100, true);
    let mut state = running(&log);
    let first = state.view.axis;
    assert!(state.view.fired);
    let owner = log.owner_at(crate::event::LockId(0), first.from);
    assert_eq!(owner, Some((LaneId(0), first.from)));
    let before = state.revision;
    hear(&mut state, Some(&log), News::Tick(log.now() + ms(100)));
    assert_eq!((state.view.axis, state.revision), (first, before), "nothing need be drawn");
    hear(&mut state, Some(&log), News::Tick(log.now() + ms(900)));
    assert_eq!(state.view.axis, first);
    assert_ne!(state.revision, before, "figures change four times a second");
}

#[test]
fn space_freezes_the_picture_and_never_the_run() {
    let log = turns(20, true);
    let mut state = running(&log);
    assert_eq!(update(&mut state, Some(&log), Action::Freeze), []);
    assert_eq!(state.view.frozen, Some(ms(400)));
    assert_eq!(state.phase.word(), "RUNNING");
    let frozen = state.view.axis;
    hear(&mut state, Some(&log), News::Tick(log.now() + ms(5000)));
    assert_eq!(state.view.axis, frozen);
    hear(&mut state, Some(&log), News::Ended(Ending::Stopped));
    assert_eq!(state.view.axis, frozen, "the end of the run does not move a frozen picture");
    update(&mut state, Some(&log), Action::Freeze);
    assert_eq!((state.view.frozen, state.view.cursor), (None, None));
}

#[test]
fn steps_go_from_hand_off_to_hand_off_and_pick_the_lane_that_took_over() {
    let log = turns(20, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::ToBegin);
    for (at, lane) in [(10, 1), (20, 0), (30, 1)] {
        update(&mut state, Some(&log), Action::NextHandoff);
        assert_eq!((state.view.cursor, state.view.picked), (Some(BEGIN + ms(at)), Some(LaneId(lane))));
        let (sentence, other) = (cursor::sentence(&state, &log).unwrap(), log.lane(LaneId(1 - lane)).name.clone());
        assert!(sentence.contains(&format!("took the lock over from {other}")), "{sentence}");
    }
    state.view.cursor = state.view.cursor.map(|at| at + ms(5));
    assert!(!cursor::sentence(&state, &log).unwrap().contains("took the lock"), "that was before");
    state.view.cursor = state.view.cursor.map(|at| at - ms(5));
    update(&mut state, Some(&log), Action::PreviousHandoff);
    assert_eq!(state.view.cursor, Some(BEGIN + ms(20)));
    update(&mut state, Some(&log), Action::ToEnd);
    update(&mut state, Some(&log), Action::NextHandoff);
    assert_eq!(state.message.as_deref(), Some("There is no later hand-off of this lock."));
}

#[test]
fn the_cursor_says_state_since_when_and_who_held_the_lock_meanwhile() {
    let log = turns(20, false);
    let mut state = done(&log);
    state.view.axis = Axis { from: BEGIN, cell: MS, cells: 80 };
    state.view.cursor = Some(BEGIN + ms(14));
    let said = cursor::sentence(&state, &log).unwrap();
    assert_eq!(
        said,
        "0.014 s  thread 1 waits for the GIL, 10.0 ms; held here by thread 2 at line 8: 10.0 ms of it, 200 ms in all while \
         thread 1 waited"
    );
    update(&mut state, Some(&log), Action::NextLane);
    assert!(cursor::sentence(&state, &log).unwrap().starts_with("0.014 s  thread 2 runs since 0.010 s, for 10.0 ms"));
}

#[test]
fn zooming_reaches_from_a_microsecond_to_a_minute_and_keeps_the_cursor() {
    let log = turns(20, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::CursorRight);
    let cursor = state.view.cursor.unwrap();
    for _ in 0..40 {
        update(&mut state, Some(&log), Action::ZoomIn);
        assert!(state.view.axis.cell_of(cursor).is_some());
    }
    assert_eq!(state.view.axis.cell, Nanos::from_micros(1));
    for _ in 0..40 {
        update(&mut state, Some(&log), Action::ZoomOut);
        assert!(state.view.axis.cell_of(cursor).is_some());
    }
    assert_eq!(state.view.axis.cell, Nanos::from_secs(60));
    update(&mut state, Some(&log), Action::WholeRun);
    assert!(state.view.is_whole(&log));
}

#[test]
fn the_sentence_says_what_is_seen_and_the_next_key() {
    let log = turns(40, false);
    let state = done(&log);
    assert_eq!(
        words::sentence(&state),
        "One thread holds the lock, one waits (50% of all their time). The work fills one core at most. m: the same work, \
         2 processes."
    );
    let log = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .state(LaneState::Io, ms(900))
        .lane("thread 2")
        .state(LaneState::Io, ms(900))
        .build();
    assert!(words::sentence(&done(&log)).contains("2.0 of 2 waits go on at once"));
    let log = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .state(LaneState::Native, ms(900))
        .lane("thread 2")
        .state(LaneState::Native, ms(900))
        .build();
    assert!(words::sentence(&done(&log)).contains("C code lets the lock go"));
}

#[test]
fn escape_closes_what_is_open_before_it_lets_the_picture_go_on() {
    let log = turns(20, true);
    let mut state = running(&log);
    update(&mut state, Some(&log), Action::Big);
    update(&mut state, Some(&log), Action::Freeze);
    update(&mut state, Some(&log), Action::Settings);
    update(&mut state, Some(&log), Action::Close);
    assert!(state.settings.is_none() && state.view.frozen.is_some());
    update(&mut state, Some(&log), Action::Close);
    assert!(state.view.frozen.is_none() && state.view.big);
    update(&mut state, Some(&log), Action::Close);
    assert!(!state.view.big);
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
fn the_key_that_goes_on_says_what_it_went_on_to() {
    let log = turns(100, true);
    let mut state = running(&log);
    update(&mut state, Some(&log), Action::NextLane);
    let said = words::sentence(&state);
    assert!(said.starts_with("thread 1 is picked: pictures start where it takes its lock."), "{said}");
    update(&mut state, Some(&log), Action::NextLane);
    assert!(words::sentence(&state).starts_with("thread 2 is picked"), "{}", words::sentence(&state));
    let log = turns(3, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::NextLane);
    let said = words::sentence(&state);
    assert!(said.starts_with("thread 1 is picked. ") && said.contains("next hand-off"), "{said}");
    update(&mut state, Some(&log), Action::Settings);
    let first = words::sentence(&state);
    update(&mut state, Some(&log), Action::NextLane);
    assert!(first.starts_with("rules: ") && words::sentence(&state).starts_with("tasks: "), "{first}");
    update(&mut state, Some(&log), Action::Close);
    assert!(state.settings.is_none() && state.message.is_none());
}

#[test]
fn looking_before_there_is_anything_to_see_says_so() {
    let mut state = lab();
    for action in [Action::Freeze, Action::NextHandoff, Action::ZoomIn, Action::WholeRun, Action::CursorLeft] {
        update(&mut state, None, action);
        assert_eq!(state.message.as_deref(), Some("There is nothing to look at yet."));
    }
}

#[test]
fn without_news_nothing_is_drawn_anew() {
    let mut state = lab();
    let before = state.revision;
    for second in 0..20 {
        hear(&mut state, None, News::Tick(Nanos::from_secs(second)));
    }
    let machine = state.machine.clone();
    hear(&mut state, None, News::Machine(machine));
    assert_eq!(state.revision, before);
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
    assert!(words::sentence(&state).contains("killed by SIGKILL"), "{}", words::sentence(&state));
}

#[test]
fn arguments_asked_for_by_name_stay_and_those_found_by_sizing_go() {
    use crate::workload::ArgValue;
    let given = vec![("step".to_owned(), ArgValue::Int(2))];
    let mut state = State::new(Experiment { args: given.clone(), ..lab().experiment }, Vec::new(), Vec::new());
    let mut sized = given.clone();
    sized.push(("n".to_owned(), ArgValue::Int(9)));
    hear(&mut state, None, News::Sized(sized.clone()));
    assert_eq!(state.experiment.args, sized);
    update(&mut state, None, Action::MoreWorkers);
    assert_eq!(state.experiment.args, given);
}

#[test]
fn enter_on_the_compare_screen_compares_every_model_and_then_cancels() {
    let mut state = lab();
    update(&mut state, None, Action::ShowCompare);
    let effects = update(&mut state, None, Action::RunOrStop);
    let [Effect::Compare(contest)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(contest.models, state.models.iter().map(|model| model.id.clone()).collect::<Vec<_>>());
    assert_eq!(contest.lasts, Some(Nanos::from_secs(3)));
    let comparison = under_way(&state);
    hear(&mut state, None, News::Compared(Box::new(comparison.clone())));
    assert_eq!(state.compare.word(), "SIZING");
    // What is being compared stays what it is.
    update(&mut state, None, Action::NextWorkload);
    assert_eq!(state.experiment.workload, "sum-squares");
    assert!(state.message.as_deref().is_some_and(|message| message.starts_with("Enter cancels")));
    // And nothing else runs meanwhile.
    update(&mut state, None, Action::ShowLab);
    assert_eq!(update(&mut state, None, Action::RunOrStop), []);
    update(&mut state, None, Action::ShowCompare);
    assert_eq!(update(&mut state, None, Action::RunOrStop), [Effect::CancelComparison]);
    let cancelled = Comparison { progress: Progress::Cancelled, ..comparison };
    hear(&mut state, None, News::Compared(Box::new(cancelled)));
    assert_eq!(state.compare.word(), "CANCELLED");
    update(&mut state, None, Action::NextWorkload);
    assert_eq!((state.compare.word(), state.experiment.workload.as_str()), ("READY", "sleep"));
}

#[test]
fn a_comparison_ends_the_run_of_the_lab_first() {
    let log = turns(3, true);
    let mut state = running(&log);
    update(&mut state, Some(&log), Action::ShowCompare);
    let effects = update(&mut state, Some(&log), Action::RunOrStop);
    assert!(matches!(effects.as_slice(), [Effect::Stop, Effect::Compare(_)]), "{effects:?}");
}

#[test]
fn ledger_and_costs_are_opened_and_closed_by_their_keys() {
    let mut state = lab();
    update(&mut state, None, Action::ShowCompare);
    for (action, side) in
        [(Action::Ledger, Side::Ledger), (Action::Costs, Side::Costs), (Action::Costs, Side::Profiles)]
    {
        update(&mut state, None, action);
        assert_eq!(state.compare.side, side);
    }
}

fn under_way(state: &State) -> Comparison {
    Comparison {
        title: "sum of squares".to_owned(),
        experiment: state.experiment.baseline(),
        cores: 2,
        repeats: 5,
        rows: Vec::new(),
        absent: Vec::new(),
        progress: Progress::Sizing,
        done: 0,
        total: 15,
        time_left: None,
    }
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
