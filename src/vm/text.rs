//! `repr`, `str` and `format` of values.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use num_bigint::BigInt;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::exception::{Kind, Raised, value_error};
use super::limits;
use super::value::Value;

/// `repr` of a float: the shortest digits that read back as the same float.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    // So many digits are needed; of those with so many, the nearest, a tie to even (Rust's own shortest form takes
    // ties up).
    let shortest = format!("{value:e}");
    let needed = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let scientific = format!("{value:.*e}", needed.saturating_sub(1));
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // CPython's `float_repr_style`: exponent form below 1e-4 and from 1e16 on.
    if (-4..16).contains(&exponent) {
        let decimals = (needed as i32 - 1 - exponent).max(1) as usize;
        return format!("{value:.decimals$}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The digits of an int; `ValueError` beyond CPython's limit.
pub(crate) fn int_digits(value: &BigInt) -> Result<String, Raised> {
    let too_many = || {
        value_error(format!(
            "Exceeds the limit ({} digits) for integer string conversion; \
             use sys.set_int_max_str_digits() to increase the limit",
            limits::INT_DIGITS
        ))
    };
    // 4300 digits are 14,285 bits at the most.
    if value.bits() > 14_290 {
        return Err(too_many());
    }
    let text = value.to_string();
    if text.trim_start_matches('-').len() > limits::INT_DIGITS {
        return Err(too_many());
    }
    Ok(text)
}

/// `repr` of a string: single quotes unless that means escaping.
pub(crate) fn str_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            ' '..='~' => out.push(character),
            _ if is_printable(character) => out.push(character),
            _ => {
                let _ = match character as u32 {
                    code @ ..=0xff => write!(out, "\\x{code:02x}"),
                    code @ ..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// `str.isprintable` of one character: neither of the categories "Other" nor "Separator", but for the space.
fn is_printable(character: char) -> bool {
    let group = character.general_category_group();
    character == ' ' || !matches!(group, GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator)
}

/// Decimal digits of whatever script as those of ASCII, which is how `int` and `float` read them
/// (`_PyUnicode_TransformDecimalAndSpaceToASCII`). Unicode keeps the ten of a script together, zero first.
pub(crate) fn ascii_digits(text: &str) -> String {
    let is_digit = |code: u32| {
        let category = char::from_u32(code).map(UnicodeGeneralCategory::general_category);
        category == Some(GeneralCategory::DecimalNumber)
    };
    let read = |character: char| match character as u32 {
        code if character.is_ascii() || !is_digit(code) => character,
        code => {
            let before = (1..=code).take_while(|back| is_digit(code - back)).count() as u32;
            char::from_digit(before % 10, 10).unwrap_or(character)
        }
    };
    text.chars().map(read).collect()
}

fn bytes_repr(bytes: &[u8], out: &mut String) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    out.push('b');
    out.push(quote);
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ if byte == quote as u8 => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(byte as char),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(quote);
}

/// The state of one `repr`: where it writes, and which containers it is inside of.
struct Writer {
    out: String,
    inside: HashSet<usize>,
    /// Whether ints beyond the limit are described rather than refused.
    lenient: bool,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Raised> {
        if self.inside.len() > limits::NESTING {
            return Err(
                Kind::RecursionError.raise("maximum recursion depth exceeded while getting the repr of an object")
            );
        }
        limits::bytes(self.out.len() as u128)?;
        match value {
            Value::Unbound => self.out.push_str("<unbound>"),
            Value::None => self.out.push_str("None"),
            Value::Bool(true) => self.out.push_str("True"),
            Value::Bool(false) => self.out.push_str("False"),
            Value::Int(value) => {
                let _ = write!(self.out, "{value}");
            }
            Value::Counted(value) => {
                let _ = write!(self.out, "{}", value.loaded());
            }
            Value::Wide(value) => {
                let _ = write!(self.out, "{}", value.get());
            }
            Value::Float(value) => self.out.push_str(&float_repr(*value)),
            Value::Big(value) => match int_digits(value) {
                Ok(digits) => self.out.push_str(&digits),
                Err(_) if self.lenient => {
                    let _ = write!(self.out, "<int of {} bits>", value.bits());
                }
                Err(raised) => return Err(raised),
            },
            Value::Str(text) => str_repr(text.as_str(), &mut self.out),
            Value::Bytes(bytes) => bytes_repr(bytes, &mut self.out),
            Value::List(list) => {
                let items = list.lock().clone();
                self.items('[', &items, ']', Arc::as_ptr(list) as usize)?;
            }
            Value::Tuple(tuple) => {
                let close = if tuple.0.len() == 1 { ",)" } else { ")" };
                let (first, last) = close.split_at(close.len() - 1);
                self.items('(', &tuple.0, ' ', Arc::as_ptr(tuple) as usize)?;
                self.out.pop();
                self.out.push_str(first);
                self.out.push_str(last);
            }
            Value::Dict(dict) => {
                let address = Arc::as_ptr(dict) as usize;
                if !self.inside.insert(address) {
                    self.out.push_str("{...}");
                    return Ok(());
                }
                self.out.push('{');
                for (index, (key, value)) in dict.entries().iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.value(key)?;
                    self.out.push_str(": ");
                    self.value(value)?;
                }
                self.out.push('}');
                self.inside.remove(&address);
            }
            Value::Range(range) => {
                let _ = write!(self.out, "range({}, {}", range.start, range.stop);
                if range.step != 1 {
                    let _ = write!(self.out, ", {}", range.step);
                }
                self.out.push(')');
            }
            Value::Slice(parts) => {
                self.out.push_str("slice(");
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.value(part)?;
                }
                self.out.push(')');
            }
            // CPython adds the address, which differs from run to run.
            Value::Function(function) => {
                let _ = write!(self.out, "<function {}>", function.name);
            }
            Value::Native(native) if native.is_type => {
                let _ = write!(self.out, "<class '{}'>", native.name);
            }
            Value::Native(native) => {
                let _ = write!(self.out, "<built-in function {}>", native.name);
            }
            Value::Method(method) => {
                let _ = write!(self.out, "<built-in method {}>", method.1.name);
            }
            Value::Module(library) => {
                let _ = write!(self.out, "<module '{}' (built-in)>", library.name);
            }
            Value::ExceptionType(kind) => {
                let _ = write!(self.out, "<class '{}'>", kind.name());
            }
            Value::Exception(exception) => {
                self.out.push_str(exception.kind.name());
                self.items('(', &exception.args, ')', Arc::as_ptr(exception) as usize)?;
            }
            Value::Iterator(_) | Value::Loop(_) => self.out.push_str("<iterator>"),
            Value::Object(object) => {
                let _ = write!(self.out, "<{} object>", object.type_name());
            }
        }
        Ok(())
    }

    fn items(&mut self, open: char, items: &[Value], close: char, address: usize) -> Result<(), Raised> {
        self.out.push(open);
        if !self.inside.insert(address) {
            self.out.push_str("...");
            self.out.push(close);
            return Ok(());
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.value(item)?;
        }
        self.inside.remove(&address);
        self.out.push(close);
        Ok(())
    }
}

/// `repr(x)`.
pub(crate) fn repr(value: &Value) -> Result<String, Raised> {
    let mut writer = Writer { out: String::new(), inside: HashSet::new(), lenient: false };
    writer.value(value)?;
    Ok(writer.out)
}

/// `str(x)`.
pub(crate) fn str(value: &Value) -> Result<String, Raised> {
    match value {
        Value::Str(text) => Ok(text.as_str().to_owned()),
        Value::Exception(exception) => Ok(exception.message.clone()),
        other => repr(other),
    }
}

impl Value {
    /// `repr(x)` for people: where Python's would raise, because an int has more than 4300 digits or values are
    /// nested too deep, it says so instead.
    pub fn repr(&self) -> String {
        let mut writer = Writer { out: String::new(), inside: HashSet::new(), lenient: true };
        match writer.value(self) {
            Ok(()) => writer.out,
            Err(_) => format!("<{} too deep or too long to print>", self.type_name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_as_python_prints_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (519_885_601.0 / 4096.0, "126925.19555664062"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn a_list_that_holds_itself_can_be_printed() {
        let list = Value::list(vec![Value::Int(1)]);
        if let Value::List(inner) = &list {
            inner.lock().push(list.clone());
        }
        assert_eq!(list.repr(), "[1, [...]]");
        if let Value::List(inner) = &list {
            inner.lock().clear();
        }
    }

    #[test]
    fn strings_choose_their_quotes() {
        assert_eq!(Value::str("it's").repr(), "\"it's\"");
        assert_eq!(Value::str("'\"\n\u{7f}é").repr(), "'\\'\"\\n\\x7fé'");
        assert_eq!(Value::tuple(vec![Value::Int(1)]).repr(), "(1,)");
        assert_eq!(Value::tuple(vec![]).repr(), "()");
        assert_eq!(Value::bytes(*b"a\0'").repr(), "b\"a\\x00'\"");
    }
}
