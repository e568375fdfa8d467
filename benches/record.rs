//! What recording one event costs, beside the two readings it cannot do without.

use std::hint::black_box;

use gilscope::clock::{Clock, Monotonic};
use gilscope::event::{EventKind, LaneId, Line, LockId, Nanos, State};
use gilscope::record::ring::Consumer;
use gilscope::record::{Collector, Recorder, Rings, Shape, core_now};

const SHAPE: Shape = Shape { rings: 1, lanes: 1, capacity: 1 << 12 };
const KIND: EventKind = EventKind::Take { lock: LockId(0), to: State::Running };
/// Less than a ring holds, so that none of them is dropped.
const BATCH: u32 = 1 << 11;

fn rings() -> Rings {
    Rings::create(SHAPE, Nanos::from_millis(5)).expect("room for 128 KiB")
}

#[divan::bench]
fn clock_and_core_alone(bencher: divan::Bencher<'_, '_>) {
    bencher.counter(divan::counter::ItemsCount::new(BATCH)).bench(|| {
        for _ in 0..BATCH {
            black_box((Monotonic.now(), core_now()));
        }
    });
}

#[divan::bench]
fn one_event_recorded(bencher: divan::Bencher<'_, '_>) {
    let rings = rings();
    let (mut recorder, mut reader) = (Recorder::new(&rings, 0, LaneId(0)), Consumer::new(rings.ring(0)));
    bencher.counter(divan::counter::ItemsCount::new(BATCH)).with_inputs(|| reader.drain(|_| ())).bench_local_values(
        |_| {
            for _ in 0..BATCH {
                recorder.record(black_box(Line(3)), black_box(KIND));
            }
        },
    );
}

#[divan::bench]
fn one_heartbeat(bencher: divan::Bencher<'_, '_>) {
    let mut recorder = Recorder::new(&rings(), 0, LaneId(0));
    bencher.counter(divan::counter::ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            recorder.heartbeat(black_box(Line(3)));
        }
    });
}

#[divan::bench]
fn one_event_not_recorded(bencher: divan::Bencher<'_, '_>) {
    let mut recorder = Recorder::off();
    bencher.counter(divan::counter::ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            recorder.record(black_box(Line(3)), black_box(KIND));
        }
    });
}

#[divan::bench]
fn one_event_collected(bencher: divan::Bencher<'_, '_>) {
    let rings = rings();
    let mut recorder = Recorder::new(&rings, 0, LaneId(0));
    let mut collector = Collector::new(&rings, None);
    bencher
        .counter(divan::counter::ItemsCount::new(BATCH))
        .with_inputs(|| (0..BATCH).for_each(|_| recorder.record(Line(3), KIND)))
        .bench_local_values(|()| {
            collector.poll(|event| {
                black_box(event);
            })
        });
}

fn main() {
    divan::main();
}
