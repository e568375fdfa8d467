//! Every interleaving of a few threads: the same source once more, over the model checker's mutex and condition variables.
//! A thread plays the clock: it ends the intervals of all who wait.

use std::sync::atomic::Ordering;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::policy;
use crate::event::{LaneId, Nanos};
use lock::{Gil, REQUEST, Timer, Woken};
use sync::{Condvar, MutexGuard};

#[allow(clippy::duplicate_mod, reason = "that it is the same source is the point")]
#[allow(dead_code, reason = "what real time and its users need is not modelled")]
#[path = "lock.rs"]
mod lock;

mod sync {
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
}

#[derive(Debug, Default)]
struct Clock {
    ticks: AtomicUsize,
}

impl Timer for Clock {
    type Began = usize;

    fn begin(&self) -> usize {
        self.ticks.load(Ordering::Relaxed)
    }

    fn wait<'a, S>(
        &self,
        condition: &Condvar,
        guard: MutexGuard<'a, S>,
        began: &usize,
        _: Nanos,
    ) -> (MutexGuard<'a, S>, Woken) {
        let guard = condition.wait(guard).unwrap();
        let over = self.ticks.load(Ordering::Relaxed) != *began;
        (guard, if over { Woken::IntervalOver } else { Woken::Signalled })
    }
}

type Modelled = Gil<Clock>;

fn tick(gil: &Modelled) {
    let state = gil.lock();
    gil.timer.ticks.fetch_add(1, Ordering::Relaxed);
    for waiter in &state.waiting {
        waiter.notify_all();
    }
}

fn take(gil: &Modelled, lane: u32) {
    gil.take(LaneId(lane), || Nanos(1), || (), |_| ());
}

fn drop(gil: &Modelled, lane: u32) -> bool {
    let mut asked = false;
    gil.drop_lock(LaneId(lane), |requested| asked = requested);
    asked
}

fn safe_point(gil: &Modelled, lane: u32) {
    if gil.breaker().load(Ordering::Relaxed) & REQUEST != 0 {
        assert!(drop(gil, lane), "the breaker tells of a request that there is");
        take(gil, lane);
    }
}

/// What the lock protects: loom finds two who are in it at once.
fn work(counter: &UnsafeCell<u32>) {
    counter.with_mut(
        #[expect(unsafe_code, reason = "the model checks that this access is exclusive")]
        // SAFETY: loom ends the test if it is not.
        |counter| unsafe { *counter += 1 },
    );
}

struct Shared {
    gil: Modelled,
    counter: UnsafeCell<u32>,
}

// SAFETY: the cell is accessed only under the lock, which is what the model checks.
#[expect(unsafe_code, reason = "the model checks that access to the cell is exclusive")]
unsafe impl Sync for Shared {}

fn shared() -> Arc<Shared> {
    Arc::new(Shared { gil: Modelled::default(), counter: UnsafeCell::new(0) })
}

#[test]
fn loom_the_lock_excludes_and_nobody_sleeps_for_ever() {
    loom::model(|| {
        let shared = shared();
        let others: Vec<_> = (1..3)
            .map(|lane| {
                let shared = shared.clone();
                thread::spawn(move || {
                    take(&shared.gil, lane);
                    work(&shared.counter);
                    drop(&shared.gil, lane);
                })
            })
            .collect();
        take(&shared.gil, 0);
        work(&shared.counter);
        drop(&shared.gil, 0);
        for other in others {
            other.join().unwrap();
        }
        let state = shared.gil.lock();
        assert_eq!((state.waiting.len(), state.held_back), (0, 0));
        assert_eq!(state.policy.switch_number(), 3);
    });
}

#[test]
fn loom_a_forced_switch_ends_and_the_asker_gets_the_lock() {
    loom::model(|| {
        let shared = shared();
        let clock = thread::spawn({
            let shared = shared.clone();
            move || tick(&shared.gil)
        });
        let asker = thread::spawn({
            let shared = shared.clone();
            move || {
                take(&shared.gil, 1);
                work(&shared.counter);
                drop(&shared.gil, 1);
            }
        });
        take(&shared.gil, 0);
        work(&shared.counter);
        safe_point(&shared.gil, 0);
        work(&shared.counter);
        drop(&shared.gil, 0);
        asker.join().unwrap();
        clock.join().unwrap();
        let state = shared.gil.lock();
        assert_eq!(state.policy.holder(), None);
        assert!(!state.policy.drop_request());
    });
}

#[test]
fn loom_two_who_ask_at_once_are_both_served() {
    loom::model(|| {
        let shared = shared();
        take(&shared.gil, 0);
        let askers: Vec<_> = (1..3)
            .map(|lane| {
                let shared = shared.clone();
                thread::spawn(move || {
                    take(&shared.gil, lane);
                    safe_point(&shared.gil, lane);
                    drop(&shared.gil, lane);
                })
            })
            .collect();
        tick(&shared.gil);
        safe_point(&shared.gil, 0);
        drop(&shared.gil, 0);
        for asker in askers {
            asker.join().unwrap();
        }
        assert_eq!(shared.gil.lock().policy.holder(), None);
    });
}
