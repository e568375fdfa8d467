//! Builtins that make and reckon with numbers.

use num_bigint::BigInt;
use num_traits::{Num, Signed};

use crate::vm::code::Operator;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::methods::as_index;
use crate::vm::native::Call;
use crate::vm::number::{self, Number};
use crate::vm::value::Value;
use crate::vm::{limits, operate, text};

pub(super) fn abs(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value] = call.exactly::<1>("abs")?;
    match Number::of(value) {
        Some(Number::Int(value)) => Ok(Value::from(i128::from(value).abs())),
        Some(Number::Wide(value)) => Ok(Value::from(value.abs())),
        Some(Number::Big(value)) => Ok(Value::from(value.abs())),
        Some(Number::Float(value)) => Ok(Value::Float(value.abs())),
        None => Err(type_error(format!("bad operand type for abs(): '{}'", value.type_name()))),
    }
}

pub(super) fn radix(call: &mut Call<'_>, name: &str, prefix: &str, radix: u32) -> Result<Value, Raised> {
    let value = match &call.exactly::<1>(name)?[0] {
        Value::Wide(value) => BigInt::from(value.get()),
        Value::Big(value) => BigInt::clone(value),
        other => BigInt::from(as_index(other)?),
    };
    let sign = if value.is_negative() { "-" } else { "" };
    Ok(Value::str(format!("{sign}{prefix}{}", value.magnitude().to_str_radix(radix))))
}

pub(super) fn divmod(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [a, b] = call.exactly::<2>("divmod")?;
    if Number::of(a).is_none() || Number::of(b).is_none() {
        let (a, b) = (a.type_name(), b.type_name());
        return Err(type_error(format!("unsupported operand type(s) for divmod(): '{a}' and '{b}'")));
    }
    if (matches!(a, Value::Float(_)) || matches!(b, Value::Float(_))) && !b.truth() {
        return Err(Kind::ZeroDivisionError.raise("float divmod()"));
    }
    let quotient = operate::binary(Operator::FloorDivide, false, a, b)?;
    Ok(Value::tuple(vec![quotient, operate::binary(Operator::Remainder, false, a, b)?]))
}

pub(super) fn float(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.between("float", call.positional(), 0, 1)?;
    let Some(value) = call.args.first() else { return Ok(Value::Float(0.0)) };
    if let Some(number) = Number::of(value) {
        return number.float().map(Value::Float);
    }
    let Value::Str(string) = value else {
        let found = value.type_name();
        return Err(type_error(format!("float() argument must be a string or a real number, not '{found}'")));
    };
    let ascii = text::ascii_digits(string.as_str());
    let plain = ascii.trim();
    // Rust reads what Python reads, but for underscores between digits.
    let digits = |character: Option<char>| character.is_some_and(|character| character.is_ascii_digit());
    let characters: Vec<char> = plain.chars().collect();
    let placed = characters.iter().enumerate().all(|(at, character)| {
        *character != '_'
            || digits(at.checked_sub(1).and_then(|before| characters.get(before)).copied())
                && digits(characters.get(at + 1).copied())
    });
    let parsed = plain.replace('_', "").parse().ok().filter(|_| placed);
    parsed.map(Value::Float).ok_or_else(|| {
        let mut shown = String::new();
        text::str_repr(string.as_str(), &mut shown);
        value_error(format!("could not convert string to float: {shown}"))
    })
}

pub(super) fn int(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value, base] = match call.keywords {
        [] => {
            call.between("int", call.positional(), 0, 2)?;
            [call.args.first(), call.args.get(1)]
        }
        _ => call.bind("int", call.positional(), ["", "base"])?,
    };
    let Some(value) = value else { return Ok(Value::Int(0)) };
    match (value, base) {
        (Value::Str(string), base) => parse_int(string.as_str(), base.map_or(Ok(10), as_index)?),
        (_, Some(_)) => Err(type_error("int() can't convert non-string with explicit base")),
        (Value::Int(_) | Value::Wide(_) | Value::Big(_), _) => Ok(value.clone()),
        (Value::Bool(value), _) => Ok(Value::Int((*value).into())),
        (Value::Float(value), _) => number::truncate(*value),
        (other, _) => {
            let found = other.type_name();
            Err(type_error(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{found}'"
            )))
        }
    }
}

fn parse_int(string: &str, base: i64) -> Result<Value, Raised> {
    let invalid = || {
        let mut shown = String::new();
        text::str_repr(string, &mut shown);
        value_error(format!("invalid literal for int() with base {base}: {shown}"))
    };
    if base != 0 && !(2..=36).contains(&base) {
        return Err(value_error("int() base must be >= 2 and <= 36, or 0"));
    }
    let ascii = text::ascii_digits(string);
    let trimmed = ascii.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (mut radix, mut digits) = (base as u32, digits.to_ascii_lowercase());
    for (prefix, of) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if (base == 0 || base == of)
            && let Some(rest) = digits.strip_prefix(prefix)
        {
            (radix, digits) = (of as u32, rest.strip_prefix('_').unwrap_or(rest).to_owned());
            break;
        }
    }
    if radix == 0 {
        let old_octal =
            digits.len() > 1 && digits.starts_with('0') && digits.chars().any(|it| !matches!(it, '0' | '_'));
        if old_octal {
            return Err(invalid());
        }
        radix = 10;
    }
    if digits.is_empty() || digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return Err(invalid());
    }
    let digits = digits.replace('_', "");
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(invalid());
    }
    if !radix.is_power_of_two() && digits.len() > limits::INT_DIGITS {
        return Err(value_error(format!(
            "Exceeds the limit ({} digits) for integer string conversion: value has {} digits; \
             use sys.set_int_max_str_digits() to increase the limit",
            limits::INT_DIGITS,
            digits.len()
        )));
    }
    limits::bits(digits.len() as u64 * 5)?;
    let value = BigInt::from_str_radix(&digits, radix).map_err(|_| invalid())?;
    Ok(Value::from(if negative { -value } else { value }))
}

pub(super) fn pow(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [base, exponent, modulus] = call.bind("pow", call.positional(), ["base", "exp", "mod"])?;
    let missing = |name, position| type_error(format!("pow() missing required argument '{name}' (pos {position})"));
    let base = base.ok_or_else(|| missing("base", 1))?;
    let exponent = exponent.ok_or_else(|| missing("exp", 2))?;
    let Some(modulus) = modulus.filter(|modulus| !matches!(modulus, Value::None)) else {
        return operate::binary(Operator::Power, false, base, exponent);
    };
    let big = |value: &Value| match value {
        Value::Wide(value) => Ok(BigInt::from(value.get())),
        Value::Big(value) => Ok(BigInt::clone(value)),
        Value::Int(value) => Ok(BigInt::from(*value)),
        Value::Bool(value) => Ok(BigInt::from(u8::from(*value))),
        _ => Err(type_error("pow() 3rd argument not allowed unless all arguments are integers")),
    };
    let (base, exponent, modulus) = (big(base)?, big(exponent)?, big(modulus)?);
    call.outside.heartbeat(call.line);
    let result = number::modular_power(&base, &exponent, &modulus);
    call.outside.heartbeat(call.line);
    result
}
