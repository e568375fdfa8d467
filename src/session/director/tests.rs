use super::super::testing::{World, workload};
use super::*;

fn experiment(model: &str) -> Experiment {
    Experiment::new("sum", model, 2)
}

/// Polls until nothing is alive; every notice on the way.
fn play(director: &mut Director<World>, mut notices: Vec<Notice>) -> Vec<Notice> {
    for _ in 0..20 {
        notices.extend(director.poll());
        if director.stage() == Stage::Idle {
            return notices;
        }
    }
    panic!("the director does not come to rest: {notices:?}");
}

#[test]
fn a_wish_becomes_pilots_and_then_a_run_that_lasts_as_long_as_was_asked_for() {
    let world = World::default();
    let mut director = Director::new(world.clone());
    let begun = director.start(workload(), experiment("threads"), Length::ThreeSeconds);
    let notices = play(&mut director, begun);
    let models: Vec<(String, u32)> =
        world.launched.borrow().iter().map(|launched| (launched.model.clone(), launched.task_count())).collect();
    let (run, pilots) = models.split_last().unwrap();
    assert_eq!(*run, ("threads".to_owned(), 2));
    assert!(!pilots.is_empty() && pilots.iter().all(|pilot| *pilot == ("sequential".to_owned(), 1)));
    assert!(matches!(notices.as_slice(), [Notice::Sizing, Notice::Began { .. }, Notice::Over]), "{notices:?}");
    let length = director.record().unwrap().trace.elapsed().as_secs_f64();
    assert!((length - 3.0).abs() < 0.1, "one at a time lasts {length} s");
}

#[test]
fn what_was_measured_is_not_measured_again() {
    let world = World::default();
    let mut director = Director::new(world.clone());
    let begun = director.start(workload(), experiment("threads"), Length::ThreeSeconds);
    play(&mut director, begun);
    let baseline = director.record().unwrap().experiment.as_ref().unwrap().baseline();
    let begun = director.measure(&baseline);
    assert_eq!(play(&mut director, begun).first(), Some(&Notice::BaselineBegan));
    assert_eq!(director.record().unwrap().experiment.as_ref().unwrap().model, "threads", "what is shown stays");
    let before = world.launched.borrow().len();
    let begun = director.start(workload(), experiment("processes"), Length::ThreeSeconds);
    assert_eq!(play(&mut director, begun).len(), 2, "began and over, without pilots");
    let baseline = director.record().unwrap().experiment.as_ref().unwrap().baseline();
    assert!(matches!(director.measure(&baseline).as_slice(), [Notice::BaselineOver(Baseline::Measured(_))]));
    assert_eq!(world.launched.borrow().len(), before + 1);
    let other = Experiment { tasks: Some(7), ..baseline };
    assert!(director.baseline(&other).is_none(), "other work has another baseline");
}

#[test]
fn the_sequential_model_is_its_own_baseline() {
    let world = World::default();
    let mut director = Director::new(world.clone());
    let begun = director.start(workload(), experiment("sequential"), Length::Own);
    assert_eq!(play(&mut director, begun).len(), 2);
    assert_eq!(world.launched.borrow().len(), 1);
    assert!(director.baseline(&experiment("threads")).is_some());
}

#[test]
fn a_failed_baseline_measures_nothing() {
    let mut director = Director::new(World { failing: Some("sequential"), ..World::default() });
    let begun = director.measure(&experiment("sequential"));
    // Nothing was asked for yet, so there is nothing to launch.
    assert!(matches!(&begun[..], [Notice::BaselineOver(Baseline::Failed { .. })]), "{begun:?}");
    let begun = director.start(workload(), experiment("threads"), Length::Own);
    play(&mut director, begun);
    let begun = director.measure(&experiment("threads").baseline());
    let notices = play(&mut director, begun);
    let Some(Notice::BaselineOver(Baseline::Failed { why, after })) = notices.last() else { panic!("{notices:?}") };
    assert!(why.contains("ValueError") && *after > Nanos::ZERO, "{why} after {after}");
    assert_eq!(director.baseline(&experiment("threads")), None);
    // One that is stopped is not measured, and has not failed.
    director.measure(&experiment("threads").baseline());
    assert_eq!(director.stop(), [Notice::BaselineOver(Baseline::Stopped)]);
}

#[test]
fn tasks_that_differ_are_sized_by_two_of_them() {
    let world = World::default();
    let source = "def work(n, task):\n    return n\n".to_owned();
    let mut director = Director::new(world.clone());
    let begun = director.start(
        Arc::new(Workload { source, ..Workload::clone(&workload()) }),
        Experiment { tasks: Some(4), ..experiment("threads") },
        Length::ThreeSeconds,
    );
    play(&mut director, begun);
    let lasts = director.record().unwrap().trace.elapsed();
    assert_eq!(world.launched.borrow()[0].task_count(), 2);
    // The fake's four tasks last as long as was asked for, one after another.
    assert!((2.9..3.1).contains(&lasts.as_secs_f64()), "{lasts}");
}

#[test]
fn work_that_is_cut_into_its_tasks_lasts_as_long_as_was_asked_for_however_many_they_are() {
    let source = "def work(n, task, tasks):\n    return n // tasks\n".to_owned();
    for tasks in [1, 4, 64] {
        let world = World::default();
        let mut director = Director::new(world.clone());
        let begun = director.start(
            Arc::new(Workload { source: source.clone(), ..Workload::clone(&workload()) }),
            Experiment { tasks: Some(tasks), ..experiment("sequential") },
            Length::ThreeSeconds,
        );
        play(&mut director, begun);
        let lasts = director.record().unwrap().trace.elapsed();
        // The fake's start counts for more in a pilot than in the run.
        assert!((2.7..3.1).contains(&lasts.as_secs_f64()), "{tasks} tasks: {lasts}");
        assert_eq!(world.launched.borrow()[0].task_count(), 1, "a pilot is one of them");
    }
}

#[test]
fn a_stopped_run_stays_to_be_seen() {
    let mut director = Director::new(World::default());
    director.start(workload(), experiment("threads"), Length::Own);
    assert_eq!(director.stop(), [Notice::Over]);
    assert_eq!(director.stage(), Stage::Idle);
    assert!(director.record().unwrap().is_over());
}

#[test]
fn what_only_an_event_loop_can_call_is_sized_by_one_coroutine() {
    let world = World::default();
    let workload = Workload { plain: false, coroutine: Some("work"), ..Workload::clone(&workload()) };
    let mut director = Director::new(world.clone());
    let first = director.start(Arc::new(workload), experiment("coroutines"), Length::ThreeSeconds);
    assert!(play(&mut director, first).contains(&Notice::Over));
    let launched = world.launched.borrow();
    assert!(launched.iter().all(|it| it.model == "coroutines"));
    assert_eq!((launched[0].workers, launched[0].task_count()), (1, 1));
    assert_eq!(launched.last().unwrap().task_count(), 2);
}
