//! The locks by which threads share values and globals, and how often they met at one.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

thread_local! {
    static CONTENDED: Cell<u32> = const { Cell::new(0) };
}

/// How often this thread found what threads share in another's hands, so far: an object locked, or a global stored to
/// by another since it last had to do with it. Wraps around.
pub fn contended() -> u32 {
    CONTENDED.get()
}

/// Locks an object that threads may share. Under a GIL nobody else ever has it.
#[inline]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => wait_for(mutex),
    }
}

/// How often one who finds an object locked lets others have the core before it sleeps (CPython's `Python/lock.c`,
/// `MAX_SPIN_COUNT`). Not looked at in between: each look takes the memory away from the core that is at work in it. With a
/// hundred looks before each yield the workload `counter` on two cores took 4.9 times as long as one task after the other,
/// without them 1.1 times.
pub(super) const YIELDS: u32 = 40;

/// What this thread wanted was in another's hands.
pub(super) fn met_another() {
    CONTENDED.set(CONTENDED.get().wrapping_add(1));
}

#[cold]
fn wait_for<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    met_another();
    for _ in 0..YIELDS {
        std::thread::yield_now();
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock that is held for a few nanoseconds: whoever finds it taken lets others have the core until it is free.
#[derive(Default)]
pub(super) struct Turn(AtomicBool);

/// While it lives, it is one's turn.
pub(super) struct Mine<'t>(&'t Turn);

impl Turn {
    #[inline(always)]
    pub(super) fn take(&self) -> Mine<'_> {
        if self.0.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            self.wait();
        }
        Mine(self)
    }

    #[cold]
    fn wait(&self) {
        met_another();
        while self.0.load(Relaxed) || self.0.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            std::thread::yield_now();
        }
    }
}

impl Drop for Mine<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.0.store(false, Release);
    }
}
