//! How many looks there were at something, and how sure what they say is.

use std::ops::{Add, AddAssign};

use crate::event::Nanos;

/// After so long a look counts half, of late.
const HALF: f64 = 10e9;

/// How many looks there were, and the squares of what they count, by which it is told how sure they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Count {
    pub sum: f64,
    pub squares: f64,
}

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

/// So many nanoseconds, by so many looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How many.
    pub ns: f64,
    variance: f64,
}

impl Count {
    /// As many looks that count alike say as much as these.
    pub fn looks(self) -> f64 {
        if self.squares > 0.0 { self.sum * self.sum / self.squares } else { 0.0 }
    }
}

impl Add for Count {
    type Output = Count;

    fn add(self, other: Count) -> Count {
        Count { sum: self.sum + other.sum, squares: self.squares + other.squares }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        *self = *self + other;
    }
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

impl Estimate {
    /// As much of the whole as the part counts of all looks.
    pub(super) fn part(whole: Nanos, part: Count, all: Count) -> Estimate {
        if all.sum <= 0.0 {
            return Estimate::default();
        }
        let whole = whole.0 as f64;
        // Two more of each kind are reckoned (Agresti and Coull), else three looks of three would be certain.
        let more = all.squares / all.sum;
        let (part_squares, squares) = (part.squares + 2.0 * more * more, all.squares + 4.0 * more * more);
        let (sum, likely) = (all.sum + 4.0 * more, (part.sum + 2.0 * more) / (all.sum + 4.0 * more));
        // A look at something else is off by as much as is likely, one at it by the rest.
        let off = part_squares * (1.0 - likely).powi(2) + (squares - part_squares) * likely.powi(2);
        Estimate { ns: whole * part.sum / all.sum, variance: whole * whole * off / (sum * sum) }
    }

    /// A share of the whole that is the share of so many looks.
    pub fn of_looks(whole: Nanos, share: f64, looks: f64) -> Estimate {
        let whole = whole.0 as f64;
        // Two more of each kind are reckoned (Agresti and Coull), else
        // three looks of three would be certain.
        let likely = (share * looks + 2.0) / (looks + 4.0);
        Estimate { ns: whole * share, variance: whole * whole * likely * (1.0 - likely) / (looks + 4.0) }
    }

    /// How far it may be off, in nineteen of twenty cases, as far as that lies with the number of looks.
    pub fn off(self) -> f64 {
        2.0 * self.variance.sqrt()
    }
}

impl AddAssign for Estimate {
    fn add_assign(&mut self, other: Estimate) {
        self.ns += other.ns;
        self.variance += other.variance;
    }
}
