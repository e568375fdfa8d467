//! The methods of the built-in types, one file a type, and attributes in general.

mod bytes;
mod dict;
mod format;
mod list;
mod numbers;
mod str;

use super::code::Attribute;
use super::exception::{Exception, Kind, Raised, type_error};
use super::modules;
use super::native::{Native, find as find_native};
use super::value::Value;

pub(crate) use dict::pairs;
pub(crate) use format::format_value;
pub(crate) use list::sort;

/// A type with methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Int,
    Float,
    Str,
    Bytes,
    List,
    Tuple,
    Dict,
}

impl Class {
    pub(crate) const COUNT: usize = 7;

    const METHODS: [&'static [Native]; Class::COUNT] =
        [numbers::INT, numbers::FLOAT, str::METHODS, bytes::METHODS, list::LIST, list::TUPLE, dict::METHODS];

    fn of(value: &Value) -> Option<Class> {
        Some(match value {
            Value::Bool(_) | Value::Int(_) | Value::Wide(_) | Value::Big(_) => Class::Int,
            Value::Float(_) => Class::Float,
            Value::Str(_) => Class::Str,
            Value::Bytes(_) => Class::Bytes,
            Value::List(_) => Class::List,
            Value::Tuple(_) => Class::Tuple,
            Value::Dict(_) => Class::Dict,
            _ => return None,
        })
    }
}

/// For each class its method of this name.
pub(crate) fn named(name: &str) -> [Option<&'static Native>; Class::COUNT] {
    Class::METHODS.map(|methods| find_native(methods, name))
}

/// Whether anything in the miniature has an attribute of this name.
pub(crate) fn exists(name: &str) -> bool {
    named(name).iter().any(Option::is_some)
        || modules::ALL.iter().any(|library| library.get(name).is_some())
        || modules::object_methods().any(|method| method.name == name && !name.starts_with('_'))
        || EXCEPTION_ATTRIBUTES.contains(&name)
        || modules::OBJECT_ATTRIBUTES.contains(&name)
}

/// What exceptions have besides methods.
const EXCEPTION_ATTRIBUTES: &[&str] = &["args", "errno", "strerror", "reason", "code"];

/// An attribute of an exception: those of `OSError`, and of the errors of `urllib.error`.
fn of_exception(exception: &Exception, name: &str) -> Option<Value> {
    let arg = |index: usize| exception.args.get(index).cloned();
    match name {
        "args" => Some(Value::tuple(exception.args.clone())),
        // `HTTPError` is made with its URL, its code and its words.
        "code" if exception.kind == Kind::HTTPError => arg(1),
        "reason" if exception.kind == Kind::HTTPError => arg(2),
        "reason" if exception.kind == Kind::URLError => arg(0),
        // Only where it was made with a number and words for it.
        "errno" if exception.kind.is_a(Kind::OSError) => Some(arg(1).and(arg(0)).unwrap_or(Value::None)),
        "strerror" if exception.kind.is_a(Kind::OSError) => Some(arg(1).unwrap_or(Value::None)),
        _ => None,
    }
}

/// The method of a value that bears the attribute's name.
#[inline]
pub(crate) fn find(value: &Value, attribute: &Attribute) -> Option<&'static Native> {
    match value {
        Value::Object(object) => find_native(object.methods(), &attribute.name),
        _ => Class::of(value).and_then(|class| attribute.methods[class as usize]),
    }
}

/// An attribute that is no method.
pub(crate) fn attribute(value: &Value, name: &str) -> Result<Value, Raised> {
    let found = match value {
        Value::Module(library) => library.get(name).ok_or_else(|| format!("module '{}'", library.name)),
        Value::Exception(exception) if let Some(found) = of_exception(exception, name) => Ok(found),
        Value::Object(object) if let Some(found) = object.attribute(name) => Ok(found),
        Value::Native(native) if native.is_type => Err(format!("type object '{}'", native.name)),
        other => Err(format!("'{}' object", other.type_name())),
    };
    found.map_err(|owner| Kind::AttributeError.raise(format!("{owner} has no attribute '{name}'")))
}

/// An index or a count.
pub(crate) fn as_index(value: &Value) -> Result<i64, Raised> {
    match value {
        Value::Int(value) => Ok(*value),
        Value::Bool(value) => Ok((*value).into()),
        Value::Wide(_) | Value::Big(_) => {
            Err(Kind::OverflowError.raise("Python int too large to convert to C ssize_t"))
        }
        other => Err(type_error(format!("'{}' object cannot be interpreted as an integer", other.type_name()))),
    }
}
