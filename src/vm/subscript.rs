//! `x[i]`, `x[i] = v`, `del x[i]`, and slices.

use super::exception::{Kind, Raised, type_error, value_error};
use super::iterate::gather;
use super::limits;
use super::text;
use super::value::{Range, Value};

/// An index into something of that length; negative ones count from its end.
fn index(key: &Value, len: usize, what: &str, out_of_range: &str) -> Result<usize, Raised> {
    let at = match key {
        Value::Int(at) => *at,
        Value::Bool(at) => (*at).into(),
        Value::Wide(_) | Value::Big(_) => {
            return Err(Kind::IndexError.raise("cannot fit 'int' into an index-sized integer"));
        }
        other => {
            return Err(type_error(match what {
                "string" => format!("string indices must be integers, not '{}'", other.type_name()),
                "byte" => format!("byte indices must be integers or slices, not {}", other.type_name()),
                _ => format!("{what} indices must be integers or slices, not {}", other.type_name()),
            }));
        }
    };
    let from_start = if at < 0 { at.checked_add(len as i64) } else { Some(at) };
    let found = from_start.and_then(|at| usize::try_from(at).ok()).filter(|at| *at < len);
    found.ok_or_else(|| Kind::IndexError.raise(out_of_range))
}

/// A slice's bounds for a length: first index, step, count (CPython's `PySlice_AdjustIndices`).
pub(crate) fn bounds(parts: &[Value; 3], len: usize) -> Result<(i64, i64, usize), Raised> {
    let number = |part: &Value| match part {
        Value::None => Ok(None),
        Value::Int(value) => Ok(Some(*value)),
        Value::Bool(value) => Ok(Some((*value).into())),
        // Clipped, as CPython clips.
        Value::Wide(value) => Ok(Some(if value.get() < 0 { i64::MIN } else { i64::MAX })),
        Value::Big(value) => Ok(Some(if value.sign() == num_bigint::Sign::Minus { i64::MIN } else { i64::MAX })),
        _ => Err(type_error("slice indices must be integers or None or have an __index__ method")),
    };
    let step = number(&parts[2])?.unwrap_or(1).max(-i64::MAX);
    if step == 0 {
        return Err(value_error("slice step cannot be zero"));
    }
    let len = len as i64;
    let (least, most) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let adjust = |part: Option<i64>, default: i64| match part {
        None => default,
        Some(value) if value < 0 => value.saturating_add(len).max(least),
        Some(value) => value.min(most),
    };
    let start = adjust(number(&parts[0])?, if step > 0 { least } else { most });
    let stop = adjust(number(&parts[1])?, if step > 0 { most } else { least });
    let count = Range { start, stop, step }.len();
    Ok((start, step, count as usize))
}

fn indices(parts: &[Value; 3], len: usize) -> Result<impl Iterator<Item = usize> + use<>, Raised> {
    let (start, step, count) = bounds(parts, len)?;
    Ok((0..count as i64).map(move |nth| (start + nth * step) as usize))
}

/// `container[key]`.
#[inline(never)]
pub(crate) fn get(container: &Value, key: &Value) -> Result<Value, Raised> {
    if let Value::Slice(parts) = key {
        return slice(container, parts);
    }
    match container {
        Value::List(list) => {
            let items = list.lock();
            if let Value::Int(at) = key
                && let Some(item) = usize::try_from(*at).ok().and_then(|at| items.get(at))
            {
                return Ok(item.copy());
            }
            let at = index(key, items.len(), "list", "list index out of range")?;
            Ok(items[at].copy())
        }
        Value::Tuple(tuple) => {
            let at = index(key, tuple.0.len(), "tuple", "tuple index out of range")?;
            Ok(tuple.0[at].copy())
        }
        Value::Dict(dict) => match dict.lock().get(key)? {
            Some(value) => Ok(value.copy()),
            None => Err(missing(key)),
        },
        Value::Str(string) => {
            let at = index(key, string.len(), "string", "string index out of range")?;
            let character = if string.is_ascii() {
                Some(string.as_str().as_bytes()[at].into())
            } else {
                string.as_str().chars().nth(at)
            };
            Ok(Value::str(character.map(String::from).unwrap_or_default()))
        }
        Value::Bytes(bytes) => {
            let at = index(key, bytes.len(), "byte", "index out of range")?;
            Ok(Value::Int(bytes[at].into()))
        }
        Value::Range(range) => {
            let len = usize::try_from(range.len()).unwrap_or(usize::MAX);
            let at = index(key, len, "range", "range object index out of range")?;
            Ok(Value::Int(range.at(at as u64)))
        }
        other => Err(type_error(format!("'{}' object is not subscriptable", other.type_name()))),
    }
}

