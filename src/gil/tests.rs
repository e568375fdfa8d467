use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::lock::{Gil, REQUEST, STOP};
use crate::event::{LaneId, Nanos};

fn soon() -> Nanos {
    Nanos::from_micros(200)
}

fn go_by_safe_points(gil: &Gil, lane: LaneId, until: impl Fn() -> bool) {
    while !until() {
        if gil.breaker().load(Ordering::Relaxed) & REQUEST != 0 {
            gil.drop_lock(lane, |_| ());
            gil.take(lane, soon, || (), |_| ());
        }
    }
}

#[test]
fn one_at_a_time_holds_the_lock_and_everyone_gets_it() {
    let gil = Gil::new();
    let (inside, takes) = (AtomicUsize::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for lane in 0..4 {
            let (gil, inside, takes, lane) = (&gil, &inside, &takes, LaneId(lane));
            scope.spawn(move || {
                for _ in 0..300 {
                    gil.take(lane, soon, || (), |_| ());
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    takes.fetch_add(1, Ordering::Relaxed);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    gil.drop_lock(lane, |_| ());
                }
            });
        }
    });
    assert_eq!(takes.into_inner(), 1_200);
}

#[test]
fn two_that_never_block_take_turns() {
    let gil = Gil::new();
    let log = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for lane in [LaneId(0), LaneId(1)] {
            let (gil, log) = (&gil, &log);
            scope.spawn(move || {
                gil.take(lane, soon, || (), |_| ());
                go_by_safe_points(gil, lane, || {
                    let mut log = log.lock().unwrap();
                    if log.last() != Some(&lane) {
                        log.push(lane);
                    }
                    log.len() >= 20
                });
                gil.drop_lock(lane, |_| ());
            });
        }
    });
    assert!(log.into_inner().unwrap().len() >= 20);
}

#[test]
fn takes_and_drops_are_stamped_in_turn() {
    let gil = Gil::new();
    let log = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for lane in 0..3 {
            let (gil, log, lane) = (&gil, &log, LaneId(lane));
            scope.spawn(move || {
                for _ in 0..200 {
                    gil.take(lane, soon, || (), |_| log.lock().unwrap().push((lane, true)));
                    gil.drop_lock(lane, |_| log.lock().unwrap().push((lane, false)));
                }
            });
        }
    });
    let log = log.into_inner().unwrap();
    assert_eq!(log.len(), 1_200);
    for pair in log.chunks(2) {
        assert!(pair[0].1 && !pair[1].1 && pair[0].0 == pair[1].0, "{pair:?}");
    }
}

#[test]
fn who_has_waited_longest_is_woken_and_not_who_asked_last() {
    let gil = Gil::new();
    let log = Mutex::new(Vec::new());
    // Nobody's interval ends: only a drop wakes.
    let patient = || Nanos::from_secs(3_600);
    thread::scope(|scope| {
        gil.take(LaneId(0), patient, || (), |_| ());
        for lane in 1..6 {
            let (gil, log) = (&gil, &log);
            scope.spawn(move || {
                gil.take(LaneId(lane), patient, || (), |_| log.lock().unwrap().push(lane));
                gil.drop_lock(LaneId(lane), |_| ());
            });
            while gil.lock().waiting.len() < lane as usize {
                thread::yield_now();
            }
        }
        gil.drop_lock(LaneId(0), |_| ());
    });
    assert_eq!(log.into_inner().unwrap(), [1, 2, 3, 4, 5]);
}

#[test]
fn an_interval_shortened_while_somebody_waits_counts_at_once() {
    let gil = Arc::new(Gil::new());
    let interval = Arc::new(AtomicU64::new(Nanos::from_secs(3_600).0));
    gil.take(LaneId(0), soon, || (), |_| ());
    let waiter = thread::spawn({
        let (gil, interval) = (gil.clone(), interval.clone());
        move || {
            gil.take(LaneId(1), || Nanos(interval.load(Ordering::Relaxed)), || (), |_| ());
            gil.drop_lock(LaneId(1), |_| ());
        }
    });
    while gil.lock().waiting.is_empty() {
        thread::yield_now();
    }
    interval.store(Nanos::from_millis(1).0, Ordering::Relaxed);
    let asked = AtomicUsize::new(0);
    while gil.breaker().load(Ordering::Relaxed) & REQUEST == 0 {
        thread::yield_now();
    }
    gil.drop_lock(LaneId(0), |requested| asked.store(requested.into(), Ordering::Relaxed));
    waiter.join().unwrap();
    assert_eq!(asked.into_inner(), 1);
}

#[test]
fn a_panic_under_the_mutex_leaves_the_lock_usable() {
    let gil = Arc::new(Gil::new());
    let panicking = thread::spawn({
        let gil = gil.clone();
        move || gil.take(LaneId(0), soon, || (), |_| panic!("as a test"))
    });
    assert!(panicking.join().is_err());
    gil.drop_lock(LaneId(0), |_| ());
    gil.take(LaneId(1), soon, || (), |taken| assert!(taken.switched));
}

#[test]
fn a_stop_is_seen_beside_a_request() {
    let gil = Gil::new();
    gil.stop();
    assert_eq!(gil.breaker().load(Ordering::Relaxed), STOP);
}
