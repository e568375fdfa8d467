//! Expressions.

use ruff_python_ast::{BoolOp, Expr, Number, Operator as AstOperator, UnaryOp};
use ruff_text_size::Ranged;

use crate::vm::builtins;
use crate::vm::code::{Instruction, Operator};
use crate::vm::methods;
use crate::vm::value::Value;

use super::Result;
use super::builder::Compiler;
use super::literal::{literal, operator};

impl<'a> Compiler<'a> {
    /// Leaves the value of an expression on the stack.
    pub(super) fn expr(&mut self, expr: &'a Expr) -> Result {
        let line = std::mem::replace(&mut self.line, self.place.line(expr));
        let result = self.expr_at(expr);
        self.line = line;
        result
    }

    fn expr_at(&mut self, expr: &'a Expr) -> Result {
        if let Expr::StringLiteral(string) = expr {
            self.refuse_surrogates(expr, string.value.to_str())?;
        }
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
                let known: Vec<_> = crate::vm::modules::offered(library).collect();
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
}
