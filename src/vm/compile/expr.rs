//! Expressions.

use std::str::FromStr;

use num_bigint::BigInt;
use num_traits::Num;
use ruff_python_ast::{
    BoolOp, CmpOp, Comprehension, ConversionFlag, Expr, ExprCompare, ExprFString, FStringPart,
    InterpolatedStringElement, InterpolatedStringElements, Number, Operator as AstOperator, UnaryOp,
};
use ruff_text_size::Ranged;

use crate::vm::code::{Comparison, Instruction, Operator};
use crate::vm::value::Value;
use crate::vm::{builtins, limits, methods};

use super::builder::{Compiler, Label};
use super::{Result, expr};

pub(super) fn operator(operator: AstOperator) -> Operator {
    match operator {
        AstOperator::Add => Operator::Add,
        AstOperator::Sub => Operator::Subtract,
        AstOperator::Mult => Operator::Multiply,
        AstOperator::MatMult => Operator::MatrixMultiply,
        AstOperator::Div => Operator::TrueDivide,
        AstOperator::Mod => Operator::Remainder,
        AstOperator::Pow => Operator::Power,
        AstOperator::LShift => Operator::LeftShift,
        AstOperator::RShift => Operator::RightShift,
        AstOperator::BitOr => Operator::Or,
        AstOperator::BitXor => Operator::Xor,
        AstOperator::BitAnd => Operator::And,
        AstOperator::FloorDiv => Operator::FloorDivide,
    }
}

/// The value of an int literal, however it is written.
fn int(literal: &ruff_python_ast::Int) -> Option<Value> {
    if let Some(value) = literal.as_i64() {
        return Some(Value::Int(value));
    }
    let text = literal.to_string().replace('_', "");
    let radix = |digits: &str, radix| BigInt::from_str_radix(digits, radix).ok();
    let value = match text.get(..2) {
        Some("0x" | "0X") => radix(&text[2..], 16),
        Some("0o" | "0O") => radix(&text[2..], 8),
        Some("0b" | "0B") => radix(&text[2..], 2),
        _ if text.len() > limits::INT_DIGITS => None,
        _ => BigInt::from_str(&text).ok(),
    }?;
    (value.bits() <= limits::INT_BITS).then(|| Value::from(value))
}

/// The value of a literal, if the expression is one: numbers, strings, constants.
pub(super) fn literal(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::NoneLiteral(_) => Value::None,
        Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(value) => int(value)?,
            Number::Float(value) => Value::Float(*value),
            Number::Complex { .. } => return None,
        },
        Expr::StringLiteral(literal) => Value::str(literal.value.to_str()),
        Expr::BytesLiteral(literal) => Value::bytes(literal.value.bytes().collect::<Vec<u8>>()),
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => match literal_number(&unary.operand)? {
            Value::Int(value) => Value::from(-i128::from(value)),
            Value::Float(value) => Value::Float(-value),
            Value::Big(value) => Value::from(-&*value),
            _ => return None,
        },
        _ => return None,
    })
}

fn literal_number(expr: &Expr) -> Option<Value> {
    matches!(expr, Expr::NumberLiteral(_)).then(|| literal(expr)).flatten()
}

impl<'a> Compiler<'a> {
    /// Leaves the value of an expression on the stack.
    pub(super) fn expr(&mut self, expr: &'a Expr) -> Result {
        let line = std::mem::replace(&mut self.line, self.place.line(expr));
        let result = self.expr_at(expr);
        self.line = line;
        result
    }

