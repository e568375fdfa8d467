//! Builtins that make texts, bytes and dicts, or ask what a value is.

use std::sync::Arc;

use crate::vm::dict::Dict;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::iterate::gather;
use crate::vm::methods::{self, as_index};
use crate::vm::native::Call;
use crate::vm::value::Value;
use crate::vm::{limits, text};

pub(super) fn bytes(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.between("bytes", call.positional(), 0, 2)?;
    match (call.args.first(), call.args.get(1)) {
        (None, _) => Ok(Value::bytes(Vec::new())),
        (Some(Value::Str(text)), Some(_)) => Ok(Value::bytes(text.as_str().as_bytes())),
        (Some(Value::Str(_)), None) => Err(type_error("string argument without an encoding")),
        (Some(Value::Bytes(bytes)), _) => Ok(Value::Bytes(bytes.clone())),
        (Some(Value::Int(len)), _) => {
            let len = u128::try_from(*len).map_err(|_| value_error("negative count"))?;
            Ok(Value::bytes(vec![0; limits::bytes(len)?]))
        }
        (Some(items), _) => {
            let byte = |item: &Value| {
                let byte = as_index(item)?;
                u8::try_from(byte).map_err(|_| value_error("bytes must be in range(0, 256)"))
            };
            let unable = |_| type_error(format!("cannot convert '{}' object to bytes", items.type_name()));
            let items = gather(items).map_err(unable)?;
            Ok(Value::bytes(items.iter().map(byte).collect::<Result<Vec<u8>, Raised>>()?))
        }
    }
}

pub(super) fn chr(call: &mut Call<'_>) -> Result<Value, Raised> {
    let code = as_index(&call.exactly::<1>("chr")?[0])?;
    let character = u32::try_from(code).ok().and_then(char::from_u32);
    Ok(Value::str(character.ok_or_else(|| value_error("chr() arg not in range(0x110000)"))?.to_string()))
}

pub(super) fn ord(call: &mut Call<'_>) -> Result<Value, Raised> {
    match &call.exactly::<1>("ord")?[0] {
        Value::Str(text) if text.len() == 1 => Ok(Value::Int(text.as_str().chars().next().map_or(0, u32::from).into())),
        Value::Str(text) => {
            let found = text.len();
            Err(type_error(format!("ord() expected a character, but string of length {found} found")))
        }
        Value::Bytes(bytes) if bytes.len() == 1 => Ok(Value::Int(bytes[0].into())),
        other => Err(type_error(format!("ord() expected string of length 1, but {} found", other.type_name()))),
    }
}

pub(super) fn dict(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    if args.len() > 1 {
        return Err(type_error(format!("dict expected at most 1 argument, got {}", args.len())));
    }
    let dict = Dict::default();
    for (key, value) in args.first().map_or(Ok(Vec::new()), methods::pairs)? {
        dict.lock().insert(key, value)?;
    }
    for (keyword, value) in call.keywords.iter().zip(&call.args[args.len()..]) {
        dict.lock().insert(Value::str(&**keyword), value.clone())?;
    }
    Ok(Value::Dict(Arc::new(dict)))
}

pub(super) fn isinstance(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value, class] = call.exactly::<2>("isinstance")?;
    let is = |class: &Value| match (value, class) {
        (Value::Bool(_), Value::Native(native)) if native.name == "int" => Ok(true),
        (Value::Exception(exception), Value::ExceptionType(kind)) => Ok(exception.kind.is_a(*kind)),
        (_, Value::ExceptionType(_)) => Ok(false),
        (value, Value::Native(native)) if native.is_type => Ok(value.type_name() == native.name),
        _ => Err(type_error("isinstance() arg 2 must be a type, a tuple of types, or a union")),
    };
    match class {
        Value::Tuple(classes) => {
            for class in &classes.0 {
                if is(class)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        class => is(class).map(Value::Bool),
    }
}

pub(super) fn len(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value] = call.exactly::<1>("len")?;
    Ok(match value {
        Value::Str(text) => Value::from(text.len()),
        Value::Bytes(bytes) => Value::from(bytes.len()),
        Value::List(list) => Value::from(list.lock().len()),
        Value::Tuple(tuple) => Value::from(tuple.0.len()),
        Value::Dict(dict) => Value::from(dict.len()),
        Value::Range(range) => {
            let too_long = |_| Kind::OverflowError.raise("Python int too large to convert to C ssize_t");
            Value::Int(i64::try_from(range.len()).map_err(too_long)?)
        }
        other => return Err(type_error(format!("object of type '{}' has no len()", other.type_name()))),
    })
}

pub(super) fn print(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    let (mut separator, mut end) = (" ".to_owned(), "\n".to_owned());
    for (keyword, value) in call.keywords.iter().zip(&call.args[args.len()..]) {
        let option = match &**keyword {
            "sep" => &mut separator,
            "end" => &mut end,
            "flush" => continue,
            other => return Err(type_error(format!("print() got an unexpected keyword argument '{other}'"))),
        };
        match value {
            Value::None => {}
            Value::Str(text) => *option = text.as_str().to_owned(),
            other => return Err(type_error(format!("{keyword} must be None or a string, not {}", other.type_name()))),
        }
    }
    let mut line = String::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            line.push_str(&separator);
        }
        line.push_str(&text::str(arg)?);
    }
    line.push_str(&end);
    call.outside.print(&line);
    Ok(Value::None)
}
