//! Statements and the module.

use ruff_python_ast::{Expr, ModModule, Stmt, StmtAugAssign};

use crate::vm::code::{Instruction, Program};
use crate::vm::modules;
use crate::vm::value::Value;

use super::builder::{Compiler, Frame};
use super::function::blank;
use super::literal::{literal, operator};
use super::scope::Assigned;
use super::{Place, Result};

/// Compiles a module.
pub(super) fn module(place: &Place<'_>, module: &ModModule) -> Result<Program> {
    let mut compiler = Compiler::new(place);
    let assigned = Assigned::of(&module.body);
    compiler.assigned = assigned.names.iter().copied().collect();
    for stmt in &module.body {
        collect_globals(stmt, &mut compiler.assigned);
        if let Stmt::Import(import) = stmt {
            for alias in &import.names {
                let (module, name) = super::import::bound_by(alias);
                if let Some(library) = modules::get(module) {
                    compiler.imported.insert(name.to_owned(), library);
                }
            }
        }
    }
    compiler.program.codes.push(blank("<module>"));
    compiler.emit(Instruction::Resume);
    // Functions are compiled where they stand, so the module's own code would be cut up by them; they come after it.
    let mut functions = Vec::new();
    for stmt in &module.body {
        compiler.line = place.line(stmt);
        match stmt {
            Stmt::FunctionDef(def) => {
                functions.push(def);
                let code = functions.len();
                compiler.define(def, code as u32)?;
            }
            other => compiler.stmt(other)?,
        }
    }
    compiler.constant(Value::None);
    compiler.emit(Instruction::ReturnValue);
    let start = compiler.here();
    let frame = std::mem::replace(&mut compiler.frame, Frame::new(start, false));
    let code = compiler.finish(frame, blank("<module>"))?;
    compiler.program.codes[0] = code;
    for def in functions {
        let code = compiler.function(def)?;
        compiler.program.codes.push(code);
    }
    compiler.global("__name__");
    Ok(compiler.program)
}

/// Names that functions assign as globals.
fn collect_globals<'a>(stmt: &'a Stmt, assigned: &mut std::collections::HashSet<&'a str>) {
    if let Stmt::FunctionDef(def) = stmt {
        assigned.extend(Assigned::of(&def.body).globals);
    }
}

