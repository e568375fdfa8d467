//! Arithmetic on `int`, `float` and `bool` with Python's semantics: floor
//! division, modulo with the divisor's sign, true division correctly rounded,
//! and ints that outgrow 64 bits instead of wrapping.
//!
//! The evaluation loop has the common cases (both `int`, both `float`) inline;
//! what comes here is everything else.

mod long;

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{FromPrimitive, Signed};

use super::code::Operator;
use super::exception::{Kind, Raised, value_error};
use super::value::Value;

use long::big;
pub(crate) use long::{big_to_float, modular_power, words};

/// A number, whatever its type. `bool` counts as `int`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number<'a> {
    Int(i64),
    Wide(i128),
    Big(&'a BigInt),
    Float(f64),
}

impl<'a> Number<'a> {
    pub(crate) fn of(value: &'a Value) -> Option<Number<'a>> {
        Some(match value {
            Value::Int(value) => Number::Int(*value),
            Value::Bool(value) => Number::Int((*value).into()),
            Value::Wide(value) => Number::Wide(value.get()),
            Value::Big(value) => Number::Big(value),
            Value::Float(value) => Number::Float(*value),
            _ => return None,
        })
    }

    /// As a float; `OverflowError` where it is too large for one.
    pub(crate) fn float(self) -> Result<f64, Raised> {
        match self {
            Number::Int(value) => Ok(value as f64),
            Number::Float(value) => Ok(value),
            // To nearest, ties to even.
            Number::Wide(value) => Ok(value as f64),
            Number::Big(value) => {
                big_to_float(value).ok_or_else(|| Kind::OverflowError.raise("int too large to convert to float"))
            }
        }
    }

    /// As an int of any size; none for a float.
    fn big(self) -> Option<BigInt> {
        match self {
            Number::Int(value) => Some(BigInt::from(value)),
            Number::Wide(value) => Some(BigInt::from(value)),
            Number::Big(value) => Some(value.clone()),
            Number::Float(_) => None,
        }
    }

    /// An int that is no long one.
    fn short(self) -> Option<i128> {
        match self {
            Number::Int(value) => Some(value.into()),
            Number::Wide(value) => Some(value),
            Number::Big(_) | Number::Float(_) => None,
        }
    }
}

#[cold]
fn zero_division(message: &str) -> Raised {
    Kind::ZeroDivisionError.raise(message)
}

/// `a op b` for numbers; none where the operator is not defined for them (a float's bits).
pub(crate) fn binary(operator: Operator, a: Number<'_>, b: Number<'_>) -> Option<Result<Value, Raised>> {
    use Number::{Float, Int};
    if let (Int(a), Int(b)) = (a, b)
        && let Some(result) = small(operator, a, b)
    {
        return Some(result);
    }
    if matches!(a, Float(_)) || matches!(b, Float(_)) {
        return floats(operator, a, b);
    }
    if let (Some(a), Some(b)) = (a.short(), b.short())
        && let Some(result) = wide(operator, a, b)
    {
        return Some(Ok(Value::from(result)));
    }
    // The commonest, without a copy of the long one.
    if let Some(sum) = match (operator, a, b) {
        (Operator::Add, Number::Big(a), Int(b)) => Some(a + b),
        (Operator::Add, Int(a), Number::Big(b)) => Some(b + a),
        (Operator::Add, Number::Big(a), Number::Wide(b)) => Some(a + b),
        (Operator::Add, Number::Wide(a), Number::Big(b)) => Some(b + a),
        (Operator::Add, Number::Big(a), Number::Big(b)) => Some(a + b),
        (Operator::Subtract, Number::Big(a), Int(b)) => Some(a - b),
        (Operator::Subtract, Number::Big(a), Number::Wide(b)) => Some(a - b),
        (Operator::Subtract, Number::Big(a), Number::Big(b)) => Some(a - b),
        _ => None,
    } {
        return Some(Ok(Value::from(sum)));
    }
    Some(big(operator, &a.big()?, &b.big()?))
}

/// Adds an int to a long one, or takes it away from it, in place.
pub(crate) fn add_to(total: &mut BigInt, operator: Operator, amount: &Value) {
    match (operator, amount) {
        (Operator::Subtract, Value::Int(amount)) => *total -= *amount,
        (Operator::Subtract, Value::Wide(amount)) => *total -= amount.get(),
        (Operator::Subtract, Value::Big(amount)) => *total -= &**amount,
        (_, Value::Int(amount)) => *total += *amount,
        (_, Value::Wide(amount)) => *total += amount.get(),
        (_, Value::Big(amount)) => *total += &**amount,
        _ => {}
    }
}

/// Both fit 64 bits; none if the result may not.
fn small(operator: Operator, a: i64, b: i64) -> Option<Result<Value, Raised>> {
    Some(Ok(match operator {
        Operator::Add => Value::from(i128::from(a) + i128::from(b)),
        Operator::Subtract => Value::from(i128::from(a) - i128::from(b)),
        Operator::Multiply => Value::from(i128::from(a) * i128::from(b)),
        Operator::FloorDivide | Operator::Remainder | Operator::TrueDivide if b == 0 => return None,
        Operator::FloorDivide if b == -1 => Value::from(-i128::from(a)),
        Operator::Remainder if b == -1 => Value::Int(0),
        Operator::FloorDivide => Value::Int(Integer::div_floor(&a, &b)),
        Operator::Remainder => Value::Int(Integer::mod_floor(&a, &b)),
        // Both exact as floats, so one division rounds once.
        Operator::TrueDivide if a.unsigned_abs() <= 1 << 53 && b.unsigned_abs() <= 1 << 53 => {
            Value::Float(a as f64 / b as f64)
        }
        Operator::Power => Value::Int(a.checked_pow(u32::try_from(b).ok()?)?),
        Operator::And => Value::Int(a & b),
        Operator::Or => Value::Int(a | b),
        Operator::Xor => Value::Int(a ^ b),
        Operator::RightShift if b >= 0 => Value::Int(a >> b.min(63)),
        Operator::LeftShift if (0..63).contains(&b) => {
            let shifted = a << b;
            if shifted >> b != a {
                return None;
            }
            Value::Int(shifted)
        }
        _ => return None,
    }))
}

/// Both fit a `Wide`; none if the result may not fit 128 bits, or it raises, or is a float.
pub(super) fn wide(operator: Operator, a: i128, b: i128) -> Option<i128> {
    Some(match operator {
        // Of 120 bits each they cannot overflow 128.
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a.checked_mul(b)?,
        Operator::FloorDivide if b != 0 => Integer::div_floor(&a, &b),
        Operator::Remainder if b != 0 => Integer::mod_floor(&a, &b),
        Operator::Power => a.checked_pow(u32::try_from(b).ok()?)?,
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Xor => a ^ b,
        Operator::RightShift if b >= 0 => a >> b.min(127),
        Operator::LeftShift if (0..127).contains(&b) => {
            let shifted = a << b;
            if shifted >> b != a {
                return None;
            }
            shifted
        }
        _ => return None,
    })
}

fn floats(operator: Operator, a: Number<'_>, b: Number<'_>) -> Option<Result<Value, Raised>> {
    let operate = |with: fn(f64, f64) -> Result<f64, Raised>| {
        let (a, b) = (a.float()?, b.float()?);
        with(a, b).map(Value::Float)
    };
    Some(match operator {
        Operator::Add => operate(|a, b| Ok(a + b)),
        Operator::Subtract => operate(|a, b| Ok(a - b)),
        Operator::Multiply => operate(|a, b| Ok(a * b)),
        Operator::TrueDivide => operate(float_divide),
        Operator::FloorDivide => operate(|a, b| {
            if b == 0.0 {
                return Err(zero_division("float floor division by zero"));
            }
            Ok(float_divmod(a, b).0)
        }),
        Operator::Remainder => operate(|a, b| {
            if b == 0.0 {
                return Err(zero_division("float modulo by zero"));
            }
            Ok(float_divmod(a, b).1)
        }),
        Operator::Power => operate(float_power),
        _ => return None,
    })
}

pub(crate) fn float_divide(a: f64, b: f64) -> Result<f64, Raised> {
    if b == 0.0 {
        return Err(zero_division("float division by zero"));
    }
    Ok(a / b)
}

/// Quotient and remainder as CPython's `float_divmod` has them: the remainder takes the divisor's sign.
fn float_divmod(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder == 0.0 {
        remainder = 0f64.copysign(b);
    } else if (b < 0.0) != (remainder < 0.0) {
        remainder += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0f64.copysign(a / b), remainder);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, remainder)
}

