//! Values. Numbers and constants are immediate; everything else lies behind an
//! `Arc`, and what can change locks itself, object by object, so that threads
//! may share it in safe Rust whether or not there is a GIL above them.
//!
//! Nothing here recurses without bound: a list nested a million deep is
//! dropped, printed and compared without overflowing the Rust stack.

mod parts;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

use num_bigint::BigInt;

use super::dict::Dict;
use super::exception::{Exception, Kind};
use super::iterate::Iteration;
use super::native::{Library, Native};
use super::wide::Wide;

pub(crate) use parts::Counted;
pub use parts::{Function, List, Range, Text, Tuple};

/// A Python value; 16 bytes.
#[derive(Clone, Default)]
pub enum Value {
    /// A local variable or global not assigned yet. A program never sees it.
    #[default]
    Unbound,
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An `int` that fits 64 bits. An `int` is always kept in the first of the three that it fits, so that equal ints
    /// look alike.
    Int(i64),
    /// An `int` that threads were given and count references to, where there is no GIL. It lies in parameters alone:
    /// whoever loads it counts, and has an `Int`.
    Counted(Arc<Counted>),
    /// A `float`.
    Float(f64),
    /// An `int` that fits 120 bits.
    Wide(Wide),
    /// An `int` of any other size.
    Big(Arc<BigInt>),
    /// A `str`.
    Str(Arc<Text>),
    /// A `bytes`.
    Bytes(Arc<Vec<u8>>),
    /// A `list`.
    List(Arc<List>),
    /// A `tuple`.
    Tuple(Arc<Tuple>),
    /// A `dict`.
    Dict(Arc<Dict>),
    /// A `range`.
    Range(Arc<Range>),
    /// A `slice`, between its making and its use.
    Slice(Arc<[Value; 3]>),
    /// A function of the program.
    Function(Arc<Function>),
    /// A function, method or type of the miniature.
    Native(&'static Native),
    /// An imported module.
    Module(&'static Library),
    /// The class of an exception.
    ExceptionType(Kind),
    /// An exception.
    Exception(Arc<Exception>),
    /// An iterator a program may hold.
    Iterator(Arc<Mutex<Iteration>>),
    /// The iterator of a running `for`, which nothing else can reach.
    Loop(Box<Iteration>),
    /// A method taken from its object but not called yet.
    Method(Arc<(Value, &'static Native)>),
    /// An object of a module: a lock, a queue, a hash.
    Object(Arc<Box<dyn Object>>),
}

const _: () = assert!(size_of::<Value>() == 16);

/// What a module's own objects can do.
pub trait Object: Any + Send + Sync {
    /// Its type, as `type(x).__name__` has it.
    fn type_name(&self) -> &'static str;
    /// Its methods.
    fn methods(&self) -> &'static [Native];
    /// What it has besides methods; the names stand in `modules::OBJECT_ATTRIBUTES`.
    fn attribute(&self, _name: &str) -> Option<Value> {
        None
    }
    /// For downcasting.
    fn as_any(&self) -> &dyn Any;
}

impl Value {
    /// Whether it lies in the value itself, so that copying it and dropping it cost nothing.
    #[inline(always)]
    pub(crate) fn is_immediate(&self) -> bool {
        matches!(self, Value::Unbound | Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Wide(_))
    }

    /// `clone`, with the immediate ones first.
    #[inline(always)]
    pub(crate) fn copy(&self) -> Value {
        // By a branch of its own, which is foreseen, rather than by a table of jumps.
        if let Value::Int(value) = self {
            return Value::Int(*value);
        }
        match self {
            Value::Float(value) => Value::Float(*value),
            Value::Wide(value) => Value::Wide(*value),
            Value::Bool(value) => Value::Bool(*value),
            Value::None => Value::None,
            Value::Unbound => Value::Unbound,
            Value::Counted(int) => Value::Int(int.loaded()),
            other => other.clone(),
        }
    }

    /// As threads that run side by side are given it: they count references to an int that is not one of the small
    /// ones, of which CPython has one each for good.
    pub(crate) fn handed_to_threads(&self) -> Value {
        match self {
            Value::Int(value) if !(-5..=256).contains(value) => Value::Counted(Arc::new(Counted::new(*value))),
            other => other.clone(),
        }
    }

    /// An `int` that needs no memory of its own; none for one that does.
    #[inline(always)]
    pub(crate) fn short_int(value: i128) -> Option<Value> {
        match i64::try_from(value) {
            Ok(value) => Some(Value::Int(value)),
            Err(_) => Wide::new(value).map(Value::Wide),
        }
    }

    /// A `str`.
    pub fn str(text: impl Into<Box<str>>) -> Value {
        Value::Str(Arc::new(Text::new(text.into())))
    }

    /// A `bytes`.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
        Value::Bytes(Arc::new(bytes.into()))
    }

    /// A `list`.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(List::new(items)))
    }

    /// A `tuple`.
    pub fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(Arc::new(Tuple(items)))
    }

    /// An object of a module.
    pub(crate) fn object(object: impl Object) -> Value {
        Value::Object(Arc::new(Box::new(object)))
    }

    /// The object inside, if it is of that Rust type.
    pub(crate) fn downcast<T: Object>(&self) -> Option<&T> {
        match self {
            Value::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }

    /// `type(x).__name__`, as messages have it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Unbound => "NULL",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Counted(_) | Value::Wide(_) | Value::Big(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Range(_) => "range",
            Value::Slice(_) => "slice",
            Value::Function(_) => "function",
            Value::Native(native) if native.is_type => "type",
            Value::Native(_) | Value::Method(_) => "builtin_function_or_method",
            Value::Module(_) => "module",
            Value::ExceptionType(_) => "type",
            Value::Exception(exception) => exception.kind.name(),
            Value::Iterator(_) | Value::Loop(_) => "iterator",
            Value::Object(object) => object.type_name(),
        }
    }