impl<'a> Compiler<'a> {
    pub(super) fn body(&mut self, body: &'a [Stmt]) -> Result {
        body.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> Result {
        self.line = self.place.line(stmt);
        match stmt {
            Stmt::Expr(expr) => {
                // A docstring, or a constant on its own, does nothing.
                if literal(&expr.value).is_some() || matches!(&*expr.value, Expr::EllipsisLiteral(_)) {
                    self.emit(Instruction::Nop);
                    return Ok(());
                }
                self.expr(&expr.value)?;
                self.emit(Instruction::PopTop);
            }
            Stmt::Assign(assign) => {
                self.expr(&assign.value)?;
                let (last, before) = assign.targets.split_last().expect("the grammar wants a target");
                for target in before {
                    self.emit(Instruction::Copy(1));
                    self.store(target)?;
                }
                self.store(last)?;
            }
            Stmt::AugAssign(assign) => self.augmented(assign)?,
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.expr(value)?;
                    self.store(&assign.target)?;
                }
            }
            Stmt::For(stmt) => self.for_loop(stmt)?,
            Stmt::While(stmt) => self.while_loop(stmt)?,
            Stmt::If(stmt) => {
                let end = self.label();
                let mut next = self.label();
                self.jump_if(&stmt.test, false, next)?;
                self.body(&stmt.body)?;
                for clause in &stmt.elif_else_clauses {
                    self.jump(Instruction::JumpForward, end);
                    self.bind(next);
                    next = self.label();
                    if let Some(test) = &clause.test {
                        self.line = self.place.line(test);
                        self.jump_if(test, false, next)?;
                    }
                    self.body(&clause.body)?;
                }
                self.bind(next);
                self.bind(end);
            }
            Stmt::Return(stmt) => {
                if self.frame.is_module {
                    return Err(self.place.syntax(stmt, "'return' outside function"));
                }
                match &stmt.value {
                    Some(value) => self.expr(value)?,
                    None => self.constant(Value::None),
                }
                self.return_top(self.place.line(stmt))?;
            }
            Stmt::Break(_) | Stmt::Continue(_) => self.leave_loop(stmt)?,
            Stmt::Pass(_) => self.emit(Instruction::Nop),
            Stmt::Global(global) => {
                if self.frame.is_module {
                    return Ok(());
                }
                for name in &global.names {
                    self.global(name);
                }
            }
            Stmt::With(stmt) => self.with(stmt, 0)?,
            Stmt::Try(stmt) => self.try_statement(stmt)?,
            Stmt::Raise(stmt) => self.raise(stmt)?,
            Stmt::Assert(stmt) => {
                let passed = self.label();
                self.jump_if(&stmt.test, true, passed)?;
                self.line = self.place.line(stmt);
                self.constant(Value::ExceptionType(crate::vm::exception::Kind::AssertionError));
                if let Some(message) = &stmt.msg {
                    self.emit(Instruction::PushNull);
                    self.expr(message)?;
                    self.emit(Instruction::Call(1));
                }
                self.emit(Instruction::RaiseVarargs(1));
                self.bind(passed);
            }
            Stmt::Delete(stmt) => {
                for target in &stmt.targets {
                    self.delete(target)?;
                }
            }
            Stmt::Import(import) => self.import(import)?,
            Stmt::ImportFrom(import) => self.import_from(import)?,
            Stmt::FunctionDef(def) => {
                let (construct, advice) = if self.frame.is_module {
                    ("a function inside another statement", "define it at the top level of the file")
                } else {
                    ("a function inside a function", "define it at the top level and pass it what it needs")
                };
                return Err(self.place.outside(&def.name, construct, advice));
            }
            Stmt::ClassDef(stmt) => {
                return Err(self.place.outside(stmt, "a class statement", "write functions only"));
            }
            Stmt::Match(stmt) => return Err(self.place.outside(stmt, "a match statement", "write if and elif")),
            Stmt::Nonlocal(stmt) => {
                return Err(self.place.outside(stmt, "nonlocal", "pass values as arguments and return them"));
            }
            Stmt::TypeAlias(stmt) => return Err(self.place.outside(stmt, "a type alias", "leave it out")),
            Stmt::IpyEscapeCommand(stmt) => {
                return Err(self.place.outside(stmt, "an IPython command", "write plain Python"));
            }
        }
        Ok(())
    }

    pub(super) fn store_name(&mut self, name: &str) -> Result {
        if let Some(slot) = self.local(name) {
            self.emit(Instruction::StoreFast(slot));
        } else {
            let slot = self.global(name);
            self.emit(Instruction::StoreGlobal(slot));
        }
        Ok(())
    }

    /// Stores what is on the stack.
    pub(super) fn store(&mut self, target: &'a Expr) -> Result {
        match target {
            Expr::Name(name) => self.store_name(&name.id),
            Expr::Tuple(tuple) => self.unpack(&tuple.elts),
            Expr::List(list) => self.unpack(&list.elts),
            Expr::Subscript(subscript) => {
                self.expr(&subscript.value)?;
                self.expr(&subscript.slice)?;
                self.emit(Instruction::StoreSubscr);
                Ok(())
            }
            Expr::Attribute(attribute) => Err(self.place.outside(
                attribute,
                "assigning to an attribute",
                "keep values in variables, lists or dicts",
            )),
            Expr::Starred(starred) => {
                Err(self.place.outside(starred, "* in an assignment", "take a slice of the list instead"))
            }
            other => Err(self.place.syntax(other, "cannot assign to this")),
        }
    }

    fn unpack(&mut self, targets: &'a [Expr]) -> Result {
        if let Some(starred) = targets.iter().find(|target| matches!(target, Expr::Starred(_))) {
            return self.store(starred);
        }
        self.emit(Instruction::UnpackSequence(targets.len() as u32));
        targets.iter().try_for_each(|target| self.store(target))
    }

    fn augmented(&mut self, assign: &'a StmtAugAssign) -> Result {
        let operator = operator(assign.op);
        match &*assign.target {
            Expr::Name(name) => {
                self.load_name(&name.id, name)?;
                self.expr(&assign.value)?;
                self.binary(operator, true);
                self.store_name(&name.id)
            }
            Expr::Subscript(subscript) => {
                self.expr(&subscript.value)?;
                self.expr(&subscript.slice)?;
                self.emit(Instruction::Copy(2));
                self.emit(Instruction::Copy(2));
                self.emit(Instruction::BinarySubscr);
                self.expr(&assign.value)?;
                self.binary(operator, true);
                // From container, key, value to value, container, key.
                self.emit(Instruction::Swap(3));
                self.emit(Instruction::Swap(2));
                self.emit(Instruction::StoreSubscr);
                Ok(())
            }
            other => self.store(other),
        }
    }

    fn delete(&mut self, target: &'a Expr) -> Result {
        match target {
            Expr::Name(name) => match self.local(&name.id) {
                Some(slot) => self.emit(Instruction::DeleteFast(slot)),
                None => {
                    let slot = self.global(&name.id);
                    self.emit(Instruction::DeleteGlobal(slot));
                }
            },
            Expr::Subscript(subscript) => {
                self.expr(&subscript.value)?;
                self.expr(&subscript.slice)?;
                self.emit(Instruction::DeleteSubscr);
            }
            Expr::Tuple(tuple) => tuple.elts.iter().try_for_each(|target| self.delete(target))?,
            other => return Err(self.place.outside(other, "deleting this", "delete names or items")),
        }
        Ok(())
    }
}
