//! What goes between the first process and its workers, as pickles: the
//! preparation data, calls and results. Functions go by name, as in CPython.

use std::hint::black_box;

use super::interpreter::Failure;
use crate::vm::Value;
use crate::vm::pickle::{dumps, loads};

/// What the worker is prepared with: the name of the main module and of the function it is for
/// (CPython's `multiprocessing.spawn.get_preparation_data`, and the process object after it).
pub(super) fn preparation(function: &str, module: &str) -> Result<Vec<u8>, String> {
    of(&Value::tuple(vec![Value::str(module), Value::str(function)]))
}

/// Whether the preparation data can be read; a worker knows no more from it than it was told already.
pub(super) fn prepared(pickle: &[u8]) -> Result<(), String> {
    loads(pickle).map(drop).map_err(|error| format!("the preparation data cannot be unpickled: {error}"))
}

/// A call, as `concurrent.futures.process._CallItem` has it: the function and its arguments.
pub(super) fn call(function: &str, args: Vec<(String, Value)>) -> Result<Vec<u8>, String> {
    let args = args.into_iter().map(|(name, value)| Value::tuple(vec![Value::str(name), value])).collect();
    of(&Value::tuple(vec![Value::str(function), Value::list(args)]))
}

/// A call for another interpreter of this process, after 3.14's `_interpreters.call`. The dict of arguments is offered as
/// it is before it is pickled (`_PyObject_GetXIData` with its fallback), which no dict may be; the refusal is an exception
/// whose message has the whole of it written out, and which nobody sees. Of 16 MiB of bytes that takes longer than the
/// pickle, so it is done here too.
pub(super) fn call_across(function: &str, args: Vec<(String, Value)>) -> Result<Vec<u8>, String> {
    black_box(not_shareable(&args));
    call(function, args)
}

/// The message: `"%S does not support cross-interpreter data"`.
fn not_shareable(args: &[(String, Value)]) -> String {
    let mut written = String::from("{");
    for (index, (name, value)) in args.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        written.extend([comma, &Value::str(name.as_str()).repr(), ": ", &value.repr()]);
    }
    format!("{written}}} does not support cross-interpreter data")
}

/// A call, unpickled.
pub(super) fn called(pickle: &[u8]) -> Result<(String, Vec<(String, Value)>), Failure> {
    let damaged = || Failure::without_line("a call arrived damaged");
    let [function, args] = pair(&result(pickle)?).ok_or_else(damaged)?;
    let Value::List(args) = args else { return Err(damaged()) };
    let args = args.lock().iter().map(|arg| pair(arg).and_then(|[name, value]| Some((text(&name)?, value)))).collect();
    Ok((text(&function).ok_or_else(damaged)?, Option::ok_or_else(args, damaged)?))
}

/// A value, pickled.
pub(super) fn of(value: &Value) -> Result<Vec<u8>, String> {
    dumps(value).map_err(|error| error.to_string())
}

/// A value, unpickled.
pub(super) fn result(pickle: &[u8]) -> Result<Value, Failure> {
    loads(pickle).map_err(|error| Failure::without_line(format!("a pickle cannot be read: {error}")))
}

fn pair(value: &Value) -> Option<[Value; 2]> {
    match value {
        Value::Tuple(items) => <[Value; 2]>::try_from(items.0.clone()).ok(),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_arrives_as_it_was_made() {
        let args = vec![("n".to_owned(), Value::Int(-7)), ("seconds".to_owned(), Value::Float(0.5))];
        let (function, args) = called(&call("work", args).unwrap()).unwrap();
        let args: Vec<_> = args.iter().map(|(name, value)| (name.as_str(), value.repr())).collect();
        assert_eq!((function.as_str(), args), ("work", vec![("n", "-7".to_owned()), ("seconds", "0.5".to_owned())]));
    }

    #[test]
    fn a_call_to_another_interpreter_is_refused_in_cpythons_words_and_pickled() {
        let args = vec![("data".to_owned(), Value::bytes(*b"g\n")), ("n".to_owned(), Value::Int(1))];
        assert_eq!(not_shareable(&args), "{'data': b'g\\n', 'n': 1} does not support cross-interpreter data");
        assert_eq!(call_across("work", args.clone()), call("work", args));
    }

    #[test]
    fn a_damaged_call_is_an_error() {
        assert!(called(b"nonsense").is_err());
        assert!(called(&of(&Value::Int(1)).unwrap()).is_err());
    }
}
