//! Time as one type: whole nanoseconds.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Nanoseconds: an instant on `CLOCK_MONOTONIC` or a span between two.
///
/// One type serves both, as in the kernel's own records. Subtraction saturates
/// at zero: two instants read on different cores may be a few nanoseconds out
/// of order, and a span is never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than every instant.
    pub const MAX: Nanos = Nanos(u64::MAX);

    /// A span of so many microseconds.
    pub const fn from_micros(micros: u64) -> Nanos {
        Nanos(micros.saturating_mul(1_000))
    }

    /// A span of so many milliseconds.
    pub const fn from_millis(millis: u64) -> Nanos {
        Nanos(millis.saturating_mul(1_000_000))
    }

    /// A span of so many seconds.
    pub const fn from_secs(secs: u64) -> Nanos {
        Nanos(secs.saturating_mul(1_000_000_000))
    }

    /// The span in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The span in milliseconds.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add for Nanos {
    type Output = Nanos;
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Nanos) {
        *self = *self + other;
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    fn sub(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(other.0))
    }
}

impl Sum for Nanos {
    fn sum<I: Iterator<Item = Nanos>>(spans: I) -> Nanos {
        spans.fold(Nanos::ZERO, Add::add)
    }
}

impl From<Duration> for Nanos {
    fn from(span: Duration) -> Nanos {
        Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(span: Nanos) -> Duration {
        Duration::from_nanos(span.0)
    }
}

/// As people read spans: `870 ns`, `4.20 µs`, `5.16 ms`, `3.02 s`; with a precision so many digits after the point, as
/// numbers have it, and no padding.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            0..1_000 if f.precision().is_none() => return f.pad(&format!("{} ns", self.0)),
            0..1_000 => return write!(f, "{} ns", self.0),
            1_000..1_000_000 => (self.0 as f64 / 1e3, "µs"),
            1_000_000..1_000_000_000 => (self.0 as f64 / 1e6, "ms"),
            _ => (self.0 as f64 / 1e9, "s"),
        };
        if let Some(digits) = f.precision() {
            // `pad` would cut the text to so many letters.
            return write!(f, "{value:.digits$} {unit}");
        }
        let digits = match value {
            v if v < 9.995 => 2,
            v if v < 99.95 => 1,
            _ => 0,
        };
        f.pad(&format!("{value:.digits$} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_with_three_figures_and_their_unit() {
        for (nanos, text) in [
            (0, "0 ns"),
            (870, "870 ns"),
            (4_200, "4.20 µs"),
            (5_160_000, "5.16 ms"),
            (84_000_000, "84.0 ms"),
            (999_400_000, "999 ms"),
            (3_020_000_000, "3.02 s"),
        ] {
            assert_eq!(Nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn a_precision_is_of_the_number_and_cuts_no_text() {
        let spans = [Nanos(7), Nanos::from_millis(50), Nanos::from_secs(1)];
        assert_eq!(spans.map(|span| format!("{span:.0}")), ["7 ns", "50 ms", "1 s"]);
        assert_eq!(format!("{:.1}", Nanos(4_260)), "4.3 µs");
        assert_eq!(format!("[{:>8}]", Nanos::from_millis(50)), "[ 50.0 ms]");
    }

    #[test]
    fn a_span_is_never_negative() {
        assert_eq!(Nanos(3) - Nanos(5), Nanos::ZERO);
        assert_eq!(Nanos::MAX + Nanos(1), Nanos::MAX);
    }
}
