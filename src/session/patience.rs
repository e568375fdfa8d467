//! How long one task after another may take before somebody is asked whether it shall.
//!
//! Ten thousand waits that go on at once are over in a second; one after another they take hours. Nobody who asks for a
//! comparison thinks of that, and a baseline that has begun says nothing of its end. How long it will take, its own tasks
//! tell: each that is done has taken its part. No pilot has to be run for that, and whoever asked for little waits for
//! nothing.

use crate::event::Nanos;

/// Whoever sits at the screen is asked before one task after another takes longer.
pub const BASELINE_AT_MOST: Nanos = Nanos::from_secs(10);

/// Where nobody can be asked it must be said beforehand that it may take longer than this; what takes longer than
/// [`BASELINE_AT_MOST`] is told of.
pub const UNATTENDED_AT_MOST: Nanos = Nanos::from_secs(600);

/// From when on the tasks that are done tell how long the others take.
const SOON: Nanos = Nanos::from_secs(1);

/// About how long a run takes that does one task after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// So long.
    pub span: Nanos,
    /// Or longer: the task that it is at takes longer than those before it, or is the first.
    pub at_least: bool,
}

/// How fast the tasks of one run go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    begun: Option<Nanos>,
    /// How many tasks were done when last one was, and how long after the beginning that was seen.
    done: usize,
    after: Nanos,
}

impl Pace {
    /// At `now` the clock of the run goes, and so many of its tasks are done. How long it will take, once that can be
    /// said.
    pub fn look(&mut self, now: Nanos, done: usize, tasks: usize) -> Option<Expected> {
        let elapsed = now - *self.begun.get_or_insert(now);
        if done > self.done {
            (self.done, self.after) = (done, elapsed);
        }
        let of_all = |span: Nanos, tasks_in_it: usize| {
            Nanos(span.0.saturating_mul(tasks as u64).checked_div(tasks_in_it as u64).unwrap_or(0))
        };
        let by_those_done = of_all(self.after, self.done);
        // With the one it is at, as if that were done now.
        let least = if self.done < tasks { of_all(elapsed, self.done + 1) } else { Nanos::ZERO };
        let known = elapsed >= if self.done > 0 { SOON } else { BASELINE_AT_MOST };
        let at_least = least > by_those_done;
        known.then_some(Expected { span: least.max(by_those_done), at_least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos::from_secs(1);

    #[test]
    fn ten_thousand_seconds_are_known_of_after_the_first() {
        let mut pace = Pace::default();
        let begun = Nanos::from_secs(100);
        assert_eq!(pace.look(begun, 0, 10_000), None);
        assert_eq!(pace.look(begun + Nanos::from_millis(900), 0, 10_000), None);
        let expected = pace.look(begun + SECOND, 1, 10_000);
        assert_eq!(expected, Some(Expected { span: Nanos::from_secs(10_000), at_least: false }));
        // Between two ends it stays what it was.
        assert_eq!(pace.look(begun + Nanos::from_millis(1900), 1, 10_000), expected);
    }

    #[test]
    fn a_first_task_that_does_not_end_says_how_long_it_takes_at_least() {
        let mut pace = Pace::default();
        pace.look(Nanos::ZERO, 0, 4);
        assert_eq!(pace.look(Nanos::from_secs(9), 0, 4), None);
        let expected = pace.look(BASELINE_AT_MOST, 0, 4);
        assert_eq!(expected, Some(Expected { span: Nanos::from_secs(40), at_least: true }));
    }

    #[test]
    fn a_later_task_that_takes_longer_is_no_surprise_at_its_end_only() {
        let mut pace = Pace::default();
        pace.look(Nanos::ZERO, 0, 10);
        assert_eq!(pace.look(SECOND, 1, 10), Some(Expected { span: Nanos::from_secs(10), at_least: false }));
        assert_eq!(
            pace.look(Nanos::from_secs(61), 1, 10),
            Some(Expected { span: Nanos::from_secs(305), at_least: true })
        );
    }

    #[test]
    fn what_is_over_in_a_moment_is_never_spoken_of() {
        let mut pace = Pace::default();
        for done in 0..=100 {
            assert_eq!(pace.look(Nanos::from_millis(5 * done), done as usize, 100), None);
        }
    }
}
