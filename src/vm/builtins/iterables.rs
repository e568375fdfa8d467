//! Builtins that go through what can be gone through.

use std::sync::Arc;

use crate::vm::code::{Comparison, Operator};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::iterate::{self, Iteration, gather};
use crate::vm::methods::{self, as_index};
use crate::vm::native::Call;
use crate::vm::operate;
use crate::vm::value::{Range, Value};

/// The first item with that truth.
pub(super) fn each(call: &mut Call<'_>, name: &str, wanted: bool) -> Result<Option<Value>, Raised> {
    let mut iteration = Iteration::over(&call.exactly::<1>(name)?[0])?;
    while let Some(item) = iteration.advance()? {
        if item.truth() == wanted {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

/// Refuses iterators wrapped in iterators without end.
fn wrapped(inner: Iteration, wrap: impl FnOnce(Iteration) -> Iteration) -> Result<Value, Raised> {
    if inner.depth() >= iterate::DEPTH {
        return Err(Kind::RecursionError.raise("maximum recursion depth exceeded"));
    }
    Ok(wrap(inner).into_value())
}

pub(super) fn enumerate(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [iterable, start] = call.bind("enumerate", call.positional(), ["iterable", "start"])?;
    let iterable = iterable.ok_or_else(|| type_error("enumerate() missing required argument 'iterable' (pos 1)"))?;
    let start = start.map_or(Ok(0), as_index)?;
    wrapped(Iteration::over(iterable)?, |inner| Iteration::Enumerate(Box::new(inner), start))
}

pub(super) fn zip(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.no_keywords("zip")?;
    let inners: Vec<Iteration> = call.args.iter().map(Iteration::over).collect::<Result<_, _>>()?;
    wrapped(Iteration::Zip(inners), |zip| zip)
}

pub(super) fn reversed(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value] = call.exactly::<1>("reversed")?;
    match value {
        Value::Range(range) => {
            let len = range.len();
            let next = if len == 0 { 0 } else { range.at(len - 1) };
            Ok(Iteration::Range { next, left: len, step: range.step.wrapping_neg() }.into_value())
        }
        Value::List(_) | Value::Tuple(_) | Value::Str(_) | Value::Bytes(_) | Value::Dict(_) => {
            Ok(Iteration::Reversed(gather(value)?).into_value())
        }
        other => Err(type_error(format!("'{}' object is not reversible", other.type_name()))),
    }
}

pub(super) fn range(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    call.between("range", args, 1, 3)?;
    let number = |value: &Value| match value {
        Value::Wide(_) | Value::Big(_) => {
            Err(Kind::OverflowError.raise("a range beyond 64 bits is outside the miniature's Python"))
        }
        other => as_index(other),
    };
    let (start, stop, step) = match args {
        [stop] => (0, number(stop)?, 1),
        [start, stop] => (number(start)?, number(stop)?, 1),
        [start, stop, step, ..] => (number(start)?, number(stop)?, number(step)?),
        [] => (0, 0, 1),
    };
    if step == 0 {
        return Err(value_error("range() arg 3 must not be zero"));
    }
    Ok(Value::Range(Arc::new(Range { start, stop, step })))
}

pub(super) fn extreme(call: &mut Call<'_>, name: &str, wanted: Comparison) -> Result<Value, Raised> {
    let (mut default, mut key) = (None, None);
    let args = call.positional();
    for (keyword, value) in call.keywords.iter().zip(&call.args[args.len()..]) {
        match &**keyword {
            "default" => default = Some(value),
            "key" => key = Some(value),
            other => return Err(type_error(format!("{name}() got an unexpected keyword argument '{other}'"))),
        }
    }
    let items;
    let mut iteration = match args {
        [] => return Err(type_error(format!("{name} expected at least 1 argument, got 0"))),
        [iterable] => Iteration::over(iterable)?,
        several => {
            items = Value::tuple(several.to_vec());
            Iteration::over(&items)?
        }
    };
    let mut best: Option<(Value, Value)> = None;
    while let Some(item) = iteration.advance()? {
        let measure = match key {
            None | Some(Value::None) => item.clone(),
            Some(Value::Native(native)) => {
                let args = std::slice::from_ref(&item);
                (native.run)(&mut Call { args, keywords: &[], outside: &mut *call.outside, line: call.line })?
            }
            Some(_) => {
                let message = "a key function of one's own is outside the miniature's Python; use tuples instead";
                return Err(Kind::NotImplementedError.raise(message));
            }
        };
        match &best {
            Some((known, _)) if !operate::compare(wanted, &measure, known)? => {}
            _ => best = Some((measure, item)),
        }
    }
    match (best, default) {
        (Some((_, item)), _) => Ok(item),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => Err(value_error(format!("{name}() iterable argument is empty"))),
    }
}

pub(super) fn sorted(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    if args.len() != 1 {
        return Err(type_error(format!("sorted expected 1 argument, got {}", args.len())));
    }
    let items = gather(&args[0])?;
    let [key, reverse] = call.bind("sort", &[], ["key", "reverse"])?;
    let (items, result) = methods::sort(call, items, key, reverse);
    result.map(|()| Value::list(items))
}

pub(super) fn sum(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [iterable, start] = call.bind("sum", call.positional(), ["iterable", "start"])?;
    let iterable = iterable.ok_or_else(|| type_error("sum() takes at least 1 positional argument (0 given)"))?;
    let mut total = start.cloned().unwrap_or(Value::Int(0));
    if let Value::Str(_) = total {
        return Err(type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    call.outside.heartbeat(call.line);
    let mut iteration = Iteration::over(iterable)?;
    let mut since = 0u32;
    while let Some(item) = iteration.advance()? {
        total = match (&total, &item) {
            (Value::Int(a), Value::Int(b)) if let Some(sum) = a.checked_add(*b) => Value::Int(sum),
            (a, b) => operate::binary(Operator::Add, false, a, b)?,
        };
        since += 1;
        if since == 1 << 12 {
            since = 0;
            call.outside.heartbeat(call.line);
        }
    }
    call.outside.heartbeat(call.line);
    Ok(total)
}
