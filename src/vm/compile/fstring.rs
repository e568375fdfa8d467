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
                    self.constant(Value::str(&*literal.value));
                    pieces += 1;
                }
                FStringPart::FString(fstring) => pieces += self.interpolated(&fstring.elements)?,
            }
        }
        self.emit(Instruction::BuildString(pieces));
        Ok(())
    }

    fn interpolated(&mut self, elements: &'a InterpolatedStringElements) -> Result<u32> {
        let mut pieces = 0;
        for element in elements.iter() {
            pieces += 1;
            let element = match element {
                InterpolatedStringElement::Literal(literal) => {
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
