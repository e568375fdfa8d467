//! How many looks there were at something, ever and of late.

use std::ops::Add;

use crate::event::Nanos;
use crate::trace::Count;

/// After so long a look counts half, of late.
const HALF: f64 = 10e9;

/// How many looks there were, and how many waited in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Weight {
    pub held: f64,
    held_squared: f64,
    waited: f64,
    waited_squared: f64,
}

/// The looks at something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    ever: Weight,
    lately: Weight,
    /// As of when `lately` is faded.
    at: Nanos,
}

impl Weight {
    pub fn of(held: f64, waited: f64) -> Weight {
        Weight { held, held_squared: held * held, waited, waited_squared: waited * waited }
    }

    /// Each look as one.
    pub fn held(self) -> Count {
        Count { sum: self.held, squares: self.held_squared }
    }

    /// Each look as many times as there were who waited.
    pub fn waited(self) -> Count {
        Count { sum: self.waited, squares: self.waited_squared }
    }

    fn times(self, factor: f64) -> Weight {
        let squared = factor * factor;
        Weight {
            held: self.held * factor,
            held_squared: self.held_squared * squared,
            waited: self.waited * factor,
            waited_squared: self.waited_squared * squared,
        }
    }
}

impl Add for Weight {
    type Output = Weight;

    fn add(self, other: Weight) -> Weight {
        Weight {
            held: self.held + other.held,
            held_squared: self.held_squared + other.held_squared,
            waited: self.waited + other.waited,
            waited_squared: self.waited_squared + other.waited_squared,
        }
    }
}

impl Sum {
    pub fn add(&mut self, at: Nanos, weight: Weight) {
        self.take_in(&Sum { ever: weight, lately: weight, at });
    }

    /// Looks at the same of other lanes.
    pub fn take_in(&mut self, other: &Sum) {
        let at = self.at.max(other.at);
        (self.ever, self.lately, self.at) = (self.ever + other.ever, self.faded(at) + other.faded(at), at);
    }

    pub fn ever(&self) -> Weight {
        self.ever
    }

    /// As much as they count at this instant, and no earlier one.
    pub fn faded(&self, at: Nanos) -> Weight {
        self.lately.times(0.5_f64.powf((at - self.at).0 as f64 / HALF))
    }

    /// When the latest was.
    pub fn at(&self) -> Nanos {
        self.at
    }
}
