use super::*;
use crate::engine::{CoreEvidence, Description, Signal, TaskOutcome};
use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId, State, TaskId};
use crate::model;
use crate::vm::Rules;
use crate::workload::{Argument, Bound};

/// What the fake runs are like.
#[derive(Clone, Default)]
struct World {
    launched: std::rc::Rc<std::cell::RefCell<Vec<Experiment>>>,
    /// Fails every task of this model.
    failing: Option<&'static str>,
}

struct Fake {
    description: Description,
    length: Nanos,
    tasks: u32,
    failing: bool,
    told: bool,
}

impl Launch for World {
    fn launch(&mut self, _: &Workload, experiment: &Experiment) -> Result<Box<dyn Source>, String> {
        self.launched.borrow_mut().push(experiment.clone());
        let plan = model::find(&experiment.model).unwrap().plan(experiment.workers).unwrap();
        let n = experiment.args.iter().find(|(name, _)| name == "n").map_or(1_000_000, |(_, value)| match value {
            ArgValue::Int(n) => *n as u64,
            ArgValue::Float(n) => *n as u64,
        });
        Ok(Box::new(Fake {
            description: Description {
                engine: "emulated",
                lanes: plan.lanes,
                locks: plan.locks,
                core_evidence: CoreEvidence::Heartbeat,
                core_evidence_reason: None,
                program: None,
                observing: None,
            },
            // Twenty nanoseconds for each of n, one task after another.
            length: Nanos(n * 20 * u64::from(experiment.task_count())),
            tasks: experiment.task_count(),
            failing: self.failing == Some(experiment.model.as_str()),
            told: false,
        }))
    }
}

impl Source for Fake {
    fn describe(&self) -> &Description {
        &self.description
    }
    fn go(&mut self) {}
    fn poll(&mut self, say: &mut dyn FnMut(Signal)) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let begin = Nanos::from_secs(1);
        say(Signal::Began(begin));
        let worker = self.description.lanes.iter().find(|lane| lane.role == Role::Worker).unwrap().id;
        let event = |at, kind| Event { at, lane: worker, core: CoreId(0), line: Line(1), kind };
        let end = begin + self.length;
        say(Signal::Event(event(begin, EventKind::Take { lock: LockId(0), to: State::Running })));
        let gone = EventKind::Drop { lock: LockId(0), to: State::Done, detail: Detail::None, requested: false };
        say(Signal::Event(event(end, gone)));
        for task in 0..self.tasks {
            let outcome = match self.failing {
                true => TaskOutcome::Error { text: "ValueError".to_owned(), line: Some(1) },
                false => TaskOutcome::Value("1".to_owned()),
            };
            say(Signal::Task { task: TaskId(task), outcome });
        }
        for lane in 0..self.description.lanes.len() {
            say(Signal::LaneEnded { lane: LaneId(lane as u32), at: None, how: "done".to_owned() });
        }
        say(Signal::Ended(end));
    }
    fn set_switch_interval(&mut self, _: Nanos) {}
    fn pids(&self) -> Vec<u32> {
        Vec::new()
    }
    fn lines(&self) -> Vec<(LaneId, Line)> {
        Vec::new()
    }
    fn output(&self) -> String {
        String::new()
    }
    fn stop(&mut self) {}
    fn suspend(&mut self) {}
    fn resume(&mut self) {}
}

fn workload() -> Arc<Workload> {
    Arc::new(Workload {
        id: "sum".to_owned(),
        title: "sum".to_owned(),
        bound: Bound::Cpu,
        watch: String::new(),
        arguments: vec![Argument {
            name: "n".to_owned(),
            help: String::new(),
            kind: Default::default(),
            default: ArgValue::Int(1_000_000),
            min: ArgValue::Int(1),
            max: ArgValue::Int(10_000_000_000),
            size: true,
        }],
        plain: true,
        coroutine: None,
        source: String::new(),
        path: None,
    })
}

fn experiment(model: &str) -> Experiment {
    Experiment {
        workload: "sum".to_owned(),
        model: model.to_owned(),
        workers: 2,
        processes: None,
        tasks: None,
        args: Vec::new(),
        switch_interval: Experiment::DEFAULT_SWITCH_INTERVAL,
        rules: Rules::V3_10,
        start_up: None,
        interpreter: crate::session::Interpreter::Miniature,
    }
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
    assert!(matches!(notices.as_slice(), [Notice::Sizing, Notice::Began(_), Notice::Over]), "{notices:?}");
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
    assert!(matches!(director.measure(&baseline).as_slice(), [Notice::BaselineOver(Some(_))]));
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
    assert_eq!(begun, [Notice::BaselineOver(None)]);
    let begun = director.start(workload(), experiment("threads"), Length::Own);
    play(&mut director, begun);
    let begun = director.measure(&experiment("threads").baseline());
    assert_eq!(play(&mut director, begun).last(), Some(&Notice::BaselineOver(None)));
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
