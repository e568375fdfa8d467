//! Who waits for a lock still, without another look at him.
//!
//! # The problem
//! Where the kernel tells nothing of switches, what each thread does is looked at in every pass: that was a quarter of what
//! sampling takes. Of a busy program most threads wait for the lock.
//!
//! # The choice
//! Whoever takes a lock that another had last adds one to `switch_number` (`take_gil`, Python/ceval_gil.c). So if one was
//! found waiting for a lock, and another holds it, with the number as it was before he was looked at, he has not had it since:
//! he waits still. That counts as a look at him. One whose interpreter ends waits no longer without having had it: now and
//! then he is looked at all the same.

use crate::event::{LockId, Nanos};

use super::lock::Lock;

/// Who is said to wait is looked at this often at least.
const AT_LEAST: Nanos = Nanos::from_millis(10);

/// What a look at a lock has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its `switch_number`.
    pub(super) number: u64,
    /// Who holds it, if anybody does and that is known for certain.
    pub(super) holder: Option<u32>,
}

/// A thread that was found waiting for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    lock: LockId,
    number: u64,
    found_at: Nanos,
}

impl Wait {
    /// One that was looked at after its lock, at `at`.
    pub(super) fn found(lock: &Lock, at: Nanos) -> Option<Wait> {
        lock.seen.map(|seen| Wait { lock: lock.id, number: seen.number, found_at: at })
    }

    /// Whether the thread waits still, its lock having been looked at again.
    pub(super) fn lasts(&self, tid: u32, locks: &[Lock], now: Nanos) -> bool {
        let lock = locks.iter().find(|lock| lock.id == self.lock);
        let is_anothers = |seen: Seen| seen.number == self.number && seen.holder.is_some_and(|holder| holder != tid);
        self.found_at + AT_LEAST > now && lock.and_then(|lock| lock.seen).is_some_and(is_anothers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn he_waits_as_long_as_another_holds_the_lock_and_nobody_has_taken_it_since() {
        let mut lock = Lock::new(LockId(0), 1, 0, 0);
        let seen = |number, holder| Some(Seen { number, holder });
        assert_eq!(Wait::found(&lock, Nanos(0)), None, "of a lock that was not to be read");
        lock.seen = seen(7, None);
        let wait = Wait::found(&lock, Nanos(0)).unwrap();
        for (now, lasts) in [
            (seen(7, Some(1)), true),
            (seen(7, Some(2)), false),
            (seen(7, None), false),
            (seen(8, Some(1)), false),
            (None, false),
        ] {
            lock.seen = now;
            assert_eq!(wait.lasts(2, std::slice::from_ref(&lock), Nanos(5)), lasts, "{now:?}");
        }
        lock.seen = seen(7, Some(1));
        assert!(!wait.lasts(2, std::slice::from_ref(&lock), AT_LEAST), "it is long since he was looked at");
        assert!(!wait.lasts(2, &[], Nanos(5)));
    }
}
