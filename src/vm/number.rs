//! Arithmetic on `int`, `float` and `bool` with Python's semantics: floor
//! division, modulo with the divisor's sign, true division correctly rounded,
//! and ints that outgrow 64 bits instead of wrapping.
//!
//! The evaluation loop has the common cases (both `int`, both `float`) inline;
//! what comes here is everything else.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};

use super::code::Operator;
use super::exception::{Kind, Raised, out_of_memory, value_error};
use super::limits;
use super::value::Value;

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
pub(crate) fn float_divmod(a: f64, b: f64) -> (f64, f64) {
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

fn big(operator: Operator, a: &BigInt, b: &BigInt) -> Result<Value, Raised> {
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
    Err(super::exception::type_error("unsupported operand type(s) for @: 'int' and 'int'"))
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn float(operator: Operator, a: f64, b: f64) -> f64 {
        match binary(operator, Number::Float(a), Number::Float(b)) {
            Some(Ok(Value::Float(value))) => value,
            other => panic!("{other:?}"),
        }
    }

    /// Ints around the lengths from which on they are kept in another way.
    fn at_borders() -> impl Strategy<Value = BigInt> {
        let bits = proptest::sample::select(vec![0u32, 62, 63, 64, 65, 118, 119, 120, 126, 127, 128]);
        (bits, -3i32..=3, any::<bool>()).prop_map(|(bits, off, negative)| {
            let value = (BigInt::from(1) << bits) + off;
            if negative { -value } else { value }
        })
    }

    #[test]
    fn a_float_s_remainder_takes_the_divisor_s_sign() {
        assert_eq!(float(Operator::Remainder, -7.5, 2.0), 0.5);
        assert_eq!(float(Operator::Remainder, 7.5, -2.0), -0.5);
        assert_eq!(float(Operator::FloorDivide, -7.5, 2.0), -4.0);
    }

    proptest! {
        #[test]
        fn the_small_path_agrees_with_the_big_one(a: i64, b in -70i64..70, operator in proptest::sample::select(vec![
            Operator::Add, Operator::Subtract, Operator::Multiply, Operator::FloorDivide, Operator::Remainder,
            Operator::TrueDivide, Operator::And, Operator::Or, Operator::Xor, Operator::LeftShift, Operator::RightShift,
        ])) {
            let quick = binary(operator, Number::Int(a), Number::Int(b)).unwrap();
            let slow = big(operator, &BigInt::from(a), &BigInt::from(b));
            prop_assert_eq!(format!("{quick:?}"), format!("{slow:?}"));
        }

        #[test]
        fn ints_of_all_lengths_agree_with_the_big_ones(
            a in at_borders(), b in prop_oneof![at_borders(), (-130i32..130).prop_map(BigInt::from)],
            operator in proptest::sample::select(vec![
                Operator::Add, Operator::Subtract, Operator::Multiply, Operator::FloorDivide, Operator::Remainder,
                Operator::TrueDivide, Operator::And, Operator::Or, Operator::Xor, Operator::LeftShift, Operator::RightShift,
                Operator::Power,
            ])
        ) {
            let (x, y) = (Value::from(a.clone()), Value::from(b.clone()));
            let quick = binary(operator, Number::of(&x).unwrap(), Number::of(&y).unwrap()).unwrap();
            prop_assert_eq!(format!("{quick:?}"), format!("{:?}", big(operator, &a, &b)));
            for value in [&x, &y].into_iter().chain(&quick) {
                let fits = |bits: u32| Number::of(value).and_then(Number::big).is_none_or(|value| {
                    let half = BigInt::from(1) << (bits - 1);
                    -&half <= value && value < half
                });
                let fitting = match value {
                    Value::Int(_) => fits(64),
                    Value::Wide(_) => fits(120) && !fits(64),
                    Value::Big(_) => !fits(120),
                    _ => true,
                };
                prop_assert!(fitting, "{value:?}");
            }
            let ordering = compare(Number::of(&x).unwrap(), Number::of(&y).unwrap());
            prop_assert_eq!(ordering, Some(a.cmp(&b)));
            prop_assert_eq!(negative(Number::of(&x).unwrap()).repr(), (-&a).to_string());
            let nearest: f64 = a.to_string().parse().unwrap();
            prop_assert_eq!(Number::of(&x).unwrap().float().ok(), Some(nearest));
        }

        #[test]
        fn an_int_becomes_the_nearest_float(words: [u64; 3], shift in 0u32..180) {
            let wide: BigInt = (BigInt::from(words[0]) << 128) + (BigInt::from(words[1]) << 64) + words[2];
            let value: BigInt = wide >> shift;
            let nearest: f64 = value.to_string().parse().unwrap();
            prop_assert_eq!(big_to_float(&value), Some(nearest));
        }
    }
}
