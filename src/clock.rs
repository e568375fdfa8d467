//! Where time comes from.
//!
//! One time base serves every process of a run: `CLOCK_MONOTONIC`, which the
//! kernel's own records can be asked to use as well. Tests use a clock they set by
//! hand.

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
    fn a_virtual_clock_moves_only_when_moved() {
        let clock = Virtual::at(Nanos(7));
        let same = clock.clone();
        clock.advance(Nanos(3));
        assert_eq!((clock.now(), same.now()), (Nanos(10), Nanos(10)));
    }
}
