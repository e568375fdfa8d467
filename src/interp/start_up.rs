//! What CPython computes while a worker starts, computed here as well.
//!
//! The CPU clock of a new process or thread begins at nothing, and goes on through `exec`; so what the miniature itself
//! has spent by the end of a step is read from it, and only what is missing is worked off. See [`crate::calibration`].

use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

use crate::event::Nanos;

/// Computes until the calling thread has had so much CPU time since its birth. Nothing, if it has.
pub(super) fn work_until(wanted: Nanos) {
    let mut value = 1_u64;
    while wanted > Nanos::ZERO && on_cpu() < wanted {
        // Some microseconds between two looks at the clock.
        for step in 0..2_000_u64 {
            value = black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step));
        }
    }
}

/// What a thread that lives already is to have computed from some moment on, whatever it does itself included: a maker
/// that forks more quickly than CPython's makes up for it before the next birth.
pub(super) struct Owed {
    by: Nanos,
}

impl Owed {
    /// Nothing so far.
    pub(super) fn from_now() -> Owed {
        Owed { by: on_cpu() }
    }

    /// Computes until it has computed so much more.
    pub(super) fn pay(&mut self, more: Nanos) {
        self.by += more;
        work_until(self.by);
    }
}

/// The CPU time of the calling thread since its birth.
fn on_cpu() -> Nanos {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_paid_once_and_what_was_done_meanwhile_counts() {
        let paid = std::thread::spawn(|| {
            work_until(Nanos::from_millis(2));
            let before = on_cpu();
            let mut owed = Owed::from_now();
            owed.pay(Nanos::ZERO);
            let nothing = on_cpu() - before;
            work_until(before + Nanos::from_millis(4));
            owed.pay(Nanos::from_millis(3));
            let covered = on_cpu() - before;
            owed.pay(Nanos::from_millis(3));
            (nothing, covered, on_cpu() - before)
        });
        let (nothing, covered, all) = paid.join().unwrap();
        assert!(nothing < Nanos::from_millis(2) && covered < Nanos::from_millis(6), "{nothing}, {covered}");
        assert!(all >= Nanos::from_millis(6) && all < Nanos::from_millis(9), "{all}");
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
}
