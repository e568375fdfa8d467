//! Recording for real: threads, the lock, shared memory, the kernel's switch records, a writer that is killed.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use gilscope::clock::{Clock, Monotonic};
use gilscope::engine::switches::{Switches, probe};
use gilscope::event::{Detail, Event, EventKind, LaneId, Line, LockId, Nanos, State};
use gilscope::gil::{Gil, REQUEST};
use gilscope::record::{Collector, Recorder, Rings, Shape, SwitchSource, thread_id};

const LOCK: LockId = LockId(0);
/// Where the child finds the rings; absent in the parent.
const RINGS: &str = "GILSCOPE_TEST_RINGS";

fn in_order(events: &[Event]) {
    let lanes = events.iter().map(|event| event.lane.index() + 1).max().unwrap_or(0);
    for lane in 0..lanes {
        let of_lane: Vec<_> = events.iter().filter(|event| event.lane.index() == lane).collect();
        assert!(of_lane.is_sorted_by_key(|event| event.at));
        for pair in of_lane.windows(2) {
            if let EventKind::SwitchOut { .. } = pair[0].kind {
                assert_eq!(pair[1].kind, EventKind::SwitchIn, "nobody says anything while off its core");
            }
        }
    }
}

/// A thread that computes for a while, sleeping now and then, under the lock.
fn work(gil: &Gil, rings: &Rings, lane: LaneId, until: Nanos) {
    let mut recorder = Recorder::new(rings, lane.0, lane);
    let interval = || rings.switch_interval();
    let take = |recorder: &mut Recorder| {
        gil.take(
            lane,
            interval,
            || (),
            |_| recorder.record(Line(1), EventKind::Take { lock: LOCK, to: State::Running }),
        );
    };
    let drop_lock = |recorder: &mut Recorder, to: State| {
        let kind = |requested| EventKind::Drop { lock: LOCK, to, detail: Detail::None, requested };
        gil.drop_lock(lane, |requested| recorder.record(Line(1), kind(requested)));
    };
    recorder.record(Line::NONE, EventKind::State { to: State::WaitingGil, detail: Detail::None });
    take(&mut recorder);
    let mut turns = 0;
    while Monotonic.now() < until {
        recorder.heartbeat(Line(1));
        if gil.breaker().load(Ordering::Relaxed) & REQUEST != 0 {
            turns += 1;
            drop_lock(&mut recorder, State::WaitingGil);
            if turns % 8 == 0 {
                thread::sleep(Duration::from_micros(300));
            }
            take(&mut recorder);
        }
    }
    drop_lock(&mut recorder, State::Done);
}

#[test]
fn no_two_lanes_own_the_lock_at_once_in_the_log() {
    let rings = Rings::create(Shape { rings: 3, lanes: 3, capacity: 1 << 12 }, Nanos::from_micros(500)).unwrap();
    let switches = match probe() {
        Ok(()) => Some(Box::new(Switches::watch(thread_id()).unwrap()) as Box<dyn SwitchSource + Send>),
        Err(refused) => {
            assert!(std::env::var_os("GILSCOPE_REQUIRE_PERF").is_none(), "{refused}");
            eprintln!("without switch records: {refused}");
            None
        }
    };
    let mut collector = Collector::new(&rings, switches);
    let (gil, mut events) = (Gil::new(), Vec::new());
    let until = Monotonic.now() + Nanos::from_millis(300);
    thread::scope(|scope| {
        let lanes = [0, 1, 2].map(|lane| {
            scope.spawn({
                let (gil, rings) = (&gil, &rings);
                move || work(gil, rings, LaneId(lane), until)
            })
        });
        while lanes.iter().any(|lane| !lane.is_finished()) {
            collector.poll(|event| events.push(event));
            thread::sleep(Duration::from_millis(4));
        }
    });
    collector.finish(|event| events.push(event));

    in_order(&events);
    let mut owner = None;
    for event in &events {
        match event.kind {
            EventKind::Take { .. } => assert_eq!(owner.replace(event.lane), None, "{event:?}"),
            EventKind::Drop { .. } => assert_eq!(owner.take(), Some(event.lane), "{event:?}"),
            _ => {}
        }
    }
    assert_eq!(owner, None);
    let tally = collector.tally();
    assert_eq!((tally.dropped, tally.refused, tally.late, tally.switches_lost), (0, 0, 0, 0));
}

/// The child's part of the next test; in the parent it does nothing.
#[test]
fn child_that_records_until_it_is_killed() {
    let Some(path) = std::env::var_os(RINGS).map(PathBuf::from) else { return };
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let rings = Rings::open(file.into()).unwrap();
    let mut recorder = Recorder::new(&rings, 0, LaneId(0));
    for task in 0.. {
        recorder.record(Line(1), EventKind::TaskStarted(gilscope::event::TaskId(task)));
        if task % 64 == 0 {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

#[test]
fn what_a_worker_recorded_before_it_was_killed_is_there() {
    let rings = Rings::create(Shape { rings: 1, lanes: 1, capacity: 1 << 15 }, Nanos::from_millis(5)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_records_until_it_is_killed"])
        .env(RINGS, format!("/proc/{}/fd/{}", std::process::id(), rings.file().as_raw_fd()))
        .spawn()
        .unwrap();
    let (mut collector, mut events) = (Collector::new(&rings, None), Vec::new());
    while events.len() < 5_000 {
        collector.poll(|event| events.push(event));
        assert!(child.try_wait().unwrap().is_none(), "it ends only when killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    collector.finish(|event| events.push(event));
    in_order(&events);
    assert_eq!(collector.lane(LaneId(0)).unwrap().writer.unwrap().0, child.id());
    let tasks: Vec<_> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::TaskStarted(task) => Some(task.0),
            _ => None,
        })
        .collect();
    assert!(tasks.is_sorted_by(|one, next| one < next));
    if collector.tally().dropped == 0 {
        assert!(tasks.iter().copied().eq(0..tasks.len() as u32), "whole up to its end");
    }
}
