//! Where time comes from.
//!
//! One time base serves every process of a run: `CLOCK_MONOTONIC`, which the
//! kernel's own records can be asked to use as well. Tests use a clock they set by
//! hand. What a thread has had of a core is another clock, its own.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::Nanos;

/// A source of instants.
pub trait Clock {
    /// The instant it is.
    fn now(&self) -> Nanos;
}

/// `CLOCK_MONOTONIC`: the same in every process, never set back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Nanos {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

/// The CPU time of the calling thread since its birth; it goes on through `exec`.
pub fn on_cpu() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Computes until the calling thread has had so much CPU time since its birth. Nothing, if it has.
pub fn work_until(wanted: Nanos) {
    let mut value = 1_u64;
    loop {
        let left = wanted - on_cpu();
        if left == Nanos::ZERO {
            return;
        }
        // Some microseconds between two looks at the clock, which take a third of one; fewer where few are left.
        let steps = if left > Nanos::from_micros(20) { 2_000 } else { 200 };
        for step in 0..steps {
            value = black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step));
        }
    }
}

/// A clock that stands until it is moved. Its clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Virtual(Arc<AtomicU64>);

impl Virtual {
    /// A clock that shows `start`.
    pub fn at(start: Nanos) -> Virtual {
        Virtual(Arc::new(AtomicU64::new(start.0)))
    }

    /// Moves it on by `span`.
    pub fn advance(&self, span: Nanos) {
        self.0.fetch_add(span.0, Ordering::Relaxed);
    }
}

impl Clock for Virtual {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_is_never_set_back() {
        let first = Monotonic.now();
        assert!(Monotonic.now() >= first);
    }

    #[test]
    fn what_was_spent_already_counts_and_the_rest_is_cpu_time() {
        let spent = std::thread::spawn(|| {
            work_until(Nanos::from_millis(3));
            let first = on_cpu();
            work_until(Nanos::from_millis(3));
            let nothing = on_cpu() - first;
            work_until(Nanos::from_millis(6));
            (first, nothing, on_cpu())
        });
        let (first, nothing, all) = spent.join().unwrap();
        assert!(first >= Nanos::from_millis(3) && all >= Nanos::from_millis(6));
        assert!(nothing < Nanos::from_millis(3), "{nothing}");
    }

    #[test]
    fn a_virtual_clock_moves_only_when_moved() {
        let clock = Virtual::at(Nanos(7));
        let same = clock.clone();
        clock.advance(Nanos(3));
        assert_eq!((clock.now(), same.now()), (Nanos(10), Nanos(10)));
    }
}
