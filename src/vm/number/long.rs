//! Ints of any size: no step of them is taken without a look at how many there will be.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};

use super::{Number, float_power, zero_division};
use crate::vm::code::Operator;
use crate::vm::exception::{Kind, Raised, out_of_memory, type_error, value_error};
use crate::vm::limits;
use crate::vm::value::Value;

/// The nearest float, ties to even; none when that is infinite.
pub(crate) fn big_to_float(value: &BigInt) -> Option<f64> {
    let bits = value.bits();
    if bits <= 64 {
        // `u64 as f64` rounds to nearest, ties to even.
        let magnitude = value.magnitude().to_u64()? as f64;
        return Some(if value.is_negative() { -magnitude } else { magnitude });
    }
    if bits > 1024 {
        return None;
    }
    // The upper 64 bits, with everything below gathered into the last one.
    let shift = bits - 64;
    let mut upper = (value.magnitude() >> shift).to_u64()?;
    if value.magnitude().trailing_zeros().is_some_and(|zeros| zeros < shift) {
        upper |= 1;
    }
    let magnitude = upper as f64 * 2f64.powi(shift as i32);
    magnitude.is_finite().then_some(if value.is_negative() { -magnitude } else { magnitude })
}

/// `a op b` for ints of any size.
pub(super) fn big(operator: Operator, a: &BigInt, b: &BigInt) -> Result<Value, Raised> {
    Ok(Value::from(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => {
            limits::bits(a.bits().saturating_add(b.bits()))?;
            a * b
        }
        Operator::FloorDivide if b.is_zero() => return Err(zero_division("integer division or modulo by zero")),
        Operator::Remainder if b.is_zero() => return Err(zero_division("integer modulo by zero")),
        Operator::TrueDivide if b.is_zero() => return Err(zero_division("division by zero")),
        Operator::FloorDivide => {
            limits::int_steps(division(a, b))?;
            a.div_floor(b)
        }
        Operator::Remainder => {
            limits::int_steps(division(a, b))?;
            a.mod_floor(b)
        }
        Operator::TrueDivide => return divide(a, b).map(Value::Float),
        Operator::Power => return power(a, b),
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Xor => a ^ b,
        Operator::LeftShift | Operator::RightShift if b.is_negative() => {
            return Err(value_error("negative shift count"));
        }
        Operator::LeftShift if a.is_zero() => BigInt::ZERO,
        Operator::LeftShift => {
            let by = b.to_u64().ok_or_else(out_of_memory)?;
            limits::bits(a.bits().saturating_add(by))?;
            a << by
        }
        // Rounds towards minus infinity, as Python's does.
        Operator::RightShift => match b.to_u64() {
            Some(by) if by < a.bits() => a >> by,
            _ if a.is_negative() => BigInt::from(-1),
            _ => BigInt::ZERO,
        },
        Operator::MatrixMultiply => unreachable_matrix()?,
    }))
}

/// How long an int is in the words it is computed with.
pub(crate) fn words(value: &BigInt) -> u128 {
    u128::from(value.bits().div_ceil(64))
}

/// The steps of a long division: the quotient's words times the divisor's.
fn division(a: &BigInt, b: &BigInt) -> u128 {
    (words(a) + 1).saturating_sub(words(b)) * words(b)
}

#[cold]
fn unreachable_matrix() -> Result<BigInt, Raised> {
    Err(type_error("unsupported operand type(s) for @: 'int' and 'int'"))
}

fn power(base: &BigInt, exponent: &BigInt) -> Result<Value, Raised> {
    if exponent.is_negative() {
        let (base, exponent) = (Number::Big(base).float()?, Number::Big(exponent).float()?);
        return float_power(base, exponent).map(Value::Float);
    }
    let one = BigInt::from(1);
    if base.magnitude() == one.magnitude() || base.is_zero() || exponent.is_zero() {
        return Ok(Value::from(match (base.sign(), exponent.is_zero()) {
            (_, true) | (Sign::Plus, _) => one,
            (Sign::NoSign, _) => BigInt::ZERO,
            (Sign::Minus, _) if exponent.is_even() => one,
            (Sign::Minus, _) => -one,
        }));
    }
    let exponent = exponent.to_u32().ok_or_else(out_of_memory)?;
    limits::bits((base.bits() - 1).saturating_mul(exponent.into()))?;
    Ok(Value::from(base.pow(exponent)))
}

/// `pow(base, exponent, modulus)`, with the modulus's sign.
pub(crate) fn modular_power(base: &BigInt, exponent: &BigInt, modulus: &BigInt) -> Result<Value, Raised> {
    if modulus.is_zero() {
        return Err(value_error("pow() 3rd argument cannot be 0"));
    }
    // A square and a reduction for each bit of the exponent, and perhaps a product.
    let (word, length) = (words(modulus), words(base).max(words(modulus)));
    limits::int_steps(length * word + u128::from(exponent.bits()) * 4 * word * word)?;
    if !exponent.is_negative() {
        return Ok(Value::from(base.modpow(exponent, modulus)));
    }
    limits::int_steps(64 * length * word)?;
    let inverse = base.extended_gcd(modulus);
    if inverse.gcd.magnitude() != BigInt::from(1).magnitude() {
        return Err(value_error("base is not invertible for the given modulus"));
    }
    let inverse = if inverse.gcd.is_negative() { -inverse.x } else { inverse.x };
    Ok(Value::from(inverse.mod_floor(modulus).modpow(&-exponent, modulus)))
}

/// `a / b` rounded once to the nearest float, ties to even (CPython's `long_true_divide`).
fn divide(a: &BigInt, b: &BigInt) -> Result<f64, Raised> {
    let too_large = || Kind::OverflowError.raise("integer division result too large for a float");
    if a.is_zero() {
        return Ok(if b.is_negative() { -0.0 } else { 0.0 });
    }
    let negative = a.is_negative() != b.is_negative();
    let (a, b) = (a.magnitude(), b.magnitude());
    // Scaled so that the quotient has 66 or 67 bits: more than a float's 53 and a guard.
    let shift = 66 - (a.bits() as i64 - b.bits() as i64);
    if shift > 66 + 1100 {
        return Ok(if negative { -0.0 } else { 0.0 });
    }
    if shift < 66 - 1025 {
        return Err(too_large());
    }
    let (quotient, remainder) = if shift >= 0 { (a << shift).div_rem(b) } else { a.div_rem(&(b << -shift)) };
    let mut quotient = quotient.to_u128().ok_or_else(too_large)?;
    if !remainder.is_zero() {
        quotient |= 1;
    }
    // Where the result is subnormal fewer bits are left; round to that many first.
    let exponent = 128 - i64::from(quotient.leading_zeros()) - shift;
    let kept = if exponent < -1021 { (53 + exponent + 1021).max(0) } else { 53 };
    let drop = (128 - i64::from(quotient.leading_zeros()) - kept) as u32;
    let (high, low, half) = (quotient >> drop, quotient & ((1u128 << drop) - 1), 1u128 << (drop - 1));
    let rounded = match low.cmp(&half) {
        Ordering::Less => high,
        Ordering::Greater => high + 1,
        Ordering::Equal => high + (high & 1),
    };
    // `rounded` has at most 53 bits and the power of two is applied in two exact steps.
    let exponent = i64::from(drop) - shift;
    let (first, second) = (exponent / 2, exponent - exponent / 2);
    let result = rounded as f64 * 2f64.powi(first as i32) * 2f64.powi(second as i32);
    if result.is_infinite() {
        return Err(too_large());
    }
    Ok(if negative { -result } else { result })
}
