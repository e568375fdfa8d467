//! Operators on values of every type: arithmetic, comparison, membership.

use std::cmp::Ordering;
use std::sync::Arc;

use super::code::{Comparison, Operator};
use super::exception::{Kind, Raised, type_error};
use super::iterate::{Iteration, gather};
use super::limits;
use super::number::{self, Number};
use super::value::Value;

/// `a op b`, or `a op= b`.
#[inline(never)]
pub(crate) fn binary(operator: Operator, inplace: bool, a: &Value, b: &Value) -> Result<Value, Raised> {
    if let (Some(x), Some(y)) = (Number::of(a), Number::of(b))
        && let Some(result) = number::binary(operator, x, y)
    {
        // `True & False` is a bool, but `True + True` an int.
        if let (Value::Bool(_), Value::Bool(_), Operator::And | Operator::Or | Operator::Xor) = (a, b, operator) {
            return result.map(|value| Value::Bool(value.truth()));
        }
        return result;
    }
    match (operator, a, b) {
        (Operator::Add, Value::Str(x), Value::Str(y)) => {
            let len = limits::bytes(x.as_str().len() as u128 + y.as_str().len() as u128)?;
            let mut joined = String::with_capacity(len);
            joined.push_str(x.as_str());
            joined.push_str(y.as_str());
            Ok(Value::str(joined))
        }
        (Operator::Add, Value::Str(_), _) => Err(cannot_concatenate("str", b)),
        (Operator::Add, Value::Bytes(x), Value::Bytes(y)) => {
            limits::bytes(x.len() as u128 + y.len() as u128)?;
            Ok(Value::bytes([x.as_slice(), y].concat()))
        }
        (Operator::Add, Value::Bytes(_), _) => Err(type_error(format!("can't concat {} to bytes", b.type_name()))),
        (Operator::Add, Value::List(x), _) if inplace => {
            let more = gather(b)?;
            let mut items = x.lock();
            limits::items(items.len() as u128 + more.len() as u128)?;
            items.extend(more);
            drop(items);
            Ok(a.clone())
        }
        (Operator::Add, Value::List(x), Value::List(y)) => {
            let mut items = x.lock().clone();
            // Copied before the other is locked: they may be one and the same.
            let more = y.lock().clone();
            limits::items(items.len() as u128 + more.len() as u128)?;
            items.extend(more);
            Ok(Value::list(items))
        }
        (Operator::Add, Value::List(_), _) => Err(cannot_concatenate("list", b)),
        (Operator::Add, Value::Tuple(x), Value::Tuple(y)) => {
            limits::items(x.0.len() as u128 + y.0.len() as u128)?;
            Ok(Value::tuple(x.0.iter().chain(&y.0).cloned().collect()))
        }
        (Operator::Add, Value::Tuple(_), _) => Err(cannot_concatenate("tuple", b)),
        (Operator::Multiply, sequence, count) if is_sequence(sequence) => repeat(sequence, count, inplace),
        (Operator::Multiply, count, sequence) if is_sequence(sequence) => repeat(sequence, count, false),
        (Operator::Remainder, Value::Str(_) | Value::Bytes(_), _) => {
            Err(Kind::NotImplementedError.raise("formatting with % is outside the miniature's Python; use an f-string"))
        }
        (Operator::Or, Value::Dict(x), Value::Dict(y)) => {
            let result = if inplace { x.clone() } else { Arc::default() };
            let sources = if inplace { vec![y.entries()] } else { vec![x.entries(), y.entries()] };
            for (key, value) in sources.into_iter().flatten() {
                result.lock().insert(key, value)?;
            }
            Ok(Value::Dict(result))
        }
        _ => Err(unsupported(operator, inplace, a, b)),
    }
}

fn is_sequence(value: &Value) -> bool {
    matches!(value, Value::Str(_) | Value::Bytes(_) | Value::List(_) | Value::Tuple(_))
}

#[cold]
fn cannot_concatenate(to: &str, other: &Value) -> Raised {
    type_error(format!("can only concatenate {to} (not \"{}\") to {to}", other.type_name()))
}

