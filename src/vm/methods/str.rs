//! Methods of `str`.

use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::iterate::gather;
use crate::vm::limits;
use crate::vm::native::{Call, Native};
use crate::vm::value::{Text, Value};

pub(super) const METHODS: &[Native] = &[
    Native::function("upper", |call| map(call, "upper", |text| text.to_uppercase())),
    Native::function("lower", |call| map(call, "lower", |text| text.to_lowercase())),
    Native::function("capitalize", |call| map(call, "capitalize", capitalize)),
    Native::function("strip", |call| strip(call, "strip", true, true)),
    Native::function("lstrip", |call| strip(call, "lstrip", true, false)),
    Native::function("rstrip", |call| strip(call, "rstrip", false, true)),
    Native::function("split", split),
    Native::function("splitlines", splitlines),
    Native::function("join", join),
    Native::function("replace", replace),
    Native::function("startswith", |call| affix(call, "startswith", |text, part| text.starts_with(part))),
    Native::function("endswith", |call| affix(call, "endswith", |text, part| text.ends_with(part))),
    Native::function("find", |call| Ok(Value::Int(position(call, "find")?.unwrap_or(-1)))),
    Native::function("index", |call| {
        position(call, "index")?.map(Value::Int).ok_or_else(|| value_error("substring not found"))
    }),
    Native::function("count", count),
    Native::function("encode", encode),
    Native::function("isdigit", |call| test(call, "isdigit", |text| every(text, char::is_numeric))),
    Native::function("isalpha", |call| test(call, "isalpha", |text| every(text, char::is_alphabetic))),
    Native::function("isalnum", |call| test(call, "isalnum", |text| every(text, char::is_alphanumeric))),
    Native::function("isspace", |call| test(call, "isspace", |text| every(text, char::is_whitespace))),
    Native::function("isupper", |call| {
        test(call, "isupper", |text| cased(text, char::is_uppercase, char::is_lowercase))
    }),
    Native::function("islower", |call| {
        test(call, "islower", |text| cased(text, char::is_lowercase, char::is_uppercase))
    }),
    Native::function("zfill", zfill),
    Native::function("ljust", |call| justify(call, "ljust")),
    Native::function("rjust", |call| justify(call, "rjust")),
    Native::function("center", |call| justify(call, "center")),
];

fn receiver<'a>(value: &'a Value, name: &str) -> Result<&'a Text, Raised> {
    match value {
        Value::Str(text) => Ok(text),
        other => Err(type_error(format!(
            "descriptor '{name}' for 'str' objects doesn't apply to a '{}' object",
            other.type_name()
        ))),
    }
}

fn argument<'a>(value: &'a Value, name: &str, position: usize) -> Result<&'a str, Raised> {
    match value {
        Value::Str(text) => Ok(text.as_str()),
        other => Err(type_error(format!("{name}() argument {position} must be str, not {}", other.type_name()))),
    }
}

fn map(call: &mut Call<'_>, name: &str, with: fn(&str) -> String) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>(&format!("str.{name}"))?;
    Ok(Value::str(with(receiver(value, name)?.as_str())))
}

fn test(call: &mut Call<'_>, name: &str, holds: fn(&str) -> bool) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>(&format!("str.{name}"))?;
    Ok(Value::Bool(holds(receiver(value, name)?.as_str())))
}

fn every(text: &str, holds: fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(holds)
}

fn cased(text: &str, wanted: fn(char) -> bool, other: fn(char) -> bool) -> bool {
    text.chars().any(wanted) && !text.chars().any(other)
}

fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

fn strip(call: &mut Call<'_>, name: &str, start: bool, end: bool) -> Result<Value, Raised> {
    let (value, args) = call.receiver(name)?;
    call.between(name, args, 0, 1)?;
    let text = receiver(value, name)?.as_str();
    let chars = match args.first() {
        None | Some(Value::None) => None,
        Some(Value::Str(chars)) => Some(chars.as_str()),
        Some(_) => return Err(type_error(format!("{name} arg must be None or str"))),
    };
    let strips = |character: char| chars.map_or(character.is_whitespace(), |chars| chars.contains(character));
    let text = if start { text.trim_start_matches(strips) } else { text };
    let text = if end { text.trim_end_matches(strips) } else { text };
    Ok(Value::str(text))
}