fn float_power(a: f64, b: f64) -> Result<f64, Raised> {
    if a == 0.0 && b < 0.0 {
        return Err(zero_division("0.0 cannot be raised to a negative power"));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(value_error(
            "a negative number to a fractional power is complex, which the miniature does not have",
        ));
    }
    let power = a.powf(b);
    if power.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(Kind::OverflowError.raise("(34, 'Numerical result out of range')"));
    }
    Ok(power)
}

/// Three-way comparison; none where one is not a number (`nan`).
pub(crate) fn compare(a: Number<'_>, b: Number<'_>) -> Option<Ordering> {
    use Number::{Big, Float};
    if let (Some(a), Some(b)) = (a.short(), b.short()) {
        return Some(a.cmp(&b));
    }
    match (a, b) {
        (Float(a), Float(b)) => a.partial_cmp(&b),
        (Float(a), b) => compare_float(a, b),
        (a, Float(b)) => compare_float(b, a).map(Ordering::reverse),
        (Big(a), Big(b)) => Some(a.cmp(b)),
        (Big(a), _) => Some(if a.is_negative() { Ordering::Less } else { Ordering::Greater }),
        (_, Big(b)) => Some(if b.is_negative() { Ordering::Greater } else { Ordering::Less }),
        _ => None,
    }
}

/// Exact: a float against an int is not first rounded.
fn compare_float(a: f64, b: Number<'_>) -> Option<Ordering> {
    if a.is_nan() {
        return None;
    }
    if a.is_infinite() {
        return Some(if a > 0.0 { Ordering::Greater } else { Ordering::Less });
    }
    let whole = BigInt::from_f64(a.floor())?;
    let ordering = whole.cmp(&b.big()?);
    Some(if ordering == Ordering::Equal && a.fract() != 0.0 { Ordering::Greater } else { ordering })
}

/// `-x`, `+x`, `~x`; none where it is not defined.
pub(crate) fn negative(value: Number<'_>) -> Value {
    match value {
        Number::Int(value) => Value::from(-i128::from(value)),
        Number::Wide(value) => Value::from(-value),
        Number::Big(value) => Value::from(-value),
        Number::Float(value) => Value::Float(-value),
    }
}

/// The float's whole part as an int: `int(x)`.
pub(crate) fn truncate(value: f64) -> Result<Value, Raised> {
    if value.is_nan() {
        return Err(value_error("cannot convert float NaN to integer"));
    }
    let whole = BigInt::from_f64(value.trunc());
    whole.map(Value::from).ok_or_else(|| Kind::OverflowError.raise("cannot convert float infinity to integer"))
}

#[cfg(test)]
mod tests;
