//! `format(value, spec)`: the format specification mini-language.

use num_bigint::BigInt;
use num_traits::Signed;

use crate::vm::exception::{Raised, type_error, value_error};
use crate::vm::limits;
use crate::vm::number::Number;
use crate::vm::text;
use crate::vm::value::Value;

/// `[[fill]align][sign][#][0][width][,][.precision][type]`
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    group: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn parse(spec: &str, value: &Value) -> Result<Spec, Raised> {
    let mut parsed = Spec::default();
    let characters: Vec<char> = spec.chars().collect();
    let mut rest = &characters[..];
    let is_align = |character: &char| matches!(character, '<' | '>' | '^' | '=');
    match rest {
        [fill, align, tail @ ..] if is_align(align) => {
            (parsed.fill, parsed.align, rest) = (Some(*fill), Some(*align), tail);
        }
        [align, tail @ ..] if is_align(align) => (parsed.align, rest) = (Some(*align), tail),
        _ => {}
    }
    if let [sign @ ('+' | '-' | ' '), tail @ ..] = rest {
        (parsed.sign, rest) = (Some(*sign), tail);
    }
    if let ['#', tail @ ..] = rest {
        (parsed.alternate, rest) = (true, tail);
    }
    if let ['0', tail @ ..] = rest {
        (parsed.zero, rest) = (true, tail);
    }
    let number = |rest: &mut &[char]| -> Result<Option<usize>, Raised> {
        let digits = rest.iter().take_while(|character| character.is_ascii_digit()).count();
        let text: String = rest[..digits].iter().collect();
        *rest = &rest[digits..];
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse() {
            Ok(number) if number <= limits::BYTES as usize / 64 => Ok(Some(number)),
            _ => Err(value_error("Too many decimal digits in format string")),
        }
    };
    parsed.width = number(&mut rest)?.unwrap_or(0);
    if let [group @ (',' | '_'), tail @ ..] = rest {
        (parsed.group, rest) = (Some(*group), tail);
    }
    if let ['.', tail @ ..] = rest {
        rest = tail;
        let precision = number(&mut rest)?;
        parsed.precision = Some(precision.ok_or_else(|| value_error("Format specifier missing precision"))?);
    }
    match rest {
        [] => {}
        [kind] => parsed.kind = Some(*kind),
        _ => {
            return Err(value_error(format!(
                "Invalid format specifier '{spec}' for object of type '{}'",
                value.type_name()
            )));
        }
    }
    Ok(parsed)
}

/// `format(value, spec)`.
pub(crate) fn format_value(value: &Value, spec: &Value) -> Result<String, Raised> {
    let Value::Str(spec) = spec else {
        return Err(type_error(format!("format() argument 2 must be str, not {}", spec.type_name())));
    };
    if spec.is_empty() {
        return text::str(value);
    }
    let parsed = parse(spec.as_str(), value)?;
    let default = if matches!(value, Value::Str(_)) { Some('s') } else { None };
    match (parsed.group, parsed.kind.or(default)) {
        (None, _) | (_, None | Some('d' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) => {}
        (Some('_'), Some('b' | 'o' | 'x' | 'X')) => {}
        (Some(group), Some(kind)) => return Err(value_error(format!("Cannot specify '{group}' with '{kind}'."))),
    }
    let unknown = || {
        let kind = parsed.kind.unwrap_or(' ');
        value_error(format!("Unknown format code '{kind}' for object of type '{}'", value.type_name()))
    };
    match value {
        Value::Str(string) => {
            if !matches!(parsed.kind, None | Some('s')) {
                return Err(unknown());
            }
            if parsed.sign.is_some() {
                return Err(value_error("Sign not allowed in string format specifier"));
            }
            let body: String = match parsed.precision {
                Some(precision) => string.as_str().chars().take(precision).collect(),
                None => string.as_str().into(),
            };
            // A leading 0 stands for the fill here.
            let spec = Spec { fill: parsed.fill.or(parsed.zero.then_some('0')), zero: false, ..parsed };
            Ok(pad(&spec, "", &body, '<'))
        }
        Value::Int(_) | Value::Wide(_) | Value::Big(_) | Value::Bool(_) => {
            let big = match value {
                Value::Int(value) => BigInt::from(*value),
                Value::Wide(value) => BigInt::from(value.get()),
                Value::Big(value) => BigInt::clone(value),
                other => BigInt::from(i64::from(other.truth())),
            };
            match parsed.kind {
                None if matches!(value, Value::Bool(_)) => Ok(pad(&parsed, "", &text::str(value)?, '<')),
                None | Some('d' | 'n') => integer(&parsed, &big, "", text::int_digits(&big.abs())?),
                Some('x') => integer(&parsed, &big, "0x", big.magnitude().to_str_radix(16)),
                Some('X') => integer(&parsed, &big, "0X", big.magnitude().to_str_radix(16).to_uppercase()),
                Some('o') => integer(&parsed, &big, "0o", big.magnitude().to_str_radix(8)),
                Some('b') => integer(&parsed, &big, "0b", big.magnitude().to_str_radix(2)),
                Some('c') => {
                    let character = u32::try_from(&big).ok().and_then(char::from_u32);
                    let character = character.ok_or_else(|| {
                        crate::vm::exception::Kind::OverflowError.raise("%c arg not in range(0x110000)")
                    })?;
                    Ok(pad(&parsed, "", &character.to_string(), '<'))
                }
                Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => float(&parsed, Number::Big(&big).float()?),
                _ => Err(unknown()),
            }
        }
        Value::Float(number) => match parsed.kind {
            None | Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%') => float(&parsed, *number),
            _ => Err(unknown()),
        },
        other => Err(type_error(format!("unsupported format string passed to {}.__format__", other.type_name()))),
    }
}

fn integer(spec: &Spec, value: &BigInt, prefix: &str, digits: String) -> Result<String, Raised> {
    if spec.precision.is_some() {
        return Err(value_error("Precision not allowed in integer format specifier"));
    }
    let sign = sign(spec, value.is_negative());
    let prefix = format!("{sign}{}", if spec.alternate { prefix } else { "" });
    let every = if matches!(spec.kind, Some('x' | 'X' | 'o' | 'b')) { 4 } else { 3 };
    Ok(pad(spec, &prefix, &grouped(spec, &digits, every), '>'))
}

fn sign(spec: &Spec, negative: bool) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    }
}

