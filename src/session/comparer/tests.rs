use super::super::testing::{World, workload};
use super::*;

fn contest(models: &[&str], repeats: u32) -> Contest {
    Contest {
        experiment: Experiment::new("sum", "threads", 2),
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        repeats,
        lasts: None,
        interpreters: Vec::new(),
        at_most: None,
    }
}

const SECOND: Nanos = Nanos::from_secs(1);

/// Starts, and polls once a second until all is over.
fn play(comparer: &mut Comparer<World>, contest: &Contest) -> Vec<ComparisonNotice> {
    let mut notices = comparer.start(workload(), contest, Nanos::ZERO);
    let mut now = Nanos::ZERO;
    for _ in 0..100 {
        if comparer.comparison().unwrap().is_over() {
            return notices;
        }
        now += SECOND;
        notices.extend(comparer.poll(now));
    }
    panic!("the comparison does not end: {notices:?}");
}

fn launched(world: &World) -> Vec<String> {
    world.launched.borrow().iter().map(|experiment| experiment.model.clone()).collect()
}

#[test]
fn each_round_runs_every_model_once_and_the_baseline_first() {
    let world = World::default();
    let mut comparer = Comparer::new(world.clone());
    let notices = play(&mut comparer, &contest(&["threads", "processes:spawn", "sequential", "threads"], 2));
    let round = ["sequential", "threads", "processes"];
    assert_eq!(launched(&world), [round, round].concat());
    let comparison = comparer.comparison().unwrap();
    assert_eq!((comparison.done, comparison.total, comparison.progress.clone()), (6, 6, Progress::Done));
    assert!(comparison.rows.iter().all(|row| row.whole().count() == 2));
    assert_eq!(notices.last(), Some(&ComparisonNotice::Finished));
    let work = |experiment: &Experiment| (experiment.task_count(), experiment.args.clone());
    let all: Vec<_> = world.launched.borrow().iter().map(work).collect();
    assert!(all.iter().all(|work| *work == all[0]), "all do the same work");
}

#[test]
fn what_is_kept_of_a_run_is_what_was_recorded() {
    let mut comparer = Comparer::new(World::default());
    play(&mut comparer, &contest(&["processes"], 1));
    let run = &comparer.comparison().unwrap().rows[1].runs[0];
    assert_eq!(run.elapsed, Nanos::from_millis(41));
    assert_eq!((run.workers, run.first_work), (2, Some(Nanos::from_millis(1))));
    assert_eq!(run.startup, Nanos(500_000), "the mean over both workers");
    assert_eq!(run.ledger.0.iter().copied().sum::<Nanos>(), Nanos::from_millis(82));
    let area: f64 = run.profile.busy.iter().map(|busy| f64::from(*busy) * run.profile.cell.0 as f64).sum();
    assert!((area / 41e6 - 1.0).abs() < 0.02, "{area}");
    assert!(run.profile.starting[0] > 0.9 && run.profile.starting[100] < 0.1);
}

#[test]
fn without_the_baseline_only_what_was_named_runs() {
    let world = World::default();
    play(&mut Comparer::without_baseline(world.clone()), &contest(&["threads"], 1));
    assert_eq!(launched(&world), ["threads"]);
}

#[test]
fn a_model_that_cannot_run_is_refused_with_its_reason_and_the_others_go_on() {
    let world = World { refused: Some("threads"), ..World::default() };
    let mut comparer = Comparer::new(world.clone());
    let notices = play(&mut comparer, &contest(&["threads", "processes"], 2));
    assert!(notices.contains(&ComparisonNotice::Refused { row: 1 }));
    let comparison = comparer.comparison().unwrap();
    assert_eq!(comparison.rows[1].refusal.as_deref(), Some("it makes no sense"));
    assert_eq!((comparison.done, comparison.total), (4, 4));
    assert_eq!(launched(&world), ["sequential", "processes", "sequential", "processes"]);

    let mut many = contest(&["processes"], 1);
    many.experiment.workers = 300;
    many.experiment.tasks = Some(2);
    let mut comparer = Comparer::new(World::default());
    play(&mut comparer, &many);
    let refusal = comparer.comparison().unwrap().rows[1].refusal.clone().unwrap();
    assert!(refusal.contains("at most 256"), "{refusal}");
}