    /// `bool(x)`.
    #[inline]
    pub fn truth(&self) -> bool {
        match self {
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::None | Value::Unbound => false,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(list) => !list.lock().is_empty(),
            Value::Tuple(tuple) => !tuple.0.is_empty(),
            Value::Dict(dict) => !dict.is_empty(),
            Value::Range(range) => !range.is_empty(),
            _ => true,
        }
    }

    /// `a is b`: the same object, or equal immediate values.
    pub fn is(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::None, Value::None) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Wide(a), Value::Wide(b)) => a == b,
            (Value::Big(a), Value::Big(b)) => Arc::ptr_eq(a, b),
            (Value::Str(a), Value::Str(b)) => Arc::ptr_eq(a, b) || a.as_str() == b.as_str() && a.len() <= 1,
            (Value::Bytes(a), Value::Bytes(b)) => Arc::ptr_eq(a, b),
            (Value::List(a), Value::List(b)) => Arc::ptr_eq(a, b),
            (Value::Tuple(a), Value::Tuple(b)) => Arc::ptr_eq(a, b) || a.0.is_empty() && b.0.is_empty(),
            (Value::Dict(a), Value::Dict(b)) => Arc::ptr_eq(a, b),
            (Value::Range(a), Value::Range(b)) => Arc::ptr_eq(a, b),
            (Value::Function(a), Value::Function(b)) => a.identity == b.identity,
            (Value::Native(a), Value::Native(b)) => std::ptr::eq(*a, *b),
            (Value::Module(a), Value::Module(b)) => std::ptr::eq(*a, *b),
            (Value::ExceptionType(a), Value::ExceptionType(b)) => a == b,
            (Value::Exception(a), Value::Exception(b)) => Arc::ptr_eq(&a.identity, &b.identity),
            (Value::Iterator(a), Value::Iterator(b)) => Arc::ptr_eq(a, b),
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether it can hold other values, and so begin a chain of drops.
    pub(super) fn holds_values(&self) -> bool {
        matches!(
            self,
            Value::List(_)
                | Value::Tuple(_)
                | Value::Dict(_)
                | Value::Slice(_)
                | Value::Function(_)
                | Value::Exception(_)
                | Value::Iterator(_)
                | Value::Loop(_)
                | Value::Method(_)
                | Value::Object(_)
        )
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::from(value as i128)
    }
}

/// The smallest form.
impl From<BigInt> for Value {
    fn from(value: BigInt) -> Value {
        let short = i128::try_from(&value).ok().and_then(Value::short_int);
        short.unwrap_or_else(|| Value::Big(Arc::new(value)))
    }
}

impl From<i128> for Value {
    fn from(value: i128) -> Value {
        Value::short_int(value).unwrap_or_else(|| Value::Big(Arc::new(BigInt::from(value))))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

#[cfg(test)]
mod tests;
