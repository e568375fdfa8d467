//! From a value to a pickle.

use num_bigint::BigInt;

use crate::vm::value::Value;

use super::{MAX_BYTES, MAX_DEPTH, PickleError, op};

/// Pickles `None`, numbers, `str`, `bytes`, `list`, `tuple` and `dict`.
pub fn dumps(value: &Value) -> Result<Vec<u8>, PickleError> {
    let mut out = vec![op::PROTO, 4];
    write(value, MAX_DEPTH, &mut out)?;
    out.push(op::STOP);
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), PickleError> {
    let depth = depth.checked_sub(1).ok_or(PickleError::TooDeep)?;
    match value {
        Value::None => out.push(op::NONE),
        Value::Bool(true) => out.push(op::TRUE),
        Value::Bool(false) => out.push(op::FALSE),
        Value::Int(value) => match i32::try_from(*value) {
            Ok(small) => {
                out.push(op::BININT);
                out.extend(small.to_le_bytes());
            }
            Err(_) => long(&BigInt::from(*value), out),
        },
        Value::Wide(value) => long(&BigInt::from(value.get()), out),
        Value::Big(value) => long(value, out),
        Value::Float(value) => {
            out.push(op::BINFLOAT);
            out.extend(value.to_be_bytes());
        }
        Value::Str(text) => sized(op::BINUNICODE, text.as_str().as_bytes(), out)?,
        Value::Bytes(bytes) => sized(op::BINBYTES, bytes, out)?,
        Value::List(list) => {
            out.extend([op::EMPTY_LIST, op::MARK]);
            let items = list.lock().clone();
            items.iter().try_for_each(|item| write(item, depth, out))?;
            out.push(op::APPENDS);
        }
        Value::Tuple(tuple) => {
            out.push(op::MARK);
            tuple.0.iter().try_for_each(|item| write(item, depth, out))?;
            out.push(op::TUPLE);
        }
        Value::Dict(dict) => {
            out.extend([op::EMPTY_DICT, op::MARK]);
            for (key, value) in dict.entries() {
                write(&key, depth, out)?;
                write(&value, depth, out)?;
            }
            out.push(op::SETITEMS);
        }
        other => return Err(PickleError::Type(other.type_name())),
    }
    // Looked at as it grows: a list that holds one other many times over is as long as what is written of it.
    if out.len() > MAX_BYTES { Err(PickleError::TooLarge) } else { Ok(()) }
}

fn long(value: &BigInt, out: &mut Vec<u8>) {
    let bytes = value.to_signed_bytes_le();
    match u8::try_from(bytes.len()) {
        Ok(len) => out.extend([op::LONG1, len]),
        Err(_) => {
            out.push(op::LONG4);
            // An int has at most 2²⁶ bits.
            out.extend((bytes.len() as u32).to_le_bytes());
        }
    }
    out.extend(bytes);
}

fn sized(opcode: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), PickleError> {
    if bytes.len() > MAX_BYTES {
        return Err(PickleError::TooLarge);
    }
    out.push(opcode);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
    Ok(())
}
