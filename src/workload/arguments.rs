//! What a user gives as arguments, read and held against their ranges.

use crate::vm;

use super::load::{nearest, nearest_words};
use super::{ArgValue, Argument, Workload};

/// Why arguments given by the user were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ArgumentError {
    /// `work` has no such argument.
    #[error("{workload} has no argument '{name}'{}; it takes {}", nearest_words(.nearest), listed(.known))]
    Unknown {
        /// The workload.
        workload: String,
        /// What was given.
        name: String,
        /// Names like it.
        nearest: Vec<String>,
        /// All names.
        known: Vec<String>,
    },
    /// Not a number, or not a whole one.
    #[error("'{text}' is not {wanted}, which the argument {name} of {workload} must be")]
    NotANumber {
        /// The workload.
        workload: String,
        /// The argument.
        name: String,
        /// What was given.
        text: String,
        /// `a whole number` or `a number`.
        wanted: &'static str,
    },
    /// Outside its range.
    #[error("{name}={value} is out of range: {workload} takes {min} to {max}")]
    OutOfRange {
        /// The workload.
        workload: String,
        /// The argument.
        name: String,
        /// What was given.
        value: ArgValue,
        /// The least.
        min: ArgValue,
        /// The most.
        max: ArgValue,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

impl ArgValue {
    fn as_f64(self) -> f64 {
        match self {
            ArgValue::Int(value) => value as f64,
            ArgValue::Float(value) => value,
        }
    }
}

/// As Python writes it, and as `--arg` takes it.
impl std::fmt::Display for ArgValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ArgValue::Int(value) => value.fmt(f),
            ArgValue::Float(value) => f.write_str(&vm::Value::Float(*value).repr()),
        }
    }
}

impl Argument {
    pub(super) fn holds(&self, value: ArgValue) -> bool {
        match (self.min, value, self.max) {
            (ArgValue::Int(min), ArgValue::Int(value), ArgValue::Int(max)) => (min..=max).contains(&value),
            (min, value, max) => (min.as_f64()..=max.as_f64()).contains(&value.as_f64()),
        }
    }

    /// Reads what the user wrote: `1000000`, `1_000_000`, `1e6` and, where the default is no whole number, `0.5`.
    fn read(&self, workload: &str, text: &str) -> Result<ArgValue, ArgumentError> {
        let plain = text.trim().replace('_', "");
        let whole = matches!(self.default, ArgValue::Int(_));
        let refused = || ArgumentError::NotANumber {
            workload: workload.into(),
            name: self.name.clone(),
            text: text.into(),
            wanted: if whole { "a whole number" } else { "a number" },
        };
        let out_of_range = |value| ArgumentError::OutOfRange {
            workload: workload.into(),
            name: self.name.clone(),
            value,
            min: self.min,
            max: self.max,
        };
        let value = match plain.parse::<i64>() {
            Ok(value) if whole => ArgValue::Int(value),
            Ok(value) => ArgValue::Float(value as f64),
            Err(_) => {
                let float = plain.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(refused)?;
                match whole {
                    false => ArgValue::Float(float),
                    true if float.fract() != 0.0 => return Err(refused()),
                    true if float.abs() >= 9e18 => return Err(out_of_range(ArgValue::Float(float))),
                    true => ArgValue::Int(float as i64),
                }
            }
        };
        if self.holds(value) { Ok(value) } else { Err(out_of_range(value)) }
    }
}

impl Workload {
    /// The value of every argument: as given, else its default.
    pub fn arguments(&self, given: &[(&str, &str)]) -> Result<Vec<(String, ArgValue)>, ArgumentError> {
        let mut values: Vec<(String, ArgValue)> =
            self.arguments.iter().map(|argument| (argument.name.clone(), argument.default)).collect();
        for (name, text) in given {
            let Some(at) = self.arguments.iter().position(|argument| argument.name == *name) else {
                let known = || self.arguments.iter().map(|argument| argument.name.as_str());
                return Err(ArgumentError::Unknown {
                    workload: self.id.clone(),
                    name: (*name).into(),
                    nearest: nearest(name, known()),
                    known: known().map(String::from).collect(),
                });
            };
            values[at].1 = self.arguments[at].read(&self.id, text)?;
        }
        Ok(values)
    }
}
