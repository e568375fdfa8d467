use std::sync::{Arc, Mutex};

use super::super::ring::Producer;
use super::super::rings::Shape;
use super::*;
use crate::clock::Virtual;
use crate::event::TaskId;
use proptest::prelude::*;

const A: LaneId = LaneId(0);
const B: LaneId = LaneId(1);
/// Lane 2 has no ring: others record for it.
const LANES: u32 = 3;

/// Switch records put there by hand.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Vec<SwitchRecord>>>);

impl SwitchSource for Script {
    fn drain(&mut self, each: &mut dyn FnMut(SwitchRecord)) {
        self.0.lock().unwrap().drain(..).for_each(each);
    }
    fn lost(&self) -> u64 {
        0
    }
}

struct Bench {
    clock: Virtual,
    origin: Nanos,
    rings: Rings,
    switches: Script,
    collector: Collector<Virtual>,
    seen: Vec<Event>,
}

impl Bench {
    /// Two rings, three lanes; times are microseconds after the beginning. Thread `n + 100` writes ring `n`.
    fn new() -> Bench {
        let rings = Rings::create(Shape { rings: 2, lanes: LANES, capacity: 64 }, Nanos::ZERO).unwrap();
        let origin = rings.made_at();
        let clock = Virtual::at(origin);
        let switches = Script::default();
        let collector = Collector::with_clock(&rings, Some(Box::new(switches.clone())), clock.clone());
        for ring in 0..2 {
            rings.ring(ring).set_writer(1, 100 + ring);
        }
        Bench { clock, origin, rings, switches, collector, seen: Vec::new() }
    }

    fn at(&self, micros: u64) -> Nanos {
        self.origin + Nanos::from_micros(micros)
    }

    fn now_is(&self, micros: u64) {
        self.clock.advance(self.at(micros) - self.clock.now());
    }

    fn event(&self, micros: u64, lane: LaneId, task: u32) -> Event {
        let kind = EventKind::TaskStarted(TaskId(task));
        Event { at: self.at(micros), lane, core: CoreId(0), line: Line(1), kind }
    }

    fn write(&self, ring: u32, event: Event) {
        assert!(Producer::new(self.rings.ring(ring)).push(event.pack()));
    }

    fn task(&self, ring: u32, micros: u64, lane: LaneId, task: u32) {
        self.write(ring, self.event(micros, lane, task));
    }

    fn switch(&self, micros: u64, lane: LaneId, change: Switch) {
        let record = SwitchRecord { at: self.at(micros), tid: 100 + lane.0, core: CoreId(1), change };
        self.switches.0.lock().unwrap().push(record);
    }

    fn poll(&mut self) {
        self.collector.poll(|event| self.seen.push(event));
    }

    fn finish(&mut self) {
        self.collector.finish(|event| self.seen.push(event));
    }

    /// What was handed on since last asked: microseconds, lane, and a word.
    fn told(&mut self) -> Vec<(u64, u32, String)> {
        let origin = self.origin;
        let word = |kind| match kind {
            EventKind::TaskStarted(task) => format!("task {task}"),
            EventKind::SwitchIn => "in".into(),
            EventKind::SwitchOut { preempted } => if preempted { "preempted" } else { "out" }.into(),
            other => format!("{other:?}"),
        };
        self.seen.drain(..).map(|event| ((event.at - origin).0 / 1_000, event.lane.0, word(event.kind))).collect()
    }
}

fn told(expected: &[(u64, u32, &str)]) -> Vec<(u64, u32, String)> {
    expected.iter().map(|(at, lane, word)| (*at, *lane, (*word).to_owned())).collect()
}

const OUT: Switch = Switch::Out { preempted: false };
const PREEMPTED: Switch = Switch::Out { preempted: true };

