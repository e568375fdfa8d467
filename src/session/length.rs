//! How long the work shall last, one task after another.

use crate::event::Nanos;

/// How long one at a time shall last. The other models do the same work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// Long enough for the eye to move.
    #[default]
    ThreeSeconds,
    /// Long enough to talk about it.
    TenSeconds,
    /// Until somebody stops it.
    UntilStopped,
    /// The workload's own size.
    Own,
}

impl Length {
    /// Every length, in the order of its key.
    pub const ALL: [Length; 4] = [Length::ThreeSeconds, Length::TenSeconds, Length::UntilStopped, Length::Own];

    /// The one after it; after the last comes the first.
    pub fn next(self) -> Length {
        let index = Length::ALL.iter().position(|length| *length == self).unwrap_or(0);
        Length::ALL[(index + 1) % Length::ALL.len()]
    }

    /// How long the baseline should last, where that is decided here.
    pub const fn target(self) -> Option<Nanos> {
        match self {
            Length::ThreeSeconds => Some(Nanos::from_secs(3)),
            Length::TenSeconds => Some(Nanos::from_secs(10)),
            Length::UntilStopped | Length::Own => None,
        }
    }

    /// As the header says it.
    pub const fn words(self) -> &'static str {
        match self {
            Length::ThreeSeconds => "lasts 3 s",
            Length::TenSeconds => "lasts 10 s",
            Length::UntilStopped => "until stopped",
            Length::Own => "its own size",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_for_the_length_goes_through_all_and_begins_again() {
        let mut length = Length::default();
        for _ in Length::ALL {
            length = length.next();
        }
        assert_eq!(length, Length::default());
    }
}