#[cold]
fn unsupported(operator: Operator, inplace: bool, a: &Value, b: &Value) -> Raised {
    let symbol = match (operator, inplace) {
        (Operator::Power, false) => "** or pow()".to_owned(),
        (_, true) => format!("{}=", operator.symbol()),
        (_, false) => operator.symbol().to_owned(),
    };
    type_error(format!("unsupported operand type(s) for {symbol}: '{}' and '{}'", a.type_name(), b.type_name()))
}

fn repeat(sequence: &Value, count: &Value, inplace: bool) -> Result<Value, Raised> {
    let count = match count {
        Value::Int(count) => u128::try_from(*count).unwrap_or(0),
        Value::Bool(count) => (*count).into(),
        Value::Wide(_) | Value::Big(_) => {
            return Err(Kind::OverflowError.raise("cannot fit 'int' into an index-sized integer"));
        }
        other => {
            return Err(type_error(format!("can't multiply sequence by non-int of type '{}'", other.type_name())));
        }
    };
    match sequence {
        Value::Str(text) => {
            limits::bytes(text.as_str().len() as u128 * count)?;
            Ok(Value::str(text.as_str().repeat(if text.is_empty() { 0 } else { count as usize })))
        }
        Value::Bytes(bytes) => {
            limits::bytes(bytes.len() as u128 * count)?;
            Ok(Value::bytes(bytes.repeat(if bytes.is_empty() { 0 } else { count as usize })))
        }
        Value::List(list) => {
            let items = list.lock().clone();
            let repeated = repeat_items(&items, count)?;
            if !inplace {
                return Ok(Value::list(repeated));
            }
            *list.lock() = repeated;
            Ok(sequence.clone())
        }
        Value::Tuple(tuple) => Ok(Value::tuple(repeat_items(&tuple.0, count)?)),
        other => Err(unsupported(Operator::Multiply, inplace, other, &Value::Int(0))),
    }
}

fn repeat_items(items: &[Value], count: u128) -> Result<Vec<Value>, Raised> {
    let len = limits::items(items.len() as u128 * count)?;
    let mut repeated = Vec::with_capacity(len);
    while repeated.len() < len {
        repeated.extend_from_slice(items);
    }
    Ok(repeated)
}

/// `-x`, `+x`, `~x`, and their symbols for the message.
pub(crate) fn unary(symbol: &str, value: &Value) -> Result<Value, Raised> {
    match (symbol, Number::of(value)) {
        ("-", Some(number)) => Ok(number::negative(number)),
        ("+", Some(Number::Int(value))) => Ok(Value::Int(value)),
        ("+", Some(_)) => Ok(value.clone()),
        ("~", Some(Number::Int(value))) => Ok(Value::Int(!value)),
        ("~", Some(Number::Wide(value))) => Ok(Value::from(!value)),
        ("~", Some(Number::Big(value))) => Ok(Value::from(!value)),
        _ => Err(type_error(format!("bad operand type for unary {symbol}: '{}'", value.type_name()))),
    }
}

/// `a == b`.
pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, Raised> {
    equal_within(a, b, limits::NESTING)
}

