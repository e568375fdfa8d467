//! Methods of `dict`. `keys`, `values` and `items` are lists here, not views.

use std::sync::Arc;

use crate::vm::dict::Dict;
use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::iterate::gather;
use crate::vm::native::{Call, Native};
use crate::vm::subscript::missing;
use crate::vm::value::Value;

pub(super) const METHODS: &[Native] = &[
    Native::function("get", get),
    Native::function("pop", pop),
    Native::function("setdefault", setdefault),
    Native::function("keys", |call| {
        let (dict, _) = this::<0>(call, "keys")?;
        Ok(Value::list(dict.entries().into_iter().map(|(key, _)| key).collect()))
    }),
    Native::function("values", |call| {
        let (dict, _) = this::<0>(call, "values")?;
        Ok(Value::list(dict.entries().into_iter().map(|(_, value)| value).collect()))
    }),
    Native::function("items", |call| {
        let (dict, _) = this::<0>(call, "items")?;
        Ok(Value::list(dict.entries().into_iter().map(|(key, value)| Value::tuple(vec![key, value])).collect()))
    }),
    Native::function("update", update),
    Native::function("clear", |call| {
        let (dict, _) = this::<0>(call, "clear")?;
        let gone = dict.lock().clear();
        drop(gone);
        Ok(Value::None)
    }),
    Native::function("copy", |call| {
        let (dict, _) = this::<0>(call, "copy")?;
        from_pairs(dict.entries())
    }),
];

fn receiver<'a>(value: &'a Value, name: &str) -> Result<&'a Arc<Dict>, Raised> {
    match value {
        Value::Dict(dict) => Ok(dict),
        other => Err(type_error(format!(
            "descriptor '{name}' for 'dict' objects doesn't apply to a '{}' object",
            other.type_name()
        ))),
    }
}

fn this<'a, const N: usize>(call: &Call<'a>, name: &str) -> Result<(&'a Arc<Dict>, &'a [Value; N]), Raised> {
    let (value, args) = call.method::<N>(&format!("dict.{name}"))?;
    Ok((receiver(value, name)?, args))
}

/// A dict of these entries.
fn from_pairs(pairs: Vec<(Value, Value)>) -> Result<Value, Raised> {
    let dict = Dict::default();
    for (key, value) in pairs {
        dict.lock().insert(key, value)?;
    }
    Ok(Value::Dict(Arc::new(dict)))
}

fn get(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("dict.get")?;
    call.between("get", args, 1, 2)?;
    let found = receiver(value, "get")?.lock().get(&args[0])?.cloned();
    Ok(found.or_else(|| args.get(1).cloned()).unwrap_or(Value::None))
}

fn pop(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("dict.pop")?;
    call.between("pop", args, 1, 2)?;
    let removed = receiver(value, "pop")?.lock().remove(&args[0])?;
    removed.or_else(|| args.get(1).cloned()).ok_or_else(|| missing(&args[0]))
}

fn setdefault(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("dict.setdefault")?;
    call.between("setdefault", args, 1, 2)?;
    let mut entries = receiver(value, "setdefault")?.lock();
    if let Some(found) = entries.get(&args[0])? {
        return Ok(found.clone());
    }
    let default = args.get(1).cloned().unwrap_or(Value::None);
    entries.insert(args[0].clone(), default.clone())?;
    Ok(default)
}

fn update(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("dict.update")?;
    call.between("update", args, 0, 1)?;
    let dict = receiver(value, "update")?;
    for (key, value) in args.first().map_or(Ok(Vec::new()), pairs)? {
        dict.lock().insert(key, value)?;
    }
    Ok(Value::None)
}

/// The entries of a dict, or of an iterable of pairs.
pub(crate) fn pairs(source: &Value) -> Result<Vec<(Value, Value)>, Raised> {
    if let Value::Dict(dict) = source {
        return Ok(dict.entries());
    }
    let pair = |(index, item): (usize, &Value)| {
        let items = gather(item).map_err(|_| {
            type_error(format!("cannot convert dictionary update sequence element #{index} to a sequence"))
        })?;
        match <[Value; 2]>::try_from(items) {
            Ok([key, value]) => Ok((key, value)),
            Err(items) => Err(Kind::ValueError.raise(format!(
                "dictionary update sequence element #{index} has length {}; 2 is required",
                items.len()
            ))),
        }
    };
    gather(source)?.iter().enumerate().map(pair).collect()
}
