//! The builtins: functions and types that need no import.

use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::{Num, Signed};

use super::code::{Comparison, Operator};
use super::exception::{Kind, Raised, type_error, value_error};
use super::iterate::{Iteration, gather};
use super::methods::{self, as_index};
use super::native::{Call, Native, find};
use super::number::{self, Number};
use super::value::{Range, Value};
use super::{limits, operate, text};

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

fn abs(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value] = call.exactly::<1>("abs")?;
    match Number::of(value) {
        Some(Number::Int(value)) => Ok(Value::from(i128::from(value).abs())),
        Some(Number::Big(value)) => Ok(Value::from(value.abs())),
        Some(Number::Float(value)) => Ok(Value::Float(value.abs())),
        None => Err(type_error(format!("bad operand type for abs(): '{}'", value.type_name()))),
    }
}

/// The first item with that truth.
fn each(call: &mut Call<'_>, name: &str, wanted: bool) -> Result<Option<Value>, Raised> {
    let mut iteration = Iteration::over(&call.exactly::<1>(name)?[0])?;
    while let Some(item) = iteration.advance()? {
        if item.truth() == wanted {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

fn radix(call: &mut Call<'_>, name: &str, prefix: &str, radix: u32) -> Result<Value, Raised> {
    let value = match &call.exactly::<1>(name)?[0] {
        Value::Big(value) => BigInt::clone(value),
        other => BigInt::from(as_index(other)?),
    };
    let sign = if value.is_negative() { "-" } else { "" };
    Ok(Value::str(format!("{sign}{prefix}{}", value.magnitude().to_str_radix(radix))))
}

fn bytes(call: &mut Call<'_>) -> Result<Value, Raised> {
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

fn chr(call: &mut Call<'_>) -> Result<Value, Raised> {
    let code = as_index(&call.exactly::<1>("chr")?[0])?;
    let character = u32::try_from(code).ok().and_then(char::from_u32);
    Ok(Value::str(character.ok_or_else(|| value_error("chr() arg not in range(0x110000)"))?.to_string()))
}

fn ord(call: &mut Call<'_>) -> Result<Value, Raised> {
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

fn dict(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    if args.len() > 1 {
        return Err(type_error(format!("dict expected at most 1 argument, got {}", args.len())));
    }
    let dict = super::dict::Dict::default();
    for (key, value) in args.first().map_or(Ok(Vec::new()), methods::pairs)? {
        dict.lock().insert(key, value)?;
    }
    for (keyword, value) in call.keywords.iter().zip(&call.args[args.len()..]) {
        dict.lock().insert(Value::str(&**keyword), value.clone())?;
    }
    Ok(Value::Dict(Arc::new(dict)))
}

fn divmod(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [a, b] = call.exactly::<2>("divmod")?;
    if Number::of(a).is_none() || Number::of(b).is_none() {
        let (a, b) = (a.type_name(), b.type_name());
        return Err(type_error(format!("unsupported operand type(s) for divmod(): '{a}' and '{b}'")));
    }
    if (matches!(a, Value::Float(_)) || matches!(b, Value::Float(_))) && !b.truth() {
        return Err(Kind::ZeroDivisionError.raise("float divmod()"));
    }
    let quotient = operate::binary(Operator::FloorDivide, false, a, b)?;
    Ok(Value::tuple(vec![quotient, operate::binary(Operator::Remainder, false, a, b)?]))
}

/// Refuses iterators wrapped in iterators without end.
fn wrapped(inner: Iteration, wrap: impl FnOnce(Iteration) -> Iteration) -> Result<Value, Raised> {
    if inner.depth() >= super::iterate::DEPTH {
        return Err(Kind::RecursionError.raise("maximum recursion depth exceeded"));
    }
    Ok(wrap(inner).into_value())
}

fn enumerate(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [iterable, start] = call.bind("enumerate", call.positional(), ["iterable", "start"])?;
    let iterable = iterable.ok_or_else(|| type_error("enumerate() missing required argument 'iterable' (pos 1)"))?;
    let start = start.map_or(Ok(0), as_index)?;
    wrapped(Iteration::over(iterable)?, |inner| Iteration::Enumerate(Box::new(inner), start))
}

fn zip(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.no_keywords("zip")?;
    let inners: Vec<Iteration> = call.args.iter().map(Iteration::over).collect::<Result<_, _>>()?;
    wrapped(Iteration::Zip(inners), |zip| zip)
}

fn reversed(call: &mut Call<'_>) -> Result<Value, Raised> {
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

fn float(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.between("float", call.positional(), 0, 1)?;
    let Some(value) = call.args.first() else { return Ok(Value::Float(0.0)) };
    if let Some(number) = Number::of(value) {
        return number.float().map(Value::Float);
    }
    let Value::Str(string) = value else {
        let found = value.type_name();
        return Err(type_error(format!("float() argument must be a string or a real number, not '{found}'")));
    };
    let plain = string.as_str().trim();
    // Rust reads what Python reads, but for underscores between digits.
    let digits = |character: Option<char>| character.is_some_and(|character| character.is_ascii_digit());
    let characters: Vec<char> = plain.chars().collect();
    let placed = characters.iter().enumerate().all(|(at, character)| {
        *character != '_'
            || digits(at.checked_sub(1).and_then(|before| characters.get(before)).copied())
                && digits(characters.get(at + 1).copied())
    });
    let parsed = plain.replace('_', "").parse().ok().filter(|_| placed);
    parsed.map(Value::Float).ok_or_else(|| {
        let mut shown = String::new();
        text::str_repr(string.as_str(), &mut shown);
        value_error(format!("could not convert string to float: {shown}"))
    })
}

fn int(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value, base] = match call.keywords {
        [] => {
            call.between("int", call.positional(), 0, 2)?;
            [call.args.first(), call.args.get(1)]
        }
        _ => call.bind("int", call.positional(), ["", "base"])?,
    };
    let Some(value) = value else { return Ok(Value::Int(0)) };
    match (value, base) {
        (Value::Str(string), base) => parse_int(string.as_str(), base.map_or(Ok(10), as_index)?),
        (_, Some(_)) => Err(type_error("int() can't convert non-string with explicit base")),
        (Value::Int(_) | Value::Big(_), _) => Ok(value.clone()),
        (Value::Bool(value), _) => Ok(Value::Int((*value).into())),
        (Value::Float(value), _) => number::truncate(*value),
        (other, _) => {
            let found = other.type_name();
            Err(type_error(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{found}'"
            )))
        }
    }
}

fn parse_int(string: &str, base: i64) -> Result<Value, Raised> {
    let invalid = || {
        let mut shown = String::new();
        text::str_repr(string, &mut shown);
        value_error(format!("invalid literal for int() with base {base}: {shown}"))
    };
    if base != 0 && !(2..=36).contains(&base) {
        return Err(value_error("int() base must be >= 2 and <= 36, or 0"));
    }
    let trimmed = string.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (mut radix, mut digits) = (base as u32, digits.to_ascii_lowercase());
    for (prefix, of) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if (base == 0 || base == of)
            && let Some(rest) = digits.strip_prefix(prefix)
        {
            (radix, digits) = (of as u32, rest.strip_prefix('_').unwrap_or(rest).to_owned());
            break;
        }
    }
    if radix == 0 {
        let old_octal =
            digits.len() > 1 && digits.starts_with('0') && digits.chars().any(|it| !matches!(it, '0' | '_'));
        if old_octal {
            return Err(invalid());
        }
        radix = 10;
    }
    if digits.is_empty() || digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return Err(invalid());
    }
    let digits = digits.replace('_', "");
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(invalid());
    }
    if !radix.is_power_of_two() && digits.len() > limits::INT_DIGITS {
        return Err(value_error(format!(
            "Exceeds the limit ({} digits) for integer string conversion: value has {} digits; \
             use sys.set_int_max_str_digits() to increase the limit",
            limits::INT_DIGITS,
            digits.len()
        )));
    }
    limits::bits(digits.len() as u64 * 5)?;
    let value = BigInt::from_str_radix(&digits, radix).map_err(|_| invalid())?;
    Ok(Value::from(if negative { -value } else { value }))
}

fn isinstance(call: &mut Call<'_>) -> Result<Value, Raised> {
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

fn len(call: &mut Call<'_>) -> Result<Value, Raised> {
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

fn extreme(call: &mut Call<'_>, name: &str, wanted: Comparison) -> Result<Value, Raised> {
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

fn pow(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [base, exponent, modulus] = call.bind("pow", call.positional(), ["base", "exp", "mod"])?;
    let missing = |name, position| type_error(format!("pow() missing required argument '{name}' (pos {position})"));
    let base = base.ok_or_else(|| missing("base", 1))?;
    let exponent = exponent.ok_or_else(|| missing("exp", 2))?;
    let Some(modulus) = modulus.filter(|modulus| !matches!(modulus, Value::None)) else {
        return operate::binary(Operator::Power, false, base, exponent);
    };
    let big = |value: &Value| match value {
        Value::Big(value) => Ok(BigInt::clone(value)),
        Value::Int(value) => Ok(BigInt::from(*value)),
        Value::Bool(value) => Ok(BigInt::from(u8::from(*value))),
        _ => Err(type_error("pow() 3rd argument not allowed unless all arguments are integers")),
    };
    let (base, exponent, modulus) = (big(base)?, big(exponent)?, big(modulus)?);
    call.outside.heartbeat(call.line);
    let result = number::modular_power(&base, &exponent, &modulus);
    call.outside.heartbeat(call.line);
    result
}

fn print(call: &mut Call<'_>) -> Result<Value, Raised> {
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

fn range(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    call.between("range", args, 1, 3)?;
    let number = |value: &Value| match value {
        Value::Big(_) => Err(Kind::OverflowError.raise("a range beyond 64 bits is outside the miniature's Python")),
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

/// Half to even, as Python rounds: exactly, by way of the float's decimal expansion.
fn round(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value, digits] = call.bind("round", call.positional(), ["number", "ndigits"])?;
    let value = value.ok_or_else(|| type_error("round() missing required argument 'number' (pos 1)"))?;
    let digits = match digits {
        None | Some(Value::None) => None,
        Some(digits) => Some(as_index(digits)?),
    };
    match (Number::of(value), digits) {
        (None, _) => Err(type_error(format!("type {} doesn't define __round__ method", value.type_name()))),
        (Some(Number::Float(value)), None) => number::truncate(value.round_ties_even()),
        (Some(Number::Float(value)), Some(digits)) => Ok(Value::Float(round_float(value, digits)?)),
        (Some(_), digits) => {
            let value = if let Value::Bool(value) = value { &Value::Int((*value).into()) } else { value };
            match digits {
                Some(digits @ ..=-1) => round_int(value, digits),
                _ => Ok(value.clone()),
            }
        }
    }
}

fn round_float(value: f64, digits: i64) -> Result<f64, Raised> {
    if !value.is_finite() || digits > 323 {
        return Ok(value);
    }
    if digits < -308 {
        return Ok(0f64.copysign(value));
    }
    if digits >= 0 {
        // Rust prints the exact value, correctly rounded with ties to even.
        return Ok(format!("{value:.*}", digits as usize).parse().unwrap_or(value));
    }
    let whole = BigInt::from(value.trunc() as i128);
    let exact = if value.abs() < 1e30 { Some(whole) } else { None };
    match exact {
        Some(whole) => {
            // A fraction beyond a tie breaks it.
            let scale = BigInt::from(10).pow(digits.unsigned_abs() as u32);
            let doubled: BigInt = (&whole % &scale).abs() * 2;
            let tie = doubled == scale && value.fract() != 0.0;
            let rounded = match round_int(&Value::from(whole.clone()), digits)? {
                Value::Int(value) => value as f64,
                Value::Big(value) => number::big_to_float(&value).unwrap_or(f64::INFINITY),
                _ => value,
            };
            let away = (whole / &scale + BigInt::from(if value < 0.0 { -1 } else { 1 })) * &scale;
            let result = if tie { number::big_to_float(&away).unwrap_or(rounded) } else { rounded };
            Ok(result.abs().copysign(value))
        }
        None => Ok(format!("{:.*e}", (value.abs().log10().floor() as i64 + digits).max(0) as usize, value)
            .parse()
            .unwrap_or(value)),
    }
}

fn round_int(value: &Value, digits: i64) -> Result<Value, Raised> {
    let value = match value {
        Value::Big(value) => BigInt::clone(value),
        other => BigInt::from(as_index(other)?),
    };
    // More digits than it has: nothing is left of it.
    if digits.unsigned_abs() > value.bits() {
        return Ok(Value::Int(0));
    }
    let scale = BigInt::from(10).pow(digits.unsigned_abs() as u32);
    let (quotient, remainder) = num_integer::Integer::div_mod_floor(&value, &scale);
    let up = match (&remainder * 2u32).cmp(&scale) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => num_integer::Integer::is_odd(&quotient),
    };
    Ok(Value::from((quotient + u8::from(up)) * scale))
}

fn sorted(call: &mut Call<'_>) -> Result<Value, Raised> {
    let args = call.positional();
    if args.len() != 1 {
        return Err(type_error(format!("sorted expected 1 argument, got {}", args.len())));
    }
    let items = gather(&args[0])?;
    let [key, reverse] = call.bind("sort", &[], ["key", "reverse"])?;
    let (items, result) = methods::sort(call, items, key, reverse);
    result.map(|()| Value::list(items))
}

fn sum(call: &mut Call<'_>) -> Result<Value, Raised> {
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
