//! Methods of `bytes`.

use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::native::{Call, Native};
use crate::vm::value::Value;

pub(super) const METHODS: &[Native] = &[
    Native::function("decode", decode),
    Native::function("hex", hex),
    Native::function("startswith", |call| compare(call, "startswith", |bytes, part| bytes.starts_with(part))),
    Native::function("endswith", |call| compare(call, "endswith", |bytes, part| bytes.ends_with(part))),
    Native::function("count", count),
    Native::function("join", join),
];

fn receiver<'a>(value: &'a Value, name: &str) -> Result<&'a [u8], Raised> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(type_error(format!(
            "descriptor '{name}' for 'bytes' objects doesn't apply to a '{}' object",
            other.type_name()
        ))),
    }
}

fn needed(value: &Value) -> Result<&[u8], Raised> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(type_error(format!("a bytes-like object is required, not '{}'", other.type_name()))),
    }
}

fn decode(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("bytes.decode")?;
    let bytes = receiver(value, "decode")?;
    let [encoding, _] = call.bind("decode", args, ["encoding", "errors"])?;
    super::str::known_encoding(encoding)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Value::str(text)),
        Err(error) => {
            let at = error.valid_up_to();
            let reason = "invalid start byte";
            let (from, to) = (Value::Int(at as i64), Value::Int(at as i64 + 1));
            Err(Kind::UnicodeDecodeError.raise_with(
                format!("'utf-8' codec can't decode byte 0x{:02x} in position {at}: {reason}", bytes[at]),
                vec![Value::str("utf-8"), value.clone(), from, to, Value::str(reason)],
            ))
        }
    }
}

fn hex(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("bytes.hex")?;
    let bytes = receiver(value, "hex")?;
    Ok(Value::str(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

fn compare(call: &mut Call<'_>, name: &str, holds: fn(&[u8], &[u8]) -> bool) -> Result<Value, Raised> {
    let (value, [part]) = call.method::<1>(&format!("bytes.{name}"))?;
    Ok(Value::Bool(holds(receiver(value, name)?, needed(part)?)))
}

fn count(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [part]) = call.method::<1>("bytes.count")?;
    let (bytes, single);
    bytes = receiver(value, "count")?;
    let part = match part {
        Value::Int(byte) => {
            let Ok(byte) = u8::try_from(*byte) else {
                return Err(Kind::ValueError.raise("byte must be in range(0, 256)"));
            };
            single = [byte];
            &single[..]
        }
        other => needed(other)?,
    };
    if part.is_empty() {
        return Ok(Value::from(bytes.len() + 1));
    }
    let (mut at, mut count) = (0, 0usize);
    while at + part.len() <= bytes.len() {
        if bytes[at..].starts_with(part) {
            count += 1;
            at += part.len();
        } else {
            at += 1;
        }
    }
    Ok(Value::from(count))
}

fn join(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [pieces]) = call.method::<1>("bytes.join")?;
    let separator = receiver(value, "join")?;
    let mut joined = Vec::new();
    for (index, piece) in crate::vm::iterate::gather(pieces)?.iter().enumerate() {
        let Value::Bytes(piece) = piece else {
            let found = piece.type_name();
            return Err(type_error(format!("sequence item {index}: expected a bytes-like object, {found} found")));
        };
        if index > 0 {
            joined.extend_from_slice(separator);
        }
        crate::vm::limits::bytes(joined.len() as u128 + piece.len() as u128)?;
        joined.extend_from_slice(piece);
    }
    Ok(Value::bytes(joined))
}
