//! Exceptions as the evaluation loop makes, raises and matches them.

use std::sync::Arc;

use super::code::Program;
use super::exception::{Exception, Kind, Raised, type_error};
use super::frame::Frame;
use super::text;
use super::value::Value;

/// What the locals are called in which the exceptions being handled lie; of a function's, a later one is of a handler
/// further within.
pub(super) const RAISED: &str = "raised";

/// The exception being handled, by the innermost of the functions called that handles one; unbound if none does.
pub(super) fn handled(program: &Program, stack: &[Value], frames: &[Frame]) -> Value {
    let lies_in = |frame: &Frame| {
        let locals = &program.codes[frame.code as usize].locals;
        let named = locals.iter().enumerate().rev().filter(|(_, name)| name.strip_prefix('.') == Some(RAISED));
        named.map(|(slot, _)| &stack[frame.base + slot]).find(|value| matches!(value, Value::Exception(_))).cloned()
    };
    frames.iter().rev().find_map(lies_in).unwrap_or(Value::Unbound)
}

pub(super) fn make_exception(kind: Kind, args: &[Value]) -> Result<Value, Raised> {
    let message = match args {
        [] => String::new(),
        [one] if kind == Kind::KeyError => text::repr(one)?,
        [one] if kind == Kind::URLError => format!("<urlopen error {}>", text::str(one)?),
        [one] => text::str(one)?,
        [Value::Int(number), words] if kind.is_a(Kind::OSError) => format!("[Errno {number}] {}", text::str(words)?),
        several => text::repr(&Value::tuple(several.to_vec()))?,
    };
    let mut exception = kind.exception(message);
    exception.args = args.to_vec();
    Ok(Value::Exception(Arc::new(exception)))
}

/// `raise value`.
#[cold]
pub(super) fn raise(value: &Value) -> Raised {
    match value {
        Value::Exception(exception) => Raised::Exception(Box::new(Exception::clone(exception))),
        Value::ExceptionType(kind) => kind.raise(""),
        Value::Unbound => Kind::RuntimeError.raise("No active exception to reraise"),
        _ => type_error("exceptions must derive from BaseException"),
    }
}

pub(super) fn matches_exception(exception: &Value, class: &Value) -> Result<bool, Raised> {
    let Value::Exception(exception) = exception else { return Ok(false) };
    let wrong = || type_error("catching classes that do not inherit from BaseException is not allowed");
    match class {
        Value::ExceptionType(kind) => Ok(exception.kind.is_a(*kind)),
        Value::Tuple(classes) => {
            let mut caught = false;
            for class in &classes.0 {
                let Value::ExceptionType(kind) = class else { return Err(wrong()) };
                caught |= exception.kind.is_a(*kind);
            }
            Ok(caught)
        }
        _ => Err(wrong()),
    }
}

#[cold]
pub(super) fn unbound_local(name: &str) -> Raised {
    Kind::UnboundLocalError
        .raise(format!("cannot access local variable '{name}' where it is not associated with a value"))
}

#[cold]
pub(super) fn not_defined(name: &str) -> Raised {
    Kind::NameError.raise(format!("name '{name}' is not defined"))
}

#[cold]
pub(super) fn too_deep() -> Raised {
    Kind::RecursionError.raise("maximum recursion depth exceeded")
}

#[cold]
pub(super) fn no_module(name: &str) -> Raised {
    Kind::ModuleNotFoundError.raise(format!("No module named '{name}'"))
}

#[cold]
pub(super) fn no_manager(value: &Value) -> Raised {
    type_error(format!("'{}' object does not support the context manager protocol", value.type_name()))
}

#[cold]
pub(super) fn no_async_manager(value: &Value) -> Raised {
    type_error(format!("'{}' object does not support the asynchronous context manager protocol", value.type_name()))
}