#[test]
fn events_of_all_rings_come_in_the_order_of_time_a_moment_later() {
    let mut bench = Bench::new();
    bench.task(0, 10, A, 1);
    bench.task(0, 30, LaneId(2), 3);
    bench.task(1, 20, B, 2);
    bench.task(1, 5_000, B, 4);
    bench.now_is(4_500);
    bench.poll();
    assert_eq!(bench.told(), told(&[(10, 0, "task 1"), (20, 1, "task 2"), (30, 2, "task 3")]));
    bench.now_is(7_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(5_000, 1, "task 4")]));
    assert_eq!(bench.collector.horizon(), bench.at(5_000));
}

#[test]
fn an_event_published_after_a_preemption_comes_before_it() {
    let mut bench = Bench::new();
    bench.switch(100, A, PREEMPTED);
    bench.now_is(20_000);
    bench.poll();
    assert!(bench.told().is_empty());
    assert_eq!(bench.collector.open_gap(A), Some((bench.at(100), true)));
    bench.switch(30_000, A, Switch::In);
    bench.task(0, 99, A, 1);
    bench.task(0, 30_010, A, 2);
    bench.now_is(30_020);
    bench.poll();
    bench.now_is(40_000);
    bench.poll();
    assert_eq!(
        bench.told(),
        told(&[(99, 0, "task 1"), (100, 0, "preempted"), (30_000, 0, "in"), (30_010, 0, "task 2")])
    );
    assert_eq!((bench.collector.open_gap(A), bench.collector.tally().late), (None, 0));
}

#[test]
fn what_the_kernel_said_of_a_thread_before_it_is_known_whose_it_is_is_not_lost() {
    let mut bench = Bench::new();
    bench.rings.ring(0).set_writer(0, 0);
    bench.task(0, 10, A, 1);
    bench.switch(100, A, PREEMPTED);
    bench.switch(20_000, A, Switch::In);
    bench.now_is(25_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(10, 0, "task 1")]));
    bench.rings.ring(0).set_writer(1, 100);
    bench.task(0, 25_500, A, 2);
    bench.now_is(30_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(100, 0, "preempted"), (20_000, 0, "in"), (25_500, 0, "task 2")]));
    assert_eq!(bench.collector.tally().late, 0);
}

#[test]
fn a_return_read_before_its_departure_is_put_behind_it() {
    let mut bench = Bench::new();
    bench.switch(200, A, Switch::In);
    bench.switch(100, A, OUT);
    bench.now_is(5_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(100, 0, "out"), (200, 0, "in")]));
}

#[test]
fn what_others_say_of_a_lane_that_is_off_its_core_comes_after_its_departure() {
    let mut bench = Bench::new();
    bench.switch(100, A, OUT);
    bench.task(1, 200, A, 1);
    bench.now_is(5_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(100, 0, "out"), (200, 0, "task 1")]));
    assert_eq!(bench.collector.open_gap(A), None);
    bench.switch(6_000, A, Switch::In);
    bench.now_is(9_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(6_000, 0, "in")]));
}

#[test]
fn a_gap_whose_end_the_kernel_lost_is_not_made_up() {
    let mut bench = Bench::new();
    bench.switch(100, A, PREEMPTED);
    bench.task(0, 300, A, 1);
    bench.switch(400, A, OUT);
    bench.switch(500, A, Switch::In);
    bench.now_is(5_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(300, 0, "task 1"), (400, 0, "out"), (500, 0, "in")]));
    assert_eq!(bench.collector.tally().switches_lost, 1);
}

#[test]
fn one_that_left_its_core_by_itself_is_off_it_at_once() {
    let mut bench = Bench::new();
    bench.switch(50, A, Switch::In);
    bench.task(0, 99, A, 1);
    bench.switch(100, A, OUT);
    bench.now_is(5_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(50, 0, "in"), (99, 0, "task 1"), (100, 0, "out")]));
    bench.switch(900_000, A, Switch::In);
    bench.now_is(950_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(900_000, 0, "in")]));
    // It speaks, so it is back, though the kernel's record of that was lost.
    bench.switch(960_000, A, OUT);
    bench.task(0, 970_000, A, 2);
    bench.now_is(980_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(960_000, 0, "out"), (970_000, 0, "in"), (970_000, 0, "task 2")]));
    assert_eq!(bench.collector.tally().switches_lost, 1);
}