fn split(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("split")?;
    let text = receiver(value, "split")?.as_str();
    let [separator, most] = call.bind("split", args, ["sep", "maxsplit"])?;
    let most = most.map_or(Ok(-1), super::as_index)?;
    let most = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    let pieces: Vec<Value> = match separator {
        None | Some(Value::None) => {
            let mut pieces = Vec::new();
            let mut rest = text.trim_start();
            while !rest.is_empty() {
                if pieces.len() + 1 == most {
                    pieces.push(Value::str(rest.trim_end()));
                    break;
                }
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                pieces.push(Value::str(&rest[..end]));
                rest = rest[end..].trim_start();
            }
            pieces
        }
        Some(Value::Str(separator)) if separator.is_empty() => return Err(value_error("empty separator")),
        Some(Value::Str(separator)) => text.splitn(most, separator.as_str()).map(Value::str).collect(),
        Some(other) => return Err(type_error(format!("must be str or None, not {}", other.type_name()))),
    };
    limits::items(pieces.len() as u128)?;
    Ok(Value::list(pieces))
}

fn splitlines(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("str.splitlines")?;
    Ok(Value::list(receiver(value, "splitlines")?.as_str().lines().map(Value::str).collect()))
}

fn join(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [pieces]) = call.method::<1>("str.join")?;
    let separator = receiver(value, "join")?.as_str();
    let pieces = gather(pieces).map_err(|_| type_error("can only join an iterable"))?;
    let mut joined = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let Value::Str(piece) = piece else {
            let found = piece.type_name();
            return Err(type_error(format!("sequence item {index}: expected str instance, {found} found")));
        };
        if index > 0 {
            joined.push_str(separator);
        }
        limits::bytes(joined.len() as u128 + piece.as_str().len() as u128)?;
        joined.push_str(piece.as_str());
    }
    Ok(Value::str(joined))
}

fn replace(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("replace")?;
    call.between("replace", args, 2, 3)?;
    let text = receiver(value, "replace")?.as_str();
    let (from, to) = (argument(&args[0], "replace", 1)?, argument(&args[1], "replace", 2)?);
    let most = args.get(2).map_or(Ok(-1), super::as_index)?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = if from.is_empty() { text.chars().count() + 1 } else { text.matches(from).count() }.min(most);
    limits::bytes(text.len() as u128 + found as u128 * to.len() as u128)?;
    Ok(Value::str(text.replacen(from, to, most)))
}

fn affix(call: &mut Call<'_>, name: &str, holds: fn(&str, &str) -> bool) -> Result<Value, Raised> {
    let (value, [part]) = call.method::<1>(&format!("str.{name}"))?;
    let text = receiver(value, name)?.as_str();
    match part {
        Value::Str(part) => Ok(Value::Bool(holds(text, part.as_str()))),
        Value::Tuple(parts) => {
            let any = parts.0.iter().any(|part| matches!(part, Value::Str(part) if holds(text, part.as_str())));
            Ok(Value::Bool(any))
        }
        other => {
            let found = other.type_name();
            Err(type_error(format!("{name} first arg must be str or a tuple of str, not {found}")))
        }
    }
}

