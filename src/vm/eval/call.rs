//! Calls of what is no function of the program.

use std::sync::Arc;

use crate::event::Line;
use crate::vm::code::Instruction;
use crate::vm::exception::{Raised, type_error};
use crate::vm::native::{Call, Outside, find};
use crate::vm::raising::{make_exception, no_async_manager, no_manager};
use crate::vm::value::Value;

/// Calls it. The last of `args` are those by keyword.
#[inline]
pub(super) fn call_other(
    callable: &Value,
    args: &[Value],
    keywords: &[Arc<str>],
    outside: &mut dyn Outside,
    line: Line,
) -> Result<Value, Raised> {
    match callable {
        Value::Native(native) => (native.run)(&mut Call { args, keywords, outside, line }),
        Value::Method(method) => {
            let args: Vec<Value> = std::iter::once(&method.0).chain(args).cloned().collect();
            (method.1.run)(&mut Call { args: &args, keywords, outside, line })
        }
        Value::ExceptionType(kind) if keywords.is_empty() => make_exception(*kind, args),
        Value::ExceptionType(kind) => Err(type_error(format!("{}() takes no keyword arguments", kind.name()))),
        other => Err(type_error(format!("'{}' object is not callable", other.type_name()))),
    }
}

/// Has a context manager do what `instruction` says on the way in or out. Of the way out of a plain `with` nothing is
/// kept; of that of an `async with` there is a coroutine to be awaited.
pub(super) fn manage(
    instruction: Instruction,
    manager: Value,
    outside: &mut dyn Outside,
    line: Line,
) -> Result<Option<Value>, Raised> {
    let (name, kept, is_async) = match instruction {
        Instruction::BeforeWith => ("__enter__", true, false),
        Instruction::BeforeAsyncWith => ("__aenter__", true, true),
        Instruction::AsyncWithExit => ("__aexit__", true, true),
        _ => ("__exit__", false, false),
    };
    let method = match &manager {
        Value::Object(object) => find(object.methods(), name),
        _ => None,
    };
    let Some(method) = method else {
        return Err(if is_async { no_async_manager(&manager) } else { no_manager(&manager) });
    };
    let value = (method.run)(&mut Call { args: &[manager], keywords: &[], outside, line })?;
    Ok(kept.then_some(value))
}