#[cold]
pub(crate) fn missing(key: &Value) -> Raised {
    match text::repr(key) {
        Ok(shown) => Kind::KeyError.raise_with(shown, vec![key.clone()]),
        Err(raised) => raised,
    }
}

fn slice(container: &Value, parts: &[Value; 3]) -> Result<Value, Raised> {
    match container {
        Value::List(list) => {
            let items = list.lock();
            Ok(Value::list(indices(parts, items.len())?.map(|at| items[at].copy()).collect()))
        }
        Value::Tuple(tuple) => Ok(Value::tuple(indices(parts, tuple.0.len())?.map(|at| tuple.0[at].copy()).collect())),
        Value::Bytes(bytes) => Ok(Value::bytes(indices(parts, bytes.len())?.map(|at| bytes[at]).collect::<Vec<u8>>())),
        Value::Str(string) if string.is_ascii() => {
            let bytes = string.as_str().as_bytes();
            Ok(Value::str(indices(parts, bytes.len())?.map(|at| char::from(bytes[at])).collect::<String>()))
        }
        Value::Str(string) => {
            let characters: Vec<char> = string.as_str().chars().collect();
            Ok(Value::str(indices(parts, characters.len())?.map(|at| characters[at]).collect::<String>()))
        }
        Value::Range(range) => {
            let len = usize::try_from(range.len()).unwrap_or(usize::MAX);
            let (start, step, count) = bounds(parts, len)?;
            let first = range.start.wrapping_add(start.wrapping_mul(range.step));
            let step = range.step.wrapping_mul(step);
            let stop = first.wrapping_add(step.wrapping_mul(count as i64));
            Ok(Value::Range(std::sync::Arc::new(Range { start: first, stop, step })))
        }
        Value::Dict(_) => Err(type_error("unhashable type: 'slice'")),
        other => Err(type_error(format!("'{}' object is not subscriptable", other.type_name()))),
    }
}

/// `container[key] = value`.
#[inline(never)]
pub(crate) fn set(container: &Value, key: Value, value: Value) -> Result<(), Raised> {
    match (container, &key) {
        (Value::List(list), Value::Slice(parts)) => set_slice(list, parts, &value),
        (Value::List(list), _) => {
            let mut items = list.lock();
            let at = index(&key, items.len(), "list", "list assignment index out of range")?;
            let old = std::mem::replace(&mut items[at], value);
            // Dropped unlocked: what it holds may be anything.
            drop(items);
            drop(old);
            Ok(())
        }
        (Value::Dict(dict), _) => {
            let old = dict.lock().insert(key, value);
            old.map(drop)
        }
        (other, _) => Err(type_error(format!("'{}' object does not support item assignment", other.type_name()))),
    }
}

fn set_slice(list: &super::value::List, parts: &[Value; 3], value: &Value) -> Result<(), Raised> {
    let new = gather(value).map_err(|_| type_error("can only assign an iterable"))?;
    let mut items = list.lock();
    let (start, step, count) = bounds(parts, items.len())?;
    if step == 1 {
        limits::items(items.len() as u128 + new.len() as u128)?;
        let start = start as usize;
        let old: Vec<Value> = items.splice(start..start + count, new).collect();
        drop(items);
        drop(old);
        return Ok(());
    }
    if new.len() != count {
        let got = new.len();
        return Err(value_error(format!("attempt to assign sequence of size {got} to extended slice of size {count}")));
    }
    for (nth, item) in new.into_iter().enumerate() {
        items[(start + nth as i64 * step) as usize] = item;
    }
    Ok(())
}

/// `del container[key]`.
pub(crate) fn delete(container: &Value, key: &Value) -> Result<(), Raised> {
    match (container, key) {
        (Value::List(list), Value::Slice(parts)) => {
            let mut items = list.lock();
            let mut gone: Vec<usize> = indices(parts, items.len())?.collect();
            gone.sort_unstable();
            let mut gone = gone.into_iter().peekable();
            let mut at = 0;
            let mut removed = Vec::new();
            let kept = std::mem::take(&mut *items).into_iter().filter_map(|item| {
                let goes = gone.next_if_eq(&at).is_some();
                at += 1;
                if goes {
                    removed.push(item);
                    None
                } else {
                    Some(item)
                }
            });
            let kept: Vec<Value> = kept.collect();
            *items = kept;
            drop(items);
            Ok(())
        }
        (Value::List(list), _) => {
            let mut items = list.lock();
            let at = index(key, items.len(), "list", "list assignment index out of range")?;
            let removed = items.remove(at);
            drop(items);
            drop(removed);
            Ok(())
        }
        (Value::Dict(dict), _) => {
            let removed = dict.lock().remove(key)?;
            removed.map(drop).ok_or_else(|| missing(key))
        }
        (other, _) => Err(type_error(format!("'{}' object doesn't support item deletion", other.type_name()))),
    }
}
