//! Statements, functions and the module.

use std::sync::Arc;

use ruff_python_ast::{Expr, ModModule, Stmt, StmtAugAssign, StmtFor, StmtFunctionDef, StmtWhile};

use crate::event::Line;
use crate::vm::code::{Code, Constant, Instruction, Parameter, Program, Signature};
use crate::vm::modules;
use crate::vm::value::Value;

use super::builder::{Block, Compiler, Frame};
use super::expr::{literal, operator};
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

fn blank(name: &str) -> Code {
    Code {
        name: name.into(),
        start: 0,
        end: 0,
        parameters: Vec::new(),
        positional_only: 0,
        keyword_only: 0,
        has_default: Vec::new(),
        locals: Vec::new(),
        frame_size: 0,
        handlers: Vec::new(),
        signature: Signature { parameters: Vec::new(), is_async: false, line: Line(1) },
    }
}

/// A number's value, for the signature.
fn number(default: &Expr) -> Option<Constant> {
    match literal(default)? {
        Value::Int(value) => Some(Constant::Int(value)),
        Value::Float(value) => Some(Constant::Float(value)),
        _ => None,
    }
}

impl<'a> Compiler<'a> {
    /// `def`, where it is executed: the defaults are evaluated and the function gets its name.
    fn define(&mut self, def: &'a StmtFunctionDef, code: u32) -> Result {
        if let Some(decorator) = def.decorator_list.first() {
            return Err(self.place.outside(decorator, "a decorator", "call the function by hand"));
        }
        if def.type_params.is_some() {
            return Err(self.place.outside(&def.name, "a generic function", "leave the type parameters out"));
        }
        let parameters = &def.parameters;
        for (variadic, stars) in [(&parameters.vararg, "*"), (&parameters.kwarg, "**")] {
            if let Some(variadic) = variadic {
                let construct = format!("the parameter {stars}{}", variadic.name);
                return Err(self.place.outside(&**variadic, construct, "name the parameters one by one"));
            }
        }
        let mut defaults = 0;
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(default) = &parameter.default {
                self.expr(default)?;
                defaults += 1;
            }
        }
        self.emit(Instruction::BuildTuple(defaults));
        self.emit(Instruction::MakeFunction(code));
        self.store_name(&def.name)
    }

    fn function(&mut self, def: &'a StmtFunctionDef) -> Result<Code> {
        let mut code = blank(&def.name);
        self.line = self.place.line(&def.name);
        self.frame = Frame::new(self.here(), false);
        code.positional_only = def.parameters.posonlyargs.len();
        code.keyword_only = def.parameters.kwonlyargs.len();
        for parameter in def.parameters.iter_non_variadic_params() {
            let name: Arc<str> = parameter.parameter.name.as_str().into();
            if self.local(&name).is_some() {
                let message = format!("duplicate argument '{name}' in function definition");
                return Err(self.place.syntax(parameter, message));
            }
            self.declare(&name);
            code.parameters.push(name.clone());
            code.has_default.push(parameter.default.is_some());
            code.signature.parameters.push(Parameter {
                name,
                has_default: parameter.default.is_some(),
                default: parameter.default.as_deref().and_then(number),
            });
        }
        code.signature.is_async = def.is_async;
        code.signature.line = Line(self.line);
        let assigned = Assigned::of(&def.body);
        for name in &assigned.globals {
            if self.local(name).is_some() {
                return Err(self.place.syntax(&def.name, format!("name '{name}' is parameter and global")));
            }
            self.frame.globals.insert((*name).to_owned());
        }
        for name in assigned.names.iter().filter(|name| !assigned.globals.contains(*name)) {
            if self.local(name).is_none() {
                self.declare(name);
            }
        }
        if def.is_async {
            self.frame.is_async = true;
            self.emit(Instruction::ReturnGenerator);
        }
        self.emit(Instruction::Resume);
        self.body(&def.body)?;
        self.constant(Value::None);
        self.emit(Instruction::ReturnValue);
        let start = self.here();
        let frame = std::mem::replace(&mut self.frame, Frame::new(start, false));
        self.finish(frame, code)
    }

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
                self.leave(0)?;
                self.line = self.place.line(stmt);
                self.emit(Instruction::ReturnValue);
                self.resume_blocks(0);
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

    fn for_loop(&mut self, stmt: &'a StmtFor) -> Result {
        if stmt.is_async {
            return Err(self.place.outside(
                stmt,
                "async for",
                "write a plain for, or a while that awaits the next item",
            ));
        }
        let (start, finished, end) = (self.label(), self.label(), self.label());
        self.expr(&stmt.iter)?;
        self.emit(Instruction::GetIter);
        self.bind(start);
        let line = self.line;
        self.jump(Instruction::ForIter, finished);
        self.store(&stmt.target)?;
        self.frame.blocks.push(Block::Loop { continue_at: start, break_to: end, is_for: true });
        self.body(&stmt.body)?;
        self.frame.blocks.pop();
        // CPython books the jump back to the loop's head.
        self.line = line;
        self.jump(Instruction::JumpBackward, start);
        // FOR_ITER has taken the iterator off.
        self.frame.depth -= 1;
        self.bind(finished);
        self.body(&stmt.orelse)?;
        self.bind(end);
        Ok(())
    }

    fn while_loop(&mut self, stmt: &'a StmtWhile) -> Result {
        let (start, finished, end) = (self.label(), self.label(), self.label());
        let line = self.line;
        self.bind(start);
        self.jump_if(&stmt.test, false, finished)?;
        self.frame.blocks.push(Block::Loop { continue_at: start, break_to: end, is_for: false });
        self.body(&stmt.body)?;
        self.frame.blocks.pop();
        self.line = line;
        self.jump(Instruction::JumpBackward, start);
        self.bind(finished);
        self.body(&stmt.orelse)?;
        self.bind(end);
        Ok(())
    }

    /// Compiles what must run on the way out of the blocks above `keep`; a value to be returned may be on the stack.
    fn leave(&mut self, keep: usize) -> Result {
        let line = self.line;
        let mut left = Vec::new();
        while self.frame.blocks.len() > keep {
            let mut block = self.frame.blocks.pop().expect("the length was looked at");
            let here = self.here();
            if let Some(range) = block.range() {
                range.pause(here);
            }
            match &block {
                Block::With { manager, is_async, .. } => self.exit(*manager, *is_async),
                Block::Finally { body, .. } => {
                    let body: &'a [Stmt] = body;
                    self.body(body)?;
                }
                Block::Loop { .. } | Block::Try { .. } => {}
            }
            left.push(block);
            self.line = line;
        }
        self.frame.blocks.extend(left.into_iter().rev());
        Ok(())
    }

    /// What the blocks protect again once the way out is complete.
    fn resume_blocks(&mut self, keep: usize) {
        let here = self.here();
        for block in &mut self.frame.blocks[keep..] {
            if let Some(range) = block.range() {
                range.resume(here);
            }
        }
    }

    fn leave_loop(&mut self, stmt: &'a Stmt) -> Result {
        let found = self.frame.blocks.iter().rposition(|block| matches!(block, Block::Loop { .. }));
        let breaks = matches!(stmt, Stmt::Break(_));
        let Some(at) = found else {
            let message = if breaks { "'break' outside loop" } else { "'continue' not properly in loop" };
            return Err(self.place.syntax(stmt, message));
        };
        let Block::Loop { continue_at, break_to, is_for } = self.frame.blocks[at] else { return Ok(()) };
        let depth = self.frame.depth;
        self.leave(at + 1)?;
        if breaks {
            if is_for {
                self.emit(Instruction::PopTop);
            }
            self.jump(Instruction::JumpForward, break_to);
        } else {
            self.jump(Instruction::JumpBackward, continue_at);
        }
        self.frame.depth = depth;
        self.resume_blocks(at + 1);
        Ok(())
    }
}