fn equal_within(a: &Value, b: &Value, depth: usize) -> Result<bool, Raised> {
    if depth == 0 {
        return Err(Kind::RecursionError.raise("maximum recursion depth exceeded in comparison"));
    }
    if let (Some(x), Some(y)) = (Number::of(a), Number::of(b)) {
        return Ok(number::compare(x, y) == Some(Ordering::Equal));
    }
    Ok(match (a, b) {
        (Value::Str(x), Value::Str(y)) => x.as_str() == y.as_str(),
        (Value::Bytes(x), Value::Bytes(y)) => x == y,
        (Value::List(x), Value::List(y)) => {
            if Arc::ptr_eq(x, y) {
                return Ok(true);
            }
            let (x, y) = (x.lock().clone(), y.lock().clone());
            items_equal(&x, &y, depth)?
        }
        (Value::Tuple(x), Value::Tuple(y)) => items_equal(&x.0, &y.0, depth)?,
        (Value::Range(x), Value::Range(y)) => {
            let len = x.len();
            len == y.len() && (len == 0 || x.start == y.start && (len == 1 || x.step == y.step))
        }
        (Value::Dict(x), Value::Dict(y)) => {
            if Arc::ptr_eq(x, y) {
                return Ok(true);
            }
            if x.len() != y.len() {
                return Ok(false);
            }
            for (key, value) in x.entries() {
                let other = y.lock().get(&key)?.cloned();
                match other {
                    Some(other) if equal_within(&value, &other, depth - 1)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => a.is(b),
    })
}

fn items_equal(x: &[Value], y: &[Value], depth: usize) -> Result<bool, Raised> {
    if x.len() != y.len() {
        return Ok(false);
    }
    for (x, y) in x.iter().zip(y) {
        if !x.is(y) && !equal_within(x, y, depth - 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `a < b` and its kin.
#[inline(never)]
pub(crate) fn compare(comparison: Comparison, a: &Value, b: &Value) -> Result<bool, Raised> {
    match comparison {
        Comparison::Equal => equal(a, b),
        Comparison::NotEqual => equal(a, b).map(|equal| !equal),
        _ => order(comparison, a, b, limits::NESTING),
    }
}

fn order(comparison: Comparison, a: &Value, b: &Value, depth: usize) -> Result<bool, Raised> {
    if let (Some(x), Some(y)) = (Number::of(a), Number::of(b)) {
        return Ok(number::compare(x, y).is_some_and(|ordering| comparison.holds(ordering)));
    }
    match (a, b) {
        (Value::Str(x), Value::Str(y)) => Ok(comparison.holds(x.as_str().cmp(y.as_str()))),
        (Value::Bytes(x), Value::Bytes(y)) => Ok(comparison.holds(x.cmp(y))),
        (Value::List(x), Value::List(y)) => {
            let x = x.lock().clone();
            let y = y.lock().clone();
            items_order(comparison, &x, &y, depth)
        }
        (Value::Tuple(x), Value::Tuple(y)) => items_order(comparison, &x.0, &y.0, depth),
        _ => Err(type_error(format!(
            "'{}' not supported between instances of '{}' and '{}'",
            comparison.symbol(),
            a.type_name(),
            b.type_name()
        ))),
    }
}

/// The first pair that differs decides; else the lengths.
fn items_order(comparison: Comparison, x: &[Value], y: &[Value], depth: usize) -> Result<bool, Raised> {
    if depth == 0 {
        return Err(Kind::RecursionError.raise("maximum recursion depth exceeded in comparison"));
    }
    for (x, y) in x.iter().zip(y) {
        if !x.is(y) && !equal_within(x, y, depth - 1)? {
            return order(comparison, x, y, depth - 1);
        }
    }
    Ok(comparison.holds(x.len().cmp(&y.len())))
}

/// `item in container`.
pub(crate) fn contains(container: &Value, item: &Value) -> Result<bool, Raised> {
    match (container, item) {
        (Value::Str(text), Value::Str(part)) => Ok(text.as_str().contains(part.as_str())),
        (Value::Str(_), other) => {
            Err(type_error(format!("'in <string>' requires string as left operand, not {}", other.type_name())))
        }
        (Value::Bytes(bytes), Value::Bytes(part)) => {
            Ok(part.is_empty() || bytes.windows(part.len()).any(|window| window == part.as_slice()))
        }
        (Value::Dict(dict), key) => Ok(dict.lock().get(key)?.is_some()),
        (Value::Range(range), Value::Int(item)) => {
            let (first, item) = (i128::from(range.start), i128::from(*item));
            let (distance, step) = (item - first, i128::from(range.step));
            Ok(distance % step == 0 && (0..i128::from(range.len())).contains(&(distance / step)))
        }
        _ => {
            let mut iteration = Iteration::over(container)
                .map_err(|_| type_error(format!("argument of type '{}' is not iterable", container.type_name())))?;
            while let Some(candidate) = iteration.advance()? {
                if candidate.is(item) || equal(&candidate, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}
