//! A lock of the program's own: CPython's `PyMutex` (`Python/lock.c`, `Python/parking_lot.c`), which is what a
//! `threading.Lock` is in its free-threaded builds.
//!
//! How two threads get on with such a lock is all in what one does that finds it taken. It lets others have the core
//! some forty times and does not look meanwhile; then it parks. Whoever lets go of the lock wakes who parked first,
//! and the lock is free meanwhile: most often the one that woke the other has it again, and again, before that one is
//! up, who parks anew. Only who has waited for a millisecond is given it. So threads that hardly do anything but hold
//! one lock work about one at a time, and mostly a long while each.
//!
//! Not chosen: a mutex and a condition variable. The standard library's wakes by a system call whether anybody waits or
//! not. That was half of what `with lock:` took, and that half two threads do side by side: the workload `counter-lock` on
//! two cores took 0.64 times as long as one task after the other, where it takes CPython 1.2 times.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::sharing::{YIELDS, met_another};

/// Somebody has it.
const LOCKED: u8 = 1;
/// Somebody is parked, or was when last looked.
const HAS_PARKED: u8 = 2;

/// Who has waited for so long is given the lock by whoever lets go of it (`TIME_TO_BE_FAIR_NS`).
const TIME_TO_BE_FAIR: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Default)]
pub(super) struct PyMutex {
    bits: AtomicU8,
    /// Who parked first is first.
    parked: Mutex<VecDeque<Arc<Parked>>>,
}

/// Somebody who waits, and sleeps until it is woken.
struct Parked {
    thread: Thread,
    fair_at: Option<Instant>,
    /// [`ASLEEP`], [`WOKEN`] or [`HANDED_OFF`].
    state: AtomicU8,
}

const ASLEEP: u8 = 0;
/// To try again.
const WOKEN: u8 = 1;
/// The lock is its own.
const HANDED_OFF: u8 = 2;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    ToTryAgain,
    WithTheLock,
    TooLate,
}

impl PyMutex {
    pub(super) fn is_locked(&self) -> bool {
        self.bits.load(Acquire) & LOCKED != 0
    }

