//! Threads that changed a shared counter lost some of the changes.

use super::words::percent;
use super::{Facts, Insight, Of, Said};

pub(super) const INSIGHT: Insight = Insight { id: "lost-updates", of: Of::Tasks, find };

fn find(facts: &Facts) -> Option<Said> {
    let (expected, actual) = counted(facts.outcome.as_deref()?)?;
    // One that lost nothing has nothing to explain; one that counted more did something else.
    if actual >= expected {
        return None;
    }
    let lost = expected - actual;
    let share = percent(lost as f64 / expected as f64);
    Said::with(
        format!(
            "{lost} of {expected} updates were lost ({share}), and {actual} are left: between reading the old value and \
             writing the new one, another worker wrote its own."
        ),
        "Try: a lock around each update, or count in a local and add it once.",
    )
}

/// Reads `{'expected': 4, 'actual': 3}`: what a file's `outcome()` returns where there is something to be counted.
fn counted(outcome: &str) -> Option<(u64, u64)> {
    let inside = outcome.strip_prefix('{')?.strip_suffix('}')?;
    let value = |name: &str| {
        let entry = inside.split(',').map(str::trim).find_map(|entry| entry.strip_prefix(name)?.strip_prefix(':'));
        entry?.trim().parse().ok()
    };
    Some((value("'expected'")?, value("'actual'")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_counted_is_read() {
        assert_eq!(counted("{'expected': 40, 'actual': 31}"), Some((40, 31)));
        assert_eq!(counted("{'actual': 31, 'more': 1, 'expected': 40}"), Some((40, 31)));
        for other in ["{'left': 0}", "None", "{'expected': 40}", "{'expected': 'x', 'actual': 3}", "× no"] {
            assert_eq!(counted(other), None, "{other}");
        }
    }
}