    fn expr_at(&mut self, expr: &'a Expr) -> Result {
        if let Some(value) = literal(expr) {
            self.constant(value);
            return Ok(());
        }
        match expr {
            Expr::Name(name) => self.load_name(&name.id, expr)?,
            Expr::BinOp(binary) => {
                if binary.op == AstOperator::Mod
                    && matches!(&*binary.left, Expr::StringLiteral(_) | Expr::BytesLiteral(_))
                {
                    return Err(self.place.outside(expr, "formatting with %", "write an f-string"));
                }
                self.expr(&binary.left)?;
                self.expr(&binary.right)?;
                self.binary(operator(binary.op), false);
            }
            Expr::UnaryOp(unary) => {
                self.expr(&unary.operand)?;
                self.emit(match unary.op {
                    UnaryOp::Not => Instruction::UnaryNot,
                    UnaryOp::USub => Instruction::UnaryNegative,
                    UnaryOp::UAdd => Instruction::UnaryPositive,
                    UnaryOp::Invert => Instruction::UnaryInvert,
                });
            }
            Expr::BoolOp(boolean) => {
                let end = self.label();
                let (last, before) = boolean.values.split_last().expect("the grammar wants two operands");
                for value in before {
                    self.expr(value)?;
                    self.emit(Instruction::Copy(1));
                    self.jump(
                        if boolean.op == BoolOp::And {
                            Instruction::PopJumpIfFalse
                        } else {
                            Instruction::PopJumpIfTrue
                        },
                        end,
                    );
                    self.emit(Instruction::PopTop);
                }
                self.expr(last)?;
                self.bind(end);
            }
            Expr::Compare(compare) => self.compare(compare)?,
            Expr::If(conditional) => {
                let (otherwise, end) = (self.label(), self.label());
                self.jump_if(&conditional.test, false, otherwise)?;
                self.expr(&conditional.body)?;
                self.jump(Instruction::JumpForward, end);
                self.frame.depth -= 1;
                self.bind(otherwise);
                self.expr(&conditional.orelse)?;
                self.bind(end);
            }
            Expr::Call(call) => self.call(call)?,
            Expr::Attribute(attribute) => {
                self.known_attribute(attribute)?;
                self.expr(&attribute.value)?;
                self.line = self.place.line(&attribute.attr);
                let name = self.attribute(&attribute.attr);
                self.emit(Instruction::LoadAttr(name));
            }
            Expr::Subscript(subscript) => {
                self.expr(&subscript.value)?;
                self.expr(&subscript.slice)?;
                self.emit(Instruction::BinarySubscr);
            }
            Expr::Slice(slice) => {
                for part in [&slice.lower, &slice.upper, &slice.step] {
                    match part {
                        Some(part) => self.expr(part)?,
                        None => self.constant(Value::None),
                    }
                }
                self.emit(Instruction::BuildSlice);
            }
            Expr::List(list) => self.items(&list.elts, Instruction::BuildList)?,
            Expr::Tuple(tuple) => self.items(&tuple.elts, Instruction::BuildTuple)?,
            Expr::Dict(dict) => {
                self.emit(Instruction::BuildMap(0));
                for item in &dict.items {
                    let Some(key) = &item.key else {
                        return Err(self.place.outside(expr, "** in a dict", "use the method update"));
                    };
                    self.expr(key)?;
                    self.expr(&item.value)?;
                    self.emit(Instruction::MapAdd(1));
                }
            }
            Expr::ListComp(comprehension) => {
                self.emit(Instruction::BuildList(0));
                let elt = &comprehension.elt;
                self.comprehension(&comprehension.generators, 1, &mut |compiler, height| {
                    compiler.expr(elt)?;
                    compiler.emit(Instruction::ListAppend(height));
                    Ok(())
                })?;
            }
            Expr::DictComp(comprehension) => {
                let Some(key) = &comprehension.key else {
                    return Err(self.place.outside(expr, "** in a dict comprehension", "write the loop out"));
                };
                self.emit(Instruction::BuildMap(0));
                let value = &comprehension.value;
                self.comprehension(&comprehension.generators, 1, &mut |compiler, height| {
                    compiler.expr(key)?;
                    compiler.expr(value)?;
                    compiler.emit(Instruction::MapAdd(height));
                    Ok(())
                })?;
            }
            Expr::FString(fstring) => self.fstring(fstring)?,
            Expr::Await(awaited) => {
                self.may_await(expr, "await")?;
                self.expr(&awaited.value)?;
                self.awaiting();
            }
            Expr::NumberLiteral(number) => {
                let (construct, advice) = match &number.value {
                    Number::Complex { .. } => ("a complex number", "use floats"),
                    _ => ("an int literal this long", "compute it, for instance with **"),
                };
                return Err(self.place.outside(expr, construct, advice));
            }
            _ => return Err(self.outside(expr)),
        }
        Ok(())
    }