#[test]
fn nothing_that_can_run_ends_at_once() {
    let mut comparer = Comparer::without_baseline(World { refused: Some("threads"), ..World::default() });
    play(&mut comparer, &contest(&["threads"], 5));
    let comparison = comparer.comparison().unwrap();
    assert_eq!((comparison.done, comparison.total, comparison.progress.clone()), (0, 0, Progress::Done));
}

#[test]
fn cancelling_keeps_what_is_done() {
    let mut comparer = Comparer::new(World::default());
    comparer.start(workload(), &contest(&["threads"], 3), Nanos::ZERO);
    for second in 1..=3 {
        comparer.poll(Nanos::from_secs(second));
    }
    assert!(comparer.run().is_some());
    assert_eq!(comparer.cancel(), [ComparisonNotice::Finished]);
    let comparison = comparer.comparison().unwrap();
    assert_eq!(comparison.progress, Progress::Cancelled);
    assert_eq!((comparison.done, comparison.rows[0].runs.len(), comparison.rows[1].runs.len()), (3, 2, 1));
    assert!(comparison.speedup(&comparison.rows[1]).is_some());
    assert!(comparer.run().is_none() && comparer.poll(SECOND).is_empty() && comparer.cancel().is_empty());
}

#[test]
fn a_failing_model_does_not_stop_the_others() {
    let mut comparer = Comparer::new(World { failing: Some("threads"), ..World::default() });
    play(&mut comparer, &contest(&["threads", "processes"], 2));
    let comparison = comparer.comparison().unwrap();
    assert_eq!(comparison.rows[1].failure(), Some("task 0: ValueError (line 1)"));
    assert_eq!((comparison.rows[1].elapsed(), comparison.rows[2].whole().count()), (None, 2));
    assert!(comparison.has_failures());
}

#[test]
fn progress_is_exact_to_a_run_and_the_time_left_follows_from_what_runs_took() {
    let mut comparer = Comparer::new(World::default());
    comparer.start(workload(), &contest(&["threads"], 3), Nanos::ZERO);
    assert_eq!(comparer.comparison().unwrap().time_left, None, "nothing is known yet");
    let mut left = Vec::new();
    for second in 1..=6 {
        let comparison = comparer.comparison().unwrap();
        assert_eq!((comparison.done as u64, comparison.total), (second - 1, 6));
        comparer.poll(Nanos::from_secs(second));
        left.push(comparer.comparison().unwrap().time_left);
    }
    let seconds = |count| Some(Nanos::from_secs(count));
    assert_eq!(left, [seconds(5), seconds(4), seconds(3), seconds(2), seconds(1), None]);
}

#[test]
fn work_can_be_sized_so_that_the_baseline_lasts_as_long_as_was_asked_for() {
    let world = World::default();
    let mut comparer = Comparer::new(world.clone());
    let notices = play(&mut comparer, &Contest { lasts: Some(Nanos::from_secs(3)), ..contest(&["threads"], 1) });
    assert_eq!(notices[0], ComparisonNotice::Sizing);
    let comparison = comparer.comparison().unwrap();
    assert_eq!((comparison.done, comparison.total), (2, 2), "pilots are no runs");
    let length = comparison.rows[0].elapsed().unwrap().median.as_secs_f64();
    assert!((length - 3.0).abs() < 0.2, "{length}");
    let last: Vec<_> = world.launched.borrow().iter().rev().take(2).map(|found| found.args.clone()).collect();
    assert_eq!(last[0], last[1], "all do the same work");
}

