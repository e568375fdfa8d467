//! `round`.

use num_bigint::BigInt;
use num_traits::Signed;

use crate::vm::exception::{Raised, type_error};
use crate::vm::methods::as_index;
use crate::vm::native::Call;
use crate::vm::number::{self, Number};
use crate::vm::value::Value;

/// Half to even, as Python rounds: exactly, by way of the float's decimal expansion.
pub(super) fn round(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value, digits] = call.bind("round", call.positional(), ["number", "ndigits"])?;
    let value = value.ok_or_else(|| type_error("round() missing required argument 'number' (pos 1)"))?;
    let digits = match digits {
        None | Some(Value::None) => None,
        Some(digits) => Some(as_index(digits)?),
    };
    match (Number::of(value), digits) {
        (None, _) => Err(type_error(format!("type {} doesn't define __round__ method", value.type_name()))),
        (Some(Number::Float(value)), None) => number::truncate(value.round_ties_even()),
        (Some(Number::Float(value)), Some(digits)) => Ok(Value::Float(round_float(value, digits)?)),
        (Some(_), digits) => {
            let value = if let Value::Bool(value) = value { &Value::Int((*value).into()) } else { value };
            match digits {
                Some(digits @ ..=-1) => round_int(value, digits),
                _ => Ok(value.clone()),
            }
        }
    }
}

fn round_float(value: f64, digits: i64) -> Result<f64, Raised> {
    if !value.is_finite() || digits > 323 {
        return Ok(value);
    }
    if digits < -308 {
        return Ok(0f64.copysign(value));
    }
    if digits >= 0 {
        // Rust prints the exact value, correctly rounded with ties to even.
        return Ok(format!("{value:.*}", digits as usize).parse().unwrap_or(value));
    }
    let whole = BigInt::from(value.trunc() as i128);
    let exact = if value.abs() < 1e30 { Some(whole) } else { None };
    match exact {
        Some(whole) => {
            // A fraction beyond a tie breaks it.
            let scale = BigInt::from(10).pow(digits.unsigned_abs() as u32);
            let doubled: BigInt = (&whole % &scale).abs() * 2;
            let tie = doubled == scale && value.fract() != 0.0;
            let rounded = match round_int(&Value::from(whole.clone()), digits)? {
                Value::Int(value) => value as f64,
                Value::Wide(value) => value.get() as f64,
                Value::Big(value) => number::big_to_float(&value).unwrap_or(f64::INFINITY),
                _ => value,
            };
            let away = (whole / &scale + BigInt::from(if value < 0.0 { -1 } else { 1 })) * &scale;
            let result = if tie { number::big_to_float(&away).unwrap_or(rounded) } else { rounded };
            Ok(result.abs().copysign(value))
        }
        None => Ok(format!("{:.*e}", (value.abs().log10().floor() as i64 + digits).max(0) as usize, value)
            .parse()
            .unwrap_or(value)),
    }
}

fn round_int(value: &Value, digits: i64) -> Result<Value, Raised> {
    let value = match value {
        Value::Wide(value) => BigInt::from(value.get()),
        Value::Big(value) => BigInt::clone(value),
        other => BigInt::from(as_index(other)?),
    };
    // More digits than it has: nothing is left of it.
    if digits.unsigned_abs() > value.bits() {
        return Ok(Value::Int(0));
    }
    let scale = BigInt::from(10).pow(digits.unsigned_abs() as u32);
    let (quotient, remainder) = num_integer::Integer::div_mod_floor(&value, &scale);
    let up = match (&remainder * 2u32).cmp(&scale) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => num_integer::Integer::is_odd(&quotient),
    };
    Ok(Value::from((quotient + u8::from(up)) * scale))
}
