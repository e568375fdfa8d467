//! Several values from the stack, or to it.

use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::iterate::{Iteration, gather};
use crate::vm::value::Value;

/// Takes the uppermost so many.
pub(super) fn take(slots: &mut [Value], top: &mut usize, count: u32) -> Vec<Value> {
    let first = *top - count as usize;
    let items = slots[first..*top].iter_mut().map(std::mem::take).collect();
    *top = first;
    items
}

/// The items of `*value` in a call of `function`.
pub(super) fn spread(value: &Value, function: &Value) -> Result<Vec<Value>, Raised> {
    gather(value).map_err(|raised| match Iteration::over(value) {
        Ok(_) => raised,
        Err(_) => {
            let name = match function {
                Value::Function(function) => format!("{}()", function.name),
                Value::Native(native) => format!("{}()", native.name),
                other => other.repr(),
            };
            type_error(format!("{name} argument after * must be an iterable, not {}", value.type_name()))
        }
    })
}

/// So many items, for as many targets.
pub(super) fn unpack(value: &Value, count: usize) -> Result<Vec<Value>, Raised> {
    let iterable = matches!(value, Value::List(_) | Value::Tuple(_)) || Iteration::over(value).is_ok();
    if !iterable {
        return Err(type_error(format!("cannot unpack non-iterable {} object", value.type_name())));
    }
    if let Value::Range(range) = value
        && range.len() > count as u64
    {
        return Err(Kind::ValueError.raise(format!("too many values to unpack (expected {count})")));
    }
    let items = gather(value)?;
    match items.len() {
        got if got < count => {
            Err(Kind::ValueError.raise(format!("not enough values to unpack (expected {count}, got {got})")))
        }
        got if got > count => Err(Kind::ValueError.raise(format!("too many values to unpack (expected {count})"))),
        _ => Ok(items),
    }
}
