//! f-strings.

use ruff_python_ast::{
    ConversionFlag, ExprFString, FStringPart, InterpolatedStringElement, InterpolatedStringElements,
};
use ruff_text_size::Ranged;

use crate::vm::code::Instruction;
use crate::vm::value::Value;

use super::Result;
use super::builder::Compiler;

impl<'a> Compiler<'a> {
    pub(super) fn fstring(&mut self, fstring: &'a ExprFString) -> Result {
        let mut pieces = 0;
        for part in fstring.value.iter() {
            match part {
                FStringPart::Literal(literal) => {
                    self.refuse_surrogates(literal, &literal.value)?;
                    self.constant(Value::str(&*literal.value));
                    pieces += 1;
                }
                FStringPart::FString(fstring) => pieces += self.interpolated(&fstring.elements)?,
            }
        }
        self.emit(Instruction::BuildString(pieces));
        Ok(())
    }

    /// Half of a surrogate pair is a character to Python and none to Rust: the parser puts U+FFFD in its place.
    pub(super) fn refuse_surrogates(&self, literal: impl Ranged + Copy, value: &str) -> Result {
        if value.contains('\u{fffd}') && has_surrogate(&self.place.source[literal.range()]) {
            return Err(self.place.outside(literal, "half of a surrogate pair", "write the whole character"));
        }
        Ok(())
    }

    fn interpolated(&mut self, elements: &'a InterpolatedStringElements) -> Result<u32> {
        let mut pieces = 0;
        for element in elements.iter() {
            pieces += 1;
            let element = match element {
                InterpolatedStringElement::Literal(literal) => {
                    self.refuse_surrogates(literal, &literal.value)?;
                    self.constant(Value::str(&*literal.value));
                    continue;
                }
                InterpolatedStringElement::Interpolation(element) => element,
            };
            if let Some(debug) = &element.debug_text {
                self.constant(Value::str(format!(
                    "{}{}{}",
                    debug.leading(),
                    &self.place.source[element.expression.range()],
                    debug.trailing()
                )));
                pieces += 1;
            }
            self.expr(&element.expression)?;
            match element.conversion {
                ConversionFlag::None if element.debug_text.is_some() && element.format_spec.is_none() => {
                    self.emit(Instruction::ConvertValue(b'r'));
                }
                ConversionFlag::None => {}
                ConversionFlag::Str => self.emit(Instruction::ConvertValue(b's')),
                ConversionFlag::Repr => self.emit(Instruction::ConvertValue(b'r')),
                ConversionFlag::Ascii => {
                    return Err(self.place.outside(element, "the conversion !a", "use !r"));
                }
            }
            match &element.format_spec {
                None => self.emit(Instruction::FormatSimple),
                Some(spec) => {
                    let pieces = self.interpolated(&spec.elements)?;
                    self.emit(Instruction::BuildString(pieces));
                    self.emit(Instruction::FormatWithSpec);
                }
            }
        }
        Ok(pieces)
    }
}

/// Whether an escape in a literal's source names a code point that is no character.
fn has_surrogate(source: &str) -> bool {
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at + 1..];
        let digits = match rest.chars().next() {
            Some('u') => rest.get(1..5),
            Some('U') => rest.get(1..9),
            _ => None,
        };
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if code.is_some_and(|code| (0xd800..0xe000).contains(&code)) {
            return true;
        }
        rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
    }
    false
}
