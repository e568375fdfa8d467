//! Methods of `list` and `tuple`.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::vm::code::Comparison;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::iterate::gather;
use crate::vm::limits;
use crate::vm::native::{Call, Native};
use crate::vm::operate;
use crate::vm::text;
use crate::vm::value::{List, Value};

pub(super) const LIST: &[Native] = &[
    Native::function("append", append),
    Native::function("pop", pop),
    Native::function("extend", extend),
    Native::function("sort", sort_method),
    Native::function("reverse", reverse),
    Native::function("insert", insert),
    Native::function("remove", remove),
    Native::function("clear", clear),
    Native::function("copy", copy),
    Native::function("index", index),
    Native::function("count", count),
];

pub(super) const TUPLE: &[Native] = &[Native::function("index", index), Native::function("count", count)];

fn receiver<'a>(value: &'a Value, name: &str) -> Result<&'a Arc<List>, Raised> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(type_error(format!(
            "descriptor '{name}' for 'list' objects doesn't apply to a '{}' object",
            other.type_name()
        ))),
    }
}

fn append(call: &mut Call<'_>) -> Result<Value, Raised> {
    if let ([Value::List(list), item], []) = (call.args, call.keywords) {
        let mut items = list.lock();
        limits::items(items.len() as u128 + 1)?;
        items.push(item.copy());
        return Ok(Value::None);
    }
    call.method::<1>("list.append")?;
    Ok(Value::None)
}

fn pop(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("list.pop")?;
    call.between("pop", args, 0, 1)?;
    let mut items = receiver(value, "pop")?.lock();
    let at = args.first().map_or(Ok(-1), super::as_index)?;
    if items.is_empty() {
        return Err(Kind::IndexError.raise("pop from empty list"));
    }
    let at = if at < 0 { at.saturating_add(items.len() as i64) } else { at };
    match usize::try_from(at) {
        Ok(at) if at < items.len() => Ok(items.remove(at)),
        _ => Err(Kind::IndexError.raise("pop index out of range")),
    }
}

fn extend(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [more]) = call.method::<1>("list.extend")?;
    let more = gather(more)?;
    let mut items = receiver(value, "extend")?.lock();
    limits::items(items.len() as u128 + more.len() as u128)?;
    items.extend(more);
    Ok(Value::None)
}

fn reverse(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("list.reverse")?;
    receiver(value, "reverse")?.lock().reverse();
    Ok(Value::None)
}

fn insert(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [at, item]) = call.method::<2>("list.insert")?;
    let at = super::as_index(at)?;
    let mut items = receiver(value, "insert")?.lock();
    limits::items(items.len() as u128 + 1)?;
    let len = items.len() as i64;
    let at = if at < 0 { at.saturating_add(len).max(0) } else { at.min(len) };
    items.insert(at as usize, item.clone());
    Ok(Value::None)
}

fn position(items: &[Value], wanted: &Value) -> Result<Option<usize>, Raised> {
    for (at, item) in items.iter().enumerate() {
        if item.is(wanted) || operate::equal(item, wanted)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn remove(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [wanted]) = call.method::<1>("list.remove")?;
    let list = receiver(value, "remove")?;
    let items = list.lock().clone();
    let at = position(&items, wanted)?.ok_or_else(|| value_error("list.remove(x): x not in list"))?;
    let mut items = list.lock();
    let removed = (at < items.len()).then(|| items.remove(at));
    drop(items);
    drop(removed);
    Ok(Value::None)
}

fn clear(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("list.clear")?;
    let gone = std::mem::take(&mut *receiver(value, "clear")?.lock());
    drop(gone);
    Ok(Value::None)
}

fn copy(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("list.copy")?;
    Ok(Value::list(receiver(value, "copy")?.lock().clone()))
}

fn index(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("list.index")?;
    call.between("index", args, 1, 3)?;
    let items = gather(value)?;
    let len = items.len() as i64;
    let bound = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at.min(len) } as usize;
    let start = bound(args.get(1).map_or(Ok(0), super::as_index)?);
    let stop = bound(args.get(2).map_or(Ok(len), super::as_index)?).max(start);
    match position(&items[start..stop], &args[0])? {
        Some(at) => Ok(Value::from(start + at)),
        None if matches!(value, Value::Tuple(_)) => Err(value_error("tuple.index(x): x not in tuple")),
        None => Err(value_error(format!("{} is not in list", text::repr(&args[0])?))),
    }
}

fn count(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [wanted]) = call.method::<1>("list.count")?;
    let mut count = 0usize;
    for item in gather(value)? {
        count += usize::from(item.is(wanted) || operate::equal(&item, wanted)?);
    }
    Ok(Value::from(count))
}

fn sort_method(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("list.sort")?;
    if !args.is_empty() {
        return Err(type_error("sort() takes no positional arguments"));
    }
    let list = receiver(value, "sort")?.clone();
    let items = std::mem::take(&mut *list.lock());
    let [key, reverse] = call.bind("sort", args, ["key", "reverse"])?;
    let (items, result) = sort(call, items, key, reverse);
    *list.lock() = items;
    result.map(|()| Value::None)
}

/// Sorts, stably, by `<` alone. Where that raises, the items come back in some order, as in CPython.
pub(crate) fn sort(
    call: &mut Call<'_>,
    mut items: Vec<Value>,
    key: Option<&Value>,
    reverse: Option<&Value>,
) -> (Vec<Value>, Result<(), Raised>) {
    let reverse = reverse.is_some_and(Value::truth);
    let keys = match key {
        None | Some(Value::None) => None,
        Some(Value::Native(native)) => {
            let mut keys = Vec::with_capacity(items.len());
            for item in &items {
                let args = std::slice::from_ref(item);
                let mut inner = Call { args, keywords: &[], outside: &mut *call.outside, line: call.line };
                match (native.run)(&mut inner) {
                    Ok(key) => keys.push(key),
                    Err(raised) => return (items, Err(raised)),
                }
            }
            Some(keys)
        }
        Some(_) => {
            let message = "a key function of one's own is outside the miniature's Python; sort tuples instead";
            return (items, Err(Kind::NotImplementedError.raise(message)));
        }
    };
    call.outside.heartbeat(call.line);
    let mut failed = None;
    let mut compare = |a: &Value, b: &Value| {
        if let (Value::Int(a), Value::Int(b)) = (a, b) {
            return a.cmp(b);
        }
        if failed.is_some() {
            return Ordering::Equal;
        }
        // Rust's sort asks no more than whether the first is less, as CPython's does.
        match operate::compare(Comparison::Less, a, b).map(lesser) {
            Ok(ordering) => ordering,
            Err(raised) => {
                failed = Some(raised);
                Ordering::Equal
            }
        }
    };
    // Reversed before and after, so that equal ones keep their order.
    if reverse {
        items.reverse();
    }
    let sorted = match keys {
        None => std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| items.sort_by(&mut compare))),
        Some(mut keys) => {
            if reverse {
                keys.reverse();
            }
            let mut pairs: Vec<(Value, Value)> = keys.into_iter().zip(std::mem::take(&mut items)).collect();
            let sorted =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pairs.sort_by(|a, b| compare(&a.0, &b.0))));
            items = pairs.into_iter().map(|(_, item)| item).collect();
            sorted
        }
    };
    // Rust's sort may panic where `<` is no order (`nan`); the items are all there in any case.
    drop(sorted);
    if reverse {
        items.reverse();
    }
    call.outside.heartbeat(call.line);
    (items, failed.map_or(Ok(()), Err))
}

fn lesser(less: bool) -> Ordering {
    if less { Ordering::Less } else { Ordering::Equal }
}
