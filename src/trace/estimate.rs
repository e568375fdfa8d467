//! How many looks there were at something, and how sure what they say is.

use std::ops::{Add, AddAssign, Sub};

use crate::event::Nanos;

/// How many looks there were, and the squares of what they count, by which it is told how sure they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// How many.
    pub sum: f64,
    /// The squares of what each counts.
    pub squares: f64,
}

/// So many nanoseconds, by so many looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How many.
    pub ns: f64,
    variance: f64,
}

impl Count {
    /// One that counts so much.
    pub fn of(counts: f64) -> Count {
        Count { sum: counts, squares: counts * counts }
    }

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

impl Sub for Count {
    type Output = Count;

    fn sub(self, part: Count) -> Count {
        Count { sum: self.sum - part.sum, squares: self.squares - part.squares }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        *self = *self + other;
    }
}

impl Estimate {
    /// As much of the whole as the part counts of all looks.
    pub fn part(whole: Nanos, part: Count, all: Count) -> Estimate {
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
        // Two more of each kind are reckoned (Agresti and Coull), else three looks of three would be certain.
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