#[test]
fn the_end_of_a_killed_lane_written_into_its_own_ring_is_no_lost_return() {
    let mut bench = Bench::new();
    let done = EventKind::State { to: State::Done, detail: Detail::None };
    bench.switch(100, A, OUT);
    bench.write(0, Event { kind: done, ..bench.event(200, A, 0) });
    bench.now_is(5_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(100, 0, "out"), (200, 0, &format!("{done:?}"))]));
    assert_eq!(bench.collector.tally().switches_lost, 0);
}

#[test]
fn what_comes_too_late_is_set_to_the_last_instant_and_counted() {
    let mut bench = Bench::new();
    bench.task(0, 500, A, 1);
    bench.now_is(5_000);
    bench.poll();
    bench.task(1, 400, A, 2);
    bench.poll();
    assert_eq!(bench.told(), told(&[(500, 0, "task 1"), (500, 0, "task 2")]));
    assert_eq!(bench.collector.tally().late, 1);
}

#[test]
fn nonsense_is_refused_and_counted_and_the_rest_goes_on() {
    let mut bench = Bench::new();
    bench.now_is(1_000);
    bench.task(0, 10, LaneId(LANES), 1);
    bench.task(0, 9_000, A, 2);
    bench.write(0, Event { at: Nanos(1), ..bench.event(0, A, 3) });
    bench.write(0, Event { kind: EventKind::SwitchIn, ..bench.event(10, A, 4) });
    bench.write(0, Event { kind: EventKind::NoCore { since: bench.at(50) }, ..bench.event(10, A, 5) });
    assert!(Producer::new(bench.rings.ring(0)).push([u64::MAX; 4]));
    bench.task(0, 20, A, 6);
    bench.poll();
    bench.now_is(20_000);
    bench.poll();
    assert_eq!(bench.told(), told(&[(20, 0, "task 6")]));
    let tally = bench.collector.tally();
    assert_eq!((tally.recorded, tally.refused), (1, 6));
}

#[test]
fn where_the_kernel_tells_of_cores_the_heartbeat_is_not_needed() {
    let mut bench = Bench::new();
    bench.switch(100, A, OUT);
    bench.switch(200, A, Switch::In);
    let since = bench.at(100);
    for lane in [A, B] {
        bench.write(lane.0, Event { kind: EventKind::NoCore { since }, ..bench.event(210, lane, 0) });
        bench.rings.ring(lane.0).set_seen(bench.at(210));
    }
    bench.now_is(5_000);
    bench.poll();
    let told: Vec<_> = bench.told().into_iter().map(|(at, lane, _)| (at, lane)).collect();
    assert_eq!(told, [(100, 0), (200, 0), (210, 1)]);
    let evidence = |lane| bench.collector.lane(lane).map(|lane| lane.core_evidence);
    assert_eq!(evidence(A), Some(CoreEvidence::SwitchRecords));
    assert_eq!(evidence(B), Some(CoreEvidence::Heartbeat));
    assert_eq!(evidence(LaneId(2)), evidence(A), "a coroutine's is its thread's");
    assert_eq!(evidence(LaneId(LANES)), None);
}

