//! `math`.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive};

use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::limits;
use crate::vm::native::{Call, Library, Native};
use crate::vm::number::{self, Number};
use crate::vm::value::Value;

pub(super) static LIBRARY: Library = Library {
    name: "math",
    functions: &[
        Native::function("sqrt", |call| real(call, "sqrt", f64::sqrt)),
        Native::function("sin", |call| real(call, "sin", f64::sin)),
        Native::function("cos", |call| real(call, "cos", f64::cos)),
        Native::function("tan", |call| real(call, "tan", f64::tan)),
        Native::function("exp", |call| real(call, "exp", f64::exp)),
        Native::function("log2", |call| logarithm(call, "log2", f64::log2)),
        Native::function("log10", |call| logarithm(call, "log10", f64::log10)),
        Native::function("fabs", |call| real(call, "fabs", f64::abs)),
        Native::function("log", log),
        Native::function("floor", |call| whole(call, "math.floor", f64::floor)),
        Native::function("ceil", |call| whole(call, "math.ceil", f64::ceil)),
        Native::function("isqrt", isqrt),
        Native::function("gcd", gcd),
        Native::function("factorial", factorial),
        Native::function("isnan", |call| Ok(Value::Bool(argument(call, "math.isnan")?.is_nan()))),
        Native::function("isinf", |call| Ok(Value::Bool(argument(call, "math.isinf")?.is_infinite()))),
    ],
    constants: &[
        ("pi", Value::Float(std::f64::consts::PI)),
        ("e", Value::Float(std::f64::consts::E)),
        ("tau", Value::Float(std::f64::consts::TAU)),
        ("inf", Value::Float(f64::INFINITY)),
        ("nan", Value::Float(f64::NAN)),
    ],
};

fn as_float(value: &Value) -> Result<f64, Raised> {
    let number = Number::of(value);
    number.ok_or_else(|| type_error(format!("must be real number, not {}", value.type_name())))?.float()
}

fn argument(call: &Call<'_>, name: &str) -> Result<f64, Raised> {
    as_float(&call.exactly::<1>(name)?[0])
}

/// CPython's `math_1`: a result that is no number where the argument was one is an error.
fn real(call: &mut Call<'_>, name: &str, function: fn(f64) -> f64) -> Result<Value, Raised> {
    let x = argument(call, &format!("math.{name}"))?;
    let result = function(x);
    if result.is_nan() && !x.is_nan() {
        return Err(value_error("math domain error"));
    }
    if result.is_infinite() && x.is_finite() {
        return Err(Kind::OverflowError.raise("math range error"));
    }
    Ok(Value::Float(result))
}

fn positive(value: &Value, function: fn(f64) -> f64) -> Result<f64, Raised> {
    let domain = || value_error("math domain error");
    if let Value::Big(big) = value
        && number::big_to_float(big).is_none()
    {
        if big.is_negative() {
            return Err(domain());
        }
        // Too large for a float, but its logarithm is not.
        let shift = big.bits().saturating_sub(64);
        let upper = (&**big >> shift).to_f64().unwrap_or(f64::INFINITY);
        return Ok(function(upper) + shift as f64 * function(2.0));
    }
    let x = as_float(value)?;
    if x <= 0.0 { Err(domain()) } else { Ok(function(x)) }
}

fn logarithm(call: &mut Call<'_>, name: &str, function: fn(f64) -> f64) -> Result<Value, Raised> {
    let [value] = call.exactly::<1>(&format!("math.{name}"))?;
    positive(value, function).map(Value::Float)
}

fn log(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    call.between("log", args, 1, 2)?;
    let value = positive(&args[0], f64::ln)?;
    let Some(base) = args.get(1) else { return Ok(Value::Float(value)) };
    number::float_divide(value, positive(base, f64::ln)?).map(Value::Float)
}

fn whole(call: &mut Call<'_>, name: &str, rounded: fn(f64) -> f64) -> Result<Value, Raised> {
    match &call.exactly::<1>(name)?[0] {
        Value::Float(value) => number::truncate(rounded(*value)),
        Value::Bool(value) => Ok(Value::Int((*value).into())),
        value @ (Value::Int(_) | Value::Wide(_) | Value::Big(_)) => Ok(value.clone()),
        other => Err(type_error(format!("must be real number, not {}", other.type_name()))),
    }
}

fn as_int(value: &Value) -> Result<BigInt, Raised> {
    match value {
        Value::Int(value) => Ok(BigInt::from(*value)),
        Value::Bool(value) => Ok(BigInt::from(u8::from(*value))),
        Value::Wide(value) => Ok(BigInt::from(value.get())),
        Value::Big(value) => Ok(BigInt::clone(value)),
        other => Err(type_error(format!("'{}' object cannot be interpreted as an integer", other.type_name()))),
    }
}

fn isqrt(call: &mut Call<'_>) -> Result<Value, Raised> {
    let value = as_int(&call.exactly::<1>("math.isqrt")?[0])?;
    if value.is_negative() {
        return Err(value_error("isqrt() argument must be nonnegative"));
    }
    // Newton's method: a division at each doubling of the digits that are right.
    limits::int_steps(number::words(&value).pow(2))?;
    Ok(Value::from(value.sqrt()))
}

fn gcd(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.no_keywords("math.gcd")?;
    let mut result = BigInt::ZERO;
    for value in call.positional() {
        let value = as_int(value)?;
        // Bit by bit, each time over all words.
        limits::int_steps(64 * number::words(&result) * number::words(&value))?;
        result = result.gcd(&value);
    }
    Ok(Value::from(result))
}

fn factorial(call: &mut Call<'_>) -> Result<Value, Raised> {
    let n = as_int(&call.exactly::<1>("math.factorial")?[0])?;
    if n.is_negative() {
        return Err(value_error("factorial() not defined for negative values"));
    }
    // 100,000! has a million and a half bits, and takes about a second.
    let n = n.to_u64().filter(|n| *n <= 100_000).ok_or_else(crate::vm::exception::out_of_memory)?;
    call.outside.heartbeat(call.line);
    let mut product = BigInt::from(1);
    for factor in 2..=n {
        product *= factor;
        limits::bits(product.bits())?;
    }
    call.outside.heartbeat(call.line);
    Ok(Value::from(product))
}
