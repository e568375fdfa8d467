//! How large a task must be to last as long as a person wants to watch.
//!
//! A workload's metadata names the argument its length follows; how steeply,
//! nobody knows (counting is linear, testing primes is not, and sums grow
//! slower once they outgrow 64 bits). So a few short pilot runs are measured,
//! each longer than the one before; a power law is laid through the last two
//! and the argument is read off it. Where the last two slopes differ it is no
//! power law: somewhere the work began to cost more (or one pilot was disturbed).
//! Then one more pilot is run beyond that place, and what follows is taken to go
//! on as straight as from the last pilot but one to the last. The last pilot is
//! near enough that what the law gets wrong, or a busy machine adds, cannot make
//! seconds of minutes. One pilot would do for linear work only; a search that
//! closes in on the wanted length would take as long as that length.
//!
//! Where each of ten thousand tasks may take only a moment, the value lies far below the shortest pilot, and no law tells
//! what a task costs whatever its size. So it is run once itself: then it is known what the work will take.

use crate::event::Nanos;
use crate::workload::{ArgValue, Argument};

/// A pilot shorter than this measures start-up and noise.
const LONG_ENOUGH: Nanos = Nanos::from_millis(15);

/// How long the pilots after the first should last.
const PILOTS: [Nanos; 2] = [Nanos::from_millis(100), Nanos::from_millis(300)];

/// The pilot after a bend: this part of what is wanted.
const BEYOND_BEND: u64 = 3;

/// Slopes that differ by more than this are those of a bend.
const BEND: f64 = 0.3;

/// The least and the greatest slope that is believed: work that grows slower than its size, or faster than its
/// fourth power, is a disturbance of the measurement.
const SLOPES: (f64, f64) = (0.8, 4.0);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Run one task with this value and tell how long it took.
    Pilot(ArgValue),
    /// This is the value.
    Settled(ArgValue),
}

/// The search for one argument's value.
#[derive(Clone, Debug)]
pub struct Sizing {
    target: Nanos,
    whole: bool,
    min: f64,
    max: f64,
    next: f64,
    measured: Vec<(f64, f64)>,
    /// How long a task of the value that was found takes, where that lies below all pilots.
    below: Option<Nanos>,
}

/// A value below this part of the least that was measured is far below.
const FAR_BELOW: f64 = 0.5;

impl Sizing {
    /// Looks for the value of `argument` with which one task lasts `target`.
    pub fn new(argument: &Argument, target: Nanos) -> Sizing {
        let number = |value: ArgValue| match value {
            ArgValue::Int(value) => value as f64,
            ArgValue::Float(value) => value,
        };
        let (min, max) = (number(argument.min), number(argument.max));
        Sizing {
            target,
            whole: matches!(argument.default, ArgValue::Int(_)),
            min,
            max,
            next: (number(argument.default) / 8.0).clamp(min, max),
            measured: Vec::new(),
            below: None,
        }
    }

    /// What to do next.
    pub fn step(&self) -> Step {
        match self.planned() {
            Some(_) => Step::Pilot(self.value(self.next)),
            None => {
                let found = self.predict(self.target.0 as f64);
                let is_far_below = self.measured.iter().all(|(value, _)| found < value * FAR_BELOW);
                let value = self.value(found);
                if is_far_below && self.below.is_none() { Step::Pilot(value) } else { Step::Settled(value) }
            }
        }
    }

    /// How long a task of the value that was found takes, as far as is known.
    pub fn expected(&self) -> Nanos {
        self.below.unwrap_or(self.target).max(self.target)
    }

    /// How long the next pilot should last; none when enough is known.
    fn planned(&self) -> Option<Nanos> {
        let enough = Nanos(self.target.0 / 4);
        match self.measured.as_slice() {
            [] => Some(LONG_ENOUGH),
            [.., (value, _)] if *value >= self.max => None,
            [.., _, _, _] if self.measured.len() == PILOTS.len() + 1 && self.bends() => {
                Some(Nanos(self.target.0 / BEYOND_BEND))
            }
            [.., (_, took)] if *took >= enough.0 as f64 => None,
            [_, rest @ ..] => PILOTS.get(rest.len()).map(|pilot| (*pilot).min(enough)),
        }
    }

    /// Whether the last two slopes are not those of one power law.
    fn bends(&self) -> bool {
        match self.measured.as_slice() {
            [.., first, second, third] => (slope(*first, *second) - slope(*second, *third)).abs() > BEND,
            _ => false,
        }
    }

    /// Takes in how long the pilot took.
    pub fn measured(&mut self, took: Nanos) {
        if self.planned().is_none() {
            self.below = Some(took);
            return;
        }
        let (value, took) = (self.next, took.0.max(1) as f64);
        if self.measured.is_empty() && took < LONG_ENOUGH.0 as f64 && value < self.max {
            let factor = (2.0 * LONG_ENOUGH.0 as f64 / took).clamp(2.0, 16.0);
            self.next = (value * factor).clamp(self.min.max(f64::MIN_POSITIVE), self.max);
            return;
        }
        self.measured.push((value, took));
        if let Some(pilot) = self.planned() {
            // At least twice the last, so that a slope can be told.
            self.next = self.predict(pilot.0 as f64).max(2.0 * value).clamp(self.min, self.max);
        }
    }

