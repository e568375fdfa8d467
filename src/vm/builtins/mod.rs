//! The builtins: functions and types that need no import.

mod iterables;
mod numbers;
mod objects;
mod round;

use iterables::{each, enumerate, extreme, range, reversed, sorted, sum, zip};
use numbers::{abs, divmod, float, int, pow, radix};
use objects::{bytes, chr, dict, isinstance, len, ord, print};
use round::round;

use super::code::Comparison;
use super::exception::Kind;
use super::iterate::gather;
use super::native::{Native, find};
use super::value::Value;
use super::{methods, text};

static BUILTINS: &[Native] = &[
    Native::function("abs", abs),
    Native::function("all", |call| Ok(Value::Bool(each(call, "all", false)?.is_none()))),
    Native::function("any", |call| Ok(Value::Bool(each(call, "any", true)?.is_some()))),
    Native::function("bin", |call| radix(call, "bin", "0b", 2)),
    Native::class("bool", |call| {
        call.between("bool", call.positional(), 0, 1)?;
        Ok(Value::Bool(call.args.first().is_some_and(Value::truth)))
    }),
    Native::class("bytes", bytes),
    Native::function("chr", chr),
    Native::class("dict", dict),
    Native::function("divmod", divmod),
    Native::class("enumerate", enumerate),
    Native::class("float", float),
    Native::function("format", |call| {
        call.between("format", call.positional(), 1, 2)?;
        let spec = call.args.get(1).cloned().unwrap_or_else(|| Value::str(""));
        methods::format_value(&call.args[0], &spec).map(Value::str)
    }),
    Native::function("hex", |call| radix(call, "hex", "0x", 16)),
    Native::class("int", int),
    Native::function("isinstance", isinstance),
    Native::function("len", len),
    Native::class("list", |call| {
        call.between("list", call.positional(), 0, 1)?;
        call.args.first().map_or(Ok(Vec::new()), gather).map(Value::list)
    }),
    Native::function("max", |call| extreme(call, "max", Comparison::Greater)),
    Native::function("min", |call| extreme(call, "min", Comparison::Less)),
    Native::function("oct", |call| radix(call, "oct", "0o", 8)),
    Native::function("ord", ord),
    Native::function("pow", pow),
    Native::function("print", print),
    Native::class("range", range),
    Native::function("repr", |call| text::repr(&call.exactly::<1>("repr")?[0]).map(Value::str)),
    Native::class("reversed", reversed),
    Native::function("round", round),
    Native::function("sorted", sorted),
    Native::class("str", |call| {
        call.between("str", call.positional(), 0, 1)?;
        call.args.first().map_or(Ok(String::new()), text::str).map(Value::str)
    }),
    Native::function("sum", sum),
    Native::class("tuple", |call| {
        call.between("tuple", call.positional(), 0, 1)?;
        call.args.first().map_or(Ok(Vec::new()), gather).map(Value::tuple)
    }),
    Native::class("zip", zip),
];

/// The builtin of this name.
pub(super) fn get(name: &str) -> Option<Value> {
    let exception = Kind::ALL.iter().find(|kind| kind.is_builtin() && kind.name() == name);
    exception.map(|kind| Value::ExceptionType(*kind)).or_else(|| find(BUILTINS, name).map(Value::Native))
}

/// For a builtin of Python that the miniature lacks: what to do instead.
pub(super) fn outside(name: &str) -> Option<&'static str> {
    Some(match name {
        "open" | "input" => "a workload has neither files nor a keyboard; give it arguments",
        "set" | "frozenset" => "use a dict whose values are True, or a list",
        "map" | "filter" => "write a list comprehension",
        "iter" | "next" => "write a for loop",
        "type" => "use isinstance",
        "bytearray" | "memoryview" => "use bytes, or a list of ints",
        "complex" => "use floats",
        "eval" | "exec" | "compile" | "__import__" => "write the code itself into the file",
        "globals" | "locals" | "vars" | "dir" | "getattr" | "setattr" | "hasattr" | "delattr" => {
            "use variables and dicts"
        }
        "object" | "super" | "property" | "classmethod" | "staticmethod" | "issubclass" => "write functions only",
        "hash" | "id" | "callable" | "ascii" | "slice" | "help" | "breakpoint" | "aiter" | "anext" => "leave it out",
        _ => return None,
    })
}
