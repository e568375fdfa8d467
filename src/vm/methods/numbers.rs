//! Methods of `int` and `float`.

use num_traits::ToPrimitive;

use crate::vm::exception::{Kind, Raised, value_error};
use crate::vm::limits;
use crate::vm::native::{Call, Native};
use crate::vm::value::Value;

pub(super) const INT: &[Native] = &[
    Native::function("bit_length", bit_length),
    Native::function("bit_count", bit_count),
    Native::function("to_bytes", to_bytes),
    Native::function("conjugate", itself),
    Native::function("is_integer", |call| call.method::<0>("int.is_integer").map(|_| Value::Bool(true))),
];

pub(super) const FLOAT: &[Native] = &[
    Native::function("is_integer", |call| match call.method::<0>("float.is_integer")? {
        (Value::Float(value), _) => Ok(Value::Bool(value.is_finite() && value.fract() == 0.0)),
        _ => Ok(Value::None),
    }),
    Native::function("conjugate", itself),
];

fn itself(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.method::<0>("int.conjugate").map(|(value, _)| value.clone())
}

fn bit_length(call: &mut Call<'_>) -> Result<Value, Raised> {
    Ok(match call.method::<0>("int.bit_length")?.0 {
        Value::Int(value) => Value::Int((64 - value.unsigned_abs().leading_zeros()).into()),
        Value::Wide(value) => Value::Int((128 - value.get().unsigned_abs().leading_zeros()).into()),
        Value::Big(value) => Value::Int(value.bits() as i64),
        other => Value::Int(other.truth().into()),
    })
}

fn bit_count(call: &mut Call<'_>) -> Result<Value, Raised> {
    Ok(match call.method::<0>("int.bit_count")?.0 {
        Value::Int(value) => Value::Int(value.unsigned_abs().count_ones().into()),
        Value::Wide(value) => Value::Int(value.get().unsigned_abs().count_ones().into()),
        Value::Big(value) => {
            Value::Int(value.magnitude().iter_u64_digits().map(|digit| i64::from(digit.count_ones())).sum())
        }
        other => Value::Int(other.truth().into()),
    })
}

fn to_bytes(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("int.to_bytes")?;
    let [length, byteorder] = call.bind("to_bytes", args, ["length", "byteorder"])?;
    let length = length.map_or(Ok(1), super::as_index)?;
    let length = u128::try_from(length).map_err(|_| value_error("length argument must be non-negative"))?;
    let length = limits::bytes(length)?;
    let big = match byteorder {
        None => true,
        Some(Value::Str(order)) if order.as_str() == "big" => true,
        Some(Value::Str(order)) if order.as_str() == "little" => false,
        _ => return Err(value_error("byteorder must be either 'little' or 'big'")),
    };
    let magnitude = match value {
        Value::Big(value) if value.sign() != num_bigint::Sign::Minus => value.magnitude().to_bytes_le(),
        Value::Int(value) if *value >= 0 => value.to_le_bytes().to_vec(),
        Value::Wide(value) if value.get() >= 0 => value.get().to_le_bytes().to_vec(),
        Value::Bool(value) => vec![(*value).into()],
        _ => return Err(Kind::OverflowError.raise("can't convert negative int to unsigned")),
    };
    let used = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if used > length {
        return Err(Kind::OverflowError.raise("int too big to convert"));
    }
    let mut bytes = magnitude[..used].to_vec();
    bytes.resize(length.to_usize().unwrap_or(length), 0);
    if big {
        bytes.reverse();
    }
    Ok(Value::bytes(bytes))
}
