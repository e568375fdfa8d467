use super::super::ring::Consumer;
use super::super::rings::Shape;
use super::*;
use crate::clock::Virtual;
use crate::event::TaskId;

const LANE: LaneId = LaneId(1);

fn set_up(capacity: u32) -> (Rings, Recorder<Virtual>, Virtual) {
    let rings = Rings::create(Shape { rings: 2, lanes: 4, capacity }, Nanos::from_millis(5)).unwrap();
    let clock = Virtual::at(Nanos(100));
    let recorder = Recorder::with_clock(&rings, 1, LANE, clock.clone());
    (rings, recorder, clock)
}

fn drained(consumer: &mut Consumer<SharedRing>) -> Vec<Event> {
    let mut events = Vec::new();
    consumer.drain(|words| events.push(Event::unpack(words).unwrap())).unwrap();
    events
}

fn started(task: u32) -> EventKind {
    EventKind::TaskStarted(TaskId(task))
}

#[test]
fn an_event_carries_its_time_its_lane_and_its_core() {
    let (rings, mut recorder, clock) = set_up(8);
    recorder.record(Line(3), started(0));
    clock.advance(Nanos(5));
    recorder.record_for(LaneId(2), Line(4), started(1));
    recorder.record_at(Nanos(42), LaneId(3), Line::NONE, started(2));
    let events = drained(&mut Consumer::new(rings.ring(1)));
    let seen: Vec<_> = events.iter().map(|event| (event.at, event.lane, event.line, event.kind)).collect();
    assert_eq!(
        seen,
        [
            (Nanos(100), LANE, Line(3), started(0)),
            (Nanos(105), LaneId(2), Line(4), started(1)),
            (Nanos(42), LaneId(3), Line::NONE, started(2)),
        ]
    );
    assert!(events.iter().all(|event| event.core != crate::event::CoreId::UNKNOWN));
    assert_eq!(rings.ring(1).seen(), Nanos(105));
    assert_eq!(rings.ring(1).writer(), Some((std::process::id(), thread_id())));
}

#[test]
fn after_a_loss_each_lane_is_unknown_since_its_first_lost_event() {
    let (rings, mut recorder, clock) = set_up(4);
    for task in 0..4 {
        recorder.record(Line::NONE, started(task));
    }
    clock.advance(Nanos(10));
    recorder.record(Line::NONE, started(4));
    clock.advance(Nanos(10));
    recorder.record(Line::NONE, started(5));
    recorder.record_for(LaneId(3), Line::NONE, started(6));
    assert_eq!((rings.ring(1).dropped(), rings.ring(1).losing_since()), (3, Some(Nanos(110))));

    let mut consumer = Consumer::new(rings.ring(1));
    assert_eq!(drained(&mut consumer).len(), 4);
    clock.advance(Nanos(10));
    recorder.record(Line::NONE, started(7));
    let unknown = EventKind::State { to: State::Unknown, detail: Detail::None };
    let seen: Vec<_> = drained(&mut consumer).iter().map(|event| (event.at, event.lane, event.kind)).collect();
    assert_eq!(seen, [(Nanos(110), LANE, unknown), (Nanos(120), LaneId(3), unknown), (Nanos(130), LANE, started(7))]);
    assert_eq!((rings.ring(1).dropped(), rings.ring(1).losing_since()), (3, None));
}

#[test]
fn a_late_heartbeat_is_time_without_a_core_only_if_the_core_was_taken() {
    let (rings, mut recorder, clock) = set_up(8);
    let mut consumer = Consumer::new(rings.ring(1));
    for (gap, taken, seen) in [(50, true, 0), (900, false, 0), (900, true, 1)] {
        let (_, preempted) = switches_of_this_thread().unwrap();
        recorder.ring.as_mut().unwrap().preempted = if taken { u64::MAX } else { preempted };
        let since = clock.now();
        recorder.heartbeat(Line(1));
        drained(&mut consumer);
        recorder.ring.as_mut().unwrap().preempted = if taken { u64::MAX } else { preempted };
        clock.advance(Nanos::from_micros(gap));
        recorder.heartbeat(Line(2));
        let events = drained(&mut consumer);
        // The machine may truly have taken the core in between; then there is one more than made up here.
        if switches_of_this_thread().unwrap().1 == preempted {
            assert_eq!(events.len(), seen, "{gap} {taken}");
        }
        assert!(events.iter().all(|event| event.kind == EventKind::NoCore { since } && event.at == clock.now()));
    }
}

#[test]
fn what_it_got_done_is_told_once_a_millisecond_and_at_the_end_of_a_task() {
    let (rings, mut recorder, clock) = set_up(8);
    let mut consumer = Consumer::new(rings.ring(1));
    for step in 0..25 {
        clock.advance(Nanos::from_micros(100));
        recorder.worked(1000, step / 10);
        recorder.heartbeat(Line(2));
    }
    recorder.tell_progress(Line(2));
    recorder.tell_progress(Line(2));
    let told: Vec<_> = drained(&mut consumer)
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Progress { instructions, contended } => Some((event.at.0 / 1000, instructions, contended)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1000, 10_000, 0), (2000, 20_000, 1), (2500, 25_000, 2)]);
}

#[test]
fn at_its_end_a_thread_reports_what_the_kernel_booked() {
    let (rings, recorder, _) = set_up(8);
    drop(recorder);
    let accounts = rings.ring(1).accounts();
    assert!(accounts.voluntary.is_some() && accounts.involuntary.is_some());
}

#[test]
fn what_the_kernel_booked_before_the_run_is_no_part_of_it() {
    let (rings, mut recorder, _) = set_up(8);
    let work = std::time::Instant::now();
    while work.elapsed() < std::time::Duration::from_millis(30) {
        std::hint::black_box(0);
    }
    recorder.report();
    let before = rings.ring(1).accounts().on_cpu.expect("the kernel says");
    assert!(before >= Nanos(1_000_000), "{before:?}");
    recorder.count_from_here();
    drop(recorder);
    let after = rings.ring(1).accounts().on_cpu.expect("the kernel says");
    assert!(after.0 < before.0 / 2, "{after:?} of {before:?}");
}

#[test]
fn one_that_is_off_says_so_and_takes_whatever_it_is_told() {
    let mut recorder = Recorder::off();
    recorder.record(Line(1), started(1));
    recorder.heartbeat(Line(1));
    assert!(!recorder.is_on());
}
