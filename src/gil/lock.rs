//! The rules over one mutex and condition variables, as in CPython: one wakes who waits for the lock, one those who may
//! not go on before another took it.
//!
//! CPython has a second mutex for the latter, so that a thread can look at the
//! last holder after it let go of the first. One will do here: looking and
//! waiting is one step, and no wake-up can fall between. Plain condition
//! variables of the standard library, because their timed wait behaves as
//! CPython's does: the kernel's timer slack and the way back onto a core are
//! part of the 5.2 ms people measure where 5 ms are configured.
//!
//! Who drops the lock wakes whoever has waited longest, as the condition variables of the C library do (glibc's signal
//! goes to the older of its two groups of waiters). Those of the standard library wake anybody, and first of all one who
//! is about to wait and does not sleep yet: that is who asked for the lock, as he has just let go of the mutex. He is on
//! a core already, and one who sleeps has to be put on one, often on that of who dropped the lock, who then goes on late
//! and asks late in his turn. With four threads this is what makes one hold in ten some milliseconds longer. So each
//! waiter has a condition variable of its own, in a queue. The queue says who is woken, not who gets the lock: whoever
//! comes while it is free has it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
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
    pub(super) state: Mutex<State>,
    switched: Condvar,
    pub(super) timer: T,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) policy: Policy,
    /// Who waits for the lock, the longest first. Who is woken is out of it already.
    pub(super) waiting: VecDeque<Arc<Condvar>>,
    /// How many wait on `switched`.
    pub(super) held_back: u32,
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
            state = self.wait(state, wait, &interval, &mut on_request);
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

    /// Drops the lock (`drop` alone is taken: an `Arc` has it); if it was asked for, waits until another thread has it.
    /// `stamp` is told whether it was, with the mutex held.
    pub fn drop_lock(&self, lane: LaneId, stamp: impl FnOnce(bool)) {
        let mut state = self.lock();
        let dropped = state.policy.drop(lane);
        stamp(dropped.requested);
        if let Some(longest) = state.waiting.pop_front() {
            longest.notify_one();
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
        let own = Arc::new(Condvar::new());
        state.waiting.push_back(own.clone());
        loop {
            let woken;
            (state, woken) = self.timer.wait(&own, state, &began, interval());
            // Gone from the queue: by who dropped the lock, however this wait ended.
            let Some(place) = state.waiting.iter().position(|it| Arc::ptr_eq(it, &own)) else { return state };
            if woken == Woken::IntervalOver {
                state.waiting.remove(place);
                if state.policy.interval_over(wait) {
                    self.breaker.fetch_or(REQUEST, Ordering::Relaxed);
                    on_request();
                }
                return state;
            }
        }
    }

    /// A thread that panicked under the mutex must not take the others with it: the policy is whole at every step.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
