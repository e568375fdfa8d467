//! Calls, and the calls that take a generator expression.

use std::sync::Arc;

use ruff_python_ast::{Expr, ExprCall, ExprGenerator};

use crate::vm::code::{Comparison, Instruction, Operator};
use crate::vm::value::Value;

use super::Result;
use super::builder::Compiler;

impl<'a> Compiler<'a> {
    pub(super) fn call(&mut self, call: &'a ExprCall) -> Result {
        let arguments = &call.arguments;
        if let Some(keyword) = arguments.keywords.iter().find(|keyword| keyword.arg.is_none()) {
            return Err(self.place.outside(keyword, "** in a call", "pass the arguments one by one"));
        }
        if let [Expr::Generator(generator)] = &*arguments.args
            && let Expr::Name(function) = &*call.func
            && self.is_builtin(&function.id)
            && arguments.keywords.is_empty()
            && self.fold(&function.id, generator)?
        {
            return Ok(());
        }
        match &*call.func {
            Expr::Attribute(attribute) => {
                self.known_attribute(attribute)?;
                self.expr(&attribute.value)?;
                self.line = self.place.line(&attribute.attr);
                let name = self.attribute(&attribute.attr);
                self.emit(Instruction::LoadMethod(name));
            }
            function => {
                self.expr(function)?;
                self.emit(Instruction::PushNull);
            }
        }
        if arguments.args.iter().any(Expr::is_starred_expr) {
            return self.call_spread(call);
        }
        for argument in &arguments.args {
            match argument {
                // Gathered first: for a function that uses all of it, that is the same.
                Expr::Generator(generator) if self.gathers(&call.func) => self.gather(generator)?,
                argument => self.expr(argument)?,
            }
        }
        for keyword in &arguments.keywords {
            self.expr(&keyword.value)?;
        }
        let count = (arguments.args.len() + arguments.keywords.len()) as u32;
        if arguments.keywords.is_empty() {
            self.emit(Instruction::Call(count));
            return Ok(());
        }
        let table = self.program.keywords.len();
        let (Ok(count), Ok(table)) = (u16::try_from(count), u16::try_from(table)) else {
            return Err(self.place.outside(
                call,
                "a file with this many arguments by keyword",
                "pass them by position",
            ));
        };
        self.program.keywords.push(keyword_names(call));
        self.emit(Instruction::CallKw(count, table));
        Ok(())
    }

    /// A call with `*items` among its arguments; the function is on the stack. All arguments go into one list, those by
    /// keyword last. (CPython makes a tuple and a dict of them.)
    fn call_spread(&mut self, call: &'a ExprCall) -> Result {
        self.emit(Instruction::BuildList(0));
        for argument in &call.arguments.args {
            match argument {
                Expr::Starred(starred) => {
                    match &*starred.value {
                        Expr::Generator(generator) => self.gather(generator)?,
                        items => self.expr(items)?,
                    }
                    self.emit(Instruction::ListExtend);
                }
                argument => {
                    self.expr(argument)?;
                    self.emit(Instruction::ListAppend(1));
                }
            }
        }
        for keyword in &call.arguments.keywords {
            self.expr(&keyword.value)?;
            self.emit(Instruction::ListAppend(1));
        }
        let table = self.program.keywords.len() as u32;
        self.program.keywords.push(keyword_names(call));
        self.emit(Instruction::CallFunctionEx(table));
        Ok(())
    }

    fn gathers(&self, function: &Expr) -> bool {
        match function {
            Expr::Name(name) => {
                let known = ["sum", "min", "max", "list", "tuple", "sorted", "bytes", "dict"];
                known.contains(&name.id.as_str()) && self.is_builtin(&name.id)
            }
            Expr::Attribute(attribute) => matches!(attribute.attr.as_str(), "join" | "extend"),
            _ => false,
        }
    }

