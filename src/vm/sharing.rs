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

/// How often one who finds an object locked looks again at once: it is held for nanoseconds, and whoever has the other core
/// is about to let it go. (CPython has no such looks.)
const LOOKS: u32 = 100;

/// How often it then lets others have the core before it sleeps (CPython's `Python/lock.c`,
/// `MAX_SPIN_COUNT`).
const YIELDS: u32 = 40;

/// What this thread wanted was in another's hands.
pub(super) fn met_another() {
    CONTENDED.set(CONTENDED.get().wrapping_add(1));
}

fn give_way(round: u32) {
    if round < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
}

#[cold]
fn wait_for<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    met_another();
    for round in 0..LOOKS + YIELDS {
        give_way(round);
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock that is held for a few nanoseconds: whoever finds it taken looks again, and after a while lets others
/// have the core first, as CPython does before it sleeps (`Python/lock.c`).
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
        let mut round = 0;
        while self.0.load(Relaxed) || self.0.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            give_way(round);
            round = round.saturating_add(1);
        }
    }
}

impl Drop for Mine<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.0.store(false, Release);
    }
}