fn grouped(spec: &Spec, digits: &str, every: usize) -> String {
    let Some(group) = spec.group else { return digits.into() };
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(every) {
            out.push(group);
        }
        out.push(digit);
    }
    out
}

fn float(spec: &Spec, value: f64) -> Result<String, Raised> {
    let sign = sign(spec, value.is_sign_negative() && !value.is_nan());
    let magnitude = value.abs();
    let upper = matches!(spec.kind, Some('E' | 'F' | 'G'));
    let mut body = if !value.is_finite() {
        if value.is_nan() { "nan".into() } else { "inf".into() }
    } else {
        match (spec.kind.map(|kind| kind.to_ascii_lowercase()), spec.precision) {
            (None, None) => text::float_repr(magnitude),
            (Some('f'), precision) => fixed(magnitude, precision.unwrap_or(6)),
            (Some('%'), precision) => fixed(magnitude * 100.0, precision.unwrap_or(6)) + "%",
            (Some('e'), precision) => exponent(magnitude, precision.unwrap_or(6)),
            (kind, precision) => general(magnitude, precision.unwrap_or(6).max(1), kind.is_none(), spec.alternate),
        }
    };
    if spec.alternate && value.is_finite() && !body.contains('.') {
        let end = body.find(['e', '%']).unwrap_or(body.len());
        body.insert(end, '.');
    }
    if upper {
        body = body.to_uppercase();
    }
    if spec.group.is_some() && value.is_finite() {
        let whole = body.find(|character: char| !character.is_ascii_digit()).unwrap_or(body.len());
        body = grouped(spec, &body[..whole], 3) + &body[whole..];
    }
    Ok(pad(spec, sign, &body, '>'))
}

fn fixed(value: f64, precision: usize) -> String {
    format!("{value:.precision$}")
}

fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// `g`: so many figures, the shorter of two forms, no trailing zeros, except with `#`. Without a type, a float keeps its
/// `.0`.
fn general(value: f64, precision: usize, plain: bool, alternate: bool) -> String {
    let text = exponent(value, precision - 1);
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i64 = power.parse().unwrap_or(0);
    let strip = |digits: &str| match digits.contains('.') && !alternate {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    let limit = if plain { precision as i64 - 1 } else { precision as i64 };
    if power < -4 || power >= limit.max(i64::from(!plain)) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", strip(digits), power.abs());
    }
    let stripped = strip(&fixed(value, (precision as i64 - 1 - power).max(0) as usize));
    if plain && !stripped.contains('.') { stripped + ".0" } else { stripped }
}

fn pad(spec: &Spec, prefix: &str, body: &str, natural: char) -> String {
    let len = prefix.chars().count() + body.chars().count();
    let missing = spec.width.saturating_sub(len);
    let align = spec.align.unwrap_or(if spec.zero { '=' } else { natural });
    let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
    let fill = |count: usize| String::from_iter(std::iter::repeat_n(fill, count));
    match align {
        '<' => format!("{prefix}{body}{}", fill(missing)),
        '^' => format!("{}{prefix}{body}{}", fill(missing / 2), fill(missing - missing / 2)),
        '=' => format!("{prefix}{}{body}", fill(missing)),
        _ => format!("{}{prefix}{body}", fill(missing)),
    }
}
