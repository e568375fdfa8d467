//! What CPython computes while a worker starts, computed here as well.
//!
//! The CPU clock of a new process or thread begins at nothing, and goes on through `exec`; so what the miniature itself
//! has spent by the end of a step is read from it, and only what is missing is worked off. See [`crate::calibration`].

pub(super) use crate::clock::work_until;

use crate::clock::on_cpu;
use crate::event::Nanos;

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
}