#[test]
fn what_the_kernel_says_of_a_thread_is_said_of_the_coroutine_that_has_it() {
    let mut bench = Bench::new();
    let coroutine = LaneId(LANES - 1);
    let enters = |to| EventKind::State { to, detail: Detail::None };
    bench.switch(50, A, Switch::In);
    bench.write(0, Event { kind: enters(State::Running), ..bench.event(100, coroutine, 0) });
    bench.switch(150, A, OUT);
    bench.switch(180, A, Switch::In);
    bench.write(0, Event { kind: enters(State::Suspended), ..bench.event(200, coroutine, 0) });
    bench.switch(250, A, OUT);
    bench.switch(280, A, Switch::In);
    bench.now_is(5_000);
    bench.poll();
    let told: Vec<_> = bench.told().into_iter().map(|(at, lane, _)| (at, lane)).collect();
    let (own, lent) = (A.0, coroutine.0);
    // Where it is lent and where it comes back one leaves the core and the other has it, without the kernel's doing.
    let lending = [(50, own), (100, lent), (100, own), (100, lent), (150, lent), (180, lent)];
    let back = [(200, lent), (200, lent), (200, own), (250, own), (280, own)];
    assert_eq!(told, [&lending[..], &back[..]].concat());
}

#[test]
fn at_the_end_everything_is_handed_on_and_an_untold_loss_is_told() {
    let mut bench = Bench::new();
    bench.task(0, 100, A, 1);
    bench.switch(200, A, OUT);
    bench.rings.ring(1).set_losing_since(Some(bench.at(150)));
    bench.rings.ring(1).count_dropped();
    bench.now_is(300);
    bench.poll();
    bench.finish();
    let unknown = format!("{:?}", EventKind::State { to: State::Unknown, detail: Detail::None });
    assert_eq!(bench.told(), told(&[(100, 0, "task 1"), (200, 0, "out"), (150, 1, &unknown)]));
    assert_eq!(bench.collector.tally().dropped, 1);
}

/// A thread's life: works and leaves its core in turns, and publishes each event at once or after its next return.
fn life() -> impl Strategy<Value = Vec<(u64, bool, bool)>> {
    proptest::collection::vec((1..3_000_u64, any::<bool>(), any::<bool>()), 1..60)
}

proptest! {
    /// Whatever the polls' rhythm, a lane's events come in order and complete, late publishing included.
    #[test]
    fn every_lane_is_in_order_and_complete(lives in [life(), life()], rhythm in 500..9_000_u64) {
        let mut bench = Bench::new();
        // When it becomes visible, in which ring, when it happened, and which switch if it is one.
        let mut script = Vec::new();
        let (mut expected, mut end) = ([0, 0], 0);
        for (ring, life) in lives.iter().enumerate() {
            let mut now = 1;
            for &(length, leaves, caught) in life {
                let event = now + length;
                if leaves {
                    let (out, back) = (event + 1, event + 1 + 3 * length);
                    script.push((out, ring as u32, out, Some(PREEMPTED)));
                    script.push((back, ring as u32, back, Some(Switch::In)));
                    script.push((if caught { back + 1 } else { event }, ring as u32, event, None));
                    expected[ring] += 3;
                    now = back + 1;
                } else {
                    script.push((event, ring as u32, event, None));
                    expected[ring] += 1;
                    now = event;
                }
            }
            end = end.max(now);
        }
        script.sort_by_key(|(visible, ..)| *visible);
        let mut script = script.into_iter().peekable();
        for poll in 1..=end / rhythm + 2 {
            while let Some((_, ring, at, change)) = script.next_if(|(visible, ..)| *visible <= poll * rhythm) {
                match change {
                    None => bench.task(ring, at, LaneId(ring), 0),
                    Some(change) => bench.switch(at, LaneId(ring), change),
                }
            }
            bench.now_is(poll * rhythm);
            bench.poll();
        }
        bench.finish();
        for lane in [A, B] {
            let of_lane: Vec<_> = bench.seen.iter().filter(|event| event.lane == lane).collect();
            prop_assert!(of_lane.is_sorted_by_key(|event| event.at));
            prop_assert_eq!(of_lane.len(), expected[lane.index()]);
        }
        let tally = bench.collector.tally();
        prop_assert_eq!((tally.late, tally.refused, tally.switches_lost), (0, 0, 0));
    }
}
