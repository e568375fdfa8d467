//! The rules over one mutex and two condition variables, as in CPython: `free` wakes one who waits for the lock,
//! `switched` those who may not go on before another took it.
//!
//! CPython has a second mutex for the latter, so that a thread can look at the
//! last holder after it let go of the first. One will do here: looking and
//! waiting is one step, and no wake-up can fall between. Plain condition
//! variables of the standard library, because their timed wait behaves as
//! CPython's does: the kernel's timer slack and the way back onto a core are
//! part of the 5.2 ms people measure where 5 ms are configured.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::policy::{Policy, Taken, Wait};
use super::sync::{Condvar, Mutex, MutexGuard};
use crate::event::{LaneId, Nanos};

/// In the eval breaker: a waiter asks for the lock.
pub const REQUEST: u32 = 1;
/// In the eval breaker: the run is being ended.
pub const STOP: u32 = 2;

/// An interval longer than this is waited out in pieces, so that a new one, set meanwhile, counts at once.
const PIECE: Duration = Duration::from_millis(50);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Somebody signalled.
    Signalled,
    /// To look around; the interval goes on.
    Meanwhile,
    /// The interval is over.
    IntervalOver,
}

/// How a wait of limited length is made. The model checker knows no time, so there a thread plays the clock.
pub trait Timer {
    /// When a wait began.
    type Began;
    /// A wait begins.
    fn begin(&self) -> Self::Began;
    /// Waits for a signal until `interval` after `began`, or less long, letting go of the mutex meanwhile.
    fn wait<'a, S>(
        &self,
        condition: &Condvar,
        guard: MutexGuard<'a, S>,
        began: &Self::Began,
        interval: Nanos,
    ) -> (MutexGuard<'a, S>, Woken);
}

/// Real time.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallTimer;

impl Timer for WallTimer {
    type Began = Instant;

    fn begin(&self) -> Instant {
        Instant::now()
    }

    fn wait<'a, S>(
        &self,
        condition: &Condvar,
        guard: MutexGuard<'a, S>,
        began: &Instant,
        interval: Nanos,
    ) -> (MutexGuard<'a, S>, Woken) {
        let interval = Duration::from(interval);
        // At least CPython's shortest interval: a wait that does not wait would never let go of the mutex.
        let left = interval.saturating_sub(began.elapsed()).clamp(Duration::from_micros(1), PIECE);
        let (guard, result) = condition.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner);
        let woken = match result.timed_out() {
            false => Woken::Signalled,
            true if began.elapsed() < interval => Woken::Meanwhile,
            true => Woken::IntervalOver,
        };
        (guard, woken)
    }
}

/// A global interpreter lock.
///
/// The closures given to [`Gil::take`] and [`Gil::drop_lock`] run while the lock's
/// mutex is held, so that what they stamp is in order: no two threads ever
/// seem to own the lock at once. They must be short and must not panic.
#[derive(Debug, Default)]
pub struct Gil<T = WallTimer> {
    /// The standard library's even under the model checker: a hint, whose truth is in the policy.
    breaker: AtomicU32,
    state: Mutex<State>,
    free: Condvar,
    switched: Condvar,
    timer: T,
}

#[derive(Debug, Default)]
struct State {
    policy: Policy,
    /// How many wait on `free`: a signal is a system call even when nobody listens.
    waiting: u32,
    /// How many wait on `switched`.
    held_back: u32,
}

impl Gil {
    /// A lock that is free.
    pub fn new() -> Gil {
        Gil::default()
    }
}

impl<T: Timer> Gil<T> {
    /// What the holder looks at, relaxed, at every safe point: [`REQUEST`] and [`STOP`].
    pub fn breaker(&self) -> &AtomicU32 {
        &self.breaker
    }

    /// Asks whoever runs under this lock to unwind. Nobody is woken from a wait.
    pub fn stop(&self) {
        self.breaker.fetch_or(STOP, Ordering::Relaxed);
    }

    /// Waits for the lock and takes it.
    ///
    /// `interval` is read whenever a wait begins and at least every 50 ms of it; `on_request` is called each time this
    /// thread sets the drop request; `stamp` when it has the lock. All with the mutex held.
    pub fn take(
        &self,
        lane: LaneId,
        interval: impl Fn() -> Nanos,
        mut on_request: impl FnMut(),
        stamp: impl FnOnce(Taken),
    ) {
        let mut state = self.lock();
        while let Some(wait) = state.policy.ask() {
            state.waiting += 1;
            state = self.wait(state, wait, &interval, &mut on_request);
            state.waiting -= 1;
        }
        let taken = state.policy.take(lane);
        if taken.requested {
            self.breaker.fetch_and(!REQUEST, Ordering::Relaxed);
        }
        stamp(taken);
        if state.held_back > 0 {
            self.switched.notify_all();
        }
    }

    /// Drops the lock (`drop` alone is taken: an `Arc` has it); if it was asked for, waits until another thread has it. `stamp` is told whether it was, with
    /// the mutex held.
    pub fn drop_lock(&self, lane: LaneId, stamp: impl FnOnce(bool)) {
        let mut state = self.lock();
        let dropped = state.policy.drop(lane);
        stamp(dropped.requested);
        if state.waiting > 0 {
            self.free.notify_one();
        }
        if dropped.requested {
            state.held_back += 1;
            while state.policy.awaits_switch(lane) {
                state = self.switched.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.held_back -= 1;
        }
    }

    /// Waits until woken or for one interval, then does what the rules say.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        wait: Wait,
        interval: &impl Fn() -> Nanos,
        on_request: &mut impl FnMut(),
    ) -> MutexGuard<'a, State> {
        let began = self.timer.begin();
        loop {
            let woken;
            (state, woken) = self.timer.wait(&self.free, state, &began, interval());
            match woken {
                Woken::Meanwhile if state.policy.holder().is_some() => {}
                Woken::Meanwhile | Woken::Signalled => return state,
                Woken::IntervalOver => {
                    if state.policy.interval_over(wait) {
                        self.breaker.fetch_or(REQUEST, Ordering::Relaxed);
                        on_request();
                    }
                    return state;
                }
            }
        }
    }

    /// A thread that panicked under the mutex must not take the others with it: the policy is whole at every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(gilscope_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, AtomicUsize};
    use std::thread;

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
        while gil.lock().waiting == 0 {
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
}

/// Every interleaving of a few threads. A thread plays the clock: it ends the intervals of all who wait.
#[cfg(all(test, gilscope_loom))]
mod model {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

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
        let _state = gil.lock();
        gil.timer.ticks.fetch_add(1, Ordering::Relaxed);
        gil.free.notify_all();
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
            assert_eq!((state.waiting, state.held_back), (0, 0));
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
}