    /// The value at which the law through the last pilots reaches `time`.
    fn predict(&self, time: f64) -> f64 {
        let value = match self.measured.as_slice() {
            [] => self.next,
            [(value, took)] => value * time / took,
            [.., (v1, t1), (v2, t2)] if v1 == v2 => v2 * time / t1.max(*t2),
            [.., (v1, t1), (v2, t2)] if self.bends() && t2 > t1 => v2 + (time - t2) * (v2 - v1) / (t2 - t1),
            [.., one, (value, took)] => {
                let slope = slope(*one, (*value, *took)).clamp(SLOPES.0, SLOPES.1);
                value * (time / took).powf(1.0 / slope)
            }
        };
        value.clamp(self.min, self.max)
    }

    fn value(&self, value: f64) -> ArgValue {
        if self.whole { ArgValue::Int(value.round() as i64) } else { ArgValue::Float(value) }
    }
}

/// The exponent of the power law through two pilots, each a value and the time it took.
fn slope((v1, t1): (f64, f64), (v2, t2): (f64, f64)) -> f64 {
    (t2 / t1).ln() / (v2 / v1).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(default: ArgValue, min: ArgValue, max: ArgValue) -> Argument {
        Argument { name: "n".to_owned(), help: String::new(), kind: Default::default(), default, min, max, size: true }
    }

    fn number(value: ArgValue) -> f64 {
        match value {
            ArgValue::Int(value) => value as f64,
            ArgValue::Float(value) => value,
        }
    }

    /// Lets the search measure a law; returns the value it settles on and what that would take.
    fn settle(argument: &Argument, target: Nanos, law: impl Fn(f64) -> f64) -> (ArgValue, f64) {
        let mut sizing = Sizing::new(argument, target);
        for _ in 0..40 {
            match sizing.step() {
                Step::Pilot(value) => sizing.measured(Nanos(law(number(value)) as u64)),
                Step::Settled(value) => return (value, law(number(value))),
            }
        }
        panic!("the search does not end");
    }

    #[test]
    fn power_laws_of_any_slope_are_sized_nearly_right() {
        let argument = argument(ArgValue::Int(1_000_000), ArgValue::Int(1), ArgValue::Int(i64::MAX));
        for (law, name, room) in [
            (Box::new(|n: f64| n * 20.0) as Box<dyn Fn(f64) -> f64>, "linear", 0.05),
            (Box::new(|n: f64| n.powf(1.5) / 40.0), "primes", 0.05),
            (Box::new(|n: f64| n * n / 1e3), "quadratic", 0.05),
            (Box::new(|n: f64| n.min(3e6) * 30.0 + (n - 3e6).max(0.0) * 150.0), "sums that outgrow 64 bits", 0.05),
        ] {
            let (value, took) = settle(&argument, Nanos::from_millis(1500), law);
            assert!((took / 1.5e9 - 1.0).abs() < room, "{name}: {value:?} takes {took}");
        }
    }

    #[test]
    fn a_sleep_is_sized_by_its_seconds() {
        let argument = argument(ArgValue::Float(0.005), ArgValue::Float(0.0), ArgValue::Float(3600.0));
        let (value, _) = settle(&argument, Nanos::from_millis(750), |seconds| seconds * 1e9 + 1e5);
        assert!((number(value) - 0.75).abs() < 0.03, "{value:?}");
    }

    #[test]
    fn the_search_ends_at_the_bounds_even_if_nothing_follows_the_argument() {
        let bounded = argument(ArgValue::Int(10), ArgValue::Int(1), ArgValue::Int(100));
        assert_eq!(settle(&bounded, Nanos::from_secs(3), |_| 10.0).0, ArgValue::Int(100));
        assert_eq!(settle(&bounded, Nanos::from_secs(1), |_| 60e9).0, ArgValue::Int(1));
    }

    #[test]
    fn what_a_task_costs_whatever_its_size_is_measured_where_little_is_wanted_of_each() {
        let argument = argument(ArgValue::Float(0.1), ArgValue::Float(0.0), ArgValue::Float(3600.0));
        // A request takes two milliseconds beside its delay.
        let law = |seconds: f64| seconds * 1e9 + 2e6;
        let each = |target| {
            let mut sizing = Sizing::new(&argument, target);
            for _ in 0..40 {
                match sizing.step() {
                    Step::Pilot(value) => sizing.measured(Nanos(law(number(value)) as u64)),
                    Step::Settled(_) => return sizing.expected(),
                }
            }
            panic!("it does not come to an end");
        };
        let few = each(Nanos::from_secs(1));
        assert!((0.9..1.2).contains(&few.as_secs_f64()), "{few}");
        let many = each(Nanos::from_micros(300));
        assert!(many >= Nanos::from_millis(2), "{many}");
    }

    #[test]
    fn a_disturbed_pilot_cannot_make_minutes_of_seconds() {
        let argument = argument(ArgValue::Int(1_000_000), ArgValue::Int(1), ArgValue::Int(i64::MAX));
        for disturbed in 0..5 {
            for factor in [0.3, 0.7, 2.0, 8.0] {
                let pilots = std::cell::Cell::new(0);
                let (value, _) = settle(&argument, Nanos::from_millis(1500), |n| {
                    pilots.set(pilots.get() + 1);
                    n * 20.0 * if pilots.get() == disturbed + 1 { factor } else { 1.0 }
                });
                let took = number(value) * 20.0;
                assert!((0.1e9..8e9).contains(&took), "pilot {disturbed} × {factor}: {} s", took / 1e9);
            }
        }
    }
}