    #[cold]
    fn outside(&self, expr: &Expr) -> Box<super::CompileError> {
        let (construct, advice) = match expr {
            Expr::Named(_) => ("the operator :=", "assign on a line of its own"),
            Expr::Lambda(_) => ("lambda", "define a function with def"),
            Expr::Set(_) | Expr::SetComp(_) => ("a set", "use a dict whose values are True, or a list"),
            Expr::Generator(_) => ("a generator expression here", "write a list comprehension: put it in [ ]"),
            Expr::Yield(_) | Expr::YieldFrom(_) => ("yield", "collect the values in a list and return that"),
            Expr::TString(_) => ("a template string", "write an f-string"),
            Expr::EllipsisLiteral(_) => ("...", "write pass, or None"),
            Expr::Starred(_) => ("* before an expression", "name the items one by one"),
            Expr::IpyEscapeCommand(_) => ("an IPython command", "write plain Python"),
            _ => ("this expression", "write it in simpler steps"),
        };
        self.place.outside(expr, construct, advice)
    }

    fn items(&mut self, items: &'a [Expr], build: fn(u32) -> Instruction) -> Result {
        // A long list is put together piece by piece, so that no frame needs room for all of it.
        if items.len() > 64 && build(0) == Instruction::BuildList(0) {
            self.emit(Instruction::BuildList(0));
            for item in items {
                self.expr(item)?;
                self.emit(Instruction::ListAppend(1));
            }
            return Ok(());
        }
        for item in items {
            self.expr(item)?;
        }
        self.emit(build(items.len() as u32));
        Ok(())
    }

    pub(super) fn load_name(&mut self, name: &str, at: impl Ranged) -> Result {
        if let Some(slot) = self.local(name) {
            self.emit(Instruction::LoadFast(slot));
            return Ok(());
        }
        let assigned = self.assigned.contains(name);
        if !assigned && let Some(advice) = builtins::outside(name) {
            return Err(self.place.outside(at, format!("the builtin {name}"), advice));
        }
        let slot = self.global(name);
        self.emit(Instruction::LoadGlobal(slot));
        Ok(())
    }

    /// Whether the name means the builtin here: nothing in the file assigns it.
    pub(super) fn is_builtin(&self, name: &str) -> bool {
        self.local(name).is_none() && !self.assigned.contains(name) && builtins::get(name).is_some()
    }

    /// Refuses attributes that nothing in the miniature has.
    pub(super) fn known_attribute(&self, attribute: &ruff_python_ast::ExprAttribute) -> Result {
        let name = attribute.attr.as_str();
        if let Expr::Name(base) = &*attribute.value
            && self.local(&base.id).is_none()
            && let Some(library) = self.imported.get(base.id.as_str())
        {
            if library.get(name).is_none() {
                let known: Vec<_> = library.names().collect();
                let construct = format!("{}.{name}", library.name);
                let advice = format!("of {} there is {}", library.name, known.join(", "));
                return Err(self.place.outside(&attribute.attr, construct, advice));
            }
            return Ok(());
        }
        if !methods::exists(name) {
            let advice = "use the usual methods of numbers, strings, lists and dicts";
            return Err(self.place.outside(&attribute.attr, format!("the attribute {name}"), advice));
        }
        Ok(())
    }

    pub(super) fn binary(&mut self, operator: Operator, inplace: bool) {
        self.emit(match operator {
            Operator::Add => Instruction::BinaryOpAdd(inplace),
            Operator::Subtract => Instruction::BinaryOpSubtract(inplace),
            Operator::Multiply => Instruction::BinaryOpMultiply(inplace),
            Operator::Power => Instruction::BinaryOpPower(inplace),
            _ => Instruction::BinaryOp(operator, inplace),
        });
    }

    fn comparison(&mut self, operator: CmpOp) {
        self.emit(match operator {
            CmpOp::Eq => Instruction::CompareOp(Comparison::Equal),
            CmpOp::NotEq => Instruction::CompareOp(Comparison::NotEqual),
            CmpOp::Lt => Instruction::CompareOp(Comparison::Less),
            CmpOp::LtE => Instruction::CompareOp(Comparison::LessEqual),
            CmpOp::Gt => Instruction::CompareOp(Comparison::Greater),
            CmpOp::GtE => Instruction::CompareOp(Comparison::GreaterEqual),
            CmpOp::Is => Instruction::IsOp(false),
            CmpOp::IsNot => Instruction::IsOp(true),
            CmpOp::In => Instruction::ContainsOp(false),
            CmpOp::NotIn => Instruction::ContainsOp(true),
        });
    }