fn position(call: &mut Call<'_>, name: &str) -> Result<Option<i64>, Raised> {
    let (value, args) = call.receiver(name)?;
    call.between(name, args, 1, 3)?;
    let text = receiver(value, name)?;
    let part = argument(&args[0], name, 1)?;
    let len = text.len() as i64;
    let bound = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at.min(len) } as usize;
    let start = args.get(1).map_or(Ok(0), super::as_index)?;
    let stop = bound(args.get(2).map_or(Ok(len), super::as_index)?);
    if start > len || bound(start) > stop {
        return Ok(None);
    }
    let byte = |at: usize| {
        if text.is_ascii() {
            return at;
        }
        text.as_str().char_indices().nth(at).map_or(text.as_str().len(), |(byte, _)| byte)
    };
    let (from, to) = (byte(bound(start)), byte(stop));
    let found = text.as_str()[from..to].find(part);
    Ok(found.map(|at| text.as_str()[..from + at].chars().count() as i64))
}

fn count(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [part]) = call.method::<1>("str.count")?;
    let (text, part) = (receiver(value, "count")?, argument(part, "count", 1)?);
    Ok(Value::from(if part.is_empty() { text.len() + 1 } else { text.as_str().matches(part).count() }))
}

/// Refuses encodings other than UTF-8 and its subsets.
pub(super) fn known_encoding(encoding: Option<&Value>) -> Result<(), Raised> {
    match encoding {
        None => Ok(()),
        Some(Value::Str(name)) => {
            let plain = name.as_str().to_lowercase().replace(['-', '_'], "");
            match plain.as_str() {
                "utf8" | "ascii" | "usascii" => Ok(()),
                _ => Err(Kind::LookupError.raise(format!("unknown encoding: {}", name.as_str()))),
            }
        }
        Some(other) => Err(type_error(format!("encode() argument 'encoding' must be str, not {}", other.type_name()))),
    }
}

fn encode(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("encode")?;
    let [encoding, _] = call.bind("encode", args, ["encoding", "errors"])?;
    known_encoding(encoding)?;
    let text = receiver(value, "encode")?;
    let ascii = matches!(encoding, Some(Value::Str(name)) if name.as_str().to_lowercase().contains("ascii"));
    if ascii && let Some((at, character)) = text.as_str().chars().enumerate().find(|(_, it)| !it.is_ascii()) {
        let code = character as u32;
        let escaped = if code < 0x100 { format!("\\x{code:02x}") } else { format!("\\u{code:04x}") };
        let reason = "ordinal not in range(128)";
        let (from, to) = (Value::Int(at as i64), Value::Int(at as i64 + 1));
        return Err(Kind::UnicodeEncodeError.raise_with(
            format!("'ascii' codec can't encode character '{escaped}' in position {at}: {reason}"),
            vec![Value::str("ascii"), value.clone(), from, to, Value::str(reason)],
        ));
    }
    Ok(Value::bytes(text.as_str().as_bytes()))
}

fn width(value: &Value) -> Result<usize, Raised> {
    let width = super::as_index(value)?;
    limits::bytes(u128::try_from(width).unwrap_or(0))
}

fn zfill(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [wanted]) = call.method::<1>("str.zfill")?;
    let text = receiver(value, "zfill")?;
    let missing = width(wanted)?.saturating_sub(text.len());
    let (sign, digits) = match text.as_str().chars().next() {
        Some('+' | '-') => text.as_str().split_at(1),
        _ => ("", text.as_str()),
    };
    Ok(Value::str(format!("{sign}{}{digits}", "0".repeat(missing))))
}

fn justify(call: &mut Call<'_>, name: &str) -> Result<Value, Raised> {
    let (value, args) = call.receiver(name)?;
    call.between(name, args, 1, 2)?;
    let text = receiver(value, name)?;
    let missing = width(&args[0])?.saturating_sub(text.len());
    let fill = match args.get(1) {
        None => " ",
        Some(Value::Str(fill)) if fill.len() == 1 => fill.as_str(),
        Some(_) => return Err(type_error("The fill character must be exactly one character long")),
    };
    // CPython's `center` gives the odd one to the left if the width is odd, too.
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width(&args[0])? & 1),
    };
    Ok(Value::str(format!("{}{}{}", fill.repeat(left), text.as_str(), fill.repeat(missing - left))))
}