#[test]
fn each_interpreter_is_its_own_measure_and_has_a_size_of_its_own() {
    let world = World::default();
    let mut comparer = Comparer::new(world.clone());
    let real = Interpreter::CPython(Arc::new(crate::engine::driven::Python {
        name: "3.13.0".to_owned(),
        path: "/usr/bin/python3".into(),
        version: "3.13.0".to_owned(),
        free_threaded: false,
        gil_enabled: true,
        subinterpreters: false,
    }));
    let interpreters = vec![Interpreter::Miniature, real.clone()];
    let lasts = Some(Nanos::from_secs(3));
    play(&mut comparer, &Contest { lasts, interpreters, ..contest(&["threads", "free-threads"], 2) });
    let comparison = comparer.comparison().unwrap();
    let labels: Vec<_> = comparison.rows.iter().map(|row| row.label.as_str()).collect();
    let expected = ["one at a time", "2 threads", "2 no GIL"];
    let expected: Vec<_> =
        expected.iter().flat_map(|label| [format!("{label} · miniature"), format!("{label} · 3.13.0")]).collect();
    assert_eq!(labels, expected);
    assert!(comparison.rows[5].refusal.as_ref().is_some_and(|why| why.contains("free-threaded build")));
    for row in &comparison.rows[..2] {
        let length = row.elapsed().unwrap().median.as_secs_f64();
        assert!((length - 3.0).abs() < 0.2, "{length}");
        assert_eq!(comparison.speedup(row), Some(1.0));
    }
    let sizes: Vec<_> = comparison.rows.iter().map(|row| row.size.clone()).collect();
    assert!(sizes[0] == sizes[2] && sizes[1] == sizes[3] && sizes[0] != sizes[1], "{sizes:?}");
    let rounds: Vec<_> =
        world.launched.borrow().iter().rev().take(5).rev().map(|run| run.interpreter.engine()).collect();
    assert_eq!(rounds, ["emulated", "cpython", "emulated", "cpython", "emulated"], "interleaved");
}

#[test]
fn without_a_baseline_that_makes_sense_the_size_is_found_under_another_model() {
    let world = World::default();
    let mut comparer = Comparer::new(world.clone());
    let workload = Workload { plain: false, coroutine: Some("work"), ..Workload::clone(&workload()) };
    let contest = Contest { lasts: Some(Nanos::from_secs(3)), ..contest(&["coroutines"], 1) };
    comparer.start(Arc::new(workload), &contest, Nanos::ZERO);
    for second in 1..=20 {
        comparer.poll(Nanos::from_secs(second));
    }
    let comparison = comparer.comparison().unwrap();
    assert_eq!(comparison.progress, Progress::Done);
    assert!(comparison.rows[0].refusal.is_some());
    let launched = launched(&world);
    assert!(launched.len() > 1 && launched.iter().all(|model| model == "coroutines"), "{launched:?}");
}

/// Each poll, once a second, ends one task of the baseline.
fn slow(tasks: u32, at_most: Option<Nanos>) -> (Comparer<World>, Contest) {
    let mut contest = Contest { at_most, ..contest(&["threads"], 1) };
    contest.experiment.tasks = Some(tasks);
    (Comparer::new(World { slow: Some("sequential"), ..World::default() }), contest)
}

#[test]
fn a_baseline_that_takes_longer_than_is_allowed_is_given_up_as_soon_as_that_is_known() {
    let (mut comparer, contest) = slow(50, Some(Nanos::from_secs(30)));
    play(&mut comparer, &contest);
    let comparison = comparer.comparison().unwrap();
    assert_eq!((comparison.progress.clone(), comparison.done), (Progress::TooLong, 0));
    let expected = comparison.expected.unwrap();
    assert!(expected.span > Nanos::from_secs(30) && comparer.run().is_none(), "{expected:?}");
}

#[test]
fn a_long_baseline_that_was_allowed_goes_on_and_its_length_is_known_before_its_end() {
    for at_most in [None, Some(Nanos::from_secs(120))] {
        let (mut comparer, contest) = slow(50, at_most);
        comparer.start(workload(), &contest, Nanos::ZERO);
        (1..=3).for_each(|second| drop(comparer.poll(Nanos::from_secs(second))));
        let comparison = comparer.comparison().unwrap();
        let (expected, left) = (comparison.expected.unwrap().span, comparison.time_left.unwrap());
        assert!((30..=60).contains(&(expected.0 / SECOND.0)), "{expected}");
        assert!(left > expected - Nanos::from_secs(5), "{left} of {expected} and the threads");
        (4..=60).for_each(|second| drop(comparer.poll(Nanos::from_secs(second))));
        assert_eq!(comparer.comparison().unwrap().progress, Progress::Done);
    }
}

#[test]
fn what_was_asked_to_last_long_may_do_so() {
    let (_, contest) = slow(50, None);
    let asked = Contest { lasts: Some(Nanos::from_secs(40)), ..contest };
    assert!(asked.room(Nanos::from_secs(10)) > Nanos::from_secs(50));
    assert_eq!(asked.room(Nanos::from_secs(600)), Nanos::from_secs(600));
}