    fn gather(&mut self, generator: &'a ExprGenerator) -> Result {
        self.emit(Instruction::BuildList(0));
        self.comprehension(&generator.generators, 1, &mut |compiler, height| {
            compiler.expr(&generator.elt)?;
            compiler.emit(Instruction::ListAppend(height));
            Ok(())
        })
    }

    /// `sum`, `any` and `all` of a generator expression: the loop they drive is inlined, so that nothing is gathered
    /// and the loop ends where theirs does. Whether the function is one of them.
    fn fold(&mut self, function: &str, generator: &'a ExprGenerator) -> Result<bool> {
        match function {
            "sum" => {
                let total = self.hidden("total");
                self.constant(Value::Int(0));
                self.emit(Instruction::StoreFast(total));
                self.comprehension(&generator.generators, 0, &mut |compiler, _| {
                    compiler.emit(Instruction::LoadFast(total));
                    compiler.expr(&generator.elt)?;
                    compiler.binary(Operator::Add, false);
                    compiler.emit(Instruction::StoreFast(total));
                    Ok(())
                })?;
                self.emit(Instruction::LoadFast(total));
            }
            "any" | "all" => {
                // Where it is decided the iterators of all its loops are still on the stack.
                let decides = function == "any";
                let loops = generator.generators.len();
                let (decided, end) = (self.label(), self.label());
                self.comprehension(&generator.generators, 0, &mut |compiler, _| {
                    compiler.jump_if(&generator.elt, decides, decided)
                })?;
                self.constant(Value::Bool(!decides));
                self.jump(Instruction::JumpForward, end);
                self.frame.depth -= 1;
                self.frame.depth += loops as i32;
                self.bind(decided);
                for _ in 0..loops {
                    self.emit(Instruction::PopTop);
                }
                self.constant(Value::Bool(decides));
                self.bind(end);
            }
            "min" | "max" => {
                let best = self.hidden("best");
                let value = self.hidden("value");
                let seen = self.hidden("seen");
                self.constant(Value::Bool(false));
                self.emit(Instruction::StoreFast(seen));
                let wanted = if function == "min" { Comparison::Less } else { Comparison::Greater };
                self.comprehension(&generator.generators, 0, &mut |compiler, _| {
                    compiler.expr(&generator.elt)?;
                    compiler.emit(Instruction::StoreFast(value));
                    let (first, keep, next) = (compiler.label(), compiler.label(), compiler.label());
                    compiler.emit(Instruction::LoadFast(seen));
                    compiler.jump(Instruction::PopJumpIfFalse, first);
                    compiler.emit(Instruction::LoadFast(value));
                    compiler.emit(Instruction::LoadFast(best));
                    compiler.emit(Instruction::CompareOp(wanted));
                    compiler.jump(Instruction::PopJumpIfFalse, next);
                    compiler.jump(Instruction::JumpForward, keep);
                    compiler.bind(first);
                    compiler.constant(Value::Bool(true));
                    compiler.emit(Instruction::StoreFast(seen));
                    compiler.bind(keep);
                    compiler.emit(Instruction::LoadFast(value));
                    compiler.emit(Instruction::StoreFast(best));
                    compiler.bind(next);
                    Ok(())
                })?;
                // Of nothing at all there is none: let the function itself say so.
                let (empty, end) = (self.label(), self.label());
                self.emit(Instruction::LoadFast(seen));
                self.jump(Instruction::PopJumpIfFalse, empty);
                self.emit(Instruction::LoadFast(best));
                self.jump(Instruction::JumpForward, end);
                self.frame.depth -= 1;
                self.bind(empty);
                let slot = self.global(function);
                self.emit(Instruction::LoadGlobal(slot));
                self.emit(Instruction::PushNull);
                self.emit(Instruction::BuildList(0));
                self.emit(Instruction::Call(1));
                self.bind(end);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn keyword_names(call: &ExprCall) -> Vec<Arc<str>> {
    let keywords = call.arguments.keywords.iter().filter_map(|keyword| keyword.arg.as_ref());
    keywords.map(|name| name.as_str().into()).collect()
}