    /// `a < b < c`: each operand once, and no further than the first that fails.
    fn compare(&mut self, compare: &'a ExprCompare) -> Result {
        self.expr(&compare.left)?;
        let last = compare.ops.len() - 1;
        if last == 0 {
            self.expr(&compare.comparators[0])?;
            self.comparison(compare.ops[0]);
            return Ok(());
        }
        let (failed, end) = (self.label(), self.label());
        for (index, (operator, operand)) in compare.ops.iter().zip(&compare.comparators).enumerate() {
            self.expr(operand)?;
            if index == last {
                self.comparison(*operator);
                break;
            }
            self.emit(Instruction::Swap(2));
            self.emit(Instruction::Copy(2));
            self.comparison(*operator);
            self.emit(Instruction::Copy(1));
            self.jump(Instruction::PopJumpIfFalse, failed);
            self.emit(Instruction::PopTop);
        }
        self.jump(Instruction::JumpForward, end);
        self.frame.depth += 1; // the operand that was kept for the next comparison
        self.bind(failed);
        self.emit(Instruction::Swap(2));
        self.emit(Instruction::PopTop);
        self.bind(end);
        Ok(())
    }

    /// Jumps to the label if the expression's truth is as wanted, else goes on.
    pub(super) fn jump_if(&mut self, test: &'a Expr, wanted: bool, label: Label) -> Result {
        match test {
            Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => return self.jump_if(&unary.operand, !wanted, label),
            Expr::BoolOp(boolean) => {
                // With `and` one false operand decides, with `or` a true one.
                let decides = boolean.op == BoolOp::Or;
                let (last, before) = boolean.values.split_last().expect("the grammar wants two operands");
                let past = self.label();
                let decided = if wanted == decides { label } else { past };
                for value in before {
                    self.jump_if(value, decides, decided)?;
                }
                self.jump_if(last, wanted, label)?;
                self.bind(past);
                return Ok(());
            }
            _ => {}
        }
        self.expr(test)?;
        let line = std::mem::replace(&mut self.line, self.place.line(test));
        self.jump(if wanted { Instruction::PopJumpIfTrue } else { Instruction::PopJumpIfFalse }, label);
        self.line = line;
        Ok(())
    }

    /// The loops of a comprehension. `innermost` is told how far below the top the collection lies that `under`
    /// values are on.
    pub(super) fn comprehension(
        &mut self,
        generators: &'a [Comprehension],
        under: u32,
        innermost: &mut dyn FnMut(&mut Compiler<'a>, u32) -> Result,
    ) -> Result {
        let Some((generator, rest)) = generators.split_first() else { return innermost(self, under) };
        if generator.is_async {
            return Err(self.place.outside(generator, "an asynchronous comprehension", "write a plain one"));
        }
        self.expr(&generator.iter)?;
        self.emit(Instruction::GetIter);
        let mut names = Vec::new();
        expr::target_names(&generator.target, &mut names);
        for name in &names {
            self.declare(name);
        }
        let (start, end) = (self.label(), self.label());
        self.bind(start);
        self.jump(Instruction::ForIter, end);
        self.store(&generator.target)?;
        for condition in &generator.ifs {
            self.jump_if(condition, false, start)?;
        }
        self.comprehension(rest, under + 1, innermost)?;
        self.jump(Instruction::JumpBackward, start);
        self.bind(end);
        self.frame.depth -= 1;
        for name in names {
            if let Some(slots) = self.frame.by_name.get_mut(name) {
                slots.pop();
            }
        }
        Ok(())
    }

    fn fstring(&mut self, fstring: &'a ExprFString) -> Result {
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

/// The names that an assignment to this target assigns.
pub(super) fn target_names<'a>(target: &'a Expr, names: &mut Vec<&'a str>) {
    match target {
        Expr::Name(name) if !names.contains(&name.id.as_str()) => {
            names.push(&name.id);
        }
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| target_names(item, names)),
        Expr::List(list) => list.elts.iter().for_each(|item| target_names(item, names)),
        Expr::Starred(starred) => target_names(&starred.value, names),
        _ => {}
    }
}