    /// Takes it if it is free. Whether it was.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        let mut bits = self.bits.load(Relaxed);
        while bits & LOCKED == 0 {
            match self.bits.compare_exchange(bits, bits | LOCKED, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(found) => bits = found,
            }
        }
        false
    }

    /// Waits for it, for so long at most. `sleep` is handed each sleep there is; `spins` says whether the core is left to
    /// others before the first of them, as it is where there is no GIL. Whether it was taken.
    pub(super) fn lock(&self, timeout: Option<Duration>, spins: bool, mut sleep: impl FnMut(&mut dyn FnMut())) -> bool {
        let now = Instant::now();
        let (fair_at, end) = (now.checked_add(TIME_TO_BE_FAIR), timeout.and_then(|timeout| now.checked_add(timeout)));
        if spins {
            met_another();
            // What was found before is not looked at again until that is over.
            if self.bits.load(Relaxed) == LOCKED {
                (0..YIELDS).for_each(|_| std::thread::yield_now());
            }
        }
        loop {
            if self.try_lock() {
                return true;
            }
            // The first of those who wait leaves word of it.
            let _ = self.bits.compare_exchange(LOCKED, LOCKED | HAS_PARKED, AcqRel, Relaxed);
            let Some(own) = self.park(fair_at) else { continue };
            let mut woken = Woken::ToTryAgain;
            sleep(&mut || woken = self.sleep(&own, end));
            match woken {
                Woken::ToTryAgain => {}
                Woken::WithTheLock => return true,
                Woken::TooLate => return false,
            }
        }
    }

    /// Lets go of it. Whether anybody had it.
    #[inline]
    pub(super) fn unlock(&self) -> bool {
        loop {
            match self.bits.compare_exchange(LOCKED, 0, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(found) if found & LOCKED == 0 => return false,
                Err(found) if found & HAS_PARKED != 0 => {
                    self.unpark();
                    return true;
                }
                Err(_) => {}
            }
        }
    }

    /// Puts oneself among the parked; none if the lock has been let go of meanwhile.
    fn park(&self, fair_at: Option<Instant>) -> Option<Arc<Parked>> {
        let mut parked = self.queue();
        // With the queue's lock: whoever wakes comes either before, and is seen here, or after, and finds us there.
        if self.bits.load(Acquire) != LOCKED | HAS_PARKED {
            return None;
        }
        let own = Parked { thread: std::thread::current(), fair_at, state: AtomicU8::new(ASLEEP) };
        let own = Arc::new(own);
        parked.push_back(own.clone());
        Some(own)
    }

    fn sleep(&self, own: &Arc<Parked>, mut end: Option<Instant>) -> Woken {
        loop {
            match own.state.load(Acquire) {
                ASLEEP => {}
                WOKEN => return Woken::ToTryAgain,
                _ => return Woken::WithTheLock,
            }
            match end.map(|end| end.saturating_duration_since(Instant::now())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => {
                    let mut parked = self.queue();
                    let before = parked.len();
                    parked.retain(|other| !Arc::ptr_eq(other, own));
                    if parked.len() < before {
                        return Woken::TooLate;
                    }
                    // Who is not there any more is being woken.
                    end = None;
                }
                Some(left) => std::thread::park_timeout(left),
            }
        }
    }

    /// Lets go of it where somebody may be parked: wakes the first, and gives it the lock if it has waited for long.
    #[cold]
    fn unpark(&self) {
        let mut parked = self.queue();
        let Some(first) = parked.pop_front() else {
            self.bits.store(0, Release);
            return;
        };
        let fair = first.fair_at.is_some_and(|at| Instant::now() > at);
        let more = if parked.is_empty() { 0 } else { HAS_PARKED };
        self.bits.store(if fair { LOCKED | more } else { more }, Release);
        drop(parked);
        first.state.store(if fair { HANDED_OFF } else { WOKEN }, Release);
        first.thread.unpark();
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Arc<Parked>>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// A lock that is taken, and one who is parked at it, who is to be given it from then on.
    fn parked(fair_at: Instant) -> (PyMutex, Arc<Parked>) {
        let mutex = PyMutex::default();
        assert!(mutex.try_lock());
        mutex.bits.store(LOCKED | HAS_PARKED, Relaxed);
        let own = mutex.park(Some(fair_at)).expect("it is taken");
        (mutex, own)
    }

    #[test]
    fn one_has_it_at_a_time_and_only_what_is_taken_can_be_let_go_of() {
        let mutex = PyMutex::default();
        assert!(!mutex.unlock() && !mutex.is_locked());
        assert!(mutex.try_lock() && mutex.is_locked() && !mutex.try_lock());
        assert!(mutex.unlock() && !mutex.is_locked() && !mutex.unlock());
    }

    #[test]
    fn who_is_woken_soon_has_to_try_again_and_who_has_waited_for_long_is_given_it() {
        let (mutex, own) = parked(Instant::now() + Duration::from_secs(3600));
        assert!(mutex.unlock() && !mutex.is_locked());
        assert_eq!(mutex.sleep(&own, None), Woken::ToTryAgain);

        let (mutex, own) = parked(Instant::now());
        std::thread::sleep(Duration::from_millis(1));
        assert!(mutex.unlock() && mutex.is_locked() && !mutex.try_lock());
        assert_eq!(mutex.sleep(&own, None), Woken::WithTheLock);
        assert!(mutex.unlock() && !mutex.is_locked());
    }

    #[test]
    fn who_parked_first_is_woken_first_and_nobody_is_forgotten() {
        let (mutex, first) = parked(Instant::now() + Duration::from_secs(3600));
        let second = mutex.park(None).expect("it is taken");
        let states = || (first.state.load(Relaxed), second.state.load(Relaxed));
        assert!(mutex.unlock());
        assert_eq!(states(), (WOKEN, ASLEEP));
        assert!(mutex.try_lock() && mutex.park(None).is_some() && mutex.unlock());
        assert_eq!(states(), (WOKEN, WOKEN));
    }

    #[test]
    fn who_gives_up_is_not_waited_for() {
        let mutex = PyMutex::default();
        assert!(mutex.try_lock());
        let mut sleeps = 0;
        let taken = mutex.lock(Some(Duration::from_millis(1)), true, |sleep| {
            sleeps += 1;
            sleep();
        });
        assert!(!taken && sleeps == 1 && mutex.queue().is_empty());
        assert!(mutex.unlock() && !mutex.is_locked() && mutex.try_lock());
    }

    #[test]
    fn nobody_adds_beside_another() {
        for spins in [true, false] {
            let (mutex, sum) = (PyMutex::default(), AtomicU32::new(0));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for round in 0..5_000 {
                            assert!(mutex.try_lock() || mutex.lock(None, spins, |sleep| sleep()));
                            let before = sum.load(Relaxed);
                            if round % 64 == 0 {
                                std::thread::yield_now();
                            }
                            sum.store(before + 1, Relaxed);
                            assert!(mutex.unlock());
                        }
                    });
                }
            });
            assert_eq!((sum.load(Relaxed), mutex.is_locked()), (20_000, false), "spins: {spins}");
        }
    }
}
